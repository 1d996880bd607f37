"""Figures of merit of every reader with every test, and how their errors go together over the cases all of them read."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from breastai.clinical.intervals import (
    Cases,
    Clusters,
    Estimate,
    Scores,
    auc,
    cluster_sums,
    placement_covariance,
    placements,
    proportion,
)
from breastai.domain.reader_records import CovarianceMethod, Merit

Floats = npt.NDArray[np.float64]


class ReaderFigures(NamedTuple):
    """`estimates` (K,) of K readings, with the covariance (K, K) of their errors over cases."""

    estimates: tuple[Estimate, ...]
    covariance: Floats

    @property
    def values(self) -> Floats:
        return np.array([estimate.value for estimate in self.estimates], dtype=np.float64)


def measure_readings(
    merit: Merit,
    positive: Cases,
    readings: Scores,
    clusters: Clusters | None = None,
    method: CovarianceMethod = "delong",
) -> ReaderFigures | None:
    """Return the figures of K `readings` (K, N) of N cases; those of sensitivity and specificity are calls, 0 or 1.

    `delong`: DeLong's covariances of areas and those of proportions, both Obuchowski's where `clusters` (N,) says which
    cases are of one patient. `jackknife`: each patient left out in turn. None with fewer than two patients on a side
    that the figure rests on.
    """
    rows = [np.asarray(row) for row in readings]
    if merit == "auc":
        if positive.all() or not positive.any():
            return None
        estimates = tuple(auc(positive, row, clusters) for row in rows)
    else:
        among = positive if merit == "sensitivity" else ~positive
        right = [row[among] == (1 if merit == "sensitivity" else 0) for row in rows]
        estimates = tuple(proportion(row, None if clusters is None else clusters[among]) for row in right)
    covariance = (
        _analytic(merit, positive, rows, clusters)
        if method == "delong"
        else _jackknife(_FUNCTIONS[merit], positive, rows, clusters)
    )
    if covariance is None or any(estimate.value is None for estimate in estimates):
        return None
    return ReaderFigures(estimates, covariance)


def _analytic(merit: Merit, positive: Cases, rows: list[Scores], clusters: Clusters | None) -> Floats | None:
    if merit == "auc":
        placed = [placements(positive, row) for row in rows]
        return placement_covariance(
            np.stack([each.of_positives for each in placed]),
            np.stack([each.of_negatives for each in placed]),
            positive,
            clusters,
        )
    among = positive if merit == "sensitivity" else ~positive
    of_patient = np.arange(len(positive)) if clusters is None else clusters
    patients = len(np.unique(of_patient[among]))
    if patients < 2:
        return None
    shares = np.stack([row[among] for row in rows]).astype(np.float64)
    sums = cluster_sums(shares - shares.mean(axis=1, keepdims=True), of_patient[among], of_patient)
    # Of ratios (Cochran, Sampling Techniques, 3rd ed., chapter 6); for cases alone p(1 - p) / (n - 1).
    covariance: Floats = patients / (patients - 1) * (sums @ sums.T) / among.sum() ** 2
    return covariance


def _jackknife(
    figure: Callable[[Cases, Scores], float], positive: Cases, rows: list[Scores], clusters: Clusters | None
) -> Floats | None:
    """Return the covariances of figures by leaving out each patient, None where that leaves one undefined."""
    of_patient = np.arange(len(positive)) if clusters is None else clusters
    names = np.unique(of_patient)
    without = np.empty((len(rows), len(names)))
    for place, name in enumerate(names):
        others = of_patient != name
        without[:, place] = [figure(positive[others], row[others]) for row in rows]
    if not np.isfinite(without).all() or len(names) < 2:
        return None
    centred = without - without.mean(axis=1, keepdims=True)
    covariance: Floats = (len(names) - 1) / len(names) * (centred @ centred.T)
    return covariance


def _area(positive: Cases, scores: Scores) -> float:
    return float("nan") if positive.all() or not positive.any() else placements(positive, scores).auc


def _sensitivity(positive: Cases, calls: Scores) -> float:
    return float(calls[positive].mean()) if positive.any() else float("nan")


def _specificity(positive: Cases, calls: Scores) -> float:
    return 1 - float(calls[~positive].mean()) if not positive.all() else float("nan")


_FUNCTIONS: dict[Merit, Callable[[Cases, Scores], float]] = {
    "auc": _area,
    "sensitivity": _sensitivity,
    "specificity": _specificity,
}
