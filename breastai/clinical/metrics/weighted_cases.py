"""Weighted cases: what labels and probabilities tell, in many weightings at once."""

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.apply_decision_rule import logarithm
from breastai.clinical.metrics.weighted_counts import Floats, Labels, WeightedCounts, confusion_matrices, ratio
from breastai.clinical.metrics.weighted_roc import WeightedRoc

# Bins of equal width for the expected calibration error, as in Guo et al., ICML 2017.
CALIBRATION_BINS = 15


class WeightedCases(WeightedCounts):
    """N cases, `labels` (N,) and `probabilities` (N, C), in B weightings (B, N), or in one where each counts once.

    The decision is the most probable class, the first one on a tie. Raises ValueError where labels and probabilities
    can't belong together.
    """

    def __init__(
        self,
        labels: npt.NDArray[np.integer[Any]],
        probabilities: npt.NDArray[np.floating[Any]],
        weights: Floats | None = None,
    ) -> None:
        self.labels, self.probabilities = check_cases(labels, probabilities)
        self.weights = np.ones((1, len(self.labels))) if weights is None else weights
        classes = self.probabilities.shape[1]
        decisions = self.probabilities.argmax(axis=1)
        super().__init__(confusion_matrices(self.weights, self.labels, decisions, classes))
        self._rocs: dict[int, WeightedRoc] = {}

    @cached_property
    def log_loss(self) -> Floats:
        """The mean negative logarithm of the true class's probability, (B,)."""
        losses = -logarithm(self.probabilities)[np.arange(len(self.labels)), self.labels]
        return ratio((self.weights * losses).sum(axis=1), self.weights.sum(axis=1))

    @cached_property
    def brier(self) -> Floats:
        """The Brier score (Brier 1950), (B,): the sum over all classes, 0 to 2; of two classes twice the binary one."""
        truth = np.zeros_like(self.probabilities)
        truth[np.arange(len(self.labels)), self.labels] = 1.0
        squares = ((self.probabilities - truth) ** 2).sum(axis=1)
        return ratio(self.weights @ squares, self.weights.sum(axis=1))

    @cached_property
    def ece(self) -> Floats:
        """The expected calibration error of the highest probability, (B,), in CALIBRATION_BINS bins of equal width."""
        confidence = self.probabilities.max(axis=1)
        excess = confidence - (self.probabilities.argmax(axis=1) == self.labels)
        in_bin = np.zeros((len(self.labels), CALIBRATION_BINS))
        in_bin[np.arange(len(self.labels)), calibration_bin(confidence)] = 1.0
        gaps = np.abs(self.weights @ (in_bin * excess[:, None])).sum(axis=1)
        return ratio(gaps, self.weights.sum(axis=1))

    @cached_property
    def auc_roc(self) -> Floats:
        """The area under the ROC curve of each class against the rest, (B, C)."""
        return np.stack([self.roc(index).auc() for index in self._classes], axis=1)

    @cached_property
    def average_precision(self) -> Floats:
        """That of each class against the rest, (B, C)."""
        return np.stack([self.roc(index).average_precision() for index in self._classes], axis=1)

    def partial_auc(self, specificity: float) -> Floats:
        """Return that of each class, (B, C); see WeightedRoc."""
        return np.stack([self.roc(index).partial_auc(specificity) for index in self._classes], axis=1)

    def sensitivity_at(self, specificity: float) -> Floats:
        """Return that of each class, (B, C); see WeightedRoc."""
        return np.stack([self.roc(index).sensitivity_at(specificity) for index in self._classes], axis=1)

    def specificity_at(self, sensitivity: float) -> Floats:
        """Return that of each class, (B, C); see WeightedRoc."""
        return np.stack([self.roc(index).specificity_at(sensitivity) for index in self._classes], axis=1)

    def roc(self, index: int) -> WeightedRoc:
        """Return the curve of a class against the rest."""
        if index not in self._rocs:
            self._rocs[index] = WeightedRoc(self.weights, self.labels == index, self.probabilities[:, index])
        return self._rocs[index]

    @property
    def _classes(self) -> range:
        return range(self.probabilities.shape[1])


def calibration_bin(confidence: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
    """Return the bin of each probability; a bin holds its upper edge and not its lower one."""
    bins: npt.NDArray[np.int64] = np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1
    return np.clip(bins, 0, CALIBRATION_BINS - 1)


def check_cases(
    labels: npt.NDArray[np.integer[Any]], probabilities: npt.NDArray[np.floating[Any]]
) -> tuple[Labels, Floats]:
    """Return both as plain arrays; raise ValueError when they can't belong together."""
    truth, scores = np.asarray(labels, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    if truth.ndim != 1 or scores.ndim != 2 or len(truth) != len(scores):
        raise ValueError(f"expected labels (N,) and probabilities (N, C), got {truth.shape} and {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("probabilities must be finite numbers")
    if len(truth) and not 0 <= truth.min() <= truth.max() < scores.shape[1]:
        raise ValueError(f"labels must lie between 0 and {scores.shape[1] - 1}")
    return truth, scores
