"""Referral: conformal sets keep their promise and are MAPIE's."""

from typing import Any

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin

from breastai.clinical.apply_decision_rule import conformal_sets, decide, is_undecided
from breastai.clinical.fit_decision_rule import describe_referral, fit_decision_rule
from breastai.clinical.referral import cases_needed, fit_conformal, weigh_referral
from breastai.domain.config import Config
from breastai.domain.decision_rule import ConformalSets, DecisionRule, OperatingPoint
from breastai.domain.records import Figure


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
    found = is_undecided(DecisionRule(conformal=fitted), np.array([[1.0, 0.0], [0.2, 0.8]]), ("a", "b"))
    assert found is not None and found.tolist() == [True, False]


def test_a_rate_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match="between"):
        fit_conformal(np.array([0]), np.ones((1, 1)), 0.0)


NAMES = ("benign", "malignant", "normal")


def rule_with(threshold: float, thresholds: tuple[float, ...]) -> DecisionRule:
    figure = Figure(value=0.9, n=20)
    point = OperatingPoint(
        class_name="malignant",
        threshold=threshold,
        target_sensitivity=0.95,
        positives=20,
        positives_needed=19,
        sensitivity=figure,
        specificity=figure,
    )
    return DecisionRule(
        operating_point=point, conformal=ConformalSets(error_rate=0.1, thresholds=thresholds, by_class=True), n=60
    )


def test_an_answer_outside_its_own_plausible_set_is_always_referred() -> None:
    generator = np.random.default_rng(0)
    reasons = set()
    for _ in range(200):
        rule = rule_with(generator.uniform(), tuple(generator.uniform(0, 0.6, 3)))
        for verdict in decide(rule, generator.dirichlet([0.5] * 3, 20), NAMES):
            assert verdict.plausible is not None
            assert verdict.refer == (verdict.plausible != (verdict.answer,))
            reasons.add(verdict.reason)
    assert reasons == {None, "several_classes", "no_class", "answer_not_plausible"}


def test_a_case_called_malignant_whose_only_plausible_class_is_normal_is_referred() -> None:
    (verdict,) = decide(rule_with(0.1, (0.4, 0.3, 0.3)), np.array([[0.1, 0.2, 0.7]]), NAMES)
    assert (verdict.answer, verdict.plausible) == ("malignant", ("normal",))
    assert (verdict.refer, verdict.reason) == (True, "answer_not_plausible")


def test_the_answer_is_the_target_class_from_its_threshold_on_and_else_the_most_probable_other() -> None:
    cases = np.array([[0.5, 0.2, 0.3], [0.3, 0.05, 0.65], [0.1, 0.45, 0.45]])
    assert [verdict.answer for verdict in decide(rule_with(0.2, (0.0,) * 3), cases, NAMES)] == [
        "malignant", "normal", "malignant",
    ]  # fmt: skip
    high = decide(rule_with(0.9, (0.0,) * 3), np.array([[0.3, 0.6, 0.1]]), NAMES)
    assert (high[0].answer, high[0].predicted_positive) == ("benign", False)
    assert decide(DecisionRule(), np.array([[0.3, 0.6, 0.1]]), NAMES)[0].answer == "malignant"


@pytest.mark.parametrize("error_rate", [0.05, 0.1, 0.15, 0.2, 0.25, 0.5])
def test_the_fewest_cases_needed_are_those_from_which_a_class_can_be_excluded(error_rate: float) -> None:
    needed = cases_needed(error_rate)

    def threshold(count: int) -> float:
        return fit_conformal(np.zeros(count, int), np.full((count, 1), 0.9), error_rate).thresholds[0]

    assert (threshold(needed), threshold(needed - 1)) == (0.9, 0.0)


def drawn(counts: tuple[int, ...], seed: int = 0) -> tuple[Any, Any]:
    labels = np.repeat(np.arange(3), counts)
    generator = np.random.default_rng(seed)
    logits = 1.5 * np.eye(3)[labels] + generator.normal(size=(len(labels), 3))
    return labels, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_sets_are_not_offered_where_a_class_has_too_few_cases_and_that_is_said() -> None:
    rule = fit_decision_rule(*drawn((30, 20, 5)), NAMES, Config())
    assert (rule.conformal, rule.too_few) == (None, ("normal",))
    said = list(describe_referral(rule, Config()))
    assert [each.code for each in said] == ["referral.too_few"]
    assert said[0].params == {"rate": 0.1, "needed": 9, "classes": ["normal"]}


def test_the_cost_of_referral_is_told_when_the_rule_is_fitted() -> None:
    rule = fit_decision_rule(*drawn((60, 40, 30)), NAMES, Config())
    assert [row.error_rate for row in rule.trade_off] == [0.05, 0.1, 0.2]
    shares = [row.referred for row in rule.trade_off]
    assert shares == sorted(shares, reverse=True) and shares[0] > shares[-1]
    (said,) = describe_referral(rule, Config())
    assert said.code == "referral.share" and said.params["referred"] == f"{100 * shares[1]:.0f}"


def test_the_cost_on_validation_cases_is_about_that_on_new_ones() -> None:
    told, true = [], []
    for seed in range(12):
        labels, probabilities = drawn((60, 40, 30), seed)
        new_labels, new = drawn((300, 200, 150), 100 + seed)
        row = next(
            row for row in weigh_referral(labels, probabilities, NAMES, DecisionRule(), 0.1) if row.error_rate == 0.1
        )
        away = is_undecided(DecisionRule(conformal=fit_conformal(labels, probabilities, 0.1)), new, NAMES)
        assert away is not None
        told.append((row.referred, row.error_among_kept))
        true.append((away.mean(), (new.argmax(axis=1) != new_labels)[~away].mean()))
    assert np.mean(told, axis=0) == pytest.approx(np.mean(true, axis=0), abs=0.04)
