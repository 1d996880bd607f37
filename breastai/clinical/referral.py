"""Refer to a human: which cases the model should not decide, for want of certainty or for being unlike its training."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.domain.decision import ConformalSets

Labels = npt.NDArray[np.integer[Any]]
Probabilities = npt.NDArray[np.floating[Any]]
Features = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

ERROR_RATE = 0.1
_NEIGHBOURS = 10
# Numbers in one block of distances: 64 MB.
_BLOCK_SIZE = 2**24


# --- conformal sets ------------------------------------------------------------------------------


def fit_conformal(
    labels: Labels, probabilities: Probabilities, error_rate: float = ERROR_RATE, *, by_class: bool = True
) -> ConformalSets:
    """Return split-conformal sets from validation cases not used to train (LAC: Sadinle et al., JASA 2019;114:223-234).

    `by_class` holds the promise for each class by itself (Vovk's Mondrian sets): an average one may be kept by the
    common class at the expense of the rare. Calibrate the probabilities first: the sets get smaller, the promise
    stays. The promise takes the cases to be exchangeable, so patients with many images loosen it.
    """
    if not 0 < error_rate < 1:
        raise ValueError("an error rate lies between 0 and 1")
    of_the_truth = np.asarray(probabilities, dtype=np.float64)[np.arange(len(labels)), labels]
    count = probabilities.shape[1]
    if by_class:
        thresholds = tuple(_threshold(of_the_truth[labels == index], error_rate) for index in range(count))
    else:
        thresholds = (_threshold(of_the_truth, error_rate),) * count
    return ConformalSets(error_rate, thresholds, by_class)


def _threshold(of_the_truth: npt.NDArray[np.float64], error_rate: float) -> float:
    """Return the ceil((n + 1)(1 - error_rate))-th highest probability of the true class; 0 when n is too small."""
    place = math.ceil((len(of_the_truth) + 1) * (1 - error_rate) - 1e-9)
    if place > len(of_the_truth):
        return 0.0
    return float(np.sort(of_the_truth)[::-1][place - 1])


# --- out of distribution -------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Novelty:
    """How far an image's features lie from those of the training images.

    `reference` (M, D), unit length; `known` the sorted distances of validation images, by which a distance is judged.
    """

    reference: npt.NDArray[np.float32]
    known: npt.NDArray[np.float64]
    neighbours: int

    def distances(self, features: Features) -> npt.NDArray[np.float64]:
        """Return the distance of each row of `features` (N, D) to its k-th neighbour: 0 to 2, higher is stranger."""
        return _neighbour_distances(_unit_length(features), self.reference, self.neighbours)

    def p_values(self, features: Features) -> npt.NDArray[np.float64]:
        """Return the share of known images at least as far away, one added to both counts (a conformal p-value)."""
        farther = len(self.known) - np.searchsorted(self.known, self.distances(features), side="left")
        share: npt.NDArray[np.float64] = (1 + farther) / (1 + len(self.known))
        return share

    def referred(self, features: Features, alarm_rate: float = 0.05) -> Mask:
        """Return the cases to refer, shape (N,); of images like the known ones at most a share of `alarm_rate`."""
        strange: Mask = self.p_values(features) <= alarm_rate
        return strange


def fit_novelty(train_features: Features, validation_features: Features, neighbours: int = _NEIGHBOURS) -> Novelty:
    """Return the out-of-distribution score by the k-th nearest neighbour (Sun et al., ICML 2022).

    Features are those before the classifier, (M, D) and (N, D). Only their direction counts.
    """
    if len(train_features) == 0 or len(validation_features) == 0:
        raise ValueError("expected features of training and of validation images")
    neighbours = min(neighbours, len(train_features))
    reference = _unit_length(train_features)
    known = np.sort(_neighbour_distances(_unit_length(validation_features), reference, neighbours))
    return Novelty(reference, known, neighbours)


def _unit_length(features: Features) -> npt.NDArray[np.float32]:
    rows = np.asarray(features, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32, copy=False)


def _neighbour_distances(
    rows: npt.NDArray[np.float32], reference: npt.NDArray[np.float32], neighbours: int
) -> npt.NDArray[np.float64]:
    distances = np.empty(len(rows))
    block = max(1, _BLOCK_SIZE // len(reference))
    for start in range(0, len(rows), block):
        likeness = rows[start : start + block] @ reference.T
        nearest = np.partition(likeness, len(reference) - neighbours, axis=1)[:, len(reference) - neighbours]
        distances[start : start + block] = np.sqrt(np.clip(2 - 2 * nearest.astype(np.float64), 0, None))
    return distances
