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


def judge_units(
    rule: UnitRule, images: UnitImages, class_names: Sequence[str], *, ordered: bool = False, seed: int = 0
) -> tuple[UnitEvidence, list[JudgedUnit]]:
    """Return what images show of a model unit by unit, and each unit; intervals rest on whole patients."""
    numbers = number_clusters(images.units)
    first = first_of_each(numbers)
    target = list(class_names).index(rule.pooling.class_name)
    labels, mixed = labels_of_units(np.asarray(images.labels, dtype=np.int64), numbers, len(class_names), target)
    pooled = pool_images(rule.pooling, images.probabilities, numbers, class_names, images.attention)
    novelty = None if images.novelty is None else largest_of_each(images.novelty, numbers)
    patients = [images.patients[place] for place in first]
    found = gather_evidence(
        labels,
        pooled.probabilities,
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
        images=len(numbers),
        several=int((np.bincount(numbers) > 1).sum()),
        mixed=int(mixed.sum()),
        evidence=found.model_copy(update={"patients": len(set(patients))}),
    )
    scores = calibrate(rule.decision.calibration, pooled.probabilities)
    hashes = [sha256_of(file) for file in images.files]
    members: list[dict[str, float]] = [{} for _ in first]
    for place, unit in enumerate(numbers.tolist()):
        members[unit][hashes[place]] = round(float(pooled.weights[place]), 6)
    judged = [
        JudgedUnit(
            name_sha256=sha256_of(images.units[place]),
            patient_sha256=sha256_of(patients[unit]),
            label=class_names[int(labels[unit])],
            probabilities=[float(value) for value in scores[unit]],
            novelty=None if novelty is None else float(novelty[unit]),
            images=members[unit],
        )
        for unit, place in enumerate(first)
    ]
    return evidence, judged
