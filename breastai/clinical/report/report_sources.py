"""Where the document of a report comes from: the records of a run, or of another model's predictions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

from pydantic_core import to_jsonable_python

import breastai
from breastai.clinical.report.report_adaptation import adapted_model, training_run
from breastai.clinical.report.report_document import (
    AuditSummary,
    Crosstab,
    Flow,
    PerHundred,
    ReportDocument,
    WorstCase,
)
from breastai.clinical.subgroup_evidence import tests_of
from breastai.clinical.worst_errors import wrong_answers
from breastai.domain.comparison_record import ComparisonRecord
from breastai.domain.dataset_description import CorrectionCounts
from breastai.domain.errors import CheckpointNotFound, EvaluationNotFound, NoEvaluation
from breastai.domain.events import AuditDone, DataLoaded, Event, ModelLoaded, TrainingComplete, TrainingUpdate
from breastai.domain.reader_records import ReaderStudyRecord
from breastai.domain.records import EvaluationRecord, Evidence, Figure, UnitEvidence
from breastai.domain.text import Text
from breastai.storage.checkpoints import Manifest, find_checkpoint, read_manifest
from breastai.storage.comparisons import read_comparisons
from breastai.storage.evaluations import (
    PREDICTIONS,
    find_evaluation,
    find_predictions,
    fingerprint,
    latest_sites,
    read_evaluations,
)
from breastai.storage.journal import read_events
from breastai.storage.workspace import Workspace
from breastai.texts.renderer import render

WORST_CASES = 12
_MOST_COMPARISONS = 3


class _OfRecord(TypedDict):
    """The fields of a document that the record of an evaluation fills, whatever was judged."""

    notice: str
    created: str
    breastai: str
    language: str
    evaluation: dict[str, Any] | None
    evidence: Evidence | None
    by_unit: UnitEvidence | None
    per_hundred: PerHundred | None
    crosstab: Crosstab | None
    subgroup_tests: int
    worst: list[WorstCase]


def gather(
    workspace: Workspace, run_id: str, language: str, evaluation: str | None = None
) -> tuple[ReportDocument, EvaluationRecord | None]:
    """Return the document of a run, or of `predictions`, and the evaluation it rests on.

    The evaluation is the one named, else the latest on test images, else the latest of any. Raises RunNotFound,
    NoEvaluation or EvaluationNotFound.
    """
    if run_id == PREDICTIONS:
        return _of_predictions(workspace, language, evaluation or latest_predictions(workspace))
    workspace.existing_model(run_id)
    try:
        manifest = read_manifest(find_checkpoint(workspace, f"{run_id}/best"))
    except CheckpointNotFound:
        raise NoEvaluation(run_id) from None
    origin = training_run(workspace, manifest)
    events = [] if origin is None else list(read_events(workspace.journal_file(origin)))
    records = [record for _, record in read_evaluations(workspace, run_id)]
    record = _latest(records) if evaluation is None else find_evaluation(workspace, run_id, evaluation)[1]
    compared = [each for _, each in read_comparisons(workspace)]
    document = ReportDocument(
        **_of_record(record, language),
        run_id=run_id,
        model=_model(manifest, events),
        adapted=adapted_model(manifest, origin, record),
        flow=_flow(manifest, events, record),
        patients=_last(events, DataLoaded, "patients"),
        split={
            "description": to_jsonable_python(manifest.split.description),
            "on_leak": _last(events, DataLoaded, "on_leak") or "continue",
            "groups": _last(events, DataLoaded, "groups") or 0,
            "shared_patients": _shared_patients(events),
            "shared_groups": _last(events, DataLoaded, "shared_groups") or {},
            "seed": manifest.config.system.seed,
        },
        fingerprints=_fingerprints(manifest, record),
        audit=_audit(events),
        training=_training(manifest, events),
        validation={name: value for name, value in manifest.metrics.items() if not isinstance(value, dict | list)},
        decision=to_jsonable_python(manifest.decision),
        openings=[
            {
                "data": each.data,
                "split": each.split,
                "created": each.created,
                "n": each.evidence.n,
                "opened": each.opened,
            }
            for each in records
        ],
        settings=manifest.config.model_dump(mode="json", exclude={"server"}),
        versions=manifest.versions,
        sites=latest_sites(workspace, run_id),
        comparisons=_comparisons(compared, run_id),
        readers=_readers(compared, run_id),
    )
    return document, record


def without_folders(settings: dict[str, Any], workspace: Workspace) -> dict[str, Any]:
    """Return settings in which a path that leads out of the workspace keeps its last name: folders tell of people."""

    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shown(each) for name, each in value.items()}
        if isinstance(value, str) and Path(value).is_absolute():
            path = Path(value)
            return workspace.relative(path) if path.is_relative_to(workspace.root) else path.name
        return value

    return {name: shown(value) for name, value in settings.items()}


def _latest(records: list[EvaluationRecord]) -> EvaluationRecord | None:
    """Return the latest record on test images, else the latest of any.

    Sites elsewhere have tables of their own; the report rests on images with the model's classes.
    """
    plain = [record for record in records if record.class_match is None or record.class_match.is_plain] or records
    on_test = [record for record in plain if record.split == "test"]
    candidates = on_test or plain
    return candidates[-1] if candidates else None


def latest_predictions(workspace: Workspace) -> str:
    """Return the name of the latest evaluation of another model's predictions; raise EvaluationNotFound."""
    found = [(record.created, path.stem) for path, record in read_evaluations(workspace, PREDICTIONS)]
    if not found:
        raise EvaluationNotFound(PREDICTIONS, "-")
    return max(found)[1]


