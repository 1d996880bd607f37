"""The interval of a mean over folds allows for what the folds share."""

import math

import pytest
from scipy import stats

from breastai.clinical.run_spread import corrected_half_width, spread


def test_the_interval_over_folds_is_nadeau_and_bengios() -> None:
    values = [0.71, 0.78, 0.74, 0.80, 0.69]
    found = spread([{"auc_roc": value} for value in values], 0.25)["auc_roc"]
    deviation = stats.tstd(values)
    half = stats.t.ppf(0.975, 4) * deviation * math.sqrt(1 / 5 + 0.25)
    assert found.interval_low == pytest.approx(found.mean - half)
    assert found.interval_high == pytest.approx(found.mean + half)
    # Wider than if the folds were independent, by half and more.
    assert half > 1.4 * stats.t.ppf(0.975, 4) * deviation / math.sqrt(5)


def test_more_repeats_never_make_it_narrower_than_the_training_sets_differ() -> None:
    widths = [corrected_half_width(0.05, 5 * repeats, 0.25) for repeats in (1, 4, 100)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > 1.96 * 0.05 * 0.5


def test_no_interval_goes_below_what_a_figure_can_be() -> None:
    found = spread([{"auc_roc": auc, "cohen_kappa": auc - 0.5} for auc in (0.79, 0.33, 0.79)], 0.5)
    assert found["auc_roc"].interval_low == 0.0
    assert -1.0 <= (found["cohen_kappa"].interval_low or 0) < -0.5


def test_runs_by_seed_have_no_such_interval() -> None:
    assert spread([{"auc_roc": 0.7}, {"auc_roc": 0.8}])["auc_roc"].interval_low is None
