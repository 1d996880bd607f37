"""Runs on disk: their summaries, notes and end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from breastai.domain.config import Config
from breastai.domain.errors import RunLocked, RunNotFound
from breastai.domain.events import DataLoaded, TrainingStarted, TrainingStopped, TrainingUpdate
from breastai.domain.list_entries import RunEntry
from breastai.domain.metric_catalog import MONITORS
from breastai.domain.records import Figure, JudgedPoint
from breastai.domain.run_history import thin_history
from breastai.domain.study import Study
from breastai.storage.atomic_checkpoint import save_checkpoint
from breastai.storage.checkpoints import SplitRecord, checkpoint_files
from breastai.storage.evaluations import save_evaluation
from breastai.storage.journal import Journal
from breastai.storage.lease import Lease
from breastai.storage.runs import RunNotes, RunSummaries, compare_runs, delete_run, read_notes, sort_runs, write_notes
from breastai.storage.studies import save_study
from breastai.storage.workspace import Workspace

from .test_checkpoints import manifest
from .test_evaluations import record as evaluation

FIGURES = dict.fromkeys(MONITORS, 0.5)


def update(epoch: int, is_best: bool) -> TrainingUpdate:
    values = {
        **FIGURES, "epoch": epoch, "epochs": 9, "val_accuracy": epoch / 10, "val_confusion_matrix": [[1, 0], [0, 1]],
        "val_per_class": {}, "learning_rate": 0.1, "images_per_second": None, "epoch_s": 1.0, "eta_s": None,
        "is_best": is_best,
    }  # fmt: skip
    return TrainingUpdate.model_validate(values)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path)


@pytest.fixture
def record(workspace: Workspace) -> Callable[..., str]:
    """Write the journal of a run: its best epoch is `best`, and it ends as `reason` says, if at all."""

    def written(
        run_id: str, epochs: int = 3, best: int = 2, reason: str | None = None, start: int = 1, **settings: object
    ) -> str:
        config = Config.model_validate(settings)
        journal = Journal(workspace.journal_file(run_id), run_id, "default")
        journal.stamp(
            TrainingStarted(
                architecture=config.model.architecture, epochs=9, start_epoch=start, class_names=["\"is_best\":true", "b"],
                config=config.model_dump(mode="json"),
            )
        )  # fmt: skip
        for epoch in range(start, epochs + 1):
            journal.stamp(update(epoch, epoch == best))
        if reason is not None:
            journal.stamp(TrainingStopped(reason=reason, epoch=epochs))
        journal.close()
        return run_id

    return written


def test_a_run_is_what_its_journal_says(workspace: Workspace, record: Callable[..., str]) -> None:
    record("a", best=2, reason="user", data={"train_dir": "d/train"})
    (entry,) = RunSummaries(workspace).list()
    assert (entry.state, entry.epochs, entry.epochs_run, entry.best_epoch) == ("stopped", 9, 3, 2)
    assert (entry.metrics["accuracy"], entry.data) == (0.2, "d/train")
    assert entry.started is not None and entry.ended is not None and entry.started <= entry.ended
    assert entry.size_bytes == workspace.journal_file("a").stat().st_size


def test_runs_are_listed_newest_first_with_the_state_each_is_in(
    workspace: Workspace, record: Callable[..., str]
) -> None:
    for run_id, reason in (("a", "error"), ("b", None), ("c", None)):
        record(run_id, reason=reason)
    entries = RunSummaries(workspace).list(running="c")
    assert [(entry.run_id, entry.state) for entry in entries] == [("c", "running"), ("b", "unknown"), ("a", "failed")]


def test_a_journal_that_grows_is_read_again_and_a_resumed_run_has_not_ended(
    workspace: Workspace, record: Callable[..., str]
) -> None:
    summaries = RunSummaries(workspace)
    record("a", reason="user")
    assert summaries.entry("a").state == "stopped"
    record("a", start=4, epochs=5, best=5)
    entry = summaries.entry("a")
    assert (entry.state, entry.epochs_run, entry.best_epoch) == ("unknown", 5, 5)


def test_a_search_looks_for_every_word_in_names_tags_and_notes(
    workspace: Workspace, record: Callable[..., str]
) -> None:
    record("a", model={"architecture": "resnet50"})
    record("b")
    write_notes(workspace, "b", RunNotes(tags=["Œdème"], note="for the ward round"))
    summaries = RunSummaries(workspace)
    found = {
        words: [entry.run_id for entry in summaries.list(words)] for words in ("ResNet", "œdème ROUND", "b round a9")
    }
    assert found == {"ResNet": ["a"], "œdème ROUND": ["b"], "b round a9": []}


def test_notes_that_are_damaged_or_of_no_run_are_none(workspace: Workspace, record: Callable[..., str]) -> None:
    record("a")
    write_notes(workspace, "a", RunNotes(tags=["x"]))
    assert read_notes(workspace, "a").tags == ["x"]
    (workspace.run_dir("a") / "notes.json").write_text("{")
    assert read_notes(workspace, "a") == RunNotes()
    with pytest.raises(RunNotFound):
        write_notes(workspace, "nothing", RunNotes())


def test_a_deleted_run_leaves_nothing_but_exports(workspace: Workspace, record: Callable[..., str]) -> None:
    record("a")
    record("b")
    weights = workspace.checkpoint_dir("a")
    weights.mkdir()
    for name in ("best.json", "best.safetensors"):
        (weights / name).write_text("{}")
    report = workspace.run_dir("a") / "report" / "report.en.html"
    report.parent.mkdir()
    report.write_text("<h1>")
    export = workspace.exports_dir / "a_best.onnx"
    export.write_text("model")
    assert delete_run(workspace, "a") == ["a/best"]
    assert not weights.exists() and not workspace.run_dir("a").exists()
    assert export.is_file()
    assert workspace.runs() == ["b"]


def test_a_run_that_a_process_works_on_is_not_deleted(workspace: Workspace, record: Callable[..., str]) -> None:
    record("a")
    with Lease(workspace).take("a"), pytest.raises(RunLocked):
        delete_run(workspace, "a")
    assert workspace.runs() == ["a"]


def test_a_run_that_a_study_in_progress_still_needs_is_not_deleted(
    workspace: Workspace, record: Callable[..., str]
) -> None:
    record("study-1")
    save_study(workspace, Study(study_id="study", kind="crossval", created="", config={}, members=[]))
    with Lease(workspace).take("study"), pytest.raises(RunLocked):
        delete_run(workspace, "study-1")
    delete_run(workspace, "study-1")
    assert workspace.runs() == []


@pytest.mark.parametrize("name", ["..", "../x", "none"])
def test_only_a_run_that_exists_is_deleted(workspace: Workspace, name: str) -> None:
    with pytest.raises(RunNotFound):
        delete_run(workspace, name)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_run_whose_folder_is_a_link_is_left_alone(workspace: Workspace, record: Callable[..., str]) -> None:
    record("a")
    elsewhere = workspace.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "keep").write_text("")
    workspace.checkpoint_dir("a").symlink_to(elsewhere)
    with pytest.raises(RunLocked):
        delete_run(workspace, "a")
    assert (elsewhere / "keep").exists()


def test_compared_runs_have_their_curves_and_only_the_settings_that_differ(
    workspace: Workspace, record: Callable[..., str]
) -> None:
    record("a", epochs=3)
    record("b", epochs=5, training={"learning_rate": 0.1}, evaluation={"patient_id": {"folder": 1}})
    found = compare_runs(workspace, RunSummaries(workspace), ["b", "a"])
    assert [(run.run.run_id, run.epochs, run.curves["epoch"]) for run in found.runs] == [
        ("b", 5, [1, 2, 3, 4, 5]),
        ("a", 3, [1, 2, 3]),
    ]
    assert {row.path: row.values for row in found.differences} == {
        "training.learning_rate": [0.1, 0.0003],
        "evaluation.patient_id": [{"folder": 1}, None],
    }


def test_many_epochs_are_thinned_evenly_with_their_ends() -> None:
    updates = [update(epoch, False) for epoch in range(1, 1002)]
    kept = [each.epoch for each in thin_history(updates, 101)]
    assert kept == list(range(1, 1002, 10))
    assert thin_history(updates[:5], 101) == updates[:5]


def test_runs_without_what_they_are_sorted_by_come_last_whichever_way() -> None:
    runs = [
        RunEntry(run_id="a", state="complete", metrics={"auc_roc": 0.7}),
        RunEntry(run_id="b", state="stopped"),
        RunEntry(run_id="c", state="complete", metrics={"auc_roc": 0.9}, started="2026-01-01T00:00:00+00:00", ended="2026-01-01T00:01:00+00:00"),
    ]  # fmt: skip
    assert [run.run_id for run in sort_runs(runs, "auc_roc", True)] == ["c", "a", "b"]
    assert [run.run_id for run in sort_runs(runs, "auc_roc", False)] == ["a", "c", "b"]
    assert [run.run_id for run in sort_runs(runs, "duration", False)] == ["c", "a", "b"]
    assert [run.run_id for run in sort_runs(runs, "run_id", True)] == ["c", "b", "a"]


def test_a_run_tells_its_images_its_study_and_the_sensitivity_it_was_last_judged_to_have(
    workspace: Workspace, record: Callable[..., str]
) -> None:
    record("s-r1f1")
    journal = Journal(workspace.journal_file("s-r1f1"), "s-r1f1", "default")
    journal.stamp(DataLoaded(train={"a": 3, "b": 4}, val={"a": 1, "b": 1}, split="by image"))
    journal.close()
    save_study(workspace, Study(study_id="s", kind="crossval", created="2026-01-01", config={}, members=[]))
    (entry,) = RunSummaries(workspace).list()
    assert (entry.training_images, entry.validation_images, entry.study) == (7, 2, "s")
    assert (entry.sensitivity, entry.sensitivity_on) == (None, None)
    for split, value in (("val", 0.9), ("test", 0.8)):
        figure = Figure(value=value, low=None, high=None, n=10)
        point = JudgedPoint(
            class_name="b", threshold=0.3, target_sensitivity=0.9, validation_positives=9, reached=True,
            figures={"sensitivity": figure}, positives=10, missed=1, negatives=10, called=1,
        )  # fmt: skip
        found = evaluation(split, "d")
        evidence = found.evidence.model_copy(update={"operating_point": point})
        save_evaluation(workspace, found.model_copy(update={"run_id": "s-r1f1", "evidence": evidence}))
    (entry,) = RunSummaries(workspace).list()
    assert (entry.sensitivity, entry.sensitivity_on) == (0.8, "d · test")


def test_runs_say_whether_they_were_validated_on_the_same_images(
    workspace: Workspace, record: Callable[..., str]
) -> None:
    summaries = RunSummaries(workspace)
    for run_id, folder, hashes in (
        ("a", "d", "12"),
        ("b", "d", "21"),
        ("c", "d", "13"),
        ("e", "d", ""),
        ("f", "other", ""),
    ):
        record(run_id, data={"train_dir": folder})
        files = checkpoint_files(workspace, run_id, "best")
        split = SplitRecord(train=[], val=list(hashes), train_sha256=[], val_sha256=list(hashes))
        made = manifest(run_id).model_copy(update={"kind": "best", "split": split})
        save_checkpoint(files, made, lambda path: path.write_bytes(b"w"), None)
    told = {"ab": True, "ac": False, "ae": None, "ef": False}
    assert {pair: compare_runs(workspace, summaries, list(pair)).same_images for pair in told} == told
