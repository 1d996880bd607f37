"""Made-up inputs of reported kinds: labels, patients, sides, views and parts come from tables as people have them."""

from pathlib import Path
from typing import Any

import pytest

from breastai.data.sources.case_source import read_cases, read_description
from breastai.data.sources.case_table import CaseTable
from breastai.domain.dataset_description import parse_description


def table_of(root: Path, **values: Any) -> CaseTable:
    return read_description(parse_description({"name": "odd", "root": str(root), **values}), root)


def test_vindr_is_read_from_its_table_by_breast(shared_data: Path) -> None:
    found = table_of(
        shared_data / "odd/16-labels-in-a-table/vindr",
        tables=[{"file": "breast-level_annotations.csv", "join": [{"column": "image_id"}]}],
        fields={
            "label": {"column": "breast_birads", "pattern": "([0-6])"},
            "patient": "study_id",
            "breast": "laterality",
            "view": "view_position",
            "density": "breast_density",
            "split": "split",
        },
        class_map={"1-3": "benign", "4-5": "malignant", "0": None},
        subgroups=[{"name": "density", "role": "density"}],
    )
    assert found.counts() == {"benign": 8, "malignant": 4}
    assert {part: len(cases) for part, cases in found.by_part().items()} == {"train": 8, "test": 4}
    assert (set(found.columns["breast"]), set(found.columns["view"])) == ({"L", "R"}, {"CC", "MLO"})
    assert len(set(found.columns["patient"])) == 6 and len(set(found.subgroups["density"])) == 4
    assert not found.skipped


def test_rsna_is_read_as_published_by_its_table(shared_data: Path) -> None:
    found = read_cases(shared_data / "odd/16-labels-in-a-table/rsna/train.csv")
    assert found.counts() == {"benign": 6, "malignant": 6} and not found.skipped
    case = next(case for case in found.cases() if case.file.endswith("900122619.dcm"))
    assert (case.label, case.patient, case.breast, case.view) == ("malignant", "70107", "R", "CC")
    assert (case.site, case.device, case.age) == ("2", "29", "61.0")


@pytest.mark.parametrize(
    "name",
    [
        *("good", "blank_rows_and_windows_paths", "excel_latin1", "excel_sep_line", "excel_unicode_text"),
        *("no_endings", "zeros_lost"),
    ],
)
def test_tables_of_spreadsheets_name_the_patients(shared_data: Path, name: str) -> None:
    found = table_of(
        shared_data / "odd/17-spreadsheet-tables",
        tables=[{"file": f"{name}.csv", "join": [{"column": "file"}]}],
        fields={"label": {"folder": -1}, "patient": "patient_id"},
    )
    patients = {Path(case.file).stem: int(case.patient or -1) for case in found.cases()}
    assert patients == {"00001": 1, "00002": 0, "00003": 1, "00004": 0}


def test_medmnist_is_read_as_its_three_parts(shared_data: Path) -> None:
    found = read_cases(shared_data / "odd/28-extra-medmnist-npz/breastmnist_synthetic.npz")
    assert {part: len(cases) for part, cases in found.by_part().items()} == {"train": 12, "val": 4, "test": 4}


def test_bus_bra_is_no_classifier_of_images_against_masks(shared_data: Path) -> None:
    found = table_of(
        shared_data / "odd/31-images-and-masks/BUSBRA",
        tables=[{"file": "bus_data.csv", "join": [{"column": "ID"}]}],
        images={"include": ["Images/**"]},
        fields={
            "label": "Pathology",
            "patient": "Case",
            "breast": "Side",
            "mask": {"path": r"^Images/bus_(.*)$", "expand": r"Masks/mask_\1"},
        },
    )
    assert found.counts() == {"benign": 10, "malignant": 4} and len(found.masks) == 14
    assert all((found.root / (case.mask or "-")).is_file() and case.patient for case in found.cases())


def test_mini_mias_and_bus_uclm_are_read_from_their_tables(shared_data: Path) -> None:
    mias = table_of(
        shared_data / "odd/34-more-tables/mini-mias",
        tables=[
            {
                "file": "Info.txt",
                "columns": ["film", "tissue", "abnormality", "severity", "x", "y", "radius"],
                "join": [{"column": "film"}],
            }
        ],
        fields={"label": {"column": "severity", "otherwise": "abnormality"}, "density": "tissue"},
        class_map={"B": "benign", "M": "malignant", "NORM": "normal"},
    )
    assert mias.counts() == {"benign": 4, "malignant": 4, "normal": 4} and not mias.skipped
    uclm = read_cases(shared_data / "odd/34-more-tables/bus-uclm/INFO.csv")
    assert uclm.counts() == {"benign": 4, "malignant": 4, "normal": 4} and len(uclm.masks) == 12
