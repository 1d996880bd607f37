"""Referral: conformal sets keep their promise and are MAPIE's."""

from typing import Any

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin

from breastai.clinical.decision import conformal_sets, referred
from breastai.clinical.referral import fit_conformal


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier whose inputs are its probabilities."""

    classes_ = np.arange(3)

    def fit(self, features: Any, labels: Any) -> "Given":
        return self

    def predict_proba(self, features: Any) -> Any:
        return features

    def predict(self, features: Any) -> Any:
        return features.argmax(axis=1)

    def __sklearn_is_fitted__(self) -> bool:
        return True


@pytest.mark.parametrize("error_rate", [0.05, 0.1, 0.25])
def test_average_sets_are_mapie_s(draw_cases: Any, error_rate: float) -> None:
    labels, probabilities = draw_cases(400, seed=1)
    theirs = SplitConformalClassifier(Given(), confidence_level=1 - error_rate, conformity_score="lac", prefit=True)
    theirs.conformalize(probabilities[:200], labels[:200])
    expected = theirs.predict_set(probabilities[200:])[1][..., 0]
    ours = fit_conformal(labels[:200], probabilities[:200], error_rate, by_class=False)
    assert (conformal_sets(ours, probabilities[200:]) == expected).all()


@pytest.mark.parametrize("by_class", [True, False])
def test_sets_hold_the_truth_as_often_as_promised(draw_cases: Any, by_class: bool) -> None:
    held = np.zeros(3)
    for seed in range(150):
        labels, probabilities = draw_cases(260, seed)
        labels = np.where((labels == 1) & (np.arange(260) % 3 > 0), 0, labels)  # class 1: few, and often taken for 0
        fitted = fit_conformal(labels[:130], probabilities[:130], 0.2, by_class=by_class)
        members = conformal_sets(fitted, probabilities[130:])[np.arange(130), labels[130:]]
        held += [members.mean(), members[labels[130:] == 0].mean(), members[labels[130:] == 1].mean()]
    average, of_common, of_rare = held / 150
    assert 0.79 <= average <= 0.87
    if by_class:
        assert of_rare >= 0.79 and of_common >= 0.79
    else:
        assert of_common < 0.8 < of_rare


def test_a_class_with_too_few_cases_is_never_excluded() -> None:
    labels = np.array([0] * 20 + [1] * 8)
    probabilities = np.where(np.eye(2)[labels] > 0, 0.9, 0.1)
    fitted = fit_conformal(labels, probabilities, 0.1)
    assert fitted.thresholds == (0.9, 0.0)
    assert conformal_sets(fitted, np.array([[1.0, 0.0]])).tolist() == [[True, True]]
    assert referred(fitted, np.array([[1.0, 0.0], [0.2, 0.8]])).tolist() == [True, False]


def test_a_rate_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match="between"):
        fit_conformal(np.array([0]), np.ones((1, 1)), 0.0)
