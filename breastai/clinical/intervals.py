"""Intervals in closed form: of a proportion, of a mean between 0 and 1, of an AUC; also when a patient has several images.

All intervals are two-sided at CONFIDENCE. `clusters` gives, for each case, the number of its patient; None means that
each case stands alone. A bound that these cases can't give is None, and a flag says why.

One principle for all: a score interval needs the number of cases. Several images of a patient are worth fewer cases,
fewer the more alike they are, and how alike they are is read from the cases (the design effect). Where nothing varies
it can't be read: then each patient counts once. In between the two are weighted by how much the cases tell, the reading
as what was observed, each patient once as _PRIOR_CASES more observations. So an interval at the end of the scale
belongs to the same family as the ones beside it, and no better result has a lower bound
(docs/evidence.md, section Intervals, has the coverage of each).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from breastai.domain.records import Figure, IntervalFlag

CONFIDENCE = 0.95
# The fewest patients that can tell how far a figure may be off, where its interval comes from how much they vary.
FEWEST_PATIENTS = 10

Cases = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.floating[Any]]
Clusters = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]

# How many observations "every image of a patient is like the others" is worth beside what the cases say.
_PRIOR_CASES = 2.0
# Up to so many cases the score interval's bound on their side is too tight (Brown, Cai and DasGupta 2001).
_FEW_EVENTS = 3.0


def number_clusters(names: Sequence[str] | Clusters) -> npt.NDArray[np.int64]:
    """Return, for each of N names of patients or groups, its number from 0 up, equal where the names are (N,)."""
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.int64)


class Estimate(NamedTuple):
    """A value and its interval, each None where undefined; `flag` says why there is no interval, or what it lacks."""

    value: float | None
    low: float | None = None
    high: float | None = None
    flag: IntervalFlag | None = None


UNDEFINED = Estimate(None)


def normal_quantile() -> float:
    """Return the quantile of the normal distribution that belongs to CONFIDENCE: 1.96."""
    return float(special.ndtri(0.5 + CONFIDENCE / 2))


def figure_of(estimate: Estimate, n: int) -> Figure:
    """Return an estimate as a record keeps it; an infinite value is None with its lower bound."""
    value, low, high, flag = estimate
    if value is None or not math.isfinite(value):
        return Figure(value=None, low=low, n=n, flag=flag)
    return Figure(value=value, low=low, high=high, n=n, flag=flag)


# --- proportions ---------------------------------------------------------------------------------


def wilson(successes: float, n: float) -> Estimate:
    """Return the proportion with Wilson's score interval (JASA 1927;22:209-212). `n` may be an effective number."""
    if n <= 0:
        return UNDEFINED
    p = successes / n
    low, high = float(_score_bound(p, n)), 1 - float(_score_bound(1 - p, n))
    # At 0 and 1 the bound is the value itself; rounding must not put it beyond.
    return Estimate(p, min(p, max(0.0, low)), max(p, min(1.0, high)))


def proportion(successes: Cases, clusters: Clusters | None = None) -> Estimate:
    """Return the share of True among `successes`, with an interval that allows for several cases of one patient.

    Cases alone: Wilson's, with the bound next to 0 or 1 as Brown, Cai and DasGupta modify it where at most three cases
    lie on that side (Stat Sci 2001;16:101-133; here the binomial in place of their Poisson). Clustered: the variance
    over patients gives a design effect, by which the number of cases is divided (Rao and Scott, Biometrics
    1992;48:577-585), at least 1 and weighted with that of patients who count once, as the module says.

    Turning any case from a failure into a success lowers no bound: the bound is the lowest of those of all sets of
    cases that are as good or better. So it is never below the one of as many patients who each stand alone and succeed.
    """
    n = len(successes)
    if n == 0:
        return UNDEFINED
    hits, sizes = _by_patient(successes, clusters)
    p = float(hits.sum() / n)
    if len(sizes) < 2 <= n:
        return Estimate(p, flag="one_patient")
    low, high = _lower_bound(sizes - hits, sizes), 1 - _lower_bound(hits, sizes)
    return Estimate(p, min(p, max(0.0, low)), max(p, min(1.0, high)))


def effective_cases(successes: Cases, clusters: Clusters | None = None) -> float:
    """Return how many cases that stand alone `successes` is worth: its number, or fewer where patients have several."""
    if len(successes) == 0:
        return 0.0
    hits, sizes = _by_patient(successes, clusters)
    fewer = hits if 2 * hits.sum() <= len(successes) else sizes - hits
    return float(_effective(fewer, sizes)[1][-1])


def _by_patient(successes: Cases, clusters: Clusters | None) -> tuple[Floats, Floats]:
    """Return the successes and the cases of each patient that has a case."""
    if clusters is None:
        return successes.astype(np.float64), np.ones(len(successes))
    sizes = _totals(np.ones(len(successes)), clusters)
    hits = _totals(successes.astype(np.float64), clusters)
    return hits[sizes > 0], sizes[sizes > 0]


