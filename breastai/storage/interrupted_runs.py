"""Runs that ended before their end, by mishap or by their user's stop: found by the last word of their journals."""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from breastai.domain.errors import BreastAIError, InputError, all_errors
from breastai.domain.event_messages import encode_event
from breastai.domain.events import (
    Error,
    InterruptedRun,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
    TrainingUpdate,
)
from breastai.domain.text import Text
from breastai.storage.checkpoints import checkpoint_files, find_checkpoint
from breastai.storage.journal import last_event, latest_events, mend, read_events
from breastai.storage.lease import Lease
from breastai.storage.private_files import open_private
from breastai.storage.studies import latest_study, study_file, study_of
from breastai.storage.workspace import Workspace, naming_full_disk

MOST_LISTED = 20
MOST_STARTS = 3
# Why a journal's last word came before the run's end.
CAUSES: Mapping[str, Literal["server_gone", "error", "stopped"]] = MappingProxyType(
    {"server_gone": "server_gone", "error": "error", "user": "stopped"}
)


def interrupted_runs(workspace: Workspace) -> list[InterruptedRun]:
    """Return the runs that ended before their end and not by their user's wish, the latest first, at most 20.

    One that goes on now is none of them, nor one of a study, which is gone on with as a whole, nor one whose settings or
    images were refused before its first epoch: it would be again.
    """
    return [run for run in _unfinished(workspace) if run.cause != "stopped" and not _was_refused(run)][:MOST_LISTED]


def resumable_runs(workspace: Workspace) -> list[InterruptedRun]:
    """Return those that were interrupted and those that their user stopped, the latest first, at most 20."""
    return _unfinished(workspace)[:MOST_LISTED]


def latest_interrupted(workspace: Workspace) -> str | None:
    """Return the name of the run or study that was interrupted or stopped last; None without one."""
    ends = [(_moment(run.time), run.run_id) for run in _unfinished(workspace)[:1]]
    study = latest_study(workspace)
    if study is not None and study.state in ("interrupted", "stopped", "failed"):
        with contextlib.suppress(OSError):
            ends.append((study_file(workspace, study.study_id).stat().st_mtime, study.study_id))
    return max(ends)[1] if ends else None


def is_any_unfinished_run_held(workspace: Workspace) -> bool:
    """Return whether a process holds a run without an end: one that goes on, or saves because its server was killed."""
    for run_id in workspace.runs():
        journal = workspace.journal_file(run_id)
        try:
            facts = journal.stat()
            run = _ending(journal, facts.st_mtime_ns, facts.st_size)
            if run is not None and run.cause != "stopped" and Lease(workspace).holder(run_id):
                return True
        except (BreastAIError, OSError):
            continue
    return False


def may_auto_resume(workspace: Workspace, run: InterruptedRun) -> bool:
    """Return whether a run may be gone on with unasked: no error stopped it, and it is not what brings the machine down.

    A run that was begun or resumed 3 times without completing an epoch is left to its user.
    """
    return run.cause != "error" and starts_without_an_epoch(workspace, run.run_id) < MOST_STARTS


def starts_without_an_epoch(workspace: Workspace, run_id: str) -> int:
    """Return how often a run was begun or resumed since it last completed an epoch."""
    starts = 0
    for event in read_events(workspace.journal_file(run_id)):
        if isinstance(event, TrainingUpdate):
            starts = 0
        elif isinstance(event, TrainingStarted):
            starts += 1
    return starts


def interrupted_study(workspace: Workspace) -> str | None:
    """Return the latest study, when it was interrupted and no run of it is what brings the machine down."""
    study = latest_study(workspace)
    if study is None or study.state != "interrupted":
        return None
    stuck = any(starts_without_an_epoch(workspace, member.run_id) >= MOST_STARTS for member in study.members)
    return None if stuck else study.study_id


def resumable_run(workspace: Workspace, name: str) -> str:
    """Return the run that a run's or a checkpoint's name means; raise CheckpointNotFound.

    A run that crashed before its first checkpoint has a journal only.
    """
    if name in workspace.runs():
        return name
    return find_checkpoint(workspace, name).name.partition("/")[0]


