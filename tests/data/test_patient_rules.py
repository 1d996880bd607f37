"""Doubts about rules for patients, and the rules that images offer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from breastai.data.cases.data_overview import describe
from breastai.data.cases.run_folders import usable_folders
from breastai.data.patients import patient_rules
from breastai.data.patients.patient_ids import patient_ids, patients_in
from breastai.data.patients.patient_rules import Doubt, doubts, offered_rule
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.class_folders import scan
from breastai.domain.config import Config, EvaluationSettings
from breastai.domain.errors import SamePatient
from breastai.domain.patient_settings import PatientIdRule
from tests.data.test_headers import picture


def folder(*names: str) -> CaseTable:
    return CaseTable(Path("/none"), names, np.zeros(len(names), np.int64), ("benign", "malignant"))


def rule(value: Any) -> PatientIdRule:
    found = EvaluationSettings.model_validate({"patient_id": value}).patient_id
    assert found is not None
    return found


def told(images: CaseTable, value: Any, base: Path = Path("/none")) -> dict[str, Doubt]:
    return {doubt.code: doubt for doubt in doubts([images], rule(value), base)}


def mended(images: CaseTable, doubt: Doubt) -> int:
    """The number of patients by the rule that a doubt suggests."""
    assert doubt.setting is not None
    return len(set(patient_ids(images.files, rule(json.loads(doubt.setting)), Path("/none")) or ()))


VIEWS = folder(
    *(f"benign/{number:04}_{side}_{view}.png" for number in range(5) for side in "LR" for view in ("CC", "MLO"))
)


@pytest.mark.parametrize("pattern", [r"^(.+)\.png", r"^(\d+_[LR])", r"^(.+_MLO|.+_CC)"])
def test_a_rule_that_takes_breasts_and_views_for_patients_is_told_with_one_that_does_not(pattern: str) -> None:
    doubt = told(VIEWS, pattern)["patients.views"]
    assert doubt.params["fewer"] == mended(VIEWS, doubt) == 5


def test_a_rule_that_gives_all_images_one_patient_is_told(tmp_path: Path) -> None:
    doubt = told(VIEWS, r"^(\d)")["patients.all_one"]
    assert mended(VIEWS, doubt) == 5


def test_ids_that_are_another_with_a_letter_behind_are_told() -> None:
    images = folder(*(f"benign/{13400 + number // 2}{'A' if number % 2 else ''}.png" for number in range(12)))
    doubt = told(images, r"^(\w+)")["patients.prefixes"]
    assert (doubt.params["patients"], doubt.params["fewer"], mended(images, doubt)) == (12, 6, 6)


def test_ids_that_only_begin_alike_are_other_patients() -> None:
    images = folder(*(f"benign/P{number // 2}_{number}.png" for number in range(240)))  # P1, P11 and P110
    assert told(images, r"^(P\d+)_") == {}


def test_one_image_for_each_patient_is_told_and_no_more() -> None:
    images = folder(*(f"benign/benign ({number}).png" for number in range(9)))
    (doubt,) = told(images, r"(\d+)").values()
    assert (doubt.code, doubt.setting) == ("patients.one_each", None)


def test_a_sound_rule_raises_no_doubt() -> None:
    assert told(VIEWS, r"^(\d+)_") == {}


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        ([f"P{n // 3:04}_{n % 3}.png" for n in range(30)], 10),
        ([f"{8863 + n // 9}_idx5_x{n}_y{n}_class0.png" for n in range(45)], 5),
        ([f"P{n // 2:03}_{'LR'[n % 2]}_mdb{n:03}.png" for n in range(20)], 10),
        ([f"bus_{n // 2:04}-{'lr'[n % 2]}.png" for n in range(20)], 10),
        ([f"Mass-Training_P_{n // 2:05}_LEFT_{('CC', 'MLO')[n % 2]}.png" for n in range(20)], 10),
        ([f"{['ALWI', 'ANFO', 'BEGA', 'CEWI', 'DOBA', 'EVMA'][n // 7]}_{n % 7:03}.png" for n in range(42)], 6),
        ([f"PAT{n // 4}/{n % 4}.png" for n in range(40)], 10),
    ],
)
def test_names_and_folders_that_hold_patients_are_offered(names: list[str], patients: int) -> None:
    images = folder(*(f"benign/{name}" for name in names))
    (doubt,) = doubts([images], None, Path("/none"))
    assert doubt.code == "patients.offered"
    assert doubt.params["patients"] == mended(images, doubt) == patients


@pytest.mark.parametrize(
    "names",
    [
        [f"benign ({n}).png" for n in range(40)],
        [f"img_{n:03}.png" for n in range(40)],
        [f"{20230101 + n // 4}_{n % 4}.png" for n in range(40)],
        [f"case{n:03}.png" for n in range(40)],
    ],
)
def test_nothing_is_offered_where_names_hold_no_patient(names: list[str]) -> None:
    assert offered_rule([folder(*(f"benign/{name}" for name in names))], Path("/none")) is None


def test_a_number_that_begins_again_in_each_class_is_no_patient() -> None:
    images = folder(*(f"{name}/p{n:02}_x.png" for name in ("benign", "malignant") for n in range(10)))
    labels = np.repeat([0, 1], 10)
    assert offered_rule([CaseTable(images.root, images.files, labels, images.class_names)], Path("/none")) is None


@pytest.fixture
def films(tmp_path: Path) -> CaseTable:
    """Two views of each of six patients, whose header names the view with the patient."""
    for number in range(6):
        for view in ("CC", "MLO"):
            where = tmp_path / "train" / ("benign", "malignant")[number % 2] / f"{number}{view}.dcm"
            where.parent.mkdir(parents=True, exist_ok=True)
            picture(where, number, PatientID=f"Mass-Training_P_{number:05}_LEFT_{view}")
    return scan(tmp_path / "train")


def test_headers_that_hold_patients_are_offered_with_a_pattern_where_they_hold_more(
    films: CaseTable, tmp_path: Path
) -> None:
    (doubt,) = doubts([films], None, tmp_path)
    assert doubt.code == "patients.offered"
    offered = rule(json.loads(doubt.setting or ""))
    assert len(set(patients_in(films, offered, tmp_path) or ())) == 6
    assert "Mass-Training" not in json.dumps(dict(doubt.params))


def test_an_id_in_a_header_that_holds_the_view_is_told(films: CaseTable, tmp_path: Path) -> None:
    doubt = told(films, {"dicom": "patient_id"}, tmp_path)["patients.views"]
    assert (doubt.params["patients"], doubt.params["fewer"]) == (12, 6)
    hashes = patients_in(films, rule(json.loads(doubt.setting or "")), tmp_path) or []
    assert len(set(hashes)) == 6
    assert not any("P_0" in name for name in hashes)


def test_one_patient_for_all_images_keeps_a_run_from_beginning(films: CaseTable, tmp_path: Path) -> None:
    values = {"data": {"train_dir": "train", "val_dir": None, "test_dir": None}, "evaluation": {"patient_id": "(dcm)"}}
    for ask in (usable_folders, describe):
        with pytest.raises(SamePatient, match="12 images"):
            ask(Config.model_validate(values), tmp_path)


def repeated(counts: list[int], labels: int = 1) -> tuple[list[str], list[int]]:
    """Return ids of patients with so many images each, dealt out to classes by patient."""
    ids = [f"K{number}" for number, count in enumerate(counts) for _ in range(count)]
    return ids, [number % labels for number, count in enumerate(counts) for _ in range(count)]


@pytest.mark.parametrize(
    ("counts", "labels", "plausible"),
    [
        ([2, 2, 2], 1, True),
        ([2, 2], 1, False),  # three patients at least
        ([2, 2, 2], 3, False),  # and more than classes
        ([2, 2, 2, 2], 3, True),
        ([1] * 8 + [2], 1, True),  # nine of ten images are of other patients
        ([1] * 19 + [2], 1, False),
        ([2, 2, 4], 1, True),  # half of the images at most are one patient's
        ([2, 2, 5], 1, False),
    ],
)
def test_names_may_be_patients_from_the_numbers_on_that_it_takes(
    counts: list[int], labels: int, plausible: bool
) -> None:
    assert patient_rules._plausible(*repeated(counts, labels)) is plausible


@pytest.mark.parametrize(("repeating", "plausible"), [(1, True), (0, False)])
def test_names_that_repeat_only_from_class_to_class_are_numbers(repeating: int, plausible: bool) -> None:
    ids = [f"K{number}" for number in range(10)] * 2
    labels = [0] * 10 + [1] * 10
    for number in range(repeating):
        labels[10 + number] = 0
    assert patient_rules._plausible(ids, labels) is plausible


def test_dates_and_words_for_classes_are_no_patients() -> None:
    for names in (["2019-03-04", "2019-04-05", "2020-01-31"], ["benign", "malignant", "normal"]):
        assert not patient_rules._plausible(names * 2, [0] * 6)
        assert patient_rules._plausible([*names[:2], "K7"] * 2, [0] * 6)


@pytest.mark.parametrize(
    ("ids", "longer"),
    [
        ({"13412", "13412A"}, {"13412A": "13412"}),
        ({"13412", "13412AB"}, {"13412AB": "13412"}),
        ({"13412", "13412_A"}, {"13412_A": "13412"}),
        ({"13412", "13412ABC"}, {}),
        ({"13412", "134127"}, {}),
        ({"P", "PA"}, {}),
        ({"1", "1A"}, {"1A": "1"}),
    ],
)
def test_an_id_with_a_letter_or_two_behind_another_is_told(ids: set[str], longer: dict[str, str]) -> None:
    assert patient_rules._longer_ids(ids) == longer


@pytest.mark.parametrize(
    ("name", "plain"),
    [("P12_left_CC", "P12"), ("left", "left"), ("12-R-MLO_1", "12_1"), ("cclarke 3", "cclarke_3"), ("_7_", "7")],
)
def test_words_for_breast_and_view_are_taken_out_of_a_name(name: str, plain: str) -> None:
    assert patient_rules._without_views(name) == plain


@pytest.mark.parametrize(("count", "offered"), [(3, False), (4, True)])
def test_a_rule_is_doubted_from_four_images_on(count: int, offered: bool) -> None:
    images = folder(*(f"benign/P7_{number}.png" for number in range(count)))
    assert bool(told(images, {"pattern": r"^(P7)"})) is offered


def test_folders_below_the_class_are_offered_where_all_images_have_one() -> None:
    names = [f"benign/{patient}/{number}.png" for patient in ("Anna", "Berta", "Carla") for number in range(2)]
    found = offered_rule([folder(*names)], Path("/none"))
    assert found is not None and found[0].model_dump(exclude_none=True)["folder"] == 1 and found[1] == 3
    assert offered_rule([folder(*names, "benign/x.png")], Path("/none")) is None
    assert offered_rule([folder(*names[:3])], Path("/none")) is None


def test_an_offer_counts_images_and_patients() -> None:
    names = [f"benign/P{patient:03}_{number}.png" for patient in range(5) for number in range(3)]
    (doubt,) = doubts([folder(*names[:9]), folder(*names[9:])], None, Path("/none"))
    assert doubt.code == "patients.offered" and (doubt.params["images"], doubt.params["patients"]) == (15, 5)
    assert mended(folder(*names), doubt) == 5
    assert doubts([folder(*names[:3])], None, Path("/none")) == []


@pytest.mark.parametrize(("count", "told_of"), [(3, False), (4, True)])
def test_a_single_patient_of_few_images_is_no_doubt(count: int, told_of: bool) -> None:
    found = told(folder(*(f"benign/K1_{number}.png" for number in range(count))), {"pattern": r"^(K\d)"})
    assert ("patients.all_one" in found) is told_of
    if told_of:
        assert (found["patients.all_one"].params["images"], found["patients.all_one"].params["patients"]) == (4, 1)
