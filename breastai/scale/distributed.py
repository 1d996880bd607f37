"""One run trained by several processes, on one machine or several, each started by torchrun.

`torchrun --nproc-per-node 2 -m breastai.scale.distributed` takes the options of `breastai train`, or `--resume RUN`.
The first process tells of the run and writes its journal and checkpoints; the others only compute. The workspace and
the images must be where all can read them.
"""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import torch.distributed as dist

from breastai.data.remote_places import brought_here
from breastai.domain.errors import BreastAIError, ProcessLost
from breastai.domain.events import Event, Log, ModelLoaded
from breastai.domain.jobs import Resume, Train
from breastai.domain.messages import error_event
from breastai.engine.beginning import resume, train
from breastai.scale.crowd import Crowd
from breastai.storage.private_files import keep_files_private
from breastai.storage.recording import Events, Pace, recorded, translated
from breastai.storage.workspace import Workspace

_BROKEN = ("gloo", "nccl", "connection closed", "connection reset", "socket", "broken pipe")


def perform(job: Train | Resume, crowd: Crowd) -> Iterator[Event]:
    """Do this process' part of a run. Yields the run's events in the first process; in others an error at most.

    Ends with a terminal event in the first process, as `worker.perform` does; the others fall silent when it stops.
    """
    keep_files_private()
    workspace = Workspace.open(job.workspace)
    images = translated(brought_here(job, workspace), workspace)
    events = translated(_with_losses(_events(job, workspace, crowd), crowd), workspace)
    try:
        pace = Pace()
        for event in images:  # each has its own copies, or waits for those of another on its machine
            if crowd.first and pace.passes(event):
                yield event
        if crowd.first:
            yield from recorded(job, events, workspace, crowd.stop_requested)
        else:
            for _ in events:
                if crowd.stop_requested():
                    return
    except BreastAIError as error:
        # Whoever was lost says why, and the first process that it was: not each of a hundred others again.
        if crowd.first or not isinstance(error, ProcessLost):
            yield error_event(error, session_id=job.session_id)
        else:
            crowd.left_alone = True
    finally:
        events.close()


def _events(job: Train | Resume, workspace: Workspace, crowd: Crowd) -> Iterator[Event]:
    steps = train(job, workspace, crowd) if isinstance(job, Train) else resume(job, workspace, crowd)
    for event in steps:
        yield event
        if isinstance(event, ModelLoaded):
            yield _together(job, crowd)


def _together(job: Train | Resume, crowd: Crowd) -> Log:
    return Log(
        level="info",
        code="training.processes",
        message=f"{crowd.size} processes train this run together, by {crowd.backend}: each learns from its part of "
        "every batch.",
        params={"processes": crowd.size, "backend": crowd.backend},
    )


def _with_losses(events: Iterator[Event], crowd: Crowd) -> Events:
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
def heeded_signals() -> Iterator[Callable[[], bool]]:
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


if __name__ == "__main__":
    # The options of a command belong to the layer above this one.
    sys.exit(importlib.import_module("breastai.commands.distributed").main())
