"""Evidence by breast, exam or patient: each unit one case, pooled from its images and decided by the rule of units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.apply_decision_rule import calibrate
from breastai.clinical.evidence import gather_evidence
from breastai.clinical.intervals import number_clusters
from breastai.clinical.unit_pooling import first_of_each, labels_of_units, largest_of_each, pool_images
from breastai.domain.records import JudgedUnit, UnitEvidence
from breastai.domain.unit_rule import UnitRule
from breastai.storage.evaluations import sha256_of

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UnitImages:
    """N judged images: `files`, `labels` (N,), raw `probabilities` (N, C), and the `units` and `patients` they are of."""

    files: Sequence[str]
    labels: npt.NDArray[np.integer[Any]]
    probabilities: npt.NDArray[np.floating[Any]]
    units: Sequence[str]
    patients: Sequence[str]
    attention: npt.NDArray[np.floating[Any]] | None = None
    novelty: Floats | None = None


@dataclass(frozen=True, eq=False)
class PooledUnits:
    """K units: `labels` (K,), raw and calibrated `probabilities` (K, C), `mixed` (K,): of images of several classes.

    `first` (K,): the place of each unit's first image; `numbers` (N,): the unit of each image; `weights` (N,): its share.
    """

    labels: npt.NDArray[np.int64]
    raw: Floats
    probabilities: Floats
    mixed: npt.NDArray[np.bool_]
    first: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    weights: Floats


def pool_units(rule: UnitRule, images: UnitImages, class_names: Sequence[str]) -> PooledUnits:
    """Return the units that images show, as the rule pools and calibrates them."""
    numbers = number_clusters(images.units)
    target = list(class_names).index(rule.pooling.class_name)
    labels, mixed = labels_of_units(np.asarray(images.labels, dtype=np.int64), numbers, len(class_names), target)
    pooled = pool_images(rule.pooling, images.probabilities, numbers, class_names, images.attention)
    scores = calibrate(rule.decision.calibration, pooled.probabilities)
    return PooledUnits(labels, pooled.probabilities, scores, mixed, first_of_each(numbers), numbers, pooled.weights)


def judge_units(
    rule: UnitRule, images: UnitImages, class_names: Sequence[str], *, ordered: bool = False, seed: int = 0
) -> tuple[UnitEvidence, list[JudgedUnit]]:
    """Return what images show of a model unit by unit, and each unit; intervals rest on whole patients."""
    pooled = pool_units(rule, images, class_names)
    labels, first, numbers = pooled.labels, pooled.first, pooled.numbers
    novelty = None if images.novelty is None else largest_of_each(images.novelty, numbers)
    patients = [images.patients[place] for place in first]
    found = gather_evidence(
        labels,
        pooled.raw,
        class_names,
        clusters=patients,
        target=rule.pooling.class_name,
        rule=rule.decision,
        novelty=novelty,
        ordered=ordered,
        seed=seed,
    )
    evidence = UnitEvidence(
        unit=rule.unit,
        pooling=rule.pooling.rule,
        sharpness=rule.pooling.sharpness,
        units=len(first),
        images=len(numbers),
        several=int((np.bincount(numbers) > 1).sum()),
        mixed=int(pooled.mixed.sum()),
        evidence=found.model_copy(update={"patients": len(set(patients))}),
    )
    return evidence, judged_units(pooled, images, class_names, novelty)


def judged_units(
    pooled: PooledUnits, images: UnitImages, class_names: Sequence[str], novelty: Floats | None = None
) -> list[JudgedUnit]:
    """Return units as a record keeps them: files, units and patients as hashes; `novelty` (K,)."""
    hashes = [sha256_of(file) for file in images.files]
    members: list[dict[str, float]] = [{} for _ in pooled.first]
    for place, unit in enumerate(pooled.numbers.tolist()):
        members[unit][hashes[place]] = round(float(pooled.weights[place]), 6)
    return [
        JudgedUnit(
            name_sha256=sha256_of(images.units[place]),
            patient_sha256=sha256_of(images.patients[place]),
            label=class_names[int(pooled.labels[unit])],
            probabilities=[float(value) for value in pooled.probabilities[unit]],
            novelty=None if novelty is None else float(novelty[unit]),
            images=members[unit],
        )
        for unit, place in enumerate(pooled.first.tolist())
    ]
