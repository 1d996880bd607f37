"""A logistic probe is scikit-learn's, with its strength chosen by cases and groups that the rest never saw."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from breastai.clinical import logistic_probe
from breastai.clinical.logistic_probe import class_weights, fit_probe


def made_up(cases: int, width: int, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.concatenate(
        [
            np.arange(classes),
            generator.choice(classes, cases - classes, p=[0.9, 0.1] if classes == 2 else [0.6, 0.3, 0.1]),
        ]
    )
    centres = generator.normal(0, 0.7, (classes, width))
    features = (centres[labels] + generator.normal(0, 1, (cases, width))) * generator.uniform(0.1, 20, width)
    return (features + generator.normal(0, 50, width)).astype(np.float32), labels


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize(("cases", "width"), [(80, 200), (300, 20)])
@pytest.mark.parametrize("strength", [1e-4, 1e-2, 0.3])
def test_it_is_the_penalised_regression_of_scikit_learn(
    cases: int, width: int, strength: float, balanced: bool
) -> None:
    features, labels = made_up(cases, width)
    weights = class_weights(labels, 3) if balanced else np.ones(cases)
    centre = np.average(features.astype(np.float64), axis=0, weights=weights)
    scale = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=weights))
    expected = LogisticRegression(C=strength, max_iter=5000, tol=1e-9).fit(
        (features - centre) / scale, labels, sample_weight=weights
    )
    probe = fit_probe(features, labels, None, 3, balanced=balanced, strengths=[strength])
    other, _ = made_up(50, width, seed=1)
    found = probe.probabilities(other)
    assert np.abs(found - expected.predict_proba((other - centre) / scale)).max() < 3e-3
    assert found.sum(axis=1) == pytest.approx(1)


def test_features_that_never_vary_change_nothing() -> None:
    features, labels = made_up(60, 8)
    constant = np.concatenate([features, np.full((60, 3), 7, np.float32)], axis=1)
    first = fit_probe(features, labels, None, 3, balanced=True, strengths=[0.01])
    second = fit_probe(constant, labels, None, 3, balanced=True, strengths=[0.01])
    assert np.abs(first.probabilities(features) - second.probabilities(constant)).max() < 1e-4
    assert np.abs(second.weights[:, 8:]).max() < 1e-6


def test_where_features_say_nothing_the_strongest_penalty_is_chosen_and_else_a_weaker_one() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(120) % 2
    noise = generator.normal(size=(120, 40)).astype(np.float32)
    telling = noise.copy()
    telling[:, :3] += 3 * labels[:, None]
    nothing, much = (fit_probe(each, labels, None, 2, balanced=False) for each in (noise, telling))
    assert nothing.strength == min(nothing.inner_loss) < much.strength
    assert nothing.inner_loss[nothing.strength] == pytest.approx(np.log(2), abs=0.05)


def test_images_of_a_patient_do_not_choose_for_one_another() -> None:
    # Features tell the patient and nothing of the class: only folds that part patients would think them useful.
    groups = np.arange(120) // 4
    labels = np.random.default_rng(1).integers(0, 2, 30).repeat(4)
    features = np.eye(30, dtype=np.float32)[groups]
    parted, whole = (fit_probe(features, labels, each, 2, balanced=False) for each in (None, groups))
    assert parted.inner_loss[parted.strength] < 0.5 < whole.inner_loss[whole.strength]
    assert whole.strength < parted.strength


def test_too_few_groups_to_choose_among_take_the_middle_strength() -> None:
    features, labels = made_up(12, 5, classes=2)
    probe = fit_probe(features, labels, np.where(labels == 0, np.arange(12), 100), 2, balanced=True)
    assert probe.inner_loss == {}
    middle = logistic_probe.LOGIT_VARIANCES[len(logistic_probe.LOGIT_VARIANCES) // 2]
    assert probe.strength == pytest.approx(middle / 5)


def test_a_class_without_a_case_is_hardly_ever_said() -> None:
    features, labels = made_up(60, 8, classes=2)
    assert fit_probe(features, labels, None, 3, balanced=True).probabilities(features)[:, 2].max() < 0.2
