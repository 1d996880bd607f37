"""A classifier's last layer fitted anew on a few labelled cases, held near what it was; how near, they say themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

FOLDS = 5
# How strongly the layer is held where it was, by what its logits may change with standardised features: by some 0.3, 1 or
# 3. None: as it was.
STRENGTHS: tuple[float | None, ...] = (None, 10.0, 1.0, 0.1)
# A prior on the change of each intercept, worth less than a case.
_OF_INTERCEPTS = 1.0


@dataclass(frozen=True)
class RefittedHead:
    """What is added to the layer: `weights` (C, D) and `intercepts` (C,), zeros where it stays as it was.

    `strength`: one of STRENGTHS, that of the least log loss in `log_loss`, mean by case over the folds that did not fit it.
    `logits` (N, C): those of each case by layers fitted without it and its patient.
    """

    weights: Floats
    intercepts: Floats
    strength: float | None
    log_loss: Mapping[float | None, float]
    logits: Floats


def refit_head(features: Floats, logits: Floats, labels: Labels, clusters: Labels, seed: int) -> RefittedHead:
    """Return the layer's change from `features` (N, D), the `logits` (N, C) it gives them now, and labels (N,).

    `clusters` (N,) numbers what is independent, such as patients: a fold takes all of one or nothing.
    """
    folds = assign_sample_folds(labels, clusters, seed)
    held_out = {strength: _held_out(features, logits, labels, folds, strength) for strength in STRENGTHS}
    losses = {strength: log_loss(found, labels) for strength, found in held_out.items()}
    # Of equals the one that changes least.
    strength = min(STRENGTHS, key=lambda each: losses[each])
    weights, intercepts = _fit(features, logits, labels, strength)
    return RefittedHead(weights, intercepts, strength, losses, held_out[strength])


def assign_sample_folds(labels: Labels, clusters: Labels, seed: int) -> Labels:
    """Return the fold of each case (N,): whole clusters, those with a case of each class dealt out evenly."""
    generator = np.random.default_rng(seed)
    folds = np.zeros(len(labels), dtype=np.int64)
    numbers = np.unique(clusters)
    rarest = np.argsort(np.bincount(labels), kind="stable").tolist()
    place = {label: number for number, label in enumerate(rarest)}
    of_each = np.array([min(place[label] for label in labels[clusters == number].tolist()) for number in numbers])
    order = np.lexsort((generator.permutation(len(numbers)), of_each))
    for position, number in enumerate(numbers[order].tolist()):
        folds[clusters == number] = position % min(FOLDS, len(numbers))
    return folds


def log_loss(logits: Floats, labels: Labels) -> float:
    """Return the mean log loss of logits (N, C)."""
    return float(-special.log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())


def _held_out(features: Floats, logits: Floats, labels: Labels, folds: Labels, strength: float | None) -> Floats:
    found = logits.astype(np.float64)
    if strength is None:
        return found
    for fold in np.unique(folds):
        inside, outside = folds != fold, folds == fold
        weights, intercepts = _fit(features[inside], logits[inside], labels[inside], strength)
        found[outside] += features[outside] @ weights.T + intercepts
    return found


def _fit(features: Floats, logits: Floats, labels: Labels, strength: float | None) -> tuple[Floats, Floats]:
    """Return the change of least penalised loss: a Gaussian prior on weights of standardised features, centred on none."""
    count, classes = features.shape[1], logits.shape[1]
    if strength is None or len(labels) < 2:
        return np.zeros((classes, count)), np.zeros(classes)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-6 * max(1e-12, float(scale.max())), scale, np.inf)
    standard = (features - mean) / scale
    truth = np.eye(classes)[labels]
    penalty = strength * count

    def loss(parameters: Floats) -> tuple[float, Floats]:
        weights, intercepts = parameters[: classes * count].reshape(classes, count), parameters[classes * count :]
        now = logits + standard @ weights.T + intercepts
        probabilities = special.softmax(now, axis=1)
        value = -special.log_softmax(now, axis=1)[truth.astype(bool)].sum()
        value += penalty / 2 * (weights**2).sum() + _OF_INTERCEPTS / 2 * (intercepts**2).sum()
        gap = probabilities - truth
        slope = [gap.T @ standard + penalty * weights, gap.sum(axis=0) + _OF_INTERCEPTS * intercepts]
        return float(value), np.concatenate([each.ravel() for each in slope])

    best = optimize.minimize(loss, np.zeros(classes * (count + 1)), jac=True, method="L-BFGS-B").x
    weights = best[: classes * count].reshape(classes, count) / scale
    return weights, best[classes * count :] - weights @ mean


def sample_units(labels: Sequence[int], clusters: Sequence[int], classes: int) -> list[int]:
    """Return in how many clusters each of `classes` classes occurs."""
    pairs = set(zip(labels, clusters, strict=True))
    return [sum(label == number for label, _ in pairs) for number in range(classes)]
