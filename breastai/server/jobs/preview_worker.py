"""The light worker: looks at images, or at backups, while a run goes on. Started when asked for, ended when idle."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from breastai.domain.errors import BreastAIError, TooManyRequests, WorkerSilent
from breastai.domain.event_messages import error_event
from breastai.domain.events import Event, ends_job
from breastai.domain.jobs import BackupJob, Job
from breastai.server.jobs import worker_exit
from breastai.server.jobs.process_tree import kill_group
from breastai.server.jobs.supervisor import next_event
from breastai.server.jobs.worker_log import WorkerLog
from breastai.server.jobs.worker_process import start_worker
from breastai.server.logs.server_log import LOG

LIGHT = "--light"
MOST_WAITING = 32
_IDLE_S = 60.0
_ANSWER_WITHIN_S = 60.0
_END_WITHIN_S = 10.0


@dataclass(frozen=True)
class _Worker:
    process: asyncio.subprocess.Process
    started: float
    log: WorkerLog


def _passed_over(event: Event) -> None:
    pass


class PreviewWorker:
    """Jobs are done one after the other, in the order they come: a server has one for images, one for backups."""

    def __init__(
        self, command: Sequence[str], log_file: Path, idle_s: float = _IDLE_S, answer_s: float = _ANSWER_WITHIN_S
    ) -> None:
        self._command, self._log_file = (*command, LIGHT), log_file
        self._idle_s, self._answer_s = idle_s, answer_s
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._worker: _Worker | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def worker_pid(self) -> int | None:
        return self._worker.process.pid if self._worker else None

    async def ask(self, job: Job, told: Callable[[Event], None] = _passed_over) -> Event:
        """Return the last event of a job, its answer or an error; `told` gets those before. Raise TooManyRequests."""
        if self._waiting >= MOST_WAITING or self._closed:
            raise TooManyRequests(MOST_WAITING)
        self._waiting += 1
        try:
            async with self._turn:
                if self._closed:  # meanwhile
                    raise TooManyRequests(MOST_WAITING)
                if self._idle is not None:
                    self._idle.cancel()
                answer = await self._answer(job, told)
                self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._end_idle)
                return answer
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the worker; a job that takes longer than some seconds yet is ended with it."""
        self._closed = True
        if self._idle is not None:
            self._idle.cancel()
        try:
            await asyncio.wait_for(self._turn.acquire(), _END_WITHIN_S)
        except TimeoutError:
            if self._worker is not None:
                kill_group(self._worker.process.pid, self._worker.started)
            await self._turn.acquire()
        try:
            await self._end()
        finally:
            self._turn.release()
        if self._ending:
            await asyncio.wait(self._ending)

    async def _answer(self, job: Job, told: Callable[[Event], None]) -> Event:
        worker = self._worker or await self._start()
        answered = False
        try:
            async with asyncio.timeout(self._answer_s):
                assert worker.process.stdin is not None
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    worker.process.stdin.write(job.model_dump_json().encode() + b"\n")
                    await worker.process.stdin.drain()
                while (event := await next_event(worker.process)) is not None:
                    if ends_job(event) or (isinstance(job, BackupJob) and event.type == job.answer):
                        answered = True
                        return event
                    told(event)
        except TimeoutError:
            return error_event(WorkerSilent(self._answer_s, self._log_file.as_posix()), session_id=job.session_id)
        finally:
            if not answered:  # also when this task is cancelled: the next answer would be that of this job
                await self._end(kill=True)
        return error_event(await self._reason(worker), session_id=job.session_id)

    async def _start(self) -> _Worker:
        log = WorkerLog(self._log_file)
        worker = await start_worker(self._command, log)
        self._worker = _Worker(worker.process, worker.started, log)
        return self._worker

    async def _reason(self, worker: _Worker) -> BreastAIError:
        """Return why the worker ended without an answer."""
        tail = await asyncio.to_thread(worker_exit.read_tail, self._log_file, worker.log.start)
        status = worker.process.returncode or 0
        return worker_exit.classify_exit(status, 0, tail, self._log_file.as_posix())

    def _end_idle(self) -> None:
        """The worker had nothing to do for a while. Should a job have just come, it gets a worker of its own."""
        worker, self._worker = self._worker, None
        if worker is not None:
            task = asyncio.create_task(_bury(worker), name="light-worker-end")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _end(self, kill: bool = False) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            if kill:
                kill_group(worker.process.pid, worker.started)
            await _bury(worker)


async def _bury(worker: _Worker) -> None:
    """Close a worker's input and wait for its end; one that does not end is killed, with all it started."""
    process = worker.process
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(_END_WITHIN_S):
            while await process.stdout.read(2**16):
                pass
            await process.wait()
    except TimeoutError:
        LOG.warning("the light worker did not end; killed")
    finally:
        kill_group(process.pid, worker.started)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_WITHIN_S):
            await process.wait()
