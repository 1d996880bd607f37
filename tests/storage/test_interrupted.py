"""Interrupted runs: told from complete ones, stopped ones and those that go on, by the last word of their journals."""

from pathlib import Path

import pytest
from filelock import FileLock

from breastai.domain.config import Config
from breastai.domain.errors import CheckpointNotFound, RunLocked, RunNotFound
from breastai.domain.events import (
    Event,
    Log,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
    TrainingUpdate,
)
from breastai.domain.metric_catalog import MONITORS
from breastai.domain.study import Study
from breastai.domain.text import Text
from breastai.storage.interrupted_runs import (
    describe_stop,
    dismiss,
    interrupted_runs,
    is_any_unfinished_run_held,
    latest_interrupted,
    may_auto_resume,
    resumable_run,
    resumable_runs,
)
from breastai.storage.journal import Journal, last_event
from breastai.storage.lease import Lease
from breastai.storage.run_config import read_run_config
from breastai.storage.runs import RunSummaries
from breastai.storage.studies import read_study, save_study
from breastai.storage.workspace import Workspace

STARTED = TrainingStarted(
    architecture="resnet50", epochs=5, class_names=["benign", "malignant"], config=Config().model_dump(mode="json")
)
COMPLETE = TrainingComplete(
    final_metrics={},
    history={"val_loss": [0.5] * 40_000},  # longer than one look at the end of the file
    checkpoint="run/best",
    best_epoch=1,
    epochs_run=5,
    stopped_early=False,
    duration_s=1.0,
)

STUDY = Study(study_id="study", kind="crossval", created="2026-01-01T00:00:00+00:00", config={}, members=[])


def epoch(number: int) -> TrainingUpdate:
    values = {**dict.fromkeys(MONITORS, 0.5), "val_confusion_matrix": [[1]], "val_per_class": {}, "eta_s": None}
    rest = {"epochs": 5, "learning_rate": 0.1, "images_per_second": None, "epoch_s": 1.0, "is_best": True}
    return TrainingUpdate.model_validate({**values, **rest, "epoch": number})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path)


def write(workspace: Workspace, run_id: str, *events: Event) -> None:
    journal = Journal(workspace.journal_file(run_id), run_id, "default")
    for event in events:
        journal.stamp(event)
    journal.close()


ENDINGS: dict[str, tuple[Event | None, str | None]] = {
    "nothing more": (None, "crash"),
    "the server's end": (TrainingStopped(reason="server_gone", epoch=2), "server_gone"),
    "an error": (TrainingStopped(reason="error", epoch=2, message="No space left"), "error"),
    "the user's stop": (TrainingStopped(reason="user", epoch=2), "stopped"),
    "the user's word to leave it": (TrainingStopped(reason="user", epoch=2, dismissed=True), None),
    "its end": (COMPLETE, None),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_can_be_resumed_unless_it_is_complete_or_dismissed_and_a_stopped_one_is_not_called_interrupted(
    workspace: Workspace, ending: str
) -> None:
    last, cause = ENDINGS[ending]
    write(workspace, "run", STARTED, epoch(1), epoch(2), *([last] if last else []))
    found = resumable_runs(workspace)
    assert [(run.run_id, run.cause, run.epoch, run.epochs) for run in found] == (
        [("run", cause, 2, 5)] if cause else []
    )
    assert interrupted_runs(workspace) == [run for run in found if run.cause != "stopped"]
    assert latest_interrupted(workspace) == ("run" if cause else None)


def test_what_was_stopped_or_interrupted_last_is_resumed_first_whenever_it_began(workspace: Workspace) -> None:
    write(workspace, "a-old", STARTED, epoch(1))
    write(workspace, "b-new", STARTED, epoch(1))
    write(workspace, "c-left", STARTED)
    write(workspace, "a-old", STARTED, TrainingStopped(reason="user", epoch=1))
    dismiss(workspace, "c-left")
    assert [(run.run_id, run.cause) for run in resumable_runs(workspace)] == [("a-old", "stopped"), ("b-new", "crash")]
    assert latest_interrupted(workspace) == "a-old"
    save_study(workspace, STUDY)
    assert latest_interrupted(workspace) == STUDY.study_id
    save_study(workspace, STUDY.with_end("complete"))
    assert latest_interrupted(workspace) == "a-old"


def test_looking_at_runs_and_studies_takes_no_lock_and_writes_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workspace, "run", STARTED, epoch(1))
    save_study(workspace, STUDY)
    before = sorted(workspace.root.rglob("*"))

    def locking(*given: object) -> None:
        raise AssertionError("a lock was taken")

    monkeypatch.setattr(FileLock, "acquire", locking)
    assert [run.run_id for run in interrupted_runs(workspace)] == ["run"]
    assert not is_any_unfinished_run_held(workspace)
    assert read_study(workspace, STUDY.study_id).state == "interrupted"
    assert [entry.state for entry in RunSummaries(workspace).list()] == ["unknown"]
    assert sorted(workspace.root.rglob("*")) == before


