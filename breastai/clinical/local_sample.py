"""A local sample: labelled cases of a site that may choose a threshold or a recalibration, and judge neither."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from breastai.clinical.apply_decision_rule import logarithm
from breastai.clinical.intervals import number_clusters
from breastai.clinical.operating_point import choose_operating_point, metrics_at_threshold
from breastai.domain.decision_rule import positives_needed
from breastai.domain.site_records import LocalSample, PointKind, PointOnRest, Recalibration
from breastai.domain.text import Text

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


def draw_sample(positive: Mask, clusters: Numbers, share: float, seed: int) -> Mask:
    """Return which of N images a sample holds: all images of some patients, the same for the same seed (N,).

    `share` below 1 is that of the patients, from 1 on their number. Patients with a positive image and the others are
    drawn apart, each in their proportion, so that a small sample has both where there are both; one of each is left.
    """
    groups, part = _strata((~positive).astype(np.int64), clusters, share)
    return _draw(groups, [max(1, round(part * len(group))) for group in groups], clusters, seed)


def draw_of_each_class(labels: Numbers, clusters: Numbers, share: float, seed: int, least: int) -> Mask:
    """Return the same of N images of several classes, `labels` (N,): patients of each class are drawn apart.

    A patient with images of several classes counts as one of the rarest of them. At least `least` patients of each class
    are drawn, and one is left where there are two or more; else as many in all as `share` says.
    """
    pairs = np.unique(np.stack([labels, clusters], axis=1), axis=0)
    rarest_first = np.argsort(np.bincount(pairs[:, 0]), kind="stable")
    groups, part = _strata(np.argsort(rarest_first)[labels], clusters, share)
    wanted = np.diff(np.rint(part * np.cumsum([0, *map(len, groups)]))).astype(int)
    return _draw(groups, [max(least, count) for count in wanted.tolist()], clusters, seed)


def _strata(strata: Numbers, clusters: Numbers, share: float) -> tuple[list[Numbers], float]:
    """Return the patients of each of the `strata` (N,), of their images' strata the first, and the share of them to draw."""
    patients = int(clusters.max()) + 1 if len(clusters) else 0
    count = int(strata.max(initial=0)) + 1
    first = np.full(patients, count)
    np.minimum.at(first, clusters, strata)
    groups = [np.flatnonzero(first == stratum) for stratum in range(count)]
    return groups, share if share < 1 else min(1.0, share / max(1, patients))


def _draw(groups: Sequence[Numbers], counts: Sequence[int], clusters: Numbers, seed: int) -> Mask:
    """Return which images (N,) are of the patients drawn, `counts` of each group, one of which is left."""
    generator = np.random.default_rng(seed)
    drawn: list[int] = []
    for group, count in zip(groups, counts, strict=True):
        drawn += generator.permutation(group)[: max(0, min(count, len(group) - 1))].tolist()
    return np.isin(clusters, drawn)


def judge_local_sample(
    positive: Mask,
    scores: Floats,
    class_name: str,
    threshold: float,
    target_sensitivity: float,
    clusters: Sequence[str] | None,
    *,
    patients: bool,
    share: float,
    seed: int,
) -> LocalSample:
    """Return what a sample of a site's N cases changes, judged on the rest alone.

    `positive` (N,): which images are of the class in question; `scores` (N,): their calibrated probabilities of it;
    `threshold`: the frozen one. `clusters` (N,) are patients where `patients` says so.
    """
    numbers = np.arange(len(positive)) if clusters is None else number_clusters(clusters)
    inside = draw_sample(positive, numbers, share, seed)
    rest = ~inside
    found = LocalSample(
        share=share,
        seed=seed,
        unit="patient" if patients else "image",
        units=len(np.unique(numbers[inside])),
        positive_units=len(np.unique(numbers[inside & positive])),
        images=int(inside.sum()),
        rest_units=len(np.unique(numbers[rest])),
        rest_images=int(rest.sum()),
        rest_positives=int((rest & positive).sum()),
        positives_needed=positives_needed(target_sensitivity),
    )
    if not (inside & positive).any() or not (inside & ~positive).any():
        return found.model_copy(update={"fault": Text("reason.local_sample_one_class", {"name": class_name})})
    chosen = choose_operating_point(
        class_name,
        positive[inside],
        scores[inside],
        None if clusters is None else numbers[inside],
        target_sensitivity,
        patients=patients,
    )
    assert chosen is not None  # there is a positive image
    recalibration = fit_recalibration(positive[inside], scores[inside])
    told: list[tuple[PointKind, float, Floats]] = [
        ("frozen", threshold, scores),
        ("refitted", chosen.threshold, scores),
        ("recalibrated", threshold, recalibrate(recalibration, scores)),
    ]
    own = None if clusters is None else number_clusters(numbers[rest])
    points = [_judge(kind, positive[rest], values[rest], limit, own) for kind, limit, values in told]
    return found.model_copy(update={"recalibration": recalibration, "points": points})


def fit_recalibration(positive: Mask, scores: Floats) -> Recalibration:
    """Return the logistic recalibration (Cox, Biometrika 1958;45:562-565) of probabilities, of least loss.

    A weak prior, worth less than a case, keeps the slope near 1 and the intercept near 0 where few cases, or cases that
    a threshold parts without a fault, would send them anywhere.
    """
    logits = _logits(scores)

    def loss(parameters: Floats) -> float:
        intercept, slope = parameters
        each = intercept + slope * logits
        lost = np.logaddexp(0.0, each) - positive * each
        return float(lost.sum() + (intercept**2 + (slope - 1) ** 2) / 2)

    intercept, slope = optimize.minimize(loss, (0.0, 1.0), method="BFGS").x.tolist()
    return Recalibration(intercept=intercept, slope=slope)


def recalibrate(recalibration: Recalibration, scores: Floats) -> Floats:
    """Return recalibrated probabilities (N,)."""
    moved: Floats = special.expit(recalibration.intercept + recalibration.slope * _logits(scores))
    return moved


def _judge(kind: PointKind, positive: Mask, scores: Floats, threshold: float, clusters: Numbers | None) -> PointOnRest:
    figures = metrics_at_threshold(positive, scores, threshold, clusters)
    both = bool(positive.any()) and not bool(positive.all())
    return PointOnRest(
        kind=kind,
        threshold=threshold,
        sensitivity=figures["sensitivity"],
        specificity=figures["specificity"],
        brier=float(((scores - positive) ** 2).mean()) if len(scores) else None,
        calibration=fit_recalibration(positive, scores) if both else None,
    )


def _logits(scores: Floats) -> Floats:
    found: Floats = logarithm(scores) - logarithm(1 - scores)
    return found
