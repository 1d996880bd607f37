"""Folders around those of the classes: parts, folds, sites and patients; BI-RADS categories as folders."""

from pathlib import Path

import pytest

from breastai.commands.data_note import read_as
from breastai.data.cases.inspection import inspect_place
from breastai.data.cases.run_folders import list_folders, usable_folders
from breastai.data.cases.run_warnings import told_before
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.recognition.place_names import names_place, names_year
from breastai.domain.config import parse_config
from breastai.domain.dataset_inspection import DatasetInspection, ReadingChanges
from breastai.domain.errors import ConfigInvalid
from breastai.domain.jobs import Audit
from breastai.storage.kept_datasets import keep_dataset
from breastai.storage.workspace import Workspace
from tests.data.published_layouts import picture, table

TWO = ("benign", "malignant")


def draw(root: Path, folders: str, count: int = 2, classes: tuple[str, ...] = TWO) -> Path:
    """Draw images in folders "{}" of which stands for the classes."""
    for name in classes:
        for number in range(count):
            picture(root / folders.format(name) / f"{number}.png", name == classes[-1])
    return root


def codes(found: DatasetInspection) -> list[str]:
    return [doubt.code.removeprefix("doubt.") for doubt in found.doubts]


def fields(found: DatasetInspection) -> set[str]:
    return set() if found.description is None else set(found.description.fields) - {"label"}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        *((each, True) for each in ("lyon", "Paris", "Zürich", "New York", "Saint-Étienne", "China", "Lyon_2")),
        *((each, True) for each in ("CHU Nantes", "Hôpital Nord", "hospital_A", "site3", "center 2", "Institut Curie")),
        *(
            (each, True)
            for each in ("GE", "GE_LogiqE9", "Siemens S2000", "scanner1", "Aixplorer", "external", "INbreast")
        ),
        *((each, False) for each in ("MULLER", "P001", "benign", "anna", "germain", "geoffroy", "case 12", "40X", "a")),
    ],
)
def test_a_place_is_told_by_its_name(name: str, place: bool) -> None:
    assert names_place(name) == place


@pytest.mark.parametrize(
    ("name", "year"),
    [
        *((each, True) for each in ("2019", "2019-03", "2019_Q2", "2018-2019", "année 2020", "2021 mars")),
        *((each, False) for each in ("8863", "20191231123", "P2019", "3019", "19")),
    ],
)
def test_a_year_is_told_by_its_name(name: str, year: bool) -> None:
    assert names_year(name) == year


def test_a_patient_of_one_hospital_is_none_of_another(tmp_path: Path) -> None:
    for town in ("lyon", "paris"):
        for patient in ("P01", "P02", "P03"):
            draw(tmp_path, f"{town}/{patient}/{{}}")
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients) == ({"benign": 12, "malignant": 12}, 6)
    assert codes(found) == ["patients_above_classes", "sites_above_patients"]
    assert found.doubts[0].params["patients"] == 6
    cases = read_cases(tmp_path)
    assert set(cases.column("site") or ()) == {"lyon", "paris"}
    assert set(cases.column("patient") or ()) == {f"{town}/P0{n}" for town in ("lyon", "paris") for n in (1, 2, 3)}


@pytest.mark.parametrize("order", ["{part}/{town}/{{}}", "{town}/{part}/{{}}"])
def test_parts_and_towns_above_classes_are_parts_and_sites(tmp_path: Path, order: str) -> None:
    for town in ("lyon", "paris"):
        for part in ("train", "test"):
            draw(tmp_path, order.format(town=town, part=part))
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients) == ({"benign": 8, "malignant": 8}, None)
    assert found.splits == {"train": 8, "test": 8} and fields(found) == {"site", "split"}


