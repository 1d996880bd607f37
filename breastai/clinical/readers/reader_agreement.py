"""How far readers agree beyond chance: Cohen's kappa of two, plain and weighted, and Fleiss' of all.

Every one is a ratio of sums over cases, so that its interval comes from leaving out each patient in turn.
"""

from collections.abc import Callable
from functools import partial
from itertools import combinations

import numpy as np
import numpy.typing as npt

from breastai.clinical.intervals import Clusters, cluster_sums, figure_of
from breastai.clinical.jackknife import jackknife
from breastai.domain.reader_records import Agreement
from breastai.domain.records import Figure

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# Above so many different scores they are no categories, and weighing them tells nothing that an AUC does not.
MOST_CATEGORIES = 20


def cohen_kappa(tables: Floats, weights: Floats) -> Floats:
    """Return the kappa of B tables of two readers (B, C, C), disagreements weighing `weights` (C, C) (Cohen 1960, 1968)."""
    total = tables.sum(axis=(1, 2))
    expected = tables.sum(axis=2)[:, :, None] * tables.sum(axis=1)[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa: Floats = 1 - (weights * tables).sum(axis=(1, 2)) * total / (weights * expected).sum(axis=(1, 2))
    return kappa


def fleiss_kappa(sums: Floats, readers: int) -> Floats:
    """Return Fleiss' kappa (Psychol Bull 1971;76:378-382) of B sets of sums (B, C + 2) as `_fleiss_rows` makes them."""
    cases, agreeing, counts = sums[:, 0], sums[:, 1], sums[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = (agreeing / cases - readers) / (readers * (readers - 1))
        expected = ((counts / (cases * readers)[:, None]) ** 2).sum(axis=1)
        kappa: Floats = (observed - expected) / (1 - expected)
    return kappa


def disagreement_weights(categories: int, power: int) -> Floats:
    """Return how much each disagreement weighs (C, C): equally (0), by its distance (1) or its square (2)."""
    apart = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories))).astype(np.float64)
    return (apart > 0).astype(np.float64) if power == 0 else apart**power


def measure_agreement(
    categories: Numbers, readers: list[str], test: str, of: str, clusters: Clusters | None = None
) -> list[Agreement]:
    """Return Fleiss' kappa of all readers and Cohen's of each two; `categories` (R, N), from 0 up, in their order.

    Scores, which have an order, are weighted too. Categories of one reader agree with nobody's: nothing.
    """
    count = int(categories.max()) + 1
    found: list[Agreement] = []
    if len(readers) < 2:
        return found
    rows = _fleiss_rows(categories, count)
    figure = _figure(rows, clusters, partial(fleiss_kappa, readers=len(readers)))
    found.append(Agreement(measure="fleiss", of=of, test=test, readers=readers, figure=figure))
    powers = {"cohen": 0} | ({"cohen_linear": 1, "cohen_quadratic": 2} if of == "scores" and count > 2 else {})
    for one, other in combinations(range(len(readers)), 2):
        cells = np.zeros((categories.shape[1], count * count))
        cells[np.arange(len(cells)), categories[one] * count + categories[other]] = 1.0
        for measure, power in powers.items():
            weights = disagreement_weights(count, power)
            figure = _figure(cells, clusters, partial(_kappa_of_cells, weights=weights))
            found.append(
                Agreement(measure=measure, of=of, test=test, readers=[readers[one], readers[other]], figure=figure)
            )
    return found


def number_categories(scores: Floats) -> Numbers | None:
    """Return scores as numbers of their categories, from 0 up by size; None where they are too many to be categories."""
    names, numbers = np.unique(scores, return_inverse=True)
    return None if len(names) > MOST_CATEGORIES else numbers.reshape(scores.shape).astype(np.int64)


def _kappa_of_cells(sums: Floats, weights: Floats) -> Floats:
    """Return Cohen's kappa of B sets of cells (B, C * C)."""
    return cohen_kappa(sums.reshape(-1, *weights.shape), weights)


def _fleiss_rows(categories: Numbers, count: int) -> Floats:
    """Return for each case 1, the sum of the squared numbers of readers by category, and these numbers (N, C + 2)."""
    votes = np.stack([(categories == category).sum(axis=0) for category in range(count)], axis=1).astype(np.float64)
    return np.concatenate([np.ones((len(votes), 1)), (votes**2).sum(axis=1, keepdims=True), votes], axis=1)


def _figure(rows: Floats, clusters: Clusters | None, kappa: Callable[[Floats], Floats]) -> Figure:
    sums = rows if clusters is None else cluster_sums(rows.T, clusters, clusters).T
    return figure_of(jackknife(lambda drawn: {"kappa": kappa(drawn)}, sums)["kappa"], len(rows))