def describe_stop(
    workspace: Workspace,
    run_id: str,
    reason: Literal["user", "server_gone", "error"],
    epoch: int | None = None,
    error: Error | None = None,
    message: str = "",
) -> TrainingStopped:
    """Return the event that ends a run before its end; it names the checkpoint that a resume goes on from, if any.

    `epoch`: epochs completed since it was begun or resumed; with none, those before count, as the journal has them.
    `error`: what ended the run; without one, `message` is told.
    """
    last = checkpoint_files(workspace, run_id, "last")
    if not epoch:
        with contextlib.suppress(BreastAIError, OSError):
            before = latest_events(workspace.journal_file(run_id), ("training_update",))[1]
            epoch = next((event.epoch for event in before if isinstance(event, TrainingUpdate)), None)
    return TrainingStopped(
        reason=reason,
        run_id=run_id,
        epoch=epoch or None,
        checkpoint=last.name if last.manifest.is_file() else None,
        message=message if error is None else error.message,
        text="" if error is None else error.text,
    )


def dismiss(workspace: Workspace, run_id: str) -> None:
    """Write down that the user leaves an interrupted run as it is; raise RunNotFound, or RunLocked while it goes on."""
    journal = workspace.journal_file(workspace.existing_run(run_id))
    with Lease(workspace).take(run_id):
        last = mend(journal)
        event = TrainingStopped(
            reason="user",
            dismissed=True,
            run_id=run_id,
            seq=last + 1,
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        with naming_full_disk(journal), open_private(journal, "ab") as file:
            file.write(encode_event(event).encode() + b"\n")


def _unfinished(workspace: Workspace) -> list[InterruptedRun]:
    """Return every run of its own that was interrupted or stopped and not dismissed, by its last word, latest first."""
    found: list[InterruptedRun] = []
    for run_id in reversed(workspace.runs()):
        journal = workspace.journal_file(run_id)
        try:
            facts = journal.stat()
            run = _ending(journal, facts.st_mtime_ns, facts.st_size)
        except (BreastAIError, OSError):
            continue
        if run is not None and study_of(workspace, run_id) is None and Lease(workspace).holder(run_id) is None:
            found.append(run)
    return sorted(found, key=lambda run: _moment(run.time), reverse=True)


def _was_refused(run: InterruptedRun) -> bool:
    """Return whether what the user gave could not be used, which was found before anything was trained."""
    code = run.reason.code.removeprefix("error.") if isinstance(run.reason, Text) else ""
    return run.epoch == 0 and issubclass(all_errors().get(code, BreastAIError), InputError)


def _moment(time: str | None) -> float:
    """Return a journal's time in seconds since the epoch; 0 where none can be read."""
    try:
        return datetime.fromisoformat(time or "").timestamp()
    except ValueError:
        return 0.0


@lru_cache(maxsize=4096)
def _ending(journal: Path, mtime_ns: int, size_bytes: int) -> InterruptedRun | None:
    """Return what a journal says of an interruption. Kept for as long as the file is the same: every page asks."""
    last = last_event(journal)
    if isinstance(last, TrainingComplete) or (isinstance(last, TrainingStopped) and last.dismissed):
        return None
    started: TrainingStarted | None = None
    epoch = 0
    for event in latest_events(journal, ("training_started", "training_update"))[1]:
        if isinstance(event, TrainingStarted):
            started = event
        elif isinstance(event, TrainingUpdate):
            epoch = event.epoch
    if started is None or last is None:
        return None
    stopped = last if isinstance(last, TrainingStopped) else None
    return InterruptedRun(
        run_id=journal.parent.name,
        cause="crash" if stopped is None else CAUSES[stopped.reason],
        reason=(stopped.text or stopped.message) if stopped is not None else "",
        epoch=epoch,
        epochs=started.epochs,
        time=last.time,
        architecture=started.architecture,
    )
