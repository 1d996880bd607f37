"""Novelty: how unlike the validation images an image is, by its features before the classifier and its pixels.

Numpy alone. Out-of-distribution detection in the field's words.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.intervals import number_clusters
from breastai.domain.decision_rule import NoveltyLimit

Features = npt.NDArray[np.floating[Any]]
Floats = npt.NDArray[np.float64]
Stored = npt.NDArray[np.float32]

COMPONENTS = 16
# So many of the validation images, each measured by a score fitted without it, lie within the limit.
QUANTILE = 0.95
# With fewer validation cases no limit is worth the name.
LEAST_CASES = 8
_FOLDS = 5
_CASES_PER_COMPONENT = 5
# Of features of length 1: what float32 leaves of a direction in which nothing varies.
_SMALLEST_VARIANCE = 1e-12
# Of image statistics: what two images of one kind may differ by although the validation images do not, such as the tint
# of a grey image that was saved in colour; and the least variance, in units of a statistic's own, along any direction.
_SMALLEST_DEVIATION = 0.01
_SMALLEST_SHARE = 0.1
_SPARE_DIRECTIONS = 8
_ITERATIONS = 4


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A Gaussian of low rank around rows of D numbers.

    `mean` and `scale` (D,): rows are taken from the one and divided by the other. `directions` (K, D), orthonormal, along
    which they then vary by `variances` (K,); across all others by `rest`, a variance for each.
    """

    mean: Stored
    scale: Stored
    directions: Stored
    variances: Stored
    rest: float

    def distance(self, rows: Floats) -> Floats:
        """Return the Mahalanobis distance of each row (N, D), over the root of D: about 1 is usual."""
        centred = (rows - self.mean) / self.scale
        along = centred @ self.directions.T.astype(np.float64)
        across = centred - along @ self.directions
        squares = (along**2 / self.variances).sum(axis=1) + (across**2).sum(axis=1) / self.rest
        distances: Floats = np.sqrt(squares / len(self.mean))
        return distances


@dataclass(frozen=True, eq=False)
class OutOfDistribution:
    """Gaussians around features of length 1 and around image statistics, and the limit above which a case is unlike them.

    Without `statistics`, as in checkpoints that keep none, the features decide alone.
    """

    features: Gaussian
    limit: NoveltyLimit
    statistics: Gaussian | None = None

    def of(self, features: Features, statistics: Features | None = None) -> Floats:
        """Return how unlike each case is, from `features` (N, D) and `statistics` (N, E).

        Where both are kept, the larger of the two distances, each in units of its own limit.
        """
        distances = self.features.distance(unit_length(features))
        if self.statistics is None:
            return distances
        if statistics is None:
            raise ValueError("this novelty needs the image statistics, too")
        theirs = self.statistics.distance(np.asarray(statistics, dtype=np.float64))
        own_limit, their_limit = self.limit.parts
        larger: Floats = np.maximum(distances / own_limit, theirs / their_limit)
        return larger


