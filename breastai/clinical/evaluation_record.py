"""The record of an evaluation and its judged cases, made here and nowhere else, and the event that tells of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

import breastai
from breastai.clinical.evidence import thin_curve
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.class_match import ClassMatch
from breastai.domain.config import Config
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.events import Evaluation
from breastai.domain.records import (
    EvaluationRecord,
    Evidence,
    ImageUse,
    JudgedCase,
    JudgedUnit,
    Overlap,
    UnitEvidence,
    UsedFor,
)
from breastai.domain.text import Text
from breastai.storage.evaluations import sha256_of

PATIENTS_UNKNOWN = Text("note.patients_unknown")


def make_record(
    evidence: Evidence,
    cases: Sequence[JudgedCase],
    *,
    run_id: str,
    checkpoint: str,
    data: str,
    dataset: str | None = None,
    notes: Sequence[Text | str],
    checkpoint_sha256: str | None = None,
    split: str | None = None,
    fingerprint: str | None = None,
    opened: int | None = None,
    skipped: int = 0,
    uses: ImageUse | None = None,
    rests_on: UsedFor | None = None,
    overlap: Overlap | None = None,
    class_match: ClassMatch | None = None,
    by_unit: tuple[UnitEvidence, Sequence[JudgedUnit]] | None = None,
) -> EvaluationRecord:
    """Return the record of an evaluation that ends now, by this version; what each field means stands in records."""
    return EvaluationRecord(
        notice=RESEARCH_USE,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        breastai=breastai.__version__,
        run_id=run_id,
        checkpoint=checkpoint,
        checkpoint_sha256=checkpoint_sha256,
        data=data,
        dataset=dataset,
        split=split,
        fingerprint=fingerprint,
        opened=opened,
        skipped=skipped,
        uses=uses,
        used_for=rests_on,
        notes=list(notes),
        overlap=overlap,
        class_match=class_match,
        evidence=evidence,
        cases=list(cases),
        by_unit=None if by_unit is None else by_unit[0],
        units=[] if by_unit is None else list(by_unit[1]),
    )


def chosen_on(config: Config) -> str | None:
    """Return the part that chose a run's best epoch; None of a probe, which is fitted once."""
    return None if config.training.recipe == "probe" else "val"


def used_for(rule: DecisionRule, figures: str | None, weights: str = "train", epoch: str | None = "val") -> UsedFor:
    """Return which images each part of a model rests on; `figures`: the part judged, `own` where it is none of a split."""
    part = rule.fitted_on
    return UsedFor(
        weights=weights,
        epoch=epoch,
        temperature=part if rule.n else None,
        threshold=part if rule.operating_point else None,
        conformal_sets=part if rule.conformal else None,
        novelty=part if rule.novelty else None,
        figures=figures or "own",
    )


def make_cases(
    files: Sequence[str],
    labels: npt.NDArray[np.integer[Any]],
    probabilities: npt.NDArray[np.floating[Any]],
    class_names: Sequence[str],
    *,
    patients: Sequence[str] | None = None,
    novelty: npt.NDArray[np.floating[Any]] | None = None,
    subgroups: Mapping[str, Sequence[str]] | None = None,
) -> list[JudgedCase]:
    """Return N cases as a record keeps them: `labels` (N,), calibrated `probabilities` (N, C), `novelty` (N,).

    Files and patients are kept as hashes; `patients` and each column of `subgroups` have N entries.
    """
    return [
        JudgedCase(
            name_sha256=sha256_of(file),
            patient_sha256=None if patients is None else sha256_of(patients[number]),
            label=class_names[int(labels[number])],
            probabilities=[float(value) for value in probabilities[number]],
            novelty=None if novelty is None else float(novelty[number]),
            subgroups={column: values[number] for column, values in (subgroups or {}).items()},
        )
        for number, file in enumerate(files)
    ]


def evaluation_event(
    record: EvaluationRecord, path: str, data: str | None = None, skipped: Sequence[dict[str, Text | str]] = ()
) -> Evaluation:
    """Return the event that tells of an evaluation; `data` as the user knows it."""
    found: Evidence = record.evidence
    return Evaluation(
        checkpoint=record.checkpoint,
        data=data or record.data,
        dataset=record.dataset,
        split=record.split,
        n=found.n,
        patients=found.patients,
        by_patient=found.by_patient,
        uses=record.uses,
        used_for=record.used_for,
        class_names=found.class_names,
        counts=found.counts,
        figures=found.figures,
        confusion_matrix=found.confusion_matrix,
        skipped=list(skipped),
        notes=record.notes,
        operating_point=found.operating_point,
        target=found.target,
        prevalences=found.prevalences,
        predictive_values=found.predictive_values,
        roc={name: thin_curve(curves.roc) for name, curves in found.curves.items()},
        precision_recall={name: thin_curve(curves.precision_recall) for name, curves in found.curves.items()},
        decision={} if found.decision_curve is None else found.decision_curve[1],
        calibration=found.calibration,
        referral=found.referral,
        subgroups=found.subgroups,
        fingerprint=record.fingerprint,
        opened=record.opened,
        record=path,
        class_match=record.class_match,
        by_unit=None if record.by_unit is None else _short(record.by_unit),
    )


def _short(found: UnitEvidence) -> UnitEvidence:
    """Return evidence by unit without what only a record has room for."""
    left_out: dict[str, Any] = {"curves": {}, "coverage_error": {}, "subgroups": []}
    return found.model_copy(update={"evidence": found.evidence.model_copy(update=left_out)})
