"""The decision rule of a model: everything that turns its raw probabilities into decisions, fitted on validation cases."""

from collections.abc import Sequence

import numpy as np

from breastai.clinical.calibration import fit_calibration
from breastai.clinical.decision import calibrated
from breastai.clinical.metrics import Labels, Probabilities
from breastai.clinical.operating_point import choose_operating_point
from breastai.clinical.referral import fit_conformal
from breastai.domain.config import Config
from breastai.domain.decision import DecisionRule, target_class


def taught_prior(config: Config, class_names: Sequence[str]) -> list[float] | None:
    """Return how often training showed each class, where that is not how often it occurs."""
    balanced = config.training.weighted_sampler or config.training.use_class_weights
    return [1.0] * len(class_names) if balanced else None


def fit_decision_rule(
    labels: Labels,
    probabilities: Probabilities,
    class_names: Sequence[str],
    config: Config,
    patients: Sequence[str] | None = None,
) -> DecisionRule:
    """Return calibration, operating point and conformal sets from raw `probabilities` (N, C) of validation cases."""
    if not len(labels):
        return DecisionRule()
    calibration = fit_calibration(labels, probabilities, taught_prior(config, class_names))
    scores = calibrated(calibration, probabilities)
    name = target_class(config, class_names)
    number = list(class_names).index(name)
    clusters = None if patients is None else np.unique(np.asarray(patients), return_inverse=True)[1]
    return DecisionRule(
        calibration=calibration,
        operating_point=choose_operating_point(
            name, labels == number, scores[:, number], clusters, config.evaluation.target_sensitivity
        ),
        conformal=fit_conformal(labels, scores, config.evaluation.referral_error_rate),
        n=len(labels),
    )
