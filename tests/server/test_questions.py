"""What a job asks before it begins waits at the server, for whoever answers first."""

from breastai.domain.events import AuditDone, Error, LeakQuestion
from breastai.domain.text import Text

QUESTION = LeakQuestion(
    job="train",
    config={"training": {"epochs": 2}, "data": {"on_leak": "ask"}},
    code="data.twins_found",
    params={"groups": 1, "contradicting": 0, "across": 0, "patients": 0},
)
ASKING = AuditDone(data="data", images=3, findings=[], groups=[], groups_total=1, question=QUESTION)
REFUSED = Error(code="data.twins_found", message=str(Text("error.data.twins_found", QUESTION.params)))


async def asking(stage, script):
    """Have a run end with a question."""
    await script.send("start_training", config={"data": {"on_leak": "ask"}})
    worker = await stage.worker()
    worker.emit(ASKING)
    worker.emit(REFUSED)
    worker.order(exit=0)
    return await script.state("idle")


def test_a_question_is_in_the_snapshot_of_who_comes_later_who_may_answer_it(play):
    async def story(stage):
        first = await stage.connect()
        assert (await asking(stage, first))["question"]["job"] == "train"
        later = await stage.connect()
        shown = await later.ask("show_question")
        assert (shown["type"], shown["groups_total"]) == ("audit", 1)
        await later.send("answer_leaks", choice="exclude", request_id="mine")
        worker = await stage.worker()
        assert worker.job["config"]["data"]["on_leak"] == "exclude"
        assert worker.job["config"]["training"]["epochs"] == 2
        worker.start_run()
        started = await later.until("training_started")
        assert started["request_id"] == "mine"
        snapshot = (await later.ask("get_status"))["snapshot"]
        assert snapshot["question"] is None
        assert snapshot["running_run"] == worker.job["run_id"]

    play(story)


def test_a_run_that_asked_leaves_the_run_before_it_in_view(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        worker.epoch(1)
        worker.complete()
        await script.state("idle")
        snapshot = await asking(stage, script)
        assert snapshot["run_id"] == worker.job["run_id"]
        assert snapshot["outcome"]["type"] == "training_complete"
        assert snapshot["running_run"] is None

    play(story)


def test_nobody_answers_twice(play):
    async def story(stage):
        script = await stage.connect()
        await asking(stage, script)
        assert (await script.ask("answer_leaks", choice=None))["snapshot"]["question"] is None
        assert (await script.ask("answer_leaks", choice="group"))["code"] == "session.nothing_asked"
        assert (await script.ask("show_question"))["type"] == "status"

    play(story)


def test_a_run_that_has_ended_does_not_run_while_another_job_does(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        worker.epoch(1)
        worker.complete()
        await script.state("idle")
        await script.send("estimate_cost")
        await stage.worker()
        snapshot = (await script.ask("get_status"))["snapshot"]
        assert (snapshot["job"], snapshot["run_id"], snapshot["running_run"]) == ("bench", worker.job["run_id"], None)
        assert stage.services.runner.running_run is None

    play(story)


def test_a_run_that_asked_is_listed_as_one_not_started_until_it_is_answered(play):
    async def story(stage):
        script = await stage.connect()
        asked = (await asking(stage, script))["question"]["run_id"]
        (entry,) = (await script.ask("list_runs"))["runs"]
        assert (entry["run_id"], entry["state"]) == (asked, "asked")
        assert (await script.ask("list_runs", state="failed"))["total"] == 0
        shown = await script.ask("show_run", run_id=asked)
        assert shown["outcome"]["question"]["config"]["training"]["epochs"] == 2
        await script.send("answer_leaks", choice="group")
        worker = await stage.worker()
        worker.start_run()
        await script.until("training_started")
        assert (await script.ask("list_runs"))["runs"] == []

    play(story)
