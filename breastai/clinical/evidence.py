"""Every figure of a judged model with its number of cases and its interval: what an evaluation reports."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical import weighted
from breastai.clinical.bootstrap import REPETITIONS, bootstrap
from breastai.clinical.intervals import Cases, Clusters, Estimate, auc, proportion
from breastai.clinical.patient_pooling import pool_patients
from breastai.domain.events import Figure
from breastai.domain.evidence import ByPatient, PatientScore

SENSITIVITIES = (0.90, 0.95)
SPECIFICITIES = (0.90, 0.95)

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float64]


def evaluate(
    labels: npt.NDArray[np.integer[Any]],
    probabilities: npt.NDArray[np.floating[Any]],
    class_names: Sequence[str],
    clusters: Sequence[str] | None = None,
    *,
    thresholds: Mapping[str, float] | None = None,
    subgroups: Mapping[str, Sequence[str]] | None = None,
    repetitions: int = REPETITIONS,
    seed: int = 0,
) -> dict[str, Figure]:
    """Return the figures of N images by name; `labels` (N,), `probabilities` (N, C).

    `auc_roc.malignant` is of one class against the rest. `clusters` names what the intervals take for independent
    (N,): patients, or else groups of near-duplicates; without it every image is. `auc_roc.malignant@device=A` is per image in the subgroup where the column `device` of `subgroups` is A; an empty
    value belongs to no subgroup. `thresholds` freezes an operating point for a class: from that probability upwards
    it is called, in the figures `..._at_operating_point.CLASS`; all other decisions are the highest probability.

    Proportions and AUCs have intervals in closed form (see intervals), all else a bootstrap of patients (BCa).
    Figures by patient: `patient_figures`.
    """
    truth, scores = _checked(labels, probabilities, class_names)
    points = thresholds or {}
    numbers = None if clusters is None else _numbered(clusters)
    figures = _figures(truth, scores, class_names, numbers, points, repetitions, seed)
    for column, values in (subgroups or {}).items():
        cells = np.asarray(values, dtype=str)
        for value in sorted(set(cells.tolist()) - {""}):
            inside = cells == value
            own = None if numbers is None else _numbered(numbers[inside].tolist())
            of_group = _figures(truth[inside], scores[inside], class_names, own, points, repetitions, seed)
            figures |= {f"{name}@{column}={value}": figure for name, figure in of_group.items()}
    return figures


def patient_figures(
    labels: Labels,
    probabilities: Probabilities,
    class_names: Sequence[str],
    patients: Sequence[str],
    *,
    target: str | None = None,
    patient_score: PatientScore = "largest",
    thresholds: Mapping[str, float] | None = None,
    repetitions: int = REPETITIONS,
    seed: int = 0,
) -> tuple[dict[str, Figure], ByPatient | None]:
    """Return the figures of N images by patient, `auc_roc.malignant@patient` and so on, and how they were pooled.

    Nothing where every patient has one image: the figures by image are those by patient then.
    """
    clusters = _numbered(patients)
    if not len(labels) or clusters.max() + 1 == len(labels):
        return {}, None
    number = None if target is None else list(class_names).index(target)
    pooled = pool_patients(labels, probabilities, clusters, number, patient_score)
    points = thresholds or {}
    figures = _figures(pooled.labels, pooled.probabilities, class_names, None, points, repetitions, seed)
    threshold = None if target is None else points.get(target)
    return {f"{name}@patient": figure for name, figure in figures.items()}, pooled.described(class_names, threshold)


def _figures(
    labels: Labels,
    probabilities: Probabilities,
    class_names: Sequence[str],
    clusters: Clusters | None,
    thresholds: Mapping[str, float],
    repetitions: int,
    seed: int,
) -> dict[str, Figure]:
    n = len(labels)
    decisions = probabilities.argmax(axis=1)
    figures = {"accuracy": _figure(_proportion(decisions == labels, np.ones(n, dtype=bool), clusters), n)}
    for index, name in enumerate(class_names):
        positive = labels == index
        figures[f"auc_roc.{name}"] = _figure(auc(positive, probabilities[:, index], clusters), n)
        figures |= _decided(positive, decisions == index, clusters, "", name)
    for name, threshold in thresholds.items():
        index = list(class_names).index(name)
        called = probabilities[:, index] >= threshold
        figures |= _decided(labels == index, called, clusters, "_at_operating_point", name)
    every_case = np.arange(n) if clusters is None else clusters

    def resampled(weights: Floats) -> dict[str, Floats]:
        return weighted_figures(weights, labels, probabilities, class_names)

    if n:
        for name, estimate in bootstrap(resampled, every_case, repetitions=repetitions, seed=seed).items():
            figures.setdefault(name, _figure(estimate, n))
    return figures


def weighted_figures(
    weights: Floats, labels: Labels, probabilities: Probabilities, class_names: Sequence[str]
) -> dict[str, Floats]:
    """Return the figures without an interval in closed form, one value for each row of `weights` (B, N)."""
    count = len(class_names)
    matrices = weighted.confusions(weights, labels, probabilities.argmax(axis=1), count)
    figures = weighted.agreement(matrices) | weighted.of_probabilities(weights, labels, probabilities)
    areas: list[Floats] = []
    for index, name in enumerate(class_names):
        of_class = weighted.of_class(matrices, index)
        of_class |= weighted.of_scores(weights, labels == index, probabilities[:, index], SENSITIVITIES, SPECIFICITIES)
        # The AUC of a class has its interval in closed form; the mean over classes has not.
        areas.append(of_class.pop("auc_roc"))
        figures |= {f"{figure}.{name}": values for figure, values in of_class.items()}
    figures["auc_roc.macro"] = weighted.mean_of_classes(areas)
    return figures


def _decided(positive: Cases, called: Cases, clusters: Clusters | None, suffix: str, name: str) -> dict[str, Figure]:
    """Return the proportions of a decision, each with the number of cases it is a share of."""
    rows = {
        "sensitivity": (called, positive),
        "specificity": (~called, ~positive),
        "precision": (positive, called),
        "npv": (~positive, ~called),
    }
    return {
        f"{figure}{suffix}.{name}": _figure(_proportion(success, among, clusters), int(among.sum()))
        for figure, (success, among) in rows.items()
    }


def _proportion(success: Cases, among: Cases, clusters: Clusters | None) -> Estimate:
    return proportion(success[among], None if clusters is None else clusters[among])


def _figure(estimate: Estimate, n: int) -> Figure:
    return Figure(value=estimate.value, low=estimate.low, high=estimate.high, n=n)


def _numbered(names: Sequence[Any]) -> Clusters:
    numbers: Clusters = np.unique(np.asarray(names), return_inverse=True)[1]
    return numbers


def _checked(
    labels: npt.NDArray[np.integer[Any]], probabilities: npt.NDArray[np.floating[Any]], class_names: Sequence[str]
) -> tuple[Labels, Probabilities]:
    truth, scores = np.asarray(labels, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    if scores.shape != (len(truth), len(class_names)):
        raise ValueError(f"expected probabilities of shape {(len(truth), len(class_names))}, got {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("probabilities must be finite numbers")
    if len(truth) and not 0 <= truth.min() <= truth.max() < len(class_names):
        raise ValueError(f"labels must lie between 0 and {len(class_names) - 1}")
    return truth, scores
