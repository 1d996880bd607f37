"""Intervals in closed form against independent formulas, and against the truth of simulated data."""

import importlib.util
import itertools
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from breastai.clinical import intervals
from breastai.clinical.intervals import auc, bounded_mean, delong_test, placements, proportion, wilson


@pytest.fixture(scope="module")
def simulation(project_root: Path) -> ModuleType:
    """The benchmark of coverage, of which the tests run a small part."""
    spec = importlib.util.spec_from_file_location(
        "interval_coverage", project_root / "benchmarks" / "interval_coverage.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def draw(seed: int, n: int = 60, digits: int = 1) -> tuple[Any, Any, Any]:
    """Return labels and the scores of two models, one of them with ties."""
    generator = np.random.default_rng(seed)
    positive = generator.permutation(np.arange(n) < n * 0.4)
    scores = generator.normal(size=n) + positive
    return positive, scores, (scores + generator.normal(size=n)).round(digits)


def components(positive: Any, scores: Any) -> tuple[float, list[float], list[float]]:
    """Return the AUC and DeLong's structural components by comparing each pair, as the paper defines them."""
    kernel = [
        [1.0 if high > low else 0.5 if high == low else 0.0 for low in scores[~positive]] for high in scores[positive]
    ]
    rows = [sum(row) / len(row) for row in kernel]
    columns = [sum(column) / len(column) for column in zip(*kernel, strict=True)]
    return sum(rows) / len(rows), rows, columns


def covariance(first: list[float], second: list[float]) -> float:
    means = sum(first) / len(first), sum(second) / len(second)
    return sum((a - means[0]) * (b - means[1]) for a, b in zip(first, second, strict=True)) / (len(first) - 1)


def newcombe(area: float, m: float, n: float) -> tuple[float, float]:
    """Return the interval of Newcombe's method 5 as his equations have it, by bisection."""

    def within(theta: float) -> bool:
        upper = theta / (2 - theta) - theta**2  # Hanley and McNeil's Q1 less theta squared, and Q2
        lower = 2 * theta**2 / (1 + theta) - theta**2
        variance = (theta * (1 - theta) + ((m + n) / 2 - 1) * (upper + lower)) / (m * n)
        return abs(area - theta) <= 1.959963984540054 * math.sqrt(max(variance, 0.0))

    bounds = []
    for outside in (0.0, 1.0):
        inside, far = area, outside
        for _ in range(200):
            middle = (inside + far) / 2
            inside, far = (middle, far) if within(middle) else (inside, middle)
        bounds.append(inside)
    return bounds[0], bounds[1]


def by_newcombe(area: float, variance: float, weight: float, patients: tuple[int, int], cases: tuple[int, int]) -> Any:
    """Return the interval at the effective numbers of patients: the variance observed, weighted with that of patients."""

    def implied(m: float, n: float) -> float:
        between = area / (2 - area) - area**2 + 2 * area**2 / (1 + area) - area**2
        return (area * (1 - area) + ((m + n) / 2 - 1) * between) / (m * n)

    shrunk = (weight * variance + 2 * implied(*patients)) / (weight + 2)
    scale = implied(*patients) / max(shrunk, implied(*cases))
    low, high = newcombe(area, scale * patients[0], scale * patients[1])
    perfect = newcombe(1.0, *patients)[0]
    return min(low, perfect), max(high, 1 - perfect)


@pytest.mark.parametrize("seed", range(5))
def test_an_auc_has_newcombe_s_interval_with_delong_s_variance_pair_by_pair(seed: int) -> None:
    positive, first, second = draw(seed)
    for scores in (first, second):
        area, rows, columns = components(positive, scores)
        m, n = len(rows), len(columns)
        variance = covariance(rows, rows) / m + covariance(columns, columns) / n
        shares = [(row - area) / m for row in rows] + [(column - area) / n for column in columns]
        weight = sum(share**2 for share in shares) ** 2 / sum(share**4 for share in shares)
        estimate = auc(positive, scores)
        assert estimate.value == pytest.approx(area, abs=1e-12)
        assert (estimate.low, estimate.high) == pytest.approx(
            by_newcombe(area, variance, weight, (m, n), (m, n)), abs=1e-9
        )


@pytest.mark.parametrize("seed", range(5))
def test_the_paired_test_agrees_with_the_paper_s_formula(seed: int) -> None:
    positive, first, second = draw(seed)
    (area_1, rows_1, columns_1), (area_2, rows_2, columns_2) = (components(positive, s) for s in (first, second))
    variance = sum(
        (covariance(one, one) + covariance(two, two) - 2 * covariance(one, two)) / len(one)
        for one, two in ((rows_1, rows_2), (columns_1, columns_2))
    )
    found = delong_test(positive, first, second)
    assert found is not None and found.z is not None
    assert found.z == pytest.approx((area_1 - area_2) / math.sqrt(variance), abs=1e-9)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(found.z)), abs=1e-12)
    opposite = delong_test(positive, second, first)
    assert opposite is not None and opposite.z == pytest.approx(-found.z)