def test_a_patient_in_training_and_test_of_one_hospital_stays_one_patient(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for town in ("lyon", "paris"):
            for patient in ("P01", "P02"):
                draw(tmp_path, f"{town}/{part}/{patient}/{{}}")
    assert inspect_place(tmp_path).patients == 4


def test_classes_between_hospitals_and_patients_are_found(tmp_path: Path) -> None:
    for town in ("lyon", "paris"):
        for patient in ("P01", "P02"):
            draw(tmp_path, f"{town}/{{}}/{patient}")
    found = inspect_place(tmp_path)
    assert (found.classes, fields(found)) == ({"benign": 8, "malignant": 8}, {"site"})
    assert codes(found) == ["groups_above_classes", "patients_inside_classes"]
    told = inspect_place(tmp_path, ReadingChanges.model_validate({"fields": {"patient": {"folder": -1}}}))
    assert told.patients == 2


@pytest.mark.parametrize(
    ("groups", "role", "doubt"),
    [
        (("CC", "MLO"), "view", []),
        (("left", "right"), "breast", []),
        (("512", "1024"), None, ["scales_above_classes"]),
        (("40-50", "50-60"), None, ["scales_above_classes"]),
        (("1_train", "2_test"), "split", []),
    ],
)
def test_views_breasts_sizes_ages_and_numbered_parts_above_classes_are_no_patients(
    tmp_path: Path, groups: tuple[str, ...], role: str | None, doubt: list[str]
) -> None:
    for group in groups:
        draw(tmp_path, f"{group}/{{}}")
    found = inspect_place(tmp_path)
    assert (found.classes, fields(found)) == ({"benign": 4, "malignant": 4}, {role} if role else set())
    assert codes(found) == doubt


def test_augmented_copies_beside_their_originals_are_told(tmp_path: Path) -> None:
    for group in ("original", "Augmented"):
        draw(tmp_path, f"{group}/{{}}", count=12)
    found = inspect_place(tmp_path)
    assert (fields(found), codes(found)) == (set(), ["augmented_copies"])


def test_folders_called_after_a_class_and_a_case_are_of_that_class(tmp_path: Path) -> None:
    draw(tmp_path, "{}", classes=("benign_case1", "benign_case2", "malignant_case3", "malignant_case4"))
    found = inspect_place(tmp_path)
    assert (found.classes, codes(found)) == ({"benign": 4, "malignant": 4}, ["cases_named_by_class"])
    assert read_cases(tmp_path).counts() == found.classes
    told = inspect_place(tmp_path, ReadingChanges.model_validate({"fields": {"patient": {"folder": 1}}}))
    assert told.patients == 4


@pytest.mark.parametrize(
    "names", [("0-benign", "1-malignant"), ("benign (12)", "malignant (3)"), ("class_0", "class_1")]
)
def test_a_number_in_the_name_of_each_class_leaves_it_a_class(tmp_path: Path, names: tuple[str, ...]) -> None:
    draw(tmp_path, "{}", classes=names)
    assert inspect_place(tmp_path).classes == dict.fromkeys(names, 2)


def test_towns_inside_classes_are_sites_and_other_folders_are_not(tmp_path: Path) -> None:
    for town in ("lyon", "paris"):
        draw(tmp_path / "a", f"{{}}/{town}")
        draw(tmp_path / "b", f"{{}}/{town}x")
    assert fields(inspect_place(tmp_path / "a")) == {"site"}
    assert codes(inspect_place(tmp_path / "a")) == ["sites_inside_classes"]
    assert fields(inspect_place(tmp_path / "b")) == set()


def test_words_over_few_images_are_patients_and_over_many_of_each_class_sites(tmp_path: Path) -> None:
    for name in ("muller", "dupont"):
        draw(tmp_path / "few", f"{name}/{{}}", count=3)
        draw(tmp_path / "many", f"{name}/{{}}", count=12)
    assert fields(inspect_place(tmp_path / "few")) == {"patient"}
    assert fields(inspect_place(tmp_path / "many")) == {"site"}


def test_a_run_and_other_jobs_tell_what_is_doubtful_of_how_images_are_read(tmp_path: Path) -> None:
    for town in ("lyon", "paris"):
        for patient in ("P01", "P02"):
            draw(tmp_path / "set", f"{town}/{patient}/{{}}")
    config = parse_config({"data": {"train_dir": "set"}, "model": {}})
    told = [line.code for line in told_before(config, list_folders(config, tmp_path), tmp_path)]
    wanted = ["doubt.patients_above_classes", "doubt.sites_above_patients"]
    assert told[:2] == wanted
    audit = Audit(workspace=str(tmp_path), data="set")
    assert [line.code for line in read_as(audit)] == ["data_read_as", *wanted]
    kept = keep_dataset(Workspace(tmp_path), "mine", inspect_place(tmp_path / "set"))  # looked at by a person
    assert kept.description is not None
    assert [line.code for line in read_as(audit.model_copy(update={"data": "mine"}))] == ["data_read_as"]


def test_sites_are_a_subgroup_of_evaluations(tmp_path: Path) -> None:
    for town in ("lyon", "paris"):
        draw(tmp_path, f"{town}/{{}}")
    assert read_cases(tmp_path).subgroups == {"site": ("lyon", "paris") * 4}


def test_the_same_names_of_classes_in_two_collections_are_not_read_as_two_classes(tmp_path: Path) -> None:
    for top in ("GDPH", "SYSUCC"):
        for name in TWO:
            for number in range(4):
                picture(tmp_path / top / name / f"{name}({number}).png")
    found = inspect_place(tmp_path)
    assert (found.layout, found.classes) == ("class_folders", {"benign": 8, "malignant": 8})


@pytest.mark.parametrize(
    "names",
    [
        ("BI-RADS 1", "BI-RADS 2", "BI-RADS 4", "BI-RADS 0"),
        ("BI-RADS I", "BI-RADS II", "BI-RADS IVa", "BI-RADS 0"),
        ("cat. 2", "cat. 3", "cat. 4b", "cat. 0"),
        ("ACR2", "ACR3", "ACR5", "ACR0"),
        ("2", "3", "4a", "0"),
    ],
)
def test_folders_called_after_birads_categories_are_benign_and_malignant(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    draw(tmp_path, "{}", classes=names)
    found = inspect_place(tmp_path)
    assert (found.classes, found.left_out) == ({"benign": 4, "malignant": 2}, 2)
    assert codes(found) == ["birads_folders"]
    config = parse_config({"data": {"train_dir": str(tmp_path)}, "model": {}})
    assert list_folders(config, tmp_path.parent).class_names == ("benign", "malignant")


def test_a_class_below_birads_folders_counts_and_their_names_are_the_category(tmp_path: Path) -> None:
    for category in ("BIRADS 2", "BIRADS IVa", "BIRADS 5"):
        draw(tmp_path, f"{category}/{{}}")
    found = inspect_place(tmp_path)
    assert (found.classes, fields(found), codes(found)) == ({"benign": 6, "malignant": 6}, {"birads"}, [])


def test_birads_folders_may_be_kept_as_a_scale(tmp_path: Path) -> None:
    draw(tmp_path, "{}", classes=("BI-RADS 0", "BI-RADS I", "BI-RADS IVa", "BI-RADS II"))
    scale = str(inspect_place(tmp_path).doubts[0].params["scale"]).split(",")
    assert scale == ["bi-rads i", "bi-rads ii", "bi-rads iva"]
    found = inspect_place(tmp_path, ReadingChanges(ordered=scale))
    assert found.classes == dict.fromkeys(scale, 2) and found.left_out == 2
    assert "birads_folders" not in codes(found)


@pytest.mark.parametrize("names", [("I", "II", "III", "IV"), ("density a", "density b"), ("stage I", "stage IV")])
def test_folders_that_may_be_stages_or_density_stay_classes_and_are_doubtful(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    draw(tmp_path, "{}", classes=names)
    found = inspect_place(tmp_path)
    assert set(found.classes) == {name.lower() for name in names} and codes(found) == ["classes_say_nothing"]


@pytest.mark.parametrize(
    ("column", "values", "classes"),
    [
        ("BI-RADS", ("I", "IVa", "VI", "0"), {"benign": 3, "malignant": 6}),
        ("conclusion", ("BI-RADS II", "BIRADS 4A", "BI-RADS V", "BI-RADS 0"), {"benign": 3, "malignant": 6}),
        ("ACR", ("ACR 2", "ACR 3", "ACR 4", "ACR 5"), {"benign": 6, "malignant": 6}),
        ("category", ("cat. 4b", "cat. 2", "unknown", "cat. 1"), {"benign": 6, "malignant": 3}),
        ("ACR", ("I", "II", "III", "IV"), {}),
        ("stage", ("I", "II", "III", "IV"), {}),
    ],
)
def test_a_column_of_categories_is_the_class_and_one_of_stages_or_density_is_not(
    tmp_path: Path, column: str, values: tuple[str, ...], classes: dict[str, int]
) -> None:
    for number in range(12):
        picture(tmp_path / f"{number}.png")
    table(tmp_path / "list.csv", [["file", column], *([f"{number}.png", values[number % 4]] for number in range(12))])
    found = inspect_place(tmp_path)
    assert found.classes == classes
    assert ("birads_as_classes" in codes(found)) == bool(classes)


def test_a_biopsy_counts_more_than_an_assessment_in_words(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / f"{number}.png")
    rows = [[f"{number}.png", f"BI-RADS {(2, 4, 5)[number % 3]}", number % 2] for number in range(12)]
    table(tmp_path / "list.csv", [["file", "birads", "cancer"], *rows])
    found = inspect_place(tmp_path)
    assert found.classes == {"benign": 6, "malignant": 6}
    assert "birads_as_classes" not in codes(found)


def test_an_order_of_folders_that_are_read_as_pathology_says_how_to_keep_them(tmp_path: Path) -> None:
    order = [f"BI-RADS {number}" for number in range(1, 6)]
    for name in order:
        for number in range(6):
            picture(tmp_path / "train" / name / f"{number}.png")
    config = parse_config({"data": {"train_dir": str(tmp_path)}, "evaluation": {"ordered_classes": order}})
    with pytest.raises(ConfigInvalid, match=r"read as benign, malignant.*--ordered"):
        usable_folders(config, tmp_path)
