"""A survey of a place: what is seen, in which order, how much of very much, and what counts as an image or a table."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from breastai.data.sources.recognition import survey as module
from breastai.data.sources.recognition.survey import Survey, is_dicom_name, survey, survey_steps
from tests.data.published_layouts import picture, table
from tests.data.test_headers import picture as dicom

Bound = Callable[..., None]


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Bound:
    """Set bounds of the survey, by their names without the underscore."""

    def to(**bounds: Any) -> None:
        for name, value in bounds.items():
            monkeypatch.setattr(module, f"_{name}", value)

    return to


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_what_lies_there_is_told_by_its_paths_and_what_a_system_puts_there_is_not(tmp_path: Path) -> None:
    found = survey(put(tmp_path, "b.png", "a.png", "x/c.png", "x/y/d.png", "Thumbs.db", ".DS_Store", "x/.hidden"))
    assert found.files == ("a.png", "b.png", "x/c.png", "x/y/d.png")
    assert (found.folders, found.files_seen, found.complete) == (("x", "x/y"), 4, True)
    assert found.folder_names == {"x": 1, "y": 1}


def test_of_a_file_the_survey_is_that_file_alone(tmp_path: Path) -> None:
    found = survey(put(tmp_path, "a.csv", "b.png") / "a.csv")
    assert (found.place, found.files, found.folders, found.files_seen, found.complete) == (
        tmp_path,
        ("a.csv",),
        (),
        1,
        True,
    )


@pytest.mark.parametrize(
    ("images", "kept", "complete"), [(4, [0, 1, 2, 3], True), (5, [0, 1, 2, 3], False), (8, [0, 2, 4, 6], False)]
)
def test_of_many_files_in_one_folder_an_even_choice_is_kept_and_all_are_counted(
    tmp_path: Path, bound: Bound, images: int, kept: list[int], complete: bool
) -> None:
    bound(MOST_FILES_OF_ONE=4)
    found = survey(put(tmp_path, *(f"{number}.png" for number in range(images))))
    assert (found.files, found.files_seen) == (tuple(f"{number}.png" for number in kept), images)
    assert found.complete == complete


def test_a_table_among_many_files_is_never_passed_over(tmp_path: Path, bound: Bound) -> None:
    bound(MOST_FILES_OF_ONE=2)
    found = survey(put(tmp_path, "a.png", "b.CSV", "c.png", "d.png"))
    assert found.files == ("a.png", "c.png", "b.CSV") and not found.complete
    assert survey(put(tmp_path / "x", "a.CSV", "b.png", "c.png")).files == ("a.CSV", "b.png")


def test_once_many_files_are_known_a_few_of_each_further_folder_do(tmp_path: Path, bound: Bound) -> None:
    bound(MANY_FILES=3, FEW_FILES_OF_ONE=1)
    found = survey(put(tmp_path, *(f"{folder}/{number}.png" for folder in "abc" for number in range(3))))
    assert found.files == ("a/0.png", "a/1.png", "a/2.png", "b/0.png", "c/0.png")
    assert found.files_seen == 9 and not found.complete


def test_no_deeper_and_no_more_folders_than_bounded(tmp_path: Path, bound: Bound) -> None:
    put(tmp_path, "a/b/c/d.png")
    bound(DEEPEST=2)
    found = survey(tmp_path)
    assert (found.folders, found.files, found.complete) == (("a", "a/b"), (), False)
    bound(DEEPEST=3)
    assert survey(tmp_path).files == ("a/b/c/d.png",) and survey(tmp_path).complete
    bound(MOST_FOLDERS=1)
    assert survey(tmp_path).folders == ("a",)


def test_of_many_folders_beside_one_another_an_even_choice_is_looked_into_and_more_at_the_top(
    tmp_path: Path, bound: Bound
) -> None:
    bound(MOST_AT_THE_TOP=3, MOST_BESIDE=2)
    put(tmp_path, *(f"{top}/{below}/x.png" for top in "abcdef" for below in "1234"))
    found = survey(tmp_path)
    assert found.folders[:3] == ("a", "c", "e") and found.folders[3:5] == ("a/1", "a/3")
    assert len(found.folders) == 9 and len(found.files) == 6 and not found.complete


def test_it_tells_how_many_files_it_has_seen_now_and_then(tmp_path: Path, bound: Bound) -> None:
    put(tmp_path, "a.png", "x/b.png", "x/c.png")
    bound(TELL_EVERY_S=-1.0)
    assert list(survey_steps(tmp_path)) == [1, 3]
    bound(TELL_EVERY_S=3600.0)
    assert list(survey_steps(tmp_path)) == []


def test_an_image_is_one_by_its_ending_or_else_by_its_bytes(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    dicom(tmp_path / "IM0001")
    dicom(tmp_path / "b.zip")
    put(tmp_path, "broken.JPG", "notes", "notes.txt")
    found = survey(tmp_path)
    assert set(found.images) == {"a.png", "IM0001", "broken.JPG"}
    assert found.share(re.compile(r"\.")) == pytest.approx(2 / 3)
    assert survey(put(tmp_path / "none", "x.txt")).share(re.compile("x")) == 0.0


@pytest.mark.parametrize(
    ("name", "may_be"),
    [("a.dcm", True), ("A.DCM", True), ("a.dicom", True), ("x/IM1", True), ("a.1.2.840", True), ("a.png", False), ("a.TIF", False)],
)  # fmt: skip
def test_a_name_may_be_that_of_a_dicom_file(name: str, may_be: bool) -> None:
    assert is_dicom_name(name) == may_be


def test_tables_are_read_from_the_top_down_as_many_as_bounded_and_damaged_ones_left_out(
    tmp_path: Path, bound: Bound
) -> None:
    rows = [["Image Name", "class"], ["a.png", "benign"]]
    for name in ("x/a.csv", "b.csv", "x/y/c.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        table(tmp_path / name, rows)
    (tmp_path / "damaged.xlsx").write_bytes(b"no workbook")
    assert list(survey(tmp_path).tables) == ["b.csv", "x/a.csv", "x/y/c.csv"]
    bound(MOST_TABLES=3)
    assert list(survey(tmp_path).tables) == ["b.csv", "x/a.csv"]
    found = survey(tmp_path)
    assert [file for file, _ in found.tables_with("imagename", "Class")] == ["b.csv", "x/a.csv"]
    assert list(found.tables_with("image name", "patient")) == []


def test_a_few_headers_are_read_evenly_from_all_dicom_images(tmp_path: Path, bound: Bound) -> None:
    for number in range(7):
        dicom(tmp_path / f"{number}.dcm", PatientID=f"P{number}")
    picture(tmp_path / "a.png")
    bound(MOST_HEADERS=3)
    assert [header.patient_id for header in survey(tmp_path).headers] == ["P0", "P2", "P4"]
    bound(MOST_HEADERS=12)
    assert len(survey(tmp_path).headers) == 7
    assert Survey(tmp_path).headers == () and Survey(tmp_path).tables == {}
