"""The ROC curve of weighted cases, of one class against the rest: its area, a part of it, its points, average precision."""

from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.metrics.weighted_counts import Floats, ratio

# A trace of slack, so that 19 of 20 counts as 0.95.
_SLACK = 1e-9


class WeightedRoc:
    """The curves of B weightings (B, N), each with K + 1 points from no case predicted positive to all.

    A case is predicted positive from a threshold upwards; cases of equal scores are so together. Every metric has
    shape (B,), NaN without both a positive and a negative case.
    """

    def __init__(self, weights: Floats, positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating[Any]]) -> None:
        order = np.argsort(-scores, kind="stable")
        last_of_tie = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)[: len(scores)])
        sorted_weights = weights[:, order]
        is_positive = positive[order].astype(np.float64)
        start = np.zeros((len(weights), 1))
        self._hits = np.concatenate([start, np.cumsum(sorted_weights * is_positive, axis=1)[:, last_of_tie]], axis=1)
        self._predicted = np.concatenate([start, np.cumsum(sorted_weights, axis=1)[:, last_of_tie]], axis=1)
        self._false_alarms = self._predicted - self._hits
        self.sensitivity = ratio(self._hits, self._hits[:, -1:])
        self.false_positive_rate = ratio(self._false_alarms, self._false_alarms[:, -1:])

    def auc(self) -> Floats:
        """Return the area under the curve; with whole weights all sums are exact, so equal orders have equal areas."""
        doubled = (np.diff(self._false_alarms, axis=1) * (self._hits[:, 1:] + self._hits[:, :-1])).sum(axis=1)
        return ratio(doubled, 2 * self._false_alarms[:, -1] * self._hits[:, -1])

    def average_precision(self) -> Floats:
        """Return the mean precision over the positive cases, each at its own threshold; undefined without one."""
        precision = ratio(self._hits, self._predicted, empty=0.0)[:, 1:]
        found = (np.diff(self.sensitivity, axis=1) * precision).sum(axis=1)
        return np.where(self._hits[:, -1] > 0, found, np.nan)

    def sensitivity_at(self, specificity: float) -> Floats:
        """Return the highest sensitivity of any threshold with at least this specificity: a point that can be chosen."""
        allowed = self.false_positive_rate <= 1 - specificity + _SLACK
        return self._where_defined(np.where(allowed, self.sensitivity, 0.0).max(axis=1))

    def specificity_at(self, sensitivity: float) -> Floats:
        """Return the highest specificity of any threshold with at least this sensitivity."""
        allowed = self.sensitivity >= sensitivity - _SLACK
        return self._where_defined(np.where(allowed, 1 - self.false_positive_rate, 0.0).max(axis=1))

    def partial_auc(self, specificity: float) -> Floats:
        """Return the area over specificities from `specificity` to 1, standardised: 0.5 for chance, 1 for perfect.

        McClish, Med Decis Making 1989;9:190-195.
        """
        limit = 1 - specificity
        x, y = self.false_positive_rate, self.sensitivity
        width = np.clip(np.minimum(x[:, 1:], limit) - x[:, :-1], 0.0, None)
        steps = np.diff(x, axis=1)
        slope = ratio(np.diff(y, axis=1), steps, empty=0.0)
        area = (width * (y[:, :-1] + slope * width / 2)).sum(axis=1)
        least, most = limit**2 / 2, limit
        return self._where_defined((1 + (area - least) / (most - least)) / 2)

    def _where_defined(self, values: Floats) -> Floats:
        for curve in (self.sensitivity, self.false_positive_rate):
            values = np.where(np.isnan(curve[:, -1]), np.nan, values)
        return values
