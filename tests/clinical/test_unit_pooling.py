"""Breasts, exams and patients from their images: the formulas of pooling, and the rule fitted at that unit."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breastai.clinical.apply_decision_rule import calibrate
from breastai.clinical.calibration import fit_pooled_calibration
from breastai.clinical.fit_unit_rule import UnitCases, fit_unit_rule
from breastai.clinical.unit_evidence import UnitImages, judge_units
from breastai.clinical.unit_pooling import labels_of_units, pool_images
from breastai.domain.config import Config, parse_config
from breastai.domain.decision_rule import NoveltyLimit
from breastai.domain.patient_settings import PoolingRule
from breastai.domain.unit_rule import Pooling

NAMES = ["benign", "malignant", "normal"]
RULES = [rule for rule in get_args(PoolingRule) if rule != "attention"]


def pooling(rule: Any, sharpness: float = 0.0) -> Pooling:
    return Pooling(rule=rule, class_name="malignant", sharpness=sharpness)


def drawn(units: int, views: int, seed: int = 0) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    return generator.dirichlet((1, 1, 1), units * views), np.repeat(np.arange(units), views)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("sharpness", [0.0, 2.0])
def test_a_unit_of_one_image_says_what_the_image_says(rule: PoolingRule, sharpness: float) -> None:
    probabilities, units = drawn(12, 1)
    found = pool_images(pooling(rule, sharpness), probabilities, units, NAMES)
    np.testing.assert_allclose(found.probabilities, probabilities, atol=1e-9)
    np.testing.assert_allclose(found.weights, 1.0)


@pytest.mark.parametrize("rule", RULES)
def test_rows_are_probabilities_and_shares_add_up(rule: PoolingRule) -> None:
    probabilities, units = drawn(20, 3)
    order = np.random.default_rng(1).permutation(60)
    found = pool_images(pooling(rule, 1.0), probabilities, units, NAMES)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0)
    np.testing.assert_allclose(np.bincount(units, weights=found.weights), 1.0)
    shuffled = pool_images(pooling(rule, 1.0), probabilities[order], units[order], NAMES)
    np.testing.assert_allclose(shuffled.probabilities, found.probabilities)
    np.testing.assert_allclose(shuffled.weights, found.weights[order])


def test_the_formulas() -> None:
    probabilities, units = drawn(9, 4)
    ill = probabilities[:, 1].reshape(9, 4)
    odds = np.log(ill / (1 - ill))
    expected = {
        ("mean", 0.0): ill.mean(1),
        ("largest", 0.0): ill.max(1),
        ("noisy_or", 0.0): 1 - (1 - ill).prod(1),
        ("learnt", 0.0): 1 / (1 + np.exp(-odds.mean(1))),
        ("learnt", 2.0): 1 / (1 + np.exp(-np.log(np.exp(2 * odds).mean(1)) / 2)),
        ("learnt", 400.0): ill.max(1),
    }
    for (rule, sharpness), value in expected.items():
        found = pool_images(pooling(rule, sharpness), probabilities, units, NAMES).probabilities[:, 1]
        np.testing.assert_allclose(found, value, atol=0.01 if sharpness == 400 else 1e-9, err_msg=rule)


def test_attention_weighs_the_logits_by_a_softmax_over_the_unit() -> None:
    said = np.array([[0.0, 1.0, 2.0, 3.0], [np.log(3), 3.0, 2.0, 1.0], [5.0, 0.0, 1.0, 0.0]])
    found = pool_images(pooling("attention"), np.empty((3, 3)), np.array([0, 0, 1]), NAMES, said)
    np.testing.assert_allclose(found.weights, [0.25, 0.75, 1.0])
    logits = np.array([2.5, 2.0, 1.5])
    np.testing.assert_allclose(found.probabilities[0], np.exp(logits) / np.exp(logits).sum())


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.sampled_from(RULES), st.sampled_from([0.0, 0.5, 8.0]))
def test_certain_images_are_pooled_without_an_error(values: list[float], rule: PoolingRule, sharpness: float) -> None:
    rows = np.array([[1 - value, value] for value in values])
    said = Pooling(rule=rule, class_name="b", sharpness=sharpness)
    found = pool_images(said, rows, np.zeros(len(rows), dtype=np.int64), ["a", "b"])
    assert np.isfinite(found.probabilities).all() and np.isfinite(found.weights).all()
    assert found.probabilities.sum() == pytest.approx(1)
    assert min(values) - 1e-6 <= found.probabilities[0, 1] <= 1


def test_one_image_of_the_target_class_makes_the_unit_one_of_it() -> None:
    labels, mixed = labels_of_units(np.array([0, 0, 1, 2, 2, 0]), np.array([0, 0, 0, 1, 1, 1]), 3, target=1)
    assert labels.tolist() == [1, 2] and mixed.tolist() == [True, True]


def views_of_patients(patients: int, seed: int) -> tuple[Any, Any, list[str]]:
    """Return labels, raw probabilities and units of patients with 4 views, of whom the ill show it in one view alone."""
    generator = np.random.default_rng(seed)
    ill = generator.random(patients) < 0.4
    scores = generator.normal(-1, 1, (patients, 4))
    scores[np.arange(patients), generator.integers(0, 4, patients)] += 3.5 * ill
    share = 1 / (1 + np.exp(-scores.ravel()))
    return (
        np.repeat(ill, 4).astype(int),
        np.stack([1 - share, share], 1),
        [f"P{n}" for n in np.repeat(range(patients), 4)],
    )


def rule_for(rule: str, **evaluation: Any) -> Any:
    labels, raw, units = views_of_patients(300, seed=1)
    config = parse_config({"evaluation": {"pooling": rule, "target_class": "ill", **evaluation}})
    return fit_unit_rule(UnitCases(labels, raw, units, units), "patient", ["well", "ill"], config)


def test_a_learnt_rule_leans_to_the_largest_where_one_image_carries_it() -> None:
    assert rule_for("learnt").pooling.sharpness >= 1


@pytest.mark.parametrize("rule", RULES)
def test_the_threshold_keeps_its_sensitivity_on_new_patients_whatever_pools(rule: str) -> None:
    fitted = rule_for(rule, target_sensitivity=0.9)
    assert fitted.decision.n == 300 and fitted.decision.operating_point.unit == "patient"
    labels, raw, units = views_of_patients(2000, seed=2)
    images = UnitImages([f"{n}.png" for n in range(8000)], labels, raw, units, units)
    found, judged = judge_units(fitted, images, ["well", "ill"])
    assert found.evidence.n == len(judged) == 2000 and (found.several, found.mixed) == (2000, 0)
    point = found.evidence.operating_point
    assert point is not None and point.figures["sensitivity"].value == pytest.approx(0.9, abs=0.06)
    slope = found.evidence.target.calibration.slope if found.evidence.target else None
    assert slope is not None and slope.value == pytest.approx(1, abs=0.25)


def test_pooled_probabilities_are_calibrated_by_a_shift_as_well() -> None:
    labels, raw, _ = views_of_patients(400, seed=3)
    numbers = np.repeat(np.arange(400), 4)
    pooled = pool_images(Pooling(rule="largest", class_name="ill"), raw, numbers, ["well", "ill"]).probabilities
    ill = labels[::4]
    said = calibrate(fit_pooled_calibration(ill, pooled), pooled)[:, 1]
    assert said.mean() == pytest.approx(ill.mean(), abs=0.02)
    assert abs(pooled[:, 1].mean() - ill.mean()) > 0.1


def test_the_limit_of_novelty_is_for_the_most_unlike_image_of_a_unit() -> None:
    labels, raw, units = views_of_patients(200, seed=4)
    novelty = np.random.default_rng(5).random(800)
    limit = NoveltyLimit(limit=0.95, quantile=0.95, components=1, n=800)
    cases = UnitCases(labels, raw, units, units, novelty=novelty, limit=limit)
    config = parse_config({"evaluation": {"target_class": "ill"}})
    found = fit_unit_rule(cases, "patient", ["well", "ill"], config)
    assert found is not None and found.decision.novelty is not None
    worst = novelty.reshape(200, 4).max(axis=1)
    assert (worst > found.decision.novelty.limit).mean() <= 0.05
    assert found.decision.novelty.limit > np.quantile(novelty, 0.95)


def test_without_a_validation_image_there_is_no_rule() -> None:
    cases = UnitCases(np.empty(0, dtype=np.int64), np.empty((0, 2)), [])
    assert fit_unit_rule(cases, "patient", ["well", "ill"], Config()) is None
