"""Intervals of figures of the ROC curve and of precision against recall: average precision, partial AUC, single points.

`positive` (N,), `scores` (N,): a case is called from a threshold upwards. `clusters` as in intervals.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

from breastai.clinical.intervals import (
    CONFIDENCE,
    UNDEFINED,
    Cases,
    Clusters,
    Estimate,
    Scores,
    bounded_mean,
    effective_cases,
    placements,
    proportion,
)
from breastai.clinical.metrics.weighted_roc import WeightedRoc

Floats = npt.NDArray[np.float64]

_TAIL = 0.5 - CONFIDENCE / 2
# A trace of slack, so that 19 of 20 counts as 0.95.
_SLACK = 1e-9


def average_precision(positive: Cases, scores: Scores, clusters: Clusters | None = None) -> Estimate:
    """Return the average precision with the interval of a proportion of the patients with a positive case.

    As Boyd, Eng and Page (ECML PKDD 2013) recommend, but with the variance observed where the cases show one.
    """
    if not positive.any():
        return UNDEFINED
    order = np.argsort(-scores, kind="stable")
    hit = positive[order].astype(np.float64)
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    tie = np.repeat(np.arange(len(last)), np.diff(np.append(-1, last)))
    hits, called = np.cumsum(hit)[last], last + 1.0
    at_tie = np.bincount(tie, weights=hit)
    precision = hits / called
    m = hits[-1]
    value = float((at_tie * precision).sum() / m)
    # A case more at a place raises or lowers the precision at every threshold from there downwards.
    fewer = np.cumsum((at_tie * (called - hits) / called**2)[::-1])[::-1]
    more = np.cumsum((at_tie * hits / called**2)[::-1])[::-1]
    influence = np.where(hit > 0, precision[tie] - value + fewer[tie], -more[tie]) / m
    of_case = np.empty_like(influence)
    of_case[order] = influence
    patients = _count(positive, clusters)
    return bounded_mean(value, _by_patient(of_case, clusters), patients)


def partial_auc(positive: Cases, scores: Scores, specificity: float, clusters: Clusters | None = None) -> Estimate:
    """Return McClish's standardised area of the ROC curve for specificities from `specificity` to 1.

    The area is a mean over the positive cases of how much of that range lies beside them, so its error is a sum over
    cases, as the AUC's is. Where the range ends is open besides: both add up as in `sensitivity_at`, with its flag; it
    is flagged also where the patients, each counted once, are too few to place that end.
    """
    if positive.all() or not positive.any():
        return UNDEFINED
    limit = 1 - specificity
    value = float(WeightedRoc(np.ones((1, len(scores))), positive, scores).partial_auc(specificity)[0])
    least = limit / 2
    share = min(1.0, max(0.0, (2 * value - 1) * (1 - least) + least))
    # The share of negative cases above each positive one.
    rates = 1 - placements(positive, scores).of_positives

    def beside(width: float) -> Floats:
        return np.maximum(0.0, width - rates) / width if width > 0 else np.zeros(len(rates))

    influence = np.zeros(len(scores))
    influence[positive] = (beside(limit) - beside(limit).mean()) / len(rates)
    ranked = np.sort(scores[positive][rates < limit])
    below = (np.searchsorted(ranked, scores[~positive]) + np.searchsorted(ranked, scores[~positive], side="right")) / 2
    pressed = below / (limit * len(rates))
    influence[~positive] = -(pressed - pressed.mean()) / (~positive).sum()
    inner = bounded_mean(share, _by_patient(influence, clusters), _count(positive, clusters))
    if inner.low is None or inner.high is None:
        return Estimate(value, flag=inner.flag)
    # The threshold at the end of the range, by the order of the negative cases.
    allowed = int(np.floor(limit * (~positive).sum() + _SLACK))
    called = _above(scores, np.sort(scores[~positive])[::-1], allowed)
    narrow, wide = _range_of_rank(called, positive, specificity, clusters)
    if stats.binom.ppf(_TAIL, _count(~positive, clusters), limit) < 1:
        # So few patients show by chance that their images are worth more cases than they are.
        narrow = 0
    n = int((~positive).sum())
    strict, lenient = float(beside(narrow / n).mean()), float(beside(wide / n).mean())
    low = max(0.0, share - float(np.hypot(share - min(share, strict), share - inner.low)))
    high = min(1.0, share + float(np.hypot(max(share, lenient) - share, inner.high - share)))
    low, high = ((1 + (area - least) / (1 - least)) / 2 for area in (low, high))
    return Estimate(value, low, high, None if narrow > 0 else "loose_bound")


def sensitivity_at(positive: Cases, scores: Scores, specificity: float, clusters: Clusters | None = None) -> Estimate:
    """Return the highest sensitivity of any threshold with at least `specificity`, with an interval for both its errors.

    The positive cases leave the sensitivity open, and the negative ones the threshold: its interval is that of a
    quantile, by order statistics (David and Nagaraja, Order Statistics, 2003, section 7.1), at the number of cases the
    negative ones are worth; both add up as in composite_intervals. With too few negative cases no threshold is known to
    be high enough, and the lower bound is 0: flagged loose_bound.
    """
    if positive.all() or not positive.any():
        return UNDEFINED
    negatives = np.sort(scores[~positive])[::-1]
    called = _above(scores, negatives, int(np.floor((1 - specificity) * len(negatives) + _SLACK)))
    share = proportion(called[positive], None if clusters is None else clusters[positive])
    if share.value is None or share.low is None or share.high is None:
        return share
    fewest, most = _range_of_rank(called, positive, specificity, clusters)
    strict = float(_above(scores, negatives, fewest - 1)[positive].mean()) if fewest > 0 else 0.0
    lenient = float(_above(scores, negatives, most)[positive].mean())
    low = share.value - float(np.hypot(share.value - strict, share.value - share.low))
    high = share.value + float(np.hypot(lenient - share.value, share.high - share.value))
    return Estimate(share.value, max(0.0, low), min(1.0, high), None if fewest > 0 else "loose_bound")


def specificity_at(positive: Cases, scores: Scores, sensitivity: float, clusters: Clusters | None = None) -> Estimate:
    """Return the highest specificity of any threshold with at least `sensitivity`, as `sensitivity_at` does."""
    return sensitivity_at(~positive, -scores, sensitivity, clusters)


def _range_of_rank(called: Cases, positive: Cases, specificity: float, clusters: Clusters | None) -> tuple[int, int]:
    """Return the fewest and the most negative cases that may lie above the threshold of this specificity."""
    n = int((~positive).sum())
    worth = effective_cases(called[~positive], None if clusters is None else clusters[~positive])
    ends = stats.binom.ppf([_TAIL, 1 - _TAIL], round(worth), 1 - specificity) * n / worth
    return int(ends[0]), int(np.ceil(ends[1]))


def _above(scores: Scores, ordered: Scores, allowed: int) -> Cases:
    """Return which scores lie above all of `ordered`, falling, but the first `allowed`."""
    if allowed >= len(ordered):
        return np.ones(len(scores), dtype=np.bool_)
    called: Cases = scores > ordered[allowed]
    return called


def _by_patient(of_case: Floats, clusters: Clusters | None) -> Floats:
    return of_case if clusters is None else np.bincount(clusters, weights=of_case).astype(np.float64)


def _with(cases: Cases, clusters: Clusters | None) -> Cases:
    """Return which patients have one of `cases`."""
    return cases if clusters is None else np.bincount(clusters, weights=cases) > 0


def _count(cases: Cases, clusters: Clusters | None) -> int:
    return int(_with(cases, clusters).sum())
