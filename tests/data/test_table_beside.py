"""A table beside class folders: whose the images are and which part, and where it says another class."""

import csv
import shlex
from pathlib import Path

import pytest

from breastai.data.cases.inspection import inspect_place
from breastai.data.patients.patient_ids import patients_in
from breastai.data.sources.case_source import read_cases
from breastai.domain.dataset_inspection import DatasetInspection, ReadingChanges
from tests.data.published_layouts import picture

CLASSES = ("benign", "malignant")


def draw(root: Path, header: list[str], count: int = 6, path: str = "{name}/{file}") -> Path:
    """Draw class folders, and a table whose columns are by name: file, its path, patient, split, label, wrong."""
    rows = []
    for name in CLASSES:
        for number in range(count):
            file = f"{name[0]}{number}.png"
            picture(root / path.format(name=name, file=file), name == "malignant")
            known = {"file": file, "path": f"{name}/{file}", "patient": f"{name[0]}{number // 2}", "label": name}
            known |= {"split": ("train", "test")[number % 2], "wrong": CLASSES[number % 2], "site": "AB"[number % 2]}
            rows.append([known[each] for each in header])
    names = {"path": "file", "wrong": "label"}
    with (root / "list.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([[names.get(each, each) for each in header], *rows])
    return root


def codes(found: DatasetInspection) -> list[str]:
    return [doubt.code.removeprefix("doubt.") for doubt in found.doubts]


@pytest.mark.parametrize("column", ["file", "path"])
def test_patients_of_a_table_beside_class_folders_are_known(tmp_path: Path, column: str) -> None:
    found = inspect_place(draw(tmp_path, [column, "patient", "site"]))
    assert (found.classes, found.patients, codes(found)) == ({"benign": 6, "malignant": 6}, 6, ["table_taken"])
    cases = read_cases(tmp_path)
    patients = patients_in(cases, None, tmp_path)
    assert patients is not None
    for number, file in enumerate(cases.files):
        name = file.rpartition("/")[2]
        assert patients[number] == f"{name[0]}{int(name[1]) // 2}"
    assert cases.subgroups["site"] == tuple("AB"[int(file.rpartition("/")[2][1]) % 2] for file in cases.files)


def test_parts_of_a_table_beside_class_folders_are_kept(tmp_path: Path) -> None:
    assert inspect_place(draw(tmp_path, ["file", "split"])).splits == {"train": 6, "test": 6}


def test_patients_beside_classes_in_names_are_known(tmp_path: Path) -> None:
    found = inspect_place(draw(tmp_path, ["file", "patient"], path="{file}"))
    assert (found.layout, found.patients) == ("named_classes", 6)
    assert "patients_unknown" not in codes(found)


def test_a_table_that_names_some_images_is_told_and_not_read(tmp_path: Path) -> None:
    draw(tmp_path, ["file", "patient"])
    picture(tmp_path / "benign" / "extra.png")
    found = inspect_place(tmp_path)
    assert (found.images, found.patients, codes(found)) == (13, None, ["table_names_some"])


def test_where_a_table_says_another_class_the_folder_counts_and_the_images_are_counted(tmp_path: Path) -> None:
    found = inspect_place(draw(tmp_path, ["file", "wrong"]))
    assert found.classes == {"benign": 6, "malignant": 6} and "table_contradicts" in codes(found)
    told = next(each for each in found.doubts if each.code == "doubt.table_contradicts")
    assert told.params["count"] == 6
    assert "table_contradicts" not in codes(inspect_place(draw(tmp_path, ["file", "label"])))


def test_what_a_table_adds_can_be_refused(tmp_path: Path) -> None:
    draw(tmp_path, ["file", "patient", "split"])
    changes = ReadingChanges.model_validate({"fields": {"patient": None, "split": None}})
    found = inspect_place(tmp_path, changes)
    assert (found.classes, found.patients, found.splits) == ({"benign": 6, "malignant": 6}, None, None)


def test_documents_beside_a_folder_of_classes_are_no_class(tmp_path: Path) -> None:
    draw(tmp_path / "study" / "images", ["file"])
    picture(tmp_path / "study" / "docs" / "scan.png")
    found = inspect_place(tmp_path)
    assert found.classes == {"benign": 6, "malignant": 6} == read_cases(tmp_path / "study" / "images").counts()


def test_patients_two_folders_inside_a_class_are_offered(tmp_path: Path) -> None:
    for name in CLASSES:
        for patient in range(3):
            for exam in ("2019-01-01", "2020-02-02"):
                picture(tmp_path / name / f"PAT{name[0]}{patient:03}" / exam / "1.png", name == "malignant")
    found = inspect_place(tmp_path)
    assert codes(found) == ["patients_inside_classes", "few_cases"] or codes(found) == ["patients_inside_classes"]
    rule = {"folder": found.doubts[0].params["folder"]}
    told = inspect_place(tmp_path, ReadingChanges.model_validate({"fields": {"patient": rule}}))
    assert told.patients == 6


def test_lists_of_the_images_of_each_part_are_followed(tmp_path: Path) -> None:
    draw(tmp_path, ["file"])
    (tmp_path / "list.csv").unlink()
    for part, numbers in (("train", range(4)), ("test", range(4, 6))):
        lines = [f"{name}/{name[0]}{number}.png" for name in CLASSES for number in numbers]
        (tmp_path / f"{part}.txt").write_text("\n".join(lines))
    found = inspect_place(tmp_path)
    assert (found.splits, codes(found)) == ({"train": 8, "test": 4}, ["parts_by_lists"])
    parts = read_cases(tmp_path).by_part()
    assert {part: len(cases) for part, cases in parts.items()} == {"train": 8, "test": 4}


def test_two_words_for_one_class_are_told_with_the_line_that_joins_them(tmp_path: Path) -> None:
    for name in ("benign", "Bénin", "malignant", "Malin", "normal"):
        for number in range(4 + (name in ("benign", "malignant"))):
            picture(tmp_path / name / f"{number}.png")
    found = inspect_place(tmp_path)
    told = next(each for each in found.doubts if each.code == "doubt.same_classes")
    changes = dict(option.split("=") for option in shlex.split(str(told.params["options"])) if option != "--map")
    joined = inspect_place(tmp_path, ReadingChanges(class_map=changes))
    assert joined.classes == {"benign": 9, "malignant": 9, "normal": 4}
