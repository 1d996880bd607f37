"""The handlers of requests about studies: cross-validation begun, any study gone on with or shown."""

import asyncio

from breastai.domain import jobs
from breastai.domain.errors import StudyDamaged, StudyNotFound
from breastai.domain.events import Event, StudiesList, StudyShown
from breastai.domain.jobs import Crossval, Job
from breastai.domain.list_entries import StudyEntry
from breastai.domain.requests import GetStudy, ListStudies, ResumeStudy, StartCrossval
from breastai.domain.stored_config import stored_config
from breastai.domain.study import Study
from breastai.server.connections.broadcast import Client
from breastai.server.requests.job_requests import begin, make_job, training_config
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services
from breastai.storage.studies import latest_study, read_study, studies

_MOST_LISTED = 100


@handles(StartCrossval)
async def start_crossval(services: Services, client: Client, request: StartCrossval) -> Event | None:
    def job() -> Job:
        config = training_config(services, request)
        return make_job(services, request, Crossval, study_id=services.workspace.new_run_id(), config=config)

    session = services.sessions.get(request.session_id)
    return await begin(services, client, request, session, "crossval", job)


def resume_study_job(services: Services, study_id: str, session_id: str) -> jobs.ResumeStudy:
    """Return the job that goes on with a study; raise StudyNotFound, StudyDamaged, FormatTooNew or DataOutsideRoots."""
    study = read_study(services.workspace, study_id).check_format(f"{study_id}/study.json")
    # A study begun from the command line may use folders this server may not read.
    services.data_roots.check_run(stored_config(study.config))
    return jobs.ResumeStudy(workspace=str(services.workspace.root), session_id=session_id, study_id=study_id)


@handles(ResumeStudy)
async def resume_study(services: Services, client: Client, request: ResumeStudy) -> Event | None:
    def job() -> Job:
        return resume_study_job(services, request.study_id, request.session_id)

    session = services.sessions.get(request.session_id)
    return await begin(services, client, request, session, "resume_study", job)


@handles(GetStudy)
async def get_study(services: Services, client: Client, request: GetStudy) -> Event:
    return await asyncio.to_thread(_shown, services, request.study_id)


def _shown(services: Services, study_id: str | None) -> StudyShown:
    workspace = services.workspace
    study = latest_study(workspace) if study_id is None else read_study(workspace, study_id)
    return StudyShown(study=study, studies=studies(workspace)[::-1][:_MOST_LISTED])


@handles(ListStudies)
async def list_studies(services: Services, client: Client, request: ListStudies) -> Event:
    return await asyncio.to_thread(_listed, services, request)


def _listed(services: Services, request: ListStudies) -> StudiesList:
    """Return the studies asked for; one that another process has deleted meanwhile is no longer among them."""
    found, unreadable = [], []
    latest_first = studies(services.workspace)[::-1]
    for study_id in latest_first[request.first : request.first + request.limit]:
        try:
            found.append(_entry(read_study(services.workspace, study_id)))
        except StudyDamaged:
            unreadable.append(study_id)
        except StudyNotFound:
            continue
    return StudiesList(studies=found, unreadable=unreadable, total=len(latest_first), first=request.first)


def _entry(study: Study) -> StudyEntry:
    """Return the line of a study in the list."""
    tuning, result = study.tuning, study.crossval or study.seeds
    spread = None if result is None else result.spread.get("auc_roc")
    return StudyEntry(
        study_id=study.study_id,
        kind=study.kind,
        state=study.state,
        created=study.created,
        done=tuning.done if tuning is not None else sum(member.is_over for member in study.members),
        planned=tuning.trials if tuning is not None else len(study.members),
        auc_roc=tuning.best_auc if tuning is not None else None if spread is None else spread.mean,
        auc_low=None if spread is None else spread.low,
        auc_high=None if spread is None else spread.high,
    )
