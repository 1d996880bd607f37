"""One run trained by several processes, on one machine or several, each started by torchrun.

`torchrun --nproc-per-node 2 -m breastai.commands.distributed` takes the options of `breastai train`, or `--resume RUN`.
The first process tells of the run and writes its journal and checkpoints; the others only compute. The workspace and
the images must be where all can read them.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import torch.distributed as dist

from breastai.data.remote.remote_inputs import copy_inputs
from breastai.domain.errors import BreastAIError, ProcessLost
from breastai.domain.event_messages import error_event
from breastai.domain.events import Event, Log, ModelLoaded
from breastai.domain.jobs import Resume, Train
from breastai.engine.training.training_job import resume, train
from breastai.scale.torch_process_group import TorchProcessGroup
from breastai.storage.private_files import keep_files_private
from breastai.storage.run_recorder import Events, Pace, as_breastai_errors, journal_events
from breastai.storage.workspace import Workspace

_BROKEN = ("gloo", "nccl", "connection closed", "connection reset", "socket", "broken pipe")


def perform(job: Train | Resume, crowd: TorchProcessGroup) -> Iterator[Event]:
    """Do this process' part of a run. Yields the run's events in the first process; in others an error at most.

    Ends with a terminal event in the first process, as `worker.perform` does; the others fall silent when it stops.
    """
    keep_files_private()
    workspace = Workspace.open(job.workspace)
    images = as_breastai_errors(copy_inputs(job, workspace), workspace)
    events = as_breastai_errors(_with_losses(_events(job, workspace, crowd), crowd), workspace)
    try:
        pace = Pace()
        for event in images:  # each has its own copies, or waits for those of another on its machine
            if crowd.is_main and pace.passes(event):
                yield event
        if crowd.is_main:
            yield from journal_events(job, events, workspace, crowd.stop_requested)
        else:
            for _ in events:
                if crowd.stop_requested():
                    return
    except BreastAIError as error:
        # Whoever was lost says why, and the first process that it was: not each of a hundred others again.
        if crowd.is_main or not isinstance(error, ProcessLost):
            yield error_event(error, session_id=job.session_id)
        else:
            crowd.left_alone = True
    finally:
        events.close()


def _events(job: Train | Resume, workspace: Workspace, crowd: TorchProcessGroup) -> Iterator[Event]:
    steps = train(job, workspace, crowd) if isinstance(job, Train) else resume(job, workspace, crowd)
    for event in steps:
        yield event
        if isinstance(event, ModelLoaded):
            yield _together(job, crowd)


def _together(job: Train | Resume, crowd: TorchProcessGroup) -> Log:
    return Log(
        level="info",
        code="training.processes",
        message=f"{crowd.size} processes train this run together, by {crowd.backend}: each learns from its part of "
        "every batch.",
        params={"processes": crowd.size, "backend": crowd.backend},
    )


def _with_losses(events: Iterator[Event], crowd: TorchProcessGroup) -> Events:
    """Yield events; turn what torch raises when another process is gone into ProcessLost."""
    try:
        yield from events
    except RuntimeError as error:
        words = str(error)
        if isinstance(error, dist.DistError) or any(sign in words.lower() for sign in _BROKEN):
            raise ProcessLost(crowd.size, words.splitlines()[0][:300]) from error
        raise


def kept_through_restarts(run_id: str) -> str:
    """Return the run of this torchrun: `run_id`, or, started again by torchrun, the one it had before.

    It is kept in torchrun's own store, which outlives the processes.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return run_id
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(host, port, is_master=False, wait_for_workers=False)  # type: ignore[attr-defined]
    return bytes(store.compare_set("breastai/run", "", run_id)).decode()


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Yield whether this process was told to stop. However often: torchrun passes on what the terminal sends already."""
    asked = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        asked.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
