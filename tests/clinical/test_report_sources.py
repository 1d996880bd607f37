"""Where a report comes from: the journal, the checkpoint and the records; the operating point in plain words."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from breastai.clinical.report.report_sources import (
    WORST_CASES,
    _comparisons,
    _crosstab,
    _latest,
    _per_hundred,
    _readers,
    gather,
)
from breastai.clinical.worst_errors import wrong_answers
from breastai.domain.class_match import match_classes
from breastai.domain.comparison_record import ComparisonRecord
from breastai.domain.config import parse_config
from breastai.domain.events import AuditDone, DataLoaded, Event, TrainingComplete, TrainingStarted, TrainingUpdate
from breastai.domain.reader_records import ReaderStudyRecord
from breastai.domain.records import EvaluationRecord, Figure, Finding
from breastai.storage.checkpoints import checkpoint_files
from breastai.storage.evaluations import fingerprint
from breastai.storage.journal import Journal
from breastai.storage.workspace import Workspace

from .test_report import RUN, made_run
from .test_report_charts import POINT


def evidence(sensitivity: Figure, specificity: Figure) -> Any:
    figures = {"sensitivity": sensitivity, "specificity": specificity}
    return SimpleNamespace(operating_point=POINT.model_copy(update={"figures": figures}))


def test_of_a_hundred_as_many_are_missed_and_flagged_as_the_shares_leave() -> None:
    found = _per_hundred(
        evidence(Figure(value=0.9, low=0.8, high=0.97, n=20), Figure(value=0.7, low=0.55, high=0.82, n=40))
    )
    assert found is not None
    assert (found.missed, found.missed_low, found.missed_high) == (10, 3, 20)
    assert (found.called, found.called_low, found.called_high) == (30, 18, 45)


@pytest.mark.parametrize("bound", ["low", "high"])
def test_without_an_interval_there_are_no_bounds_and_without_a_share_nothing(bound: str) -> None:
    whole = Figure(value=0.9, low=0.8, high=0.97, n=20)
    found = _per_hundred(evidence(whole.model_copy(update={bound: None}), whole))
    assert found is not None and (found.missed, found.missed_low, found.missed_high) == (10, None, None)
    assert found.called_low == 3
    nothing = Figure(value=None, n=0)
    assert _per_hundred(evidence(nothing, whole)) is None is _per_hundred(evidence(whole, nothing))
    for none in (None, SimpleNamespace(operating_point=None)):
        assert _per_hundred(none) is None is _crosstab(none)  # type: ignore[arg-type]


def test_the_table_at_the_threshold_adds_up_to_the_cases() -> None:
    found = _crosstab(evidence(Figure(value=0.9, n=20), Figure(value=0.7, n=40)))
    assert found is not None and (found.hits, found.missed, found.alarms, found.cleared) == (18, 2, 12, 28)


def told(workspace: Workspace, *events: Event) -> None:
    """Add events to the journal of the run."""
    journal = Journal(workspace.journal_file(RUN), RUN, "default")
    for event in events:
        journal.stamp(event)
    journal.close()


def update(epoch: int, loss: float | None, epoch_s: float = 1.25) -> TrainingUpdate:
    return TrainingUpdate(
        epoch=epoch,
        epochs=3,
        metrics={"train_loss": 0.5, "val_loss": loss},
        val_confusion_matrix=[],
        val_per_class={},
        learning_rate=0.1,
        images_per_second=None,
        epoch_s=epoch_s,
        eta_s=None,
        is_best=False,
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace with a run that was judged on nothing but its validation images."""
    found = Workspace.open(tmp_path / "workspace")
    made_run(found, evaluated=False)
    return found


