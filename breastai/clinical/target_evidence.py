"""What an evaluation shows of the probability of the class in question: calibration, distribution and net benefit."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from breastai.clinical.calibration_measures import calibration_intercept, calibration_slope, observed_expected
from breastai.clinical.intervals import Clusters, figure_of
from breastai.clinical.net_benefit import net_benefit
from breastai.clinical.smoothed_calibration import DRAWS, smoothed_calibration
from breastai.domain.records import OutcomeProbabilities, TargetCalibration, TargetEvidence

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BINS = 20
# As many values of a class as a chart can show one by one.
_MOST_VALUES = 200


def gather_target(
    labels: Labels,
    scores: Floats,
    class_names: Sequence[str],
    target: str,
    clusters: Clusters | None = None,
    *,
    prevalences: Mapping[str, float],
    draws: int = DRAWS,
    seed: int = 0,
) -> TargetEvidence:
    """Return what N cases show of the calibrated probability of `target`; `labels` (N,), `scores` (N, C)."""
    number = list(class_names).index(target)
    positive, own = labels == number, scores[:, number]
    n = len(labels)
    options = {"draws": draws, "seed": seed}
    return TargetEvidence(
        class_name=target,
        calibration=TargetCalibration(
            slope=figure_of(calibration_slope(positive, own, clusters), n),
            intercept=figure_of(calibration_intercept(positive, own, clusters), n),
            observed_expected=figure_of(observed_expected(positive, own, clusters), n),
            smoothed=smoothed_calibration(positive, own, clusters, **options),
        ),
        by_outcome={name: probabilities_of(own[labels == index]) for index, name in enumerate(class_names) if n},
        decision=net_benefit(positive, own, clusters, **options),
        decision_at={
            name: net_benefit(positive, own, clusters, prevalence=share, **options)
            for name, share in prevalences.items()
        },
    )


def probabilities_of(probabilities: Floats) -> OutcomeProbabilities:
    """Return how the probabilities of one outcome are distributed: counts in BINS of equal width, and the values, sorted."""
    ordered = np.sort(probabilities)
    kept = np.unique(np.linspace(0, len(ordered) - 1, min(len(ordered), _MOST_VALUES)).round().astype(np.int64))
    counts = np.histogram(np.clip(ordered, 0.0, 1.0), bins=BINS, range=(0.0, 1.0))[0]
    return OutcomeProbabilities(
        n=len(ordered),
        median=float(np.median(ordered)) if len(ordered) else None,
        counts=counts.tolist(),
        values=ordered[kept].tolist() if len(ordered) else [],
    )
