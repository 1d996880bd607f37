"""The queue: jobs that wait their turn, over real sockets."""

import json

from breastai.server.jobs import scheduler


async def queued(script, **fields):
    answer = await script.ask("start_training", queue=True, **fields)
    assert answer["type"] == "job_queued", answer
    return answer["entry"]["entry"]


async def order(script):
    return [entry["entry"] for entry in (await script.ask("get_queue"))["entries"]]


def test_a_start_is_refused_while_another_runs_unless_it_asks_to_wait(play):
    async def story(stage):
        script, other = await stage.connect(), await stage.connect()
        first = await stage.training(script)
        assert (await script.ask("start_training"))["code"] == "session.busy"
        waiting = await script.ask("start_training", queue=True, epochs=7, config={"data_path": "elsewhere"})
        assert waiting["place"] == 1
        assert waiting["entry"]["job"] == "train"
        assert (waiting["entry"]["epochs"], waiting["entry"]["data"]) == (7, "elsewhere/train")
        assert (await other.until("queue"))["entries"] == [waiting["entry"]]
        first.complete()
        second = await stage.worker()
        assert second.job["config"]["training"]["epochs"] == 7
        assert second.job["run_id"] != first.job["run_id"]
        second.start_run()
        assert (await other.until("training_started"))["run_id"] == second.job["run_id"]
        assert await order(script) == []
        second.complete()

    play(story)


def test_a_start_that_may_wait_begins_at_once_when_nothing_runs(play):
    async def story(stage):
        script = await stage.connect()
        await script.send("start_training", queue=True, request_id=5)
        worker = await stage.worker()
        worker.start_run()
        assert (await script.until("training_started"))["request_id"] == 5
        worker.complete()

    play(story)


def test_waiting_jobs_are_reordered_and_cancelled_and_run_one_at_a_time(play):
    async def story(stage):
        script = await stage.connect()
        running = await stage.training(script)
        a, b, c = [await queued(script, epochs=epochs) for epochs in (1, 2, 3)]
        moved = await script.ask("move_job", entry=c, place=1)
        assert [entry["entry"] for entry in moved["entries"]] == [c, a, b]
        await script.ask("cancel_job", entry=a)
        assert (await script.ask("cancel_job", entry=a))["code"] == "queue.not_queued"
        assert await order(script) == [c, b]
        for epochs in (3, 2):
            assert stage.workers_begun == 0
            running.complete()
            running = await stage.worker()
            assert running.job["config"]["training"]["epochs"] == epochs
            running.start_run()
        running.complete()

    play(story)


def test_a_held_queue_waits_on_and_a_stopped_job_makes_room_for_the_next(play):
    async def story(stage):
        script = await stage.connect()
        first = await stage.training(script)
        await queued(script)
        assert (await script.ask("hold_queue", held=True))["held"] is True
        await script.send("stop_training")
        first.stopped()
        await script.state("idle")
        assert len(await order(script)) == 1
        await script.send("hold_queue", held=False)
        second = await stage.worker()
        second.start_run()
        await queued(script)
        await script.send("stop_training")
        second.stopped()
        third = await stage.worker()
        third.start_run()
        third.complete()

    play(story)


def test_a_job_keeps_the_settings_it_was_asked_for_with(play, workspace):
    async def story(stage):
        script = await stage.connect()
        first = await stage.training(script)
        await queued(script)
        await script.ask("save_config", config={"training": {"epochs": 3}})
        first.complete()
        second = await stage.worker()
        assert second.job["config"]["training"]["epochs"] == 50
        second.start_run()
        second.complete()

    play(story)


def test_what_can_not_be_prepared_when_asked_for_is_refused_and_never_waits(play):
    async def story(stage):
        script = await stage.connect()
        first = await stage.training(script)
        assert (await script.ask("start_training", queue=True, config={"data_path": "/etc"}))[
            "code"
        ] == "data.outside_roots"
        assert (await script.ask("resume_training", queue=True, checkpoint="none"))["code"] == "checkpoint.not_found"
        assert await order(script) == []
        first.complete()

    play(story)


def test_the_queue_is_bounded(play, monkeypatch):
    monkeypatch.setattr(scheduler, "MOST_WAITING", 2)

    async def story(stage):
        script = await stage.connect()
        first = await stage.training(script)
        await queued(script)
        await queued(script)
        refusal = await script.ask("start_training", queue=True)
        assert (refusal["code"], refusal["params"]) == ("queue.full", {"limit": 2})
        await script.ask("hold_queue", held=True)
        first.complete()

    play(story)


def test_jobs_that_wait_are_there_after_a_restart(play, workspace):
    async def fill(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        await queued(script, epochs=11)
        await queued(script, epochs=12)
        await script.send("stop_training")
        await script.send("hold_queue", held=True)
        await script.until("queue", held=True)
        worker.stopped()
        await script.state("idle")

    async def find(stage):
        script = await stage.connect()
        shown = await script.ask("get_queue")
        assert [entry["epochs"] for entry in shown["entries"]] == [11, 12]
        assert shown["held"] is True
        await script.send("hold_queue", held=False)
        for epochs in (11, 12):
            worker = await stage.worker()
            assert worker.job["config"]["training"]["epochs"] == epochs
            worker.start_run()
            worker.complete()
        await script.state("idle")

    play(fill)
    play(find)


def test_a_job_that_fails_when_its_turn_comes_is_told_to_all_and_the_next_one_runs(play, workspace):
    async def story(stage):
        script = await stage.connect()
        first = await stage.training(script)
        entry = await queued(script, config={"data_path": "inside"})
        await queued(script, epochs=9)
        (stage.workspace.root / "inside").symlink_to("/")
        first.complete()
        assert (await script.until("error"))["code"] == "data.outside_roots"
        worker = await stage.worker()
        assert worker.job["config"]["training"]["epochs"] == 9
        assert entry not in await order(script)
        worker.start_run()
        worker.complete()

    play(story)


def test_a_queue_file_that_can_not_be_read_leaves_the_server_working(play, workspace):
    workspace.queue_file.write_text("{")

    async def story(stage):
        script = await stage.connect()
        assert await order(script) == []
        worker = await stage.training(script)
        await queued(script)
        assert len(json.loads(workspace.queue_file.read_text())["jobs"]) == 1
        await script.ask("hold_queue", held=True)
        worker.complete()

    play(story)
