"""The metrics of every epoch, from labels and probabilities alone."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from breastai.clinical.metrics.weighted_cases import WeightedCases
from breastai.domain.metric_catalog import EPOCH_CLASS_METRICS, EPOCH_METRICS, Metric


class EpochMetrics(NamedTuple):
    """`metrics` by name; the confusion matrix, rows true, columns predicted; `per_class` by class name, then metric.

    Undefined is None, never 0 and never NaN, so that all is fit for JSON.
    """

    metrics: dict[str, float | None]
    confusion_matrix: list[list[int]]
    per_class: dict[str, dict[str, float | None]]


def measure_epoch(
    labels: npt.NDArray[np.integer[Any]], probabilities: npt.NDArray[np.floating[Any]], class_names: Sequence[str]
) -> EpochMetrics:
    """Return the metrics of N cases that each count once: `labels` (N,), `probabilities` (N, C); raise ValueError."""
    if probabilities.ndim != 2 or probabilities.shape[1] != len(class_names):
        raise ValueError(f"expected probabilities of shape (N, {len(class_names)}), got {probabilities.shape}")
    cases = WeightedCases(labels, probabilities)
    by_class = {name: row.formula(cases)[0] for name, row in EPOCH_CLASS_METRICS.items()}
    return EpochMetrics(
        {name: finite(row.formula(cases)[0]) for name, row in EPOCH_METRICS.items()},
        cases.matrices[0].astype(np.int64).tolist(),
        {
            class_name: {name: _number(EPOCH_CLASS_METRICS[name], values[index]) for name, values in by_class.items()}
            for index, class_name in enumerate(class_names)
        },
    )


def _number(row: Metric, value: float) -> float | None:
    """Return a value as JSON has it; what has no direction is a count."""
    return finite(value) if row.direction is not None else int(value)


def finite(value: float) -> float | None:
    """Return a number as JSON has it: None in place of NaN and infinity."""
    return float(value) if np.isfinite(value) else None
