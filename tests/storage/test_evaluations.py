"""Records of evaluations, and the count of openings."""

from breastai.domain.evidence import CalibrationEvidence, EvaluationRecord, Evidence, Reliability
from breastai.storage.evaluations import (
    count_opening,
    evaluations_dir,
    fingerprint,
    read_evaluations,
    save_evaluation,
)
from breastai.storage.workspace import Workspace


def record(split: str | None, data: str = "data/test") -> EvaluationRecord:
    nothing = Reliability(curve={}, ece=None, brier=None, log_loss=None)
    found = Evidence(
        class_names=["a", "b"],
        n=0,
        patients=None,
        counts={},
        figures={},
        confusion_matrix=[],
        calibration=CalibrationEvidence(temperature=1, prior_shift=[], before=nothing, after=nothing),
    )
    return EvaluationRecord(
        notice="",
        created="now",
        breastai="4",
        run_id="run",
        checkpoint="run/best",
        data=data,
        split=split,
        evidence=found,
    )


def test_records_are_numbered_within_the_run_and_read_in_order(tmp_path):
    workspace = Workspace.open(tmp_path)
    names = [save_evaluation(workspace, record(split)).name for split in ("test", "test", "val")]
    assert names == ["test-1.json", "test-2.json", "val-3.json"]
    (evaluations_dir(workspace, "run") / "test-9.json").write_text("{}")
    assert [path.name for path, _ in read_evaluations(workspace, "run")] == names


def test_a_record_of_other_data_takes_a_name_that_is_safe(tmp_path):
    workspace = Workspace.open(tmp_path)
    for data in ("/else/where/busi (copy)", "../..", ""):
        path = save_evaluation(workspace, record(None, data))
        assert path.parent == evaluations_dir(workspace, "run")
        assert set(path.stem) <= set("abcdefghijklmnopqrstuvwxyz_-0123456789.")


def test_a_set_of_images_is_known_whatever_its_order_and_each_opening_counts(tmp_path):
    workspace = Workspace.open(tmp_path)
    one, other = fingerprint(["a", "b"]), fingerprint(["a", "c"])
    assert one == fingerprint(["b", "a"]) != other
    assert [count_opening(workspace, one, "run/best") for _ in range(3)] == [1, 2, 3]
    assert count_opening(workspace, other, "run/best") == 1
