"""Curves as plain lists, fit for JSON and a chart: ROC, precision against recall, reliability, coverage and error."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sklearn_metrics

from breastai.clinical.intervals import Cases, Clusters, Scores, proportion
from breastai.clinical.metrics.weighted_cases import CALIBRATION_BINS, calibration_bin

Curve = dict[str, list[float | None]]

# More points than this no chart can show.
_LARGEST_CURVE = 500


def roc_curve(positive: Cases, scores: Scores) -> Curve:
    """Return `false_positive_rate`, `sensitivity` and `threshold` from (0, 0) to (1, 1); empty when undefined.

    The first threshold is above every score: None.
    """
    if positive.all() or not positive.any():
        return {"false_positive_rate": [], "sensitivity": [], "threshold": []}
    x, y, thresholds = sklearn_metrics.roc_curve(positive, scores)
    kept = _thinned(len(x))
    return {
        "false_positive_rate": x[kept].tolist(),
        "sensitivity": y[kept].tolist(),
        "threshold": [None, *thresholds[kept][1:].tolist()],
    }


def precision_recall_curve(positive: Cases, scores: Scores) -> Curve:
    """Return `recall` falling to 0, with `precision` and `threshold`; empty without a positive case."""
    if not positive.any():
        return {"recall": [], "precision": [], "threshold": []}
    precision, recall, thresholds = sklearn_metrics.precision_recall_curve(positive, scores)
    kept = _thinned(len(recall))
    return {
        "recall": recall[kept].tolist(),
        "precision": precision[kept].tolist(),
        "threshold": [thresholds[place] if place < len(thresholds) else None for place in kept.tolist()],
    }


def reliability_curve(
    labels: npt.NDArray[np.integer[Any]],
    probabilities: npt.NDArray[np.floating[Any]],
    clusters: Clusters | None = None,
) -> Curve:
    """Return, for each bin of the highest probability that holds a case, its mean, the accuracy there and its interval.

    The bins are those of the expected calibration error.
    """
    confidence = probabilities.max(axis=1) if len(labels) else np.zeros(0)
    right = probabilities.argmax(axis=1) == labels if len(labels) else np.zeros(0, dtype=bool)
    bins = calibration_bin(confidence)
    rows: Curve = {"confidence": [], "accuracy": [], "low": [], "high": [], "n": []}
    for number in range(CALIBRATION_BINS):
        inside = bins == number
        if inside.any():
            share = proportion(right[inside], None if clusters is None else clusters[inside])
            values = (float(confidence[inside].mean()), share.value, share.low, share.high, float(inside.sum()))
            for column, value in zip(rows.values(), values, strict=True):
                column.append(value)
    return rows


def coverage_error_curve(
    labels: npt.NDArray[np.integer[Any]],
    probabilities: npt.NDArray[np.floating[Any]],
    unlike: npt.NDArray[np.bool_] | None = None,
) -> Curve:
    """Return the error among the most confident cases as the `coverage` falls and the rest go to a human.

    (Geifman and El-Yaniv, NeurIPS 2017.) Cases of equal confidence are kept or referred together.
    Those `unlike` the known ones go first, at a confidence of 0.
    """
    if len(labels) == 0:
        return {"coverage": [], "error": [], "confidence": []}
    confidence = probabilities.max(axis=1) if unlike is None else np.where(unlike, 0, probabilities.max(axis=1))
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum(probabilities.argmax(axis=1)[order] != np.asarray(labels)[order])
    last_of_tie = np.append(np.flatnonzero(np.diff(confidence[order])), len(labels) - 1)
    kept = last_of_tie[_thinned(len(last_of_tie))]
    return {
        "coverage": ((kept + 1) / len(labels)).tolist(),
        "error": (wrong[kept] / (kept + 1)).tolist(),
        "confidence": confidence[order][kept].tolist(),
    }


def _thinned(length: int) -> npt.NDArray[np.int64]:
    """Return the places of at most _LARGEST_CURVE points, the first and the last among them."""
    return np.unique(np.linspace(0, length - 1, min(length, _LARGEST_CURVE)).round().astype(np.int64))
