"""The child process: claim stdout, read one Job, run it, write its events.

`perform` is the same work in the caller's own process; the command line uses it.
"""

import contextlib
import errno
import faulthandler
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

from pydantic import ValidationError

from breastai.domain.errors import (
    BreastAIError,
    DiskFull,
    InternalError,
    MissingExtra,
    OutOfMemory,
)
from breastai.domain.events import (
    TERMINAL,
    Event,
    JobStopped,
    Log,
    ProgressUpdate,
    TrainingComplete,
    TrainingStopped,
    TrainingUpdate,
)
from breastai.domain.jobs import (
    JOB,
    AnyJob,
    Audit,
    Bench,
    Compare,
    ComparePredictions,
    Control,
    DescribeImages,
    Evaluate,
    EvaluatePredictions,
    Explain,
    Export,
    Job,
    ListImages,
    Predict,
    PreviewImage,
    Report,
    Resume,
    Train,
    VerifyExport,
)
from breastai.domain.messages import encode_event, error_event
from breastai.storage.backup import backup_event, create_backup
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.journal import Journal
from breastai.storage.saving import waiting_for_room
from breastai.storage.workspace import Workspace

_PROGRESS_EVERY_S = 0.5
BEAT_EVERY_S = 5.0
DISK_RETRY_S = 2.0

# Torch's threads meet after every operation, and wait by spinning 300,000 times before they sleep. On a machine that
# does anything else (a browser, say) that can take the core from the very thread they wait for; sleeping at once costs
# a third of the speed on a quiet one. 3,000 turns cost nothing there. Figures: docs/performance.md. Read when torch is
# loaded, hence set here.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

StopReason = Literal["user", "server_gone"]
Stop = Callable[[], StopReason | bool]
Events = Generator[Event, None, None]


# Each job's function, by module: imported when its job runs, so that a worker loads no more than it needs.
JOBS: dict[type[Job], str] = {
    Train: "breastai.engine.training:train",
    Resume: "breastai.engine.training:resume",
    Evaluate: "breastai.engine.judging:evaluate",
    EvaluatePredictions: "breastai.clinical.judging_predictions:evaluate_predictions",
    Compare: "breastai.engine.judging:compare_checkpoints",
    ComparePredictions: "breastai.clinical.judging_predictions:compare_predictions",
    Audit: "breastai.clinical.auditing:audit",
    Report: "breastai.clinical.reporting:report",
    Bench: "breastai.engine.bench:bench",
    Export: "breastai.engine.export:export",
    Predict: "breastai.engine.judging:predict",
    DescribeImages: "breastai.data.looking:describe_images",
    ListImages: "breastai.data.looking:list_images",
    PreviewImage: "breastai.data.looking:preview_image",
    Explain: "breastai.engine.explain:explain",
    VerifyExport: "breastai.predictor.verifying:verify_export",
}


# Those the light worker does: short, without torch, one after the other in one process.
LIGHT_JOBS = (DescribeImages, ListImages, PreviewImage, VerifyExport)
LIGHT = "--light"
_LIGHT_NICENESS = 10


def job_function(kind: type[Job]) -> Callable[[Any, Workspace], Iterator[Event]]:
    """Return the function that does jobs of `kind`: job, workspace -> events. Raises MissingExtra."""
    module, _, name = JOBS[kind].partition(":")
    function: Callable[[Any, Workspace], Iterator[Event]] = getattr(importlib.import_module(module), name)
    return function


def perform(job: AnyJob, stop_requested: Stop = lambda: False) -> Iterator[Event]:
    """Run a job; yield its events, stamped and written to the run's journal, ending with a terminal one.

    Never raises a BreastAIError: it comes as an `error` event, after which a training tells training_stopped.
    `stop_requested` is asked after every batch; it answers with a reason, or True for the user's wish.
    """
    workspace = Workspace.open(job.workspace)
    events = _translated(job, workspace)
    try:
        if isinstance(job, Train | Resume):
            yield from _perform_run(job, events, workspace, stop_requested)
        else:
            yield from _perform_plain(job, events, stop_requested)
    except BreastAIError as error:
        yield error_event(error, session_id=job.session_id)
    finally:
        events.close()