def _lower_bound(failures: Floats, sizes: Floats) -> float:
    """Return the lower bound of the share of successes; `failures` of each patient and `sizes`, its number of cases."""
    shares, effective = _effective(failures, sizes)
    p = 1 - shares
    bounds = _score_bound(p, effective)
    few = (p * effective <= _FEW_EVENTS) & (p <= 0.5) & (p > 0)
    hits = (p * effective)[few]
    bounds[few] = np.minimum(bounds[few], special.betaincinv(hits, effective[few] - hits + 1, 1 - CONFIDENCE))
    return float(bounds.min()) if p[-1] > 0 else 0.0


def _effective(failures: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    """Return the share of failures and the effective number of cases, without a failure, with one, two ... and all.

    The variance of the number of failures f of m of a patient, with a share q, is that of the ratio estimator (Cochran,
    Sampling Techniques, 3rd ed., chapter 6): sum(f^2) - 2q sum(f m) + q^2 sum(m^2). For fewer failures than there are
    it is taken as large as any choice among them can make it, so that no set of cases that is better has a lower bound.
    """
    n, patients = sizes.sum(), len(sizes)
    failing = failures > 0
    of_patient, cases = failures[failing].astype(np.int64), sizes[failing]
    count = int(of_patient.sum())
    alike = np.sort(of_patient)[::-1]
    ordinal = np.arange(count) - np.repeat(np.cumsum(alike) - alike, alike)
    squares = np.concatenate([[0.0], np.cumsum(2.0 * ordinal + 1)])
    smallest = np.argsort(cases, kind="stable")
    products = np.concatenate([[0.0], np.cumsum(np.repeat(cases[smallest], of_patient[smallest]))])
    shares = np.arange(count + 1) / n
    all_squares = float((sizes**2).sum())
    variance = np.maximum(squares - 2 * shares * products + shares**2 * all_squares, 0.0)
    # Of patients whose images are all alike (Kish, Survey Sampling, 1965, section 8.2).
    largest = all_squares / n
    effect = (variance + _PRIOR_CASES * largest) / (n * shares * (1 - shares) + _PRIOR_CASES)
    effect[0] = n / patients
    return shares, n / np.maximum(effect, 1.0)


def _score_bound(p: float | Floats, n: float | Floats) -> Any:
    """Return the lower bound of Wilson's interval."""
    z = normal_quantile()
    centre = p + z**2 / (2 * n)
    half = z * np.sqrt(np.maximum(p * (1 - p), 0.0) / n + z**2 / (4 * n**2))
    return (centre - half) / (1 + z**2 / n)


# --- means between 0 and 1 ------------------------------------------------------------------------


def bounded_mean(value: float, influences: Floats, patients: int) -> Estimate:
    """Return a figure between 0 and 1 with Wilson's interval at its effective number of cases.

    `influences`: what each patient adds to the figure's error, of mean 0, so that the sum of their squares is its
    variance (the infinitesimal jackknife; Efron, SIAM 1982, chapter 6). `patients`: how many the figure rests on; as so
    many cases that succeed or fail it counts where nothing varies, with the weight of _PRIOR_CASES beside the effective
    number of patients that the influences come from.
    """
    if patients < 2:
        return Estimate(value, flag="one_patient")
    squares = influences**2
    total = float(squares.sum())
    informative = total**2 / float((squares**2).sum()) if total > 0 else 0.0
    observed = total * len(influences) / max(1, len(influences) - 1)
    at_most = value * (1 - value) / patients
    variance = (informative * observed + _PRIOR_CASES * at_most) / (informative + _PRIOR_CASES)
    n = value * (1 - value) / variance if variance > 0 else float(patients)
    # A figure at hand is no better than one without a fault, and no worse than one without a hit.
    low = min(float(_score_bound(value, n)), float(_score_bound(1.0, patients)))
    high = 1 - min(float(_score_bound(1 - value, n)), float(_score_bound(1.0, patients)))
    return Estimate(value, min(value, max(0.0, low)), max(value, min(1.0, high)))


# --- area under the ROC curve --------------------------------------------------------------------


class Placements(NamedTuple):
    """An AUC and what each case contributes to it.

    `of_positives` (m,): for each positive case, the share of negative ones below it (V10); `of_negatives` (n,): for
    each negative case, the share of positive ones above it (V01); ties count one half. The mean of either is `auc`.
    """

    auc: float
    of_positives: Floats
    of_negatives: Floats


def placements(positive: Cases, scores: Scores) -> Placements:
    """Return the placements, in O(N log N)."""
    high, low = scores[positive], scores[~positive]
    m, n = len(high), len(low)
    if m == 0 or n == 0:
        raise ValueError("an AUC needs a positive and a negative case")
    of_positives = _share_below(high, np.sort(low))
    of_negatives = 1 - _share_below(low, np.sort(high))
    return Placements(float(of_positives.mean()), of_positives, of_negatives)


def _share_below(values: Scores, ordered: Scores) -> Floats:
    """Return, for each value, the share of `ordered` below it, ties as one half."""
    below, up_to = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    shares: Floats = (below + up_to) / (2 * len(ordered))
    return shares


def auc(positive: Cases, scores: Scores, clusters: Clusters | None = None) -> Estimate:
    """Return the AUC with Newcombe's interval (method 5, Stat Med 2006;25:559-573) at the effective numbers of patients.

    Method 5 holds all areas within z standard errors, each error taken at that area; it needs only the area and the
    numbers of positive and negative cases, so a better area has no lower bound, up to 1 itself. Here they are the
    numbers of patients with either, scaled by how the variance they imply compares with the one observed: Obuchowski's
    (Biometrics 1997;53:567-578), for cases alone DeLong's (Biometrics 1988;44:837-845), weighted as the module says.
    The variance is never taken below that of as many cases that each stand alone. None with fewer than two patients on
    either side.
    """
    if positive.all() or not positive.any():
        return UNDEFINED
    placed = placements(positive, scores)
    m, n = _patients_with(positive, clusters), _patients_with(~positive, clusters)
    spread = _spread(placed.of_positives, placed.of_negatives, positive, clusters)
    if spread is None:
        return Estimate(placed.auc, flag="one_patient")
    scale = 1.0
    by_patients = _newcombe_variance(placed.auc, m, n)
    if by_patients > 0:
        observed, weight = spread.variance, spread.informative
        variance = (weight * observed + _PRIOR_CASES * by_patients) / (weight + _PRIOR_CASES)
        alone = _newcombe_variance(placed.auc, len(placed.of_positives), len(placed.of_negatives))
        scale = by_patients / max(variance, alone)
    low, high = _newcombe(placed.auc, max(1.0, scale * m), max(1.0, scale * n))
    # A perfect order of as many patients, and a perfect disorder, are the ends of the scale.
    perfect = _newcombe(1.0, m, n)[0]
    return Estimate(placed.auc, min(low, perfect), max(high, 1 - perfect))


class PairedTest(NamedTuple):
    """Two models on the same cases. `difference`: first minus second; `p_value` is two-sided."""

    first: float
    second: float
    difference: Estimate
    z: float | None
    p_value: float | None


def delong_test(
    positive: Cases, first_scores: Scores, second_scores: Scores, clusters: Clusters | None = None
) -> PairedTest | None:
    """Return DeLong's test that two models have the same AUC on the same cases, clustered as Obuchowski does.

    The interval of the difference comes from those of both areas and how their errors go together (Zou and Donner, Stat
    Med 2008;27:1693-1702); none where both models put all cases in one order. None without both a positive and a
    negative case; no p-value where the difference has no variance but is not 0.
    """
    if positive.all() or not positive.any():
        return None
    first, second = placements(positive, first_scores), placements(positive, second_scores)
    spread = _spread(
        first.of_positives - second.of_positives, first.of_negatives - second.of_negatives, positive, clusters
    )
    difference = first.auc - second.auc
    same = bool(
        np.array_equal(first.of_positives, second.of_positives)
        and np.array_equal(first.of_negatives, second.of_negatives)
    )
    if spread is None or same:
        flag: IntervalFlag = "one_patient" if spread is None else "no_variation"
        estimate = Estimate(difference, flag=flag)
    else:
        estimate = _difference(positive, first_scores, second_scores, clusters)
    if spread is None or spread.variance <= 0:
        return PairedTest(first.auc, second.auc, estimate, 0.0 if same else None, 1.0 if same else None)
    z = difference / math.sqrt(spread.variance)
    return PairedTest(first.auc, second.auc, estimate, z, float(2 * special.ndtr(-abs(z))))


def _difference(positive: Cases, first_scores: Scores, second_scores: Scores, clusters: Clusters | None) -> Estimate:
    first, second = auc(positive, first_scores, clusters), auc(positive, second_scores, clusters)
    if None in (first.value, first.low, first.high, second.value, second.low, second.high):
        return UNDEFINED
    one, other = (auc_influences(positive, scores, clusters) for scores in (first_scores, second_scores))
    scale = math.sqrt(float(one @ one) * float(other @ other))
    together = float(one @ other) / scale if scale > 0 else 0.0
    value = first.value - second.value  # type: ignore[operator]
    bounds = []
    for here, there in ((first.low, second.high), (first.high, second.low)):
        a, b = abs(first.value - here), abs(second.value - there)  # type: ignore[operator]
        bounds.append(math.sqrt(max(0.0, a * a + b * b - 2 * together * a * b)))
    return Estimate(value, max(-1.0, value - bounds[0]), min(1.0, value + bounds[1]))


def auc_influences(positive: Cases, scores: Scores, clusters: Clusters | None = None) -> Floats:
    """Return what each patient adds to the error of the AUC, shape (patients,): the sum of squares is its variance."""
    placed = placements(positive, scores)
    of_case = np.zeros(len(positive))
    of_case[positive] = (placed.of_positives - placed.auc) / len(placed.of_positives)
    of_case[~positive] = (placed.of_negatives - placed.auc) / len(placed.of_negatives)
    return of_case if clusters is None else _totals(of_case, clusters)


class _Spread(NamedTuple):
    """`informative`: the effective number of patients that the variance comes from."""

    variance: float
    informative: float


def _spread(of_positives: Floats, of_negatives: Floats, positive: Cases, clusters: Clusters | None) -> _Spread | None:
    """Return the variance of a mean of placements by Obuchowski's formula; cases alone: by DeLong's, to which it falls.

    None with fewer than two patients on either side.
    """
    if clusters is None:
        clusters = np.arange(len(positive))
    covariance = placement_covariance(of_positives[None], of_negatives[None], positive, clusters)
    if covariance is None:
        return None
    count = int(clusters.max()) + 1
    above = np.bincount(clusters[positive], weights=of_positives - of_positives.mean(), minlength=count)
    below = np.bincount(clusters[~positive], weights=of_negatives - of_negatives.mean(), minlength=count)
    squares = (above / len(of_positives) + below / len(of_negatives)) ** 2
    total = float(squares.sum())
    informative = total**2 / float((squares**2).sum()) if total > 0 else 0.0
    return _Spread(max(0.0, float(covariance[0, 0])), informative)


def placement_covariance(
    of_positives: Floats, of_negatives: Floats, positive: Cases, clusters: Clusters | None = None
) -> Floats | None:
    """Return the covariances (K, K) of K mean placements on the same cases: `of_positives` (K, m), `of_negatives` (K, n).

    Obuchowski's (Biometrics 1997;53:567-578); with a case a cluster DeLong's (Biometrics 1988;44:837-845), to which it
    falls. None with fewer than two clusters on either side.
    """
    if clusters is None:
        clusters = np.arange(len(positive))
    m, n = of_positives.shape[1], of_negatives.shape[1]
    with_positive, with_negative = _patients_with(positive, clusters), _patients_with(~positive, clusters)
    patients = _patients_with(np.ones_like(positive), clusters)
    if with_positive < 2 or with_negative < 2:
        return None
    above = cluster_sums(of_positives - of_positives.mean(axis=1, keepdims=True), clusters[positive], clusters)
    below = cluster_sums(of_negatives - of_negatives.mean(axis=1, keepdims=True), clusters[~positive], clusters)
    both = above @ below.T
    covariance: Floats = (
        with_positive / (with_positive - 1) * (above @ above.T) / m**2
        + with_negative / (with_negative - 1) * (below @ below.T) / n**2
        + patients / (patients - 1) * (both + both.T) / (m * n)
    )
    return covariance


def cluster_sums(values: Floats, members: Clusters, clusters: Clusters) -> Floats:
    """Return the sums (K, clusters) of `values` (K, N) over the clusters that its N cases are `members` of."""
    count = int(clusters.max()) + 1
    return np.stack([np.bincount(members, weights=row, minlength=count) for row in values]).astype(np.float64)


def _newcombe_variance(area: float, m: float, n: float) -> float:
    """Return the variance of an area by Newcombe's method 5, of Hanley and McNeil's exponential scores."""
    weight = (m + n) / 2 - 1
    spread = 1 + weight * ((1 - area) / (2 - area) + area / (1 + area))
    return max(0.0, area * (1 - area) * spread / (m * n))


def _newcombe(area: float, m: float, n: float) -> tuple[float, float]:
    """Return the areas z standard errors below and above `area`, each error taken there."""
    z = normal_quantile()

    def excess(theta: float) -> float:
        return abs(area - theta) - z * math.sqrt(_newcombe_variance(theta, m, n))

    inside = 1e-12
    low = 0.0 if area <= 0 else float(optimize.brentq(excess, 0.0, min(area, 1 - inside)))
    high = 1.0 if area >= 1 else float(optimize.brentq(excess, max(area, inside), 1.0))
    return low, high


def _totals(values: Floats, clusters: Clusters) -> Floats:
    return np.bincount(clusters, weights=values).astype(np.float64)


def _patients_with(cases: Cases, clusters: Clusters | None) -> int:
    return int(cases.sum()) if clusters is None else len(np.unique(clusters[cases]))
