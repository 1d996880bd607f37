"""A logistic probe: multinomial logistic regression with an L2 penalty on embeddings, the penalty chosen within.

The penalised loss is sum over cases of weight * cross-entropy + ||W||^2 / (2 C), on standardised features. In the
eigenbasis of the weighted features the curvature is bounded by a diagonal (Boehning & Lindsay, Ann. Inst. Statist. Math.
40, 1988), so that accelerated gradient steps (Nesterov 1983, with restarts of O'Donoghue & Candes 2015) take few passes, and all
inner folds at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

# How far a logit may vary, a priori, which is C times D: from one that hardly learns to one that hardly restrains.
LOGIT_VARIANCES = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)
INNER_FOLDS = 3
_MOST_STEPS = 400
_TOLERANCE, _INNER_TOLERANCE = 1e-5, 1e-3
_TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear classifier of embeddings (N, D): logits are features @ weights.T + bias.

    `weights` (C, D), `bias` (C,). `strength`: the C of the penalty; `inner_loss`: the mean cross-entropy on inner folds
    by strength, the strongest penalties first, up to where it grew again; empty where there were too few groups to choose,
    and the middle one was taken.
    """

    weights: Floats
    bias: Floats
    strength: float
    inner_loss: dict[float, float]

    def probabilities(self, features: npt.NDArray[np.floating]) -> Floats:
        """Return probabilities (N, C)."""
        return softmax(features.astype(np.float64) @ self.weights.T + self.bias)


@dataclass(frozen=True, eq=False)
class _Basis:
    """Standardised features in the eigenbasis of their weighted products: `rows` (N, R), `curvature` (R,).

    `back` (D, R): a weight vector w of the basis is back @ w for the standardised features.
    """

    rows: Floats32
    curvature: Floats32
    back: Floats32
    centre: Floats
    scale: Floats