def test_a_model_does_not_differ_from_itself() -> None:
    positive, scores, _ = draw(0)
    found = delong_test(positive, scores, np.exp(scores))
    assert found is not None
    assert (found.difference.value, found.z, found.p_value) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_obuchowski_s_variance_agrees_with_her_sums_over_patients(seed: int) -> None:
    positive, scores, _ = draw(seed)
    clusters = np.random.default_rng(seed).integers(0, 25, len(positive))
    area, rows, columns = components(positive, scores)
    of_positive = dict(zip(np.flatnonzero(positive).tolist(), rows, strict=True))
    of_negative = dict(zip(np.flatnonzero(~positive).tolist(), columns, strict=True))
    s10 = s01 = s11 = 0.0
    with_positive, with_negative = set(clusters[positive].tolist()), set(clusters[~positive].tolist())
    everyone = with_positive | with_negative
    for patient in everyone:
        own = np.flatnonzero(clusters == patient).tolist()
        above = sum(of_positive[i] - area for i in own if i in of_positive)
        below = sum(of_negative[i] - area for i in own if i in of_negative)
        s10, s01, s11 = s10 + above * above, s01 + below * below, s11 + above * below
    m, n = len(rows), len(columns)
    s10 *= len(with_positive) / ((len(with_positive) - 1) * m)
    s01 *= len(with_negative) / ((len(with_negative) - 1) * n)
    s11 *= len(everyone) / (len(everyone) - 1)
    variance = s10 / m + s01 / n + 2 * s11 / (m * n)
    shares = []
    for patient in everyone:
        own = np.flatnonzero(clusters == patient).tolist()
        above = sum(of_positive[i] - area for i in own if i in of_positive)
        below = sum(of_negative[i] - area for i in own if i in of_negative)
        shares.append(above / m + below / n)
    weight = sum(share**2 for share in shares) ** 2 / sum(share**4 for share in shares)
    estimate = auc(positive, scores, clusters)
    assert estimate.value == pytest.approx(area)
    expected = by_newcombe(area, variance, weight, (len(with_positive), len(with_negative)), (m, n))
    assert (estimate.low, estimate.high) == pytest.approx(expected, abs=1e-9)


def test_patients_with_one_image_each_are_cases_alone() -> None:
    positive, scores, _ = draw(1)
    names = np.random.default_rng(1).permutation(len(positive))
    assert auc(positive, scores, names) == pytest.approx((*auc(positive, scores)[:3], None))
    assert proportion(positive, names) == proportion(positive)