def _of_predictions(workspace: Workspace, language: str, name: str) -> tuple[ReportDocument, EvaluationRecord]:
    """Return the document of another model's predictions, of which nothing but the cases is known."""
    record = find_predictions(workspace, name)
    document = ReportDocument(
        **_of_record(record, language),
        run_id=PREDICTIONS,
        model={"checkpoint": record.checkpoint, "class_names": record.evidence.class_names},
        patients=record.evidence.patients,
    )
    return document, record


def _of_record(record: EvaluationRecord | None, language: str) -> _OfRecord:
    evidence = record.evidence if record else None
    return {
        "notice": render(Text("page.research_use"), language),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "breastai": breastai.__version__,
        "language": language,
        "evaluation": record.model_dump(mode="json", exclude={"evidence", "cases", "by_unit", "units"})
        if record
        else None,
        "evidence": evidence,
        "by_unit": record.by_unit if record else None,
        "per_hundred": _per_hundred(evidence),
        "crosstab": _crosstab(evidence),
        "subgroup_tests": len(tests_of(evidence.subgroups)) if evidence else 0,
        "worst": _worst(record),
    }


def _comparisons(kept: Sequence[object], run_id: str) -> list[ComparisonRecord]:
    """Return the comparisons of two models in which a checkpoint of the run took part, the latest first."""
    return [
        record
        for record in kept
        if isinstance(record, ComparisonRecord)
        and run_id in (record.first.partition("/")[0], record.second.partition("/")[0])
    ][:_MOST_COMPARISONS]


def _readers(kept: Sequence[object], run_id: str) -> list[ReaderStudyRecord]:
    """Return the studies in which readers were compared with a checkpoint of the run, the latest first."""
    return [
        record
        for record in kept
        if isinstance(record, ReaderStudyRecord) and (record.model or "").partition("/")[0] == run_id
    ][:_MOST_COMPARISONS]


def _last(events: list[Event], kind: type[Event], field: str) -> Any:
    found = [event for event in events if isinstance(event, kind)]
    return getattr(found[-1], field) if found else None


def _shared_patients(events: list[Event]) -> dict[str, int]:
    """Return how many patients of each part train the model too: as it was told, else as the audit found it."""
    told: dict[str, int] | None = _last(events, DataLoaded, "shared_patients")
    if told is not None:
        return told
    findings = _last(events, AuditDone, "findings") or []
    across = [each.params for each in findings if each.code == "patients.across_splits"]
    return {params["split"]: params["count"] for params in across if params["other"] == "train"}


def _model(manifest: Manifest, events: list[Event]) -> dict[str, Any]:
    return {
        "checkpoint": f"{manifest.run_id}/{manifest.kind}",
        "sha256": manifest.sha256,
        "created": manifest.created,
        "architecture": manifest.architecture,
        "pretrained": manifest.pretrained,
        "weights": None if manifest.weights is None else manifest.weights.model_dump(mode="json"),
        "parameters": _last(events, ModelLoaded, "parameters"),
        "dtype": _last(events, ModelLoaded, "dtype"),
        "device": _last(events, ModelLoaded, "device"),
        "image_size": manifest.image_size,
        "class_names": manifest.class_names,
        "epoch": manifest.epoch,
    }


def _flow(manifest: Manifest, events: list[Event], record: EvaluationRecord | None) -> Flow:
    loaded = [event for event in events if isinstance(event, DataLoaded)]
    train, val = (loaded[-1].train, loaded[-1].val) if loaded else ({}, {})
    skipped = loaded[-1].skipped if loaded else 0
    excluded = loaded[-1].excluded if loaded else {}
    train_total = sum(train.values()) or len(manifest.split.train)
    val_total = sum(val.values()) or len(manifest.split.val)
    calibration = loaded[-1].calibration if loaded else {}
    calibration_total = len(manifest.split.calibration_sha256)
    patients = (loaded[-1].patients_by_part if loaded else None) or {}
    tested = record is not None and _is_own_test(record)
    described = () if manifest.split.dataset is None else manifest.split.dataset.left_out
    # The images that a person left out are among the files passed over, those of the test part too.
    skipped = max(0, skipped - len(described))
    if by_hand := sum(item.part != "test" for item in described):
        excluded = {**excluded, "by_hand": by_hand}
    return Flow(
        found=train_total + val_total + calibration_total + skipped + sum(excluded.values()),
        skipped=skipped,
        left_out=excluded,
        train=train,
        val=val,
        train_total=train_total,
        val_total=val_total,
        calibration=calibration,
        calibration_total=calibration_total,
        calibration_patients=patients.get("calibration"),
        masks=loaded[-1].masks if loaded else 0,
        train_patients=patients.get("train"),
        val_patients=patients.get("val"),
        test_patients=record.evidence.patients if record and tested else None,
        test_total=record.evidence.n if record and tested else None,
        test_skipped=max(0, record.skipped - len(described)) if record and tested else None,
        corrections=CorrectionCounts() if manifest.split.dataset is None else manifest.split.dataset.corrections(),
    )


