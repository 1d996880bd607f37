"""The handlers of requests about studies: cross-validation begun, any study gone on with or shown."""

import asyncio

from breastai.domain import jobs
from breastai.domain.config import parse_config
from breastai.domain.events import Event, StudyShown
from breastai.domain.jobs import Crossval, Job
from breastai.domain.requests import GetStudy, ResumeStudy, StartCrossval
from breastai.server.handlers import handles
from breastai.server.hub import Client
from breastai.server.job_handlers import begin, training_config
from breastai.server.services import Services
from breastai.storage.studies import latest_study, read_study, studies

_MOST_LISTED = 100


@handles(StartCrossval)
async def start_crossval(services: Services, client: Client, request: StartCrossval) -> Event | None:
    def job() -> Job:
        return Crossval(
            workspace=str(services.workspace.root),
            session_id=request.session_id,
            study_id=services.workspace.new_run_id(),
            config=training_config(services, request),
        )

    session = services.sessions.get(request.session_id)
    return await begin(services, client, request, session, "crossval", job)


def resume_study_job(services: Services, study_id: str, session_id: str) -> jobs.ResumeStudy:
    """Return the job that goes on with a study; raise StudyNotFound, StudyDamaged or DataOutsideRoots."""
    # A study begun from the command line may use folders this server may not read.
    services.data_roots.check_config(parse_config(read_study(services.workspace, study_id).config))
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
