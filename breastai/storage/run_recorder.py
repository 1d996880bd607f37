"""A run written down as it happens: each event stamped and told, the stop, the faults, and the run's last word."""

import contextlib
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from typing import Literal

from breastai.domain.errors import BreastAIError, InternalError, MissingExtra
from breastai.domain.event_messages import error_event
from breastai.domain.events import (
    AuditDone,
    Event,
    Log,
    ProgressUpdate,
    TrainingComplete,
    TrainingStopped,
    TrainingUpdate,
)
from breastai.domain.jobs import Resume, Train
from breastai.domain.text import Text
from breastai.storage.atomic_checkpoint import waiting_for_room
from breastai.storage.backup_archive import backup_event, create_backup
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.experiment_trackers import Trackers
from breastai.storage.interrupted_runs import describe_stop
from breastai.storage.journal import Journal
from breastai.storage.lease import Lease
from breastai.storage.private_files import open_private
from breastai.storage.system_faults import as_system_fault
from breastai.storage.workspace import Workspace

_PROGRESS_EVERY_S = 0.5
DISK_RETRY_S = 2.0

StopReason = Literal["user", "server_gone"]
Stop = Callable[[], StopReason | bool]
Events = Generator[Event, None, None]


def journal_events(
    job: Train | Resume, events: Events, workspace: Workspace, stop_requested: Stop, back_up: bool = True
) -> Iterator[Event]:
    """Yield the events of a run, stamped and written to its journal, ending with its last word.

    Raises what `events` raises before the run leaves a trace on disk; later a BreastAIError is told, and the stop
    after it. Closed from outside, the run is saved and its journal says that it was stopped. `back_up`: whether the
    configuration may have a complete run backed up.
    """
    with contextlib.ExitStack() as held:
        if isinstance(job, Resume):
            workspace.existing_run(job.run_id)
            held.enter_context(Lease(workspace).take(job.run_id))  # before looking at what another process may write
        journal = Journal(workspace.journal_file(job.run_id), job.run_id, job.session_id, opened=False)
        held.callback(journal.close)
        pace = Pace()
        first = next(events)  # raises what is wrong with the request before the run leaves a trace on disk
        if isinstance(job, Resume):
            journal.open()
        while isinstance(first, ProgressUpdate | AuditDone):  # it looks at its images, and may ask before it begins
            if isinstance(first, AuditDone):  # what it asks is no part of a run
                yield first.model_copy(update={"session_id": job.session_id})
            elif pace.passes(first):
                yield journal.stamp(first)
            if reason := stop_requested():
                events.close()
                yield journal.stamp(describe_stop(workspace, job.run_id, "user" if reason is True else reason))
                return
            first = next(events)
        trackers = Trackers.of(first, workspace, job.run_id)
        if isinstance(job, Train):
            held.enter_context(Lease(workspace).take(job.run_id))
        journal.open()
        epochs = 0
        try:
            yield from _told(first, journal, trackers, stop_requested)
            for event in events:
                if isinstance(event, TrainingUpdate):
                    epochs = event.epoch
                if isinstance(event, TrainingComplete):
                    yield from _completed(job, event, journal, trackers, workspace, stop_requested, back_up)
                elif pace.passes(event):
                    yield from _told(event, journal, trackers, stop_requested)
                if not isinstance(event, TrainingComplete) and (reason := stop_requested()):
                    events.close()  # saves the place
                    stopped = describe_stop(workspace, job.run_id, "user" if reason is True else reason, epochs)
                    yield from _last_word(stopped, journal, trackers)
                    return
        except BreastAIError as error:
            told = error_event(error)
            yield journal.stamp(told)
            stopped = describe_stop(workspace, job.run_id, "error", epochs, told)
            yield from _last_word(stopped, journal, trackers)
        finally:
            events.close()
            trackers.close()
            journal.close()


def _told(event: Event, journal: Journal, trackers: Trackers, stop_requested: Stop) -> Iterator[Event]:
    """Write an event down and yield it; while a full disk keeps it from being written, wait, unless told to stop."""
    yield journal.stamp(event)
    yield from map(journal.stamp, trackers.hear(event))
    if not journal.behind:
        return
    yield journal.stamp(waiting_for_room("events.jsonl", "the run's journal"))
    yield from _until_written(journal, stop_requested)


def _last_word(stopped: TrainingStopped, journal: Journal, trackers: Trackers) -> Iterator[Event]:
    yield from map(journal.stamp, trackers.hear(stopped))
    yield journal.stamp(stopped)


def _until_written(journal: Journal, stop_requested: Stop) -> Iterator[Event]:
    while not journal.catch_up():
        yield journal.stamp(ProgressUpdate(stage="waiting", text=Text("progress.waiting_journal")))
        if stop_requested():
            return
        time.sleep(DISK_RETRY_S)


def _completed(
    job: Train | Resume,
    event: TrainingComplete,
    journal: Journal,
    trackers: Trackers,
    workspace: Workspace,
    stop_requested: Stop,
    back_up: bool,
) -> Iterator[Event]:
    """Write down that a run is complete, back it up, and tell of both; the terminal event comes last.

    It is also the last in the journal: a backup, its failure and a tracker's are no events of the run, and have no
    number.
    """
    complete = journal.stamp(event)
    yield from _until_written(journal, stop_requested)
    try:
        storage = read_manifest(checkpoint_files(workspace, job.run_id, "best")).config.storage
        if back_up and storage.backup_after_run and not journal.behind:
            journal.sync()
            yield backup_event(create_backup(workspace, storage.backups_kept, job.run_id), workspace, job.session_id)
    except (BreastAIError, OSError) as error:
        reason = str(error)
        message = f"The run is complete but could not be backed up: {reason}"
        params = {"reason": reason}
        yield Log(level="warning", code="backup.failed", message=message, params=params, session_id=job.session_id)
    yield from (log.model_copy(update={"session_id": job.session_id}) for log in trackers.hear(event))
    yield complete


class Pace:
    """Lets progress through at most twice a second within a stage; all other events always."""

    def __init__(self) -> None:
        self._told_at, self._stage = 0.0, ""

    def passes(self, event: Event) -> bool:
        if not isinstance(event, ProgressUpdate):
            return True
        now = time.monotonic()
        if event.stage == self._stage and now - self._told_at < _PROGRESS_EVERY_S:
            return False
        self._told_at, self._stage = now, event.stage
        return True


# --- faults --------------------------------------------------------------------------------------


def as_breastai_errors(events: Iterator[Event], workspace: Workspace) -> Events:
    """Yield a job's events; turn what the system or a library raises into an error of ours that says what to do."""
    try:
        yield from events
    except BreastAIError:
        raise
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train") from error
    except Exception as error:
        raise as_system_fault(error, workspace) or _internal(error, workspace) from error


def _internal(error: Exception, workspace: Workspace) -> InternalError:
    """Write the whole story of a fault of ours to logs/faults.log; return the error that points there."""
    path = workspace.logs_dir / "faults.log"
    with contextlib.suppress(OSError), open_private(path, "a", encoding="utf-8") as file:
        file.write(f"--- {datetime.now(UTC).isoformat(timespec='seconds')}\n")
        traceback.print_exception(error, file=file)
    return InternalError(f"{type(error).__name__}: {error}"[:500], workspace.relative(path))
