"""Calibration: from a network's probabilities to ones that can be taken at their word.

A sampler that draws each class equally often, or class weights, teach the network another prior than that of the
cases. The prior is put right first, then a temperature is fitted on validation cases in their natural proportions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from breastai.clinical.apply_decision_rule import logarithm
from breastai.domain.decision_rule import Calibration

Labels = npt.NDArray[np.integer[Any]]
Probabilities = npt.NDArray[np.floating[Any]]
Floats = npt.NDArray[np.float64]

_SMALLEST_LOG_TEMPERATURE, _LARGEST_LOG_TEMPERATURE = np.log(0.05), np.log(20.0)
_LARGEST_STRENGTH = 5.0
_LARGEST_SHIFT = 20.0


def fit_calibration(
    labels: Labels, probabilities: Probabilities, training_prior: Sequence[float] | None = None
) -> Calibration:
    """Return the calibration for raw `probabilities` (N, C) of validation cases in their natural proportions.

    `training_prior`: how often the network met each class in training, as shares or as counts; None when it met them
    in the natural proportions. The natural prior is that of `labels`, each class counted once more than it occurs.

    The temperature (Guo et al., ICML 2017) and the strength of the correction of the prior are those of least loss.
    The strength is 1 for a network that obeys the training prior, 0 for one that learnt its training cases by
    heart, and more than 1 for an overconfident one, whose logits the temperature shrinks and the correction with
    them. Weak priors, worth less than a case, keep both near 1 where the cases do not say otherwise: cases all
    decided rightly would ask for a temperature of 0.
    """
    if len(labels) == 0:
        return Calibration()
    full_shift = np.zeros(probabilities.shape[1])
    if training_prior is not None:
        full_shift += prior_shift(training_prior, np.bincount(labels, minlength=probabilities.shape[1]) + 1.0)
    logarithms = logarithm(probabilities)

    def loss(parameters: Floats) -> float:
        log_temperature, strength = parameters
        scaled = special.log_softmax((logarithms + strength * full_shift) / np.exp(log_temperature), axis=1)
        weak_priors = (log_temperature**2 + (strength - 1) ** 2) / 2
        return float(-scaled[np.arange(len(labels)), labels].sum() + weak_priors)

    bounds = [(_SMALLEST_LOG_TEMPERATURE, _LARGEST_LOG_TEMPERATURE), (0.0, _LARGEST_STRENGTH)]
    found = optimize.minimize(loss, (0.0, 1.0), method="L-BFGS-B", bounds=bounds)
    log_temperature, strength = found.x
    shift = () if training_prior is None else tuple((strength * full_shift).tolist())
    return Calibration(temperature=float(np.exp(log_temperature)), prior_shift=shift)


def fit_pooled_calibration(
    labels: Labels, pooled: Probabilities, training_prior: Sequence[float] | None = None
) -> Calibration:
    """Return the calibration for `pooled` raw probabilities (K, C) of breasts, exams or patients: a temperature and a shift.

    Pooling moves probabilities as well as stretching them: the largest of four is rarely small. So each class has a
    shift of its own (bias-corrected temperature scaling; Alexandari et al., ICML 2020), drawn towards the correction of
    the prior as weakly as the temperature is towards 1.
    """
    return _fit_pooled(labels, pooled, training_prior)[0]


def pooled_loss(labels: Labels, pooled: Probabilities, training_prior: Sequence[float] | None = None) -> float:
    """Return the loss that `fit_pooled_calibration` leaves, its weak priors included."""
    return _fit_pooled(labels, pooled, training_prior)[1]


def _fit_pooled(
    labels: Labels, pooled: Probabilities, training_prior: Sequence[float] | None
) -> tuple[Calibration, float]:
    classes = pooled.shape[1]
    expected = np.zeros(classes)
    if training_prior is not None:
        expected += prior_shift(training_prior, np.bincount(labels, minlength=classes) + 1.0)
    logarithms = logarithm(pooled)

    def loss(parameters: Floats) -> float:
        log_temperature, shift = parameters[0], parameters[1:]
        scaled = special.log_softmax((logarithms + shift) / np.exp(log_temperature), axis=1)
        weak_priors = (log_temperature**2 + ((shift - expected) ** 2).sum()) / 2
        return float(-scaled[np.arange(len(labels)), labels].sum() + weak_priors)

    bounds = [(_SMALLEST_LOG_TEMPERATURE, _LARGEST_LOG_TEMPERATURE), *[(-_LARGEST_SHIFT, _LARGEST_SHIFT)] * classes]
    found = optimize.minimize(loss, np.append(0.0, expected), method="L-BFGS-B", bounds=bounds)
    calibration = Calibration(temperature=float(np.exp(found.x[0])), prior_shift=tuple(found.x[1:].tolist()))
    return calibration, float(found.fun)


def prior_shift(
    training: Sequence[float] | Probabilities, natural: Sequence[float] | Probabilities
) -> tuple[float, ...]:
    """Return log(natural / training) for each class, both as shares or as counts.

    Added to the logarithms of the probabilities it moves them to the natural prior (Saerens, Latinne and Decaestecker,
    Neural Comput 2002;14:21-41). A class that training never showed can't be corrected and keeps its place.
    """
    before, after = np.asarray(training, dtype=np.float64), np.asarray(natural, dtype=np.float64)
    if before.shape != after.shape or (before < 0).any() or (after <= 0).any() or before.sum() <= 0:
        raise ValueError("expected two priors of the same classes, the natural one above 0")
    before, after = before / before.sum(), after / after.sum()
    ratio = np.divide(after, before, out=np.ones_like(after), where=before > 0)
    return tuple(np.log(ratio).tolist())
