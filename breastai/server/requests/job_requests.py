"""The handlers of requests that need a worker: they claim the heavy slot before their first await."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar, cast

from breastai.client import error_from_event
from breastai.domain import jobs
from breastai.domain.catalog import EXPORT_FORMATS
from breastai.domain.config import Config, preset
from breastai.domain.dataset_inspection import ReadingChanges
from breastai.domain.errors import RequestInvalid
from breastai.domain.events import DatasetInspected, Error, Event
from breastai.domain.faults import describe_mismatch
from breastai.domain.jobs import (
    AnyJob,
    Audit,
    Bench,
    Compare,
    ComparePredictions,
    Evaluate,
    EvaluateSites,
    Explain,
    Export,
    InspectDataset,
    Job,
    MakeSampleData,
    Predict,
    Report,
    Resume,
    Train,
    Tune,
)
from breastai.domain.requests import (
    AdaptModel,
    AuditData,
    CompareModels,
    CompareReaders,
    Configured,
    CreateReport,
    EstimateCost,
    EvaluateModel,
    EvaluatePredictions,
    ExplainImages,
    ExportModel,
    ExportOnnx,
    FindDoubts,
    PredictImages,
    Request,
    ResumeStudy,
    ResumeTraining,
    StartCrossval,
    StartTraining,
    StartTuning,
    StopTraining,
    TrySample,
)
from breastai.domain.text import Text
from breastai.domain.v3_settings import nest_settings
from breastai.server.connections.broadcast import Client
from breastai.server.jobs.session import Session
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services, workspace_config
from breastai.storage import checkpoints
from breastai.storage.checkpoints import adapted_run_id
from breastai.storage.datasets import dataset_layer
from breastai.storage.evaluations import PREDICTIONS
from breastai.storage.interrupted_runs import resumable_run
from breastai.storage.kept_datasets import keep_dataset
from breastai.storage.run_config import read_run_config, recorded_configs
from breastai.storage.workspace import Workspace

# Where sample images lie, what their data set is called, and how their names tell the patient.
SAMPLE_FOLDER, SAMPLE_NAME = "datasets/sample", "sample"
SAMPLE_PATIENTS = ReadingChanges.model_validate({"fields": {"patient": {"path": "(?:^|/)(P[0-9]+)_[^/]*$"}}})
AJob = TypeVar("AJob", bound=Job)
# The kinds of jobs that may ask about duplicates before they begin.
_ASKING = frozenset({"train", "crossval", "tune"})
QueueableRequest = (
    StartTraining
    | ResumeTraining
    | StartTuning
    | ExportModel
    | ExportOnnx
    | EvaluateModel
    | AdaptModel
    | EvaluatePredictions
    | CompareModels
    | CompareReaders
    | FindDoubts
    | PredictImages
    | ExplainImages
    | CreateReport
    | StartCrossval
    | ResumeStudy
)


def training_config(services: Services, request: StartTraining | StartCrossval | EstimateCost | Configured) -> Config:
    """Return what a training of this request would be configured as; raise ConfigInvalid or DataOutsideRoots."""
    layers: list[dict[str, Any]] = [preset(request.preset)] if request.preset is not None else []
    layers += _asked_layers(services.workspace, request.config)
    epochs = getattr(request, "epochs", None)
    if epochs is not None:
        layers.append({"training": {"epochs": epochs}})
    config = workspace_config(services.workspace, *layers)
    services.data_roots.check_run(config)
    return config


def _asked_layers(workspace: Workspace, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the partial configurations that a request gives, whose `data_path` may be the name of a data set."""
    named = dataset_layer(workspace, str(asked.get("data_path", "")))
    if named is None:
        return [nest_settings(asked)]
    return [named, nest_settings({key: value for key, value in asked.items() if key != "data_path"})]


def make_job(services: Services, request: Request, kind: type[AJob], **fields: Any) -> AJob:
    """Return a job of `kind` in this workspace, with what the request says by the same names; `fields` go before."""
    same = {name: getattr(request, name) for name in kind.model_fields if name in type(request).model_fields}
    return kind.model_validate(same | {"workspace": str(services.workspace.root)} | fields)


@handles(EstimateCost)
async def estimate_cost(services: Services, client: Client, request: EstimateCost) -> None:
    def job() -> Job:
        return make_job(services, request, Bench, config=training_config(services, request))

    session = services.sessions.get(request.session_id)
    services.runner.start(session, "bench", in_thread(job), (client, request.request_id), request.answered_by)


@handles(StartTraining)
async def start_training(services: Services, client: Client, request: StartTraining) -> Event | None:
    def job() -> Job:
        config = training_config(services, request)
        return make_job(services, request, Train, run_id=services.workspace.new_run_id(), config=config)

    session = services.sessions.get(request.session_id)
    return await begin(services, client, request, session, "train", job)


