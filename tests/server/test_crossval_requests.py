"""Studies over real sockets: begun, seen whole by whoever comes later, stopped, interrupted and gone on with."""

import json

from breastai.domain.config import Config
from breastai.domain.events import CrossvalComplete, StudyMemberChanged, StudyStarted, StudyStopped
from breastai.domain.records import Figure
from breastai.domain.study import CrossvalResult, Study, StudyMember, TuningState
from breastai.storage.studies import save_study

RESULT = CrossvalResult(
    class_names=["benign", "malignant"], cases=8, predictions=8, counts={"benign": 5, "malignant": 3}, grouped=True,
    figures={"accuracy": Figure(value=0.75, low=0.5, high=0.9, n=8)}, confusion_matrix=[[4, 1], [1, 2]], spread={},
    record="logs/s/evaluations/pooled-1.json",
)  # fmt: skip


def study_of(study_id, state="running"):
    members = [StudyMember(run_id=f"{study_id}-r1f{fold}", repeat=1, fold=fold, epochs=3) for fold in (1, 2)]
    return Study(
        study_id=study_id, kind="crossval", state=state, created="2026-01-01", config=Config().model_dump(mode="json"),
        members=members,
    )  # fmt: skip


async def begun(stage, script, **fields):
    await script.send("start_crossval", **fields)
    puppet = await stage.worker()
    study = study_of(puppet.job["study_id"])
    puppet.emit(StudyStarted(study=study), stamp=False)
    await script.until("study_started")
    return puppet, study


def test_a_cross_validation_is_seen_by_all_and_whole_by_who_comes_in_mid_study(play):
    async def story(stage):
        script = await stage.connect()
        puppet, study = await begun(stage, script, config={"crossval": {"folds": 2}}, epochs=3)
        assert (puppet.job["kind"], puppet.job["config"]["crossval"]["folds"]) == ("crossval", 2)
        member = study.members[0].model_copy(update={"state": "running", "epoch": 1})
        puppet.emit(StudyMemberChanged(study_id=study.study_id, member=member), stamp=False)
        await script.until("study_member")
        await stage.connect()
        snapshot = stage.welcome["snapshot"]
        assert (snapshot["state"], snapshot["job"], snapshot["run_id"]) == ("running", "crossval", None)
        assert [each["epoch"] for each in snapshot["study"]["members"]] == [1, 0]
        puppet.emit(CrossvalComplete(study_id=study.study_id, result=RESULT), stamp=False)
        puppet.order(exit=0)
        done = (await script.state("idle"))["study"]
        assert (done["state"], done["crossval"]["figures"]["accuracy"]["value"]) == ("complete", 0.75)

    play(story)


def test_a_study_waits_for_its_turn_like_a_training(play):
    async def story(stage):
        script = await stage.connect()
        first = await stage.training(script)
        assert (await script.ask("start_crossval"))["code"] == "session.busy"
        answer = await script.ask("start_crossval", queue=True, epochs=4)
        assert (answer["entry"]["job"], answer["entry"]["epochs"]) == ("crossval", 4)
        first.complete()
        assert (await stage.worker()).job["kind"] == "crossval"

    play(story)


def test_a_stop_is_answered_by_the_end_of_the_study(play):
    async def story(stage):
        script = await stage.connect()
        puppet, study = await begun(stage, script)
        await script.send("stop_training", request_id="stop")
        assert (await puppet.told("stdin"))["type"] == "stop"
        puppet.emit(StudyStopped(study_id=study.study_id, kind="crossval", reason="user"), stamp=False)
        puppet.order(exit=0)
        assert (await script.until("study_stopped"))["request_id"] == "stop"
        assert (await script.state("idle"))["study"]["state"] == "stopped"

    play(story)


def test_a_study_whose_worker_is_killed_is_offered_again_and_gone_on_with_by_name(play, workspace):
    async def story(stage):
        script = await stage.connect()
        puppet, study = await begun(stage, script)
        save_study(workspace, study)
        puppet.order(die="SIGKILL")
        assert (await script.state("idle"))["study"]["state"] == "interrupted"
        shown = await script.ask("get_study")
        assert (shown["study"]["state"], shown["studies"]) == ("interrupted", [study.study_id])
        assert (await script.ask("resume_study", study_id="no-such"))["code"] == "study.not_found"
        await script.send("resume_study", study_id=study.study_id)
        again = await stage.worker()
        assert (again.job["kind"], again.job["study_id"]) == ("resume_study", study.study_id)

    play(story)


def test_studies_are_listed_the_latest_first_with_what_they_came_to_and_a_damaged_one_by_its_name(play, workspace):
    save_study(workspace, study_of("s1", "stopped"))
    save_study(workspace, study_of("s2"))
    found = TuningState(trials=20, done=7, best_auc=0.91)
    save_study(workspace, study_of("s3", "complete").model_copy(update={"kind": "tuning", "tuning": found}))
    save_study(workspace, study_of("s4"))
    (workspace.logs_dir / "s4" / "study.json").write_text("{", encoding="utf-8")

    async def story(stage):
        script = await stage.connect()
        answer = await script.ask("list_studies")
        listed = [(each["study_id"], each["kind"], each["state"]) for each in answer["studies"]]
        assert listed == [
            ("s3", "tuning", "complete"),
            ("s2", "crossval", "interrupted"),
            ("s1", "crossval", "stopped"),
        ]
        assert [answer["studies"][0][key] for key in ("done", "planned", "auc_roc")] == [7, 20, 0.91]
        assert answer["unreadable"] == ["s4"]
        assert (answer["total"], answer["first"]) == (4, 0)
        page = await script.ask("list_studies", first=2, limit=1)
        assert ([each["study_id"] for each in page["studies"]], page["total"], page["first"]) == (["s2"], 4, 2)

    play(story)


def test_by_setting_the_server_goes_on_with_an_interrupted_study_by_itself(play, workspace):
    workspace.config_file.write_text(json.dumps({"storage": {"resume_interrupted": True}}))
    save_study(workspace, study_of("s1", "stopped"))
    save_study(workspace, study_of("s2"))

    async def story(stage):
        assert (await stage.worker()).job["study_id"] == "s2"

    play(story)
