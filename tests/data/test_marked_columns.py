"""Columns of marks, one for each class: of 0 and 1, yes and no, a cross or nothing."""

from pathlib import Path

import pytest

from breastai.data.cases.inspection import inspect_place
from breastai.data.sources.case_source import read_cases
from breastai.domain.dataset_inspection import DatasetInspection, ReadingChanges
from tests.data.published_layouts import picture, table


def codes(found: DatasetInspection) -> list[str]:
    return [doubt.code.removeprefix("doubt.") for doubt in found.doubts]


def draw(root: Path, columns: list[str], yes: str = "1", no: str = "0", both: int = -1, none: int = -1) -> Path:
    """Draw twelve images and a table with a column of marks for each class, row `both` with two, row `none` without."""
    rows: list[list[str]] = []
    for number in range(12):
        picture(root / f"us_{number:02}.png")
        marks = [yes if place == number % len(columns) else no for place in range(len(columns))]
        if number == both:
            marks = [yes] * len(columns)
        rows.append([f"us_{number:02}.png", *([no] * len(columns) if number == none else marks)])
    return table(root / "labels.csv", [["image", *columns], *rows])


@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("1.0", "0.0"), ("yes", "no"), ("x", ""), ("oui", "non")])
@pytest.mark.parametrize("columns", [["benign", "malignant", "normal"], ["IDC", "fibroadenoma", "cyst"]])
def test_the_marked_column_is_the_class(tmp_path: Path, columns: list[str], yes: str, no: str) -> None:
    place = draw(tmp_path, columns, yes, no)
    found = inspect_place(tmp_path)
    assert found.classes == dict.fromkeys(sorted(name.lower() for name in columns), 4)
    assert "columns_of_marks" in codes(found) and "one_of_columns" not in codes(found)
    for cases in (read_cases(tmp_path), read_cases(place)):
        labels = {case.file: case.label for case in cases.cases()}
        assert [labels[f"us_{number:02}.png"] for number in range(3)] == [name.lower() for name in columns]


def test_rows_with_two_marks_or_none_are_left_out_and_told(tmp_path: Path) -> None:
    draw(tmp_path, ["benign", "malignant", "normal"], both=4, none=5)
    found = inspect_place(tmp_path)
    assert (found.classes, found.left_out) == ({"benign": 4, "malignant": 3, "normal": 3}, 2)
    assert "rows_without_mark" in codes(found)
    assert {reason.reason.code for reason in found.reasons} == {"reason.rows_say_several", "reason.row_without_label"}


def test_one_column_of_them_may_be_named(tmp_path: Path) -> None:
    draw(tmp_path, ["benign", "malignant", "normal"])
    found = inspect_place(tmp_path, ReadingChanges.model_validate({"fields": {"label": "malignant"}}))
    assert found.classes == {"benign": 8, "malignant": 4} and "columns_of_marks" not in codes(found)


def test_columns_that_are_often_marked_together_are_not_one_class_each(tmp_path: Path) -> None:
    draw(tmp_path, ["cancer", "invasive"], both=4)
    lines = (tmp_path / "labels.csv").read_text().replace(",0,1", ",1,1")
    (tmp_path / "labels.csv").write_text(lines)
    assert "columns_of_marks" not in codes(inspect_place(tmp_path))