def test_images_in_and_out_are_those_that_were_told_last(workspace: Workspace) -> None:
    loaded = DataLoaded(
        train={"benign": 20, "malignant": 9},
        val={"benign": 3, "malignant": 2},
        split="by hand",
        patients=12,
        patients_by_part={"train": 8, "val": 3, "calibration": 1},
        skipped=4,
        masks=5,
        on_leak="exclude",
        groups=6,
        excluded={"twin_in_val": 7},
        shared_patients={"val": 2},
        shared_groups={"val": 1},
    )
    told(workspace, loaded)
    document, record = gather(workspace, RUN, "en")
    flow = document.flow
    assert record is None and flow is not None and document.patients == 12
    assert (flow.train, flow.val, flow.train_total, flow.val_total) == (loaded.train, loaded.val, 29, 5)
    assert (flow.skipped, flow.masks, flow.left_out, flow.found) == (4, 5, {"twin_in_val": 7}, 29 + 5 + 4 + 7)
    assert (flow.train_patients, flow.val_patients, flow.calibration_patients) == (8, 3, 1)
    assert (flow.test_total, flow.test_patients, flow.test_skipped) == (None, None, None)
    split = document.split
    assert (split["on_leak"], split["groups"], split["seed"]) == ("exclude", 6, 7)
    assert (split["shared_patients"], split["shared_groups"]) == ({"val": 2}, {"val": 1})


def test_of_a_run_whose_journal_tells_nothing_the_checkpoint_does(workspace: Workspace) -> None:
    workspace.journal_file(RUN).write_text("", encoding="utf-8")
    told(workspace, TrainingStarted(architecture="resnet50", epochs=3, class_names=["a", "b"], config={}))
    document, _ = gather(workspace, RUN, "en")
    flow = document.flow
    assert flow is not None and (flow.train_total, flow.val_total, flow.found, flow.masks) == (1, 1, 2, 0)
    assert (flow.train, flow.skipped, flow.left_out, document.patients, document.audit) == ({}, 0, {}, None, None)
    assert document.split["on_leak"] == "continue" and document.split["groups"] == 0
    assert document.split["shared_patients"] == {} == document.split["shared_groups"]
    assert document.model["parameters"] is None and document.training is not None
    assert (document.training["epochs_run"], document.training["complete"]) == (0, False)
    assert document.training["stopped_early"] is None


