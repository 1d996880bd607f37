"""Intervals of the metrics that hang on a whole confusion matrix: Cohen's kappa, MCC, macro F1.

What the cases leave open of the matrix is drawn (as Goutte and Gaussier, ECIR 2005, do for F1, and Totsch and Hoffmann,
PeerJ Comput Sci 2021;7:e398, for other figures of it): each row, the decisions on cases of one class, from a Dirichlet
distribution, and so the shares of the classes. It needs no case that varies, so a matrix without a fault has an interval.
"""

import numpy as np
import numpy.typing as npt

from breastai.clinical.intervals import CONFIDENCE, FEWEST_PATIENTS, Clusters, Estimate, effective_cases
from breastai.clinical.metrics.weighted_counts import WeightedCounts, confusion_matrices
from breastai.domain.metric_catalog import DRAWN_METRICS

Floats = npt.NDArray[np.float64]

# So many that another seed moves a bound by less than one in the third decimal.
DRAWS = 100_000
_BLOCK_SIZE = 2**20
_NOTHING = 1e-12
# Jeffreys' prior of right against wrong, and of one class against another.
_PRIOR = 0.5
# Wrong cases that the prior adds to the whole matrix, Jeffreys' of two classes: as many for each further class would
# pull a figure of all of them down, below the truth.
_WRONG = 2 * _PRIOR


def agreement_intervals(
    labels: npt.NDArray[np.int64],
    decisions: npt.NDArray[np.int64],
    count: int,
    clusters: Clusters | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return DRAWN_METRICS of N decisions with the central interval of `draws` matrices; `count` classes.

    Several images of a patient count as many cases as they are worth, in each row. With fewer than FEWEST_PATIENTS
    patients there is no interval.
    """
    n = len(labels)
    if n == 0:
        return dict.fromkeys(DRAWN_METRICS, Estimate(None))
    matrix = confusion_matrices(np.ones((1, n)), labels, decisions, count)
    counts = WeightedCounts(matrix)
    observed = {name: float(row.formula(counts)[0]) for name, row in DRAWN_METRICS.items()}
    patients = n if clusters is None else len(np.unique(clusters))
    if patients < FEWEST_PATIENTS:
        return {
            name: Estimate(value, flag="few_patients") if np.isfinite(value) else Estimate(None)
            for name, value in observed.items()
        }
    drawn = _drawn(matrix[0], _worth(labels, decisions, count, clusters), patients, draws, np.random.default_rng(seed))
    tails = [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2]
    found = {}
    for name, value in observed.items():
        if not np.isfinite(value):
            found[name] = Estimate(None)
            continue
        drawn_values = drawn[name]
        low, high = np.quantile(drawn_values[~np.isnan(drawn_values)], tails)
        low, high = min(value, float(low)), max(value, float(high))
        # The kappa of cases of one class is 0 whatever is said of them.
        is_fixed = high - low < _NOTHING
        found[name] = Estimate(value, flag="no_variation") if is_fixed else Estimate(value, low, high)
    return found


def _worth(
    labels: npt.NDArray[np.int64], decisions: npt.NDArray[np.int64], count: int, clusters: Clusters | None
) -> Floats:
    """Return, for each class, how many cases that stand alone one of its cases is worth: at most 1."""
    worth = np.ones(count)
    for index in range(count):
        own = labels == index
        if clusters is not None and own.any():
            worth[index] = effective_cases((decisions == index)[own], clusters[own]) / own.sum()
    return worth


def _drawn(
    matrix: Floats, worth: Floats, patients: int, draws: int, generator: np.random.Generator
) -> dict[str, Floats]:
    count = len(matrix)
    rows = matrix.sum(axis=1)
    present = rows > 0
    wrong = _WRONG / max(1, count * (count - 1))
    shapes = matrix * worth[:, None] + wrong + (_PRIOR - wrong) * np.eye(count)
    # A class that no case has stays away.
    of_rows = np.where(present, rows * patients / rows.sum() + _PRIOR, 0.0)
    parts: list[dict[str, Floats]] = []
    block = max(1, _BLOCK_SIZE // count**2)
    for start in range(0, draws, block):
        size = min(block, draws - start)
        cells = generator.standard_gamma(shapes, (size, count, count))
        cells /= cells.sum(axis=2, keepdims=True)
        shares = generator.standard_gamma(of_rows, (size, count))
        shares /= shares.sum(axis=1, keepdims=True)
        counts = WeightedCounts(cells * shares[:, :, None])
        parts.append({name: row.formula(counts) for name, row in DRAWN_METRICS.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in DRAWN_METRICS}
