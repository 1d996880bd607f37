"""Records of evaluations, and the count of openings."""

import json

from breastai.domain.records import CalibrationEvidence, EvaluationRecord, Evidence, JudgedCase, Reliability
from breastai.storage.evaluations import (
    count_opening,
    evaluations_dir,
    fingerprint,
    numbers_by_hash,
    read_evaluations,
    save_evaluation,
    sha256_of,
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


def test_a_record_from_before_has_its_metrics_by_the_names_of_today(tmp_path):
    workspace = Workspace.open(tmp_path)
    path = save_evaluation(workspace, record("test"))
    values = json.loads(path.read_text(encoding="utf-8"))
    figure = {"value": 0.5, "low": None, "high": None, "n": 4, "flag": None}
    values["evidence"]["figures"] = {"f1.macro": figure, "auc_roc.macro@patient": figure, "auc_roc.a": figure}
    path.write_text(json.dumps(values), encoding="utf-8")
    ((_, found),) = read_evaluations(workspace, "run")
    assert list(found.evidence.figures) == ["f1_macro", "auc_roc@patient", "auc_roc.a"]


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


# --- who the cases are ---


def with_cases(*patients: str) -> EvaluationRecord:
    cases = [
        JudgedCase(
            name_sha256=sha256_of(f"benign/{patient}.png"),
            patient_sha256=sha256_of(patient),
            label="a",
            probabilities=[1.0, 0.0],
        )
        for patient in patients
    ]
    return record("test").model_copy(update={"cases": cases})


def test_no_patient_or_file_is_found_by_trying_out_ids(tmp_path):
    """Every id from P00000 to P00999, and what files of theirs may be called, hashed as anybody could."""
    workspace = Workspace.open(tmp_path)
    text = save_evaluation(workspace, with_cases("P00417", "P00418")).read_text()
    ids = [f"P{number:05}" for number in range(1000)]
    tried = [name.format(patient) for patient in ids for name in ("{}", "benign/{}.png", "{}.png")]
    assert not any(sha256_of(name) in text or sha256_of(name)[:16] in text for name in tried)
    assert "P00417" not in text


def test_the_same_patient_is_known_again_in_every_record_of_the_workspace_and_in_no_other(tmp_path):
    one, other = Workspace.open(tmp_path / "one"), Workspace.open(tmp_path / "other")
    for workspace in (one, one, other):
        save_evaluation(workspace, with_cases("P1", "P2", "P1"))
    first, second = (found.cases for _, found in read_evaluations(one, "run"))
    assert first == second
    assert first[0].patient_sha256 == first[2].patient_sha256 != first[1].patient_sha256
    (elsewhere,) = (found.cases for _, found in read_evaluations(other, "run"))
    assert {case.patient_sha256 for case in elsewhere}.isdisjoint(case.patient_sha256 for case in first)


def test_files_are_found_again_by_salted_hashes_and_by_those_of_older_records(tmp_path):
    workspace = Workspace.open(tmp_path)
    save_evaluation(workspace, with_cases("P1", "P2"))
    ((path, kept),) = read_evaluations(workspace, "run")
    older = json.loads(path.read_text())
    del older["hashes"]
    for case in older["cases"]:
        case["name_sha256"] = sha256_of("benign/P2.png")
    (path.parent / "test-2.json").write_text(json.dumps(older))
    numbers = numbers_by_hash(workspace, ["benign/P2.png", "benign/P1.png"])
    assert [numbers[case.name_sha256] for case in kept.cases] == [1, 0]
    _, (_, old) = read_evaluations(workspace, "run")
    assert [numbers[case.name_sha256] for case in old.cases] == [0, 0] and old.hashes == "sha256"


def test_a_damaged_salt_loses_no_evaluation_and_lends_its_hashes_to_nobody(tmp_path):
    workspace = Workspace.open(tmp_path)
    (workspace.root / ".salt").write_text("not a salt")
    save_evaluation(workspace, with_cases("P1"))
    ((_, kept),) = read_evaluations(workspace, "run")
    assert kept.hashes == "salted" and kept.cases[0].patient_sha256 not in numbers_by_hash(workspace, ["P1"])
