"""The jackknife of patients: exact where it can be known, none where the cases can't tell."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from breastai.clinical.jackknife import jackknife

Floats = npt.NDArray[np.float64]


def mean(sums: Floats) -> dict[str, Floats]:
    """The first column is of values, the second counts them."""
    return {"mean": sums[:, 0] / sums[:, 1]}


def of_values(values: Floats, patients: npt.NDArray[np.int64]) -> Floats:
    return np.stack([np.bincount(patients, weights=values), np.bincount(patients).astype(float)], axis=1)


def test_the_interval_of_a_mean_is_student_s_with_the_most_telling_case_counted_once_more() -> None:
    values = np.random.default_rng(0).exponential(size=80)
    found = jackknife(mean, of_values(values, np.arange(80)))["mean"]
    most = np.abs(values - values.mean()).max() / 79  # how far the mean moves without that case
    half = stats.t.ppf(0.975, 79) * np.sqrt(values.var(ddof=1) / 80 + most**2)
    assert found == pytest.approx((values.mean(), values.mean() - half, values.mean() + half, None))


def test_copies_of_a_patient_s_images_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(0).normal(size=50)
    once = jackknife(mean, of_values(values, np.arange(50)))["mean"]
    copied = jackknife(mean, of_values(np.tile(values, 3), np.tile(np.arange(50), 3)))["mean"]
    assert copied[:3] == pytest.approx(once[:3])


def test_fewer_than_ten_patients_give_no_interval_however_many_images_they_have() -> None:
    values = np.random.default_rng(0).normal(size=90)
    nine = jackknife(mean, of_values(values, np.arange(90) % 9))["mean"]
    assert (nine.low, nine.high, nine.flag) == (None, None, "few_patients")
    ten = jackknife(mean, of_values(values, np.arange(90) % 10))["mean"]
    assert ten.low is not None and ten.high is not None and ten.flag is None


def test_what_never_varies_or_needs_one_patient_has_no_interval_and_says_why() -> None:
    assert jackknife(mean, of_values(np.ones(20), np.arange(20)))["mean"] == (1.0, None, None, "no_variation")
    one_counts = np.stack([np.arange(20.0), np.eye(20)[3]], axis=1)  # without patient 3 there is nothing to divide by

    def guarded(sums: Floats) -> dict[str, Floats]:
        return {"mean": np.where(sums[:, 1] > 0, sums[:, 0] / np.maximum(sums[:, 1], 1), np.nan)}

    assert jackknife(guarded, one_counts)["mean"] == (190.0, None, None, "often_undefined")


def test_an_undefined_figure_stays_undefined() -> None:
    undefined = jackknife(lambda sums: {"x": np.full(len(sums), np.nan)}, np.ones((12, 2)))
    assert undefined["x"] == (None, None, None, None)
