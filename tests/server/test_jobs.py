"""The rules of the child process, over real sockets."""

import asyncio
import json
import os
import sys

import psutil
import pytest

from breastai.domain.events import AuditDone, Comparison, Error, Log, ProgressUpdate
from breastai.server.jobs.supervisor import Deadlines
from breastai.storage.checkpoints import checkpoint_files
from breastai.storage.journal import read_events

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals end processes on POSIX only")


def test_a_run_goes_from_start_to_complete_and_frees_the_slot(play):
    async def story(stage):
        script = await stage.connect()
        first = await stage.training(script, request_id=7)
        first.epoch(1)
        first.complete()
        complete = await script.until("training_complete")
        assert complete["history"] == {"epoch": [1]}
        second = await stage.training(script)
        assert second.job["run_id"] != first.job["run_id"]
        second.complete()
        snapshot = await script.state("idle")
        assert snapshot["current_model"] == f"{second.job['run_id']}/best"
        assert "history" not in snapshot["outcome"]

    play(story)


def test_the_answer_to_a_start_echoes_its_request_id_to_the_asker_alone(play):
    async def story(stage):
        asker, other = await stage.connect(), await stage.connect()
        await asker.send("start_training", epochs=3, request_id=7)
        worker = await stage.worker()
        assert worker.job["kind"] == "train"
        assert worker.job["config"]["training"]["epochs"] == 3
        worker.start_run()
        started = await asker.until("training_started")
        assert (started["request_id"], started["run_id"], started["seq"]) == (7, worker.job["run_id"], 1)
        seen = await other.until("training_started")
        assert "request_id" not in seen
        assert seen["run_id"] == worker.job["run_id"]
        worker.epoch(1)
        assert "request_id" not in await asker.until("training_update")

    play(story)


def test_two_starts_at_once_make_one_worker(play):
    async def story(stage):
        first, second = await stage.connect(), await stage.connect()
        await asyncio.gather(first.send("start_training", request_id=1), second.send("start_training", request_id=2))
        refusals = []

        async def listen(script):
            refusals.append(await script.until("error"))

        listening = [asyncio.create_task(listen(script)) for script in (first, second)]
        await asyncio.wait(listening, return_when=asyncio.FIRST_COMPLETED)
        assert [refusal["code"] for refusal in refusals] == ["session.busy"]
        worker = await stage.worker()
        assert stage.workers_begun == 0
        worker.start_run()
        worker.complete()
        for task in listening:
            task.cancel()
        await asyncio.wait(listening)

    play(story)


def test_a_stop_asks_the_worker_and_is_answered_by_its_last_event(play):
    async def story(stage):
        starter, stopper = await stage.connect(), await stage.connect()
        worker = await stage.training(starter)
        await stopper.send("stop_training", request_id="halt")
        assert await worker.told("stdin") == {"type": "stop"}
        assert (await stopper.state("stopping"))["run_id"] == worker.job["run_id"]
        worker.stopped()
        stopped = await stopper.until("training_stopped")
        assert (stopped["request_id"], stopped["reason"]) == ("halt", "user")
        assert "request_id" not in await starter.until("training_stopped")
        assert (await starter.state("idle"))["outcome"]["type"] == "training_stopped"

    play(story)