@handles(TrySample)
async def try_sample(services: Services, client: Client, request: TrySample) -> None:
    async def prepared() -> Job:
        look = make_job(services, request, InspectDataset, path=SAMPLE_FOLDER, changes=SAMPLE_PATIENTS)
        for each in (make_job(services, request, MakeSampleData, path=SAMPLE_FOLDER), look):
            found = await services.light.ask(each)
            if isinstance(found, Error):
                raise error_from_event(found)
        assert isinstance(found, DatasetInspected)
        await asyncio.to_thread(keep_dataset, services.workspace, SAMPLE_NAME, found.inspection)
        return await asyncio.to_thread(job)

    def job() -> Job:
        values = {"data_path": SAMPLE_NAME}
        asked = StartTraining(config=values, preset="quick", session_id=request.session_id)
        run_id = services.workspace.new_run_id()
        return make_job(services, asked, Train, run_id=run_id, config=training_config(services, asked))

    session = services.sessions.get(request.session_id)
    services.runner.start(session, "train", prepared, (client, request.request_id), request.answered_by)


def resume_job(services: Services, name: str, session_id: str, epochs: int | None = None) -> Resume:
    """Return the job that goes on with a run, named by itself or a checkpoint; raise CheckpointNotFound."""
    workspace = services.workspace
    run_id = resumable_run(workspace, name)
    # A run begun from the command line may use folders this server may not read.
    services.data_roots.check_run(read_run_config(workspace, run_id))
    job = Resume(workspace=str(workspace.root), session_id=session_id, run_id=run_id, epochs=epochs)
    for config in recorded_configs(workspace, job):  # and its checkpoints may say otherwise than its journal
        services.data_roots.check_run(config)
    return job


@handles(ResumeTraining)
async def resume_training(services: Services, client: Client, request: ResumeTraining) -> Event | None:
    def job() -> Job:
        return resume_job(services, request.checkpoint, request.session_id, request.epochs)

    session = services.sessions.get(request.session_id)
    return await begin(services, client, request, session, "resume", job)


@handles(StartTuning)
async def start_tuning(services: Services, client: Client, request: StartTuning) -> Event | None:
    def job() -> Job:
        config = training_config(services, request)
        return make_job(services, request, Tune, study_id=services.workspace.new_run_id(), config=config)

    session = services.sessions.get(request.session_id)
    return await begin(services, client, request, session, "tune", job)


@handles(ExportModel, ExportOnnx)
async def export_model(services: Services, client: Client, request: ExportModel | ExportOnnx) -> Event | None:
    session = services.sessions.get(request.session_id)
    format_name = request.format if isinstance(request, ExportModel) else "onnx"
    if format_name not in EXPORT_FORMATS:
        known = Text("expected.one_of", {"options": list(EXPORT_FORMATS)})
        raise RequestInvalid([describe_mismatch("format", known, repr(format_name))])
    name = session.model_or(request.checkpoint)

    wanted = request.others if isinstance(request, ExportModel) else []

    def job() -> Job:
        files = checkpoints.find_checkpoint(services.workspace, name)
        others = [checkpoints.find_checkpoint(services.workspace, other) for other in wanted]
        if others or EXPORT_FORMATS[format_name].allowed_difference is None:
            # Such a model is calibrated, or decides, by the run's own images.
            for each in (files, *others):
                services.data_roots.check_manifest(checkpoints.read_manifest(each))
        names = [each.name for each in others]
        return make_job(services, request, Export, checkpoint=files.name, others=names, format=format_name)

    return await begin(services, client, request, session, "export", job)


@handles(EvaluateModel)
async def evaluate_model(services: Services, client: Client, request: EvaluateModel) -> Event | None:
    session = services.sessions.get(request.session_id)
    name = session.model_or(request.checkpoint)
    sites = request.sites
    if request.class_map and request.data is None:
        came = Text("came.map")
        raise RequestInvalid([describe_mismatch("class_map", Text("expected.nothing_for_own_images"), came)])
    if sites is not None and request.subgroups is not None:
        came = Text("came.table")
        raise RequestInvalid([describe_mismatch("subgroups", Text("expected.nothing_for_several_sites"), came)])

    def job() -> Job:
        places = sites if sites is not None else [request.data] if isinstance(request.data, str) else []
        for place in [*places, *([] if request.subgroups is None else [request.subgroups])]:
            services.data_roots.check(place)
        files = checkpoints.find_checkpoint(services.workspace, name)
        manifest = checkpoints.read_manifest(files)
        # External validation is compared with the run's own images.
        if request.data is None or sites is not None:
            services.data_roots.check_manifest(manifest)
        else:
            services.data_roots.check_patients(manifest.config)
        if sites is not None:
            return make_job(services, request, EvaluateSites, checkpoint=files.name, data=sites)
        return make_job(services, request, Evaluate, checkpoint=files.name)

    return await begin(services, client, request, session, "evaluate", job)


@handles(AdaptModel)
async def adapt_model(services: Services, client: Client, request: AdaptModel) -> Event | None:
    session = services.sessions.get(request.session_id)
    name = session.model_or(request.checkpoint)

    def job() -> Job:
        services.data_roots.check(request.data)
        files = checkpoints.find_checkpoint(services.workspace, name)
        services.data_roots.check_patients(checkpoints.read_manifest(files).config)
        run_id = adapted_run_id(services.workspace)
        return make_job(services, request, jobs.AdaptModel, checkpoint=files.name, run_id=run_id)

    return await begin(services, client, request, session, "adapt", job)


