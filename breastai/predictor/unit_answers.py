"""The answers of breasts, exams or patients: pooled from those of their images, and decided by the rule of units."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.apply_decision_rule import CaseDecision, calibrate, decide
from breastai.clinical.unit_pooling import largest_of_each, pool_images
from breastai.data.patients.decision_units import FoundUnit, units_of_files
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.events import ImageShare, UnitPrediction
from breastai.domain.patient_settings import DecisionUnit
from breastai.domain.unit_rule import UnitRule
from breastai.predictor.model_output import Answer, join_outputs

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UnitAnswers:
    """K units from N images: calibrated `probabilities` (K, C), `decisions`, `novelty` (K,), and `weights` (N,) of the images.

    `modalities` (K,): what headers of each unit's images name, a foreign one first.
    """

    probabilities: Floats
    decisions: list[CaseDecision]
    novelty: Floats | None
    weights: Floats
    modalities: list[str | None]


def decide_units(
    rule: UnitRule,
    answer: Answer,
    units: npt.NDArray[np.int64],
    class_names: Sequence[str],
    modalities: Sequence[str | None] | None = None,
) -> UnitAnswers:
    """Return the answers of units, from the `evidence` of N images in `answer` and `units` (N,), numbers from 0 up.

    `modalities` (N,): what the headers of the images name; a foreign one among a unit's is the unit's.
    """
    if answer.evidence is None:
        raise ValueError("the model tells nothing of units")
    pooled = pool_images(rule.pooling, answer.evidence, units, class_names, answer.evidence)
    probabilities = calibrate(rule.decision.calibration, pooled.probabilities)
    novelty = None if answer.novelty is None else largest_of_each(np.asarray(answer.novelty, dtype=np.float64), units)
    known = _modality_of_each(rule, units, modalities or [None] * len(units))
    decisions = decide(rule.decision, probabilities, class_names, novelty, known)
    return UnitAnswers(probabilities, decisions, novelty, pooled.weights, known)


def decided_fields(
    rule: DecisionRule, decision: CaseDecision, probabilities: dict[str, float], novelty: float | None
) -> dict[str, Any]:
    """Return what an answer for an image, or for a unit, says of a decision: the fields that both events have."""
    point, limit = rule.operating_point, rule.novelty
    return {
        "label": max(probabilities, key=lambda name: probabilities[name]),
        "probabilities": probabilities,
        "target_class": point.class_name if point else None,
        "threshold": point.threshold if point else None,
        "called": decision.predicted_positive,
        "refer": decision.refer,
        "refer_reason": decision.reason,
        "decision": decision.answer,
        "plausible": list(decision.plausible or ()),
        "sets_offered": rule.conformal is not None,
        "novelty": novelty,
        "novelty_limit": limit.limit if limit and novelty is not None else None,
        "known_modalities": list(rule.modalities),
    }


class UnitCollector:
    """The answers for images as they come, and at the end those of the breasts, exams or patients that these show.

    `files`: all images to come; those of which neither name nor header tells the unit have none. `names`: how their owner
    calls files that lie under other names. Memory grows with the number of images by a few numbers for each.
    """

    def __init__(
        self,
        rule: UnitRule,
        class_names: Sequence[str],
        files: Sequence[Path],
        one_patient: bool = False,
        names: Mapping[Path, Path] | None = None,
    ) -> None:
        self._rule, self._class_names = rule, list(class_names)
        self._units = dict(zip(files, units_of_files(files, rule, one_patient, names), strict=True))
        self._read: dict[FoundUnit, list[_ReadImage]] = {}
        self._failed: dict[FoundUnit, int] = {}
        # The images answered of which neither name nor header tells the unit, as they are called.
        self.unknown: list[str] = []

    @property
    def unit(self) -> DecisionUnit:
        return self._rule.unit

    def add(self, file: Path, name: str, answer: Answer, modality: str | None) -> None:
        """Take the answer for one image, called `name`."""
        unit = self._units.get(file)
        if unit is None:
            self.unknown.append(name)
        elif answer.evidence is not None:
            self._read.setdefault(unit, []).append(_ReadImage(name, answer, modality))

    def fail(self, file: Path) -> None:
        """Take that an image can't be read."""
        unit = self._units.get(file)
        if unit is not None:
            self._failed[unit] = self._failed.get(unit, 0) + 1

    def answers(self, model: str | None = None) -> Iterator[UnitPrediction]:
        """Yield the answer of each unit, in the order of their first images."""
        numbers = {name: number for number, name in enumerate(dict.fromkeys(unit.patient for unit in self._read), 1)}
        for unit, images in self._read.items():
            whose = f"#{numbers[unit.patient]}" if unit.is_private or not unit.patient else unit.patient
            answer = self._answer(f"{whose} {unit.part}".strip(), images, model)
            yield answer.model_copy(update={"failed": self._failed.get(unit, 0)})

    def _answer(self, name: str, images: Sequence["_ReadImage"], model: str | None) -> UnitPrediction:
        together = join_outputs([image.answer for image in images])
        one = np.zeros(len(images), dtype=np.int64)
        found = decide_units(self._rule, together, one, self._class_names, [image.modality for image in images])
        named = dict(zip(self._class_names, found.probabilities[0].tolist(), strict=True))
        shares = [
            ImageShare(file=image.name, share=round(float(weight), 6))
            for image, weight in zip(images, found.weights, strict=True)
        ]
        novelty = None if found.novelty is None else float(found.novelty[0])
        return UnitPrediction(
            unit=self._rule.unit,
            name=name,
            model=model,
            pooling=self._rule.pooling.rule,
            images=sorted(shares, key=lambda each: -each.share),
            modality=found.modalities[0],
            **decided_fields(self._rule.decision, found.decisions[0], named, novelty),
        )


@dataclass(frozen=True, eq=False)
class _ReadImage:
    name: str
    answer: Answer
    modality: str | None


def _modality_of_each(
    rule: UnitRule, units: npt.NDArray[np.int64], modalities: Sequence[str | None]
) -> list[str | None]:
    found: list[str | None] = [None] * (int(units.max(initial=-1)) + 1)
    for unit, modality in zip(units.tolist(), modalities, strict=True):
        if modality is not None and (found[unit] is None or modality not in rule.decision.modalities):
            found[unit] = modality
    return found