def test_a_second_stop_kills_at_once(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        await script.send("stop_training", request_id=1)
        assert await worker.told("stdin") == {"type": "stop"}
        await script.send("stop_training", request_id=2)
        assert await worker.ended()
        stopped = [await script.until("training_stopped") for _ in range(2)]
        assert {event["request_id"] for event in stopped} == {1, 2}
        assert stopped[0]["reason"] == "user"
        journal = list(read_events(stage.workspace.journal_file(worker.job["run_id"])))
        assert [(event.type, event.seq) for event in journal] == [("training_stopped", 2)]

    play(story)


def test_a_worker_deaf_to_stop_is_killed_after_its_time(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        await script.send("stop_training")
        assert await worker.ended()
        assert (await script.until("training_stopped"))["reason"] == "user"

    play(story, deadlines=Deadlines(stop_s=0.2))


def test_nothing_to_stop_is_an_error(play):
    async def story(stage):
        script = await stage.connect()
        assert (await script.ask("stop_training"))["code"] == "session.nothing_to_stop"

    play(story)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"exit": 3}, "worker.crashed"),
        ({"exit": 0}, "worker.crashed"),
        pytest.param({"die": "SIGKILL"}, "worker.killed", marks=posix_only),
        pytest.param({"die": "SIGTERM"}, "worker.killed", marks=posix_only),
        pytest.param({"die": "SIGSEGV"}, "worker.faulted", marks=posix_only),
    ],
)
def test_an_exit_without_a_last_word_is_classified(play, order, code):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        worker.order(**order)
        error = await script.until("error")
        assert (error["code"], error["run_id"], error["seq"]) == (code, worker.job["run_id"], 2)
        stopped = await script.until("training_stopped")
        assert (stopped["reason"], stopped["seq"]) == ("error", 3)
        # Written to the journal too, so that a resumed run does not use these numbers again.
        journal = list(read_events(stage.workspace.journal_file(worker.job["run_id"])))
        assert [event.seq for event in journal] == [2, 3]
        assert (await script.state("idle"))["outcome"]["type"] == "training_stopped"

    play(story)


