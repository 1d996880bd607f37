"""What a restarted server knows of the latest run: its journal, folded into the session that pages see."""

import asyncio

from breastai.domain.events import Event
from breastai.server.jobs.session import Session
from breastai.server.services import Services
from breastai.storage.journal import latest_events
from breastai.storage.studies import latest_study, study_of
from breastai.storage.workspace import Workspace

_ENDS = ("training_complete", "training_stopped", "error")
_KINDS = ("training_started", "data_loaded", "model_loaded", "training_update", *_ENDS)


async def restore(services: Services) -> None:
    """Bring the default session up to date with its run, or the workspace's latest, while no job of ours runs.

    A worker whose server was killed saves and writes its end somewhat later: until it is known, each call looks again.
    """
    session = services.sessions.get("default")
    await _restore_study(services, session)
    before = session.run_id
    if session.state != "idle" or (before is not None and session.has_ended):
        return
    found = await asyncio.to_thread(_latest, services.workspace, before)
    if found is not None and session.state == "idle" and session.run_id == before:
        session.restore(*found)


async def _restore_study(services: Services, session: Session) -> None:
    """Show the latest study as it is on disk, while no job of ours runs."""
    if session.state != "idle" or (session.study is not None and session.study.state != "interrupted"):
        return
    found = await asyncio.to_thread(latest_study, services.workspace)
    if found is not None and session.state == "idle":
        session.study = found


def _latest(workspace: Workspace, run_id: str | None) -> tuple[str, int, list[Event]] | None:
    # Their names sort by time. A study's runs are shown with their study.
    runs = (run for run in reversed(workspace.runs()) if study_of(workspace, run) is None)
    for wanted in [run_id] if run_id is not None else runs:
        seq, events = latest_events(workspace.journal_file(wanted), _KINDS)
        started = next((event.seq or 0 for event in events if event.type == "training_started"), None)
        if started is not None:
            # What ended before the run was resumed is not its end.
            known = [event for event in events if event.type not in _ENDS or (event.seq or 0) > started]
            return wanted, seq, known
    return None
