"""Patient ids from names, folders, tables and DICOM headers."""

from pathlib import Path

import numpy as np
import pytest
from pydantic_core import to_json

from breastai.data.patients.patient_ids import judged_patients, patient_ids
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.case_table import CaseTable
from breastai.domain import text_patterns
from breastai.domain.errors import ConfigInvalid, PatientIdInvalid, PatientIdMissing
from breastai.domain.patient_settings import DicomHeader, FilenamePattern, FolderLevel, PatientTable

from .test_dicom import RAMP, content, dataset

HERE = Path()


def test_without_a_rule_nothing_is_known() -> None:
    assert patient_ids(["benign/1.png"], None, HERE) is None


def test_the_first_group_of_a_pattern_is_the_patient() -> None:
    files = ["benign/P1_left_1.png", "malignant/P1_2.png", "benign/sub/P22_1.png"]
    assert patient_ids(files, FilenamePattern(pattern=r"^(P\d+)_"), HERE) == ["P1", "P1", "P22"]


def test_a_pattern_without_a_group_is_the_patient_as_a_whole() -> None:
    assert patient_ids(["benign/x-0042-1.png"], FilenamePattern(pattern=r"\d{4}"), HERE) == ["0042"]


def test_a_pattern_sees_the_name_and_not_the_folder() -> None:
    with pytest.raises(PatientIdMissing):
        patient_ids(["P1_benign/1.png"], FilenamePattern(pattern=r"^(P\d+)_"), HERE)


def test_images_without_a_patient_are_counted_and_one_is_named() -> None:
    with pytest.raises(PatientIdMissing) as caught:
        patient_ids(["a/P1_1.png", "a/x.png", "b/y.png"], FilenamePattern(pattern=r"^(P\d+)_"), HERE)
    assert (caught.value.count, caught.value.example) == (2, "a/x.png")
    assert r"^(P\d+)_" in str(caught.value)


def test_judged_images_go_by_their_own_source_where_the_rule_of_the_run_finds_none(tmp_path: Path) -> None:
    rule = FilenamePattern(pattern=r"^(P\d+)_")
    for name in ("benign", "malignant"):
        (tmp_path / "plain" / name).mkdir(parents=True)
        (tmp_path / "plain" / name / f"scan-{name}.png").write_bytes(b"x")
    plain = read_cases(tmp_path / "plain", [], "leave_out")
    assert judged_patients(plain, rule, tmp_path) is None
    (tmp_path / "plain" / "benign" / "P1_1.png").write_bytes(b"x")
    with pytest.raises(PatientIdMissing):
        judged_patients(read_cases(tmp_path / "plain", [], "leave_out"), rule, tmp_path)
    own = CaseTable(tmp_path, ("a.png", "b.png"), np.array([0, 1]), ("x", "y"), columns={"patient": ("one", "two")})
    assert judged_patients(own, rule, tmp_path) == ["one", "two"]


def test_an_empty_group_is_no_patient() -> None:
    for pattern in (r"^(\d*)", r"^(\d+)?"):
        with pytest.raises(PatientIdMissing):
            patient_ids(["a/x.png"], FilenamePattern(pattern=pattern), HERE)


@pytest.mark.parametrize(
    "pattern", ["(", "[a", "*", r"(?P<1>x)", "a{99999999999999999999}", r"(\w+)+$", r"((a|b)+_)*", r"(?:\d{2,}x)+"]
)
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str) -> None:
    with pytest.raises(PatientIdInvalid) as caught:
        patient_ids(["a" * 200 + "!"], FilenamePattern(pattern=pattern), HERE)
    to_json(caught.value.params)


@pytest.mark.parametrize("pattern", [r"^(P\d+)_", r"([A-Z]+)-\d{3}", r"(?:IMG|SCAN)_(\d+)", r"^(\d+)(_\d)?"])
def test_ordinary_patterns_are_not_taken_for_dangerous_ones(pattern: str) -> None:
    with pytest.raises(PatientIdMissing):
        patient_ids(["a/?.png"], FilenamePattern(pattern=pattern), HERE)


def test_a_folder_below_the_class_is_the_patient() -> None:
    files = ["Benign/P1/left/1.png", "malignant/P2/1.png"]
    assert patient_ids(files, FolderLevel(folder=1), HERE) == ["P1", "P2"]
    with pytest.raises(PatientIdMissing) as caught:
        patient_ids(files, FolderLevel(folder=2), HERE)
    assert caught.value.example == "malignant/P2/1.png"
    with pytest.raises(PatientIdMissing):
        patient_ids(["benign/1.png"], FolderLevel(folder=1), HERE)


