"""Applying a decision rule: calibrated probabilities, conformal sets, and which cases to refer and why. Numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from breastai.domain.decision import Calibration, ConformalSets, DecisionRule, NoveltyLimit

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


def unlike(limit: NoveltyLimit, novelty: npt.NDArray[np.floating[Any]]) -> Mask:
    """Return the cases unlike the images the model was judged on, shape (N,); a novelty that is no number is one."""
    known: Mask = novelty <= limit.limit
    return ~known


@dataclass(frozen=True)
class Verdict:
    """What a decision rule makes of one case. None: the rule has no such part."""

    called: bool | None
    refer: bool | None
    plausible: tuple[str, ...]
    unlike: bool | None = None

    @property
    def reason(self) -> Literal["unlike", "several_classes", "no_class"] | None:
        """Why the case is referred; being unlike comes first, for then the classes mean little."""
        if not self.refer:
            return None
        if self.unlike:
            return "unlike"
        return "several_classes" if self.plausible else "no_class"


def decide(
    rule: DecisionRule,
    probabilities: Probabilities,
    class_names: Sequence[str],
    novelty: npt.NDArray[np.floating[Any]] | None = None,
) -> list[Verdict]:
    """Return a verdict for each case, from calibrated probabilities (N, C) and, where the model gives it, novelty (N,)."""
    point, conformal = rule.operating_point, rule.conformal
    n = len(probabilities)
    called: list[bool | None] = [None] * n
    refer: list[bool | None] = [None] * n
    plausible: list[tuple[str, ...]] = [()] * n
    if point is not None and point.class_name in class_names:
        scores = probabilities[:, list(class_names).index(point.class_name)]
        # As in the sets: float32 and back must not cross the threshold.
        called = [bool(score >= point.threshold - 1e-9) for score in scores.tolist()]
    if conformal is not None:
        sets = conformal_sets(conformal, probabilities)
        refer = [bool(value) for value in referred(conformal, probabilities)]
        plausible = [tuple(name for name, inside in zip(class_names, row, strict=True) if inside) for row in sets]
    strange: list[bool | None] = [None] * n
    if rule.novelty is not None and novelty is not None:
        strange = [bool(value) for value in unlike(rule.novelty, novelty)]
        refer = [bool(uncertain) or bool(other) for uncertain, other in zip(refer, strange, strict=True)]
    return [Verdict(*parts) for parts in zip(called, refer, plausible, strange, strict=True)]


def logarithm(probabilities: Probabilities) -> Floats:
    """Return log p, a p of 0 taken for a very small one."""
    logarithms: Floats = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), _SMALLEST_PROBABILITY, None))
    return logarithms
