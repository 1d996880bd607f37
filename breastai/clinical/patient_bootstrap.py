"""The bootstrap of patients: a band around a curve, from draws of whole patients with replacement."""

import numpy as np
import numpy.typing as npt

from breastai.clinical.intervals import CONFIDENCE, FEWEST_PATIENTS, Clusters

Floats = npt.NDArray[np.float64]

# A place that so large a share of the draws leaves undefined has no band.
_MOST_UNDEFINED = 0.1


def draw_patients(n: int, clusters: Clusters | None, draws: int, seed: int) -> Floats | None:
    """Return how often each of n images is drawn, (draws, n); None with fewer than FEWEST_PATIENTS patients."""
    patients = n if clusters is None else int(clusters.max(initial=-1)) + 1
    if patients < FEWEST_PATIENTS or draws < 1:
        return None
    drawn = np.random.default_rng(seed).multinomial(patients, np.full(patients, 1 / patients), size=draws)
    weights: Floats = (drawn if clusters is None else drawn[:, clusters]).astype(np.float64)
    return weights


def percentile_band(curves: Floats | None, points: int) -> tuple[list[float | None], list[float | None]]:
    """Return, for each of P points, the central CONFIDENCE of B drawn `curves` (B, P); None where it can't be told."""
    if curves is None:
        return [None] * points, [None] * points
    tails = [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2]
    low: list[float | None] = []
    high: list[float | None] = []
    for column in curves.T:
        known = column[np.isfinite(column)]
        told = len(known) >= (1 - _MOST_UNDEFINED) * len(column)
        bounds = np.quantile(known, tails).tolist() if told else [None, None]
        low.append(bounds[0])
        high.append(bounds[1])
    return low, high
