"""Studies over real sockets: asked for, told of, stopped."""

from breastai.domain.events import StudyMemberChanged, StudyStarted, TuningComplete
from breastai.domain.study import Study, StudyMember, TuningState


def study_of(job):
    tuning = TuningState(trials=job["config"]["tuning"]["trials"])
    config = job["config"]
    return Study(
        study_id=job["study_id"], kind="tuning", created="2026-01-01", config=config, members=[], tuning=tuning
    )


def test_a_tuning_is_begun_with_the_settings_asked_for_and_seen_by_all(play):
    async def story(stage):
        script = await stage.connect()
        config = {"tuning": {"trials": 3}, "data_path": "elsewhere"}
        await script.send("start_tuning", config=config, preset="quick", request_id=4)
        worker = await stage.worker()
        job = worker.job
        assert job["kind"] == "tune" and job["config"]["data"]["train_dir"] == "elsewhere/train"
        assert job["config"]["model"]["architecture"] == "tf_efficientnet_lite0"
        worker.emit(StudyStarted(study=study_of(job)), stamp=False)
        assert (await script.until("study_started"))["request_id"] == 4
        trial = StudyMember(run_id=f"{job['study_id']}-t00", trial=0, epochs=3, state="running", epoch=1)
        worker.emit(StudyMemberChanged(study_id=job["study_id"], member=trial), stamp=False)
        await script.until("study_member")
        other = await stage.connect()
        seen = stage.welcome["snapshot"]
        assert (seen["state"], seen["job"], seen["study"]["members"][0]["epoch"]) == ("running", "tune", 1)
        over = TuningState(trials=3, done=3)
        worker.emit(TuningComplete(study_id=job["study_id"], tuning=over, values={}, reason="trials"), stamp=False)
        worker.order(exit=0)
        assert (await other.until("tuning_complete"))["tuning"]["done"] == 3
        assert (await other.state("idle"))["study"]["state"] == "complete"

    play(story)


def test_a_tuning_may_wait_for_its_turn_and_gets_its_name_then(play):
    async def story(stage):
        script = await stage.connect()
        running = await stage.training(script)
        assert (await script.ask("start_tuning"))["code"] == "session.busy"
        waiting = await script.ask("start_tuning", queue=True, config={"training": {"epochs": 5}})
        assert (waiting["entry"]["job"], waiting["entry"]["epochs"]) == ("tune", 5)
        running.complete()
        worker = await stage.worker()
        assert worker.job["study_id"] != running.job["run_id"]
        worker.emit(StudyStarted(study=study_of(worker.job)), stamp=False)
        await script.until("study_started")
        worker.order(exit=0)

    play(story)


def test_what_can_not_be_tuned_is_refused_and_no_worker_begins(play):
    async def story(stage):
        script = await stage.connect()
        space = [{"setting": "training.epochs", "low": 1, "high": 9}]
        error = await script.ask("start_tuning", config={"tuning": {"space": space}})
        assert error["code"] == "config.invalid" and "training.epochs can't be tuned" in error["message"]
        assert stage.workers_begun == 0

    play(story)
