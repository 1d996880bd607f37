"""The bootstrap of patients: exact where it can be known, None where the cases can't tell."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from breastai.clinical.bootstrap import bca, bootstrap, percentile

Floats = npt.NDArray[np.float64]


def mean_of(values: Floats):  # type: ignore[no-untyped-def]
    return lambda weights: {"mean": weights @ values / weights.sum(axis=1)}


def test_the_interval_of_a_mean_is_scipy_s() -> None:
    values = np.random.default_rng(0).exponential(size=80)
    ours = bootstrap(mean_of(values), np.arange(80), repetitions=8000)["mean"]
    theirs = stats.bootstrap((values,), np.mean, n_resamples=8000, method="BCa", rng=1).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_copies_of_a_patient_s_images_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(0).normal(size=50)
    once = bootstrap(mean_of(values), np.arange(50), seed=3)["mean"]
    copied = bootstrap(mean_of(np.tile(values, 3)), np.tile(np.arange(50), 3), seed=3)["mean"]
    assert copied[:3] == pytest.approx(once[:3])


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(0).normal(size=50)
    first, second, third = (bootstrap(mean_of(values), np.arange(50), seed=s, repetitions=300) for s in (1, 1, 2))
    assert first == second
    assert first["mean"].low != third["mean"].low


def test_what_never_varies_or_is_often_undefined_has_no_interval_and_says_why() -> None:
    assert bootstrap(mean_of(np.ones(20)), np.arange(20))["mean"] == (1.0, None, None, "no_variation")
    replicates = np.arange(100.0)
    assert bca(50.0, replicates, replicates).low is not None
    replicates[:6] = np.nan
    assert bca(50.0, replicates, replicates) == percentile(50.0, replicates) == (50.0, None, None, "often_undefined")


def test_fewer_than_ten_patients_give_no_interval_however_many_images_they_have() -> None:
    values = np.random.default_rng(0).normal(size=90)
    nine = bootstrap(mean_of(values), np.arange(90) % 9)["mean"]
    assert (nine.low, nine.high, nine.flag) == (None, None, "few_patients")
    ten = bootstrap(mean_of(values), np.arange(90) % 10, repetitions=200)["mean"]
    assert ten.low is not None and ten.high is not None and ten.flag is None


def test_another_seed_moves_no_bound_by_more_than_the_third_decimal() -> None:
    values = np.random.default_rng(0).random(30)
    first, second = (bootstrap(mean_of(values), np.arange(30), seed=seed)["mean"] for seed in (1, 2))
    assert first[1:3] == pytest.approx(second[1:3], abs=1e-3)


def test_an_undefined_figure_stays_undefined() -> None:
    undefined = bootstrap(lambda weights: {"x": np.full(len(weights), np.nan)}, np.arange(12), repetitions=50)
    assert undefined["x"] == (None, None, None, None)


def test_an_infinite_bound_is_none_and_the_other_one_is_kept() -> None:
    replicates = np.arange(1000.0)
    replicates[900:] = np.inf
    _, low, high, _ = percentile(500.0, replicates)
    assert low == pytest.approx(25, abs=1)
    assert high is None


def test_without_bias_and_skew_bca_is_the_percentile_interval() -> None:
    replicates = np.linspace(-1, 1, 2001)
    assert bca(0.0, replicates, np.array([-1.0, 1.0]))[:3] == pytest.approx(percentile(0.0, replicates)[:3], abs=0.002)


def test_replicates_that_differ_by_rounding_alone_give_no_interval() -> None:
    replicates = np.array([1.0, 1 - 1.2e-16, 1 - 2.3e-16] * 50)
    assert len(set(replicates.tolist())) > 1
    for estimate in (bca(1.0, replicates, replicates[:9]), percentile(1.0, replicates)):
        assert (estimate.value, estimate.low, estimate.high) == (1.0, None, None)
