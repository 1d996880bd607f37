"""The bootstrap of patients: an interval for any figure that can be had from weighted cases.

A replicate draws as many patients as there are, with replacement, and weighs each case by how often its patient was
drawn (Efron and Tibshirani, An Introduction to the Bootstrap, 1993; patients as the unit: Davison and Hinkley,
Bootstrap Methods and their Application, 1997, section 3.8). Figures are computed for many weightings at once.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
from scipy import stats

from breastai.clinical.intervals import CONFIDENCE, Clusters, Estimate
from breastai.domain.evidence import IntervalFlag

# The fewest patients whose resampling can tell how far a figure may be off.
FEWEST_PATIENTS = 10
# At least so many weightings, and with few patients so many more that another seed moves a bound by less than one in the
# third decimal: the error of an order statistic falls with their number, and that of the figure with the patients.
REPETITIONS = 2000
_DRAWN_PATIENTS = 7_000_000

# (B, N) weights of the cases -> for each figure its value in each weighting, (B,); undefined is NaN.
Floats = npt.NDArray[np.float64]
WeightedFigures = Callable[[Floats], Mapping[str, Floats]]

# Numbers in one block of weights: 16 MB, so that the work stays near the processor's cache.
_BLOCK_SIZE = 2**21
# The acceleration of BCa needs figures without each patient; beyond this many, without each of as many groups.
_LARGEST_JACKKNIFE = 400
# With more undefined replicates than this an interval from the others would be a guess.
_LARGEST_UNDEFINED_SHARE = 0.05
_SAME = 1e-9  # replicates that differ by rounding alone tell nothing of how far a figure may be off


def bootstrap(
    figures: WeightedFigures, clusters: Clusters, *, repetitions: int | None = None, seed: int = 0
) -> dict[str, Estimate]:
    """Return each figure with its BCa interval (Efron, JASA 1987;82:171-185) over patients.

    `clusters` (N,) numbers the patient of each case; `repetitions` None takes as many as three decimals need. No
    interval from fewer than FEWEST_PATIENTS patients, where more than 5 % of the replicates leave the figure undefined,
    or where all give the same value: then these cases can't show how much it varies, and a flag says so.
    """
    count = int(clusters.max()) + 1 if len(clusters) else 0
    observed = {name: float(value[0]) for name, value in figures(np.ones((1, len(clusters)))).items()}
    if count < FEWEST_PATIENTS:
        return {name: _bare(value, "few_patients") for name, value in observed.items()}
    if repetitions is None:
        repetitions = max(REPETITIONS, _DRAWN_PATIENTS // count)
    generator = np.random.default_rng(seed)
    replicates = _collected(figures, _replicates(clusters, count, repetitions, generator))
    left_out = _collected(figures, _jackknife(clusters, count, generator))
    return {
        name: bca(value, replicates[name], left_out[name]) if np.isfinite(value) else _bare(value)
        for name, value in observed.items()
    }


def bca(observed: float, replicates: Floats, left_out: Floats) -> Estimate:
    """Return `observed` with the bias-corrected and accelerated interval; a bound that is not finite is None.

    `left_out`: the figure without each patient (or group of patients) in turn.
    """
    defined, flag = _defined(replicates)
    if flag is not None:
        return Estimate(observed, flag=flag)
    # Ties count one half: figures of small samples take few values.
    below = (np.count_nonzero(defined < observed) + np.count_nonzero(defined <= observed)) / (2 * len(defined))
    bias = float(stats.norm.ppf(np.clip(below, 1 / (2 * len(defined)), 1 - 1 / (2 * len(defined)))))
    tails = stats.norm.ppf([0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    shifted = bias + (bias + tails) / (1 - _acceleration(left_out) * (bias + tails))
    low, high = _order_statistics(defined, stats.norm.cdf(shifted))
    return Estimate(observed, _finite(min(low, observed)), _finite(max(high, observed)))


def percentile(observed: float, replicates: Floats) -> Estimate:
    """Return `observed` with the plain percentile interval, on the same conditions as `bca`."""
    defined, flag = _defined(replicates)
    if flag is not None:
        return Estimate(observed, flag=flag)
    low, high = _order_statistics(defined, np.array([0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2]))
    return Estimate(observed, _finite(min(low, observed)), _finite(max(high, observed)))


def _defined(replicates: Floats) -> tuple[Floats, IntervalFlag | None]:
    """Return the defined replicates in order, and why they can't give an interval, or None."""
    defined = np.sort(replicates[~np.isnan(replicates)])
    if len(defined) < (1 - _LARGEST_UNDEFINED_SHARE) * len(replicates):
        return defined, "often_undefined"
    return defined, "no_variation" if defined[-1] - defined[0] < _SAME else None


def _acceleration(left_out: Floats) -> float:
    left_out = left_out[np.isfinite(left_out)]
    if len(left_out) < 2:
        return 0.0
    deviations = left_out.mean() - left_out
    spread = float((deviations**2).sum()) ** 1.5
    return float((deviations**3).sum()) / (6 * spread) if spread > 0 else 0.0


def _order_statistics(sorted_values: Floats, shares: npt.NDArray[np.float64]) -> tuple[float, float]:
    # Order statistics and not interpolation: a replicate may be infinite.
    places = np.clip(np.round(shares * (len(sorted_values) + 1)).astype(int) - 1, 0, len(sorted_values) - 1)
    return float(sorted_values[places[0]]), float(sorted_values[places[1]])


def _replicates(clusters: Clusters, count: int, repetitions: int, generator: np.random.Generator) -> Iterator[Floats]:
    block = max(1, _BLOCK_SIZE // len(clusters))
    for start in range(0, repetitions, block):
        size = min(block, repetitions - start)
        drawn = generator.integers(0, count, (size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        yield times[:, clusters].astype(np.float64)


def _jackknife(clusters: Clusters, count: int, generator: np.random.Generator) -> Iterator[Floats]:
    groups = min(count, _LARGEST_JACKKNIFE)
    group_of_case = (generator.permutation(count) % groups)[clusters]
    block = max(1, _BLOCK_SIZE // len(clusters))
    for start in range(0, groups, block):
        numbers = np.arange(start, min(groups, start + block))
        yield (group_of_case[None, :] != numbers[:, None]).astype(np.float64)


def _collected(figures: WeightedFigures, blocks: Iterator[Floats]) -> dict[str, Floats]:
    parts = [figures(block) for block in blocks]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _bare(value: float, flag: IntervalFlag | None = None) -> Estimate:
    return Estimate(value, flag=flag) if np.isfinite(value) else Estimate(None)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