def _perform_plain(job: AnyJob, events: Events, stop_requested: Stop) -> Iterator[Event]:
    pace = Pace()
    for event in events:
        if pace.passes(event):
            yield event.model_copy(update={"session_id": job.session_id})
        if event.type not in TERMINAL and stop_requested():  # type: ignore[attr-defined]
            yield JobStopped(job=job.kind, session_id=job.session_id)
            return


def _perform_run(job: Train | Resume, events: Events, workspace: Workspace, stop_requested: Stop) -> Iterator[Event]:
    with contextlib.ExitStack() as held:
        if isinstance(job, Resume):
            workspace.existing_run(job.run_id)
            held.enter_context(workspace.lock_run(job.run_id))  # before looking at what another process may write
        first = next(events)  # raises what is wrong with the request before the run leaves a trace on disk
        if isinstance(job, Train):
            held.enter_context(workspace.lock_run(job.run_id))
        journal = Journal(workspace.journal_file(job.run_id), job.run_id, job.session_id)
        pace = Pace()
        epochs = 0
        try:
            yield from _told(first, journal, stop_requested)
            for event in events:
                if isinstance(event, TrainingUpdate):
                    epochs = event.epoch
                if isinstance(event, TrainingComplete):
                    yield from _completed(job, event, journal, workspace, stop_requested)
                elif pace.passes(event):
                    yield from _told(event, journal, stop_requested)
                if not isinstance(event, TrainingComplete) and (reason := stop_requested()):
                    events.close()  # saves the place
                    yield journal.stamp(_stopped(job, workspace, "user" if reason is True else reason, epochs))
                    return
        except BreastAIError as error:
            yield journal.stamp(error_event(error))
            yield journal.stamp(_stopped(job, workspace, "error", epochs, str(error)))
        finally:
            events.close()
            journal.close()


def _told(event: Event, journal: Journal, stop_requested: Stop) -> Iterator[Event]:
    """Write an event down and yield it; while a full disk keeps it from being written, wait, unless told to stop."""
    yield journal.stamp(event)
    if not journal.behind:
        return
    yield journal.stamp(waiting_for_room("events.jsonl", "the run's journal"))
    yield from _until_written(journal, stop_requested)


def _until_written(journal: Journal, stop_requested: Stop) -> Iterator[Event]:
    while not journal.catch_up():
        yield journal.stamp(ProgressUpdate(stage="waiting", message="Waiting for room on the disk for the journal"))
        if stop_requested():
            return
        time.sleep(DISK_RETRY_S)


def _completed(
    job: Train | Resume, event: TrainingComplete, journal: Journal, workspace: Workspace, stop_requested: Stop
) -> Iterator[Event]:
    """Write down that a run is complete, back it up, and tell of both; the terminal event comes last.

    It is also the last in the journal: a backup and its failure are no events of the run, and have no number.
    """
    complete = journal.stamp(event)
    yield from _until_written(journal, stop_requested)
    try:
        storage = read_manifest(checkpoint_files(workspace, job.run_id, "best")).config.storage
        if storage.backup_after_run and not journal.behind:
            journal.sync()
            yield backup_event(create_backup(workspace, storage.backups_kept, job.run_id), workspace, job.session_id)
    except (BreastAIError, OSError) as error:
        reason = str(error)
        message = f"The run is complete but could not be backed up: {reason}"
        params = {"reason": reason}
        yield Log(level="warning", code="backup.failed", message=message, params=params, session_id=job.session_id)
    yield complete


def _stopped(job: Train | Resume, workspace: Workspace, reason: str, epochs: int, message: str = "") -> TrainingStopped:
    files = checkpoint_files(workspace, job.run_id, "last")
    kept = files.name if files.manifest.is_file() else None
    return TrainingStopped.model_validate(
        {"reason": reason, "epoch": epochs or None, "checkpoint": kept, "message": message}
    )


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


