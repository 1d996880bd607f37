"""What decisions are of: what the data suggest, what a setting asks for, and of whom a new image is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from breastai.data.decoders.decoder import FileHeader
from breastai.data.patients import decision_units
from breastai.data.patients.decision_units import FoundUnit, choose_unit, unit_names, units_of_files
from breastai.data.sources.case_table import CaseTable
from breastai.domain.case_fields import FolderRule, PathRule
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.errors import DecisionUnitUnknown
from breastai.domain.patient_settings import DicomHeader, FilenamePattern, FolderLevel
from breastai.domain.unit_rule import Pooling, UnitRule


def table(labels: list[int], **columns: Any) -> CaseTable:
    files = tuple(f"x/{number}.png" for number in range(len(labels)))
    return CaseTable(Path("x"), files, np.array(labels), ("a", "b"), columns=columns)


def rule(unit: Any, **found: Any) -> UnitRule:
    return UnitRule(unit=unit, pooling=Pooling(rule="mean", class_name="a"), decision=DecisionRule(), **found)


SIDES = ("L", "L", "R", "R")


@pytest.mark.parametrize(
    ("labels", "patients", "sides", "expected"),
    [
        ([0, 0, 1, 1], ["1", "1", "1", "1"], SIDES, "breast"),
        ([0, 1, 1, 1], ["1", "1", "1", "1"], SIDES, "breast"),  # of two classes: any image tells
        ([0, 0, 1, 1], ["1", "1", "2", "2"], None, "patient"),
        ([0, 1, 1, 1], ["1", "1", "2", "2"], None, None),  # patches of several tissues
        ([0, 0, 1, 1], ["1", "2", "3", "4"], None, None),  # an image each
        ([0, 0, 1, 1], ["1", "1", "2", "2"], ("L", "R", "L", "R"), "patient"),  # an image a breast
        ([0, 0, 1, 1], ["1", "1", "2", "2"], ("L", None, "L", "R"), "patient"),
        ([0, 0, 1, 1], None, SIDES, None),
    ],
)
def test_the_data_suggest_a_unit(labels: Any, patients: Any, sides: Any, expected: Any) -> None:
    chosen = choose_unit(table(labels, **({} if sides is None else {"breast": sides})), patients, "auto")
    assert chosen.unit == expected and (chosen.reason is None) == (expected is None)


def test_images_are_decided_singly_where_a_setting_says_so() -> None:
    assert choose_unit(table([0, 0, 1, 1], breast=SIDES), ["1"] * 4, "image").unit is None


@pytest.mark.parametrize(
    ("unit", "patients", "missing"),
    [("breast", ["1"] * 4, "reason.unit_breast_unknown"), ("exam", ["1"] * 4, "reason.unit_exam_unknown"), ("patient", None, "reason.unit_patients_unknown")],
)  # fmt: skip
def test_a_unit_that_is_asked_for_and_unknown_is_an_error_that_says_what_lacks(
    unit: Any, patients: Any, missing: str
) -> None:
    with pytest.raises(DecisionUnitUnknown) as raised:
        choose_unit(table([0, 0, 1, 1]), patients, unit)
    assert getattr(raised.value.reason, "code", None) == missing


def test_a_breast_is_named_by_its_patient_and_side() -> None:
    names = unit_names(table([0, 0, 1, 1], breast=("L", "R", "L", None)), ["1", "1", "2", "2"], "breast")
    assert names == ["1/L", "1/R", "2/L", None]


def test_names_of_new_files_tell_their_unit() -> None:
    found = units_of_files([Path("in/P7_LEFT_CC.png"), Path("in/P7_RIGHT_CC.png"), Path("in/other.png")], rule(
        "breast",
        patient_id=FilenamePattern(pattern=r"^(P\d+)_"),
        fields={"breast": PathRule(path=r"_(LEFT|RIGHT)_")},
    ))  # fmt: skip
    assert found == [FoundUnit("P7", "L"), FoundUnit("P7", "R"), None]


def test_folders_count_from_the_file_and_not_from_a_root_nobody_knows() -> None:
    files = [Path("in/P1/left/a.png"), Path("in/P2/left/a.png")]
    by_end = {"patient": FolderRule(folder=-2), "breast": FolderRule(folder=-1)}
    assert units_of_files(files, rule("breast", fields=by_end)) == [FoundUnit("P1", "L"), FoundUnit("P2", "L")]
    patterned = {"patient": FolderRule(folder=-2, pattern=r"P(\d+)"), "breast": FolderRule(folder=-1)}
    assert units_of_files(files, rule("breast", fields=patterned)) == [FoundUnit("1", "L"), FoundUnit("2", "L")]
    assert units_of_files(files, rule("patient", patient_id=FolderLevel(folder=1))) == [None, None]
    assert units_of_files(files, rule("patient", fields={"patient": FolderRule(folder=1)})) == [None, None]
    assert units_of_files(files, rule("patient", fields={"patient": PathRule(path=r"^([^/]+)/")})) == [None, None]


def test_a_pattern_takes_the_patient_out_of_what_a_header_says(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"a.dcm": "P_00001_LEFT_CC", "b.dcm": "P_00001_LEFT_MLO", "c.dcm": "unknown"}
    monkeypatch.setattr(decision_units, "file_header", lambda file: FileHeader(patient_id=said[Path(file).name]))
    patterned = DicomHeader(dicom="patient_id", pattern=r"^(P_\d+)_")
    found = units_of_files([Path(name) for name in said], rule("patient", patient_id=patterned))
    assert found == [FoundUnit("P_00001", is_private=True), FoundUnit("P_00001", is_private=True), None]


def test_all_of_one_patient_are_parted_by_what_is_known_of_the_breast() -> None:
    by_side = rule("breast", fields={"breast": PathRule(path=r"_(LEFT|RIGHT)_")})
    files = [Path("a_LEFT_1.png"), Path("b_RIGHT_1.png")]
    assert units_of_files(files, by_side, one_patient=True) == [FoundUnit("", "L"), FoundUnit("", "R")]
    assert set(units_of_files([Path("a.png"), Path("b.png")], by_side, one_patient=True)) == {FoundUnit("")}


def test_a_header_tells_the_patient_whom_nothing_shown_may_name(shared_data: Path) -> None:
    files = sorted((shared_data / "dicom").rglob("*.dcm"))[:4]
    found = units_of_files(files, rule("patient", patient_id=DicomHeader(dicom="patient_id")))
    assert any(unit is not None and unit.is_private for unit in found)
