"""Intervals of sums, ratios and what rises with a share, by the equations that define them."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastai.clinical.composite_intervals import (
    complement,
    correlations_of,
    f1,
    linear,
    predictive_value,
    ratio,
    transform,
)
from breastai.clinical.intervals import UNDEFINED, Estimate, auc, auc_influences, delong_test, proportion
from breastai.clinical.meta_analysis import logit_of, random_effects
from breastai.clinical.paired_decisions import _percentiles, compare_decisions, mcnemar_test
from breastai.clinical.shortcut_features import _folded
from breastai.domain.records import Figure

SHARE = Estimate(0.6, 0.5, 0.75)
OTHER = Estimate(0.3, 0.2, 0.35)
NO_INTERVAL = Estimate(0.4, flag="one_patient")


def estimates() -> Any:
    """Draw shares with an interval around them."""
    three = st.tuples(*[st.floats(0.01, 0.99)] * 3).map(sorted)
    return three.map(lambda each: Estimate(each[1], each[0], each[2]))


def test_errors_of_independent_parts_add_up_by_their_squares_and_those_that_go_together_as_they_are() -> None:
    found = linear([SHARE, OTHER], [0.5, -0.4], 0.3)
    # A part that is taken off is off downwards by how far it may be off upwards.
    down, up = math.hypot(0.5 * 0.1, 0.4 * 0.05), math.hypot(0.5 * 0.15, 0.4 * 0.1)
    assert found == pytest.approx((0.48, 0.48 - down, 0.48 + up, None))
    together = linear([SHARE, OTHER], [0.5, 0.4], correlations=np.ones((2, 2)))
    assert together == pytest.approx((0.42, 0.42 - 0.05 - 0.04, 0.42 + 0.075 + 0.02, None))
    against = linear([SHARE, SHARE], [1.0, -1.0], correlations=np.ones((2, 2)), ends=(-1.0, 1.0))
    assert against == pytest.approx((0.0, -0.05, 0.05, None))  # each is off as the other is


def test_a_sum_ends_where_its_scale_does_and_needs_an_interval_of_each_part() -> None:
    wide = Estimate(0.5, 0.0, 1.0)
    assert linear([wide, wide], [1.0, 1.0])[1:3] == pytest.approx((1 - math.sqrt(0.5), 1.0))
    assert linear([wide, wide], [1.0, -1.0])[1:3] == pytest.approx((0.0, math.sqrt(0.5)))
    assert linear([wide, wide], [1.0, -1.0], ends=(-1.0, 0.1))[1:3] == pytest.approx((-math.sqrt(0.5), 0.1))
    assert linear([SHARE, UNDEFINED], [1.0, 1.0]) == UNDEFINED
    assert linear([SHARE, NO_INTERVAL], [1.0, 1.0], 0.1) == pytest.approx((1.1, None, None, "one_patient"))


@given(estimates(), estimates())
def test_a_ratio_is_bounded_where_its_parts_are_just_as_far_off(first: Estimate, second: Estimate) -> None:
    found = ratio(first, second)
    assert found.value == pytest.approx(first.value / second.value)  # type: ignore[operator]
    for bound, one, other in ((found.low, first.low, second.high), (found.high, first.high, second.low)):
        if bound is None or bound in (0.0, found.value):
            continue
        apart = (first.value - bound * second.value) ** 2  # type: ignore[operator]
        reach = (first.value - one) ** 2 + (bound * (second.value - other)) ** 2  # type: ignore[operator]
        assert apart == pytest.approx(reach, rel=1e-6, abs=1e-9)
    assert found.low is not None and 0 <= found.low <= found.value  # type: ignore[operator]


def test_a_ratio_to_nought_is_infinite_and_of_nought_to_it_undefined() -> None:
    nothing, all_of_it = Estimate(0.0, 0.0, 0.1), Estimate(1.0, 0.9, 1.0)
    assert ratio(nothing, nothing) == UNDEFINED == ratio(UNDEFINED, SHARE) == ratio(SHARE, UNDEFINED)
    found = ratio(SHARE, nothing)
    assert found.value == math.inf and found.high is None and found.low is not None and 0 < found.low < math.inf
    assert ratio(nothing, SHARE).low == 0.0 == ratio(nothing, SHARE).value
    assert ratio(all_of_it, SHARE).value == pytest.approx(1 / 0.6)
    assert ratio(NO_INTERVAL, SHARE) == pytest.approx((0.4 / 0.6, None, None, "one_patient"))
    assert ratio(SHARE, NO_INTERVAL) == pytest.approx((1.5, None, None, "one_patient"))
    assert ratio(SHARE, Estimate(0.0)).value == math.inf


def test_f1_is_carried_over_from_the_share_of_hits_among_all_that_are_or_are_called() -> None:
    generator = np.random.default_rng(0)
    positive, called = generator.random(80) < 0.4, generator.random(80) < 0.5
    clusters = np.arange(80) // 2
    hits, misses, alarms = (
        (one & other).sum() for one, other in ((positive, called), (positive, ~called), (~positive, called))
    )
    for own in (None, clusters):
        found = f1(positive, called, own)
        assert found.value == pytest.approx(2 * hits / (2 * hits + misses + alarms))
        either = positive | called
        share = proportion((positive & called)[either], None if own is None else own[either])
        for bound, carried in ((share.low, found.low), (share.high, found.high)):
            assert carried == pytest.approx(2 * bound / (1 + bound))  # type: ignore[operator]


@pytest.mark.parametrize("prevalence", [0.006, 0.1, 0.5])
def test_predictive_values_are_those_of_bayes(prevalence: float) -> None:
    sensitivity, specificity = 0.9, 0.8
    odds = (1 - prevalence) / prevalence
    positive = Estimate(sensitivity / (1 - specificity), 3.0, None)
    found = predictive_value(positive, odds)
    right, wrong = prevalence * sensitivity, (1 - prevalence) * (1 - specificity)
    assert found.value == pytest.approx(right / (right + wrong)) and found.high == 1.0
    assert found.low == pytest.approx(3 / (3 + odds))
    assert predictive_value(Estimate(math.inf, 2.0, None), odds).value == 1.0
    assert predictive_value(UNDEFINED, odds) == UNDEFINED


def test_what_is_carried_over_keeps_its_bounds_flag_and_lack_of_them() -> None:
    assert transform(SHARE, lambda x: x**2) == pytest.approx((0.36, 0.25, 0.5625, None))
    assert transform(Estimate(0.6, 0.5, None, "few_cases"), lambda x: 2 * x, most=9.0) == (1.2, 1.0, 9.0, "few_cases")  # type: ignore[arg-type]
    assert transform(NO_INTERVAL, lambda x: x + 1) == (1.4, None, None, "one_patient")
    assert complement(Estimate(0.6, 0.5, 0.75, "few_cases")) == pytest.approx((0.4, 0.25, 0.5, "few_cases"))  # type: ignore[arg-type]
    assert complement(NO_INTERVAL) == pytest.approx((0.6, None, None, "one_patient"))
    assert complement(Estimate(0.6, 0.5, None)) == pytest.approx((0.4, None, None, None))
    assert complement(UNDEFINED) == UNDEFINED


def test_errors_go_together_as_the_influences_correlate_and_never_narrow_what_can_not_be_seen() -> None:
    influences = np.random.default_rng(0).normal(size=(3, 40))
    influences -= influences.mean(axis=1, keepdims=True)
    assert correlations_of(influences, [1, -1, 1]) == pytest.approx(np.corrcoef(influences))
    still = np.vstack([influences[:1], np.zeros((1, 40))])
    for other, between in ((1.0, 1.0), (-1.0, 0.0)):
        assert correlations_of(still, [1.0, other]).tolist() == [[pytest.approx(1.0), between], [between, 1.0]]


@pytest.mark.parametrize("clustered", [False, True])
def test_the_difference_of_two_areas_is_bounded_as_any_difference_of_two_figures(clustered: bool) -> None:
    generator = np.random.default_rng(3)
    positive = np.arange(60) % 3 == 0
    first = generator.normal(size=60) + 1.5 * positive
    second = first + generator.normal(size=60)
    clusters = np.arange(60) // 2 if clustered else None
    found = delong_test(positive, first, second, clusters)
    areas = [auc(positive, scores, clusters) for scores in (first, second)]
    influences = [auc_influences(positive, scores, clusters) for scores in (first, second)]
    together = correlations_of(np.stack(influences), [1, -1])
    expected = linear(areas, [1.0, -1.0], correlations=together, ends=(-1.0, 1.0))
    assert found is not None and found.difference == pytest.approx(expected, abs=1e-9)
    assert 0.1 < together[0, 1] < 0.99


@pytest.mark.parametrize(
    ("estimate", "folded"),
    [
        (Estimate(0.3, 0.2, 0.35), (0.7, 0.65, 0.8, None)),
        (Estimate(0.7, 0.6, 0.8), (0.7, 0.6, 0.8, None)),
        (Estimate(0.5, 0.4, 0.7), (0.5, 0.4, 0.7, None)),
        (NO_INTERVAL, NO_INTERVAL),
        (UNDEFINED, UNDEFINED),
    ],
)
def test_a_feature_that_is_low_in_a_class_tells_as_much_as_one_that_is_high(estimate: Estimate, folded: Any) -> None:
    assert _folded(estimate) == pytest.approx(folded)


# --- two models on the same cases ---


def test_percentiles_of_draws_need_all_of_them_and_draws_that_differ() -> None:
    drawn = np.arange(101) / 100
    found = _percentiles(0.4, drawn, 9)
    assert (found.low, found.high) == pytest.approx((0.025, 0.975))
    assert (found.value, found.n, found.flag) == (0.4, 9, None)
    for given_draws, flag in (
        (np.append(drawn, np.nan), "often_undefined"),
        (np.append(drawn, np.inf), "often_undefined"),
        (np.full(5, 0.2), "no_variation"),
    ):
        none = _percentiles(0.4, given_draws, 9)
        assert (none.value, none.low, none.high, none.flag) == (0.4, None, None, flag)


def test_models_that_decide_alike_have_no_interval_of_their_difference_and_a_class_is_needed_on_either_side() -> None:
    positive, calls = np.arange(40) % 2 == 0, np.arange(40) % 3 == 0
    found = compare_decisions(positive, calls, calls, 0.2, {})
    for each in found.values():
        assert (each.difference.value, each.difference.low, each.difference.flag) == (0.0, None, "no_variation")
        assert each.bootstrap is not None and each.bootstrap.flag == "no_variation"
    assert compare_decisions(np.ones(5, dtype=bool), calls[:5], calls[:5], 0.2, {}) == {}
    assert compare_decisions(np.zeros(5, dtype=bool), calls[:5], calls[:5], 0.2, {}) == {}


@pytest.mark.parametrize("images", [1, 3])
def test_a_difference_of_decisions_is_bounded_by_those_of_the_shares_of_patients(images: int) -> None:
    generator = np.random.default_rng(5)
    positive = np.repeat(np.arange(60) % 3 == 0, images)
    calls = [np.repeat(generator.random(60) < np.where(np.arange(60) % 3 == 0, hit, 0.2), images) for hit in (0.9, 0.6)]
    clusters = None if images == 1 else np.repeat(np.arange(60), images)
    found = compare_decisions(positive, *calls, 0.2, {}, clusters)["sensitivity"]
    of_class = None if clusters is None else clusters[positive]
    shares = [proportion(each[positive], of_class) for each in calls]
    # Each patient's own part in the error of either share.
    of_patient = [
        np.array([(each[positive].reshape(20, images)[row] - share.value).sum() / (20 * images) for row in range(20)])
        for each, share in zip(calls, shares, strict=True)
    ]
    together = float(np.corrcoef(np.stack(of_patient))[0, 1])
    expected = linear(shares, [1.0, -1.0], correlations=np.array([[1, together], [together, 1]]), ends=(-1.0, 1.0))
    assert found.difference.value == pytest.approx(expected.value)
    assert (found.difference.low, found.difference.high) == pytest.approx(expected[1:3], abs=1e-9)
    assert found.difference.n == 20 * images


def test_mcnemars_clustered_test_is_undefined_where_patients_cancel_out() -> None:
    right, other = np.array([True, False, True]), np.array([False, True, True])
    clusters = np.array([0, 0, 1])
    cancelled = mcnemar_test(right, other, clusters)
    assert (cancelled.method, cancelled.first_only, cancelled.second_only, cancelled.p_value) == (
        "clustered",
        1,
        1,
        None,
    )
    assert mcnemar_test(right, right, clusters).p_value == 1.0
    assert mcnemar_test(right, other, np.array([0, 1, 2])).method == "exact"


# --- several sites ---


def test_the_logit_of_a_share_is_as_wide_as_the_sides_of_its_interval_that_are_finite() -> None:
    def logit(p: float) -> float:
        return math.log(p / (1 - p))

    z = 1.959963984540054
    value, variance = logit_of(Figure(value=0.7, low=0.6, high=0.75, n=9))  # type: ignore[misc]
    widths = logit(0.7) - logit(0.6), logit(0.75) - logit(0.7)
    assert (value, variance) == pytest.approx((logit(0.7), (sum(widths) / 2 / z) ** 2))
    for low, high, width in (
        (0.0, 0.75, widths[1]),
        (0.6, 1.0, widths[0]),
        (0.7, 0.75, widths[1]),
        (0.6, 0.7, widths[0]),
    ):
        found = logit_of(Figure(value=0.7, low=low, high=high, n=9))
        assert found is not None and found[1] == pytest.approx((width / z) ** 2)
    for none in (
        Figure(value=0.7, low=0.0, high=1.0, n=9),
        Figure(value=0.7, low=0.7, high=0.7, n=9),
        Figure(value=0.7, n=9),
        Figure(value=None, n=0),
    ):
        assert logit_of(none) is None


def test_effects_that_differ_no_more_than_by_chance_have_the_mean_of_their_weights() -> None:
    effects, variances = [0.1, 0.2, 0.15], [0.04, 0.01, 0.02]
    found = random_effects(effects, variances)
    weights = 1 / np.array(variances)
    assert (found.tau2, found.i2) == (0.0, 0.0)
    assert found.mean == pytest.approx(float(weights @ effects / weights.sum()))
    assert found.standard_error == pytest.approx(weights.sum() ** -0.5)  # never below that of the weights alone
    apart = random_effects([0.0, 3.0, 6.0], [0.01] * 3)
    # Of equal variances the one between is what is left of the variance of the effects.
    assert apart.tau2 == pytest.approx(9.0 - 0.01, rel=1e-4) and apart.mean == pytest.approx(3.0)
    assert apart.standard_error == pytest.approx(math.sqrt(9 / 3), rel=1e-4)
    assert apart.i2 == pytest.approx(8.99 / 9.0, rel=1e-4)
