"""The job of a study of readers: a table of readings analysed, compared with a model, and kept."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

import numpy as np
import numpy.typing as npt

import breastai
from breastai.clinical.apply_decision_rule import reaches
from breastai.clinical.evaluation_record import PATIENTS_UNKNOWN
from breastai.clinical.intervals import Clusters, Estimate, figure_of, number_clusters
from breastai.clinical.multiplicity import adjust_holm
from breastai.clinical.readers.obuchowski_rockette import (
    ANALYSES,
    Effect,
    compare_by_reader,
    compare_overall,
    compare_tests,
    compare_with_model,
    estimate_mean,
    find_components,
)
from breastai.clinical.readers.reader_agreement import measure_agreement, number_categories
from breastai.clinical.readers.reader_figures import measure_readings
from breastai.data.cases.predictions_table import read_predictions
from breastai.data.cases.reader_table import Readings, read_readings
from breastai.data.named_files import file_key, match_files
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.errors import CasesNotPredicted, NoEvaluation, TargetClassUnknown
from breastai.domain.events import Event, ProgressUpdate, ReadersCompared
from breastai.domain.jobs import CompareReaders
from breastai.domain.reader_records import (
    Agreement,
    CovarianceMethod,
    Merit,
    MeritAnalysis,
    ModelDifference,
    OverallTest,
    ReaderDifference,
    ReaderFigure,
    ReaderMean,
    ReaderStudyRecord,
)
from breastai.domain.text import Text
from breastai.storage.comparisons import save_comparison
from breastai.storage.evaluations import numbers_by_hash, read_evaluations
from breastai.storage.workspace import Workspace

Floats = npt.NDArray[np.float64]
_SHARES: tuple[Merit, ...] = ("sensitivity", "specificity")


@dataclass(frozen=True, eq=False)
class ModelReadings:
    """What a model says of the cases readers read: `scores` (N,), and from which of them on it is a call."""

    name: str
    scores: Floats
    threshold: float | None


def compare_readers(job: CompareReaders, workspace: Workspace) -> Iterator[Event]:
    """Analyse a table of readings; raise ReadersInvalid, TargetClassUnknown, NoEvaluation or CasesNotPredicted."""
    yield ProgressUpdate(stage="evaluating", text=Text("progress.readings"))
    readings = read_readings(workspace.resolve(job.table), job.target_class)
    model = _model(job, workspace, readings)
    calls = readings.calls
    if calls is None and readings.scores is not None and job.call_from is not None:
        calls = readings.scores >= job.call_from
    clusters = None if readings.patients is None else number_clusters(readings.patients)
    yield ProgressUpdate(stage="evaluating", text=Text("progress.readers"))
    of_merit: list[tuple[Merit, npt.NDArray[np.floating], Floats | None]] = []
    if readings.scores is not None:
        of_merit.append(("auc", readings.scores, None if model is None else model.scores))
    if calls is not None:
        by_model = None
        if model is not None and model.threshold is not None:
            by_model = reaches(model.scores, model.threshold).astype(np.float64)
        of_merit += [(merit, calls.astype(np.float64), by_model) for merit in _SHARES]
    analyses = [
        analysis
        for merit, values, beside in of_merit
        if (analysis := analyse(merit, readings, values, beside, clusters, job.covariance)) is not None
    ]
    record = ReaderStudyRecord(
        notice=RESEARCH_USE,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        breastai=breastai.__version__,
        comparison_id=workspace.new_run_id(),
        table=readings.name,
        target_class=readings.target_class,
        readers=list(readings.readers),
        tests=list(readings.tests),
        cases=len(readings),
        positives=int(readings.positive.sum()),
        patients=None if readings.patients is None else len(set(readings.patients)),
        covariance=job.covariance,
        call_from=job.call_from if readings.calls is None else None,
        model=None if model is None else model.name,
        model_threshold=None if model is None else model.threshold,
        analyses=analyses,
        agreement=_agreement(readings, calls, clusters),
        notes=_notes(readings, calls, model, analyses, job.call_from),
    )
    save_comparison(workspace, record)
    yield ReadersCompared(study=record)


def analyse(
    merit: Merit,
    readings: Readings,
    values: npt.NDArray[np.floating],
    of_model: Floats | None,
    clusters: Clusters | None,
    covariance: CovarianceMethod,
) -> MeritAnalysis | None:
    """Return all that `values` (T, R, N) show of one figure of merit, and how readers compare with a model's (N,).

    None where there are too few cases for the figure or its error.
    """
    tests, readers, n = values.shape
    rows = values.reshape(tests * readers, n)
    stacked = rows if of_model is None else np.concatenate([rows, of_model[None]])
    measured = measure_readings(merit, readings.positive, stacked, clusters, covariance)
    if measured is None:
        return None
    count = tests * readers
    table, errors = measured.values[:count].reshape(tests, readers), measured.covariance[:count, :count]
    cases = {"auc": n, "sensitivity": int(readings.positive.sum()), "specificity": int((~readings.positive).sum())}[
        merit
    ]
    blocks = [slice(test * readers, (test + 1) * readers) for test in range(tests)]
    means, differences, overall, against = [], [], [], []
    for kind in ANALYSES:
        for number, name in enumerate(readings.tests):
            effect = estimate_mean(table[number], errors[blocks[number], blocks[number]], kind)
            if effect is not None:
                means.append(ReaderMean(analysis=kind, test=name, **_told(effect, cases, 0.0, tested=False)))
            if of_model is not None:
                chosen = [*range(blocks[number].start, blocks[number].stop), count]
                beside = compare_with_model(
                    table[number], float(measured.values[count]), measured.covariance[np.ix_(chosen, chosen)], kind
                )
                if beside is not None:
                    against.append(ModelDifference(analysis=kind, test=name, **_told(beside, cases, -1.0)))
        for (one, other), effect in compare_tests(table, errors, kind).items():
            differences.append(
                ReaderDifference(
                    analysis=kind, first=readings.tests[one], second=readings.tests[other], **_told(effect, cases, -1.0)
                )
            )
        if (whole := compare_overall(table, errors, kind)) is not None:
            overall.append(
                OverallTest(
                    analysis=kind,
                    statistic=whole.statistic,
                    first_degrees=whole.first_degrees,
                    second_degrees=_finite(whole.second_degrees),
                    p_value=whole.p_value,
                )
            )
    by_reader = [
        ReaderDifference(
            analysis="cases",
            reader=readings.readers[reader],
            first=readings.tests[one],
            second=readings.tests[other],
            **_told(effect, cases, -1.0),
        )
        for (reader, one, other), effect in compare_by_reader(table, errors).items()
    ]
    return MeritAnalysis(
        merit=merit,
        figures=[
            ReaderFigure(
                reader=readings.readers[place % readers],
                test=readings.tests[place // readers],
                figure=figure_of(estimate, cases),
            )
            for place, estimate in enumerate(measured.estimates[:count])
        ],
        components=find_components(table, errors),
        means=means,
        overall=overall,
        differences=_adjusted(differences),
        by_reader=_adjusted(by_reader),
        model=None if of_model is None else figure_of(measured.estimates[count], cases),
        against_model=against,
    )


def _told(effect: Effect, n: int, least: float, *, tested: bool = True) -> dict[str, object]:
    """Return the fields of an effect in a record; its interval ends where the figure's scale does."""
    low, high = (min(1.0, max(least, bound)) for bound in effect.bounds)
    estimate = Estimate(effect.value, low, high) if effect.error > 0 else Estimate(effect.value, flag="no_variation")
    return {
        "figure": figure_of(estimate, n),
        "error": effect.error,
        "degrees": _finite(effect.degrees),
        "statistic": effect.statistic if tested else None,
        "p_value": effect.p_value if tested else None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _adjusted(differences: Sequence[ReaderDifference]) -> list[ReaderDifference]:
    """Return differences with p-values adjusted over those of one analysis; of one alone there is nothing to adjust."""
    found: list[ReaderDifference] = []
    for _, group in groupby(differences, key=lambda each: each.analysis):
        members = list(group)
        adjusted = adjust_holm([each.p_value for each in members])
        found += [
            each.model_copy(update={"adjusted_p": p if len(members) > 1 else None})
            for each, p in zip(members, adjusted, strict=True)
        ]
    return found


def _agreement(readings: Readings, calls: npt.NDArray[np.bool_] | None, clusters: Clusters | None) -> list[Agreement]:
    found: list[Agreement] = []
    readers = list(readings.readers)
    for number, test in enumerate(readings.tests):
        if calls is not None:
            found += measure_agreement(calls[number].astype(np.int64), readers, test, "calls", clusters)
        if readings.scores is not None and (categories := number_categories(readings.scores[number])) is not None:
            found += measure_agreement(categories, readers, test, "scores", clusters)
    return found


def _model(job: CompareReaders, workspace: Workspace, readings: Readings) -> ModelReadings | None:
    """Return what the model to compare with says of each case; None where none is wanted."""
    if job.predictions is not None:
        return _of_predictions(job, workspace, readings)
    if job.model_run is not None:
        return _of_run(job, workspace, readings)
    return None


def _of_predictions(job: CompareReaders, workspace: Workspace, readings: Readings) -> ModelReadings:
    table = read_predictions(workspace.resolve(job.predictions or ""))
    target = _target(readings, table.class_names)
    named = {file_key(file): row for row, file in enumerate(table.files or ())}
    matched = match_files(readings.cases, list(named))
    _all_there(readings, set(matched), table.name)
    rows = np.array([named[matched[case]] for case in readings.cases])
    differing = [
        case
        for case, row, truth in zip(readings.cases, rows, readings.positive, strict=True)
        if (table.labels[row] == target) != truth
    ]
    if differing:
        raise CasesNotPredicted(table.name, len(differing), differing[0], Text("reason.other_truth"))
    return ModelReadings(table.name, table.probabilities[rows, target], job.model_threshold)


def _of_run(job: CompareReaders, workspace: Workspace, readings: Readings) -> ModelReadings:
    run_id = workspace.existing_model(job.model_run or "")
    records = [record for _, record in read_evaluations(workspace, run_id)]
    record = next(reversed([each for each in records if each.split == "test"] or records), None)
    if record is None:
        raise NoEvaluation(run_id)
    names = record.evidence.class_names
    target = _target(readings, names)
    numbers = numbers_by_hash(workspace, readings.cases)
    said = {numbers[case.name_sha256]: case for case in record.cases if case.name_sha256 in numbers}
    _all_there(readings, {readings.cases[number] for number in said}, record.checkpoint)
    chosen = [said[number] for number in range(len(readings))]
    differing = [
        name
        for name, case, truth in zip(readings.cases, chosen, readings.positive, strict=True)
        if (case.label == names[target]) != truth
    ]
    if differing:
        raise CasesNotPredicted(record.checkpoint, len(differing), differing[0], Text("reason.other_truth"))
    point = record.evidence.operating_point
    threshold = job.model_threshold
    if threshold is None and point is not None and point.class_name == names[target]:
        threshold = point.threshold
    return ModelReadings(record.checkpoint, np.array([case.probabilities[target] for case in chosen]), threshold)


def _target(readings: Readings, class_names: Sequence[str]) -> int:
    """Return which of a model's classes the readers look for; raise TargetClassUnknown."""
    if readings.target_class not in class_names:
        raise TargetClassUnknown(readings.target_class, list(class_names))
    return list(class_names).index(readings.target_class)


def _all_there(readings: Readings, known: set[str], name: str) -> None:
    missing = [case for case in readings.cases if case not in known]
    if missing:
        raise CasesNotPredicted(name, len(missing), missing[0], Text("reason.not_predicted"))


def _notes(
    readings: Readings,
    calls: npt.NDArray[np.bool_] | None,
    model: ModelReadings | None,
    analyses: Sequence[MeritAnalysis],
    call_from: float | None,
) -> list[Text]:
    notes = [] if readings.patients is not None else [PATIENTS_UNKNOWN]
    if calls is None:
        notes.append(Text("note.readers_no_calls"))
    if readings.scores is None:
        notes.append(Text("note.readers_no_scores"))
    elif calls is not None and readings.calls is None and (calls.all() or not calls.any()):
        notes.append(Text("note.call_from_outside", {"call_from": call_from}))
    if len(readings.readers) < 2:
        notes.append(Text("note.one_reader"))
    if model is not None and calls is not None and model.threshold is None:
        notes.append(Text("note.model_no_threshold"))
    if not analyses:
        notes.append(Text("note.readers_too_few"))
    return notes
