"""Jobs that need predictions alone and no network: their evaluation, and the comparison of two files of them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

import breastai
from breastai.clinical.evidence import compare, gather_evidence, thin_curve
from breastai.data.background import run_with_progress
from breastai.data.cases.predictions_table import Predictions, match_predictions, read_predictions
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.class_words import class_in_question
from breastai.domain.errors import TargetClassUnknown
from breastai.domain.events import Comparison, Evaluation, Event, ProgressUpdate
from breastai.domain.jobs import ComparePredictions, EvaluatePredictions
from breastai.domain.records import EvaluationRecord, Evidence, JudgedCase
from breastai.storage.evaluations import save_evaluation, sha256_of
from breastai.storage.workspace import Workspace

PATIENTS_UNKNOWN = "Patients are unknown: several images of one patient count as independent cases."
# Where the records of predictions lie, which belong to no run.
FOLDER = "predictions"


def evaluate_predictions(job: EvaluatePredictions, workspace: Workspace) -> Iterator[Event]:
    """Judge any model by a CSV of its predictions; raise PredictionsInvalid."""
    path = workspace.resolve(job.predictions)
    table = yield from run_with_progress(partial(read_predictions, path), _reading)
    target = _target(job.target_class, table.class_names)
    found = yield from run_with_progress(
        lambda progress: gather_evidence(
            table.labels,
            table.probabilities,
            table.class_names,
            table.patients,
            target=target,
            patient_score=job.patient_score,
            subgroups=table.subgroups,
            on_progress=progress,
        ),
        _computing,
    )
    yield ProgressUpdate(stage="evaluating", message="Saving the evidence")
    notes = ["The predictions are judged as they are: nothing is known of how the model was made, nor on what."]
    if table.patients is None:
        notes.append(PATIENTS_UNKNOWN)
    record = EvaluationRecord(
        notice=RESEARCH_USE,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        breastai=breastai.__version__,
        run_id=FOLDER,
        checkpoint=table.name,
        data=table.name,
        notes=notes,
        evidence=found,
        cases=judged_cases(table.files or [f"row {number}" for number in range(2, len(table) + 2)], table),
    )
    path = save_evaluation(workspace, record)
    yield evaluation_event(record, workspace.relative(path))


def _reading(done: int, total: int) -> Event:
    message = f"Reading predictions: {done} of {total}" if total else "Reading predictions"
    return ProgressUpdate(stage="evaluating", message=message, progress=done / total if total else None)


def _computing(done: int, total: int) -> Event:
    message = f"Computing results: {done} of {total} parts" if total else "Computing results"
    return ProgressUpdate(stage="evaluating", message=message, progress=done / total if total else None)


def _target(wished: str | None, class_names: Sequence[str]) -> str | None:
    """Return the class that makes a patient positive, None where neither the user nor a name tells."""
    if wished is None:
        return class_in_question(class_names).answer
    if wished not in class_names:
        raise TargetClassUnknown(wished, list(class_names))
    return wished


def compare_predictions(job: ComparePredictions, workspace: Workspace) -> Iterator[Event]:
    """Compare two files of predictions on the same cases; raise PredictionsInvalid."""
    first = yield from run_with_progress(partial(read_predictions, workspace.resolve(job.first)), _reading)
    second = yield from run_with_progress(partial(read_predictions, workspace.resolve(job.second)), _reading)
    second = match_predictions(first, second)
    figures = yield from run_with_progress(
        lambda progress: compare(
            first.labels,
            first.probabilities,
            second.probabilities,
            first.class_names,
            first.patients,
            on_progress=progress,
        ),
        _computing,
    )
    notes = [] if first.patients is not None else [PATIENTS_UNKNOWN]
    if first.files is None or second.files is None:
        notes.append("The tables are matched row by row, since they do not both have a column file.")
    yield Comparison(
        first=first.name,
        second=second.name,
        n=len(first),
        patients=None if first.patients is None else len(set(first.patients)),
        class_names=list(first.class_names),
        figures=figures,
        notes=notes,
    )


def judged_cases(files: Sequence[str], table: Predictions) -> list[JudgedCase]:
    """Return the cases of a table as a record keeps them."""
    return [
        JudgedCase(
            name_sha256=sha256_of(file),
            patient_sha256=None if table.patients is None else sha256_of(table.patients[number]),
            label=table.class_names[table.labels[number]],
            probabilities=[float(value) for value in table.probabilities[number]],
            subgroups={column: values[number] for column, values in table.subgroups.items()},
        )
        for number, file in enumerate(files)
    ]


def evaluation_event(
    record: EvaluationRecord, path: str, data: str | None = None, skipped: Sequence[dict[str, str]] = ()
) -> Evaluation:
    """Return the event that tells of an evaluation; `data` as the user knows it."""
    found: Evidence = record.evidence
    point = found.operating_point
    return Evaluation(
        checkpoint=record.checkpoint,
        data=data or record.data,
        split=record.split,
        n=found.n,
        patients=found.patients,
        by_patient=found.by_patient,
        uses=record.uses,
        class_names=found.class_names,
        counts=found.counts,
        figures=found.figures,
        confusion_matrix=found.confusion_matrix,
        skipped=list(skipped),
        notes=record.notes,
        operating_point=found.operating_point,
        prevalences=found.prevalences,
        predictive_values=found.predictive_values,
        roc={name: thin_curve(curves.roc) for name, curves in found.curves.items()},
        precision_recall={name: thin_curve(curves.precision_recall) for name, curves in found.curves.items()},
        decision={}
        if point is None or point.class_name not in found.curves
        else found.curves[point.class_name].decision,
        calibration=found.calibration,
        referral=found.referral,
        fingerprint=record.fingerprint,
        opened=record.opened,
        record=path,
    )
