"""From raw probabilities to a decision: calibration, operating point, what is referred, as a checkpoint keeps them.

Fitted on validation cases, and applied, by `clinical`.
"""

import math
from collections.abc import Sequence
from typing import Literal

from breastai.domain.class_words import canonical_class, class_in_question, meaning_of
from breastai.domain.config import Config
from breastai.domain.errors import SeveralDiseases, TargetClassNeeded, TargetClassUnknown
from breastai.domain.events import Figure
from breastai.domain.records import PointSource, ReferralTradeOff, RulePart
from breastai.domain.stored import Stored


class Calibration(Stored):
    """What turns raw probabilities p into softmax((log p + prior_shift) / temperature).

    `prior_shift` has one entry for each class. The temperature comes last and changes no argmax.
    """

    temperature: float = 1.0
    prior_shift: tuple[float, ...] = ()


class OperatingPoint(Stored):
    """From `threshold` upwards the probability of `class_name` means that it is called.

    `positives`: the validation cases it rests on, counted by `unit`: patients where they are known, else groups of
    near-duplicates, else images. With fewer than `positives_needed` no threshold can promise the target; then
    `reached` is False and the threshold is the lowest score of a positive image.
    """

    class_name: str
    threshold: float
    target_sensitivity: float
    positives: int
    positives_needed: int
    sensitivity: Figure
    specificity: Figure
    unit: Literal["image", "group", "patient"] = "image"
    source: PointSource = "validation"

    @property
    def reached(self) -> bool:
        return self.positives >= self.positives_needed


class ConformalSets(Stored):
    """A case's set holds each class whose probability is at least the class's `thresholds` entry.

    Over new cases like those it was fitted on, the true class is outside the set in at most a share of `error_rate`:
    within each class when `by_class`, else on average. A threshold of 0 never excludes its class.
    """

    error_rate: float
    thresholds: tuple[float, ...]
    by_class: bool


class NoveltyLimit(Stored):
    """A case whose novelty lies above `limit` is unlike the images the model was judged on.

    `limit` is the `quantile` of `n` validation cases, each measured by a score fitted without it and its patient. The
    score's means and `components` directions lie beside the weights. `parts`: the limits of its two distances, of the
    features and of the image statistics, in units of which the larger one is the novelty; empty where the features
    decide alone, as in older checkpoints.
    """

    limit: float
    quantile: float
    components: int
    n: int
    parts: tuple[float, ...] = ()


class DecisionRule(Stored):
    """All of it. `n`: the validation cases it was fitted on, none of which may judge it.

    Without a `novelty` the model can't say which images are unlike those it was judged on. Without `conformal` sets it
    can't say which classes are plausible: `too_few` names the classes of which validation had too few cases.
    `modalities`: those that DICOM headers of the training images name; empty where none does.
    """

    calibration: Calibration = Calibration()
    operating_point: OperatingPoint | None = None
    conformal: ConformalSets | None = None
    novelty: NoveltyLimit | None = None
    n: int = 0
    trade_off: tuple[ReferralTradeOff, ...] = ()
    too_few: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    fitted_on: RulePart = "val"


def positives_needed(target_sensitivity: float) -> int:
    """Return the fewest positive cases, patients where known, that can promise the target: 19 for 0.95."""
    # The slack undoes the rounding of shares such as 1 - 0.95.
    return max(1, math.ceil(target_sensitivity / (1 - target_sensitivity) - 1e-9))


def cases_needed(error_rate: float) -> int:
    """Return the fewest cases of a class by which an `error_rate` can be promised for it.

    With n cases the threshold is the ceil((n + 1)(1 - error_rate))-th highest probability of the truth: there is one
    from n = ceil(1 / error_rate) - 1 on.
    """
    return math.ceil(1 / error_rate - 1e-9) - 1


def target_class(config: Config, class_names: Sequence[str]) -> str:
    """Return the class in question, for which the operating point is; raise TargetClassUnknown.

    Where neither the configuration nor a name tells it is the last class: a run begins without an answer only when it
    began before it was asked for one.
    """
    return _wished(config, class_names) or class_in_question(class_names).answer or class_names[-1]


def asked_target_class(config: Config, class_names: Sequence[str]) -> str:
    """Return the class in question; raise TargetClassUnknown, or TargetClassNeeded and SeveralDiseases to ask for it."""
    wished = _wished(config, class_names)
    if wished is not None:
        return wished
    question = class_in_question(class_names)
    if question.answer is not None:
        return question.answer
    example = question.candidates[-1]  # 1 rather than 0
    if len(question.candidates) < len(class_names) or any(meaning_of(name) == "disease" for name in class_names):
        raise SeveralDiseases(list(question.candidates), list(class_names), example)
    raise TargetClassNeeded(list(class_names), example)


def _wished(config: Config, class_names: Sequence[str]) -> str | None:
    """Return the class that the configuration names, however it is written; raise TargetClassUnknown."""
    wished = config.evaluation.target_class
    if wished is None:
        return None
    by_name = {canonical_class(name): name for name in class_names} | {name: name for name in class_names}
    found = by_name.get(wished, by_name.get(canonical_class(wished)))
    if found is None:
        raise TargetClassUnknown(wished, list(class_names))
    return found
