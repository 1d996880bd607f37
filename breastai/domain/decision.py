"""From raw probabilities to a decision: calibration, operating point, conformal sets, as a checkpoint keeps them.

Fitted on validation cases by `clinical`; applied by whatever answers, hence numpy alone.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from breastai.domain.events import Figure

Probabilities = npt.NDArray[np.floating[Any]]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# A probability of 0 would be beyond any correction; float32 networks give no smaller ones worth the name.
SMALLEST_PROBABILITY = 1e-12

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class Calibration:
    """What turns raw probabilities p into softmax((log p + prior_shift) / temperature).

    `prior_shift` has one entry for each class. The temperature comes last and changes no argmax.
    """

    temperature: float = 1.0
    prior_shift: tuple[float, ...] = ()

    def apply(self, probabilities: Probabilities) -> Floats:
        """Return the calibrated probabilities, (N, C) like those given."""
        scaled = (logarithm(probabilities) + self.shift) / self.temperature
        exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
        calibrated: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
        return calibrated

    @property
    def shift(self) -> Floats:
        """The prior's correction, (C,), or a zero for all classes."""
        return np.array(self.prior_shift) if self.prior_shift else np.zeros(1)


@dataclass(frozen=True, config=_STRICT)
class OperatingPoint:
    """From `threshold` upwards the probability of `class_name` means that it is called.

    `positives`: the validation cases it rests on. With fewer than `positives_needed` no threshold can promise the
    target; then `reached` is False and the threshold is the lowest score of a positive case.
    """

    class_name: str
    threshold: float
    target_sensitivity: float
    positives: int
    positives_needed: int
    sensitivity: Figure
    specificity: Figure

    @property
    def reached(self) -> bool:
        return self.positives >= self.positives_needed


@dataclass(frozen=True, config=_STRICT)
class ConformalSets:
    """A case's set holds each class whose probability is at least the class's `thresholds` entry.

    Over new cases like those it was fitted on, the true class is outside the set in at most a share of `error_rate`:
    within each class when `by_class`, else on average. A threshold of 0 means too few cases to exclude that class.
    """

    error_rate: float
    thresholds: tuple[float, ...]
    by_class: bool

    def sets(self, probabilities: Probabilities) -> Mask:
        """Return which classes are in the set of each case, shape (N, C)."""
        # Probabilities that went through float32 and back may miss their own threshold by a rounding error.
        members: Mask = probabilities >= np.array(self.thresholds) - 1e-9
        return members

    def referred(self, probabilities: Probabilities) -> Mask:
        """Return the cases to refer, shape (N,): those whose set does not hold exactly one class."""
        sizes: Mask = self.sets(probabilities).sum(axis=1) != 1
        return sizes


@dataclass(frozen=True, config=_STRICT)
class DecisionRule:
    """All of it. `n`: the validation cases it was fitted on, none of which may judge it."""

    calibration: Calibration = Calibration()
    operating_point: OperatingPoint | None = None
    conformal: ConformalSets | None = None
    n: int = 0


def logarithm(probabilities: Probabilities) -> Floats:
    """Return log p, a p of 0 taken for SMALLEST_PROBABILITY."""
    logarithms: Floats = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), SMALLEST_PROBABILITY, None))
    return logarithms