def fit_probe(
    features: npt.NDArray[np.floating],
    labels: Numbers,
    groups: Sequence[object] | None,
    classes: int,
    *,
    balanced: bool,
    strengths: Sequence[float] | None = None,
    seed: int = 0,
) -> Probe:
    """Return the probe of features (N, D) and labels (N,), its strength chosen by inner folds with groups (N,) whole.

    `balanced`: each class weighs the same, else each case. Of strengths equal within rounding the weaker wins.
    """
    strengths = [*(strengths or ())] or [each / features.shape[1] for each in LOGIT_VARIANCES]
    weights = class_weights(labels, classes) if balanced else np.ones(len(labels))
    basis = _eigenbasis(features, weights)
    truth = np.eye(classes, dtype=np.float32)[labels]
    inner_loss: dict[float, float] = {}
    strength = strengths[len(strengths) // 2]
    held_out = _inner_folds(labels, groups, seed) if len(strengths) > 1 else []
    if held_out:
        inner_loss = _inner_losses(basis, truth, weights, held_out, strengths)
        strength = min(inner_loss, key=lambda each: (round(inner_loss[each], 6), each))
    solved, bias = _solve(basis, truth, weights[:, None], strength, _TOLERANCE)
    own: Floats = (basis.back.astype(np.float64) @ solved[:, :, 0]) / basis.scale[:, None]  # (D, C)
    return Probe(own.T, bias[:, 0] - basis.centre @ own, strength, inner_loss)


def softmax(logits: npt.NDArray[np.floating]) -> Floats:
    """Return the probabilities of logits (..., C)."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    found: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return found


def class_weights(labels: Numbers, classes: int) -> Floats:
    """Return a weight for each case (N,), of mean 1, with which each class that has cases weighs the same."""
    counts = np.bincount(labels, minlength=classes)
    found: Floats = (len(labels) / ((counts > 0).sum() * np.maximum(counts, 1)))[labels]
    return found


def _eigenbasis(features: npt.NDArray[np.floating], weights: Floats) -> _Basis:
    share = weights / weights.sum()
    centre = share @ features.astype(np.float64)
    away = (features - centre).astype(np.float32)
    spread = np.sqrt(share @ (away.astype(np.float64) ** 2))
    scale = np.where(spread > _TINY, spread, 1.0)
    standard = away / scale.astype(np.float32)
    rooted = standard * np.sqrt(weights).astype(np.float32)[:, None]
    if len(features) <= features.shape[1]:
        found, vectors = np.linalg.eigh(rooted @ rooted.T)
        kept = found > found[-1] * _TINY
        root = np.sqrt(found[kept])
        back = rooted.T @ (vectors[:, kept] / root)
    else:
        found, vectors = np.linalg.eigh(rooted.T @ rooted)
        kept = found > found[-1] * _TINY
        back = vectors[:, kept]
    rows = standard @ back
    return _Basis(rows, found[kept], back, centre, scale)


def _inner_folds(labels: Numbers, groups: Sequence[object] | None, seed: int) -> list[Numbers]:
    """Return the held-out cases of each inner fold; none where a class has too few groups to be held out."""
    numbers = np.arange(len(labels)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    fewest = min(len(np.unique(numbers[labels == each])) for each in np.unique(labels))
    if fewest < INNER_FOLDS or len(np.unique(labels)) < 2:
        return []
    # Each group goes by the class of its first case; those of a class are dealt in turn, in a random order.
    first = np.unique(numbers, return_index=True)[1]
    order = np.random.default_rng(seed).permutation(len(first))
    dealt = order[np.argsort(labels[first[order]], kind="stable")]
    fold_of = np.empty(len(first), dtype=np.int64)
    fold_of[dealt] = np.arange(len(first)) % INNER_FOLDS
    return [np.flatnonzero(fold_of[numbers] == fold) for fold in range(INNER_FOLDS)]


def _inner_losses(
    basis: _Basis, truth: Floats32, weights: Floats, held_out: list[Numbers], strengths: Sequence[float]
) -> dict[float, float]:
    """Return by strength the mean weighted cross-entropy of cases, each judged by the inner fold that held it out."""
    masked = np.repeat(weights[:, None], len(held_out), axis=1)
    for number, part in enumerate(held_out):
        masked[part, number] = 0.0
    losses: dict[float, float] = {}
    start = None
    for each in sorted(strengths):  # each begins where the stronger penalty before it ended
        start = _solve(basis, truth, masked, each, _INNER_TOLERANCE, start)
        solved, bias = start
        loss = 0.0
        for number, part in enumerate(held_out):
            said = softmax(basis.rows[part] @ solved[:, :, number] + bias[:, number])
            loss -= float(weights[part] @ np.log(np.maximum((said * truth[part]).sum(axis=1), 1e-12)))
        losses[float(each)] = loss / float(weights.sum())
        if losses[float(each)] > min(losses.values()):
            break
    return losses


def _solve(
    basis: _Basis,
    truth: Floats32,
    weights: Floats,
    strength: float,
    tolerance: float,
    start: tuple[Floats32, Floats32] | None = None,
) -> tuple[Floats32, Floats32]:
    """Return the weights (R, C, B) and biases (C, B) of B problems, each with its own case weights (N, B).

    It ends when no problem's last step is larger than the tolerance, as a share of its weights' length.
    """
    rows, classes, problems = basis.rows, truth.shape[1], weights.shape[1]
    penalty = np.float32(1 / strength)
    step = 1 / (0.5 * basis.curvature + penalty)[:, None, None]
    bias_step = (2 / weights.sum(axis=0)).astype(np.float32)
    share, truths = weights.astype(np.float32)[:, None, :], truth[:, :, None]
    if start is None:
        start = np.zeros((len(step), classes, problems), np.float32), np.zeros((classes, problems), np.float32)
    (at, at_bias), momentum = start, np.ones(problems, dtype=np.float32)
    ahead, ahead_bias = at, at_bias
    for _ in range(_MOST_STEPS):
        wrong = _shares(
            (rows @ ahead.reshape(len(step), classes * problems)).reshape(-1, classes, problems) + ahead_bias
        )
        wrong -= truths
        wrong *= share
        slope = (rows.T @ wrong.reshape(len(rows), classes * problems)).reshape(at.shape) + penalty * ahead
        bias_slope: Floats32 = wrong.sum(axis=0)
        there: Floats32 = np.subtract(ahead, step * slope, dtype=np.float32)
        there_bias: Floats32 = ahead_bias - bias_step * bias_slope
        moved, moved_bias = there - at, there_bias - at_bias
        # Where a step leads uphill its momentum begins anew.
        uphill = np.einsum("rcb,rcb->b", slope, moved) + (bias_slope * moved_bias).sum(axis=0) > 0
        momentum[uphill] = 1.0
        following = ((1 + np.sqrt(1 + 4 * momentum**2)) / 2).astype(np.float32)
        push = np.where(uphill, 0.0, (momentum - 1) / following).astype(np.float32)
        ahead, ahead_bias = there + push * moved, there_bias + push * moved_bias
        at, at_bias, momentum = there, there_bias, following
        moved_by = np.einsum("rcb,rcb->b", moved, moved) + (moved_bias**2).sum(axis=0)
        if (moved_by <= tolerance**2 * (np.einsum("rcb,rcb->b", at, at) + (at_bias**2).sum(axis=0))).all():
            break
    return at, at_bias


def _shares(logits: Floats32) -> Floats32:
    """Turn logits (N, C, B) into probabilities, class by class: numpy is slow over an axis of three."""
    parts = [logits[:, number] for number in range(logits.shape[1])]
    top = parts[0]
    for part in parts[1:]:
        top = np.maximum(top, part)
    logits -= top[:, None]
    np.exp(logits, out=logits)
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    logits /= total[:, None]
    return logits