def test_copying_every_image_does_not_narrow_the_interval() -> None:
    positive, scores, other = draw(2)
    patients = np.tile(np.arange(len(positive)), 4)
    once, copied = auc(positive, scores, np.arange(60)), auc(np.tile(positive, 4), np.tile(scores, 4), patients)
    as_if_new = auc(np.tile(positive, 4), np.tile(scores, 4))
    assert copied.value == pytest.approx(once.value)
    assert once.low is not None and once.high is not None and copied.low is not None and copied.high is not None
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.15)
    assert as_if_new.low is not None and as_if_new.high is not None
    assert as_if_new.high - as_if_new.low < 0.6 * (copied.high - copied.low)
    single, fourfold = (
        delong_test(np.tile(positive, k), np.tile(scores, k), np.tile(other, k), np.tile(np.arange(60), k))
        for k in (1, 4)
    )
    assert single is not None and fourfold is not None and single.z == pytest.approx(fourfold.z)
    share, shares = proportion(positive), proportion(np.tile(positive, 4), patients)
    assert share.low is not None and shares.low is not None and shares.low <= share.low


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_is_the_score_test_turned_round(successes: int, n: int) -> None:
    assume(successes <= n)
    estimate = wilson(successes, n)
    assert estimate.low is not None and estimate.high is not None
    assert 0 <= estimate.low <= successes / n <= estimate.high <= 1
    for bound in (estimate.low, estimate.high):
        if 0 < bound < 1:
            z = abs(successes / n - bound) / math.sqrt(bound * (1 - bound) / n)
            assert z == pytest.approx(1.959963984540054, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_placements_are_means_of_the_auc_in_any_units(seed: int, digits: int) -> None:
    positive, _, scores = draw(seed, n=25, digits=digits % 3)
    placed = placements(positive, scores)
    assert placed.of_positives.mean() == pytest.approx(placed.auc)
    assert placed.of_negatives.mean() == pytest.approx(placed.auc)
    assert placements(positive, 3 * scores - 7).auc == placed.auc
    assert placements(~positive, -scores).auc == pytest.approx(placed.auc)


def test_what_these_cases_can_not_tell_is_none() -> None:
    nothing = np.zeros(0, dtype=bool)
    assert proportion(nothing) == (None, None, None, None)
    assert auc(np.array([True, True]), np.array([0.1, 0.2])) == (None, None, None, None)
    assert delong_test(np.array([True, True]), np.zeros(2), np.zeros(2)) is None
    assert auc(np.array([True, False, False]), np.array([0.5, 0.1, 0.9])) == (0.5, None, None, "one_patient")
    assert proportion(np.array([True, False]), np.array([0, 0])) == (0.5, None, None, "one_patient")


def test_perfect_order_still_has_an_interval_and_patients_count_once_in_it() -> None:
    positive = np.arange(40) < 20
    perfect = auc(positive, positive * 1.0)
    assert perfect.value == perfect.high == 1.0
    assert perfect.low is not None and 0.8 < perfect.low < 0.99
    few = auc(positive, positive * 1.0, np.arange(40) // 4)
    assert few.low is not None and few.low < perfect.low
    worst = auc(positive, 1.0 - positive)
    assert worst.low == 0.0 and worst.high == pytest.approx(1 - perfect.low)


def test_the_better_result_has_no_lower_bound_from_none_right_to_all_right() -> None:
    patients = np.arange(12) // 3
    for clusters in (None, patients):
        estimates = [proportion(np.arange(12) < right, clusters) for right in range(13)]
        for worse, better in itertools.pairwise(estimates):
            assert worse.low is not None and better.low is not None and worse.low <= better.low
            assert worse.high is not None and better.high is not None and worse.high <= better.high
    all_right, alone = proportion(np.ones(12, dtype=bool), patients), wilson(4, 4)
    assert all_right.low == pytest.approx(alone.low) == pytest.approx(4 / (4 + 1.959963984540054**2))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000))
