"""Applying a decision rule: calibrated probabilities, conformal sets, and which cases to refer. Numpy alone."""

from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.domain.decision import Calibration, ConformalSets

Probabilities = npt.NDArray[np.floating[Any]]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# A probability of 0 would be beyond any correction; float32 networks give no smaller ones worth the name.
_SMALLEST_PROBABILITY = 1e-12


def calibrated(calibration: Calibration, probabilities: Probabilities) -> Floats:
    """Return the calibrated probabilities, (N, C) like those given."""
    scaled = (logarithm(probabilities) + shift(calibration)) / calibration.temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
    shares: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def shift(calibration: Calibration) -> Floats:
    """Return the prior's correction, (C,), or a zero for all classes."""
    return np.array(calibration.prior_shift) if calibration.prior_shift else np.zeros(1)


def conformal_sets(rule: ConformalSets, probabilities: Probabilities) -> Mask:
    """Return which classes are in the set of each case, shape (N, C)."""
    # Probabilities that went through float32 and back may miss their own threshold by a rounding error.
    members: Mask = probabilities >= np.array(rule.thresholds) - 1e-9
    return members


def referred(rule: ConformalSets, probabilities: Probabilities) -> Mask:
    """Return the cases to refer, shape (N,): those whose set does not hold exactly one class."""
    sizes: Mask = conformal_sets(rule, probabilities).sum(axis=1) != 1
    return sizes


def logarithm(probabilities: Probabilities) -> Floats:
    """Return log p, a p of 0 taken for a very small one."""
    logarithms: Floats = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), _SMALLEST_PROBABILITY, None))
    return logarithms
