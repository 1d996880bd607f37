"""Subgroups: what a CSV says of each image."""

from pathlib import Path

import pytest

from breastai.data.patients.subgroups import part_cases, subgroups_of
from breastai.domain.errors import SubgroupsInvalid


def _table(folder: Path, text: str) -> Path:
    path = folder / "about.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_found_by_its_path_or_by_a_name_that_occurs_once(tmp_path: Path) -> None:
    path = _table(tmp_path, "file;device;label\nbenign\\a.png;A;x\nb.png;B;x\n")
    assert subgroups_of(["benign/a.png", "malignant/b.png", "malignant/c.png"], path).columns == {
        "device": ["A", "B", ""]
    }


def test_a_name_in_two_folders_is_nobodys(tmp_path: Path) -> None:
    path = _table(tmp_path, "file,device\na.png,A\nc.png,C\n")
    assert subgroups_of(["benign/a.png", "malignant/a.png", "benign/c.png"], path).columns["device"] == ["", "", "C"]


def test_ages_come_by_ten_years_and_other_numbers_in_thirds(tmp_path: Path) -> None:
    rows = [f"{age}.png,{age},{age / 10}" for age in (39, 40, 49, 50, 61, 69, 70, 88)]
    path = _table(tmp_path, "\n".join(["file,Age,size", *rows, "x.png,,"]))
    found = subgroups_of(
        [f"b/{age}.png" for age in (39, 40, 49, 70, 88)] + ["b/50.png", "b/61.png", "b/x.png"], path
    ).columns
    bands = ["< 40", "40 – < 50", "40 – < 50", "≥ 70", "≥ 70"]
    assert found["Age"] == [*bands, "50 – < 60", "60 – < 70", ""]
    assert len(set(found["size"])) == 4
    assert found["size"][-1] == ""


def test_few_numbers_stand_as_they_are(tmp_path: Path) -> None:
    path = _table(tmp_path, "file,density\na.png,1\nb.png,2\n")
    assert subgroups_of(["x/a.png", "x/b.png"], path).columns == {"density": ["1", "2"]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("device,age\nA,3\n", "expected a column file"),
        ("file,label\na.png,benign\n", "one for each subgroup"),
        ("file,device\na.png,A\nb.png,B\na.png,A\n", "row 4 repeats the file a.png of row 2"),
        ("file,device\na.png,A\na.png,B\n", "row 3 says otherwise of a.png than row 2"),
        ("file,device\nz.png,A\n", "such as x/a.png"),
        ("", "got —"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(SubgroupsInvalid, match=reason):
        subgroups_of(["x/a.png"], _table(tmp_path, text))


@pytest.mark.parametrize(
    ("column", "values", "is_id"),
    [
        ("case_id", [f"c{n}" for n in range(40)], True),
        ("StudyInstanceUID", [f"1.2.{n // 4}" for n in range(40)], True),
        ("accession number", [str(n // 2) for n in range(40)], True),
        ("name", [f"Dupont {n // 2}" for n in range(40)], True),
        ("film", [str(1000 + n) for n in range(40)], True),
        ("age", [str(30 + n % 37) for n in range(40)], False),
        ("density", [f"{n / 7:.3f}" for n in range(40)], False),
        ("site", [f"site {n % 12}" for n in range(40)], False),
        ("paid", [f"site {n % 12}" for n in range(40)], False),
        ("device_id", ["1", "2"] * 20, False),
    ],
)
def test_a_column_of_ids_is_no_subgroup(column: str, values: list[str], is_id: bool) -> None:
    parted = part_cases({column: values})
    assert (column in parted.ids, column in parted.columns) == (is_id, not is_id)
    assert [note.code for note in parted.notes] == ["note.ids_part_nothing"] * is_id


def test_a_table_of_ids_alone_is_refused_and_bands_asked_for_are_made(tmp_path: Path) -> None:
    rows = [f"{n}.png,P{n}" for n in range(30)]
    files = [f"b/{n}.png" for n in range(30)]
    with pytest.raises(SubgroupsInvalid, match="case"):
        subgroups_of(files, _table(tmp_path, "\n".join(["file,case", *rows])))
    numbers = {"film": [str(n) for n in range(30)]}
    assert set(part_cases(numbers, {"film": [10]}).columns["film"]) == {"< 10", "≥ 10"}
