"""The one heavy slot and the worker process in it: claim, start, ask to stop, kill, and say how it ended."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from breastai.domain.errors import BreastAIError, SessionBusy, WorkerFrozen, WorkerSilent
from breastai.domain.event_messages import decode_event
from breastai.domain.events import Event, ends_job
from breastai.domain.jobs import Control, Job
from breastai.server.jobs import worker_exit
from breastai.server.jobs.process_tree import ask_for_trace, kill_group
from breastai.server.jobs.warm_worker import WarmWorker
from breastai.server.jobs.worker_log import WorkerLog
from breastai.server.jobs.worker_process import LINE_LIMIT_BYTES, start_worker
from breastai.server.logs.server_log import LOG

WORKER_COMMAND = (sys.executable, "-m", "breastai.worker")
_LOOK_EVERY_S = 0.5
_STEPS = 60


class Pulse(Enum):
    """A sign of life that says nothing else: an empty line."""

    PULSE = "pulse"


PULSE = Pulse.PULSE


@dataclass(frozen=True)
class Deadlines:
    """How long the supervisor waits for what, in seconds."""

    stop_s: float = 120.0  # a batch and a save, from the request to stop
    exit_s: float = 15.0  # from the last event to the end of the process
    silence_s: float = 3600.0  # between two events
    pulse_s: float = 300.0  # between two signs of life; a worker gives one every 5 s
    trace_s: float = 2.0  # for a worker about to be ended to write down where it stands
    write_s: float = 30.0  # for the worker to take a line


@dataclass(eq=False)
class Slot:
    """A claim on the heavy slot. `asked`: whether the job was told to stop, by a request or since the server ends."""

    job: str
    asked: Literal["no", "stop", "shutdown", "kill"] = "no"
    process: asyncio.subprocess.Process | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Ending:
    """How a job ended: its last event, or else the error that its exit amounts to. None of both: it was killed."""

    last: Event | None
    error: BreastAIError | None


class Supervisor:
    """Runs one job at a time in a worker process started by `command`."""

    def __init__(self, command: Sequence[str] = WORKER_COMMAND, deadlines: Deadlines | None = None) -> None:
        self.command = tuple(command)
        self._deadlines = deadlines or Deadlines()
        self.slot: Slot | None = None
        self.warm = WarmWorker(self.command)

    @property
    def worker_pid(self) -> int | None:
        process = self.slot.process if self.slot else None
        return process.pid if process else None

    def claim(self, job: str) -> Slot:
        """Take the slot, at once; raise SessionBusy when it is taken."""
        if self.slot is not None:
            raise SessionBusy(self.slot.job)
        self.slot = Slot(job)
        return self.slot

    def release(self, slot: Slot) -> None:
        """Free the slot."""
        if self.slot is slot:
            self.slot = None

    def ask_to_stop(self, slot: Slot, shutdown: bool = False) -> None:
        """Ask the job to stop and save; asked again, kill it. `shutdown`: by ending its input, as if the server died."""
        if slot.asked == "no":
            slot.asked = "shutdown" if shutdown else "stop"
        else:
            slot.asked = "kill"
        slot.changed.set()

    async def run(self, slot: Slot, job: Job, log_file: Path, on_event: Callable[[Event], None]) -> Ending:
        """Run `job` and hand on its events, but for the last, which comes back once the process group is gone."""
        log = WorkerLog(log_file)
        oom_kills = await asyncio.to_thread(worker_exit.count_oom_kills)
        worker = await self.warm.take(job, log) or await start_worker(self.command, log)
        process, started = worker.process, worker.started
        slot.process = process
        watchers = [
            asyncio.create_task(self._obey(slot, process, started), name="worker-stopper"),
            asyncio.create_task(_end_orphans(process, started), name="worker-orphans"),
        ]
        last: Event | None = None
        silent: BreastAIError | None = None
        try:
            await self._tell(process, job.model_dump_json())
            last = await self._follow(process, log, on_event)
        except _Frozen:
            silent = WorkerFrozen(self._deadlines.pulse_s, log_file.as_posix())
            await self._have_it_tell(process)
        except TimeoutError:
            silent = WorkerSilent(self._deadlines.silence_s, log_file.as_posix())
            await self._have_it_tell(process)
        finally:
            for watcher in watchers:
                watcher.cancel()
            kill_group(process.pid, started)
            await self._bury(process)
            slot.process = None
            await asyncio.wait(watchers)
        if last is not None or slot.asked == "kill":
            return Ending(last, None)
        if silent is not None:
            return Ending(None, silent)
        oom_kills = await asyncio.to_thread(worker_exit.count_oom_kills) - oom_kills
        tail = await asyncio.to_thread(worker_exit.read_tail, log_file, log.start)
        status = process.returncode if process.returncode is not None else 0
        return Ending(None, worker_exit.classify_exit(status, oom_kills, tail, log_file.as_posix()))

    async def _follow(
        self, process: asyncio.subprocess.Process, log: WorkerLog, on_event: Callable[[Event], None]
    ) -> Event | None:
        """Hand on events until the worker's output ends; return the last if it was a terminal one.

        A terminal event is kept back until the process is gone, so that whoever sees it finds the slot free.
        """
        terminal: Event | None = None
        while True:
            try:
                if terminal is None:
                    event = await self._next_in_time(process)
                else:
                    async with asyncio.timeout(self._deadlines.exit_s):
                        event = await next_event(process)
            except TimeoutError:
                if terminal is None:
                    raise
                LOG.warning("the worker did not end after its last event; killed")
                return terminal
            if event is None:
                return terminal
            if terminal is not None:
                on_event(terminal)
                terminal = None
            if ends_job(event):
                terminal = event
            else:
                on_event(event)
            await log.keep_bounded()

    async def _next_in_time(self, process: asyncio.subprocess.Process) -> Event | None:
        """Return the next event, None at the end; raise TimeoutError when none comes in time, _Frozen without a pulse.

        Time in which this process stood still too (a computer asleep, a stopped container) is not held against the
        worker: the wait is made of short ones, and each counts for no more than it was meant to last.
        """
        reading = asyncio.create_task(next_event_or_pulse(process), name="worker-reader")
        silence, pulse = Patience(self._deadlines.silence_s), Patience(self._deadlines.pulse_s)
        try:
            while True:
                step = min(silence.step_s, pulse.step_s)
                done, _ = await asyncio.wait([reading], timeout=step)
                if done and not isinstance(event := reading.result(), Pulse):
                    return event
                if done:
                    pulse = Patience(self._deadlines.pulse_s)
                    reading = asyncio.create_task(next_event_or_pulse(process), name="worker-reader")
                    continue
                silence.spend(step)
                pulse.spend(step)
                if silence.is_over:
                    raise TimeoutError
                if pulse.is_over:
                    raise _Frozen
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait([reading])

    async def _have_it_tell(self, process: asyncio.subprocess.Process) -> None:
        """Have a worker that is to be ended write to its log where it stands, as far as it still can."""
        LOG.warning("the worker gives no sign; ended")
        if ask_for_trace(process.pid):
            await asyncio.sleep(self._deadlines.trace_s)

    async def _tell(self, process: asyncio.subprocess.Process, line: str) -> None:
        """Write a line to the worker; that it is gone shows on its output."""
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(line.encode() + b"\n")
            async with asyncio.timeout(self._deadlines.write_s):
                await process.stdin.drain()

    async def _bury(self, process: asyncio.subprocess.Process) -> None:
        """Wait for a killed process, and empty its pipes so that they close."""
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(self._deadlines.exit_s):
                while await process.stdout.read(2**16):
                    pass
                await process.wait()
        except TimeoutError:
            LOG.error("worker process %d could not be killed", process.pid)

    async def _obey(self, slot: Slot, process: asyncio.subprocess.Process, started: float) -> None:
        """Carry out what `ask_to_stop` was asked: a line or the end of input, then, too late or asked twice, a kill."""
        await slot.changed.wait()
        slot.changed.clear()
        try:
            async with asyncio.timeout(self._deadlines.stop_s):
                if slot.asked == "stop":
                    await self._tell(process, Control(type="stop").model_dump_json())
                elif slot.asked == "shutdown" and process.stdin is not None:
                    process.stdin.close()
                while slot.asked != "kill":
                    await slot.changed.wait()
                    slot.changed.clear()
        except TimeoutError:
            LOG.warning("the worker did not stop within %g s; killed", self._deadlines.stop_s)
            slot.asked = "kill"
        kill_group(process.pid, started)


async def _end_orphans(process: asyncio.subprocess.Process, started: float) -> None:
    """Kill what outlives the worker: it may hold the worker's output open, which then would never end."""
    # Not process.wait(): in some versions of Python that waits for the output to end too.
    while process.returncode is None:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_EVERY_S)
    kill_group(process.pid, started)


