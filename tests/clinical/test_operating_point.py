"""The operating point: it keeps its target for cases it has not seen, and says when it rests on too few."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breastai.clinical.apply_decision_rule import decide
from breastai.clinical.evidence import gather_evidence
from breastai.clinical.operating_point import (
    choose_operating_point,
    decision_curve,
    metrics_at_threshold,
    positives_needed,
    predictive_values,
)
from breastai.domain.decision_rule import DecisionRule, OperatingPoint
from breastai.domain.records import Figure


def draw(n: int, seed: int) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    positive = generator.random(n) < 0.4
    return positive, 1 / (1 + np.exp(-generator.normal(size=n) - 1.5 * positive))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.8, 0.9, 0.95]), st.integers(5, 120))
def test_on_validation_the_threshold_reaches_its_target(seed: int, target: float, n: int) -> None:
    positive, scores = draw(n, seed)
    scores = scores.round(2)
    point = choose_operating_point("malignant", positive, scores, target_sensitivity=target)
    assert (point is None) == (not positive.any())
    if point is not None:
        assert point.sensitivity.value is not None and point.sensitivity.value >= target
        assert not np.isclose(scores, point.threshold, atol=1e-9).any() or scores.min() == 0
        assert point.reached == (positive.sum() >= positives_needed(target))


def test_on_average_new_positive_cases_are_called_at_least_as_often_as_promised() -> None:
    caught = []
    for seed in range(300):
        positive, scores = draw(80, seed)
        point = choose_operating_point("malignant", positive, scores, target_sensitivity=0.9)
        new_positive, new_scores = draw(400, 10_000 + seed)
        assert point is not None and point.reached
        caught.append(metrics_at_threshold(new_positive, new_scores, point.threshold)["sensitivity"].value)
    assert 0.9 <= np.mean(caught) <= 0.94


def test_fewer_positives_than_the_target_needs_are_reported_as_such() -> None:
    assert [positives_needed(target) for target in (0.5, 0.9, 0.95, 0.99)] == [1, 9, 19, 99]
    positive = np.arange(60) < 18
    scores = np.linspace(1, 0.1, 60)
    point = choose_operating_point("malignant", positive, scores)
    assert point is not None and not point.reached
    assert (point.positives, point.positives_needed) == (18, 19)
    assert scores[18] < point.threshold < scores[17]
    assert point.specificity.value == 1.0


def test_the_positives_a_point_rests_on_are_patients_where_they_are_known() -> None:
    positive = np.arange(120) < 60  # of 15 patients with four images each
    scores = np.linspace(1, 0.1, 120)
    point = choose_operating_point("malignant", positive, scores, np.arange(120) // 4, patients=True)
    assert point is not None
    assert (point.positives, point.unit, point.reached) == (15, "patient", False)
    alone = choose_operating_point("malignant", positive, scores)
    assert alone is not None and (alone.positives, alone.unit, alone.reached) == (60, "image", True)


def test_an_image_of_a_new_patient_is_flagged_as_often_as_promised_however_many_images_patients_have() -> None:
    generator = np.random.default_rng(7)

    def draw_patients(count: int) -> tuple[Any, Any]:
        own = np.repeat(np.arange(count), generator.integers(1, 9, count))
        # Images of a patient are alike, and patients with many images are the harder ones.
        many = np.bincount(own)[own]
        return own, generator.normal(size=count)[own] - 0.2 * many + 0.2 * generator.normal(size=len(own))

    caught = []
    for _ in range(300):
        own, scores = draw_patients(30)
        point = choose_operating_point("malignant", np.ones(len(own), dtype=bool), scores, own, 0.9, patients=True)
        new_own, new_scores = draw_patients(100)
        assert point is not None
        caught.append(np.mean(np.bincount(new_own, new_scores >= point.threshold) / np.bincount(new_own)))
    assert 0.895 <= np.mean(caught) <= 0.95


def test_a_tiny_difference_of_the_scores_changes_no_decision() -> None:
    positive, scores = draw(100, 3)
    point = choose_operating_point("malignant", positive, scores)
    assert point is not None
    assert ((scores >= point.threshold) == (scores + 1e-6 >= point.threshold)).all()


def test_predictive_values_follow_bayes_rule_and_are_those_at_hand_at_their_own_prevalence() -> None:
    positive, scores = draw(200, 4)
    at_hand = metrics_at_threshold(positive, scores, 0.5)
    own = float(positive.mean())
    values = predictive_values(positive, scores, 0.5, {"own": own, "screening": 0.006})
    assert values["ppv.own"].value == pytest.approx(at_hand["precision"].value)
    assert values["npv.own"].value == pytest.approx(at_hand["npv"].value)
    sensitivity, specificity = at_hand["sensitivity"].value, at_hand["specificity"].value
    assert sensitivity is not None and specificity is not None
    expected = sensitivity * 0.006 / (sensitivity * 0.006 + (1 - specificity) * 0.994)
    screening = values["ppv.screening"]
    assert screening.value == pytest.approx(expected)
    assert screening.low is not None and screening.high is not None
    assert screening.low < expected < screening.high < 0.1


def test_without_cases_predictive_values_are_undefined() -> None:
    values = predictive_values(np.zeros(0, dtype=bool), np.zeros(0), 0.5)
    assert all(figure.value is None and figure.n == 0 for figure in values.values())


def test_net_benefit_is_true_positives_less_false_ones_at_the_odds_of_the_threshold() -> None:
    positive, scores = draw(150, 5)
    curve = decision_curve(positive, scores, [0.1, 0.4])
    for place, threshold in enumerate((0.1, 0.4)):
        called = scores >= threshold
        hits, alarms = (called & positive).sum(), (called & ~positive).sum()
        assert curve["model"][place] == pytest.approx(hits / 150 - alarms / 150 * threshold / (1 - threshold))
        assert curve["all"][place] == pytest.approx(
            positive.mean() - (1 - positive.mean()) * threshold / (1 - threshold)
        )
    assert curve["none"] == [0.0, 0.0]
    rare = decision_curve(positive, scores, [0.1], prevalence=0.006)
    assert rare["all"][0] == pytest.approx(0.006 - 0.994 / 9)
    assert decision_curve(positive[:0], scores[:0])["model"] == []


def test_a_target_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match="between"):
        choose_operating_point("malignant", *draw(30, 1), target_sensitivity=1.0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(2.0**-20, 1 - 2.0**-20), min_size=2, max_size=20), st.data())
def test_answers_and_figures_agree_at_the_threshold_itself(values: list[float], data: st.DataObject) -> None:
    scores = np.array(values)
    threshold = data.draw(st.sampled_from(values))
    positive = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    point = OperatingPoint(
        class_name="malignant",
        threshold=threshold,
        target_sensitivity=0.9,
        positives=5,
        positives_needed=9,
        sensitivity=Figure(value=1.0, n=5),
        specificity=Figure(value=1.0, n=5),
    )
    rule = DecisionRule(operating_point=point)
    # As PyTorch gave them, as float32 keeps them, and as another runtime rounds its softmax.
    versions = (scores, scores.astype(np.float32), scores * (1 - 2e-7), scores * (1 + 2e-7))
    distant = np.abs(scores / threshold - 1) > 1e-5
    distant |= scores == threshold
    for version in versions:
        probabilities = np.stack([1 - version, version], axis=1)
        flagged = np.array([case.predicted_positive for case in decide(rule, probabilities, ["benign", "malignant"])])
        assert flagged[scores == threshold].all()
        assert (flagged == (scores >= threshold))[distant].all()
        shares = metrics_at_threshold(positive, version, threshold)
        if positive.any():
            assert shares["sensitivity"].value == pytest.approx(flagged[positive].mean())
        evidence = gather_evidence(
            positive.astype(int), probabilities, ["benign", "malignant"], rule=rule, repetitions=50
        )
        assert evidence.operating_point is not None
        assert evidence.operating_point.called == (flagged & ~positive).sum()
        assert (
            evidence.operating_point.figures["specificity"]
            == evidence.figures["specificity_at_operating_point.malignant"]
        )