def _is_own_test(record: EvaluationRecord) -> bool:
    """Say whether the run's own test images were judged, and not a test part from elsewhere; older records don't tell."""
    return (record.split if record.used_for is None else record.used_for.figures) == "test"


def _fingerprints(manifest: Manifest, record: EvaluationRecord | None) -> dict[str, str]:
    found = {
        "train": fingerprint(manifest.split.train_sha256),
        "val": fingerprint(manifest.split.val_sha256),
        "weights": manifest.sha256,
    }
    if manifest.adapted_from is not None:
        found |= {"base": manifest.adapted_from.sha256, "sample": fingerprint(manifest.adapted_from.sample.sha256)}
    if manifest.split.calibration_sha256:
        found["calibration"] = fingerprint(manifest.split.calibration_sha256)
    return found | ({"evaluated": record.fingerprint} if record and record.fingerprint else {})


def _audit(events: list[Event]) -> AuditSummary | None:
    audits = [event for event in events if isinstance(event, AuditDone)]
    if not audits:
        return None
    last = audits[-1]
    return AuditSummary(
        images=last.images,
        groups=last.groups_total,
        contradicting=_of_all(last.groups_contradicting, [group.contradicts for group in last.groups]),
        across=_of_all(last.groups_crossing, [group.crosses for group in last.groups]),
        # Names of files may tell of patients: counts are enough.
        findings=[finding.model_copy(update={"files": []}) for finding in last.findings],
    )


def _of_all(number: int | None, listed: Sequence[bool]) -> int:
    """Return the number of all groups; journals of before tell of those listed alone."""
    return sum(listed) if number is None else number


def _training(manifest: Manifest, events: list[Event]) -> dict[str, Any]:
    updates = {event.epoch: event for event in events if isinstance(event, TrainingUpdate)}
    complete = [event for event in events if isinstance(event, TrainingComplete)]
    return {
        "epochs_planned": manifest.config.training.epochs,
        "epochs_run": len(updates) if events else None,
        "best_epoch": manifest.epoch,
        "stopped_early": complete[-1].stopped_early if complete else None,
        "complete": bool(complete),
        "duration_s": round(sum(update.epoch_s for update in updates.values()), 1) if events else None,
        "monitor": manifest.config.training.early_stopping.monitor,
        "train_loss": [updates[epoch].metrics.get("train_loss") for epoch in sorted(updates)],
        "val_loss": [updates[epoch].metrics.get("val_loss") for epoch in sorted(updates)],
        "epoch": sorted(updates),
    }


def _per_hundred(evidence: Evidence | None) -> PerHundred | None:
    point = evidence.operating_point if evidence else None
    if point is None:
        return None
    missed, called = point.figures["sensitivity"], point.figures["specificity"]
    if missed.value is None or called.value is None:
        return None
    low, high = _complement(missed)
    called_low, called_high = _complement(called)
    return PerHundred(
        missed=round(100 * (1 - missed.value)),
        missed_low=low,
        missed_high=high,
        called=round(100 * (1 - called.value)),
        called_low=called_low,
        called_high=called_high,
    )


def _crosstab(evidence: Evidence | None) -> Crosstab | None:
    point = evidence.operating_point if evidence else None
    if point is None:
        return None
    hits, cleared = point.positives - point.missed, point.negatives - point.called
    return Crosstab(hits=hits, alarms=point.called, missed=point.missed, cleared=cleared)


def _complement(figure: Figure) -> tuple[int | None, int | None]:
    if figure.low is None or figure.high is None:
        return None, None
    return round(100 * (1 - figure.high)), round(100 * (1 - figure.low))


def _worst(record: EvaluationRecord | None) -> list[WorstCase]:
    """Return the wrong answers, those that gave the truth the least probability first."""
    if record is None:
        return []
    return [
        WorstCase(
            number=number,
            name_sha256=record.cases[number].name_sha256,
            label=case.label,
            predicted=case.predicted,
            probability=case.probability,
            given_to_truth=case.given_to_truth,
        )
        for number, case in wrong_answers(record)[:WORST_CASES]
    ]
