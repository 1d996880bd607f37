"""A job in a worker process, followed from a script or a notebook, whether or not an event loop runs there."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

from breastai.client import error_from_event
from breastai.commands.run_job import check_job
from breastai.commands.stop_signals import stop_on_signals
from breastai.domain.events import Error, Event
from breastai.domain.jobs import AnyJob
from breastai.server.jobs.supervisor import Ending, Supervisor
from breastai.storage.workspace import Workspace

Listener = Callable[[Event], None]
_LOOK_EVERY_S = 0.2


def follow_job(job: AnyJob, on_event: Listener) -> Event:
    """Run a job to its end, telling `on_event` of each event in the caller's thread; return the last one.

    Raises the error the job ends with. Ctrl+C, or a notebook's stop button, asks it to stop and save, and its last event
    says so; a second time ends it at once and raises KeyboardInterrupt.
    """
    check_job(job)
    failure: Error | None = None
    worker = _Worker(job)
    try:
        with stop_on_signals() as stop_requested:
            for event in worker.events(stop_requested):
                failure = event if isinstance(event, Error) else failure
                on_event(event)
    except BaseException:
        worker.kill()
        raise
    last = _last_event(worker.ending.result())
    failure = last if isinstance(last, Error) else failure
    if failure is not None:
        raise error_from_event(failure)
    on_event(last)
    return last


def _last_event(ending: Ending) -> Event:
    if ending.error is not None:
        raise ending.error
    if ending.last is None:
        raise KeyboardInterrupt
    return ending.last


class _Worker:
    """A worker process, and the thread whose loop looks after it; a loop of the caller's own is not touched."""

    def __init__(self, job: AnyJob) -> None:
        self.ending: Future[Ending] = Future()
        self._arrivals: queue.Queue[Event | None] = queue.Queue()
        self._supervisor = Supervisor()
        self._slot = self._supervisor.claim(job.kind)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(job,), name="breastai-job", daemon=True)
        self._thread.start()

    def events(self, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        """Yield the job's events but for the last, as they come; ask the job to stop once that is wished."""
        while True:
            if stop_requested() and self._slot.asked == "no":
                self._ask_to_stop()
            try:
                event = self._arrivals.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                continue
            if event is None:
                return
            yield event

    def kill(self) -> None:
        """End the process at once, and wait until it is gone."""
        for _ in ("stop", "kill"):
            if self._thread.is_alive():
                self._ask_to_stop()
        self._thread.join()

    def _ask_to_stop(self) -> None:
        self._loop.call_soon_threadsafe(self._supervisor.ask_to_stop, self._slot)

    def _run(self, job: AnyJob) -> None:
        # Not in the run's folder: a run that does not begin leaves none.
        log = Workspace(Path(job.workspace)).logs_dir / "worker.log"
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                self.ending.set_result(runner.run(self._supervisor.run(self._slot, job, log, self._arrivals.put)))
        except BaseException as fault:
            self.ending.set_exception(fault)
        finally:
            self._arrivals.put(None)
