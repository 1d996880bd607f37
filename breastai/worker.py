"""The child process: claim stdout, read one Job, run it, write its events.

`perform` is the same work in the caller's own process; the command line uses it.
"""

import contextlib
import faulthandler
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from breastai.domain.config import Config
from breastai.domain.errors import BreastAIError
from breastai.domain.event_messages import encode_event, error_event
from breastai.domain.events import Event, JobStopped, TrainingStopped
from breastai.domain.jobs import (
    AdaptModel,
    AnyJob,
    AskCheckpoints,
    AskExports,
    Audit,
    Bench,
    Compare,
    ComparePredictions,
    CompareReaders,
    Control,
    CorrectDataset,
    CreateBackup,
    Crossval,
    DescribeImages,
    Evaluate,
    EvaluatePredictions,
    EvaluateSites,
    Explain,
    Export,
    FindDoubts,
    InspectDataset,
    Job,
    LightJob,
    ListImages,
    ListJudged,
    MakeSampleData,
    PlanStudy,
    Predict,
    PreFlight,
    PreviewImage,
    Report,
    RestoreBackup,
    Resume,
    ResumeStudy,
    RunJob,
    ShowErrors,
    ShowEvaluation,
    ShowJudged,
    StudyJob,
    Train,
    TrainSeeds,
    Tune,
    VerifyBackup,
    VerifyExport,
    job_adapter,
)
from breastai.storage.control_groups import limit_library_threads
from breastai.storage.link_roots import follow_links_of
from breastai.storage.private_files import keep_files_private, open_private
from breastai.storage.run_config import find_job_config
from breastai.storage.run_recorder import Events, Pace, Stop, StopReason, as_breastai_errors, journal_events
from breastai.storage.system_faults import as_system_fault
from breastai.storage.workspace import Workspace

BEAT_EVERY_S = 5.0

# Torch's threads meet after every operation, and wait by spinning 300,000 times before they sleep. On a machine that
# does anything else (a browser, say) that can take the core from the very thread they wait for; sleeping at once costs
# a third of the speed on a quiet one. 3,000 turns cost nothing there. Figures: docs/performance.md. Read when torch is
# loaded, hence set here.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
limit_library_threads()


# Each job's function, by module: imported when its job runs, so that a worker loads no more than it needs.
JOBS: dict[type[Job], str] = {
    Train: "breastai.engine.training.training_job:train",
    Resume: "breastai.engine.training.training_job:resume",
    Tune: "breastai.scale.hyperparameter_search:tune",
    Crossval: "breastai.scale.cross_validation:crossval",
    TrainSeeds: "breastai.scale.seed_study:train_seeds",
    ResumeStudy: "breastai.scale.resume_study:resume_study",
    Evaluate: "breastai.engine.inference.evaluation_job:evaluate",
    EvaluateSites: "breastai.engine.inference.sites_job:evaluate_sites",
    AdaptModel: "breastai.engine.inference.site_adaptation:adapt_model",
    EvaluatePredictions: "breastai.clinical.evaluate_predictions:evaluate_predictions",
    Compare: "breastai.engine.inference.evaluation_job:compare_checkpoints",
    ComparePredictions: "breastai.clinical.evaluate_predictions:compare_predictions",
    CompareReaders: "breastai.clinical.readers.readers_job:compare_readers",
    Audit: "breastai.clinical.audit_job:audit",
    Report: "breastai.clinical.report.report_job:report",
    Bench: "breastai.engine.training.benchmark:bench",
    Export: "breastai.scale.averaged_runs:export",
    Predict: "breastai.engine.inference.evaluation_job:predict",
    DescribeImages: "breastai.data.preview_jobs:describe_images",
    InspectDataset: "breastai.data.preview_jobs:inspect_dataset",
    ListImages: "breastai.data.preview_jobs:list_images",
    PreFlight: "breastai.data.cases.pre_flight:pre_flight",
    PreviewImage: "breastai.data.preview_jobs:preview_image",
    Explain: "breastai.engine.inference.heat_maps:explain",
    MakeSampleData: "breastai.data.phantoms.sample_job:make_sample_data",
    CorrectDataset: "breastai.data.cases.label_corrections:correct_dataset",
    VerifyExport: "breastai.predictor.export_verification:verify_export",
    AskExports: "breastai.predictor.uploaded_images:ask_exports",
    AskCheckpoints: "breastai.engine.inference.checkpoint_answers:ask_checkpoints",
    FindDoubts: "breastai.engine.inference.label_probe:find_doubts",
    PlanStudy: "breastai.clinical.sample_size:plan_study",
    ShowErrors: "breastai.clinical.worst_errors:show_errors",
    ListJudged: "breastai.clinical.judged_images:list_judged",
    ShowJudged: "breastai.clinical.judged_images:show_judged",
    ShowEvaluation: "breastai.clinical.kept_evaluation:show_evaluation",
    CreateBackup: "breastai.storage.backup_jobs:create_backup",
    VerifyBackup: "breastai.storage.backup_jobs:verify_backup",
    RestoreBackup: "breastai.storage.backup_jobs:restore_backup",
}


LIGHT = "--light"
WARM = "--warm"
_LIGHT_NICENESS = 10


def job_function(kind: type[Job]) -> Callable[..., Iterator[Event]]:
    """Return the function that does jobs of `kind`: job, workspace -> events; of a study also who asks it to stop."""
    module, _, name = JOBS[kind].partition(":")
    function: Callable[..., Iterator[Event]] = getattr(importlib.import_module(module), name)
    return function


