"""The smoothed calibration curve of the probability of one class, with its band."""

import numpy as np
import numpy.typing as npt

from breastai.clinical.intervals import Cases, Clusters, Scores
from breastai.clinical.patient_bootstrap import draw_patients, percentile_band
from breastai.domain.records import Curve

Floats = npt.NDArray[np.float64]

DRAWS = 1000
POINTS = 51
# The share of the cases that each point of the curve rests on, as in val.prob of the R package rms.
SPAN = 2 / 3
FEWEST_CASES = 10
# Draws times cases: beyond, there are fewer draws, and never fewer than _FEWEST_DRAWS.
_WORK, _FEWEST_DRAWS = 600_000, 100
# Of more cases the band is that of so many cells of neighbouring ones, which tell it as well.
_MOST_SINGLE, _CELLS = 6000, 2000


def smoothed_calibration(
    positive: Cases, probabilities: Scores, clusters: Clusters | None = None, *, draws: int = DRAWS, seed: int = 0
) -> Curve:
    """Return `probability` from the lowest to the highest there is, the share `observed` there, and `low` and `high`.

    The curve is Cleveland's locally weighted line (JASA 1979;74:829-836; without his robust steps, since an outcome is
    0 or 1), kept between 0 and 1; the band holds the central 95 % of the curves of drawn patients, point by point.
    Empty with fewer than FEWEST_CASES cases or with one outcome alone.
    """
    n = len(positive)
    if n < FEWEST_CASES or positive.all() or not positive.any():
        return {"probability": [], "observed": [], "low": [], "high": []}
    values = np.asarray(probabilities, dtype=np.float64)
    places = np.linspace(values.min(), values.max(), POINTS)
    weights = draw_patients(n, clusters, min(draws, max(_FEWEST_DRAWS, min(DRAWS, _WORK // n))), seed)
    observed = local_line(places, values, positive, np.ones((1, n)))[0]
    curves = None
    if weights is not None and n <= _MOST_SINGLE:
        curves = local_line(places, values, positive, weights)
    elif weights is not None:
        # The line through the cases as they are; how far it would be elsewhere can be told from cells of like ones.
        centres, drawn, hits = cells_of(values, positive, weights)
        curves = _line_of_cells(places, centres, drawn, hits)
    low, high = percentile_band(curves, POINTS)
    return {"probability": places.tolist(), "observed": observed.tolist(), "low": low, "high": high}


def local_line(places: Floats, probabilities: Floats, positive: Cases, weights: Floats) -> Floats:
    """Return the locally weighted line at P `places`, in B weightings (B, N) of N cases: (B, P).

    At each place a line is fitted to the nearest SPAN of the cases, a case weighted by Cleveland's tricube of its
    distance. Where they all have one probability it is their mean.
    """
    return _line_of_cells(places, probabilities, weights, weights * positive)


def cells_of(probabilities: Floats, positive: Cases, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return _CELLS cells of neighbouring cases: mean probability (K,), weight and weight of the positive, both (B, K).

    Each holds as many of the N cases, which `weights` (B, N) weigh.
    """
    order = np.argsort(probabilities, kind="stable")
    starts = np.linspace(0, len(order), _CELLS, endpoint=False).astype(np.int64)
    sizes = np.diff(np.append(starts, len(order)))
    drawn = weights[:, order].astype(np.float64)
    centres = np.add.reduceat(probabilities[order], starts) / sizes
    whole = np.add.reduceat(drawn, starts, axis=1)
    drawn *= positive[order]
    return centres, whole, np.add.reduceat(drawn, starts, axis=1)


def _line_of_cells(places: Floats, probabilities: Floats, weights: Floats, hit_weights: Floats) -> Floats:
    """Return the locally weighted line, (B, P), of N cases or cells of them, `hit_weights` (B, N) of the positive ones."""
    wanted = np.maximum(2, np.floor(SPAN * weights.sum(axis=1) + 1e-10))
    curves = np.empty((len(weights), len(places)))
    for number, place in enumerate(places.tolist()):
        order = np.argsort(np.abs(probabilities - place), kind="stable")
        away = probabilities[order] - place
        drawn = weights[:, order]
        last = (np.cumsum(drawn, axis=1) >= wanted[:, None]).argmax(axis=1)
        radius = np.abs(away)[last]
        # Beyond the farthest case that any of the weightings reaches, all weigh nothing.
        reach = int(np.searchsorted(np.abs(away), radius.max(), "right"))
        away, drawn, hits = away[:reach], drawn[:, :reach], hit_weights[:, order[:reach]]
        share = np.divide(np.abs(away)[None, :], radius[:, None], out=np.zeros_like(drawn), where=radius[:, None] > 0)
        heeded = np.clip(1 - share**3, 0, None) ** 3
        heeded = np.where((radius == 0)[:, None], away == 0, heeded)
        alone = (heeded * drawn).sum(axis=1) <= 0  # all of them as far away as the farthest
        heeded[alone] = np.abs(away) <= radius[alone, None]
        tricube, hit = heeded * drawn, heeded * hits
        whole, first, second = tricube.sum(axis=1), tricube @ away, tricube @ away**2
        mean, product = hit.sum(axis=1), hit @ away
        spread = whole * second - first**2
        tilted = spread > 1e-12 * whole**2
        line = np.divide(second * mean - first * product, spread, out=mean / whole, where=tilted)
        curves[:, number] = np.clip(line, 0.0, 1.0)
    return curves
