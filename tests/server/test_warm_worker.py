"""A worker kept ready: it takes the next job that needs a network, logs to that job's file, and ends with its server."""

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from breastai.domain.events import Error
from breastai.domain.jobs import MakeSampleData, Predict
from breastai.server.jobs.supervisor import WORKER_COMMAND, Supervisor
from breastai.server.jobs.warm_worker import WarmWorker
from breastai.server.jobs.worker_log import WorkerLog
from breastai.storage.workspace import Workspace


def ask(workspace: Workspace) -> Predict:
    return Predict(workspace=str(workspace.root), checkpoint="nowhere", images=["a.png"])


def test_the_worker_that_waits_does_the_job_and_logs_where_the_job_does(workspace: Workspace, tmp_path: Path) -> None:
    async def play() -> None:
        supervisor = Supervisor(WORKER_COMMAND)
        await supervisor.warm.prepare(tmp_path / "waiting.log")
        waiting = supervisor.warm.pid
        await supervisor.warm.prepare(tmp_path / "waiting.log")
        assert waiting is not None and supervisor.warm.pid == waiting
        slot = supervisor.claim("predict")
        seen: list[int | None] = []
        follow = asyncio.create_task(_pids(supervisor, seen))
        ending = await supervisor.run(slot, ask(workspace), tmp_path / "own.log", lambda event: None)
        follow.cancel()
        assert isinstance(ending.last, Error) and ending.last.code == "checkpoint.not_found"
        assert set(seen) - {None} == {waiting}
        assert supervisor.warm.pid is None and not psutil.pid_exists(waiting)

    asyncio.run(play())
    assert (tmp_path / "own.log").is_file() and (tmp_path / "waiting.log").is_file()


async def _pids(supervisor: Supervisor, seen: list[int | None]) -> None:
    while True:
        seen.append(supervisor.worker_pid)
        await asyncio.sleep(0.01)


def test_a_job_without_a_network_leaves_it_waiting_and_its_end_leaves_no_process(
    workspace: Workspace, tmp_path: Path
) -> None:
    async def play() -> None:
        warm = WarmWorker((sys.executable, "-c", "import sys; sys.stdin.readline()"))
        await warm.prepare(tmp_path / "waiting.log")
        pid = warm.pid
        assert pid is not None
        samples = MakeSampleData(workspace=str(workspace.root), path="data")
        assert await warm.take(samples, WorkerLog(tmp_path / "own.log")) is None
        assert warm.pid == pid
        await warm.end()
        assert not psutil.pid_exists(pid)

    asyncio.run(play())


def test_one_that_ends_before_its_job_is_not_started_again_and_again(workspace: Workspace, tmp_path: Path) -> None:
    async def play() -> None:
        warm = WarmWorker((sys.executable, "-c", "open('started', 'a').write('x')"))
        await warm.prepare(tmp_path / "waiting.log")
        while warm.waits:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert await warm.take(ask(workspace), WorkerLog(tmp_path / "own.log")) is None
        for _ in range(3):
            await warm.prepare(tmp_path / "waiting.log")
        assert (tmp_path / "started").read_text() == "x"
        await warm.end()

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        asyncio.run(play())
