"""Several sites: what they show together, how they differ from the internal images, what a local sample changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from sklearn.linear_model import LogisticRegression

from breastai.clinical.intervals import figure_of, wilson
from breastai.clinical.local_sample import (
    draw_of_each_class,
    draw_sample,
    fit_recalibration,
    judge_local_sample,
    recalibrate,
)
from breastai.clinical.meta_analysis import logit_of, pool_figures, random_effects
from breastai.clinical.site_differences import FrozenPoint, JudgedSet, differences, input_drift
from breastai.domain.class_match import match_classes
from breastai.domain.records import Figure

# The trials of BCG against tuberculosis (Colditz et al., JAMA 1994;271:698-702): ill and well, vaccinated and not.
_BCG = np.array(
    [
        [4, 6, 3, 62, 33, 180, 8, 505, 29, 17, 186, 5, 27],
        [119, 300, 228, 13536, 5036, 1361, 2537, 87886, 7470, 1699, 50448, 2493, 16886],
        [11, 29, 11, 248, 47, 372, 10, 499, 45, 65, 141, 3, 29],
        [128, 274, 209, 12619, 5761, 1079, 619, 87892, 7232, 1600, 27197, 2338, 17825],
    ]
)


def test_random_effects_agree_with_metafor_on_its_own_example() -> None:
    ill, well, other_ill, other_well = _BCG
    effects = np.log(ill / (ill + well)) - np.log(other_ill / (other_ill + other_well))
    variances = 1 / ill - 1 / (ill + well) + 1 / other_ill - 1 / (other_ill + other_well)
    found = random_effects(effects, variances)
    # rma(yi, vi, data = dat, test = "knha") of metafor: REML, Knapp and Hartung
    assert found.mean == pytest.approx(-0.7145, abs=1e-4)
    assert found.tau2 == pytest.approx(0.3132, abs=1e-4)
    assert found.standard_error == pytest.approx(0.1808, abs=1e-4)
    assert found.i2 == pytest.approx(0.9222, abs=1e-4)


def share(hits: int, n: int) -> Figure:
    return figure_of(wilson(hits, n), n)


def test_sites_that_agree_are_taken_together_and_sites_that_differ_widen_what_a_new_one_may_be() -> None:
    alike = pool_figures([share(90, 100), share(180, 200), share(45, 50)])
    apart = pool_figures([share(99, 100), share(120, 200), share(45, 50)])
    assert alike is not None and apart is not None
    assert alike.value == pytest.approx(0.9, abs=0.01) and alike.tau2 == pytest.approx(0, abs=1e-6)
    assert apart.tau2 is not None and apart.tau2 > 0.5
    assert None not in (alike.prediction_low, apart.prediction_low) and apart.prediction_low < alike.prediction_low  # type: ignore[operator]
    assert (apart.lowest, apart.highest) == (0.6, 0.99)


def test_one_site_is_no_meta_analysis_and_a_perfect_one_counts() -> None:
    assert pool_figures([share(9, 10), Figure(value=None, n=0)]) is None
    perfect = pool_figures([share(10, 10), share(40, 50)])
    assert perfect is not None and perfect.value is not None and 0.8 < perfect.value < 1


def test_a_share_of_none_or_all_counts_with_half_a_case_on_either_side() -> None:
    none, every = logit_of(share(0, 20)), logit_of(share(20, 20))
    assert none is not None and every is not None
    assert none[0] == pytest.approx(np.log(0.5 / 20.5)) and none[1] == pytest.approx(1 / 0.5 + 1 / 20.5)
    assert every == pytest.approx((-none[0], none[1]))


def judged(generator: np.random.Generator, n: int, shift: float) -> JudgedSet:
    labels = generator.integers(0, 2, n)
    logits = 2.0 * labels - 1 + generator.normal(size=n) + shift
    scores = 1 / (1 + np.exp(-logits))
    return JudgedSet(
        labels.astype(np.int64),
        np.stack([1 - scores, scores], axis=1),
        ("benign", "malignant"),
        [f"P{number // 2}" for number in range(n)],
        {"brightness": generator.normal(0.4 + 0.1 * shift, 0.05, n)},
    )


def test_a_site_with_lower_scores_loses_sensitivity_and_no_auc() -> None:
    generator = np.random.default_rng(1)
    site, internal = judged(generator, 400, -1.0), judged(generator, 400, 0.0)
    found = differences(site, internal, FrozenPoint("malignant", 0.5), draws=400)
    lost = found["sensitivity_at_operating_point.malignant"]
    assert lost.high is not None and lost.high < 0
    area = found["auc_roc.malignant"]
    assert area.low is not None and area.high is not None and area.low < 0 < area.high
    (drift,) = input_drift(site, internal, draws=400)
    assert drift.difference is not None and drift.difference.high is not None and drift.difference.high < 0
    assert drift.difference.value == pytest.approx(-0.1, abs=0.02)


def test_the_interval_of_a_difference_is_as_wide_as_theory_says() -> None:
    generator = np.random.default_rng(2)
    one, other = (generator.normal(0.5, 0.1, n) for n in (100, 200))
    sets = [
        JudgedSet(np.zeros(len(x), np.int64), np.ones((len(x), 1)), ("a",), None, {"size": x}) for x in (one, other)
    ]
    (drift,) = input_drift(sets[0], sets[1], draws=4000)
    error = np.sqrt(one.var() / 100 + other.var() / 200)
    found = drift.difference
    assert found is not None and found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_internal_images_of_a_class_that_a_site_lacks_take_no_part() -> None:
    names = ["benign", "malignant", "normal"]
    labels = np.array([0, 1, 2, 2])
    internal = JudgedSet(labels, np.eye(3)[labels], tuple(names), list("abcd"), {"size": np.arange(4.0)})
    two = internal.in_classes_of(match_classes("set", {"benign": 1, "malignant": 1}, names))
    assert two.labels.tolist() == [0, 1] and two.clusters == ["a", "b"] and two.inputs["size"].tolist() == [0, 1]
    merged = internal.in_classes_of(match_classes("set", {"cancer": 1, "no_cancer": 1}, names))
    assert merged.labels.tolist() == [0, 1, 0, 0] and merged.probabilities.shape == (4, 2)


def test_a_local_sample_is_of_whole_patients_of_both_kinds_and_the_same_for_the_same_seed() -> None:
    clusters = np.repeat(np.arange(50), 3)
    positive = clusters < 10
    inside = draw_sample(positive, clusters, 0.3, 7)
    assert np.array_equal(inside, draw_sample(positive, clusters, 0.3, 7))
    assert not np.array_equal(inside, draw_sample(positive, clusters, 0.3, 8))
    assert all(len(set(inside[clusters == patient].tolist())) == 1 for patient in range(50))
    assert len(set(clusters[inside & positive])) == 3 and len(set(clusters[inside & ~positive])) == 12
    assert len(set(clusters[draw_sample(positive, clusters, 20, 7)])) == 20


def test_the_draw_of_a_local_sample_is_the_one_of_earlier_versions() -> None:
    clusters = np.repeat(np.arange(20), 2)
    inside = draw_sample(clusters % 5 == 0, clusters, 0.4, 7)
    assert np.unique(clusters[inside]).tolist() == [0, 2, 4, 10, 11, 13, 17, 19]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=80),
    st.one_of(st.floats(0.05, 0.95), st.integers(1, 40)),
)
def test_a_sample_of_each_class_holds_patients_of_each_that_has_enough(
    images: list[tuple[int, int]], share: float
) -> None:
    labels = np.array([label for label, _ in images])
    clusters = np.unique([patient for _, patient in images], return_inverse=True)[1]
    inside = draw_of_each_class(labels, clusters, share, 3, least=2)
    assert np.array_equal(inside, draw_of_each_class(labels, clusters, share, 3, least=2))
    assert all(len(set(inside[clusters == patient].tolist())) == 1 for patient in set(clusters.tolist()))
    own = [
        label for label in set(labels.tolist()) if len(set(labels[np.isin(clusters, clusters[labels == label])])) == 1
    ]
    for label in own:  # classes whose patients have no image of another one
        there, drawn = (len(set(clusters[chosen].tolist())) for chosen in (labels == label, inside & (labels == label)))
        assert drawn >= min(2, there - 1) and there - drawn >= 1


def test_a_class_of_few_patients_is_in_the_sample_and_the_number_asked_for_is_drawn() -> None:
    labels = np.repeat([0, 1, 2, 3], [40, 33, 24, 3])
    inside = draw_of_each_class(labels, np.arange(100), 20, 0, least=2)
    assert np.bincount(labels[inside]).tolist() == [8, 7, 4, 2]
    thirds = draw_of_each_class(np.repeat([0, 1, 2], 10), np.arange(30), 10, 0, least=2)
    assert thirds.sum() == 10


def test_recalibration_agrees_with_a_logistic_regression() -> None:
    generator = np.random.default_rng(3)
    scores = generator.uniform(0.01, 0.99, 5000)
    logits = np.log(scores / (1 - scores))
    positive = generator.random(5000) < 1 / (1 + np.exp(-(0.7 + 0.5 * logits)))
    found = fit_recalibration(positive, scores)
    oracle = LogisticRegression(C=np.inf).fit(logits[:, None], positive)
    assert found.slope == pytest.approx(oracle.coef_[0, 0], abs=0.01)
    assert found.intercept == pytest.approx(oracle.intercept_[0], abs=0.01)
    again = fit_recalibration(positive, recalibrate(found, scores))
    assert again.slope == pytest.approx(1, abs=0.01) and again.intercept == pytest.approx(0, abs=0.01)


def test_a_threshold_fitted_on_a_local_sample_reaches_the_sensitivity_that_the_frozen_one_misses() -> None:
    site = judged(np.random.default_rng(4), 800, -1.5)
    positive, scores = site.labels == 1, site.probabilities[:, 1]
    found = judge_local_sample(positive, scores, "malignant", 0.5, 0.9, site.clusters, patients=True, share=0.4, seed=0)
    frozen, refitted, recalibrated = found.points
    assert [point.kind for point in found.points] == ["frozen", "refitted", "recalibrated"]
    assert frozen.sensitivity.value is not None and frozen.sensitivity.value < 0.8
    assert refitted.sensitivity.value is not None and refitted.sensitivity.value >= 0.88
    assert recalibrated.brier is not None and frozen.brier is not None and recalibrated.brier < frozen.brier
    assert found.units + found.rest_units == 400 and found.images + found.rest_images == 800
    assert all(point.sensitivity.n == found.rest_positives for point in found.points)


def test_a_local_sample_without_a_positive_case_fits_nothing_and_says_so() -> None:
    found = judge_local_sample(
        np.zeros(20, np.bool_), np.full(20, 0.3), "malignant", 0.5, 0.9, None, patients=False, share=0.5, seed=0
    )
    assert not found.points and found.fault is not None and "malignant" in str(found.fault)


@pytest.mark.parametrize("sites", [2, 3, 5])
def test_the_intervals_of_sites_taken_together_are_student_s_with_so_many_degrees(sites: int) -> None:
    figures = [share(hits, 100) for hits in (70, 85, 90, 60, 95)[:sites]]
    known = [logit_of(figure) for figure in figures]
    found = random_effects(*zip(*(each for each in known if each is not None), strict=True))
    pooled = pool_figures(figures)
    assert pooled is not None and pooled.sites == sites
    half = stats.t.ppf(0.975, sites - 1) * found.standard_error
    expected = special.expit([found.mean - half, found.mean, found.mean + half])
    assert [pooled.low, pooled.value, pooled.high] == pytest.approx(expected.tolist())
    if sites == 2:
        assert pooled.prediction_low is None is pooled.prediction_high
    else:
        reach = stats.t.ppf(0.975, sites - 2) * np.hypot(np.sqrt(found.tau2), found.standard_error)
        ahead = special.expit([found.mean - reach, found.mean + reach])
        assert [pooled.prediction_low, pooled.prediction_high] == pytest.approx(ahead.tolist())


def test_the_logit_of_a_share_has_the_error_that_its_interval_says() -> None:
    for logit, error in ((0.0, 0.3), (-2.0, 0.5), (3.0, 0.1)):
        value, low, high = special.expit([logit, logit - 1.959964 * error, logit + 1.959964 * error])
        found = logit_of(Figure(value=value, low=low, high=high, n=9))
        assert found == (pytest.approx(logit), pytest.approx(error**2, rel=1e-5))
        for cut in ({"high": 1.0}, {"low": 0.0}):  # the other side says it
            assert logit_of(Figure(value=value, low=low, high=high, n=9).model_copy(update=cut)) == (
                pytest.approx(logit),
                pytest.approx(error**2, rel=1e-5),
            )
    for none in (
        Figure(value=0.5, low=0.5, high=0.5, n=9),
        Figure(value=0.5, low=0.0, high=1.0, n=9),
        Figure(value=0.5, n=9),
    ):
        assert logit_of(none) is None


@pytest.mark.parametrize("n", [10, 40])
def test_a_share_of_none_or_all_has_half_a_case_more_on_either_side(n: int) -> None:
    logit, variance = special.logit(0.5 / (n + 1)), 1 / 0.5 + 1 / (n + 0.5)
    assert logit_of(share(0, n)) == (pytest.approx(logit), pytest.approx(variance))
    assert logit_of(share(n, n)) == (pytest.approx(-logit), pytest.approx(variance))


def test_a_difference_that_no_draw_changes_has_no_interval_of_nothing() -> None:
    labels = np.arange(40) % 2
    sure = np.where(labels == 1, 0.9, 0.1)
    judged = JudgedSet(
        labels, np.stack([1 - sure, sure], axis=1), ("benign", "malignant"), None, {"size": np.full(40, 64.0)}
    )
    found = differences(judged, judged, FrozenPoint("malignant", 0.5), draws=50)
    for figure in (*found.values(), *(row.difference for row in input_drift(judged, judged, draws=50))):
        assert figure is not None
        assert (figure.value, figure.low, figure.high, figure.flag) == (0.0, None, None, "no_variation")
