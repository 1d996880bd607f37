"""Jobs that need predictions alone and no network: their evaluation, and the comparison of two files of them."""

from collections.abc import Iterator, Sequence
from functools import partial

from breastai.clinical.evaluation_record import PATIENTS_UNKNOWN, evaluation_event, make_cases, make_record
from breastai.clinical.evidence import compare, gather_evidence
from breastai.data.background import run_with_progress
from breastai.data.cases.predictions_table import match_predictions, read_predictions
from breastai.domain.class_words import class_in_question
from breastai.domain.errors import TargetClassUnknown
from breastai.domain.events import Comparison, Event, ProgressUpdate
from breastai.domain.jobs import ComparePredictions, EvaluatePredictions
from breastai.domain.text import Text
from breastai.storage.evaluations import save_evaluation
from breastai.storage.workspace import Workspace

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
    yield ProgressUpdate(stage="evaluating", text=Text("progress.saving_evidence"))
    notes = [Text("note.predictions_alone")]
    if table.patients is None:
        notes.append(PATIENTS_UNKNOWN)
    cases = make_cases(
        table.files or [f"row {number}" for number in range(2, len(table) + 2)],
        table.labels,
        table.probabilities,
        table.class_names,
        patients=table.patients,
        subgroups=table.subgroups,
    )
    record = make_record(found, cases, run_id=FOLDER, checkpoint=table.name, data=table.name, notes=notes)
    path = save_evaluation(workspace, record)
    yield evaluation_event(record, workspace.relative(path))


def _reading(done: int, total: int) -> Event:
    text = Text("progress.predictions_of" if total else "progress.predictions", {"done": done, "total": total})
    return ProgressUpdate(stage="evaluating", text=text, progress=done / total if total else None)


def _computing(done: int, total: int) -> Event:
    text = Text("progress.results_of" if total else "progress.results", {"done": done, "total": total})
    return ProgressUpdate(stage="evaluating", text=text, progress=done / total if total else None)


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
        notes.append(Text("note.row_by_row"))
    yield Comparison(
        first=first.name,
        second=second.name,
        n=len(first),
        patients=None if first.patients is None else len(set(first.patients)),
        class_names=list(first.class_names),
        figures=figures,
        notes=notes,
    )
