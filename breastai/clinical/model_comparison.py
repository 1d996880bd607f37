"""The record of a comparison of two models: figures, decisions at the operating points, margins, adjusted p-values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

import breastai
from breastai.clinical.apply_decision_rule import reaches
from breastai.clinical.evidence import compare
from breastai.clinical.intervals import Cases, number_clusters
from breastai.clinical.multiplicity import adjust_holm
from breastai.clinical.operating_point import PREVALENCES
from breastai.clinical.paired_decisions import compare_decisions, mcnemar_test
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.comparison_record import (
    ComparisonRecord,
    DecisionComparison,
    McNemarTest,
    NonInferiority,
    ThresholdSource,
)
from breastai.domain.errors import CommandInvalid
from breastai.domain.records import PairedFigure
from breastai.domain.text import Text
from breastai.storage.comparisons import save_comparison
from breastai.storage.margins import MarginStatement, state_margin
from breastai.storage.workspace import Workspace

Floats = npt.NDArray[np.float64]
# Figures of which less is better; a margin of them is one above.
_LESS_IS_BETTER = ("brier",)


@dataclass(frozen=True)
class DecisionPoints:
    """From which probability of `class_name` on each of two models calls it, and where these thresholds come from."""

    class_name: str
    first: float
    second: float
    source: ThresholdSource
    chosen_on: str | None = None


@dataclass(frozen=True, eq=False)
class ComparedModels:
    """Two models' probabilities (N, C) of the same N cases: `labels` (N,), `patients` or else `clusters` (N,)."""

    first_name: str
    second_name: str
    data: str
    labels: npt.NDArray[np.integer[Any]]
    first: Floats
    second: Floats
    class_names: Sequence[str]
    patients: Sequence[str] | None = None
    clusters: Sequence[str] | None = None
    points: DecisionPoints | None = None
    prevalences: Mapping[str, float] = field(default_factory=lambda: dict(PREVALENCES))


def make_comparison(
    workspace: Workspace,
    models: ComparedModels,
    margins: Mapping[str, float],
    notes: Sequence[Text | str],
    on_progress: Callable[[int, int], None] | None = None,
) -> ComparisonRecord:
    """Compare two models, keep the record and return it; raise CommandInvalid for a margin of no figure, or DiskFull."""
    independent = models.clusters if models.patients is None else models.patients
    figures = compare(
        models.labels, models.first, models.second, models.class_names, independent, on_progress=on_progress
    )
    decisions = None if models.points is None else _decisions(models, models.points)
    lacking = [] if decisions is None or decisions.figures else [_undecided(models, decisions.class_name)]
    decisions = None if lacking else decisions
    figures, decisions = _adjusted(figures, decisions)
    known = figures | (decisions.figures if decisions is not None else {})
    unknown = [name for name in margins if name not in known]
    if unknown and lacking:
        raise CommandInvalid(lacking[0], "breastai compare --help")
    if unknown:
        names = Text("came.list", {"names": list(known)})
        raise CommandInvalid(Text("command.margin_of", {"name": unknown[0], "known": names}), "breastai compare --help")
    stated = {name: state_margin(workspace, name, margin) for name, margin in margins.items()}
    record = ComparisonRecord(
        notice=RESEARCH_USE,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        breastai=breastai.__version__,
        comparison_id=workspace.new_run_id(),
        first=models.first_name,
        second=models.second_name,
        data=models.data,
        n=len(models.labels),
        patients=None if models.patients is None else len(set(models.patients)),
        class_names=list(models.class_names),
        figures=figures,
        decisions=decisions,
        non_inferiority=[_judge_margin(name, margins[name], known[name], stated[name]) for name in margins],
        notes=[*notes, *lacking],
    )
    save_comparison(workspace, record)
    return record


def _decisions(models: ComparedModels, points: DecisionPoints) -> DecisionComparison:
    number = list(models.class_names).index(points.class_name)
    positive = np.asarray(models.labels) == number
    first = reaches(models.first[:, number], points.first)
    second = reaches(models.second[:, number], points.second)
    independent = models.clusters if models.patients is None else models.patients
    clusters = None if independent is None else number_clusters(independent)
    # A threshold of 0 or 1 has no odds.
    exchange = min(0.99, max(0.01, points.first))
    figures = compare_decisions(positive, first, second, exchange, models.prevalences, clusters)
    tests = _mcnemar(positive, first, second, "", clusters)
    if models.patients is not None and clusters is not None and len(set(models.patients)) < len(positive):
        ill, called, also_called = (np.bincount(clusters, weights=mask) > 0 for mask in (positive, first, second))
        by_patient = compare_decisions(ill, called, also_called, exchange, {})
        figures |= {f"{name}@patient": pair for name, pair in by_patient.items()}
        tests |= _mcnemar(ill, called, also_called, "@patient", None)
    return DecisionComparison(
        class_name=points.class_name,
        first_threshold=points.first,
        second_threshold=points.second,
        source=points.source,
        chosen_on=points.chosen_on,
        exchange=exchange,
        prevalences=dict(models.prevalences),
        figures=figures,
        mcnemar=tests,
    )


def _undecided(models: ComparedModels, class_name: str) -> Text:
    """Return why decisions can't be compared: no case is of the class in question, or every one."""
    present = list(models.class_names).index(class_name) in np.asarray(models.labels)
    return Text("note.all_of_class" if present else "note.none_of_class", {"class_name": class_name})


def _mcnemar(
    positive: Cases, first: Cases, second: Cases, unit: str, clusters: npt.NDArray[np.int64] | None
) -> dict[str, McNemarTest]:
    found = {}
    for name, among, one, other in (
        ("sensitivity", positive, first, second),
        ("specificity", ~positive, ~first, ~second),
    ):
        if among.any():
            own = None if clusters is None else np.unique(clusters[among], return_inverse=True)[1]
            found[f"{name}{unit}"] = mcnemar_test(one[among], other[among], own)
    return found


def _adjusted(
    figures: Mapping[str, PairedFigure], decisions: DecisionComparison | None
) -> tuple[dict[str, PairedFigure], DecisionComparison | None]:
    """Return both with the p-values of all their tests adjusted together."""
    tests = {} if decisions is None else decisions.mcnemar
    adjusted = adjust_holm([*(pair.p_value for pair in figures.values()), *(test.p_value for test in tests.values())])
    of_figures = dict(zip(figures, adjusted[: len(figures)], strict=True))
    of_tests = dict(zip(tests, adjusted[len(figures) :], strict=True))
    changed = {name: pair.model_copy(update={"adjusted_p": of_figures[name]}) for name, pair in figures.items()}
    if decisions is None:
        return changed, None
    mcnemar = {name: test.model_copy(update={"adjusted_p": of_tests[name]}) for name, test in tests.items()}
    return changed, decisions.model_copy(update={"mcnemar": mcnemar})


def _judge_margin(name: str, margin: float, pair: PairedFigure, known: MarginStatement) -> NonInferiority:
    less = name.partition("@")[0] in _LESS_IS_BETTER
    bound = pair.difference.high if less else pair.difference.low
    shown = None if bound is None else bool(bound < margin if less else bound > -margin)
    when = {"stated": known.stated, "beforehand": known.beforehand, "others": known.others}
    return NonInferiority(figure=name, margin=margin, bound=bound, shown=shown, **when)