def test_images_set_aside_to_calibrate_are_in_the_flow_and_have_a_hash(workspace: Workspace) -> None:
    path = checkpoint_files(workspace, RUN, "best").manifest
    manifest = json.loads(path.read_text(encoding="utf-8"))
    before = gather(workspace, RUN, "en")[0]
    manifest["split"]["calibration_sha256"] = ["c", "d"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    document, _ = gather(workspace, RUN, "en")
    assert before.flow is not None and document.flow is not None
    assert document.flow.calibration_total == 2 and document.flow.found == before.flow.found + 2
    assert document.fingerprints == before.fingerprints | {"calibration": fingerprint(["c", "d"])}
    assert set(before.fingerprints) == {"train", "val", "weights"}
    assert before.fingerprints["train"] == fingerprint(["a"]) != before.fingerprints["val"] == fingerprint(["b"])


def test_an_epoch_that_was_repeated_counts_once_as_it_was_told_last(workspace: Workspace) -> None:
    ended = TrainingComplete(
        final_metrics={}, history={}, checkpoint="x", best_epoch=2, epochs_run=3, stopped_early=True, duration_s=9.0
    )
    told(workspace, update(1, 0.9), update(2, 0.8), update(3, None), update(2, 0.7, 2.0))
    training = gather(workspace, RUN, "en")[0].training
    assert training is not None and not training["complete"] and training["stopped_early"] is None
    told(workspace, ended)
    training = gather(workspace, RUN, "en")[0].training
    assert training == {
        "epochs_planned": parse_config({}).training.epochs,
        "epochs_run": 3,
        "best_epoch": 2,
        "stopped_early": True,
        "complete": True,
        "duration_s": 4.5,
        "monitor": training["monitor"],
        "train_loss": [0.5, 0.5, 0.5],
        "val_loss": [0.9, 0.7, None],
        "epoch": [1, 2, 3],
    }


def test_findings_name_no_files_and_older_journals_tell_of_groups_by_those_listed(workspace: Workspace) -> None:
    audit = gather(workspace, RUN, "en")[0].audit
    assert audit is not None and (audit.images, audit.groups, audit.contradicting, audit.across) == (420, 31, 1, 1)
    assert [finding.files for finding in audit.findings] == [[], []]
    assert [finding.count for finding in audit.findings] == [4, 1]


def test_who_is_in_two_parts_is_known_from_the_audit_where_it_was_not_told(workspace: Workspace) -> None:
    def across(split: str, other: str, count: int) -> Finding:
        params = {"split": split, "other": other, "count": count}
        return Finding(code="patients.across_splits", severity="error", message="", why="", advice="", params=params)

    findings = [across("val", "train", 3), across("test", "val", 4), across("test", "train", 5)]
    told(workspace, AuditDone(images=1, findings=findings, groups=[]))
    assert gather(workspace, RUN, "en")[0].split["shared_patients"] == {"val": 3, "test": 5}


def judged(split: str | None, n: int, matched: dict[str, int] | None = None) -> EvaluationRecord:
    match = None if matched is None else match_classes("x", matched, ["benign", "malignant"])
    return cast(EvaluationRecord, SimpleNamespace(split=split, n=n, class_match=match))


PLAIN, OTHERS = {"benign": 1, "malignant": 1}, {"malignant": 1}


@pytest.mark.parametrize(
    ("records", "latest"),
    [
        ([], None),
        ([judged("val", 1)], 1),
        ([judged("val", 1), judged("val", 2)], 2),
        ([judged("test", 1), judged("val", 2)], 1),
        ([judged("test", 1), judged("test", 2), judged(None, 3)], 2),
        ([judged("val", 1), judged("test", 2, OTHERS)], 1),
        ([judged("val", 1), judged("test", 2, PLAIN)], 2),
        ([judged("test", 1, OTHERS), judged("val", 2, OTHERS)], 1),
    ],
)
def test_a_report_rests_on_the_latest_test_images_with_the_model_s_classes_else_on_the_latest(
    records: list[EvaluationRecord], latest: int | None
) -> None:
    found = _latest(records)
    assert (None if found is None else found.n) == latest  # type: ignore[attr-defined]


def test_the_latest_comparisons_and_readers_of_the_run_are_in_its_report_and_no_others(workspace: Workspace) -> None:
    def compared(first: str, second: str) -> ComparisonRecord:
        return ComparisonRecord.model_construct(first=first, second=second)

    def read(model: str | None) -> ReaderStudyRecord:
        return ReaderStudyRecord.model_construct(model=model)

    own = [compared(f"{RUN}/best", "b/best"), compared("b/best", f"{RUN}/last"), compared("c/best", f"{RUN}/best")]
    kept = [compared("a/best", "b/best"), read(None), *own, compared(RUN, RUN), read("b/best")]
    assert _comparisons(kept, RUN) == own
    studies = [read(f"{RUN}/best"), read(f"{RUN}/last")]
    assert _readers([*kept, *studies, compared(RUN, "b")], RUN) == studies
    assert _readers(studies * 2, RUN) == [*studies, studies[0]]


def test_a_report_keeps_twelve_of_the_worst_errors_in_their_order(workspace: Workspace) -> None:
    made_run(workspace)
    document, record = gather(workspace, RUN, "en")
    assert record is not None
    wrong = wrong_answers(record)
    assert len(wrong) > WORST_CASES == len(document.worst) == 12
    assert [case.number for case in document.worst] == [number for number, _ in wrong[:12]]
    for case in document.worst:
        assert case.name_sha256 == record.cases[case.number].name_sha256
        assert case.label == record.cases[case.number].label
