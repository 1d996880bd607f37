"""A restarted server: the latest run's journal, folded into what pages see."""

from breastai.domain.events import Log, TrainingStarted, TrainingStopped
from breastai.domain.study import Study, StudyMember
from breastai.storage.journal import Journal
from breastai.storage.lease import Lease
from breastai.storage.studies import save_study

STARTED = TrainingStarted(architecture="resnet50", epochs=3, class_names=["benign", "malignant"], config={})
STOPPED = TrainingStopped(reason="server_gone", epoch=2, checkpoint="run-2/last", message="")


def written(workspace, run_id, *events):
    journal = Journal(workspace.journal_file(run_id), run_id, "default")
    for event in events:
        journal.stamp(event)
    journal.close()


def test_the_latest_run_is_there_after_a_restart_with_its_end_and_its_epochs(play, workspace, epoch_of):
    written(workspace, "run-1", STARTED)
    written(workspace, "run-2", STARTED, epoch_of(1), epoch_of(2), STOPPED, Log(level="info", message="last"))

    async def story(stage):
        script = await stage.connect()
        snapshot = stage.welcome["snapshot"]
        assert (snapshot["state"], snapshot["run_id"], snapshot["seq"]) == ("idle", "run-2", 5)
        assert (snapshot["update"]["epoch"], snapshot["outcome"]["reason"]) == (2, "server_gone")
        assert [row["epoch"] for row in (await script.ask("get_history"))["epochs"]] == [1, 2]
        status = await script.ask("get_status", run_id="run-2", last_seq=3)
        assert status["missed"] == 2
        assert (await script.until("training_stopped"))["seq"] == 4

    play(story)


def test_a_run_that_never_began_hides_none_before_it_after_a_restart(play, workspace):
    written(workspace, "run-1", STARTED)
    written(workspace, "run-2", STOPPED)

    async def story(stage):
        await stage.connect()
        assert stage.welcome["snapshot"]["run_id"] == "run-1"

    play(story)


def test_an_end_that_is_written_after_the_restart_is_seen_by_who_connects_then(play, workspace, epoch_of):
    written(workspace, "run-2", STARTED, epoch_of(1), STOPPED)
    # Resumed, so that the stop before is not its end.
    written(workspace, "run-2", STARTED.model_copy(update={"start_epoch": 2}))

    async def story(stage):
        await stage.connect()
        assert stage.welcome["snapshot"]["outcome"] is None
        written(workspace, "run-2", STOPPED)
        await stage.connect()
        assert stage.welcome["snapshot"]["outcome"]["reason"] == "server_gone"

    play(story)


def test_the_latest_study_is_there_after_a_restart_and_its_runs_are_not_the_latest_run(play, workspace, epoch_of):
    written(workspace, "run-1", STARTED, epoch_of(1), STOPPED)
    written(workspace, "run-2-r1f1", STARTED, epoch_of(1))
    member = StudyMember(run_id="run-2-r1f1", state="running", epoch=1, epochs=3)
    study = Study(study_id="run-2", kind="crossval", created="2026-01-01", config={}, members=[member])
    save_study(workspace, study)

    async def story(stage):
        await stage.connect()
        snapshot = stage.welcome["snapshot"]
        assert (snapshot["run_id"], snapshot["study"]["study_id"]) == ("run-1", "run-2")
        assert snapshot["study"]["state"] == "interrupted"
        assert snapshot["study"]["members"][0]["state"] == "stopped"
        assert [run["run_id"] for run in stage.welcome["interrupted"]] == ["run-1"]

        # A process of its own goes on with it: whoever connects then sees how far it is.
        save_study(workspace, study.with_member(member.model_copy(update={"epoch": 2})))
        with Lease(workspace).take("run-2"):
            await stage.connect()
        snapshot = stage.welcome["snapshot"]
        assert (snapshot["study"]["state"], snapshot["study"]["members"][0]["epoch"]) == ("running", 2)

    play(story)
