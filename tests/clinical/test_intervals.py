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

from breastai.clinical.intervals import auc, delong_test, placements, proportion, wilson


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


@pytest.mark.parametrize("seed", range(5))
def test_delong_agrees_with_the_paper_s_formula_pair_by_pair(seed: int) -> None:
    positive, first, second = draw(seed)
    for scores in (first, second):
        area, rows, columns = components(positive, scores)
        error = math.sqrt(covariance(rows, rows) / len(rows) + covariance(columns, columns) / len(columns))
        estimate = auc(positive, scores)
        assert estimate.value == pytest.approx(area, abs=1e-12)
        assert estimate.low == pytest.approx(area - 1.959963984540054 * error, abs=1e-9)
        assert estimate.high == pytest.approx(min(1.0, area + 1.959963984540054 * error), abs=1e-9)


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
    freedom = (s10 / m + s01 / n) ** 2 / (
        (s10 / m) ** 2 / (len(with_positive) - 1) + (s01 / n) ** 2 / (len(with_negative) - 1)
    )
    half = stats.t.ppf(0.975, freedom) * math.sqrt(variance) / (area * (1 - area))
    estimate = auc(positive, scores, clusters)
    assert estimate.value == pytest.approx(area)
    assert estimate.low == pytest.approx(1 / (1 + math.exp(half - math.log(area / (1 - area)))), abs=1e-9)
    assert estimate.high == pytest.approx(1 / (1 + math.exp(-half - math.log(area / (1 - area)))), abs=1e-9)


def test_patients_with_one_image_each_are_cases_alone() -> None:
    positive, scores, _ = draw(1)
    names = np.random.default_rng(1).permutation(len(positive))
    assert auc(positive, scores, names) == auc(positive, scores)
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
    assert proportion(nothing) == (None, None, None)
    assert auc(np.array([True, True]), np.array([0.1, 0.2])) == (None, None, None)
    assert delong_test(np.array([True, True]), np.zeros(2), np.zeros(2)) is None
    assert auc(np.array([True, False, False]), np.array([0.5, 0.1, 0.9])) == (0.5, None, None)
    assert proportion(np.array([True, False]), np.array([0, 0])) == (0.5, None, None)


def test_perfect_order_still_has_an_interval_and_patients_count_once_in_it() -> None:
    positive = np.arange(40) < 20
    perfect = auc(positive, positive * 1.0)
    assert perfect.value == perfect.high == 1.0
    assert perfect.low is not None and 0.8 < perfect.low < 0.99
    few = auc(positive, positive * 1.0, np.arange(40) // 4)
    assert few.low is not None and few.low < perfect.low
    worst = auc(positive, 1.0 - positive)
    assert worst.low == 0.0 and worst.high == pytest.approx(1 - perfect.low)
    all_right = proportion(np.ones(40, dtype=bool), np.arange(40) // 4)
    alone = wilson(10, 10)
    assert all_right.low is not None and alone.low is not None and all_right.low <= alone.low


def test_intervals_hold_the_truth_also_when_a_patient_has_several_images(simulation: ModuleType) -> None:
    design = simulation.Design("", 100, (3, 5), likeness=0.6, mixed=0.2)
    held = simulation.coverage(design, repetitions=200, bootstraps=400, seed=1)
    naive = simulation.coverage(design, repetitions=200, bootstraps=400, seed=1, naive=True)
    for name, share in held.items():
        # Four standard errors of a share of 200 below 0.95; the full simulation is the benchmark.
        assert share >= 0.89, name
        assert naive[name] < share - 0.03, name


def test_intervals_hold_the_truth_when_cases_stand_alone(simulation: ModuleType) -> None:
    held = simulation.coverage(simulation.Design("", 150, (1, 1)), repetitions=200, bootstraps=400, seed=2)
    assert all(0.89 <= share <= 1.0 for share in held.values()), held


def test_the_simulated_truth_is_that_of_many_cases(simulation: ModuleType) -> None:
    design = simulation.Design("", 40_000, (1, 1))
    positive, scores, _ = simulation.draw(design, np.random.default_rng(0))
    found = simulation.estimates(positive, scores, None, repetitions=2, seed=0)
    for name, value in simulation.truth(design).items():
        assert found[name].value == pytest.approx(value, abs=0.015), name


def test_every_order_of_three_cases_gives_the_auc_by_counting() -> None:
    for scores in itertools.permutations((0.1, 0.2, 0.3)):
        positive = np.array([True, False, False])
        wins = sum(scores[0] > low for low in scores[1:])
        assert auc(positive, np.array(scores)).value == wins / 2
