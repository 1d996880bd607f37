"""A worker that has loaded the libraries of training before a job comes, so that the job's first word comes at once."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from breastai.domain.job import Job
from breastai.server.jobs.process_tree import kill_group
from breastai.server.jobs.worker_log import WorkerLog
from breastai.server.jobs.worker_process import WorkerProcess, start_worker
from breastai.server.logs.server_log import LOG

WARM = "--warm"
_END_WITHIN_S = 10.0


class WarmWorker:
    """At most one worker that waits for a job of training, judging or asking a network."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = (*command, WARM)
        self._waiting: WorkerProcess | None = None
        self._changing = asyncio.Lock()
        self._failed = False

    @property
    def pid(self) -> int | None:
        return self._waiting.process.pid if self._waiting else None

    async def prepare(self, log_file: Path) -> None:
        """Start one, unless one waits already, or ended before its job came: libraries or memory are missing then."""
        async with self._changing:
            self._failed |= self._waiting is not None and not self.waits
            if self._waiting is None and not self._failed:
                self._waiting = await start_worker(self._command, WorkerLog(log_file))

    async def take(self, job: Job, log: WorkerLog) -> WorkerProcess | None:
        """Return the one that waits, now writing to `log`; None where there is none, or `job` needs no network."""
        async with self._changing:
            if "torch" not in job.needs or not self.waits:
                return None
            worker, self._waiting = self._waiting, None
        assert worker is not None and worker.process.stdin is not None
        (await asyncio.to_thread(log.open)).close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.process.stdin.write(json.dumps(str(log.path.resolve())).encode() + b"\n")
            await worker.process.stdin.drain()
        return worker

    async def end(self) -> None:
        """End the one that waits, if any."""
        async with self._changing:
            worker, self._waiting = self._waiting, None
        if worker is None:
            return
        assert worker.process.stdin is not None and worker.process.stdout is not None
        worker.process.stdin.close()
        try:
            async with asyncio.timeout(_END_WITHIN_S):
                await worker.process.stdout.read()
                await worker.process.wait()
        except TimeoutError:
            LOG.warning("the waiting worker did not end; killed")
        kill_group(worker.process.pid, worker.started)

    @property
    def waits(self) -> bool:
        """Whether one is there to take a job."""
        return self._waiting is not None and self._waiting.process.returncode is None