@handles(EvaluatePredictions)
async def evaluate_predictions(services: Services, client: Client, request: EvaluatePredictions) -> Event | None:
    session = services.sessions.get(request.session_id)

    def job() -> Job:
        services.data_roots.check(request.predictions)
        return make_job(services, request, jobs.EvaluatePredictions)

    return await begin(services, client, request, session, "evaluate", job)


@handles(CompareModels)
async def compare_models(services: Services, client: Client, request: CompareModels) -> Event | None:
    session = services.sessions.get(request.session_id)

    def job() -> Job:
        if request.compares_predictions:
            for path in (request.first, request.second):
                services.data_roots.check(path)
            return make_job(services, request, ComparePredictions)
        if request.data is None:
            wanted = Text("expected.images_to_compare")
            raise RequestInvalid([describe_mismatch("data", wanted, Text("came.nothing"))])
        services.data_roots.check(request.data)
        first, second = (
            checkpoints.find_checkpoint(services.workspace, name) for name in (request.first, request.second)
        )
        for files in (first, second):
            services.data_roots.check_patients(checkpoints.read_manifest(files).config)
        return make_job(services, request, Compare, first=first.name, second=second.name)

    return await begin(services, client, request, session, "compare", job)


@handles(CompareReaders)
async def compare_readers(services: Services, client: Client, request: CompareReaders) -> Event | None:
    session = services.sessions.get(request.session_id)

    def job() -> Job:
        for path in (request.table, request.predictions):
            if path is not None:
                services.data_roots.check(path)
        return make_job(services, request, jobs.CompareReaders)

    return await begin(services, client, request, session, "compare_readers", job)


@handles(FindDoubts)
async def find_doubts(services: Services, client: Client, request: FindDoubts) -> Event | None:
    session = services.sessions.get(request.session_id)

    def job() -> Job:
        services.data_roots.check(request.data)
        return make_job(services, request, jobs.FindDoubts, config=training_config(services, request))

    return await begin(services, client, request, session, "find_doubts", job)


@handles(AuditData)
async def audit_data(services: Services, client: Client, request: AuditData) -> None:
    session = services.sessions.get(request.session_id)

    def job() -> Job:
        if request.data is not None:
            services.data_roots.check(request.data)
        config = training_config(services, request)
        return make_job(
            services,
            request,
            Audit,
            config=config if request.data is None else None,
            patient_id=config.evaluation.patient_id,
            frames=config.preprocessing.frames,
            pictures=True,
        )

    services.runner.start(session, "audit", in_thread(job), (client, request.request_id), request.answered_by)


@handles(CreateReport)
async def create_report(services: Services, client: Client, request: CreateReport) -> Event | None:
    session = services.sessions.get(request.session_id)
    run_id = request.run_id or session.model_or(None).partition("/")[0]

    def job() -> Job:
        if run_id == PREDICTIONS:
            return make_job(services, request, Report, run_id=run_id)
        files = checkpoints.find_checkpoint(services.workspace, f"{services.workspace.existing_model(run_id)}/best")
        # The pictures of the worst errors come from the run's own folders.
        services.data_roots.check_manifest(checkpoints.read_manifest(files))
        return make_job(services, request, Report, run_id=run_id)

    return await begin(services, client, request, session, "report", job)


@handles(PredictImages, ExplainImages)
async def predict_or_explain(
    services: Services, client: Client, request: PredictImages | ExplainImages
) -> Event | None:
    session = services.sessions.get(request.session_id)
    name = session.model_or(request.checkpoint)
    kind: type[Predict | Explain] = Predict if isinstance(request, PredictImages) else Explain

    def job() -> Job:
        for path in request.images:
            services.data_roots.check(path)
        checkpoint = checkpoints.find_checkpoint(services.workspace, name).name
        return make_job(services, request, kind, checkpoint=checkpoint)

    return await begin(services, client, request, session, kind.model_fields["kind"].default, job)


@handles(StopTraining)
async def stop_training(services: Services, client: Client, request: StopTraining) -> None:
    services.runner.stop(client, request.request_id)


async def begin(
    services: Services,
    client: Client,
    request: QueueableRequest,
    session: Session,
    kind: str,
    make_job: Callable[[], Job],
) -> Event | None:
    """Have the job run now (SessionBusy while another does) or, when the request says so, wait for its turn."""
    if not (request.queue and services.queue.must_wait):
        asker = (client, request.request_id)
        if services.runner.is_free and kind in _ASKING:  # whoever begins anew, or answers, leaves no question open
            session.asking = None
        services.runner.start(session, kind, in_thread(make_job), asker, request.answered_by)
        return None
    return await services.queue.add(kind, cast(AnyJob, await asyncio.to_thread(make_job)))


def in_thread(make_job: Callable[[], Job]) -> Callable[[], Awaitable[Job]]:
    """Return what makes the job in a thread, since it reads files."""
    return partial(asyncio.to_thread, make_job)
