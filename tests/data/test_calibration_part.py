"""The calibration part: whole patients, cases enough for a threshold, or none at all."""

import numpy as np
import pytest

from breastai.data.cases.calibration_part import calibration_part
from breastai.domain.config import Config, parse_config
from breastai.domain.errors import TooFewPatients

NAMES = ["benign", "malignant"]


def settings(**data: object) -> Config:
    return parse_config({"data": data})


def test_a_fifth_is_set_apart_where_it_holds_cases_enough_for_a_threshold() -> None:
    labels = np.repeat([0, 1], [150, 100])
    apart = calibration_part(labels, None, settings(), NAMES)
    assert np.bincount(labels[apart]).tolist() == [30, 20]
    assert calibration_part(np.repeat([0, 1], [150, 90]), None, settings(), NAMES) == []  # 18 of 19
    assert calibration_part(np.repeat([0, 1], [40, 100]), None, settings(), NAMES) == []  # 8 of 9


def test_cases_are_patients_and_these_stay_whole() -> None:
    labels = np.repeat([0, 1], [600, 400])
    patients = [f"P{place // 4}" for place in range(1000)]
    apart = calibration_part(labels, patients, settings(), NAMES)
    chosen = {patients[place] for place in apart}
    assert apart and {place for place, name in enumerate(patients) if name in chosen} == set(apart)
    # As many images of half the patients: too few cases of the class in question.
    assert calibration_part(labels, [f"P{place // 8}" for place in range(1000)], settings(), NAMES) == []


def test_a_share_is_obeyed_or_refused_and_none_is_none() -> None:
    labels = np.repeat([0, 1], [12, 8])
    assert len(calibration_part(labels, None, settings(calibration_split=0.25), NAMES)) == 5
    assert calibration_part(labels, None, settings(calibration_split=0), NAMES) == []
    with pytest.raises(TooFewPatients):
        calibration_part(labels, ["one"] * 20, settings(calibration_split=0.25), NAMES)
