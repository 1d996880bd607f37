"""Confusion matrices of weighted cases, and the counts that the formulas of metrics are made of."""

from functools import cached_property

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def confusion_matrices(weights: Floats, labels: Labels, decisions: Labels, class_count: int) -> Floats:
    """Return the confusion matrices of B weightings (B, N) of N cases, shape (B, C, C), rows true, columns predicted."""
    indicator = np.zeros((len(labels), class_count * class_count))
    indicator[np.arange(len(labels)), labels * class_count + decisions] = 1.0
    return (weights @ indicator).reshape(-1, class_count, class_count)


class WeightedCounts:
    """What B confusion matrices (B, C, C) tell, rows true, columns predicted: the `Counts` of domain.metric_catalog."""

    def __init__(self, matrices: Floats) -> None:
        self.matrices = matrices

    @cached_property
    def total(self) -> Floats:
        """All cases, (B,)."""
        total: Floats = self.matrices.sum(axis=(1, 2))
        return total

    @cached_property
    def support(self) -> Floats:
        """The cases of each class, (B, C)."""
        support: Floats = self.matrices.sum(axis=2)
        return support

    @cached_property
    def predictions(self) -> Floats:
        """The cases predicted as each class, (B, C)."""
        predictions: Floats = self.matrices.sum(axis=1)
        return predictions

    @cached_property
    def hits(self) -> Floats:
        """The cases of each class predicted as it, (B, C)."""
        return np.diagonal(self.matrices, axis1=1, axis2=2)

    def class_distance(self, power: int) -> Floats:
        """Return the mean of |true - predicted| ** power, of numbers of classes, (B,)."""
        return ratio((self.matrices * _distances(self.matrices.shape[1], power)).sum(axis=(1, 2)), self.total)

    def class_distance_by_chance(self, power: int) -> Floats:
        """Return what it would be if decisions had nothing to do with the truth, (B,)."""
        distances = _distances(self.matrices.shape[1], power)
        return ratio(np.einsum("bi,ij,bj->b", self.support, distances, self.predictions), self.total**2)

    @staticmethod
    def ratio(part: Floats, whole: Floats) -> Floats:
        """Return part / whole, NaN where the whole is 0 or undefined."""
        return ratio(part, whole)

    @staticmethod
    def mean(by_class: Floats, weights: Floats | None = None) -> Floats:
        """Return the mean, weighted by `weights` (B, C), over the classes for which a metric is defined: (B, C) -> (B,).

        So a class without a case can't pull it down. Where all are defined it is scikit-learn's own.
        """
        defined = ~np.isnan(by_class)
        values = np.where(defined, by_class, 0.0)
        if weights is None:
            return ratio(values.sum(axis=1), defined.sum(axis=1).astype(np.float64))
        return ratio((values * weights).sum(axis=1), (defined * weights).sum(axis=1))


def ratio(part: Floats, whole: Floats, empty: float = np.nan) -> Floats:
    """Return part / whole, and `empty` where the whole is 0 or undefined."""
    whole = np.broadcast_to(whole, part.shape)
    result = np.full(part.shape, empty)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def _distances(classes: int, power: int) -> Floats:
    numbers = np.arange(classes, dtype=np.float64)
    distances: Floats = np.abs(numbers[:, None] - numbers[None, :]) ** power
    return distances
