"""The light worker: real images looked at by the real worker, while a puppet's run goes on."""

import asyncio
import os
import sys

import psutil
import pytest

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import Config
from breastai.domain.jobs import ListImages
from breastai.server.jobs.preview_worker import MOST_WAITING, PreviewWorker

WORKER = (sys.executable, "-m", "breastai.worker")
# Answers every line at once, and needs no time to begin.
ANSWER = '{"type":"images_list","split":"train","class_name":null,"class_names":[],"first":0,"total":0,"images":[]}'
QUICK = (sys.executable, "-c", f"import sys\nfor line in sys.stdin: print({ANSWER!r}, flush=True)")


@pytest.fixture
def job(workspace):
    write_sample_data(workspace.root / "data", per_class=4, seed=1)
    return ListImages(workspace=str(workspace.root), config=Config(), split="train", limit=2)


def lived(workspace, story, command=WORKER, **times):
    async def live():
        lane = PreviewWorker(command, workspace.logs_dir / "light.log", **times)
        async with asyncio.timeout(60):
            try:
                await story(lane)
            finally:
                await lane.close()
                assert lane.worker_pid is None

    asyncio.run(live())


def test_one_worker_answers_many_questions_in_order_nicely_and_without_torch(workspace, job):
    async def story(lane):
        answers = await asyncio.gather(*(lane.ask(job.model_copy(update={"first": first})) for first in range(4)))
        assert [answer.first for answer in answers] == [0, 1, 2, 3]
        wrong = await lane.ask(job.model_copy(update={"config": Config.model_validate({"data": {"train_dir": "x"}})}))
        assert wrong.code == "data.not_found"
        process = psutil.Process(lane.worker_pid)
        pid = process.pid
        if hasattr(os, "nice"):
            assert process.nice() > psutil.Process().nice()
        assert not any("torch" in mapped.path for mapped in process.memory_maps())
        assert (await lane.ask(job)).type == "images_list"
        assert lane.worker_pid == pid

    lived(workspace, story)


def test_an_idle_worker_ends_and_the_next_question_starts_another(workspace, job):
    async def story(lane):
        await lane.ask(job)
        pid = lane.worker_pid
        while psutil.pid_exists(pid):  # noqa: ASYNC110 - nothing tells of its end
            await asyncio.sleep(0.01)
        assert lane.worker_pid is None
        assert (await lane.ask(job)).type == "images_list"

    lived(workspace, story, command=QUICK, idle_s=0.01)


def test_a_worker_that_dies_is_told_of_and_replaced(workspace, job):
    async def story(lane):
        assert (await lane.ask(job)).code == "worker.crashed"
        assert (await lane.ask(job)).code == "worker.crashed"

    lived(workspace, story, command=(sys.executable, "-c", "import sys; sys.exit(3)"))


def test_a_worker_that_says_nothing_is_killed(workspace, job):
    async def story(lane):
        assert (await lane.ask(job)).code == "worker.silent"
        assert lane.worker_pid is None

    lived(workspace, story, command=(sys.executable, "-c", "import signal; signal.pause()"), answer_s=0.2)


def test_only_so_many_questions_wait(workspace, job):
    async def story(lane):
        asked = [asyncio.ensure_future(lane.ask(job)) for _ in range(MOST_WAITING + 1)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert [task.exception().code for task in done] == ["request.too_many"]
        answers = await asyncio.gather(*asked[:-1])
        assert {answer.type for answer in answers} == {"images_list"}

    lived(workspace, story, command=QUICK)


@pytest.mark.parametrize("path", ["/etc", "../elsewhere"])
def test_images_outside_the_data_roots_are_not_looked_at(play, path):
    async def story(stage):
        script = await stage.connect()
        for kind in ("describe_data", "list_images", "preview_image"):
            assert (await script.ask(kind, config={"data_path": path}))["code"] == "data.outside_roots"
        assert stage.services.light.worker_pid is None

    play(story)
