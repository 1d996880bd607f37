"""Intervals in closed form: Wilson for a proportion, DeLong for an AUC, and both when a patient has several images.

All intervals are two-sided at CONFIDENCE. `clusters` gives, for each case, the number of its patient; None means that
each case stands alone. A bound that these cases can't give is None.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

CONFIDENCE = 0.95

Cases = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.floating[Any]]
Clusters = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """A value and its interval; each None where undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None


UNDEFINED = Estimate(None)


def normal_quantile() -> float:
    """Return the quantile of the normal distribution that belongs to CONFIDENCE: 1.96."""
    return float(special.ndtri(0.5 + CONFIDENCE / 2))


# --- proportions ---------------------------------------------------------------------------------


def wilson(successes: float, n: float, quantile: float | None = None) -> Estimate:
    """Return the proportion with Wilson's score interval (JASA 1927;22:209-212). `n` may be an effective number."""
    if n <= 0:
        return UNDEFINED
    z = normal_quantile() if quantile is None else quantile
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At 0 and 1 the bound is the value itself; rounding must not put it beyond.
    return Estimate(p, min(p, max(0.0, centre - half)), max(p, min(1.0, centre + half)))


def proportion(successes: Cases, clusters: Clusters | None = None) -> Estimate:
    """Return the share of True among `successes`, with an interval that allows for several cases of one patient.

    Cases alone: Wilson's. Clustered: the ratio estimator's variance (Cochran, Sampling Techniques, 3rd ed., ch. 6;
    Obuchowski, Stat Med 1998;17:1495-1507 for sensitivity and specificity) gives a design effect, by which the number
    of cases in Wilson's interval is divided (Rao and Scott, Biometrics 1992;48:577-585), with Student's t for the
    number of patients, as Korn and Graubard (Survey Methodology 1998;24:193-201) do. The design effect is at least 1;
    where nothing varies it can't be seen, and each patient counts as one case.
    """
    n = len(successes)
    if n == 0:
        return UNDEFINED
    if clusters is None:
        return wilson(float(successes.sum()), n)
    of_patient, sizes = _totals(successes.astype(np.float64), clusters), _totals(np.ones(n), clusters)
    sizes_present = sizes > 0
    of_patient, sizes = of_patient[sizes_present], sizes[sizes_present]
    patients = len(sizes)
    if patients == n:
        return wilson(float(successes.sum()), n)
    p = float(successes.mean())
    if patients < 2:
        return Estimate(p)
    if 0 < p < 1:
        variance = patients / (patients - 1) * float(((of_patient - p * sizes) ** 2).sum()) / n**2
        design_effect = max(1.0, variance / (p * (1 - p) / n))
    else:
        design_effect = n / patients
    effective_n = n / design_effect
    return wilson(p * effective_n, effective_n, float(special.stdtrit(patients - 1, 0.5 + CONFIDENCE / 2)))


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
    """Return the placements by midranks (Sun and Xu, IEEE Signal Process Lett 2014;21:1389-1393), in O(N log N)."""
    high, low = scores[positive], scores[~positive]
    m, n = len(high), len(low)
    if m == 0 or n == 0:
        raise ValueError("an AUC needs a positive and a negative case")
    from scipy.stats import rankdata  # half a second that an audit need not wait for

    ranks = rankdata(np.concatenate([high, low]))
    of_positives = (ranks[:m] - rankdata(high)) / n
    of_negatives = 1 - (ranks[m:] - rankdata(low)) / m
    return Placements(float(of_positives.mean()), of_positives, of_negatives)


