"""The decision rule of breasts, exams or patients: pooling, calibration, threshold, sets and novelty, fitted at that unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.calibration import fit_pooled_calibration, pooled_loss
from breastai.clinical.fit_decision_rule import fit_decision_rule, training_prior
from breastai.clinical.intervals import number_clusters
from breastai.clinical.out_of_distribution import QUANTILE, largest_kept
from breastai.clinical.unit_pooling import first_of_each, labels_of_units, largest_of_each, pool_images
from breastai.domain.config import Config
from breastai.domain.decision_rule import DecisionRule, NoveltyLimit, target_class
from breastai.domain.patient_settings import DecisionUnit
from breastai.domain.unit_rule import Pooling, UnitRule

# How much the largest of several images counts, from their mean to nearly the largest alone.
SHARPNESSES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class UnitCases:
    """N validation images of units: `labels` (N,), raw `probabilities` (N, C), `units` and `patients` by name, (N,).

    `attention` (N, 1 + C): what the network heeds, where that pools. `novelty` (N,): by scores fitted without each case;
    `limit`: that of single images.
    """

    labels: npt.NDArray[np.integer[Any]]
    probabilities: npt.NDArray[np.floating[Any]]
    units: Sequence[str]
    patients: Sequence[str] | None = None
    attention: npt.NDArray[np.floating[Any]] | None = None
    novelty: Floats | None = None
    limit: NoveltyLimit | None = None


def fit_unit_rule(cases: UnitCases, unit: DecisionUnit, class_names: Sequence[str], config: Config) -> UnitRule | None:
    """Return what units are decided by, fitted on validation cases; None without one."""
    if not len(cases.labels):
        return None
    target = target_class(config, class_names)
    number = list(class_names).index(target)
    units = number_clusters(cases.units)
    labels = labels_of_units(np.asarray(cases.labels, dtype=np.int64), units, len(class_names), number)[0]
    prior = training_prior(config, class_names)
    pooling = Pooling(rule=config.evaluation.pooling, class_name=target)
    if pooling.rule == "learnt":
        pooling = _sharpened(pooling, cases, units, labels, class_names, prior)
    pooled = pool_images(pooling, cases.probabilities, units, class_names, cases.attention).probabilities
    # A network of pooled features has learnt with each class equally heavy whatever drew its images.
    prior = [1.0] * len(class_names) if pooling.rule == "attention" else prior
    first = first_of_each(units)
    whose = None if cases.patients is None else [cases.patients[place] for place in first]
    rule = fit_decision_rule(
        labels,
        pooled,
        class_names,
        config,
        whose,
        patients=cases.patients is not None,
        calibration=fit_pooled_calibration(labels, pooled, prior),
    )
    return UnitRule(unit=unit, pooling=pooling, decision=_with_novelty(rule, cases, units))


def _sharpened(
    pooling: Pooling,
    cases: UnitCases,
    units: Numbers,
    labels: Numbers,
    class_names: Sequence[str],
    prior: Sequence[float] | None,
) -> Pooling:
    """Return the rule `learnt` with the sharpness of least calibrated loss, of equals the least."""
    tried = [pooling.model_copy(update={"sharpness": sharpness}) for sharpness in SHARPNESSES]
    losses = [
        pooled_loss(labels, pool_images(each, cases.probabilities, units, class_names).probabilities, prior)
        for each in tried
    ]
    return tried[int(np.argmin(losses))]


def _with_novelty(rule: DecisionRule, cases: UnitCases, units: Numbers) -> DecisionRule:
    """Return the rule with a limit for the most unlike image of a unit."""
    if cases.novelty is None or cases.limit is None:
        return rule
    worst = largest_of_each(cases.novelty, units)
    limit = cases.limit.model_copy(
        update={"limit": largest_kept(worst), "quantile": min(QUANTILE, len(worst) / (len(worst) + 1)), "n": len(worst)}
    )
    return rule.model_copy(update={"novelty": limit})
