"""Refer to a human for want of certainty: conformal sets, fitted."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.domain.decision import ConformalSets

Labels = npt.NDArray[np.integer[Any]]
Probabilities = npt.NDArray[np.floating[Any]]

ERROR_RATE = 0.1


def fit_conformal(
    labels: Labels, probabilities: Probabilities, error_rate: float = ERROR_RATE, *, by_class: bool = True
) -> ConformalSets:
    """Return split-conformal sets from validation cases not used to train (LAC: Sadinle et al., JASA 2019;114:223-234).

    `by_class` holds the promise for each class by itself (Vovk's Mondrian sets): an average one may be kept by the
    common class at the expense of the rare. Calibrate the probabilities first: the sets get smaller, the promise
    stays. The promise takes the cases to be exchangeable, so patients with many images loosen it.
    """
    if not 0 < error_rate < 1:
        raise ValueError("an error rate lies between 0 and 1")
    of_the_truth = np.asarray(probabilities, dtype=np.float64)[np.arange(len(labels)), labels]
    count = probabilities.shape[1]
    if by_class:
        thresholds = tuple(_threshold(of_the_truth[labels == index], error_rate) for index in range(count))
    else:
        thresholds = (_threshold(of_the_truth, error_rate),) * count
    return ConformalSets(error_rate, thresholds, by_class)


def _threshold(of_the_truth: npt.NDArray[np.float64], error_rate: float) -> float:
    """Return the ceil((n + 1)(1 - error_rate))-th highest probability of the true class; 0 when n is too small."""
    place = math.ceil((len(of_the_truth) + 1) * (1 - error_rate) - 1e-9)
    if place > len(of_the_truth):
        return 0.0
    return float(np.sort(of_the_truth)[::-1][place - 1])