def _translated(job: AnyJob, workspace: Workspace) -> Events:
    """Run the job's function; turn what the system or a library raises into an error of ours that says what to do."""
    try:
        yield from job_function(type(job))(job, workspace)
    except BreastAIError:
        raise
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train") from error
    except MemoryError as error:
        raise OutOfMemory(str(error) or "Python could not allocate memory") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(workspace.relative(Path(error.filename)) if error.filename else "a file") from error
        raise _internal(error, workspace) from error
    except RuntimeError as error:
        if "allocate memory" in str(error) or "out of memory" in str(error):
            raise OutOfMemory(str(error).splitlines()[0]) from error
        raise _internal(error, workspace) from error
    except Exception as error:
        raise _internal(error, workspace) from error


def _internal(error: Exception, workspace: Workspace) -> InternalError:
    """Write the whole story of a fault of ours to logs/faults.log; return the error that points there."""
    path = workspace.logs_dir / "faults.log"
    with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
        file.write(f"--- {datetime.now(UTC).isoformat(timespec='seconds')}\n")
        traceback.print_exception(error, file=file)
    return InternalError(f"{type(error).__name__}: {error}"[:500], workspace.relative(path))


# --- the process -------------------------------------------------------------------------------


def main(arguments: Sequence[str] = ()) -> int:
    """Read a job from the first line of stdin, then control lines; write events to stdout. `--light`: many jobs."""
    output = claim_stdout()
    tell_of_faults()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the server's terminal is the server's to answer
    if LIGHT in arguments:
        return _serve_light(output)
    with Pulse(output) as pulse:
        line = sys.stdin.readline()
        if not line.strip():
            return 0
        stop = Controls(sys.stdin)
        for event in perform(JOB.validate_json(line), stop.requested):
            pulse.write(encode_event(event))
    return 0


def _serve_light(output: TextIO) -> int:
    """Do light jobs, a line each, until the input ends; nicely, since a run may go on beside."""
    if hasattr(os, "nice"):
        os.nice(_LIGHT_NICENESS)
    for line in sys.stdin:
        job = JOB.validate_json(line)
        if not isinstance(job, LIGHT_JOBS):
            raise TypeError(f"{job.kind} is no job for the light worker")
        for event in perform(job):
            output.write(encode_event(event) + "\n")
            output.flush()
    return 0


def tell_of_faults() -> None:
    """Write where the program stood to stderr, when native code crashes and when the server asks before ending it."""
    faulthandler.enable(all_threads=True)
    if hasattr(faulthandler, "register") and hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, all_threads=True)


class Pulse:
    """Writes lines to the server, and an empty one every few seconds: a sign of life, whatever the job is busy with."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> "Pulse":
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._over.set()
        self._thread.join()

    def write(self, line: str) -> None:
        """Write a line. That the server is gone is no fault: the run is saved, and its journal gets its last line."""
        with self._lock, contextlib.suppress(OSError):
            self._output.write(line + "\n")
            self._output.flush()

    def _beat(self) -> None:
        while not self._over.wait(BEAT_EVERY_S):
            self.write("")


def claim_stdout() -> TextIO:
    """Keep stdout for events alone: whatever else prints goes to stderr, and forked children do not hold it open."""
    private = os.dup(1)
    os.dup2(2, 1)
    os.set_inheritable(private, False)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: os.close(private))
    sys.stdout = sys.stderr
    return os.fdopen(private, "w", encoding="utf-8", newline="\n")


class Controls:
    """Listens to the lines after the job, in a thread of its own. End of file: the server died."""

    def __init__(self, stdin: TextIO) -> None:
        self._reason: StopReason | None = None
        threading.Thread(target=self._listen, args=(stdin,), name="controls", daemon=True).start()

    def _listen(self, stdin: TextIO) -> None:
        for line in stdin:
            with contextlib.suppress(ValidationError):
                if Control.model_validate_json(line).type == "stop":
                    self._reason = "user"
                    return
        self._reason = "server_gone"

    def requested(self) -> "StopReason | bool":
        return self._reason or False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
