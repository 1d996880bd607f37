"""Curves: their ends, their areas and their limits."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from breastai.clinical.curves import coverage_error_curve, precision_recall_curve, reliability_curve, roc_curve
from breastai.clinical.metric_intervals import evaluate


def test_the_area_under_the_roc_curve_is_the_auc_and_the_curve_fits_a_chart(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(3000, seed=1)
    curve = roc_curve(labels == 1, probabilities[:, 1])
    x, y = np.array(curve["false_positive_rate"]), np.array(curve["sensitivity"])
    assert len(x) <= 500
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(y, x) == pytest.approx(sk.roc_auc_score(labels == 1, probabilities[:, 1]), abs=0.003)
    json.dumps(curve, allow_nan=False)


def test_precision_and_recall_end_at_no_case_called(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(100, seed=2)
    curve = precision_recall_curve(labels == 1, probabilities[:, 1])
    assert (curve["recall"][0], curve["recall"][-1], curve["precision"][-1]) == (1.0, 0.0, 1.0)
    assert curve["threshold"][-1] is None
    json.dumps(curve, allow_nan=False)


def test_the_reliability_curve_weighs_up_to_the_calibration_error(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(200, seed=3)
    curve = {name: np.array(values) for name, values in reliability_curve(labels, probabilities).items()}
    gap = (np.abs(curve["accuracy"] - curve["confidence"]) * curve["n"]).sum() / curve["n"].sum()
    assert gap == pytest.approx(evaluate(labels, probabilities, "abc", repetitions=5)["ece"].value)
    assert (curve["low"] <= curve["accuracy"]).all() and (curve["accuracy"] <= curve["high"]).all()


def test_deciding_every_case_gives_the_error_and_equal_confidence_goes_together(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(200, seed=4)
    curve = coverage_error_curve(labels, probabilities.round(1))
    assert curve["coverage"][-1] == 1.0
    assert curve["error"][-1] == pytest.approx((probabilities.round(1).argmax(axis=1) != labels).mean())
    assert len(set(curve["confidence"])) == len(curve["confidence"])
    half = [e for c, e in zip(curve["coverage"], curve["error"], strict=True) if c is not None and c <= 0.5]
    assert half[-1] < curve["error"][-1]  # type: ignore[operator]


def test_without_cases_every_curve_is_empty() -> None:
    none, empty = np.zeros(0, dtype=int), np.zeros((0, 3))
    for curve in (
        roc_curve(none == 1, empty[:, 1]),
        roc_curve(np.array([True]), np.array([0.3])),
        precision_recall_curve(none == 1, empty[:, 1]),
        reliability_curve(none, empty),
        coverage_error_curve(none, empty),
    ):
        assert all(values == [] for values in curve.values())
