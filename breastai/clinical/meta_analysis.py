"""Figures of several sites taken together: a random-effects meta-analysis of shares and areas on the logit scale."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from breastai.clinical.intervals import CONFIDENCE, normal_quantile
from breastai.domain.records import Figure
from breastai.domain.site_records import PooledFigure

Floats = npt.NDArray[np.float64]
# A variance between sites beyond this says that nothing is common to them: shares near 0 and near 1.
_LARGEST_TAU2 = 100.0


class RandomEffects(NamedTuple):
    """The mean effect with its standard error, the variance between sites, and the share of variation it makes."""

    mean: float
    standard_error: float
    tau2: float
    i2: float


def random_effects(effects: Sequence[float] | Floats, variances: Sequence[float] | Floats) -> RandomEffects:
    """Return the random-effects mean of K >= 2 effects whose own `variances` are known.

    The variance between sites by restricted maximum likelihood (Viechtbauer, J Educ Behav Stat 2005;30:261-293); the
    standard error by Hartung and Knapp (Stat Med 2001;20:3875-3889), never below that of the weights alone. I2 as Higgins
    and Thompson have it (Stat Med 2002;21:1539-1558).
    """
    y, v = np.asarray(effects, dtype=np.float64), np.asarray(variances, dtype=np.float64)

    def minus_likelihood(tau2: float) -> float:
        weights = 1 / (v + tau2)
        mean = float(weights @ y / weights.sum())
        return float(np.log(v + tau2).sum() + np.log(weights.sum()) + weights @ (y - mean) ** 2) / 2

    upper = min(_LARGEST_TAU2, 10 * float(y.var(ddof=1)) + 10 * float(v.max()))
    found = optimize.minimize_scalar(minus_likelihood, bounds=(0.0, upper), method="bounded", options={"xatol": 1e-9})
    tau2 = float(found.x) if minus_likelihood(float(found.x)) < minus_likelihood(0.0) else 0.0
    weights = 1 / (v + tau2)
    mean = float(weights @ y / weights.sum())
    scatter = max(1.0, float(weights @ (y - mean) ** 2) / (len(y) - 1))
    fixed = 1 / v
    typical = (len(y) - 1) * fixed.sum() / (fixed.sum() ** 2 - (fixed**2).sum())
    return RandomEffects(mean, math.sqrt(scatter / weights.sum()), tau2, float(tau2 / (tau2 + typical)))


def pool_figures(figures: Sequence[Figure]) -> PooledFigure | None:
    """Return what the same share or area of several sites comes to; None where fewer than two sites have it.

    Each site's standard error is read from its interval, which knows of patients with several images. At 0 and 1, where
    a logit is infinite, half a case is added on either side. The interval is Student's with K - 1 degrees, the
    prediction interval with K - 2 (Higgins, Thompson and Spiegelhalter, J R Stat Soc A 2009;172:137-159).
    """
    known = [logit_of(figure) for figure in figures]
    usable = [each for each in known if each is not None]
    values = [figure.value for figure in figures if figure.value is not None]
    if len(usable) < 2:
        return None
    effects, variances = zip(*usable, strict=True)
    found = random_effects(effects, variances)
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(usable) - 1)) * found.standard_error
    bounds = special.expit([found.mean - half, found.mean, found.mean + half]).tolist()
    ahead: tuple[float | None, float | None] = (None, None)
    if len(usable) > 2:
        spread = math.sqrt(found.tau2 + found.standard_error**2)
        reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(usable) - 2)) * spread
        ahead = (float(special.expit(found.mean - reach)), float(special.expit(found.mean + reach)))
    return PooledFigure(
        sites=len(usable),
        value=bounds[1],
        low=bounds[0],
        high=bounds[2],
        prediction_low=ahead[0],
        prediction_high=ahead[1],
        tau2=found.tau2,
        i2=found.i2,
        lowest=min(values),
        highest=max(values),
    )


def logit_of(figure: Figure) -> tuple[float, float] | None:
    """Return the logit of a share and its variance, from its interval; None where it has none."""
    value, low, high = figure.value, figure.low, figure.high
    if value is None or low is None or high is None or not low < high:
        return None
    z = normal_quantile()
    if not 0 < value < 1:
        reach = high if value <= 0 else 1 - low
        n = z**2 * (1 / reach - 1)  # the cases that give Wilson's interval its bound there
        share = 0.5 / (n + 1)
        logit = float(special.logit(share if value <= 0 else 1 - share))
        return logit, 1 / 0.5 + 1 / (n + 0.5)
    below = special.logit(value) - special.logit(low) if low > 0 else math.inf
    above = special.logit(high) - special.logit(value) if high < 1 else math.inf
    sides = [side for side in (below, above) if math.isfinite(side) and side > 0]
    if not sides:
        return None
    return float(special.logit(value)), float((sum(sides) / len(sides) / z) ** 2)