def perform(job: AnyJob, stop_requested: Stop = lambda: False) -> Iterator[Event]:
    """Run a job; yield its events, stamped and written to the run's journal, ending with a terminal one.

    Never raises a BreastAIError: it comes as an `error` event, after which a training tells training_stopped.
    `stop_requested` is asked after every batch; it answers with a reason, or True for the user's wish.
    """
    workspace = Workspace.open(job.workspace)
    follow_links_of(workspace)
    events = as_breastai_errors(_events(job, workspace, stop_requested), workspace)
    try:
        if "remote_images" in job.needs and (yield from _images_here(job, workspace, stop_requested)):
            return
        if isinstance(job, RunJob) and (config := _shared_config(job, workspace)) is not None:
            yield from _perform_on_cluster(job, config, workspace, stop_requested)
        elif isinstance(job, RunJob):
            yield from journal_events(job, events, workspace, stop_requested)
        elif isinstance(job, StudyJob):
            yield from _perform_study(job, events)
        else:
            yield from _perform_plain(job, events, stop_requested)
    except BreastAIError as error:
        yield error_event(error, session_id=job.session_id)
    except (OSError, MemoryError) as error:  # before or after the job's own events: a journal that can't be opened
        known = as_system_fault(error, workspace)
        if known is None:
            raise
        yield error_event(known, session_id=job.session_id)
    finally:
        events.close()


def _shared_config(job: Train | Resume, workspace: Workspace) -> Config | None:
    """Return the configuration of a run that several processes of a cluster are to train; None for one trained here."""
    config = find_job_config(workspace, job)
    if config is None:
        return None
    cluster = config.system.cluster
    if isinstance(job, Resume) and job.cluster is not None:
        cluster = None if job.cluster == "none" else job.cluster
    if cluster is None or config.system.processes == 1:
        return None
    return config.model_copy(update={"system": config.system.model_copy(update={"cluster": cluster})})


def _perform_on_cluster(
    job: Train | Resume, config: Config, workspace: Workspace, stop_requested: Stop
) -> Iterator[Event]:
    """Have a cluster train a run; the first of its processes writes the journal."""
    from breastai.scale.ray_train import train_on_cluster

    yield from as_breastai_errors(train_on_cluster(job, config, workspace, stop_requested), workspace)


def _images_here(job: AnyJob, workspace: Workspace, stop_requested: Stop) -> Generator[Event, None, bool]:
    """Have what a job reads from shared storage copied first; return whether it was stopped meanwhile.

    It is no part of a run yet: a storage that can't be read leaves no trace of a run.
    """
    from breastai.data.remote.remote_inputs import copy_inputs

    pace = Pace()
    events = as_breastai_errors(copy_inputs(job, workspace), workspace)
    try:
        for event in events:
            if pace.passes(event):
                yield event.model_copy(update={"session_id": job.session_id})
            if reason := stop_requested():
                yield _stopped_before(job, "user" if reason is True else reason)
                return True
    finally:
        events.close()
    return False


def _stopped_before(job: AnyJob, reason: StopReason) -> Event:
    if isinstance(job, RunJob):
        return TrainingStopped(reason=reason, session_id=job.session_id)
    return JobStopped(job=job.kind, session_id=job.session_id)


def _events(job: AnyJob, workspace: Workspace, stop_requested: Stop) -> Iterator[Event]:
    function = job_function(type(job))
    yield from function(job, workspace, stop_requested) if isinstance(job, StudyJob) else function(job, workspace)


def _perform_plain(job: AnyJob, events: Events, stop_requested: Stop) -> Iterator[Event]:
    pace = Pace()
    for event in events:
        if pace.passes(event):
            yield event.model_copy(update={"session_id": job.session_id})
        if not event.ends_a_job and stop_requested():
            yield JobStopped(job=job.kind, session_id=job.session_id)
            return


def _perform_study(job: AnyJob, events: Events) -> Iterator[Event]:
    """Yield the events of a job that asks itself whether it is to stop, since what it is made of must be saved."""
    pace = Pace()
    for event in events:
        if pace.passes(event):
            yield event.model_copy(update={"session_id": job.session_id})


# --- the process -------------------------------------------------------------------------------


def main(arguments: Sequence[str] = ()) -> int:
    """Read a job from the first line of stdin, then control lines; write events to stdout. `--light`: many jobs.

    `--warm`: the libraries of training are loaded first; the file to log to comes before the job.
    """
    keep_files_private()
    output = claim_stdout()
    tell_of_faults()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the server's terminal is the server's to answer
    if LIGHT in arguments:
        return _serve_light(output)
    if WARM in arguments and not _wait_warm(sys.stdin):
        return 0
    with Pulse(output) as pulse:
        line = sys.stdin.readline()
        if not line.strip():
            return 0
        stop = Controls(sys.stdin)
        for event in perform(job_adapter().validate_json(line), stop.stop_requested):
            pulse.write(encode_event(event))
    return 0


def _wait_warm(stdin: TextIO) -> bool:
    """Load what a training needs, then wait for a job; return whether one came. From then on stderr is its log."""
    importlib.import_module(JOBS[Train].partition(":")[0])
    importlib.import_module("breastai.engine.training.loop")
    line = stdin.readline()
    if not line.strip():
        return False
    with open_private(Path(json.loads(line)), "ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    return True


def _serve_light(output: TextIO) -> int:
    """Do light jobs, a line each, until the input ends; nicely, since a run may go on beside."""
    if hasattr(os, "nice"):
        os.nice(_LIGHT_NICENESS)
    for line in sys.stdin:
        job = job_adapter().validate_json(line)
        if not isinstance(job, LightJob):
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

    def stop_requested(self) -> "StopReason | bool":
        return self._reason or False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
