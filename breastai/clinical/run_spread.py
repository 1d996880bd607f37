"""How far figures spread over runs: mean, sample standard deviation, lowest and highest, and of folds an interval."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from scipy import special

from breastai.clinical.intervals import CONFIDENCE
from breastai.domain.study import Spread

# The least that a figure can be, where that is not 0.
_LEAST = {"cohen_kappa": -1.0}


def spread(runs: Sequence[Mapping[str, Any]], test_to_train: float | None = None) -> dict[str, Spread]:
    """Return the spread of each figure that is a number in every run; nothing for fewer than two runs.

    The figures of an epoch are at least 0, but for Cohen's kappa, and at most 1, but for losses.

    `test_to_train`: of folds, how many images are held out for each that trains; then the mean has an interval too.
    """
    found: dict[str, Spread] = {}
    for name in runs[0] if len(runs) > 1 else ():
        values = [run.get(name) for run in runs]
        numbers = [float(value) for value in values if isinstance(value, int | float)]
        if len(numbers) == len(runs):
            mean, deviation = statistics.fmean(numbers), statistics.stdev(numbers)
            half = None if test_to_train is None else corrected_half_width(deviation, len(numbers), test_to_train)
            found[name] = Spread(
                mean=mean,
                standard_deviation=deviation,
                low=min(numbers),
                high=max(numbers),
                n=len(numbers),
                interval_low=None if half is None else min(*numbers, max(_LEAST.get(name, 0.0), mean - half)),
                interval_high=None if half is None else max(max(numbers), min(1.0, mean + half)),
            )
    return found


def corrected_half_width(deviation: float, runs: int, test_to_train: float) -> float:
    """Return half the interval of the mean over folds, Student's with the corrected variance.

    Folds train on much the same images, so that their figures go together: the variance of the mean is that of one
    fold times 1 / runs + held out / training (Nadeau and Bengio, Mach Learn 2003;52:239-281).
    """
    quantile = float(special.stdtrit(runs - 1, 0.5 + CONFIDENCE / 2))
    return quantile * deviation * math.sqrt(1 / runs + test_to_train)
