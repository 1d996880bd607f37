"""Figures of weighted cases, for many weightings at once.

`weights` has shape (B, N): B weightings of N cases. Every function returns shape (B,) for each figure; undefined is
NaN.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.intervals import Cases, Scores

Floats = npt.NDArray[np.float64]

# Bins of equal width for the expected calibration error, as in Guo et al., ICML 2017.
CALIBRATION_BINS = 15


def confusions(weights: Floats, labels: npt.NDArray[np.int64], decisions: npt.NDArray[np.int64], count: int) -> Floats:
    """Return the confusion matrices, shape (B, C, C), rows true, columns predicted."""
    indicator = np.zeros((len(labels), count * count))
    indicator[np.arange(len(labels)), labels * count + decisions] = 1.0
    return (weights @ indicator).reshape(-1, count, count)


# --- from confusion matrices ---------------------------------------------------------------------


def agreement(matrices: Floats) -> dict[str, Floats]:
    """Return balanced accuracy, macro F1, Cohen's kappa (1960) and the multi-class MCC (Gorodkin 2004)."""
    total = matrices.sum(axis=(1, 2))
    rows, columns = matrices.sum(axis=2), matrices.sum(axis=1)
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    by_chance = _ratio((rows * columns).sum(axis=1), total**2)
    accuracy = _ratio(hits.sum(axis=1), total)
    covariance = hits.sum(axis=1) * total - (rows * columns).sum(axis=1)
    spread = (total**2 - (rows**2).sum(axis=1)) * (total**2 - (columns**2).sum(axis=1))
    # Where chance alone agrees always, kappa is undefined; rounding may leave a trace of a difference.
    beyond_chance = np.where(1 - by_chance > 1e-12, 1 - by_chance, 0.0)
    return {
        "balanced_accuracy": _mean_of_defined(_ratio(hits, rows)),
        "f1.macro": _mean_of_defined(_ratio(2 * hits, rows + columns)),
        "cohen_kappa": _ratio(accuracy - by_chance, beyond_chance),
        "mcc": _ratio(covariance, np.sqrt(np.where(spread > 1e-9, spread, 0.0))),
    }


# --- from scores ---------------------------------------------------------------------------------


def of_scores(
    weights: Floats,
    positive: Cases,
    scores: Scores,
    sensitivities: tuple[float, ...],
    specificities: tuple[float, ...],
) -> dict[str, Floats]:
    """Return AUC, partial AUCs, average precision and points of the ROC curve of one class against the rest.

    A case is called positive from a threshold upwards. `specificity_at_sensitivity_S` is the highest specificity of
    any threshold with a sensitivity of at least S, and the reverse: points that can be chosen, not interpolated ones.
    The partial AUC over specificities from S to 1 is McClish's (Med Decis Making 1989;9:190-195): 0.5 for chance, 1
    for perfect.
    """
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    sorted_weights = weights[:, order]
    is_positive = positive[order].astype(np.float64)
    start = np.zeros((len(weights), 1))
    hits = np.concatenate([start, np.cumsum(sorted_weights * is_positive, axis=1)[:, last_of_tie]], axis=1)
    called = np.concatenate([start, np.cumsum(sorted_weights, axis=1)[:, last_of_tie]], axis=1)
    sensitivity = _ratio(hits, hits[:, -1:])
    false_alarms = called - hits
    false_positive_rate = _ratio(false_alarms, false_alarms[:, -1:])

    figures = {
        "auc_roc": _area(false_positive_rate, sensitivity),
        "average_precision": np.where(
            hits[:, -1] > 0,
            (np.diff(sensitivity, axis=1) * _ratio(hits, called, empty=0.0)[:, 1:]).sum(axis=1),
            np.nan,
        ),
    }
    # A trace of slack, so that 19 of 20 counts as 0.95.
    slack = 1e-9
    for target in specificities:
        reached = false_positive_rate <= 1 - target + slack
        best = np.where(reached, sensitivity, 0.0).max(axis=1)
        figures[f"sensitivity_at_specificity_{target:.2f}"] = _where_defined(best, sensitivity, false_positive_rate)
        figures[f"partial_auc_{target:.2f}"] = _partial_area(false_positive_rate, sensitivity, 1 - target)
    for target in sensitivities:
        reached = sensitivity >= target - slack
        best = np.where(reached, 1 - false_positive_rate, 0.0).max(axis=1)
        figures[f"specificity_at_sensitivity_{target:.2f}"] = _where_defined(best, sensitivity, false_positive_rate)
    return figures


def of_probabilities(
    weights: Floats, labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.floating[Any]]
) -> dict[str, Floats]:
    """Return the Brier score (Brier 1950: the sum over all classes, 0 to 2) and the expected calibration error.

    The calibration error is that of the highest probability, in CALIBRATION_BINS bins of equal width (Guo et al.
    2017). For two classes the Brier score is twice the usual binary one. Lower is better.
    """
    truth = np.zeros_like(probabilities)
    truth[np.arange(len(labels)), labels] = 1.0
    total = weights.sum(axis=1)
    confidence = probabilities.max(axis=1)
    excess = confidence - (probabilities.argmax(axis=1) == labels)
    in_bin = np.zeros((len(labels), CALIBRATION_BINS))
    in_bin[np.arange(len(labels)), calibration_bin(confidence)] = 1.0
    gaps = np.abs(weights @ (in_bin * excess[:, None])).sum(axis=1)
    return {
        "brier": _ratio(weights @ ((probabilities - truth) ** 2).sum(axis=1), total),
        "ece": _ratio(gaps, total),
    }


def calibration_bin(confidence: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
    """Return the bin of each probability; a bin holds its upper edge and not its lower one."""
    bins: npt.NDArray[np.int64] = np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1
    return np.clip(bins, 0, CALIBRATION_BINS - 1)


def _area(x: Floats, y: Floats) -> Floats:
    area: Floats = (np.diff(x, axis=1) * (y[:, 1:] + y[:, :-1])).sum(axis=1) / 2
    return area


def _partial_area(x: Floats, y: Floats, limit: float) -> Floats:
    """Return the standardised area of the ROC curve for false positive rates up to `limit`."""
    width = np.clip(np.minimum(x[:, 1:], limit) - x[:, :-1], 0.0, None)
    steps = np.diff(x, axis=1)
    slope = _ratio(np.diff(y, axis=1), steps, empty=0.0)
    area = (width * (y[:, :-1] + slope * width / 2)).sum(axis=1)
    least, most = limit**2 / 2, limit
    return _where_defined((1 + (area - least) / (most - least)) / 2, x, y)


def _where_defined(values: Floats, *curves: Floats) -> Floats:
    """Return `values`, NaN where a curve has no end: there is no positive or no negative case."""
    for curve in curves:
        values = np.where(np.isnan(curve[:, -1]), np.nan, values)
    return values


def _ratio(part: Floats, whole: Floats, empty: float = np.nan) -> Floats:
    """Return part / whole, and `empty` where the whole is 0 or undefined."""
    whole = np.broadcast_to(whole, part.shape)
    result = np.full(part.shape, empty)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def _mean_of_defined(values: Floats) -> Floats:
    """Return the mean over axis 1 of what is not NaN."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1).astype(np.float64))
