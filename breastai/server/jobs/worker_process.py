"""How a worker process is started: its pipes, its log, its place as the head of a group of its own."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from breastai.server.jobs.process_tree import spawn_options
from breastai.server.jobs.worker_log import WorkerLog

LINE_LIMIT_BYTES = 2**20


@dataclass(frozen=True)
class WorkerProcess:
    """A worker. `started`: when, seconds since 1970."""

    process: asyncio.subprocess.Process
    started: float


async def start_worker(command: Sequence[str], log: WorkerLog) -> WorkerProcess:
    """Start a worker that appends what it says on stderr to `log`."""
    started = time.time()
    with await asyncio.to_thread(log.open) as stderr:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            limit=LINE_LIMIT_BYTES,
            **spawn_options(),
        )
    return WorkerProcess(process, started)
