"""The state of a session, folded from events."""

import pytest

from breastai.domain.errors import NoCurrentModel
from breastai.domain.events import (
    CheckpointDeleted,
    CheckpointLoaded,
    Error,
    ProgressUpdate,
    StudyMemberChanged,
    StudyStarted,
    StudyStopped,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
    TuningComplete,
    TuningUpdate,
)
from breastai.domain.study import Study, StudyMember, TuningState
from breastai.server.jobs.session import RECENT_EVENTS, Session

STARTED = TrainingStarted(run_id="r", seq=1, architecture="resnet50", epochs=3, class_names=["a", "b"], config={})
LOADED = CheckpointLoaded(checkpoint="r/best", start_epoch=2, architecture="resnet50", class_names=[], metrics={})


def running() -> Session:
    session = Session("default")
    session.begin("train")
    session.begin_run("r")
    return session


def test_a_run_passes_from_idle_through_starting_and_running_to_idle():
    session = Session("default")
    states = [session.snapshot().state]
    session.begin("train")
    states.append(session.snapshot().state)
    session.begin_run("r")
    session.apply(STARTED)
    states.append(session.snapshot().state)
    session.stopping()
    session.apply(ProgressUpdate(stage="training", message="last batch", run_id="r", seq=2))
    states.append(session.snapshot().state)
    session.end()
    states.append(session.snapshot().state)
    assert states == ["idle", "starting", "running", "stopping", "idle"]


def test_the_snapshot_has_the_latest_of_each_kind_and_the_outcome_without_history():
    session = running()
    session.apply(STARTED)
    for seq in (2, 3):
        session.apply(ProgressUpdate(stage="training", message=f"batch {seq}", run_id="r", seq=seq))
    complete = TrainingComplete(
        run_id="r", seq=4, final_metrics={}, history={"epoch": [1]}, checkpoint="r/best", best_epoch=1, epochs_run=1,
        stopped_early=False, duration_s=1.0,
    )  # fmt: skip
    session.apply(complete)
    snapshot = session.snapshot()
    assert snapshot.started["architecture"] == "resnet50"
    assert snapshot.progress["message"] == "batch 3"
    assert snapshot.seq == 4
    assert snapshot.outcome["checkpoint"] == "r/best"
    assert "history" not in snapshot.outcome


def test_a_new_run_forgets_the_one_before_and_a_resumed_one_keeps_it():
    session = running()
    session.apply(STARTED)
    session.apply(TrainingStopped(reason="user", run_id="r", seq=2))
    session.end()
    session.begin("resume")
    session.begin_run("r")
    assert session.snapshot().started is not None
    assert session.snapshot().outcome is None
    assert session.seq == 2
    session.begin_run("other")
    assert session.snapshot().started is None
    assert session.seq is None


def test_another_job_leaves_what_is_known_of_the_run():
    session = running()
    session.apply(TrainingStopped(reason="user", run_id="r", seq=2))
    session.end()
    session.begin("export")
    session.apply(ProgressUpdate(stage="exporting", message="half", progress=0.5))
    assert session.snapshot().outcome["reason"] == "user"
    assert session.snapshot().progress["stage"] == "exporting"


def test_the_current_model_is_the_one_trained_or_loaded_last_and_goes_when_deleted():
    session = Session("default")
    with pytest.raises(NoCurrentModel):
        session.model_or(None)
    session.apply(LOADED)
    assert session.model_or(None) == "r/best"
    assert session.model_or("other/best") == "other/best"
    session.apply(CheckpointDeleted(checkpoint="other/best", filename="x"))
    assert session.current_model == "r/best"
    session.apply(CheckpointDeleted(checkpoint="r/best", filename="x"))
    assert session.current_model is None


def test_the_recent_events_are_bounded():
    session = running()
    for seq in range(1, RECENT_EVENTS + 11):
        session.remember(ProgressUpdate(stage="training", message="", run_id="r", seq=seq), "text")
    assert len(session.recent) == RECENT_EVENTS
    assert session.recent[0][0] == 11


MEMBERS = [StudyMember(run_id="s-a", epochs=3), StudyMember(run_id="s-b", epochs=3)]
STUDY = Study(study_id="s", kind="crossval", created="2026-01-01", config={}, members=MEMBERS)


def studying() -> Session:
    session = running()
    session.end()
    session.begin("crossval")
    session.apply(StudyStarted(study=STUDY))
    now = MEMBERS[0].model_copy(update={"state": "running", "epoch": 1})
    session.apply(StudyMemberChanged(study_id="s", member=now))
    return session


def test_a_study_is_seen_with_each_of_its_runs_and_the_run_before_stays():
    session = studying()
    snapshot = session.snapshot()
    assert (snapshot.state, snapshot.run_id) == ("running", "r")
    assert snapshot.study is not None
    assert [(member.state, member.epoch) for member in snapshot.study.members] == [("running", 1), ("waiting", 0)]
    assert session.running_run == "s-a"


def test_a_tuning_is_seen_with_what_is_known_after_each_trial_and_at_its_end():
    session = running()
    session.end()
    session.begin("tune")
    begun = TuningState(trials=4)
    session.apply(StudyStarted(study=STUDY.model_copy(update={"kind": "tuning", "members": [], "tuning": begun})))
    session.apply(StudyMemberChanged(study_id="s", member=MEMBERS[0].model_copy(update={"state": "complete"})))
    known = begun.model_copy(update={"done": 1, "best_auc": 0.75})
    session.apply(TuningUpdate(study_id="s", tuning=known))
    session.apply(TuningUpdate(study_id="another", tuning=begun))
    study = session.snapshot().study
    assert study is not None and (study.state, study.tuning, len(study.members)) == ("running", known, 1)
    over = known.model_copy(update={"done": 4})
    session.apply(TuningComplete(study_id="s", tuning=over, values={}, reason="trials"))
    session.end()
    study = session.snapshot().study
    assert study is not None and (study.state, study.tuning) == ("complete", over)


@pytest.mark.parametrize(
    ("last", "state", "message"),
    [
        (StudyStopped(study_id="s", kind="crossval", reason="user"), "stopped", ""),
        (StudyStopped(study_id="s", kind="crossval", reason="server_gone"), "interrupted", ""),
        (Error(code="run.disk_full", message="full", params={}), "failed", "full"),
        (None, "interrupted", ""),
    ],
)
def test_a_study_that_ended_early_says_how_and_its_run_in_progress_stopped_with_it(last, state, message):
    session = studying()
    if last is not None:
        session.apply(last)
    session.end()
    study = session.snapshot().study
    assert study is not None and (study.state, study.message) == (state, message)
    assert [member.state for member in study.members] == ["stopped", "waiting"]