def test_a_run_that_goes_on_now_is_not_interrupted(workspace: Workspace) -> None:
    write(workspace, "run", STARTED)
    with Lease(workspace).take("run"):
        assert interrupted_runs(workspace) == []
        assert is_any_unfinished_run_held(workspace)
        assert [entry.state for entry in RunSummaries(workspace).list()] == ["running"]
        with pytest.raises(RunLocked):
            dismiss(workspace, "run")
    assert [run.run_id for run in interrupted_runs(workspace)] == ["run"]


def test_a_torn_last_line_hides_nothing(workspace: Workspace) -> None:
    write(workspace, "run", STARTED, COMPLETE)
    with workspace.journal_file("run").open("ab") as file:
        file.write(b'{"type": "log", "lev')
    assert isinstance(last_event(workspace.journal_file("run")), TrainingComplete)
    assert interrupted_runs(workspace) == []


def test_a_dismissed_run_is_offered_no_more_and_can_still_be_named(workspace: Workspace) -> None:
    write(workspace, "run", STARTED, epoch(1))
    dismiss(workspace, "run")
    assert interrupted_runs(workspace) == []
    assert resumable_run(workspace, "run") == "run"
    with pytest.raises(RunNotFound):
        dismiss(workspace, "../run")


def test_a_run_without_a_checkpoint_is_found_by_its_journal(workspace: Workspace) -> None:
    write(workspace, "run", STARTED)
    assert resumable_run(workspace, "run") == "run"
    assert read_run_config(workspace, "run") == Config()
    with pytest.raises(CheckpointNotFound):
        resumable_run(workspace, "other")


def test_the_server_leaves_alone_what_an_error_stopped_or_what_never_completes_an_epoch(workspace: Workspace) -> None:
    write(workspace, "a-crash", STARTED, epoch(1))
    write(workspace, "b-error", STARTED, ENDINGS["an error"][0])  # type: ignore[arg-type]
    write(workspace, "c-loop", STARTED, STARTED, STARTED)
    write(workspace, "d-slow", STARTED, STARTED, epoch(1), STARTED, STARTED, Log(level="info", message="x"))
    found = {run.run_id: may_auto_resume(workspace, run) for run in interrupted_runs(workspace)}
    assert found == {"a-crash": True, "b-error": False, "c-loop": False, "d-slow": True}


def test_a_run_refused_before_its_first_epoch_is_not_offered_it_would_be_refused_again(workspace: Workspace) -> None:
    refused = TrainingStopped(reason="error", text=Text("error.model.weights_invalid", {"path": "a", "reason": "b"}))
    full = TrainingStopped(reason="error", text=Text("error.disk.full", {"path": "a"}))
    for run_id, events in {"a": (refused,), "b": (epoch(1), refused), "c": (full,)}.items():
        write(workspace, run_id, STARTED, *events)
    assert {run.run_id for run in interrupted_runs(workspace)} == {"b", "c"}
    assert {run.run_id for run in resumable_runs(workspace)} == {"a", "b", "c"}


def test_a_resumed_run_that_stops_before_another_epoch_still_has_those_before(workspace: Workspace) -> None:
    write(workspace, "run", STARTED, epoch(1), epoch(2), TrainingStopped(reason="user", epoch=2), STARTED)
    assert describe_stop(workspace, "run", "server_gone", 0).epoch == 2
    assert describe_stop(workspace, "run", "user", 3).epoch == 3
    write(workspace, "new", STARTED)
    assert describe_stop(workspace, "new", "user").epoch is None
    assert describe_stop(workspace, "nowhere", "user").epoch is None
