"""Refer to a human for want of certainty: conformal sets, fitted where there are enough cases, and what they cost."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.apply_decision_rule import decide
from breastai.clinical.intervals import number_clusters
from breastai.domain.decision_rule import ConformalSets, DecisionRule, cases_needed
from breastai.domain.records import ReferralTradeOff

Labels = npt.NDArray[np.integer[Any]]
Probabilities = npt.NDArray[np.floating[Any]]

ERROR_RATE = 0.1
# Error rates whose cost is told beside that of the one configured.
COMPARED_RATES = (0.05, 0.1, 0.2)
# More fits than this tell nothing more.
_MOST_FOLDS = 50


def classes_with_too_few(labels: Labels, class_names: Sequence[str], error_rate: float) -> tuple[str, ...]:
    """Return the classes of which there are fewer cases than `cases_needed`."""
    counts = np.bincount(labels, minlength=len(class_names))
    needed = cases_needed(error_rate)
    return tuple(name for name, count in zip(class_names, counts, strict=True) if count < needed)


def weigh_referral(
    labels: Labels,
    probabilities: Probabilities,
    class_names: Sequence[str],
    rule: DecisionRule,
    error_rate: float,
    clusters: Sequence[str] | None = None,
) -> tuple[ReferralTradeOff, ...]:
    """Return what referral would do at a few error rates, on calibrated `probabilities` (N, C) of validation cases.

    Each case is decided by `rule` with sets fitted on the other clusters (patients, groups of near-duplicates). Rates that
    ask for more cases than there are get no row.
    """
    groups = np.arange(len(labels)) if clusters is None else number_clusters(clusters)
    folds = groups % _MOST_FOLDS
    rows = []
    for rate in sorted({*COMPARED_RATES, error_rate}):
        if classes_with_too_few(labels, class_names, rate):
            continue
        refer, wrong = np.zeros(len(labels), dtype=bool), np.zeros(len(labels), dtype=bool)
        for fold in np.unique(folds):
            held = folds == fold
            sets = fit_conformal(labels[~held], probabilities[~held], rate)
            decisions = decide(rule.model_copy(update={"conformal": sets}), probabilities[held], class_names)
            refer[held] = [bool(decision.refer) for decision in decisions]
            truths = (class_names[label] for label in labels[held].tolist())
            wrong[held] = [decision.answer != truth for decision, truth in zip(decisions, truths, strict=True)]
        among_kept = None if refer.all() else float(wrong[~refer].mean())
        row = ReferralTradeOff(
            error_rate=rate, referred=float(refer.mean()), error_among_kept=among_kept, n=len(labels)
        )
        rows.append(row)
    return tuple(rows)


def with_referral(
    rule: DecisionRule,
    labels: Labels,
    probabilities: Probabilities,
    class_names: Sequence[str],
    error_rate: float,
    clusters: Sequence[str] | None = None,
) -> DecisionRule:
    """Return `rule` with conformal sets from calibrated `probabilities` (N, C), and what they would cost.

    Where a class has fewer cases than `cases_needed` there are none, and the rule names the class.
    """
    too_few = classes_with_too_few(labels, class_names, error_rate)
    return rule.model_copy(
        update={
            "conformal": None if too_few else fit_conformal(labels, probabilities, error_rate),
            "too_few": too_few,
            "trade_off": weigh_referral(labels, probabilities, class_names, rule, error_rate, clusters),
        }
    )


def fit_conformal(
    labels: Labels, probabilities: Probabilities, error_rate: float = ERROR_RATE, *, by_class: bool = True
) -> ConformalSets:
    """Return split-conformal sets from validation cases not used to train (LAC: Sadinle et al., JASA 2019;114:223-234).

    `by_class` holds the promise for each class by itself (Vovk's Mondrian sets): an average one may be kept by the
    common class at the expense of the rare. Calibrate the probabilities first: the sets get smaller, the promise
    stays. The promise takes the cases to be exchangeable, so patients with many images loosen it.
    """
    if not 0 < error_rate < 1:
        raise ValueError("an error rate lies between 0 and 1")
    of_the_truth = np.asarray(probabilities, dtype=np.float64)[np.arange(len(labels)), labels]
    count = probabilities.shape[1]
    if by_class:
        thresholds = tuple(_threshold(of_the_truth[labels == index], error_rate) for index in range(count))
    else:
        thresholds = (_threshold(of_the_truth, error_rate),) * count
    return ConformalSets(error_rate=error_rate, thresholds=thresholds, by_class=by_class)


def _threshold(of_the_truth: npt.NDArray[np.float64], error_rate: float) -> float:
    """Return the ceil((n + 1)(1 - error_rate))-th highest probability of the true class; 0 when n is too small."""
    place = math.ceil((len(of_the_truth) + 1) * (1 - error_rate) - 1e-9)
    if place > len(of_the_truth):
        return 0.0
    return float(np.sort(of_the_truth)[::-1][place - 1])
