"""Judgement: from labels and raw probabilities to all the evidence of an evaluation; and two models compared."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical import metric_intervals
from breastai.clinical.agreement_intervals import DRAWS
from breastai.clinical.apply_decision_rule import (
    answers,
    calibrate,
    conformal_sets,
    is_undecided,
    out_of_distribution,
    reaches,
)
from breastai.clinical.curves import coverage_error_curve, precision_recall_curve, reliability_curve, roc_curve
from breastai.clinical.intervals import Clusters, delong_test, figure_of, number_clusters, proportion
from breastai.clinical.jackknife import jackknife
from breastai.clinical.metrics.epoch_metrics import finite
from breastai.clinical.metrics.weighted_cases import WeightedCases
from breastai.clinical.metrics.weighted_counts import WeightedCounts
from breastai.clinical.operating_point import PREVALENCES, decision_curve, metrics_at_threshold, predictive_values
from breastai.clinical.subgroup_evidence import gather_subgroups
from breastai.clinical.target_evidence import gather_target
from breastai.domain.decision_rule import DecisionRule, OperatingPoint
from breastai.domain.metric_catalog import METRICS, ORDERED_METRICS
from breastai.domain.records import (
    ByPatient,
    CalibrationEvidence,
    ClassCurves,
    Curve,
    Evidence,
    Figure,
    JudgedPoint,
    PairedFigure,
    PatientScore,
    Referral,
    Reliability,
    RulePart,
)

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Figures without a paired test, compared by leaving out each patient in turn.
_COMPARED = ("accuracy", "balanced_accuracy", "f1_macro", "cohen_kappa")


def gather_evidence(
    labels: npt.NDArray[np.integer[Any]],
    raw: npt.NDArray[np.floating[Any]],
    class_names: Sequence[str],
    patients: Sequence[str] | None = None,
    *,
    clusters: Sequence[str] | None = None,
    target: str | None = None,
    patient_score: PatientScore = "largest",
    rule: DecisionRule | None = None,
    novelty: Floats | None = None,
    subgroups: Mapping[str, Sequence[str]] | None = None,
    ordered: bool = False,
    prevalences: Mapping[str, float] = PREVALENCES,
    repetitions: int = DRAWS,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evidence:
    """Return what N images show of a model by its `raw` probabilities (N, C) and `novelty` (N,), decided by `rule`.

    `patients` (N,) makes figures by patient too, pooled by `patient_score` towards the `target` class, which is that of
    the rule where it has one. `clusters` (N,) names what is independent where patients are unknown: groups of
    near-duplicates, files of several frames; intervals rest on it, and no figure by patient is made of it.
    `ordered`: the classes stand in an order, whose figures are told then.
    `on_progress` is told of parts done, of all: patients, images, each subgroup, curves.
    """
    parts = 2 + (patients is not None) + sum(len(set(values) - {""}) for values in (subgroups or {}).values())
    done = iter(range(1, parts + 1))

    def on_part() -> None:
        if on_progress is not None:
            on_progress(next(done), parts)

    rule = rule or DecisionRule()
    point = rule.operating_point
    target = point.class_name if point else target
    independent = clusters if patients is None else patients
    numbers = None if independent is None else number_clusters(independent)
    truth = np.asarray(labels, dtype=np.int64)
    scores = calibrate(rule.calibration, raw)
    strange = None if rule.novelty is None or novelty is None else out_of_distribution(rule.novelty, novelty)
    drawn: dict[str, Any] = {
        "thresholds": {point.class_name: point.threshold} if point else {},
        "repetitions": repetitions,
        "seed": seed,
    }
    pooled: tuple[dict[str, Figure], ByPatient | None] = ({}, None)
    if patients is not None:
        pooled = metric_intervals.patient_metrics(
            truth, scores, class_names, patients, target=target, patient_score=patient_score, **drawn
        )
        on_part()
    figures = metric_intervals.evaluate(
        truth, scores, class_names, independent, subgroups=subgroups, on_part=on_part, **drawn
    )
    curves = {
        name: _curves(truth == number, scores[:, number], decided=target is not None)
        for number, name in enumerate(class_names)
    }
    on_part()
    counts = np.bincount(truth, minlength=len(class_names))
    at_point: dict[str, Any] = {}
    if point is not None:
        number = list(class_names).index(point.class_name)
        positive, its_scores = truth == number, scores[:, number]
        at_point = {
            "operating_point": _judged(point, positive, its_scores, numbers, rule.fitted_on),
            "predictive_values": predictive_values(
                positive, its_scores, point.threshold, prevalences, clusters=numbers
            ),
        }
    return Evidence(
        class_names=list(class_names),
        n=len(truth),
        patients=None if patients is None else len(set(patients)),
        counts={name: int(count) for name, count in zip(class_names, counts, strict=True)},
        by_patient=pooled[1],
        figures={
            name: figure
            for name, figure in (figures | pooled[0]).items()
            if ordered or name.partition("@")[0] not in ORDERED_METRICS
        },
        confusion_matrix=WeightedCases(truth, scores).matrices[0].astype(np.int64).tolist(),
        target=None
        if target is None or not len(truth)
        else gather_target(
            truth, scores, class_names, target, numbers, prevalences=prevalences, draws=repetitions, seed=seed
        ),
        prevalences=dict(prevalences) if target is not None else {},
        calibration=CalibrationEvidence(
            temperature=rule.calibration.temperature,
            prior_shift=list(rule.calibration.prior_shift),
            before=_reliability(truth, np.asarray(raw, dtype=np.float64), numbers),
            after=_reliability(truth, scores, numbers),
        ),
        referral=_referral(rule, truth, scores, class_names, numbers, strange),
        curves=curves,
        coverage_error=coverage_error_curve(truth, scores, strange),
        subgroups=gather_subgroups(
            truth,
            scores,
            class_names,
            subgroups or {},
            numbers,
            target=target,
            threshold=point.threshold if point else None,
        ),
        **at_point,
    )


def compare(
    labels: npt.NDArray[np.integer[Any]],
    first: npt.NDArray[np.floating[Any]],
    second: npt.NDArray[np.floating[Any]],
    class_names: Sequence[str],
    patients: Sequence[str] | None = None,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, PairedFigure]:
    """Return the figures of two models on the same cases: AUCs by DeLong's paired test, the rest by a jackknife.

    The calibration error is not among them: chance alone makes it larger, and the more so the better the model.
    """
    truth = np.asarray(labels, dtype=np.int64)
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    clusters = None if patients is None else number_clusters(patients)
    n = len(truth)
    figures: dict[str, PairedFigure] = {}
    for number, name in enumerate(class_names):
        if on_progress is not None:
            on_progress(number, len(class_names) + 1)
        test = delong_test(truth == number, one[:, number], other[:, number], clusters)
        if test is None:
            figures[f"auc_roc.{name}"] = PairedFigure(first=None, second=None, difference=Figure(value=None, n=n))
            continue
        figures[f"auc_roc.{name}"] = PairedFigure(
            first=test.first,
            second=test.second,
            difference=figure_of(test.difference, n),
            z=test.z,
            p_value=test.p_value,
        )
    if not n:
        return figures
    figures["auc_roc"] = PairedFigure(
        first=metric_intervals.macro_auc(truth, one, clusters).value,
        second=metric_intervals.macro_auc(truth, other, clusters).value,
        difference=figure_of(metric_intervals.macro_auc_difference(truth, one, other, clusters), n),
    )
    # Every figure left is one of sums over cases, so that a patient is left out by its sums.
    sums = np.concatenate([_summed(truth, scores, len(class_names), clusters) for scores in (one, other)], axis=1)
    width = sums.shape[1] // 2
    values = [_of_sums(sums[:, place : place + width].sum(axis=0)[None], len(class_names)) for place in (0, width)]

    def differences(drawn: Floats) -> dict[str, Floats]:
        here, there = (_of_sums(drawn[:, place : place + width], len(class_names)) for place in (0, width))
        return {name: here[name] - there[name] for name in here}

    for name, estimate in jackknife(differences, sums).items():
        figures[name] = PairedFigure(
            first=finite(values[0][name][0]),
            second=finite(values[1][name][0]),
            difference=figure_of(estimate, n),
        )
    return figures


def thin_curve(curve: Curve, most: int = 100) -> Curve:
    """Return a curve with at most `most` of its points, the first and the last among them."""
    length = len(next(iter(curve.values()), []))
    kept = np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(int)).tolist() if length else []
    return {name: [values[place] for place in kept] for name, values in curve.items()}


def _summed(labels: Labels, scores: Floats, count: int, clusters: Clusters | None) -> Floats:
    """Return, for each patient, the cells of its confusion matrix and the sum of its squared errors (P, C * C + 1)."""
    truth = np.eye(count)[labels]
    rows = np.zeros((len(labels), count * count + 1))
    rows[np.arange(len(labels)), labels * count + scores.argmax(axis=1)] = 1.0
    rows[:, -1] = ((scores - truth) ** 2).sum(axis=1)
    if clusters is None:
        return rows
    return np.stack([np.bincount(clusters, weights=column) for column in rows.T], axis=1)


def _of_sums(sums: Floats, count: int) -> dict[str, Floats]:
    """Return the compared figures of B sets of sums (B, C * C + 1)."""
    counts = WeightedCounts(sums[:, :-1].reshape(-1, count, count))
    return {name: METRICS[name].formula(counts) for name in _COMPARED} | {
        "brier": counts.ratio(sums[:, -1], counts.total)
    }


def _judged(
    point: OperatingPoint, positive: npt.NDArray[np.bool_], scores: Floats, clusters: Clusters | None, part: RulePart
) -> JudgedPoint:
    flagged = reaches(scores, point.threshold)
    return JudgedPoint(
        class_name=point.class_name,
        threshold=point.threshold,
        target_sensitivity=point.target_sensitivity,
        validation_positives=point.positives,
        validation_unit=point.unit,
        reached=point.reached or point.source == "option",
        source=point.source,
        chosen_on=part,
        figures=metrics_at_threshold(positive, scores, point.threshold, clusters),
        positives=int(positive.sum()),
        missed=int((positive & ~flagged).sum()),
        negatives=int((~positive).sum()),
        called=int((~positive & flagged).sum()),
    )


def _reliability(labels: Labels, scores: Floats, clusters: Clusters | None) -> Reliability:
    cases = WeightedCases(labels, scores)
    return Reliability(
        curve=reliability_curve(labels, scores, clusters),
        ece=finite(cases.ece[0]),
        brier=finite(cases.brier[0]),
        log_loss=finite(cases.log_loss[0]),
    )


def _referral(
    rule: DecisionRule,
    labels: Labels,
    scores: Floats,
    class_names: Sequence[str],
    clusters: Clusters | None,
    strange: npt.NDArray[np.bool_] | None,
) -> Referral | None:
    reasons = [mask for mask in (is_undecided(rule, scores, class_names), strange) if mask is not None]
    if not reasons:
        return None
    away = np.logical_or.reduce(reasons)
    wrong = answers(rule, scores, class_names) != labels

    def share(of: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> Figure:
        estimate = proportion(of[among], None if clusters is None else clusters[among])
        return figure_of(estimate, int(among.sum()))

    everyone = np.ones(len(labels), dtype=np.bool_)
    outside = None
    if rule.conformal is not None:
        members = conformal_sets(rule.conformal, scores)[np.arange(len(labels)), labels]
        outside = share(~members, everyone)
    return Referral(
        error_rate=None if rule.conformal is None else rule.conformal.error_rate,
        referred=share(away, everyone),
        error_among_kept=share(wrong, ~away),
        outside=outside,
        unlike=None if strange is None else share(strange, everyone),
    )


def _curves(positive: npt.NDArray[np.bool_], scores: Floats, *, decided: bool) -> ClassCurves:
    """Return the curves of a class; `decided`: the class in question has a decision curve with a band elsewhere."""
    decision: Curve = {}
    if not decided:
        decision = {name: list(values) for name, values in decision_curve(positive, scores).items()}
    return ClassCurves(
        roc=roc_curve(positive, scores), precision_recall=precision_recall_curve(positive, scores), decision=decision
    )
