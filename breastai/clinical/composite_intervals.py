"""Intervals of figures that are made of others with known intervals: sums, ratios, predictive values, F1.

MOVER, the method of variance estimates recovered (Zou and Donner, Stat Med 2008;27:1693-1702): how far each part may be
off on either side, by its own interval, adds up to how far the whole may be off. It needs no case that varies, so a
figure at the end of its scale has an interval too.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from breastai.clinical.intervals import UNDEFINED, Cases, Clusters, Estimate, proportion

Floats = npt.NDArray[np.float64]


def linear(
    parts: Sequence[Estimate],
    weights: Sequence[float],
    offset: float = 0.0,
    correlations: Floats | None = None,
    ends: tuple[float, float] = (0.0, 1.0),
) -> Estimate:
    """Return offset + the weighted sum of `parts`; `correlations` (K, K) of their errors, None for independent ones."""
    if any(part.value is None for part in parts):
        return UNDEFINED
    values = np.array([part.value for part in parts], dtype=np.float64)
    each = np.asarray(weights, dtype=np.float64)
    whole = offset + float(each @ values)
    if any(part.low is None or part.high is None for part in parts):
        return Estimate(whole, flag=next((part.flag for part in parts if part.flag), None))
    between = np.eye(len(parts)) if correlations is None else correlations
    down = values - np.array([part.low for part in parts], dtype=np.float64)
    up = np.array([part.high for part in parts], dtype=np.float64) - values
    below, above = each * np.where(each > 0, down, up), each * np.where(each > 0, up, down)
    low = whole - math.sqrt(max(0.0, float(below @ between @ below)))
    high = whole + math.sqrt(max(0.0, float(above @ between @ above)))
    return Estimate(whole, max(ends[0], low), min(ends[1], high))


def ratio(first: Estimate, second: Estimate) -> Estimate:
    """Return the ratio of two independent shares (Donner and Zou, Stat Methods Med Res 2012;21:347-359).

    A ratio to 0 is infinite: its value is infinity with a lower bound alone; 0 to 0 is undefined.
    """
    if first.value is None or second.value is None or (first.value == 0 == second.value):
        return UNDEFINED
    value = first.value / second.value if second.value > 0 else math.inf
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Estimate(value, flag=first.flag or second.flag)
    product = first.value * second.value
    down = first.low * second.high * (2 * first.value - first.low) * (2 * second.value - second.high)
    up = first.high * second.low * (2 * first.value - first.high) * (2 * second.value - second.low)
    below, above = second.high * (2 * second.value - second.high), second.low * (2 * second.value - second.low)
    low = _solved(product, -math.sqrt(max(0.0, product**2 - down)), below)
    high = _solved(product, math.sqrt(max(0.0, product**2 - up)), above)
    return Estimate(value, min(value, max(0.0, low)), None if math.isinf(max(value, high)) else max(value, high))


def _solved(product: float, root: float, divisor: float) -> float:
    """Return (product + root) / divisor; the upper solution is infinite where the divisor is 0."""
    if abs(divisor) > 1e-15:
        return (product + root) / divisor
    return math.inf if root > 0 else 0.0


def f1(positive: Cases, called: Cases, clusters: Clusters | None = None) -> Estimate:
    """Return F1 of a class: 2J / (1 + J), where J is the share of hits among the cases that are positive or called.

    J is a proportion, and F1 rises with it, so its interval is that of J carried over.
    """
    either = positive | called
    share = proportion((positive & called)[either], None if clusters is None else clusters[either])
    return transform(share, lambda j: 2 * j / (1 + j))


def predictive_value(ratio_of_finding: Estimate, odds: float) -> Estimate:
    """Return LR / (LR + `odds`): the share that is right, of those with a finding of likelihood ratio LR.

    `odds`: how often the finding is wrong for each time it is right where it tells nothing. For a call that is
    (1 - prevalence) / prevalence with the positive likelihood ratio; for none, its inverse with 1 / LR-.
    """
    return transform(ratio_of_finding, lambda lr: 1.0 if math.isinf(lr) else lr / (lr + odds), most=1.0)


def transform(estimate: Estimate, function: Callable[[float], float], most: float | None = None) -> Estimate:
    """Return an estimate carried over by a rising function; `most` is the upper bound where there was none."""
    if estimate.value is None:
        return UNDEFINED
    value = float(function(estimate.value))
    if estimate.low is None:
        return Estimate(value, flag=estimate.flag)
    high = most if estimate.high is None else float(function(estimate.high))
    return Estimate(value, float(function(estimate.low)), high, estimate.flag)


def complement(share: Estimate) -> Estimate:
    """Return 1 - `share`."""
    if share.value is None or share.low is None or share.high is None:
        return share if share.value is None else Estimate(1 - share.value, flag=share.flag)
    return Estimate(1 - share.value, 1 - share.high, 1 - share.low, share.flag)


def correlations_of(influences: Floats, weights: Sequence[float]) -> Floats:
    """Return how the errors of K figures go together (K, K), by their `influences` (K, patients).

    Where it can't be seen, since no case of a figure varies: 1 of two that are added up, 0 of one that is taken from the
    other (Newcombe, Stat Med 1998;17:2635-2650), so that neither makes the interval of the weighted sum too narrow.
    """
    products = influences @ influences.T
    norms = np.sqrt(np.diag(products))
    scale = norms[:, None] * norms[None, :]
    seen = scale > 1e-18
    same = np.outer(weights, weights) > 0
    result: Floats = np.where(seen, products / np.where(seen, scale, 1.0), same.astype(np.float64))
    return np.clip(result, -1.0, 1.0)
