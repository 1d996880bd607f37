"""What the models of a cross-validation say of the images they held out, taken together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from breastai.scale.unit_pool import UnitPool, join_unit_pools


@dataclass(frozen=True, eq=False)
class Pool:
    """P held-out predictions: `labels` (P,), calibrated `probabilities` (P, C), and `cases` (P,), whose they are.

    `thresholds` (P,): from which probability of the target class each prediction's own fold calls it. `units`: the same
    by breast, exam or patient, where decisions are of these.
    """

    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    cases: npt.NDArray[np.int64]
    thresholds: npt.NDArray[np.float64]
    units: UnitPool | None = None

    def by_case(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Return label (N,) and mean probabilities (N, C) of each case over the repeats, and which cases they are (N,)."""
        cases, first, place = np.unique(self.cases, return_index=True, return_inverse=True)
        sums = np.zeros((len(cases), self.probabilities.shape[1]))
        np.add.at(sums, place, self.probabilities)
        return self.labels[first], sums / np.bincount(place)[:, np.newaxis], cases


def join_pools(pools: Sequence[Pool]) -> Pool:
    """Return what all folds say; of units only where every fold does."""
    units = [pool.units for pool in pools if pool.units is not None]
    return Pool(
        np.concatenate([pool.labels for pool in pools]),
        np.concatenate([pool.probabilities for pool in pools]),
        np.concatenate([pool.cases for pool in pools]),
        np.concatenate([pool.thresholds for pool in pools]),
        join_unit_pools(units) if units and len(units) == len(pools) else None,
    )
