"""Calibration of the probability of one class: slope, intercept and the ratio of observed to expected cases.

The core set of Van Calster et al. (Lancet Digit Health 2025), as val.prob of the R packages rms and CalibrationCurves
defines it. Intervals are jackknives of patients.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from breastai.clinical.apply_decision_rule import logarithm
from breastai.clinical.intervals import UNDEFINED, Cases, Clusters, Estimate, Scores
from breastai.clinical.jackknife import jackknife

Floats = npt.NDArray[np.float64]

_STEPS = 100
_CONVERGED = 1e-12
_BALANCED = 1e-6
_LONGEST = 8.0
_ROUNDING = 1e-12


def calibration_slope(positive: Cases, probabilities: Scores, clusters: Clusters | None = None) -> Estimate:
    """Return the slope of the logit of the outcome on the logit of its probability: 1, or less where these are too extreme.

    None where all probabilities are equal or there is one outcome alone; flagged `separated` where a probability tells
    the outcomes apart without a fault, so that no slope is steep enough.
    """
    logits = _logits(probabilities)
    if positive.all() or not positive.any() or np.ptp(logits) == 0:
        return UNDEFINED
    with_finding, without = logits[positive], logits[~positive]
    if with_finding.min() >= without.max() or with_finding.max() <= without.min():
        return Estimate(None, flag="separated")
    design = np.stack([np.ones(len(logits)), logits], axis=1)
    return _fit(design, np.zeros(len(logits)), positive, clusters)


def calibration_intercept(positive: Cases, probabilities: Scores, clusters: Clusters | None = None) -> Estimate:
    """Return the calibration in the large: what is added to every logit so that as many cases are expected as there are.

    0, or less where the probabilities are too high; the slope is held at 1 (an offset).
    """
    if positive.all() or not positive.any():
        return UNDEFINED
    return _fit(np.ones((len(positive), 1)), _logits(probabilities), positive, clusters)


def observed_expected(positive: Cases, probabilities: Scores, clusters: Clusters | None = None) -> Estimate:
    """Return the number of positive cases over the sum of their probabilities, with an interval on its logarithm."""
    if not positive.any():
        return UNDEFINED
    sums = _by_patient(
        np.stack([positive.astype(np.float64), np.asarray(probabilities, dtype=np.float64)], 1), clusters
    )

    def ratio(drawn: Floats) -> dict[str, Floats]:
        with np.errstate(divide="ignore"):
            return {"ratio": np.log(drawn[:, 0]) - np.log(drawn[:, 1])}

    value, low, high, flag = jackknife(ratio, sums)["ratio"]
    exponents = [None if bound is None else math.exp(bound) for bound in (value, low, high)]
    return Estimate(exponents[0], exponents[1], exponents[2], flag)


def _logits(probabilities: Scores) -> Floats:
    values: Floats = np.asarray(probabilities, dtype=np.float64)
    logits: Floats = logarithm(values) - logarithm(1 - values)
    return logits


def _fit(design: Floats, offset: Floats, positive: Cases, clusters: Clusters | None) -> Estimate:
    """Return the last coefficient of a logistic regression (N, K) by Newton's method.

    Without a patient the coefficients move by one step of Newton's, which needs the patient's sums alone: the jackknife
    of a generalised linear model (CR3; Bell and McCaffrey, Surv Methodol 2002;28:169-181).
    """
    count = design.shape[1]
    coefficients = _coefficients(design, offset, positive)
    if coefficients is None:
        return UNDEFINED
    score, information = _sums(design, offset, positive, coefficients)
    sums = _by_patient(np.concatenate([score, information.reshape(len(score), -1)], axis=1), clusters)

    def after_a_step(drawn: Floats) -> dict[str, Floats]:
        matrices = drawn[:, count:].reshape(-1, count, count)
        steps = np.full((len(drawn), count), np.nan)
        sound = np.abs(np.linalg.det(matrices)) > 0
        steps[sound] = np.linalg.solve(matrices[sound], drawn[sound, :count, None])[..., 0]
        return {"last": coefficients[-1] + steps[:, -1]}

    return jackknife(after_a_step, sums)["last"]


def _coefficients(design: Floats, offset: Floats, positive: Cases) -> Floats | None:
    """Return the most likely coefficients (K,), or None where probabilities of 0 and 1 leave none to be found.

    No step changes a logit by more than `_LONGEST` or makes the outcomes less likely: without that, Newton's method
    leaves probabilities near 0 or 1 for where the information is 0.
    """
    coefficients = np.zeros(design.shape[1])
    likelihood = _likelihood(design, offset, positive, coefficients)
    for _ in range(_STEPS):
        score, information = _sums(design, offset, positive, coefficients)
        step = np.linalg.lstsq(information.sum(axis=0), score.sum(axis=0))[0]
        step *= min(1.0, _LONGEST / max(float(np.abs(design @ step).max()), _CONVERGED))
        reached = _likelihood(design, offset, positive, coefficients + step)
        while reached < likelihood - _ROUNDING * abs(likelihood) and np.abs(step).max() >= _CONVERGED:
            step /= 2
            reached = _likelihood(design, offset, positive, coefficients + step)
        coefficients, likelihood = coefficients + step, reached
        if np.abs(step).max() < _CONVERGED:
            break
    score, information = _sums(design, offset, positive, coefficients)
    singular = np.linalg.matrix_rank(information.sum(axis=0), hermitian=True) < len(coefficients)
    return None if singular or np.abs(score.sum(axis=0)).max() > _BALANCED else coefficients


def _likelihood(design: Floats, offset: Floats, positive: Cases, coefficients: Floats) -> float:
    """Return the logarithm of the likelihood of the outcomes."""
    logits = design @ coefficients + offset
    return -float(np.logaddexp(0, np.where(positive, -logits, logits)).sum())


def _sums(design: Floats, offset: Floats, positive: Cases, coefficients: Floats) -> tuple[Floats, Floats]:
    """Return what each case adds to the score (N, K) and to the information (N, K, K)."""
    expected = special.expit(design @ coefficients + offset)
    score: Floats = design * (positive - expected)[:, None]
    information: Floats = design[:, :, None] * design[:, None, :] * (expected * (1 - expected))[:, None, None]
    return score, information


def _by_patient(rows: Floats, clusters: Clusters | None) -> Floats:
    if clusters is None:
        return rows
    return np.stack([np.bincount(clusters, weights=column) for column in rows.T], axis=1)
