"""The core set for the probability of the class in question: each figure is that of an independent implementation."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from breastai.clinical import smoothed_calibration as smoothed
from breastai.clinical.calibration_measures import calibration_intercept, calibration_slope, observed_expected
from breastai.clinical.evidence import gather_evidence
from breastai.clinical.net_benefit import at_prevalence, net_benefit
from breastai.clinical.smoothed_calibration import local_line, smoothed_calibration


def draw(n: int, seed: int, slope: float = 0.7, shift: float = 0.3) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    probabilities = special.expit(generator.normal(-0.5, 1.5, n))
    positive = generator.random(n) < special.expit(shift + slope * special.logit(probabilities))
    return positive, probabilities


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 300))
def test_slope_and_intercept_are_those_of_a_generalised_linear_model(seed: int, n: int) -> None:
    positive, probabilities = draw(n, seed)
    if positive.all() or not positive.any():
        return
    logits = special.logit(probabilities)
    binomial = sm.families.Binomial()
    fitted = sm.GLM(positive.astype(float), sm.add_constant(logits), family=binomial).fit(tol=1e-12)
    large = sm.GLM(positive.astype(float), np.ones(n), family=binomial, offset=logits).fit(tol=1e-12)
    assert calibration_slope(positive, probabilities).value == pytest.approx(fitted.params[1], abs=1e-6)
    assert calibration_intercept(positive, probabilities).value == pytest.approx(large.params[0], abs=1e-6)
    # val.prob: the ratio of the mean outcome and the mean prediction.
    ratio = observed_expected(positive, probabilities).value
    assert ratio == pytest.approx(positive.mean() / probabilities.mean(), abs=1e-9)


def test_the_interval_of_the_slope_is_nearly_that_of_refits_without_each_patient() -> None:
    positive, probabilities = draw(120, 3)
    patients = np.arange(120) // 3
    logits = sm.add_constant(special.logit(probabilities))
    refitted = [
        sm.GLM(positive[keep].astype(float), logits[keep], family=sm.families.Binomial()).fit().params[1]
        for keep in (patients != patient for patient in range(40))
    ]
    moved = (np.array(refitted) - np.mean(refitted)) ** 2
    error = float(np.sqrt(39 / 40 * moved.sum() + moved.max()))
    found = calibration_slope(positive, probabilities, patients)
    assert found.low is not None and found.high is not None
    assert (found.high - found.low) / 2 == pytest.approx(2.0227 * error, rel=0.05)


def test_what_has_no_slope_says_so() -> None:
    positive = np.arange(40) >= 20
    apart = calibration_slope(positive, np.linspace(0.1, 0.9, 40))
    assert (apart.value, apart.flag) == (None, "separated")
    assert calibration_slope(positive, np.full(40, 0.3)).value is None
    assert calibration_slope(np.ones(40, dtype=bool), np.linspace(0.1, 0.9, 40)).value is None
    few = calibration_slope(*draw(60, 1), np.arange(60) % 6)
    assert few.value is not None and (few.low, few.flag) == (None, "few_patients")


def test_certain_probabilities_leave_every_figure_finite() -> None:
    positive, probabilities = draw(80, 5)
    probabilities[:5], probabilities[5:10] = 0.0, 1.0
    for measure in (calibration_slope, calibration_intercept, observed_expected):
        assert np.isfinite(measure(positive, probabilities).value)
    curve = net_benefit(positive, probabilities, prevalence=0.006, draws=20)
    assert np.isfinite(curve["model"]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 150))
def test_the_smoothed_curve_is_clevelands_as_val_prob_draws_it(seed: int, n: int) -> None:
    positive, probabilities = draw(n, seed)
    places = np.linspace(probabilities.min(), probabilities.max(), 17)
    oracle = sm.nonparametric.lowess(positive.astype(float), probabilities, frac=2 / 3, it=0, xvals=places)
    found = local_line(places, probabilities, positive, np.ones((1, n)))[0]
    assert np.allclose(found, np.clip(oracle, 0, 1), atol=1e-6)


def test_a_weighted_curve_is_that_of_the_cases_repeated() -> None:
    positive, probabilities = draw(30, 2)
    weights = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30)).astype(float)
    places = np.linspace(probabilities.min(), probabilities.max(), 9)
    drawn = np.repeat(np.arange(30), weights.astype(int))
    repeated = local_line(places, probabilities[drawn], positive[drawn], np.ones((1, 30)))
    assert np.allclose(local_line(places, probabilities, positive, weights[None]), repeated)


def test_ties_and_a_single_probability_have_a_curve() -> None:
    positive = np.arange(40) % 4 == 0
    curve = smoothed_calibration(positive, np.full(40, 0.3), draws=20)
    assert np.allclose(curve["observed"], 0.25)
    two = smoothed_calibration(positive, np.where(np.arange(40) < 20, 0.2, 0.8), draws=20)
    assert np.isfinite(two["observed"]).all()
    assert smoothed_calibration(np.zeros(40, dtype=bool), np.linspace(0, 1, 40))["probability"] == []


def test_bands_rest_on_patients() -> None:
    positive, probabilities = draw(200, 4)
    single = smoothed_calibration(positive, probabilities, draws=200)
    # Each case four times, as four images of a patient: more images, and as much known.
    fourfold = np.repeat(np.arange(200), 4)
    several = smoothed_calibration(positive[fourfold], probabilities[fourfold], fourfold, draws=200)

    def width(curve: Any) -> float:
        return float(np.mean(np.subtract(curve["high"], curve["low"])))

    assert width(several) == pytest.approx(width(single), rel=0.1)
    few = smoothed_calibration(positive, probabilities, np.arange(200) % 5)
    assert set(few["low"]) == {None}


@pytest.mark.parametrize("prevalence", [None, 0.006, 0.2])
def test_net_benefit_is_by_the_formula_of_dcurves(prevalence: float | None) -> None:
    positive, probabilities = draw(150, 7)
    curve = net_benefit(positive, probabilities, prevalence=prevalence, draws=50)
    share = positive.mean() if prevalence is None else prevalence
    moved = probabilities if prevalence is None else at_prevalence(probabilities, positive.mean(), prevalence)
    for threshold, model, everyone in zip(curve["threshold"], curve["model"], curve["all"], strict=True):
        # dcurves/R/dca.R: test_pos_rate, tp_rate, fp_rate, net_benefit = tp_rate - pt / (1 - pt) * fp_rate - harm
        risk = moved >= threshold
        tp_rate = risk[positive].mean() * share
        fp_rate = risk[~positive].mean() * (1 - share)
        odds = threshold / (1 - threshold)
        assert model == pytest.approx(tp_rate - odds * fp_rate, abs=1e-6)
        assert everyone == pytest.approx(share - odds * (1 - share), abs=1e-6)


def test_the_band_of_the_net_benefit_holds_its_curve() -> None:
    positive, probabilities = draw(150, 7)
    curve = net_benefit(positive, probabilities)
    for low, model, high in zip(curve["low"], curve["model"], curve["high"], strict=True):
        assert low <= model + 1e-9 and high >= model - 1e-9


def test_moving_a_calibrated_probability_to_another_prevalence_keeps_it_calibrated() -> None:
    generator = np.random.default_rng(1)
    positive = generator.random(200_000) < 0.3
    score = generator.normal(size=200_000) + positive
    before = special.expit(special.logit(0.3) + score - 0.5)
    rare = positive & (generator.random(200_000) < 0.02 / 0.98 / (0.3 / 0.7)) | ~positive
    after = at_prevalence(before[rare], 0.3, 0.02)
    assert after.mean() == pytest.approx(positive[rare].mean(), abs=0.002)


def test_an_evaluation_holds_the_core_set_of_its_target(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(90, 1)
    names = ["benign", "malignant", "normal"]
    found = gather_evidence(labels, probabilities, names, target="malignant", repetitions=50).target
    assert found is not None and found.class_name == "malignant"
    assert {name: each.n for name, each in found.by_outcome.items()} == {
        name: int((labels == number).sum()) for number, name in enumerate(names)
    }
    assert all(sum(each.counts) == each.n and each.values == sorted(each.values) for each in found.by_outcome.values())
    assert set(found.decision_at) == {"screening", "clinic", "referral_clinic"}
    assert gather_evidence(labels, probabilities, names, repetitions=50).target is None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1e-12, 0.125, 0.5, 1 - 1e-9, 1.0]), st.booleans()), min_size=2, max_size=9)
)
def test_probabilities_of_any_kind_have_a_slope_and_an_intercept_or_none(cases: list[tuple[float, bool]]) -> None:
    probabilities, positive = (np.array(column) for column in zip(*cases, strict=True))
    slope = calibration_slope(positive, probabilities)
    intercept = calibration_intercept(positive, probabilities)
    assert all(value is None or np.isfinite(value) for value in (slope.value, intercept.value))
    if intercept.value is not None:
        logits = np.log(np.clip(probabilities, 1e-12, None)) - np.log(np.clip(1 - probabilities, 1e-12, None))
        assert special.expit(logits + intercept.value).sum() == pytest.approx(positive.sum(), abs=1e-6)


def test_the_band_of_many_cases_is_told_by_cells_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    said = generator.beta(1, 3, 2400)
    positive, patients = generator.random(2400) < said**1.2, np.arange(2400) // 4
    one_by_one = smoothed_calibration(positive, said, patients, draws=60)
    monkeypatch.setattr(smoothed, "_MOST_SINGLE", 1000)
    monkeypatch.setattr(smoothed, "_CELLS", 600)
    in_cells = smoothed_calibration(positive, said, patients, draws=60)
    assert in_cells["observed"] == one_by_one["observed"]
    for side in ("low", "high"):
        assert in_cells[side] == pytest.approx(one_by_one[side], abs=0.003)
        assert in_cells[side] != one_by_one[side]
