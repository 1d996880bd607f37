"""Applying a decision rule: calibrated probabilities, the one answer, conformal sets, which cases to refer and why.

Numpy alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from breastai.domain.decision_rule import Calibration, ConformalSets, DecisionRule, NoveltyLimit

Probabilities = npt.NDArray[np.floating[Any]]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
RefersFor = Literal["modality", "unlike", "several_classes", "no_class", "answer_not_plausible"]

# A probability reaches a threshold though it is less by this share: PyTorch, ONNX Runtime and a page round a softmax in
# float32 each in its own way, by a share of the probability and not by an amount, and must decide alike.
_ROUNDING = 1e-6
# A probability of 0 would be beyond any correction; float32 networks give no smaller ones worth the name.
_SMALLEST_PROBABILITY = 1e-12


def calibrate(calibration: Calibration, probabilities: Probabilities) -> Floats:
    """Return the calibrated probabilities, (N, C) like those given."""
    scaled = (logarithm(probabilities) + shift(calibration)) / calibration.temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
    shares: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def reaches(probabilities: Probabilities, threshold: float | Floats) -> Mask:
    """Return which probabilities are at least `threshold`, whatever float32 rounds off: the only such comparison.

    Both have the same shape, or shapes that numpy broadcasts.
    """
    least = np.asarray(threshold, dtype=np.float64) * (1 - _ROUNDING)
    mask: Mask = np.asarray(probabilities, dtype=np.float64) >= least
    return mask


def shift(calibration: Calibration) -> Floats:
    """Return the prior's correction, (C,), or a zero for all classes."""
    return np.array(calibration.prior_shift) if calibration.prior_shift else np.zeros(1)


def conformal_sets(rule: ConformalSets, probabilities: Probabilities) -> Mask:
    """Return which classes are in the set of each case, shape (N, C)."""
    return reaches(probabilities, np.array(rule.thresholds))


def answers(rule: DecisionRule, probabilities: Probabilities, class_names: Sequence[str]) -> Numbers:
    """Return the one answer for each case, as class numbers (N,).

    The target class from its threshold on, below it the most probable of the other classes; without an operating point
    the most probable class.
    """
    positive = predict_positive(rule, probabilities, class_names)
    if positive is None or rule.operating_point is None:
        best: Numbers = probabilities.argmax(axis=1)
        return best
    target = list(class_names).index(rule.operating_point.class_name)
    others = np.array(probabilities, dtype=np.float64)
    others[:, target] = -np.inf
    numbers: Numbers = np.where(positive, target, others.argmax(axis=1))
    return numbers


def predict_positive(rule: DecisionRule, probabilities: Probabilities, class_names: Sequence[str]) -> Mask | None:
    """Return where the target class reaches its threshold, shape (N,); None without an operating point."""
    point = rule.operating_point
    if point is None or point.class_name not in class_names:
        return None
    return reaches(probabilities[:, list(class_names).index(point.class_name)], point.threshold)


def is_undecided(rule: DecisionRule, probabilities: Probabilities, class_names: Sequence[str]) -> Mask | None:
    """Return the cases whose set is not their answer and nothing else, shape (N,); None without conformal sets."""
    if rule.conformal is None:
        return None
    sets = conformal_sets(rule.conformal, probabilities)
    own = sets[np.arange(len(sets)), answers(rule, probabilities, class_names)]
    other: Mask = (sets.sum(axis=1) != 1) | ~own
    return other


def out_of_distribution(limit: NoveltyLimit, novelty: npt.NDArray[np.floating[Any]]) -> Mask:
    """Return the cases unlike the images the model was judged on, shape (N,); a novelty that is no number is one."""
    known: Mask = novelty <= limit.limit
    return ~known


def other_modality(rule: DecisionRule, modality: str | None) -> bool:
    """Return whether a DICOM header's modality is none of those the model learnt from; unknown ones say nothing."""
    return bool(rule.modalities) and modality is not None and modality not in rule.modalities


@dataclass(frozen=True)
class CaseDecision:
    """What a decision rule makes of one case. None: the rule has no such part.

    `answer`: the one answer; `predicted_positive`: whether the target class reaches its threshold; `plausible`: the conformal set.
    """

    answer: str
    predicted_positive: bool | None
    refer: bool | None
    plausible: tuple[str, ...] | None
    unlike: bool | None = None
    other_modality: bool = False

    @property
    def reason(self) -> RefersFor | None:
        """Why the case is referred; being of another kind comes first, for then the classes mean little."""
        if not self.refer:
            return None
        if self.other_modality:
            return "modality"
        if self.unlike:
            return "unlike"
        if not self.plausible:
            return "no_class"
        return "several_classes" if self.answer in self.plausible else "answer_not_plausible"


def decide(
    rule: DecisionRule,
    probabilities: Probabilities,
    class_names: Sequence[str],
    novelty: npt.NDArray[np.floating[Any]] | None = None,
    modalities: Sequence[str | None] | None = None,
) -> list[CaseDecision]:
    """Return a decision for each case, from calibrated probabilities (N, C) and, where they are known, novelty (N,) and
    the modality that its DICOM header names.
    """
    n = len(probabilities)
    nothing: list[None] = [None] * n
    answered = [class_names[number] for number in answers(rule, probabilities, class_names).tolist()]
    positive = predict_positive(rule, probabilities, class_names)
    unsure = is_undecided(rule, probabilities, class_names)
    strange = None if rule.novelty is None or novelty is None else out_of_distribution(rule.novelty, novelty)
    plausible: Sequence[tuple[str, ...] | None] = nothing
    if rule.conformal is not None:
        sets = conformal_sets(rule.conformal, probabilities)
        plausible = [tuple(name for name, inside in zip(class_names, row, strict=True) if inside) for row in sets]
    decisions = []
    for case in range(n):
        foreign = modalities is not None and other_modality(rule, modalities[case])
        reasons = [bool(mask[case]) for mask in (unsure, strange) if mask is not None] + ([True] if foreign else [])
        decisions.append(
            CaseDecision(
                answer=answered[case],
                predicted_positive=None if positive is None else bool(positive[case]),
                refer=any(reasons) if reasons else None,
                plausible=plausible[case],
                unlike=None if strange is None else bool(strange[case]),
                other_modality=foreign,
            )
        )
    return decisions


def logarithm(probabilities: Probabilities) -> Floats:
    """Return log p, a p of 0 taken for a very small one."""
    logarithms: Floats = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), _SMALLEST_PROBABILITY, None))
    return logarithms