def table(folder: Path, text: str) -> PatientTable:
    (folder / "patients.csv").write_text(text, encoding="utf-8-sig")
    return PatientTable(csv="patients.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_names_the_patient_of_each_file(tmp_path: Path, separator: str) -> None:
    rows = [
        ["Patient_ID", "age", "File"],
        ["007", "50", r"benign\é 1.png"],
        ["A B", "60", "2.png"],
        ["9", "1", "other"],
    ]
    rule = table(tmp_path, "\n".join(separator.join(row) for row in rows) + "\n\n")
    assert patient_ids(["benign/é 1.png", "malignant/deep/2.png"], rule, tmp_path) == ["007", "A B"]


def test_a_file_name_that_occurs_twice_needs_its_path(tmp_path: Path) -> None:
    files = ["benign/1.png", "malignant/1.png"]
    with pytest.raises(PatientIdMissing) as caught:
        patient_ids(files, table(tmp_path, "file,patient_id\n1.png,A\n"), tmp_path)
    assert caught.value.count == 2
    rule = table(tmp_path, "file,patient_id\nbenign/1.png,A\nmalignant/1.png,B\n")
    assert patient_ids(files, rule, tmp_path) == ["A", "B"]
    with pytest.raises(PatientIdMissing):
        patient_ids(["1/x.png"], table(tmp_path, "file,patient_id\na/x.png,A\nb/x.png,B\n"), tmp_path)


def test_an_empty_cell_is_no_patient(tmp_path: Path) -> None:
    with pytest.raises(PatientIdMissing):
        patient_ids(["a/1.png"], table(tmp_path, "file,patient_id\na/1.png,\n"), tmp_path)
    with pytest.raises(PatientIdMissing):
        patient_ids(["a/1.png"], table(tmp_path, "file,patient_id\na/1.png\n"), tmp_path)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "lacks"),
        ("file,patient\n1.png,A\n", "lacks"),
        ("1.png,A\n", "lacks"),
        ("file,patient_id\n1.png,A\n1.png,B\n", "row 3 repeats the file 1.png of row 2 and names two patients"),
        ("file,patient_id\n1.png,A\n2.png,B\n1.png,A\n", "row 4 repeats the file 1.png of row 2"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(PatientIdInvalid, match=word):
        patient_ids(["a/1.png"], table(tmp_path, text), tmp_path)


def test_a_table_that_is_missing_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PatientIdInvalid, match=r"gone\.csv"):
        patient_ids(["a/1.png"], PatientTable(csv="gone.csv"), tmp_path)
    (tmp_path / "latin.csv").write_bytes(b"file,patient_id\n\x81\x8d.png,A\n")
    with pytest.raises(PatientIdInvalid, match=r"row 2: .*UTF-8"):
        patient_ids(["a/1.png"], PatientTable(csv="latin.csv"), tmp_path)


def test_the_histology_images_have_forty_patients(shared_data: Path) -> None:
    files = [
        path.relative_to(shared_data / "idc" / "train").as_posix()
        for path in (shared_data / "idc" / "train").rglob("*.png")
    ]
    ids = patient_ids(files, FilenamePattern(pattern="^([^_]+)_"), HERE)
    assert ids is not None
    assert len(set(ids)) == 40


def test_the_patient_of_a_dicom_header_is_known_by_a_hash_that_other_projects_do_not_share(tmp_path: Path) -> None:
    rule = DicomHeader(dicom="patient_id")
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
    for name, patient in (("1.dcm", "MRN-1"), ("2.dcm", " MRN-1 "), ("3.dcm", "MRN-2")):
        (tmp_path / name).write_bytes(content(dataset(RAMP, PatientID=patient)))
    files = ["1.dcm", "2.dcm", "3.dcm"]
    found = patient_ids(files, rule, tmp_path / "here", tmp_path)
    assert found is not None
    assert found[0] == found[1] != found[2]
    assert not any("MRN" in patient for patient in found)
    assert patient_ids(files, rule, tmp_path / "here", tmp_path) == found
    elsewhere = patient_ids(files, rule, tmp_path / "elsewhere", tmp_path)
    assert elsewhere is not None and not set(elsewhere) & set(found)


def test_a_picture_and_a_header_without_an_id_have_no_patient(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "empty.dcm").write_bytes(content(dataset(RAMP, PatientID="")))
    for name in ("picture.png", "empty.dcm"):
        with pytest.raises(PatientIdMissing, match="dicom: patient_id"):
            patient_ids([name], DicomHeader(dicom="patient_id"), tmp_path, tmp_path)


@pytest.mark.parametrize("pattern", [r"^(a|a)*$", r"^(\w|a|[a-z])*$"])
def test_a_pattern_without_an_end_is_given_up(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_patterns, "PATTERN_S", 0.2)
    with pytest.raises(ConfigInvalid, match="took more than"):
        patient_ids([f"a/{'a' * 240}!.png"], FilenamePattern(pattern=pattern), HERE)
