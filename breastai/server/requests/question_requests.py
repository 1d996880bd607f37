"""The handlers of requests about what a job asks before it begins: it waits in the session for whoever answers."""

import asyncio
import contextlib
from typing import Any

from breastai.domain.config import overlay
from breastai.domain.errors import BreastAIError, NothingAsked
from breastai.domain.events import Event, LeakQuestion
from breastai.domain.requests import AnswerLeaks, Request, ShowQuestion, StartCrossval, StartTraining, StartTuning
from breastai.server.connections.broadcast import Client
from breastai.server.jobs.job_runner import status
from breastai.server.requests.request_registry import HANDLERS, handles
from breastai.server.services import Services
from breastai.storage.runs import delete_run

# The request that begins each kind of job that asks; repeated runs begin from the command line, which asks there.
_REQUESTS: dict[str, type[StartTraining] | type[StartCrossval] | type[StartTuning]] = {
    "train": StartTraining,
    "crossval": StartCrossval,
    "tune": StartTuning,
}


@handles(ShowQuestion)
async def show_question(services: Services, client: Client, request: ShowQuestion) -> Event:
    session = services.sessions.get(request.session_id)
    return session.asking or status(session, services.hub)


@handles(AnswerLeaks)
async def answer_leaks(services: Services, client: Client, request: AnswerLeaks) -> Event | None:
    session = services.sessions.get(request.session_id)
    question = None if session.asking is None else session.asking.question
    if question is None:
        raise NothingAsked()
    if request.choice is None:
        session.asking = None
        services.hub.broadcast(status(session, services.hub), [(client, request.request_id)])
        return None
    begins = _begins(question, request)
    answer = await HANDLERS[type(begins)](services, client, begins)
    if question.run_id is not None:  # the run that begins takes its place
        await asyncio.to_thread(_forget, services, question.run_id)
    return answer


def _forget(services: Services, run_id: str) -> None:
    with contextlib.suppress(BreastAIError, OSError):
        delete_run(services.workspace, run_id)
    services.runs.forget(run_id)


def _begins(question: LeakQuestion, request: AnswerLeaks) -> Request:
    """Return the request that begins the job that asked, with its answer; raise NothingAsked of a job of no request."""
    kind = _REQUESTS.get(question.job)
    if kind is None:
        raise NothingAsked()
    answer: dict[str, Any] = {"data": {"on_leak": request.choice}}
    config = overlay(question.config, answer)
    return kind(config=config, session_id=request.session_id, request_id=request.request_id)
