"""Calibration: probabilities that can be taken at their word, with the same decisions."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from breastai.clinical.apply_decision_rule import calibrate as apply
from breastai.clinical.calibration import fit_calibration, prior_shift
from breastai.clinical.metric_intervals import evaluate
from breastai.clinical.metrics.weighted_cases import WeightedCases
from breastai.domain.decision_rule import Calibration

CLASSES = ("benign", "malignant")


def draw(n: int, prior: tuple[float, ...], seed: int, separation: float = 2.0) -> tuple[Any, Any]:
    """Return labels and the evidence for each class: log densities, true to how the cases were drawn."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(len(prior), n, p=prior)
    centres = separation * np.eye(len(prior))
    place = generator.normal(size=(n, len(prior))) + centres[labels]
    return labels, -((place[:, None, :] - centres[None]) ** 2).sum(axis=2) / 2


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 20), st.integers(0, 1000))
def test_a_temperature_changes_no_decision(temperature: float, seed: int) -> None:
    probabilities = np.random.default_rng(seed).dirichlet([0.5, 0.5, 0.5], 40)
    calibrated = apply(Calibration(temperature=temperature), probabilities)
    assert calibrated.sum(axis=1) == pytest.approx(1)
    assert (calibrated.argmax(axis=1) == probabilities.argmax(axis=1)).all()


def test_an_overconfident_network_is_cooled_down_by_the_factor_it_is_too_sure() -> None:
    labels, evidence = draw(4000, (0.5, 0.5), seed=1)
    fitted = fit_calibration(labels, special.softmax(3 * evidence, axis=1))
    assert fitted.temperature == pytest.approx(3, rel=0.08)
    assert fitted.prior_shift == ()


def test_a_well_calibrated_network_stays_as_it_is() -> None:
    labels, evidence = draw(4000, (0.5, 0.5), seed=2)
    assert fit_calibration(labels, special.softmax(evidence, axis=1)).temperature == pytest.approx(1, abs=0.08)


def test_a_prior_shifted_by_sampling_is_mended_and_new_cases_are_better_calibrated() -> None:
    natural, training = (0.9, 0.1), (0.5, 0.5)
    labels, evidence = draw(600, natural, seed=3)
    raw = special.softmax(2 * (evidence + np.log(training)), axis=1)
    fitted = fit_calibration(labels, raw, training)
    # What doubles the evidence doubles the training prior as well; the correction then needs no more than its strength.
    assert fitted.temperature == pytest.approx(2, rel=0.25)
    test_labels, test_evidence = draw(3000, natural, seed=4)
    test_raw = special.softmax(2 * (test_evidence + np.log(training)), axis=1)
    before = evaluate(test_labels, test_raw, CLASSES, repetitions=10)
    after = evaluate(test_labels, apply(fitted, test_raw), CLASSES, repetitions=10)
    for figure in ("ece", "brier"):
        assert after[figure].value is not None and before[figure].value is not None
        assert after[figure].value < before[figure].value, figure
    assert after["auc_roc.malignant"].value == pytest.approx(before["auc_roc.malignant"].value)
    assert apply(fitted, test_raw)[:, 1].mean() == pytest.approx(0.1, abs=0.02)


def test_the_shift_between_two_priors_is_bayes_rule() -> None:
    _, evidence = draw(50, (0.7, 0.2, 0.1), seed=5)
    training, natural = np.array([1, 1, 1]) / 3, np.array([0.7, 0.2, 0.1])
    shifted = apply(
        Calibration(prior_shift=prior_shift(training, natural)), special.softmax(evidence + np.log(training), axis=1)
    )
    assert shifted == pytest.approx(special.softmax(evidence + np.log(natural), axis=1))
    assert prior_shift([10, 30], [1, 3]) == pytest.approx((0, 0))


def test_a_network_that_does_not_obey_its_training_prior_is_not_corrected_for_it() -> None:
    labels, evidence = draw(1000, (0.9, 0.1), seed=6)
    natural_already = special.softmax(evidence + np.log((0.9, 0.1)), axis=1)
    fitted = fit_calibration(labels, natural_already, (0.5, 0.5))
    assert np.ptp(fitted.prior_shift) < 0.25 * np.log(9)
    assert fitted.temperature == pytest.approx(1, abs=0.2)


def test_validation_cases_all_decided_rightly_do_not_ask_for_certainty() -> None:
    labels = np.array([0, 1] * 5)
    probabilities = np.where(np.eye(2)[labels] > 0, 0.8, 0.2)
    fitted = fit_calibration(labels, probabilities)
    assert 0.1 < fitted.temperature < 1
    assert fit_calibration(np.zeros(0, dtype=int), np.zeros((0, 2))) == Calibration()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_fitting_never_raises_the_loss_on_the_cases_fitted_by_more_than_its_weak_prior(seed: int) -> None:
    labels, evidence = draw(80, (0.6, 0.3, 0.1), seed, separation=1.0)
    raw = special.softmax(1.7 * evidence, axis=1)
    fitted = fit_calibration(labels, raw, (1, 1, 1))
    after, before = (float(WeightedCases(labels, each).log_loss[0]) for each in (apply(fitted, raw), raw))
    assert after <= before + 1e-6


def test_priors_that_do_not_belong_together_are_refused() -> None:
    for training, natural in (([1, 1], [1, 1, 1]), ([1, -1], [1, 1]), ([1, 1], [0, 1]), ([0, 0], [1, 1])):
        with pytest.raises(ValueError, match="priors"):
            prior_shift(training, natural)
