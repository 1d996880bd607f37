"""What each published layout says of an image besides its class, how sure it is, and what is doubtful of it."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from breastai.data.sources.described_cases import read_described
from breastai.data.sources.recognition.recogniser_table import recognise
from tests.data.published_layouts import DRAWINGS, picture


class Known(NamedTuple):
    """Of a layout: its score, its doubts, what is known of the first image, and the values of its subgroups."""

    score: float
    doubts: str
    first: dict[str, str]
    subgroups: dict[str, set[str]] = {}


KNOWN = {
    "class_folders": Known(0.8, "", {}),
    "named_classes": Known(0.6, "classes_in_names patients_unknown", {}),
    "busi": Known(0.95, "patients_unknown", {}),
    "idc": Known(0.95, "", {"patient": "10253"}),
    "breakhis": Known(
        0.98,
        "magnifications",
        {"patient": "14-22549AB"},
        {"magnification": {"40", "100", "200", "400"}, "tumour_type": {"A", "F", "TA", "DC", "LC", "PC"}},
    ),
    "mini_mias": Known(
        0.98,
        "pairs_of_films",
        # The circle of mdb001 is at 535, 425 from the left and the bottom of 1024, its radius 197.
        {"patient": "001", "breast": "R", "view": "MLO", "density": "G", "box": "338 402 394 394"},
    ),
    "finding_list": Known(
        0.85,
        "list_of_findings circles_from_top worst_of_rows patients_unknown",
        {"breast": "R", "view": "CC", "density": "F", "box": "480 270 80 80"},
    ),
    "cbis_ddsm": Known(
        0.97,
        "patients_in_both_parts",
        {"patient": "P_00003", "breast": "R", "view": "CC", "part": "train", "density": "3", "birads": "4"}
        | {"exam": "Mass-Training_P_00003_RIGHT_CC"},
    ),
    "cbis_ddsm_jpeg": Known(
        0.97,
        "patients_in_both_parts",
        {"patient": "P_00001", "breast": "R", "view": "CC", "part": "train", "density": "3", "birads": "4"}
        | {"exam": "1.3.6.1.4.1.9590.100.1.2.10000"},
    ),
    "inbreast": Known(
        0.95,
        "birads_as_classes",
        {"patient": "6c613a14b80a8590", "breast": "R", "view": "CC", "density": "2", "birads": "1"},
    ),
    "cmmd": Known(
        0.97,
        "other_breasts_left_out",
        {"patient": "D1-0001", "breast": "L", "view": "CC", "age": "41"},
        {"age": {"< 50"}},
    ),
    "rsna": Known(
        0.97,
        "no_cancer_is_benign",
        {"patient": "10006", "breast": "L", "view": "CC", "site": "1", "device": "29", "age": "61.0"},
        {"site": {"1", "2"}, "machine": {"29"}},
    ),
    "rsna_png": Known(
        0.97,
        "no_cancer_is_benign",
        {"patient": "10006", "breast": "L", "view": "CC", "site": "1", "device": "29", "age": "61.0"},
        {"site": {"1", "2"}, "machine": {"29"}},
    ),
    "vindr_mammo": Known(
        0.98,
        "birads_as_classes study_is_patient",
        {"breast": "L", "view": "CC", "part": "train", "density": "DENSITY C", "birads": "BI-RADS 1"}
        | dict.fromkeys(("patient", "exam"), "0048a9b3a7e8cdd4e1a4ff45a1f3a5c9"),
        {"density": {"DENSITY C"}},
    ),
    "kau_bcmd": Known(
        0.95, "birads_as_classes", {"patient": "2013_BC001026", "breast": "L", "view": "CC", "birads": "1"}
    ),
    "bus_bra": Known(
        0.97,
        "folds_offered",
        {"patient": "1", "breast": "L", "device": "GE Logiq 5", "birads": "3", "box": "[1 2 3 4]"},
        {"device": {"GE Logiq 5"}},
    ),
    "breast": Known(
        0.97,
        "case_is_patient",
        {"patient": "1", "age": "57", "birads": "4a"}
        | {"mask": "BrEaST-Lesions_USG-images_and_masks/case001_tumor.png"},
    ),
    "bus_uclm": Known(
        0.97,
        "marks_in_images",
        {"patient": "ALWI", "mask": "BUS-UCLM/masks/ALWI_001.png"},
        {"doppler": {"No"}, "marks": {"No", "Yes"}},
    ),
    "udiat": Known(0.95, "patients_unknown", {"mask": "BUS/GT/000001.png"}),
}
ROLES = ("patient", "breast", "view", "part", "exam", "site", "device", "age", "density", "birads", "box", "mask")


@pytest.mark.parametrize("name", KNOWN)
def test_a_published_layout_says_of_an_image_what_its_authors_do(name: str, tmp_path: Path) -> None:
    known, place = KNOWN[name], DRAWINGS[name].draw(tmp_path / "set")
    found = recognise(place)
    assert found.row is not None and found.reading is not None and found.reading.description is not None
    assert found.reading.score == pytest.approx(known.score)
    assert [doubt.code.removeprefix("doubt.") for doubt in found.reading.doubts] == known.doubts.split()
    description = found.reading.description
    assert (description.citation, description.licence) == (found.row.citation, found.row.licence)
    cases = read_described(description, place)
    first: Any = next(iter(cases.cases()))
    assert {role: getattr(first, role) for role in ROLES if getattr(first, role) is not None} == known.first
    assert {group: set(values) for group, values in cases.subgroups.items()} == known.subgroups
    every = {role for case in cases.cases() for role in ROLES if getattr(case, role) is not None}
    assert every >= known.first.keys()


TABLES = (".csv", ".xlsx", ".txt", ".jsonl")
BY_TABLES = ["mini_mias", "cbis_ddsm", "cbis_ddsm_jpeg", "inbreast", "cmmd", "rsna", "rsna_png", "vindr_mammo"]
BY_TABLES += ["bus_bra", "breast", "bus_uclm", "udiat", "finding_list"]


@pytest.mark.parametrize("name", BY_TABLES)
def test_without_its_table_a_set_is_something_else(name: str, tmp_path: Path) -> None:
    place = DRAWINGS[name].draw(tmp_path / "set")
    for path in place.rglob("*"):
        if path.suffix in TABLES:
            path.unlink()
    row = recognise(place).row
    assert row is None or row.name != DRAWINGS[name].layout


@pytest.mark.parametrize(
    "name", ["busi", "mini_mias", "cbis_ddsm", "cbis_ddsm_jpeg", "inbreast", "idc", "breakhis", "kau_bcmd"]
)
def test_among_many_other_images_a_set_is_something_else_and_among_a_few_it_is_itself(
    name: str, tmp_path: Path
) -> None:
    place = DRAWINGS[name].draw(tmp_path / "set")
    images = len(recognise(place).survey.images)
    for number in range(2 * images):
        picture(place / "further" / f"some{number}.png")
        if number == images // 20:
            found = recognise(place)
            assert found.row is not None and found.reading is not None and found.row.name == DRAWINGS[name].layout
            assert found.reading.score <= KNOWN[name].score
    row = recognise(place).row
    assert row is None or row.name != DRAWINGS[name].layout