def test_a_memory_error_on_stderr_is_proof_of_too_little_memory(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        worker.order(complain="Traceback\nMemoryError: Unable to allocate 3 GiB")
        worker.order(exit=1)
        error = await script.until("error")
        assert error["code"] == "worker.out_of_memory"
        assert "3 GiB" in error["message"]
        log = stage.workspace.run_dir(worker.job["run_id"]) / "worker.log"
        assert "MemoryError" in log.read_text()

    play(story)


def test_an_error_before_the_run_begins_answers_the_start(play):
    async def story(stage):
        script = await stage.connect()
        await script.send("start_training", request_id="s")
        worker = await stage.worker()
        worker.emit(Error(code="data.no_class_folders", message="No class folders."), stamp=False)
        worker.order(exit=0)
        error = await script.until("error")
        assert (error["code"], error["request_id"]) == ("data.no_class_folders", "s")
        assert "request_id" not in await script.until("training_stopped")
        assert (await script.state("idle"))["job"] is None

    play(story)


def test_an_error_that_ends_a_run_is_followed_by_training_stopped(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        worker.emit(Error(code="disk.full", message="No space."))
        worker.order(exit=0)
        assert (await script.until("error"))["seq"] == 2
        stopped = await script.until("training_stopped")
        assert (stopped["seq"], stopped["reason"]) == (3, "error")

    play(story)


def test_a_killed_run_names_the_checkpoint_that_a_resume_goes_on_from(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        manifest = checkpoint_files(stage.workspace, worker.job["run_id"], "last").manifest
        manifest.parent.mkdir(parents=True)
        manifest.touch()
        worker.order(exit=1)
        stopped = await script.until("training_stopped")
        assert (stopped["reason"], stopped["checkpoint"]) == ("error", f"{worker.job['run_id']}/last")

    play(story)


@posix_only
def test_a_loader_that_outlives_its_worker_neither_hangs_the_server_nor_lives_on(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        worker.order(child=True)
        child = psutil.Process(await worker.told("child"))
        worker.order(exit=1)
        assert (await script.until("error"))["code"] == "worker.crashed"
        gone, _ = await asyncio.to_thread(psutil.wait_procs, [child], 10)
        assert gone

    # The child holds the stdout of its worker open; the wait must end all the same.
    play(story, deadlines=Deadlines(exit_s=5))


@posix_only
def test_the_worker_heads_a_group_of_its_own(play):
    async def story(stage):
        script = await stage.connect()
        await script.send("start_training")
        puppet = await stage._puppets.get()
        pid = await puppet.told("pid")
        assert os.getpgid(pid) == pid != os.getpgrp()

    play(story)


def test_a_line_that_is_no_event_is_left_out_and_the_run_goes_on(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        worker.order(say="Downloading weights: 100%")
        worker.order(say="x" * (2**20 + 10))
        worker.epoch(1)
        assert (await script.until("training_update"))["epoch"] == 1

    play(story)


def test_a_silent_worker_is_ended_and_said_to_be_silent(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        assert (await script.until("error"))["code"] == "worker.silent"
        assert await worker.ended()

    play(story, deadlines=Deadlines(silence_s=1.0))


def test_shutdown_ends_the_workers_input_and_waits_for_its_save(play):
    witness = {}

    async def story(stage):
        stage.leave_workers = True
        script = await stage.connect()
        witness["worker"] = worker = await stage.training(script)

        async def save_when_told():
            witness["stdin"] = await worker.told("stdin")
            worker.stopped()

        witness["task"] = asyncio.create_task(save_when_told())

    play(story)
    assert witness["stdin"] is None
    assert witness["task"].done()


def test_a_job_that_is_not_a_run_answers_its_asker_and_stops_as_a_job(play, workspace):
    async def story(stage):
        script = await stage.connect()
        session = stage.services.sessions.get("default")
        session.current_model = "r/best"
        refused = await script.ask("export_model")
        assert refused["code"] == "checkpoint.not_found"
        assert (await script.ask("export_model", format="gif"))["code"] == "request.invalid"
        session.current_model = None
        assert (await script.ask("export_onnx"))["code"] == "session.no_model"
        outside = await script.ask("evaluate_model", checkpoint="r/best", data="/etc")
        assert outside["code"] == "data.outside_roots"

    play(story)


def test_progress_and_logs_of_a_run_reach_everyone(play):
    async def story(stage):
        first, second = await stage.connect(), await stage.connect()
        worker = await stage.training(first)
        worker.emit(ProgressUpdate(stage="training", message="batch 1", epoch=1, epochs=3, progress=0.1))
        worker.emit(Log(level="success", message="saved"))
        for script in (first, second):
            assert (await script.until("progress_update"))["message"] == "batch 1"
            assert (await script.until("log"))["level"] == "success"
        late = await stage.connect()
        assert stage.welcome["snapshot"]["progress"]["message"] == "batch 1"
        assert stage.welcome["snapshot"]["state"] == "running"
        assert (await late.ask("ping", timestamp=5))["timestamp"] == 5

    play(story)


def test_flat_names_of_version_3_are_understood(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script, config={"epochs": 2, "batch_size": 8, "model_name": "resnet50"})
        assert worker.job["config"]["data"]["batch_size"] == 8
        assert worker.job["config"]["model"]["architecture"] == "resnet50"

    play(story)


def test_each_layer_of_the_configuration_wins_over_the_one_before(play, workspace):
    workspace.config_file.write_text(json.dumps({"training": {"epochs": 4, "learning_rate": 0.5, "momentum": 0.1}}))

    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(
            script, preset="quick", config={"data": {"batch_size": 3}, "training": {"epochs": 6}}, epochs=9
        )
        config = worker.job["config"]
        assert config["training"]["momentum"] == 0.1  # config.json over the defaults
        assert config["training"]["learning_rate"] == 0.0005  # the preset over config.json
        assert config["data"]["batch_size"] == 3  # the request over the preset
        assert config["training"]["epochs"] == 9  # epochs over all

    play(story)


@pytest.mark.parametrize(
    ("config", "code", "named"),
    [
        ({"training": {"epochs": -1}}, "config.invalid", "training.epochs"),
        ({"training": {"speed": 1}}, "config.invalid", "training.speed"),
        ({"speed": 1}, "config.invalid", "speed"),
        ({"data": {"train_dir": "/etc"}}, "data.outside_roots", "/etc"),
        ({"data_path": "../elsewhere"}, "data.outside_roots", "elsewhere"),
        ({"data_path": "../elsewhere/labels.csv"}, "data.outside_roots", "elsewhere/labels.csv"),
        ({"data_path": "logs/queue.json"}, "data.outside_roots", "logs/queue.json"),
        ({"model": {"weights_file": "/etc/passwd"}}, "data.outside_roots", "/etc/passwd"),
        ({"evaluation": {"patient_id": {"csv": "/etc/passwd"}}}, "data.outside_roots", "/etc/passwd"),
        ({"server": {"data_roots": ["/etc"]}, "data": {"train_dir": "/etc"}}, "data.outside_roots", "/etc"),
    ],
)
def test_a_start_with_a_bad_configuration_is_refused_by_name_and_frees_the_slot(play, config, code, named):
    async def story(stage):
        script = await stage.connect()
        error = await script.ask("start_training", config=config)
        assert error["code"] == code
        assert named in error["message"]
        assert stage.services.supervisor.slot is None
        assert stage.workers_begun == 0

    play(story)


def test_a_second_session_finds_the_slot_taken(play):
    async def story(stage):
        script = await stage.connect()
        await stage.training(script)
        assert (await script.ask("start_training", session_id="other"))["code"] == "session.busy"
        assert (await script.ask("get_status", session_id="other"))["snapshot"]["state"] == "idle"

    play(story)


def test_an_audit_a_comparison_and_a_report_are_jobs_of_a_worker(play, workspace):
    workspace.journal_file("run-1").parent.mkdir(parents=True)
    workspace.journal_file("run-1").write_text("")
    for name in ("a.csv", "b.csv"):
        (workspace.root / name).write_text("label\n")

    async def story(stage):
        script = await stage.connect()
        await script.send("audit_data", data="images", request_id=1)
        worker = await stage.worker()
        assert (worker.job["kind"], worker.job["data"], worker.job["pictures"]) == ("audit", "images", True)
        worker.emit(AuditDone(data="images", images=3, findings=[], groups=[], groups_total=0), stamp=False)
        worker.order(exit=0)
        told = await script.until("audit")
        assert (told["request_id"], told["images"]) == (1, 3)
        await script.state("idle")

        await script.send("compare_models", first="a.csv", second="b.csv", request_id=2)
        worker = await stage.worker()
        assert (worker.job["kind"], worker.job["first"]) == ("compare_predictions", "a.csv")
        worker.emit(Comparison(first="a.csv", second="b.csv", n=1, class_names=[], figures={}), stamp=False)
        worker.order(exit=0)
        assert (await script.until("comparison"))["request_id"] == 2
        await script.state("idle")

        for refused in (
            await script.ask("audit_data", data="/etc"),
            await script.ask("predict_images", images=["images", "/etc/hosts"], checkpoint="run-1/best"),
            await script.ask("explain_images", images=["../x.png"], checkpoint="run-1/best"),
            await script.ask("compare_models", first="/etc/a.csv", second="b.csv"),
            await script.ask("compare_models", first="run-1/best", second="run-1/last"),
            await script.ask("create_report", run_id="run-1"),
            await script.ask("create_report", run_id="nobody"),
            await script.ask("create_report"),
        ):
            assert refused["type"] == "error"
        assert stage.workers_begun == 0

    play(story)


def test_the_audit_at_the_beginning_of_a_run_does_not_end_it(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        worker.emit(AuditDone(data="train", images=3, findings=[], groups=[], groups_total=0))
        await script.until("audit")
        snapshot = (await script.ask("get_status"))["snapshot"]
        assert (snapshot["state"], snapshot["outcome"]) == ("running", None)
        worker.epoch(1)
        worker.complete()
        await script.until("training_complete")

    play(story)