def test_turning_one_case_right_lowers_no_bound_whatever_the_patients(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n = int(generator.integers(2, 40))
    clusters = generator.integers(0, generator.integers(2, 15), n)
    right = generator.random(n) < generator.random()
    assume(not right.all() and len(np.unique(clusters)) > 1)
    better = right.copy()
    better[generator.choice(np.flatnonzero(~right))] = True
    before, after = proportion(right, clusters), proportion(better, clusters)
    assert before.low is not None and after.low is not None and before.low <= after.low + 1e-12
    assert before.high is not None and after.high is not None and before.high <= after.high + 1e-12


@pytest.mark.parametrize("images", [1, 4])
def test_the_better_order_has_no_lower_bound_up_to_the_perfect_one(images: int) -> None:
    positive = np.repeat(np.arange(30) < 10, images)
    patients = np.repeat(np.arange(30), images)
    order = np.concatenate([np.flatnonzero(positive), np.flatnonzero(~positive)])
    bounds = []
    for swapped in range(9):
        ranked = order.copy()
        ends = int(positive.sum()) - 1, int(positive.sum())
        for step in range(swapped):  # each step puts one more pair the wrong way round
            ranked[[ends[1] + step - 1, ends[1] + step]] = ranked[[ends[1] + step, ends[1] + step - 1]]
        scores = np.empty(len(positive))
        scores[ranked] = np.arange(len(positive), 0, -1)
        bounds.append(auc(positive, scores, patients))
    assert bounds[0].value == bounds[0].high == 1.0
    assert bounds[1].high is not None and bounds[1].high < 1.0
    for better, worse in itertools.pairwise(bounds):
        assert better.value > worse.value  # type: ignore[operator]
        assert worse.low is not None and better.low is not None and worse.low <= better.low + 1e-12
        assert worse.high is not None and better.high is not None and worse.high <= better.high + 1e-12


def test_of_two_classes_the_auc_of_either_is_the_same_figure_with_the_same_interval() -> None:
    positive, scores, _ = draw(4)
    patients = np.random.default_rng(4).integers(0, 30, len(positive))
    assert auc(~positive, -scores, patients)[:3] == pytest.approx(auc(positive, scores, patients)[:3], abs=1e-9)


@pytest.mark.parametrize(("n", "share"), [(9, 0.985), (18, 0.992), (45, 0.997)])
def test_a_share_near_one_is_held_as_often_as_promised(n: int, share: float) -> None:
    """By adding up the chances of all results; Wilson's own interval holds 0.985 of 9 cases 87 times in 100."""
    held = alone = 0.0
    for right in range(n + 1):
        chance = float(stats.binom.pmf(right, n, share))
        found, wilson_s = proportion(np.arange(n) < right), wilson(right, n)
        assert found.low is not None and found.high is not None
        assert wilson_s.low is not None and wilson_s.high is not None
        held += chance * (found.low <= share <= found.high)
        alone += chance * (wilson_s.low <= share <= wilson_s.high)
    assert held >= 0.94
    assert alone < held


@pytest.mark.parametrize("patients", [30, 60])
@pytest.mark.parametrize("value", [0.475, 0.601, 0.881])
def test_a_share_of_a_number_left_to_chance_is_held_as_often_as_promised(patients: int, value: float) -> None:
    """Precision, of two in five patients called on average, by adding up the chances of all numbers and all results."""
    numbers = np.arange(2, patients + 1)
    chances = stats.binom.pmf(numbers, patients, 0.4)
    held = 0.0
    for number, chance in zip(numbers.tolist(), chances / chances.sum(), strict=True):
        if chance < 1e-5:
            continue
        for right in range(number + 1):
            found = proportion(np.arange(number) < right)
            assert found.low is not None and found.high is not None
            held += chance * float(stats.binom.pmf(right, number, value)) * (found.low <= value <= found.high)
    assert held >= 0.94


def test_intervals_hold_the_truth_also_when_a_patient_has_several_images(simulation: ModuleType) -> None:
    design = simulation.Design(60, (1, 4), likeness=0.6)
    held = simulation.coverage(design, repetitions=60, draws=100, seed=1, cases=30_000)
    naive = simulation.coverage(design, repetitions=60, draws=100, seed=1, alone=True, cases=30_000)
    for name in ("auc_roc.positive", "accuracy", "sensitivity.positive", "cohen_kappa"):
        # Three standard errors of a share of 60 below 0.95; the full simulation is the benchmark.
        assert held[name].coverage >= 0.865, name
        assert naive[name].width < held[name].width, name


def test_the_simulated_truth_is_that_of_the_formula(simulation: ModuleType) -> None:
    design = simulation.Design(1, auc=0.92, sensitivity=0.95)
    expected = simulation.truth(design, 30_000)
    assert expected["auc_roc.positive"] == pytest.approx(0.92, abs=0.006)
    assert expected["sensitivity_at_operating_point.positive"] == pytest.approx(0.95, abs=0.008)


def test_every_order_of_three_cases_gives_the_auc_by_counting() -> None:
    for scores in itertools.permutations((0.1, 0.2, 0.3)):
        positive = np.array([True, False, False])
        wins = sum(scores[0] > low for low in scores[1:])
        assert auc(positive, np.array(scores)).value == wins / 2


def test_a_mean_of_one_patient_has_no_interval_and_of_two_that_of_its_formula() -> None:
    alone = bounded_mean(0.5, np.array([0.1]), 1)
    assert (alone.value, alone.low, alone.flag) == (0.5, None, "one_patient")
    influences = np.array([0.1, -0.1])
    observed, at_most = 2 * 0.1**2 * 2 / 1, 0.5 * 0.5 / 2
    informative = (2 * 0.1**2) ** 2 / (2 * 0.1**4)
    weight = float(intervals._PRIOR_CASES)
    n = 0.25 / ((informative * observed + weight * at_most) / (informative + weight))
    z = stats.norm.ppf(0.975)
    low = (0.5 + z**2 / (2 * n) - z * math.sqrt(0.25 / n + z**2 / (4 * n**2))) / (1 + z**2 / n)
    found = bounded_mean(0.5, influences, 2)
    sure = 1 / (1 + z**2 / 2)  # no better than two cases without a fault
    assert found.low == pytest.approx(min(low, sure)) and found.high == pytest.approx(1 - min(low, sure))