def auc(positive: Cases, scores: Scores, clusters: Clusters | None = None) -> Estimate:
    """Return the AUC with DeLong's interval (Biometrics 1988;44:837-845), or Obuchowski's for clustered cases.

    Cases alone: on the AUC scale, cut at 0 and 1, as pROC gives it. Clustered: Obuchowski's variance (Biometrics
    1997;53:567-578) on the logit scale (Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2) with
    Student's t and Welch's degrees of freedom for the patients on either side; on the AUC scale intervals from some
    tens of patients hold the truth too seldom (benchmarks/interval_coverage.py). Where every pair is in order, or
    every one in disorder, the variance is 0 and the interval would be a point; Newcombe's method 5 (Stat Med
    2006;25:559-573), which needs only the numbers of cases (here of patients), stands in.
    """
    if positive.all() or not positive.any():
        return UNDEFINED
    if clusters is not None and _each_alone(clusters):
        clusters = None
    placed = placements(positive, scores)
    if placed.auc in (0.0, 1.0):
        counted = _patients_with(positive, clusters), _patients_with(~positive, clusters)
        return _newcombe(placed.auc, *counted)
    spread = _spread(placed.of_positives, placed.of_negatives, positive, clusters)
    if clusters is None:
        return _cut(placed.auc, spread, 0.0, 1.0)
    if spread is None or spread.variance <= 0:
        return Estimate(placed.auc)
    centre = math.log(placed.auc / (1 - placed.auc))
    quantile = float(special.stdtrit(spread.degrees_of_freedom, 0.5 + CONFIDENCE / 2))
    half = quantile * math.sqrt(spread.variance) / (placed.auc * (1 - placed.auc))
    return Estimate(placed.auc, float(special.expit(centre - half)), float(special.expit(centre + half)))


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

    None without both a positive and a negative case; no p-value where the difference has no variance but is not 0.
    """
    if positive.all() or not positive.any():
        return None
    first, second = placements(positive, first_scores), placements(positive, second_scores)
    spread = _spread(
        first.of_positives - second.of_positives, first.of_negatives - second.of_negatives, positive, clusters
    )
    difference = first.auc - second.auc
    estimate = _cut(difference, spread, -1.0, 1.0)
    if spread is None or spread.variance <= 0:
        same = bool(np.array_equal(first.of_positives, second.of_positives))
        return PairedTest(first.auc, second.auc, estimate, 0.0 if same else None, 1.0 if same else None)
    z = difference / math.sqrt(spread.variance)
    return PairedTest(first.auc, second.auc, estimate, z, float(2 * special.ndtr(-abs(z))))


class _Spread(NamedTuple):
    variance: float
    degrees_of_freedom: float


def _spread(of_positives: Floats, of_negatives: Floats, positive: Cases, clusters: Clusters | None) -> _Spread | None:
    """Return the variance of a mean of placements by Obuchowski's formula; cases alone: by DeLong's, to which it falls.

    None with fewer than two patients on either side.
    """
    if clusters is None:
        clusters = np.arange(len(positive))
    m, n = len(of_positives), len(of_negatives)
    count = int(clusters.max()) + 1
    above = np.bincount(clusters[positive], weights=of_positives - of_positives.mean(), minlength=count)
    below = np.bincount(clusters[~positive], weights=of_negatives - of_negatives.mean(), minlength=count)
    with_positive, with_negative = _patients_with(positive, clusters), _patients_with(~positive, clusters)
    patients = _patients_with(np.ones_like(positive), clusters)
    if with_positive < 2 or with_negative < 2:
        return None
    of_above = with_positive / (with_positive - 1) * float(above @ above) / m**2
    of_below = with_negative / (with_negative - 1) * float(below @ below) / n**2
    of_both = patients / (patients - 1) * float(above @ below) / (m * n)
    inverse_freedom = of_above**2 / (with_positive - 1) + of_below**2 / (with_negative - 1)
    freedom = (of_above + of_below) ** 2 / inverse_freedom if inverse_freedom > 0 else 1.0
    return _Spread(max(0.0, of_above + of_below + 2 * of_both), freedom)


def _newcombe(area: float, m: int, n: int) -> Estimate:
    """Return the interval of Newcombe's method 5: all theta within z standard errors, each error taken at theta."""
    z = normal_quantile()

    def excess(theta: float) -> float:
        weight = (m + n) / 2 - 1
        spread = 1 + weight * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return abs(area - theta) - z * math.sqrt(theta * (1 - theta) * spread / (m * n))

    inside = 1e-12
    if area == 1.0:
        return Estimate(1.0, float(optimize.brentq(excess, inside, 1 - 1e-9)), 1.0)
    return Estimate(0.0, 0.0, float(optimize.brentq(excess, 1e-9, 1 - inside)))


def _cut(value: float, spread: _Spread | None, least: float, most: float) -> Estimate:
    if spread is None or spread.variance <= 0:
        return Estimate(value)
    half = normal_quantile() * math.sqrt(spread.variance)
    return Estimate(value, max(least, value - half), min(most, value + half))


def _each_alone(clusters: Clusters) -> bool:
    return len(np.unique(clusters)) == len(clusters)


def _totals(values: Floats, clusters: Clusters) -> Floats:
    return np.bincount(clusters, weights=values).astype(np.float64)


def _patients_with(cases: Cases, clusters: Clusters | None) -> int:
    return int(cases.sum()) if clusters is None else len(np.unique(clusters[cases]))
