"""The operating point: the probability from which a class is called, chosen on validation, frozen, judged on test."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from breastai.clinical.apply_decision_rule import reaches
from breastai.clinical.composite_intervals import complement, predictive_value, ratio
from breastai.clinical.intervals import Cases, Clusters, Estimate, Scores, figure_of, proportion
from breastai.domain.decision_rule import OperatingPoint, positives_needed
from breastai.domain.events import Figure

TARGET_SENSITIVITY = 0.95
# The share of cancers among those seen: in screening about 6 in 1,000; among women referred to a clinic a fifth to a third.
PREVALENCES: Mapping[str, float] = {"screening": 0.006, "clinic": 0.2, "referral_clinic": 0.3}

Floats = npt.NDArray[np.float64]


def choose_operating_point(
    class_name: str,
    positive: Cases,
    scores: Scores,
    clusters: Clusters | None = None,
    target_sensitivity: float = TARGET_SENSITIVITY,
    *,
    patients: bool = False,
) -> OperatingPoint | None:
    """Return the highest threshold that keeps the target for an image of a new case; None without a positive image.

    A case is a cluster, a patient where `patients` says so, or an image of its own. Of K cases with positive images
    each weighs 1 / (K + 1), shared by its images; below the threshold lies the largest weight that, with one case
    more, is at most 1 - target: a positive image of the next case then falls below it with at most that probability,
    on average over validation sets (Vovk's split conformal argument; Fisch et al., ICLR 2022 for recall; Lee, Barber
    and Willett 2023 for several images of a case). With one image each it is the floor((K + 1)(1 - target))-th lowest
    score. The threshold lies half way to the next lower score of any image, so that a rounding error of an export
    changes no decision.
    """
    if not 0 < target_sensitivity < 1:
        raise ValueError("a target sensitivity lies between 0 and 1")
    if not positive.any():
        return None
    order = np.argsort(scores[positive], kind="stable")
    ranked = np.asarray(scores[positive], dtype=np.float64)[order]
    own = np.arange(len(ranked)) if clusters is None else np.asarray(clusters)[positive][order]
    members, sizes = np.unique(own, return_inverse=True, return_counts=True)[1:]
    cases = len(sizes)
    # Of all images with lower scores, in cases; the slack undoes the rounding of such sums and of 1 - 0.95.
    weights = 1 / sizes[members]
    below_each = (np.cumsum(weights) - weights)[np.searchsorted(ranked, ranked)]
    allowed = np.flatnonzero(below_each + 1 <= (cases + 1) * (1 - target_sensitivity) + 1e-9)
    lowest_called = float(ranked[allowed[-1] if len(allowed) else 0])
    below = scores[scores < lowest_called]
    threshold = (lowest_called + (float(below.max()) if len(below) else 0.0)) / 2
    figures = metrics_at_threshold(positive, scores, threshold, clusters)
    return OperatingPoint(
        class_name=class_name,
        threshold=threshold,
        target_sensitivity=target_sensitivity,
        positives=cases,
        positives_needed=positives_needed(target_sensitivity),
        sensitivity=figures["sensitivity"],
        specificity=figures["specificity"],
        unit="image" if clusters is None else "patient" if patients else "group",
    )


def metrics_at_threshold(
    positive: Cases, scores: Scores, threshold: float | Floats, clusters: Clusters | None = None
) -> dict[str, Figure]:
    """Return sensitivity, specificity, precision and npv of a `threshold`, one for all N cases or one for each (N,)."""
    shares = shares_of_decision(positive, reaches(scores, threshold), clusters)
    return {name: figure_of(share, n) for name, (share, n) in shares.items()}


def shares_of_decision(
    positive: Cases, predicted: Cases, clusters: Clusters | None = None
) -> dict[str, tuple[Estimate, int]]:
    """Return sensitivity, specificity, precision and npv of N decisions, each with the number of cases it is a share of.

    `positive` (N,): what is true; `predicted` (N,): which cases are predicted positive.
    """
    rows = {
        "sensitivity": (predicted, positive),
        "specificity": (~predicted, ~positive),
        "precision": (positive, predicted),
        "npv": (~positive, ~predicted),
    }
    return {
        name: (proportion(right[among], None if clusters is None else clusters[among]), int(among.sum()))
        for name, (right, among) in rows.items()
    }


def predictive_values(
    positive: Cases,
    scores: Scores,
    threshold: float,
    prevalences: Mapping[str, float] = PREVALENCES,
    clusters: Clusters | None = None,
) -> dict[str, Figure]:
    """Return `ppv.NAME` and `npv.NAME` at each prevalence, by Bayes' rule from sensitivity and specificity.

    The cases at hand are rarely as many among the healthy as in life, so their own predictive values mislead. Both rise
    with a ratio of likelihoods alone, whose interval is carried over (see composite_intervals).
    """
    n, predicted = len(positive), reaches(scores, threshold)
    hit, cleared = (
        proportion(success[among], None if clusters is None else clusters[among])
        for success, among in ((predicted, positive), (~predicted, ~positive))
    )
    # How much more often the finding is right than wrong.
    of_call, of_none = ratio(hit, complement(cleared)), ratio(cleared, complement(hit))
    figures: dict[str, Figure] = {}
    for name, prevalence in prevalences.items():
        odds = (1 - prevalence) / prevalence
        figures[f"ppv.{name}"] = figure_of(predictive_value(of_call, odds), n)
        figures[f"npv.{name}"] = figure_of(predictive_value(of_none, 1 / odds), n)
    return figures


def decision_curve(
    positive: Cases, probabilities: Scores, thresholds: Sequence[float] | None = None, prevalence: float | None = None
) -> dict[str, list[float]]:
    """Return the net benefit of the model, of calling all and of calling none, for each threshold probability.

    Net benefit (Vickers and Elkin, Med Decis Making 2006;26:565-574): true positives minus false positives weighted by
    the odds of the threshold, per case. `prevalence` puts that of life in place of the one at hand. The probabilities
    must be calibrated. Empty without both a positive and a negative case.
    """
    places = np.asarray(np.arange(0.01, 1.0, 0.01) if thresholds is None else thresholds, dtype=np.float64)
    if positive.all() or not positive.any():
        return {"threshold": [], "model": [], "all": [], "none": []}
    share = float(positive.mean()) if prevalence is None else prevalence
    predicted = reaches(probabilities[None, :], places[:, None])
    sensitivity, false_rate = predicted[:, positive].mean(axis=1), predicted[:, ~positive].mean(axis=1)
    odds = places / (1 - places)
    return {
        "threshold": places.tolist(),
        "model": (sensitivity * share - false_rate * (1 - share) * odds).tolist(),
        "all": (share - (1 - share) * odds).tolist(),
        "none": [0.0] * len(places),
    }
