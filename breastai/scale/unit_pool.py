"""Breasts, exams or patients that the folds of a cross-validation hold out, each decided by the rule of its own fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from breastai.clinical.evidence import gather_evidence
from breastai.clinical.intervals import number_clusters
from breastai.clinical.operating_point import metrics_at_threshold
from breastai.clinical.unit_evidence import UnitImages, judged_units, pool_units
from breastai.domain.config import Config
from breastai.domain.decision_rule import target_class
from breastai.domain.records import EvaluationRecord, Figure, JudgedUnit, UnitEvidence
from breastai.domain.unit_rule import UnitRule
from breastai.scale.fold_assignment import Folds
from breastai.storage.evaluations import sha256_of


@dataclass(frozen=True, eq=False)
class UnitPool:
    """P held-out units, calibrated; `thresholds` (P,) of their own folds; `mixed` (P,): whether of images of several classes."""

    units: list[JudgedUnit]
    thresholds: npt.NDArray[np.float64]
    mixed: npt.NDArray[np.bool_]

    def labels(self, class_names: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the class number of each, (P,)."""
        numbers = {name: number for number, name in enumerate(class_names)}
        return np.array([numbers[unit.label] for unit in self.units], dtype=np.int64)

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """The probabilities, (P, C)."""
        return np.array([unit.probabilities for unit in self.units], dtype=np.float64)

    @property
    def patients(self) -> list[str]:
        """Whose each is."""
        return [unit.patient_sha256 for unit in self.units]


def unit_pool(rule: UnitRule, images: UnitImages, class_names: Sequence[str]) -> UnitPool:
    """Return the units that a fold holds out, decided by its rule."""
    found = pool_units(rule, images, class_names)
    point = rule.decision.operating_point
    thresholds = np.full(len(found.labels), np.nan if point is None else point.threshold)
    return UnitPool(judged_units(found, images, class_names), thresholds, found.mixed)


def units_in(record: EvaluationRecord, number_of: Mapping[str, int], dealt: Folds) -> UnitPool | None:
    """Return the units of a fold's evaluation, named as they are before a record is salted; None where it has none.

    `number_of`: the image of each hash that the record may know it by.
    """
    if record.by_unit is None or dealt.units is None or not dealt.unit_names:
        return None
    label_of = {case.name_sha256: case.label for case in record.cases}
    point = record.by_unit.evidence.operating_point
    units = []
    for unit in record.units:
        places = {number_of[name]: share for name, share in unit.images.items()}
        first = next(iter(places))
        named = {
            "name_sha256": sha256_of(dealt.unit_names[first]),
            "patient_sha256": sha256_of(dealt.units[first]),
            "images": {sha256_of(dealt.files[place]): share for place, share in places.items()},
        }
        units.append(unit.model_copy(update=named))
    return UnitPool(
        units,
        np.full(len(record.units), np.nan if point is None else point.threshold),
        np.array([len({label_of[name] for name in unit.images}) > 1 for unit in record.units], dtype=bool),
    )


def join_unit_pools(pools: Sequence[UnitPool]) -> UnitPool:
    """Return the units of all folds."""
    return UnitPool(
        [unit for pool in pools for unit in pool.units],
        np.concatenate([pool.thresholds for pool in pools]),
        np.concatenate([pool.mixed for pool in pools]),
    )


def unit_evidence(pool: UnitPool, config: Config, dealt: Folds) -> UnitEvidence:
    """Return what the units of all folds show; intervals rest on whole patients, however often these are held out."""
    assert dealt.decision_unit is not None
    names = dealt.class_names
    found = gather_evidence(
        pool.labels(names),
        pool.probabilities,
        names,
        clusters=pool.patients,
        target=target_class(config, names),
        seed=config.system.seed,
    )
    images: dict[str, int] = {unit.name_sha256: len(unit.images) for unit in pool.units}
    mixed = {unit.name_sha256 for unit, several in zip(pool.units, pool.mixed, strict=True) if several}
    return UnitEvidence(
        unit=dealt.decision_unit,
        pooling=config.evaluation.pooling,
        units=len(images),
        images=sum(images.values()),
        several=sum(size > 1 for size in images.values()),
        mixed=len(mixed),
        evidence=found.model_copy(update={"patients": len(set(pool.patients)), "curves": {}, "coverage_error": {}}),
    )


def unit_figures(pool: UnitPool, class_names: Sequence[str], target: int) -> dict[str, Figure]:
    """Return the figures of the target class at the thresholds of the folds; none where a fold has none."""
    if np.isnan(pool.thresholds).any():
        return {}
    clusters = number_clusters(pool.patients)
    return metrics_at_threshold(
        pool.labels(class_names) == target, pool.probabilities[:, target], pool.thresholds, clusters
    )
