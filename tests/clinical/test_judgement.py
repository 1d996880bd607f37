"""All the evidence of an evaluation, and two models compared."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from breastai.clinical.evidence import compare, gather_evidence, thin_curve
from breastai.clinical.fit_decision_rule import fit_decision_rule
from breastai.domain.config import Config
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.records import Evidence

NAMES = ["benign", "malignant", "normal"]


def judged(draw_cases: Any, patients: list[str] | None = None) -> tuple[Evidence, DecisionRule, Any, Any]:
    labels, raw = draw_cases(240, seed=1)
    rule = fit_decision_rule(*draw_cases(300, seed=2), NAMES, Config())
    return gather_evidence(labels, raw, NAMES, patients, rule=rule, repetitions=100), rule, labels, raw


def test_the_operating_point_is_judged_by_counting(draw_cases: Any) -> None:
    found, rule, labels, _ = judged(draw_cases)
    point = found.operating_point
    assert point is not None and rule.operating_point is not None
    assert (point.threshold, point.class_name) == (rule.operating_point.threshold, "malignant")
    assert point.positives == (labels == 1).sum() and point.negatives == (labels != 1).sum()
    assert point.figures["sensitivity"].value == pytest.approx(1 - point.missed / point.positives)
    assert point.figures["specificity"].value == pytest.approx(1 - point.called / point.negatives)
    assert set(found.predictive_values) == {f"{v}.{name}" for name in found.prevalences for v in ("ppv", "npv")}


def test_calibration_changes_no_order_by_temperature_and_is_shown_before_and_after(draw_cases: Any) -> None:
    found, rule, labels, raw = judged(draw_cases)
    assert found.calibration.temperature == rule.calibration.temperature
    for part, scores in ((found.calibration.before, raw),):
        expected = -np.log(scores[np.arange(len(labels)), labels]).mean()
        assert part.log_loss == pytest.approx(expected)
    for part in (found.calibration.before, found.calibration.after):
        assert sum(n or 0 for n in part.curve["n"]) == len(labels)


def test_evidence_without_a_rule_has_no_operating_point_and_leaves_probabilities_alone(draw_cases: Any) -> None:
    labels, raw = draw_cases(60, seed=3)
    found = gather_evidence(labels, raw, NAMES, repetitions=50)
    assert (found.operating_point, found.referral, found.predictive_values) == (None, None, {})
    assert found.calibration.before.brier == pytest.approx(found.calibration.after.brier)
    assert found.figures["auc_roc.benign"].value == pytest.approx(roc_auc_score(labels == 0, raw[:, 0]))


def test_referred_cases_and_kept_ones_add_up(draw_cases: Any) -> None:
    found, _, labels, _ = judged(draw_cases)
    assert found.referral is not None and found.referral.referred.value is not None
    kept = found.referral.error_among_kept.n
    assert found.referral.referred.value == pytest.approx(1 - kept / len(labels))


def test_evidence_survives_json(draw_cases: Any) -> None:
    found, *_ = judged(draw_cases, [f"P{number // 2}" for number in range(240)])
    assert Evidence.model_validate_json(found.model_dump_json()) == found
    assert found.patients == 120


def test_a_model_compared_with_itself_does_not_differ(draw_cases: Any) -> None:
    labels, raw = draw_cases(80, seed=4)
    for name, pair in compare(labels, raw, raw, NAMES).items():
        assert pair.first == pair.second, name
        assert pair.difference.value in (0.0, None)
        assert pair.p_value in (1.0, None)


def test_a_better_model_is_better_by_as_much_as_its_figures_say(draw_cases: Any) -> None:
    labels, good = draw_cases(200, seed=5, skill=2.5)
    _, bad = draw_cases(200, seed=6, skill=0.0)
    for patients in (None, [f"P{number // 2}" for number in range(200)]):
        figures = compare(labels, good, bad, NAMES, patients)
        pair = figures["auc_roc.malignant"]
        assert pair.first is not None and pair.second is not None
        assert pair.difference.value == pytest.approx(pair.first - pair.second)
        assert pair.p_value is not None and pair.p_value < 0.01
        assert figures["accuracy"].difference.low is not None and figures["accuracy"].difference.low > 0


def test_a_thinned_curve_keeps_its_ends() -> None:
    curve = {"x": [float(n) for n in range(1000)], "y": [None] * 1000}
    short = thin_curve(curve, 10)
    assert (short["x"][0], short["x"][-1], len(short["x"]), len(short["y"])) == (0.0, 999.0, 10, 10)
    assert thin_curve({"x": []}) == {"x": []}
