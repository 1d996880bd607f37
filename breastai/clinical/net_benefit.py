"""Net benefit: what decisions by a model are worth beside calling all or none, with a band, at a prevalence of life."""

import numpy as np
import numpy.typing as npt
from scipy import special

from breastai.clinical.apply_decision_rule import reaches
from breastai.clinical.intervals import Cases, Clusters, Scores
from breastai.clinical.operating_point import decision_curve
from breastai.clinical.patient_bootstrap import draw_patients, percentile_band
from breastai.domain.records import Curve

Floats = npt.NDArray[np.float64]

DRAWS = 1000
_WORK, _FEWEST_DRAWS = 2_000_000, 100
# A prevalence is small where a threshold is: from 1 in 1,000 to the next whole hundredth.
_LOW_THRESHOLDS = (0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008, 0.009)


def net_benefit(
    positive: Cases,
    probabilities: Scores,
    clusters: Clusters | None = None,
    *,
    prevalence: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Curve:
    """Return the decision curve (see operating_point.decision_curve) with `low` and `high` by a bootstrap of patients.

    At a `prevalence` the probabilities are first moved to it, as they would be for people of whom so many are positive:
    a threshold of 1 % is meant as a risk of 1 % there.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if prevalence is not None and positive.any() and not positive.all():
        values = at_prevalence(values, float(positive.mean()), prevalence)
    whole = np.arange(0.01, 1.0, 0.01).tolist()
    thresholds = whole if prevalence is None else [*_LOW_THRESHOLDS, *whole]
    found: Curve = {
        name: list(column) for name, column in decision_curve(positive, values, thresholds, prevalence).items()
    }
    places = np.asarray(found["threshold"], dtype=np.float64)
    if not len(places):
        return found | {"low": [], "high": []}
    n = len(positive)
    weights = draw_patients(n, clusters, min(draws, max(_FEWEST_DRAWS, min(DRAWS, _WORK // n))), seed)
    curves = None if weights is None else _drawn(positive, values, places, weights, prevalence)
    low, high = percentile_band(curves, len(places))
    return found | {"low": low, "high": high}


def at_prevalence(probabilities: Floats, before: float, after: float) -> Floats:
    """Return probabilities that hold where a share `before` is positive as those where a share `after` is.

    (Saerens, Latinne and Decaestecker, Neural Comput 2002;14:21-41: the odds change as those of the prevalence do.)
    """
    shifted: Floats = special.expit(special.logit(probabilities) + special.logit(after) - special.logit(before))
    return shifted


def _drawn(
    positive: Cases, probabilities: Floats, thresholds: Floats, weights: Floats, prevalence: float | None
) -> Floats:
    """Return the net benefit in B weightings (B, N) at T thresholds, (B, T); NaN without both outcomes."""
    called = reaches(probabilities[:, None], thresholds[None, :]).astype(np.float64)
    with_finding, without = weights[:, positive], weights[:, ~positive]
    hits, alarms = with_finding.sum(axis=1, keepdims=True), without.sum(axis=1, keepdims=True)
    both = (hits > 0) & (alarms > 0)
    sensitivity = np.divide(
        with_finding @ called[positive], hits, out=np.full((len(weights), len(thresholds)), np.nan), where=both
    )
    false_rate = np.divide(without @ called[~positive], alarms, out=np.full_like(sensitivity, np.nan), where=both)
    share = hits / (hits + alarms) if prevalence is None else np.full_like(hits, prevalence)
    benefit: Floats = sensitivity * share - false_rate * (1 - share) * thresholds / (1 - thresholds)
    return benefit