class _Frozen(TimeoutError):
    """Not even a pulse came in time."""


class Patience:
    """A wait made of short ones: `waited` counts them as planned, however long the clock says they took."""

    def __init__(self, limit_s: float) -> None:
        self._left_s = limit_s
        self.step_s = limit_s / _STEPS

    def spend(self, step_s: float) -> None:
        self._left_s -= step_s

    @property
    def is_over(self) -> bool:
        return self._left_s <= 1e-9


async def next_event(process: asyncio.subprocess.Process) -> Event | None:
    """Return the worker's next event, None at the end of its output; pulses are passed over."""
    while True:
        event = await next_event_or_pulse(process)
        if not isinstance(event, Pulse):
            return event


async def next_event_or_pulse(process: asyncio.subprocess.Process) -> Event | Pulse | None:
    """Return the worker's next event, PULSE for an empty line, None at the end of its output.

    What is not an event is logged and left out.
    """
    assert process.stdout is not None
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:  # longer than the limit; asyncio has thrown it away
            LOG.error("the worker sent a line of more than %d bytes; left out", LINE_LIMIT_BYTES)
            continue
        if not line:
            return None
        if not line.strip():
            return PULSE
        try:
            return decode_event(line)
        except (ValidationError, ValueError):
            LOG.error("the worker sent a line that is no event; left out: %.200r", line)
