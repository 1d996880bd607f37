"""The handlers of requests about images, which the light worker answers, also while a run goes on."""

import asyncio
from collections.abc import Mapping

from breastai.domain import jobs
from breastai.domain.events import DatasetAdded, DatasetDeleted, DatasetInspected, DatasetsList, DoubtNoted, Event
from breastai.domain.requests import (
    AddDataset,
    CorrectDataset,
    DeleteDataset,
    DescribeData,
    InspectDataset,
    ListDatasets,
    ListImages,
    NoteDoubt,
    PreFlight,
    PreviewImage,
    Request,
)
from breastai.server.connections.broadcast import Client
from breastai.server.requests.job_requests import make_job, training_config
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services
from breastai.storage.datasets import delete_dataset, is_dataset
from breastai.storage.kept_datasets import keep_dataset, list_datasets
from breastai.storage.kept_doubts import note_doubt

JOBS: Mapping[type[Request], type[jobs.LightJob]] = {
    DescribeData: jobs.DescribeImages,
    ListImages: jobs.ListImages,
    PreFlight: jobs.PreFlight,
    PreviewImage: jobs.PreviewImage,
}


@handles(DescribeData, ListImages, PreFlight, PreviewImage)
async def look_at_images(
    services: Services, client: Client, request: DescribeData | ListImages | PreFlight | PreviewImage
) -> Event:
    config = await asyncio.to_thread(training_config, services, request)
    return await services.light.ask(make_job(services, request, JOBS[type(request)], config=config))


@handles(InspectDataset)
async def inspect_dataset(services: Services, client: Client, request: InspectDataset) -> Event:
    return await _inspect(services, client, request, request.pictures)


@handles(AddDataset)
async def add_dataset(services: Services, client: Client, request: AddDataset) -> Event:
    answer = await _inspect(services, client, request, 0)
    if not isinstance(answer, DatasetInspected):
        return answer
    inspection = await asyncio.to_thread(keep_dataset, services.workspace, request.name, answer.inspection)
    return DatasetAdded(name=request.name, inspection=inspection)


@handles(NoteDoubt)
async def keep_doubt_note(services: Services, client: Client, request: NoteDoubt) -> Event:
    kept = await asyncio.to_thread(
        note_doubt, services.workspace, request.doubts_id, request.file, request.note, request.decision
    )
    return DoubtNoted(doubts_id=request.doubts_id, file=kept.file, note=kept.note, decision=kept.decision)


@handles(CorrectDataset)
async def correct_dataset(services: Services, client: Client, request: CorrectDataset) -> Event:
    return await services.light.ask(make_job(services, request, jobs.CorrectDataset))


@handles(ListDatasets)
async def list_kept_datasets(services: Services, client: Client, request: ListDatasets) -> Event:
    return DatasetsList(datasets=await asyncio.to_thread(list_datasets, services.workspace))


@handles(DeleteDataset)
async def delete_kept_dataset(services: Services, client: Client, request: DeleteDataset) -> Event:
    await asyncio.to_thread(delete_dataset, services.workspace, request.name)
    return DatasetDeleted(name=request.name)


async def _inspect(services: Services, client: Client, request: InspectDataset | AddDataset, pictures: int) -> Event:
    """Return what the light worker finds at a place, which must lie in a folder that may be read."""
    if not await asyncio.to_thread(is_dataset, services.workspace, request.path):
        await asyncio.to_thread(services.data_roots.check, request.path)
    job = make_job(services, request, jobs.InspectDataset, pictures=pictures)
    return await services.light.ask(job, lambda event: services.hub.send(client, event))
