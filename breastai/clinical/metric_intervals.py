"""Every metric of an evaluated model with its number of cases and its interval: what an evaluation reports."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.agreement_intervals import DRAWS, agreement_intervals
from breastai.clinical.apply_decision_rule import reaches
from breastai.clinical.composite_intervals import complement, correlations_of, f1, linear, ratio, transform
from breastai.clinical.intervals import (
    Cases,
    Clusters,
    Estimate,
    auc,
    auc_influences,
    bounded_mean,
    figure_of,
    number_clusters,
    proportion,
)
from breastai.clinical.metrics.weighted_cases import WeightedCases, check_cases
from breastai.clinical.operating_point import shares_of_decision
from breastai.clinical.patient_pooling import pool_patients
from breastai.clinical.roc_intervals import average_precision, partial_auc, sensitivity_at, specificity_at
from breastai.domain.events import Figure
from breastai.domain.metric_catalog import METRICS, SENSITIVITIES, SPECIFICITIES
from breastai.domain.records import ByPatient, PatientScore

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
    repetitions: int = DRAWS,
    seed: int = 0,
    on_part: Callable[[], None] = lambda: None,
) -> dict[str, Figure]:
    """Return the metrics of N images by name; `labels` (N,), `probabilities` (N, C).

    `auc_roc.malignant` is of one class against the rest. `clusters` names what the intervals take for independent
    (N,): patients, or else groups of near-duplicates; without it every image is. `auc_roc.malignant@device=A` is per image in the subgroup where the column `device` of `subgroups` is A; an empty
    value belongs to no subgroup. `thresholds` freezes an operating point for a class: from that probability upwards
    a case is predicted positive, in the metrics `..._at_operating_point.CLASS`; all other decisions are the highest probability.

    All intervals are in closed form (see intervals) but those of kappa, MCC and macro F1, which come from `repetitions`
    draws; a figure that has none, or one to be read with care, carries a flag.
    Metrics by patient: `patient_metrics`. `on_part` is called after all images and after each subgroup.
    """
    truth, scores = check_cases(labels, probabilities)
    if scores.shape[1] != len(class_names):
        raise ValueError(f"expected probabilities of shape (N, {len(class_names)}), got {scores.shape}")
    points = thresholds or {}
    numbers = None if clusters is None else number_clusters(clusters)
    metrics = _estimate_metrics(truth, scores, class_names, numbers, points, repetitions, seed)
    on_part()
    for column, values in (subgroups or {}).items():
        cells = np.asarray(values, dtype=str)
        for value in sorted(set(cells.tolist()) - {""}):
            inside = cells == value
            own = None if numbers is None else number_clusters(numbers[inside])
            own_metrics = _estimate_metrics(truth[inside], scores[inside], class_names, own, points, repetitions, seed)
            metrics |= {f"{name}@{column}={value}": figure for name, figure in own_metrics.items()}
            on_part()
    return metrics


def patient_metrics(
    labels: Labels,
    probabilities: Probabilities,
    class_names: Sequence[str],
    patients: Sequence[str],
    *,
    target: str | None = None,
    patient_score: PatientScore = "largest",
    thresholds: Mapping[str, float] | None = None,
    repetitions: int = DRAWS,
    seed: int = 0,
) -> tuple[dict[str, Figure], ByPatient | None]:
    """Return the metrics of N images by patient, `auc_roc.malignant@patient` and so on, and how they were pooled.

    Nothing where every patient has one image: the metrics by image are those by patient then.
    """
    clusters = number_clusters(patients)
    if not len(labels) or clusters.max() + 1 == len(labels):
        return {}, None
    number = None if target is None else list(class_names).index(target)
    pooled = pool_patients(labels, probabilities, clusters, number, patient_score)
    points = thresholds or {}
    metrics = _estimate_metrics(pooled.labels, pooled.probabilities, class_names, None, points, repetitions, seed)
    threshold = None if target is None else points.get(target)
    return {f"{name}@patient": figure for name, figure in metrics.items()}, pooled.describe(class_names, threshold)


def _estimate_metrics(
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
    right = proportion(decisions == labels, clusters)
    found: dict[str, tuple[Estimate, int]] = {"accuracy": (right, n)}
    sensitivities = []
    for index, name in enumerate(class_names):
        positive, predicted = labels == index, decisions == index
        shares = shares_of_decision(positive, predicted, clusters)
        found[f"auc_roc.{name}"] = auc(positive, probabilities[:, index], clusters), n
        found |= {f"{metric}.{name}": share for metric, share in shares.items()}
        if n:
            sensitivity, specificity = shares["sensitivity"][0], shares["specificity"][0]
            sensitivities.append(sensitivity)
            found |= {
                f"{figure}.{name}": (estimate, n)
                for figure, estimate in _of_class(positive, predicted, sensitivity, specificity, clusters).items()
            }
            found |= {
                f"{figure}.{name}": (estimate, n)
                for figure, estimate in _of_scores(positive, probabilities[:, index], clusters).items()
            }
    for name, threshold in thresholds.items():
        index = list(class_names).index(name)
        shares = shares_of_decision(labels == index, reaches(probabilities[:, index], threshold), clusters)
        found |= {f"{metric}_at_operating_point.{name}": share for metric, share in shares.items()}
    if n:
        whole = agreement_intervals(labels, decisions, len(class_names), clusters, draws=repetitions, seed=seed)
        defined = [each for each in sensitivities if each.value is not None]
        whole["balanced_accuracy"] = linear(defined, [1 / len(defined)] * len(defined))
        whole["auc_roc"] = macro_auc(labels, probabilities, clusters)
        whole |= _of_probabilities(labels, probabilities, clusters)
        found |= {name: (estimate, n) for name, estimate in whole.items()}
    return {name: figure_of(estimate, count) for name, (estimate, count) in found.items()}


def _of_class(
    positive: Cases, predicted: Cases, sensitivity: Estimate, specificity: Estimate, clusters: Clusters | None
) -> dict[str, Estimate]:
    """Return the metrics of a class that come from its sensitivity and specificity, and its F1."""
    missed, alarmed = complement(sensitivity), complement(specificity)
    return {
        "f1": f1(positive, predicted, clusters),
        "youden": linear([sensitivity, specificity], [1, 1], offset=-1, ends=(-1.0, 1.0)),
        "lr_positive": ratio(sensitivity, alarmed),
        "lr_negative": ratio(missed, specificity),
    }


def _of_scores(positive: Cases, scores: Floats, clusters: Clusters | None) -> dict[str, Estimate]:
    found = {"average_precision": average_precision(positive, scores, clusters)}
    for target in SPECIFICITIES:
        found[f"sensitivity_at_specificity_{target:.2f}"] = sensitivity_at(positive, scores, target, clusters)
        found[f"partial_auc_{target:.2f}"] = partial_auc(positive, scores, target, clusters)
    for target in SENSITIVITIES:
        found[f"specificity_at_sensitivity_{target:.2f}"] = specificity_at(positive, scores, target, clusters)
    return found


def _of_probabilities(labels: Labels, probabilities: Probabilities, clusters: Clusters | None) -> dict[str, Estimate]:
    """Return the Brier score, and the calibration error, which has no interval.

    The error of a calibrated model is 0 in truth and more in any sample, so that no interval around it holds the truth.
    """
    cases = WeightedCases(labels, probabilities)
    values = {name: float(METRICS[name].formula(cases)[0]) for name in ("brier", "ece")}
    truth = np.zeros_like(probabilities)
    truth[np.arange(len(labels)), labels] = 1.0
    # From 0 to 2, as a mean from 0 to 1.
    influences = (((probabilities - truth) ** 2).sum(axis=1) - values["brier"]) / 2 / len(labels)
    if clusters is not None:
        influences = np.bincount(clusters, weights=influences)
    half = bounded_mean(values["brier"] / 2, influences, len(influences))
    return {"brier": transform(half, lambda share: 2 * share), "ece": Estimate(values["ece"], flag="biased")}


def macro_auc(labels: Labels, probabilities: Probabilities, clusters: Clusters | None = None) -> Estimate:
    """Return the mean over classes of the AUC of one class against the rest, those without both sides left out.

    The errors of the classes' AUCs go together as their placements do: of two classes they are one and the same.
    """
    areas, influences = areas_of_classes(labels, probabilities, clusters)
    if not areas:
        return Estimate(None)
    weights = [1 / len(areas)] * len(areas)
    return linear(areas, weights, correlations=correlations_of(influences, weights))


def macro_auc_difference(
    labels: Labels, first: Probabilities, second: Probabilities, clusters: Clusters | None = None
) -> Estimate:
    """Return how much larger the first model's macro AUC is than the second's, on the same cases."""
    (areas, here), (others, there) = (areas_of_classes(labels, scores, clusters) for scores in (first, second))
    if not areas:
        return Estimate(None)
    if np.array_equal(here, there):
        return Estimate(0.0, flag="no_variation")
    weights = [1 / len(areas)] * len(areas) + [-1 / len(others)] * len(others)
    together = correlations_of(np.concatenate([here, there]), weights)
    return linear([*areas, *others], weights, correlations=together, ends=(-1.0, 1.0))


def areas_of_classes(
    labels: Labels, probabilities: Probabilities, clusters: Clusters | None
) -> tuple[list[Estimate], Floats]:
    """Return the AUC of each class that has both sides, and what each patient adds to their errors (K, patients)."""
    columns = [index for index in range(probabilities.shape[1]) if 0 < (labels == index).sum() < len(labels)]
    areas = [auc(labels == index, probabilities[:, index], clusters) for index in columns]
    influences = [auc_influences(labels == index, probabilities[:, index], clusters) for index in columns]
    return areas, np.stack(influences) if influences else np.zeros((0, 0))
