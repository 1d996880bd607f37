"""The handlers of requests about images, which the light worker answers, also while a run goes on."""

import asyncio

from breastai.domain import jobs
from breastai.domain.events import Event
from breastai.domain.requests import DescribeData, ListImages, PreviewImage
from breastai.server.connections.broadcast import Client
from breastai.server.requests.job_requests import training_config
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services


@handles(DescribeData)
async def describe_data(services: Services, client: Client, request: DescribeData) -> Event:
    config = await asyncio.to_thread(training_config, services, request)
    return await services.light.ask(
        jobs.DescribeImages(workspace=str(services.workspace.root), session_id=request.session_id, config=config)
    )


@handles(ListImages)
async def list_images(services: Services, client: Client, request: ListImages) -> Event:
    config = await asyncio.to_thread(training_config, services, request)
    return await services.light.ask(
        jobs.ListImages(
            workspace=str(services.workspace.root),
            session_id=request.session_id,
            config=config,
            split=request.split,
            class_name=request.class_name,
            first=request.first,
            limit=request.limit,
        )
    )


@handles(PreviewImage)
async def preview_image(services: Services, client: Client, request: PreviewImage) -> Event:
    config = await asyncio.to_thread(training_config, services, request)
    return await services.light.ask(
        jobs.PreviewImage(
            workspace=str(services.workspace.root),
            session_id=request.session_id,
            config=config,
            split=request.split,
            file=request.file,
            augmented=request.augmented,
            seed=request.seed,
        )
    )
