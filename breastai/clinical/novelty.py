"""Novelty: how unlike the validation images an image is, by the features before the classifier. Numpy alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.domain.decision import NoveltyLimit

Features = npt.NDArray[np.floating[Any]]
Floats = npt.NDArray[np.float64]
Stored = npt.NDArray[np.float32]

COMPONENTS = 16
QUANTILE = 0.99
# With fewer validation cases no limit is worth the name.
LEAST_CASES = 8
_FOLDS = 5
_CASES_PER_COMPONENT = 5
# Of features of length 1: what float32 leaves of a direction in which nothing varies.
_SMALLEST_VARIANCE = 1e-12
_SPARE_DIRECTIONS = 8
_ITERATIONS = 4


@dataclass(frozen=True, eq=False)
class Novelty:
    """A Gaussian of low rank around features of length 1, and the limit above which a case is unlike them.

    `mean` (D,); `directions` (K, D), orthonormal, along which features vary by `variances` (K,); across all others by
    `rest`, a variance for each.
    """

    mean: Stored
    directions: Stored
    variances: Stored
    rest: float
    limit: NoveltyLimit

    def of(self, features: Features) -> Floats:
        """Return the Mahalanobis distance of each row of `features` (N, D), over the root of D: about 1 is usual."""
        centred = unit_length(features) - self.mean
        along = centred @ self.directions.T.astype(np.float64)
        across = centred - along @ self.directions
        squares = (along**2 / self.variances).sum(axis=1) + (across**2).sum(axis=1) / self.rest
        distances: Floats = np.sqrt(squares / len(self.mean))
        return distances


def fit_novelty(features: Features, units: Sequence[str] | None = None) -> Novelty | None:
    """Return the novelty fitted on validation cases, `features` (N, D); None where they are too few.

    A Mahalanobis distance with the covariance of probabilistic PCA (Tipping and Bishop, J R Stat Soc B 1999;61:611-622),
    on features of length 1 (Mueller and Hein, ICML 2025). Cases lie closer to their own mean than new ones do: the limit
    rests on distances by fits without them. `units` (patients, groups of twins) stay whole in that.
    """
    n = len(features)
    groups = np.arange(n) if units is None else np.unique(np.asarray(units), return_inverse=True)[1]
    if n < LEAST_CASES or len(set(groups.tolist())) < 2:
        return None
    rows = unit_length(features)
    components = min(COMPONENTS, n // _CASES_PER_COMPONENT)
    quantile = min(QUANTILE, n / (n + 1))
    unlimited = NoveltyLimit(math.inf, quantile, components, n)
    folds = groups % _FOLDS
    distances = np.empty(n)
    for fold in np.unique(folds):
        held = folds == fold
        distances[held] = _fitted(rows[~held], unlimited).of(rows[held])
    place = min(n, math.ceil((n + 1) * QUANTILE - 1e-9))
    return _fitted(rows, replace(unlimited, limit=float(np.sort(distances)[place - 1])))


def unit_length(features: Features) -> Floats:
    rows = np.asarray(features, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.where(lengths > 0, lengths, 1)
    return unit


def _fitted(rows: Floats, limit: NoveltyLimit) -> Novelty:
    mean = rows.mean(axis=0)
    centred = rows - mean
    directions, variances = _principal(centred, limit.components)
    spread = float((centred**2).sum() / max(1, len(rows) - 1))
    others = max(1, len(mean) - len(directions))
    rest = max((spread - float(variances.sum())) / others, _SMALLEST_VARIANCE)
    return Novelty(
        mean.astype(np.float32),
        directions.astype(np.float32),
        np.maximum(variances, rest).astype(np.float32),
        float(np.float32(rest)),
        limit,
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
