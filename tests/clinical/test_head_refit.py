"""A last layer fitted anew against scikit-learn's regression, and the folds that choose how near it stays."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as sklearn_log_loss

from breastai.clinical.head_refit import (
    FOLDS,
    STRENGTHS,
    assign_sample_folds,
    log_loss,
    refit_head,
    sample_units,
)

Drawn = tuple[Any, Any, Any]


def drawn(seed: int = 0, n: int = 60, telling: float = 3.0) -> Drawn:
    """Return features (n, 8) whose first tells the class by so much and whose last is the same of all, labels, clusters."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    features = generator.normal(size=(n, 8)) * np.arange(1, 9)
    features[:, 0] += telling * (labels == 1)
    features[:, 7] = 5.0
    return features, labels, np.arange(n) // 2


def by_scikit_learn(features: Any, labels: Any, strength: float) -> tuple[Any, Any]:
    """Return the layer for logits of 0: a column of ones is the intercept, and a column is as free as it is large."""
    mean, scale = features.mean(axis=0), features.std(axis=0)
    standard = (features[:, :-1] - mean[:-1]) / scale[:-1]
    width = np.sqrt(strength * features.shape[1])
    model = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=10_000)
    model.fit(np.column_stack([standard / width, np.ones(len(labels))]), labels)
    weights = np.column_stack([model.coef_[:, :-1] / width / scale[:-1], np.zeros(3)])
    return weights, model.coef_[:, -1] - weights @ mean


def test_a_layer_is_the_penalised_regression_of_standardised_features_and_one_that_never_varies_has_no_weight() -> None:
    features, labels, clusters = drawn()
    found = refit_head(features, np.zeros((60, 3)), labels, clusters, 0)
    assert found.strength is not None
    weights, intercepts = by_scikit_learn(features, labels, found.strength)
    np.testing.assert_allclose(found.weights, weights, atol=1e-4)
    np.testing.assert_allclose(found.intercepts, intercepts, atol=1e-3)


def test_the_logits_of_a_case_come_from_a_layer_fitted_without_it_and_its_patient() -> None:
    features, labels, clusters = drawn()
    found = refit_head(features, np.zeros((60, 3)), labels, clusters, 0)
    assert found.strength is not None
    folds = assign_sample_folds(labels, clusters, 0)
    for fold in range(FOLDS):
        weights, intercepts = by_scikit_learn(features[folds != fold], labels[folds != fold], found.strength)
        expected = features[folds == fold] @ weights.T + intercepts
        np.testing.assert_allclose(found.logits[folds == fold], expected, atol=1e-2)


def test_a_layer_that_is_right_already_is_left_as_it_is() -> None:
    labels = np.repeat([0, 1], 30)
    noise = np.random.default_rng(0).normal(size=(60, 8))
    right = np.where(np.eye(2)[labels] > 0, 4.0, -4.0)
    left = refit_head(noise, right, labels, np.arange(60), 0)
    assert left.strength is None and not left.weights.any() and not left.intercepts.any()
    assert np.array_equal(left.logits, right)


def test_a_shift_of_what_the_layer_says_is_taken_back() -> None:
    features, labels, clusters = drawn(telling=0.0, n=300)
    shifted = np.random.default_rng(1).normal(size=(300, 3)) + np.eye(3)[labels] + np.array([2.0, 0.0, -2.0])
    found = refit_head(features, shifted, labels, clusters, 0)
    moved = features @ found.weights.T + found.intercepts
    # Two logits further apart are two less: the priors hold back a little of it.
    assert float((moved[:, 2] - moved[:, 0]).mean()) == pytest.approx(4.0, abs=0.6)
    assert found.log_loss[found.strength] < found.log_loss[None] - 0.3


def test_the_strength_is_that_of_the_least_loss_of_those_held_out_and_of_equals_the_one_that_changes_least() -> None:
    features, labels, clusters = drawn()
    found = refit_head(features, np.zeros((60, 3)), labels, clusters, 0)
    assert tuple(found.log_loss) == STRENGTHS and found.log_loss[found.strength] == min(found.log_loss.values())
    assert found.log_loss[found.strength] == pytest.approx(log_loss(found.logits, labels))
    assert found.log_loss[None] == pytest.approx(np.log(3))
    assert list(STRENGTHS[1:]) == sorted(STRENGTHS[1:], reverse=True)  # type: ignore[type-var]
    # Of one case each fold fits on none: nothing changes at any strength.
    alone = refit_head(features[:1], np.zeros((1, 3)), labels[:1], clusters[:1], 0)
    assert alone.strength is None and not alone.weights.any()


def test_the_log_loss_is_scikit_learn_s() -> None:
    features, labels, _ = drawn()
    logits = features[:, :3]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert log_loss(logits, labels) == pytest.approx(sklearn_log_loss(labels, shares))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), min_size=1, max_size=40), st.integers(0, 9))
def test_folds_hold_whole_patients_and_those_of_each_class_evenly(cases: list[tuple[int, int]], seed: int) -> None:
    labels, clusters = (np.array(each) for each in zip(*cases, strict=True))
    folds = assign_sample_folds(labels, clusters, seed)
    patients = np.unique(clusters)
    of_patient = [set(folds[clusters == number].tolist()) for number in patients]
    assert all(len(each) == 1 for each in of_patient)
    counts = np.bincount([next(iter(each)) for each in of_patient], minlength=min(FOLDS, len(patients)))
    assert len(counts) == min(FOLDS, len(patients)) and counts.max() - counts.min() <= 1
    # A patient is dealt out with those of the rarest class he has an image of.
    place = {label: rank for rank, label in enumerate(np.argsort(np.bincount(labels), kind="stable").tolist())}
    rarest = np.array([min(place[label] for label in labels[clusters == number].tolist()) for number in patients])
    for rank in set(rarest.tolist()):
        own = np.bincount([next(iter(of_patient[at])) for at in np.flatnonzero(rarest == rank)], minlength=len(counts))
        assert own.max() - own.min() <= 1
    assert np.array_equal(folds, assign_sample_folds(labels, clusters, seed))


def test_another_seed_deals_patients_out_otherwise() -> None:
    labels, clusters = np.arange(40) % 2, np.arange(40)
    assert len({assign_sample_folds(labels, clusters, seed).tobytes() for seed in range(5)}) == 5


def test_units_of_a_sample_are_counted_once_for_each_class_they_have_an_image_of() -> None:
    assert sample_units([0, 0, 1, 1, 0], [5, 5, 5, 6, 7], 3) == [2, 2, 0]
