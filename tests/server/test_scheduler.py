"""What begins next in the heavy slot: what was interrupted before what waits, and a user's word before both."""

import contextlib
import json

import pytest

from breastai.domain.config import Config
from breastai.domain.events import TrainingStarted
from breastai.domain.jobs import Train
from breastai.server import background_tasks
from breastai.server.jobs.queue_file import QueuedJob, QueueFile
from breastai.server.jobs.scheduler import Scheduler, Turn
from breastai.storage.journal import Journal
from breastai.storage.lease import Lease

STARTED = TrainingStarted(
    architecture="resnet50", epochs=5, class_names=["benign", "malignant"], config=Config().model_dump(mode="json")
)


A, B = Turn("interrupted", "a"), Turn("queue", "b")


@pytest.mark.parametrize(
    ("is_slot_free", "scheduler", "turn", "waits"),
    [
        (True, Scheduler(), None, False),
        (True, Scheduler(queue=["b", "c"]), B, True),
        (True, Scheduler(queue=["b"], is_held=True), None, True),
        (True, Scheduler(is_held=True), None, True),
        (True, Scheduler(["a"]), A, True),
        (True, Scheduler(["a", "d"], ["b", "c"]), A, True),
        (True, Scheduler(["a"], ["b"], is_held=True), A, True),
        (True, Scheduler(queue=["b"], is_looking=True), None, True),
        (True, Scheduler(["a"], is_looking=True), None, True),
        (True, Scheduler(is_looking=True), None, True),
        (False, Scheduler(), None, True),
        (False, Scheduler(["a"], ["b"]), None, True),
    ],
)
def test_what_was_interrupted_comes_before_what_waits(is_slot_free, scheduler, turn, waits):
    assert scheduler.next_turn(is_slot_free) == turn
    assert scheduler.must_wait(is_slot_free) is waits
    assert scheduler.take_turn(is_slot_free) == turn
    assert turn is None or turn.name not in (*scheduler.interrupted, *scheduler.queue)


def test_a_turn_given_back_is_the_next_again_and_what_is_forgotten_never_comes():
    scheduler = Scheduler(["a", "d"], ["b"])
    turn = scheduler.take_turn(True)
    scheduler.give_back(turn)
    assert scheduler.next_turn(True) == turn
    scheduler.forget(["a", "d"])
    assert scheduler.next_turn(True) == B


@pytest.fixture
def restarted(workspace):
    """A project whose server ended with two runs in its wake and a job in its queue."""
    workspace.config_file.write_text(json.dumps({"storage": {"resume_interrupted": True}}))
    for run_id in ("run-1", "run-2"):
        journal = Journal(workspace.journal_file(run_id), run_id, "default")
        journal.stamp(STARTED)
        journal.close()
    job = Train(workspace=str(workspace.root), session_id="default", run_id="later", config=Config())
    waiting = QueuedJob(entry="e1", kind="train", queued="2026-01-01T00:00:00+00:00", job=job)
    workspace.queue_file.write_text(QueueFile(jobs=[waiting]).model_dump_json())
    return workspace


async def begun(stage):
    """Return the kind and run of the next job, which then completes."""
    puppet = await stage.worker()
    puppet.start_run()
    puppet.complete()
    await puppet.ended()
    return puppet.job["kind"], puppet.job["run_id"]


def test_after_a_restart_interrupted_runs_go_on_before_the_jobs_that_wait(play, restarted):
    async def story(stage):
        assert [await begun(stage) for _ in range(2)] == [("resume", "run-1"), ("resume", "run-2")]
        kind, run_id = await begun(stage)
        assert kind == "train" and run_id not in ("run-1", "run-2")

    play(story)


def test_a_worker_that_still_saves_keeps_the_queue_waiting_too(play, restarted, monkeypatch):
    monkeypatch.setattr(background_tasks, "SAVING_LOOK_S", 0.01)

    async def story(stage):
        script = await stage.connect()
        assert (await script.ask("hold_queue", held=False))["type"] == "queue"  # would start what waits
        assert stage.workers_begun == 0
        held.close()
        assert [await begun(stage) for _ in range(2)] == [("resume", "run-1"), ("resume", "run-2")]
        assert (await begun(stage))[0] == "train"  # what waited; else its worker may begin when the story is over

    with contextlib.ExitStack() as held:
        held.enter_context(Lease(restarted).take("run-2"))
        play(story)


def test_a_run_that_its_user_dismisses_does_not_go_on_when_its_turn_comes(play, restarted):
    async def story(stage):
        script = await stage.connect()
        puppet = await stage.worker()
        puppet.start_run()
        assert puppet.job["run_id"] == "run-1"
        await script.ask("dismiss_run", run_id="run-2")
        puppet.complete()
        assert (await begun(stage))[0] == "train"

    play(story)


def test_without_the_setting_the_queue_goes_on_and_interrupted_runs_wait_for_their_user(play, restarted):
    restarted.config_file.write_text("{}")

    async def story(stage):
        assert (await begun(stage))[0] == "train"
        assert stage.workers_begun == 0

    play(story)


def test_a_configuration_that_cannot_be_read_keeps_no_job_waiting(play, restarted):
    restarted.config_file.write_text("{")

    async def story(stage):
        assert (await begun(stage))[0] == "train"

    play(story)
