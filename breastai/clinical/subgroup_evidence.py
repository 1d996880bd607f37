"""Subgroups: how a model does in each part of the images, and how that differs from the rest, with the tests counted.

A subgroup and the rest may share patients, one breast being in each: their errors go together as those patients' do.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from breastai.clinical.apply_decision_rule import reaches
from breastai.clinical.composite_intervals import correlations_of, linear
from breastai.clinical.intervals import (
    Cases,
    Clusters,
    Estimate,
    auc,
    auc_influences,
    cluster_sums,
    figure_of,
    normal_quantile,
    number_clusters,
    proportion,
)
from breastai.clinical.multiplicity import adjust_holm
from breastai.domain.records import SubgroupDifference, SubgroupEvidence

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


# A number at the beginning, of a band behind its sign.
_NUMBER = re.compile(r"^(?:[<≥] )?(-?\d+(?:[.,]\d+)?)")


class _Part(NamedTuple):
    """A figure of some of N cases, of `patients` (n,); `influences`: what each patient, of all, adds to its error."""

    estimate: Estimate
    patients: Clusters
    influences: Floats

    @property
    def n(self) -> int:
        return len(self.patients)


def gather_subgroups(
    labels: Labels,
    scores: Floats,
    class_names: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    clusters: Clusters | None = None,
    *,
    target: str | None = None,
    threshold: float | None = None,
) -> list[SubgroupEvidence]:
    """Return each value of each of `columns` (N,) with its figures and their differences from the rest of the column.

    `labels` (N,), calibrated `scores` (N, C). An empty value belongs to no subgroup, nor to the rest. The figures: AUC of
    the `target` class, sensitivity and specificity at its `threshold`; without a target, accuracy. P-values come from the
    intervals (Altman and Bland, BMJ 2011;343:d2304) and are adjusted by Holm's method over all columns; of a column with
    two values both differences are one test.
    """
    patients = np.arange(len(labels)) if clusters is None else number_clusters(clusters)
    found: list[SubgroupEvidence] = []
    for column, values in columns.items():
        cells = np.asarray(values, dtype=str)
        names = sorted(set(cells.tolist()) - {""}, key=_as_people_count)
        for value in names:
            inside, rest = cells == value, (cells != value) & (cells != "")
            here = _parts(labels, scores, class_names, inside, patients, target, threshold)
            there = _parts(labels, scores, class_names, rest, patients, target, threshold)
            found.append(
                SubgroupEvidence(
                    column=column,
                    value=value,
                    n=int(inside.sum()),
                    patients=None if clusters is None else len(np.unique(patients[inside])),
                    positives=None
                    if target is None
                    else int((labels[inside] == list(class_names).index(target)).sum()),
                    figures={name: figure_of(part.estimate, part.n) for name, part in here.items()},
                    differences={name: _difference(here[name], there[name]) for name in here} if len(names) > 1 else {},
                )
            )
    return _adjusted(found)


def _as_people_count(value: str) -> tuple[float, int, str]:
    """Return what puts 9 before 10, bands of numbers by where they begin, and words by their letters behind."""
    number = _NUMBER.match(value)
    if number is None:
        return math.inf, 0, value
    return float(number[1].replace(",", ".")), 0 if value.startswith("<") else 1, value


def _parts(
    labels: Labels,
    scores: Floats,
    class_names: Sequence[str],
    inside: Cases,
    patients: Clusters,
    target: str | None,
    threshold: float | None,
) -> dict[str, _Part]:
    """Return the figures of the cases `inside` (N,)."""
    if target is None:
        return {"accuracy": _share(scores.argmax(axis=1) == labels, inside, patients)}
    number = list(class_names).index(target)
    positive, own = labels == number, scores[:, number]
    found = {f"auc_roc.{target}": _area(positive, own, inside, patients)}
    if threshold is not None:
        called = reaches(own, threshold)
        found[f"sensitivity_at_operating_point.{target}"] = _share(called, inside & positive, patients)
        found[f"specificity_at_operating_point.{target}"] = _share(~called, inside & ~positive, patients)
    return found


def _share(success: Cases, among: Cases, patients: Clusters) -> _Part:
    right, whose = success[among], patients[among]
    estimate = proportion(right, number_clusters(whose) if len(whose) else None)
    errors = (right - (estimate.value or 0.0)) / max(1, len(right))
    return _Part(estimate, whose, cluster_sums(errors[None], whose, patients)[0])


def _area(positive: Cases, scores: Floats, inside: Cases, patients: Clusters) -> _Part:
    here, of, whose = positive[inside], scores[inside], patients[inside]
    if here.all() or not here.any():
        return _Part(Estimate(None), whose, np.zeros(int(patients.max()) + 1))
    numbers = number_clusters(whose)
    influences = np.zeros(int(patients.max()) + 1)
    influences[np.unique(whose)] = auc_influences(here, of, numbers)
    return _Part(auc(here, of, numbers), whose, influences)


def _difference(here: _Part, there: _Part) -> SubgroupDifference:
    """Return how much larger a figure is in a subgroup than in the rest."""
    shared = np.intersect1d(here.patients, there.patients)
    together = correlations_of(np.stack([here.influences, there.influences]), [1, -1]) if len(shared) else None
    estimate = linear([here.estimate, there.estimate], [1, -1], correlations=together, ends=(-1.0, 1.0))
    return SubgroupDifference(difference=figure_of(estimate, here.n + there.n), p_value=p_of_interval(estimate))


def p_of_interval(estimate: Estimate) -> float | None:
    """Return the two-sided p-value of no difference that belongs to an interval; None without one."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    towards_zero = estimate.value - estimate.low if estimate.value > 0 else estimate.high - estimate.value
    if estimate.value == 0 or towards_zero <= 0:
        return 1.0 if estimate.value == 0 else None
    return float(2 * special.ndtr(-abs(estimate.value) * normal_quantile() / towards_zero))


def tests_of(found: Sequence[SubgroupEvidence]) -> list[tuple[int, str]]:
    """Return the place and the figure of each difference with a p-value; of two mirrored ones the first alone."""
    values = {column: [each.value for each in found if each.column == column] for column in {e.column for e in found}}
    return [
        (place, name)
        for place, each in enumerate(found)
        for name, difference in each.differences.items()
        if difference.p_value is not None and (len(values[each.column]) != 2 or each.value == values[each.column][0])
    ]


def _adjusted(found: list[SubgroupEvidence]) -> list[SubgroupEvidence]:
    """Return the subgroups with p-values adjusted over all tests; of two mirrored ones the second is no test of its own."""
    tests = tests_of(found)
    adjusted = dict(zip(tests, adjust_holm([found[at].differences[name].p_value for at, name in tests]), strict=True))
    first = {each.column: place for place, each in reversed(list(enumerate(found)))}

    def of(place: int, name: str) -> float | None:
        own = found[place].differences[name].p_value
        return None if own is None else adjusted.get((place, name), adjusted.get((first[found[place].column], name)))

    return [
        each.model_copy(
            update={
                "differences": {
                    name: difference.model_copy(update={"adjusted_p": of(place, name)})
                    for name, difference in each.differences.items()
                }
            }
        )
        for place, each in enumerate(found)
    ]
