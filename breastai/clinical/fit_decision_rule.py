"""The decision rule of a model: everything that turns its raw probabilities into decisions, fitted on validation cases."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.apply_decision_rule import calibrate
from breastai.clinical.calibration import fit_calibration
from breastai.clinical.intervals import number_clusters
from breastai.clinical.operating_point import choose_operating_point
from breastai.clinical.referral import with_referral
from breastai.domain.config import Config
from breastai.domain.decision_rule import Calibration, DecisionRule, cases_needed, target_class
from breastai.domain.events import Log

# From this share of cases on, referral leaves too little to the model to go unsaid.
_MUCH_REFERRED = 0.5


def training_prior(config: Config, class_names: Sequence[str]) -> list[float] | None:
    """Return how often training showed each class, where that is not how often it occurs."""
    balanced = config.training.weighted_sampler or config.training.use_class_weights
    return [1.0] * len(class_names) if balanced else None


def fit_decision_rule(
    labels: npt.NDArray[np.integer[Any]],
    probabilities: npt.NDArray[np.floating[Any]],
    class_names: Sequence[str],
    config: Config,
    clusters: Sequence[str] | None = None,
    *,
    patients: bool = False,
    calibration: Calibration | None = None,
    referral: bool = True,
) -> DecisionRule:
    """Return calibration, operating point and conformal sets from raw `probabilities` (N, C) of validation images.

    Where a class has too few cases to promise the error rate there are no sets, and the rule names the class.
    `clusters` (N,) names what is independent: patients, where `patients` says that these are known, or else groups of
    near-duplicates. `calibration`: one fitted elsewhere on the same cases. Without `referral` there are no conformal sets.
    """
    if not len(labels):
        return DecisionRule()
    if calibration is None:
        calibration = fit_calibration(labels, probabilities, training_prior(config, class_names))
    scores = calibrate(calibration, probabilities)
    name = target_class(config, class_names)
    number = list(class_names).index(name)
    numbers = None if clusters is None else number_clusters(clusters)
    rule = DecisionRule(
        calibration=calibration,
        operating_point=choose_operating_point(
            name,
            labels == number,
            scores[:, number],
            numbers,
            config.evaluation.target_sensitivity,
            patients=patients,
        ),
        n=len(labels),
    )
    if not referral:
        return rule
    return with_referral(rule, labels, scores, class_names, config.evaluation.referral_error_rate, clusters)


def describe_referral(rule: DecisionRule, config: Config) -> Iterator[Log]:
    """Yield what referral by a rule just fitted would do on validation images, or why it is not offered."""
    rate = config.evaluation.referral_error_rate
    if rule.too_few:
        names, needed = ", ".join(rule.too_few), cases_needed(rate)
        yield Log(
            level="warning",
            code="referral.too_few",
            message=f"No case can be referred for want of certainty: at an error rate of {rate:g} plausible classes take "
            f"{needed} images of each class or more set aside from training, and there are fewer of: {names}. Add such images, or "
            "raise evaluation.referral_error_rate.",
            params={"rate": rate, "needed": needed, "classes": list(rule.too_few)},
        )
    row = next((row for row in rule.trade_off if row.error_rate == rate), None)
    if row is None:
        return
    share = f"At an error rate of {rate:g} the model would refer {row.referred:.0%} of {row.n} images set aside from training to a human"
    if row.error_among_kept is None:
        message, code = f"{share}, which is all of them.", "referral.all"
    else:
        message, code = f"{share}; among the others {row.error_among_kept:.0%} of answers are wrong.", "referral.share"
    yield Log(
        level="warning" if row.referred >= _MUCH_REFERRED else "info",
        code=code,
        message=message,
        params={
            "rate": rate,
            "referred": f"{100 * row.referred:.0f}",
            "n": row.n,
            "error": "" if row.error_among_kept is None else f"{100 * row.error_among_kept:.0f}",
        },
    )