def fit_novelty(
    features: Features,
    clusters: Sequence[str] | None = None,
    statistics: Features | None = None,
    training_statistics: Features | None = None,
) -> tuple[OutOfDistribution, Floats] | None:
    """Return the novelty fitted on validation cases, `features` (N, D) and `statistics` (N, E); None where too few.

    Beside it the novelty of each of these cases by a fit without it and its cluster, (N,).

    `training_statistics` (M, E): the statistics of training images. No network has learnt them by heart, and they are many: where they
    are given the statistics' mean and directions are theirs, and validation cases fit the limit alone.

    Mahalanobis distances with the covariance of probabilistic PCA (Tipping and Bishop, J R Stat Soc B 1999;61:611-622),
    of features of length 1 (Mueller and Hein, ICML 2025) and of image statistics in units of their deviation. Cases lie
    closer to their own mean than new ones do: limits rest on distances by fits without them. `clusters` (patients, groups
    of twins) stay whole in that. A distance beyond either limit tells; the limit of both together keeps the quantile.
    """
    n = len(features)
    groups = np.arange(n) if clusters is None else number_clusters(clusters)
    if n < LEAST_CASES or len(set(groups.tolist())) < 2:
        return None
    folds = groups % _FOLDS
    components = min(COMPONENTS, n // _CASES_PER_COMPONENT)
    limit = partial(NoveltyLimit, quantile=min(QUANTILE, n / (n + 1)), components=components, n=n)
    rows = unit_length(features)
    distances = _held_out(rows, folds, lambda part: _fit_features(part, components))
    own = _fit_features(rows, components)
    if statistics is None:
        return OutOfDistribution(own, limit(limit=largest_kept(distances))), distances
    numbers = np.asarray(statistics, dtype=np.float64)
    if training_statistics is None or len(training_statistics) < n:
        usual = _fit_statistics(numbers, components)
        theirs = _held_out(numbers, folds, lambda part: _fit_statistics(part, components))
    else:
        known = np.asarray(training_statistics, dtype=np.float64)
        usual = _fit_statistics(known, min(COMPONENTS, len(known) // _CASES_PER_COMPONENT))
        theirs = usual.distance(numbers)
    parts = tuple(max(largest_kept(each), _SMALLEST_VARIANCE) for each in (distances, theirs))
    larger = np.maximum(distances / parts[0], theirs / parts[1])
    return OutOfDistribution(own, limit(limit=largest_kept(larger), parts=parts), usual), larger


def unit_length(features: Features) -> Floats:
    rows = np.asarray(features, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.where(lengths > 0, lengths, 1)
    return unit


def _held_out(rows: Floats, folds: npt.NDArray[np.int64], fit: Callable[[Floats], Gaussian]) -> Floats:
    """Return the distance of each row by a fit on the other folds."""
    distances = np.empty(len(rows))
    for fold in np.unique(folds):
        held = folds == fold
        distances[held] = fit(rows[~held]).distance(rows[held])
    return distances


def largest_kept(distances: Floats) -> float:
    """Return the ceil((n + 1) QUANTILE)-th smallest distance; the largest where n is too small for that."""
    place = min(len(distances), math.ceil((len(distances) + 1) * QUANTILE - 1e-9))
    return float(np.sort(distances)[place - 1])


def _fit_features(rows: Floats, components: int) -> Gaussian:
    return _fitted(rows, np.ones(rows.shape[1]), components, _SMALLEST_VARIANCE)


def _fit_statistics(rows: Floats, components: int) -> Gaussian:
    scale = np.sqrt(rows.var(axis=0) + _SMALLEST_DEVIATION**2)
    return _fitted(rows, scale, min(components, rows.shape[1] - 1), _SMALLEST_SHARE)


def _fitted(rows: Floats, scale: Floats, components: int, smallest: float) -> Gaussian:
    mean = rows.mean(axis=0)
    centred = (rows - mean) / scale
    directions, variances = _principal(centred, components)
    spread = float((centred**2).sum() / max(1, len(rows) - 1))
    others = max(1, len(mean) - len(directions))
    rest = max((spread - float(variances.sum())) / others, smallest)
    return Gaussian(
        mean.astype(np.float32),
        scale.astype(np.float32),
        directions.astype(np.float32),
        np.maximum(variances, rest).astype(np.float32),
        float(np.float32(rest)),
    )


def _principal(centred: Floats, count: int) -> tuple[Floats, Floats]:
    """Return the first `count` principal directions, (K, D), and the variances along them, by subspace iteration.

    (Halko, Martinsson and Tropp, SIAM Review 2011;53:217-288.) The same for the same rows: it starts from numbers of its own.
    """
    wide = min(count + _SPARE_DIRECTIONS, *centred.shape)
    basis = np.random.default_rng(0).normal(size=(centred.shape[1], wide))
    for _ in range(_ITERATIONS):
        basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
    _, lengths, turned = np.linalg.svd(centred @ basis, full_matrices=False)
    directions = turned[:count] @ basis.T
    return directions, lengths[: len(directions)] ** 2 / max(1, len(centred) - 1)
