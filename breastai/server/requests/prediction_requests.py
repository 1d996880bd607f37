"""The handlers of requests about images a client hands over, and about what a run's model was wrong about."""

import asyncio
import contextlib
from datetime import UTC, datetime

from breastai.domain import jobs
from breastai.domain.errors import CheckpointNotFound, EvaluationNotFound, RequestInvalid
from breastai.domain.events import Error, Event, ImageAdded, ImagesAnswered, UnitPrediction
from breastai.domain.faults import describe_mismatch
from breastai.domain.requests import AddImage, AskImages, ListJudged, ShowErrors, ShowJudged
from breastai.domain.text import Text
from breastai.server.connections.broadcast import Client
from breastai.server.requests.job_requests import make_job
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services
from breastai.storage import checkpoints
from breastai.storage.evaluations import find_judged
from breastai.storage.exports import find_export
from breastai.storage.workspace import Workspace

KEPT_FOLDER = "kept_images"
_ONNX = ".onnx"
# As many images as an exam has are answered together, by breast or patient too; of more each is a turn of its own.
_MOST_TOGETHER = 8


@handles(AddImage)
async def add_image(services: Services, client: Client, request: AddImage) -> Event:
    received = await asyncio.to_thread(services.handed.add, client.owner, request)
    return ImageAdded(image=request.image, received=received)


@handles(AskImages)
async def ask_images(services: Services, client: Client, request: AskImages) -> Event | None:
    exports = [name for name in request.models if name.endswith(_ONNX)]
    if len(exports) == len(request.models):
        if request.heat_maps:
            wanted, came = Text("expected.checkpoint_among_models"), Text("came.exported_only")
            raise RequestInvalid([describe_mismatch("heat_maps", wanted, came)])
        return await _ask_exports(services, client, request)
    taken: list[jobs.HandedImage] = []

    def job() -> jobs.Job:
        models = [_named(services.workspace, name) for name in request.models]
        taken.extend(_marked(services.handed.take(client.owner, request.images), request))
        keep = _place_to_keep(request)
        return make_job(services, request, jobs.AskCheckpoints, images=taken, models=models, keep=keep)

    async def prepared() -> jobs.Job:
        return await asyncio.to_thread(job)

    session = services.sessions.get(request.session_id)
    asker = (client, request.request_id)
    services.runner.start(
        session, "ask_checkpoints", prepared, asker, request.answered_by, lambda: services.handed.remove(taken)
    )
    return None


async def _ask_exports(services: Services, client: Client, request: AskImages) -> Event:
    """Have the light worker answer image by image, so that other questions get their turn in between."""

    def tell(event: Event) -> None:
        services.hub.send(client, event.model_copy(update={"session_id": request.session_id}))

    models = [await asyncio.to_thread(_named, services.workspace, name) for name in request.models]
    taken = _marked(await asyncio.to_thread(services.handed.take, client.owner, request.images), request)
    keep, failed = _place_to_keep(request), 0
    units: list[UnitPrediction] = []
    notes: list[Text] = []
    singly = False
    try:
        together = request.one_patient or len(taken) <= _MOST_TOGETHER
        for images in [taken] if together else [[image] for image in taken]:
            job = make_job(services, request, jobs.AskExports, images=images, models=models, keep=keep)
            answer = await services.light.ask(job, tell)
            if isinstance(answer, Error):
                return answer
            if isinstance(answer, ImagesAnswered):
                failed += answer.failed
                units += answer.units if together else []
                notes += answer.notes if together else []
                singly |= bool(answer.units)
    finally:
        await asyncio.to_thread(services.handed.remove, taken)
    if singly and not together:
        notes.append(Text("note.asked_singly", {"most": _MOST_TOGETHER}))
    return ImagesAnswered(count=len(taken), failed=failed, kept=keep, units=units, notes=notes)


def _marked(taken: list[jobs.HandedImage], request: AskImages) -> list[jobs.HandedImage]:
    """Return images with the boxes that a request gives for them."""
    boxes = dict(zip(request.images, request.boxes, strict=True)) if request.boxes else {}
    return [image.model_copy(update={"box": boxes.get(image.image)}) for image in taken]


def _named(workspace: Workspace, name: str) -> str:
    """Return a model's name as a worker finds it; raise ExportNotFound or CheckpointNotFound."""
    if name.endswith(_ONNX):
        return workspace.relative(find_export(workspace, name))
    return checkpoints.find_checkpoint(workspace, name).name


def _place_to_keep(request: AskImages) -> str | None:
    return f"{KEPT_FOLDER}/{datetime.now(UTC):%Y%m%d-%H%M%S}" if request.keep else None


@handles(ShowErrors)
async def show_errors(services: Services, client: Client, request: ShowErrors) -> Event:
    def check() -> None:
        with contextlib.suppress(EvaluationNotFound):  # answered as such
            _check_places(services, request.run_id, None)

    await asyncio.to_thread(check)
    return await services.light.ask(make_job(services, request, jobs.ShowErrors))


@handles(ListJudged)
async def list_judged(services: Services, client: Client, request: ListJudged) -> Event:
    await asyncio.to_thread(_check_places, services, request.run_id, request.name)
    return await services.light.ask(make_job(services, request, jobs.ListJudged))


@handles(ShowJudged)
async def show_judged(services: Services, client: Client, request: ShowJudged) -> Event:
    await asyncio.to_thread(_check_places, services, request.run_id, request.name)
    return await services.light.ask(make_job(services, request, jobs.ShowJudged))


def _check_places(services: Services, run_id: str, name: str | None) -> None:
    found = find_judged(services.workspace, run_id, name)
    _check_images(services, found.data, found.checkpoint)


def _check_images(services: Services, data: str, checkpoint: str) -> None:
    """Raise DataOutsideRoots unless judged images may be read: those of the folder that was judged, or the run's own.

    Without its checkpoint a run's own are not known, nor looked for.
    """
    services.data_roots.check(data)
    try:
        files = checkpoints.find_checkpoint(services.workspace, checkpoint)
    except CheckpointNotFound:
        return
    services.data_roots.check_manifest(checkpoints.read_manifest(files))
