"""Jobs that need predictions alone and no network: their evaluation, and the comparison of two files of them."""

from collections.abc import Iterator, Sequence
from functools import partial

from breastai.clinical.chosen_threshold import choose_threshold
from breastai.clinical.evaluation_record import PATIENTS_UNKNOWN, evaluation_event, make_cases, make_record
from breastai.clinical.evidence import gather_evidence
from breastai.clinical.model_comparison import ComparedModels, DecisionPoints, make_comparison
from breastai.clinical.operating_point import PREVALENCES
from breastai.data.background import run_with_progress
from breastai.data.cases.predictions_table import Predictions, match_predictions, read_predictions
from breastai.data.patients.subgroups import Parted, part_cases
from breastai.domain.class_words import class_in_question
from breastai.domain.errors import PartInvalid, TargetClassNeeded, TargetClassUnknown
from breastai.domain.events import Event, ProgressUpdate
from breastai.domain.jobs import ComparePredictions, EvaluatePredictions
from breastai.domain.text import Text
from breastai.storage.comparisons import comparison_event
from breastai.storage.evaluations import PREDICTIONS, save_evaluation
from breastai.storage.workspace import Workspace


def evaluate_predictions(job: EvaluatePredictions, workspace: Workspace) -> Iterator[Event]:
    """Judge any model by a CSV of its predictions; raise PredictionsInvalid or PartInvalid."""
    path = workspace.resolve(job.predictions)
    whole = yield from run_with_progress(partial(read_predictions, path), _reading)
    target = _target(job.target_class, whole.class_names)
    if target is None and (job.threshold is not None or job.choose_on is not None):
        raise TargetClassNeeded(list(whole.class_names), whole.class_names[-1])
    table, rule, chosen = choose_threshold(
        whole,
        target,
        threshold=job.threshold,
        target_sensitivity=job.target_sensitivity,
        choose_on=job.choose_on,
    )
    parted = _subgroups(table, job)
    subgroups = parted.columns
    found = yield from run_with_progress(
        lambda progress: gather_evidence(
            table.labels,
            table.probabilities,
            table.class_names,
            table.patients,
            target=target,
            patient_score=job.patient_score,
            rule=rule,
            subgroups=subgroups,
            prevalences=job.prevalences or PREVALENCES,
            on_progress=progress,
        ),
        _computing,
    )
    yield ProgressUpdate(stage="evaluating", text=Text("progress.saving_evidence"))
    notes = [Text("note.predictions_alone")]
    if chosen:
        notes.append(Text("note.chosen_on_part", {"part": job.choose_on, "n": chosen}))
    if job.threshold is not None:
        notes.append(Text("note.threshold_given"))
    if table.patients is None:
        notes.append(PATIENTS_UNKNOWN)
    notes += parted.notes
    cases = make_cases(
        table.files or [f"row {number}" for number in range(2, len(table) + 2)],
        table.labels,
        table.probabilities,
        table.class_names,
        patients=table.patients,
        subgroups=subgroups,
    )
    record = make_record(found, cases, run_id=PREDICTIONS, checkpoint=table.name, data=table.name, notes=notes)
    path = save_evaluation(workspace, record)
    yield evaluation_event(record, workspace.relative(path))


def _subgroups(table: Predictions, job: EvaluatePredictions) -> Parted:
    """Return the subgroups of the cases to judge, numbers in bands; raise PartInvalid for a band of no column.

    The column of the part that chose the threshold parts nothing any more.
    """
    known = {name.lower(): name for name in table.subgroups}
    for column in job.bands:
        if column.lower() not in known:
            raise PartInvalid(column, table.name, Text("reason.part_columns", {"columns": list(table.subgroups)}))
    limits = {column.lower(): edges for column, edges in job.bands.items()}
    parting = (job.choose_on or "").partition("=")[0].strip().lower()
    columns = {
        name: values for name, values in table.subgroups.items() if name.lower() != parting or len(set(values)) > 1
    }
    return part_cases(columns, limits)


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
    """Compare two files of predictions on the same cases; raise PredictionsInvalid or PartInvalid."""
    first = yield from run_with_progress(partial(read_predictions, workspace.resolve(job.first)), _reading)
    second = yield from run_with_progress(partial(read_predictions, workspace.resolve(job.second)), _reading)
    second = match_predictions(first, second)
    notes = [] if first.patients is not None else [PATIENTS_UNKNOWN]
    if first.files is None or second.files is None:
        notes.append(Text("note.row_by_row"))
    first, second, points, chosen = _points(job, first, second)
    if chosen:
        notes.append(Text("note.chosen_on_part", {"part": job.choose_on, "n": chosen}))
    models = ComparedModels(
        first_name=first.name,
        second_name=second.name,
        data=first.name,
        labels=first.labels,
        first=first.probabilities,
        second=second.probabilities,
        class_names=first.class_names,
        patients=first.patients,
        points=points,
        prevalences=job.prevalences or PREVALENCES,
    )
    record = yield from run_with_progress(
        lambda progress: make_comparison(workspace, models, job.margins, notes, progress), _computing
    )
    yield comparison_event(record)


def _points(
    job: ComparePredictions, first: Predictions, second: Predictions
) -> tuple[Predictions, Predictions, DecisionPoints | None, int]:
    """Return the cases to compare, the thresholds, and how many cases chose them; raise PartInvalid."""
    if job.thresholds is None and job.choose_on is None:
        return first, second, None, 0
    target = _target(job.target_class, first.class_names)
    if target is None:
        raise TargetClassNeeded(list(first.class_names), first.class_names[-1])
    if job.thresholds is not None:
        return first, second, DecisionPoints(target, *job.thresholds, "option"), 0
    judged = [
        choose_threshold(table, target, target_sensitivity=job.target_sensitivity, choose_on=job.choose_on)
        for table in (first, second)
    ]
    chosen = [each.rule.operating_point.threshold for each in judged if each.rule.operating_point is not None]
    points = DecisionPoints(target, chosen[0], chosen[1], "part", job.choose_on)
    return judged[0].table, judged[1].table, points, judged[0].chosen
