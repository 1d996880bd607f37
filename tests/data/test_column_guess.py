"""Which columns of a table say what: by names and values, from the shares on that it takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from breastai.data.sources.recognition.column_guess import guess_columns, is_birads, says_of_disease
from breastai.data.sources.recognition.recogniser import common_folder, dataset_name, folder_of
from breastai.data.sources.recognition.surveyed_table import SurveyedTable
from breastai.data.user_tables import Row, UserTable

IMAGES = [f"data/im{number:03}.png" for number in range(20)]
TELLING = {"truth": ["benign", "malignant"] * 10}


def table(**columns: Sequence[str]) -> SurveyedTable:
    rows = zip(*columns.values(), strict=True)
    return SurveyedTable(UserTable(tuple(columns), tuple(Row(number, cells) for number, cells in enumerate(rows, 2))))


def files(known: int, form: str = "data/im{:03}.png", of: int = 20) -> list[str]:
    return [form.format(number) if number < known else f"other{number}" for number in range(of)]


@pytest.mark.parametrize(
    ("values", "share"),
    [
        (files(20), 1.0),
        (files(20, "im{:03}.png"), 0.98),
        (files(20, "elsewhere/im{:03}.png"), 0.98),
        (files(20, "im{:03}"), 0.96),
        (files(20, "im{:03}.dcm"), 0.96),
        (files(10), 0.5),
        (files(9), 0.45),
        ([f"data/im{number % 5:03}.png" for number in range(20)], 0.5),  # five files in twenty rows
        ([f"data/im{number % 7:03}.png" for number in range(20)], 1.0),  # seven
        ([*files(11)[:11], *[""] * 9], 1.0),
        ([*files(10)[:10], *[""] * 10], 0.5),  # half of the rows alone are filled
    ],
)
def test_a_column_names_files_by_as_much_of_their_paths_as_it_holds(values: list[str], share: float) -> None:
    found = guess_columns(table(where=values, **TELLING), IMAGES)
    assert found.file_share == pytest.approx(share)
    assert (found.file == "where") is (share >= 0.5) and found.label == "truth"


def test_numbers_are_files_without_their_leading_zeros() -> None:
    images = [f"{number:04}.png" for number in range(1, 21)]
    found = guess_columns(table(where=[str(number) for number in range(1, 21)], **TELLING), images)
    assert found.file == "where" and found.file_share == pytest.approx(0.9)


def test_of_two_columns_of_files_the_surer_one_counts_and_one_called_a_mask_s_is_none(tmp_path: Path) -> None:
    both = table(mask=files(20), image=files(20), **TELLING)
    found = guess_columns(both, IMAGES)
    assert found.file == "image" and found.roles["mask"] == "mask"
    assert guess_columns(table(name=files(20, "im{:03}"), path=files(20), **TELLING), IMAGES).file == "path"
    for name in files(20):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert guess_columns(table(where=files(20), **TELLING), [], [tmp_path]).file_share == 1.0
    long = [f"{number}" + "x" * 300 for number in range(10)]  # no system has such a name
    assert guess_columns(table(where=[*long, *files(10)[:10]], **TELLING), [], [tmp_path]).file_share == 0.5


@pytest.mark.parametrize(
    ("column", "values", "label"),
    [
        ("truth", ["a", "b"], True),
        ("label", ["a", "b"], True),
        ("anything", ["benign", "malignant"], True),
        ("anything", ["benign", "x", "malignant", "y", "z"], True),  # two of five tell: 0.4
        ("anything", ["benign", "x", "y"], False),
        ("anything", ["a", "b"], False),
        ("truth", ["a"], False),
        ("cancer", ["yes", "no"], True),
        ("is_malignant", ["1", "perhaps"], False),
        ("assessment", ["BI-RADS 2", "BI-RADS 4"], True),
        ("truth", [f"c{number}" for number in range(30)], True),
        ("truth", [f"c{number}" for number in range(31)], False),
    ],
)
def test_a_column_says_the_class_by_its_name_or_by_what_its_values_mean(
    column: str, values: list[str], label: bool
) -> None:
    count = 2 * len(values) * 10
    found = guess_columns(table(file=[f"im{n}" for n in range(count)], **{column: values * 20}), [])
    assert (found.label == column) is label


@pytest.mark.parametrize(("distinct", "label"), [(8, "truth"), (9, None)])
def test_a_column_that_says_another_thing_of_nearly_every_row_is_no_class(distinct: int, label: str | None) -> None:
    values = [f"c{number % distinct}" for number in range(10)]
    assert guess_columns(table(file=[f"im{n}" for n in range(10)], truth=values), []).label == label


def test_a_diagnosis_goes_before_a_category_and_a_name_before_another() -> None:
    columns: Any = {"birads": ["2", "5"] * 10, "pathology": ["benign", "malignant"] * 10, "outcome": ["a", "b"] * 10}
    found = guess_columns(table(file=files(20), **columns), IMAGES)
    assert found.label == "pathology" and found.roles["birads"] == "birads"
    assert guess_columns(table(file=files(20), birads=columns["birads"]), IMAGES).label == "birads"
    two = {"patient_id": ["p"] * 20, "patient": ["q"] * 20}
    names = guess_columns(table(file=files(20), **two), IMAGES).roles
    assert (
        names["patient"] == guess_columns(table(file=files(20), **dict(reversed(two.items()))), IMAGES).roles["patient"]
    )


def test_what_a_person_says_of_a_column_goes_before_a_guess() -> None:
    found = guess_columns(
        table(where=files(3), who=["p"] * 20, **TELLING), IMAGES, named={"file": "Where", "patient": "who"}
    )
    assert (found.file, found.roles["patient"], found.file_share) == ("where", "who", 1.0)
    assert guess_columns(table(where=files(3), **TELLING), IMAGES, named={"patient": "gone"}).roles["patient"] == "gone"


def test_categories_and_the_disease_are_told_by_name_and_values_together() -> None:
    assert is_birads("birads", ["1", "4a", "N/A"]) and not is_birads("stage", ["1", "2"])
    assert says_of_disease("Is_Malignant", ["1", "0"]) and not says_of_disease("smoker", ["1", "0"])


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        ([], ""),
        (["a.png"], ""),
        (["x/a.png"], "x"),
        (["x/y/a.png", "x/y/b.png"], "x/y"),
        (["x/y/a.png", "x/z/a.png"], "x"),
        (["x/a.png", "x/y/a.png"], "x"),
        (["x/y/a.png", "z/y/a.png"], ""),
        (["x/a.png", "b.png"], ""),
    ],
)
def test_the_deepest_folder_of_some_files_is_the_one_they_have_in_common(paths: list[str], folder: str) -> None:
    assert common_folder(paths) == folder
    if len(paths) == 1:
        assert folder_of(paths[0]) == folder


@pytest.mark.parametrize(
    ("place", "name"), [("Data Set (2)", "Data-Set-2"), ("a.b", "a.b"), ("___", "layout"), ("x" * 120, "x" * 100)]
)
def test_a_data_set_is_called_as_its_folder_in_signs_that_a_file_may_have(
    tmp_path: Path, place: str, name: str
) -> None:
    (tmp_path / place).mkdir()
    assert dataset_name(tmp_path / place, "layout") == name
    (tmp_path / "t.csv").touch()
    assert dataset_name(tmp_path / "t.csv", "layout") == "t"
