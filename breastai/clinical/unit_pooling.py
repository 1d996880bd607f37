"""Pooling: from the images of a breast, an exam or a patient to one label and one row of probabilities. Numpy alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.domain.patient_settings import PoolingRule
from breastai.domain.unit_rule import Pooling

Labels = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]
Probabilities = npt.NDArray[np.floating[Any]]

# A probability of 0 or 1 would outvote every other image.
_SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class PooledImages:
    """K units from N images: raw `probabilities` (K, C), and `weights` (N,), the share of each image in its unit's answer."""

    probabilities: Floats
    weights: Floats


def pool_images(
    pooling: Pooling,
    probabilities: Probabilities,
    units: Numbers,
    class_names: Sequence[str],
    attention: Probabilities | None = None,
) -> PooledImages:
    """Return the pooled answers of units, from raw `probabilities` (N, C) and `units` (N,), numbers from 0 up.

    `attention` (N, 1 + C), of the rule of this name: for each image how much it is heeded, as a logarithm, and the logits
    that it speaks for. Any number of images makes a unit, one too.
    """
    if pooling.rule == "attention":
        if attention is None:
            raise ValueError("pooling by attention needs what the network heeds in each image")
        return _by_attention(np.asarray(attention, dtype=np.float64), units)
    known = np.maximum(np.asarray(probabilities, dtype=np.float64), _SMALLEST)
    target = list(class_names).index(pooling.class_name)
    return _POOLED[pooling.rule](known, units, target, pooling.sharpness)


def labels_of_units(
    labels: Numbers, units: Numbers, classes: int, target: int | None
) -> tuple[Labels, npt.NDArray[np.bool_]]:
    """Return the label of each unit (K,), and which have images of several classes (K,).

    Any image of the `target` class makes the unit one of it; any other is of the class that most of its images have, of
    equals the first.
    """
    count = int(units.max(initial=-1)) + 1
    of_class = np.bincount(units * classes + labels, minlength=count * classes).reshape(count, classes)
    found = of_class.argmax(axis=1)
    if target is not None:
        found = np.where(of_class[:, target] > 0, target, found)
    return found.astype(np.int64), (of_class > 0).sum(axis=1) > 1


def first_of_each(units: Numbers) -> Labels:
    """Return the place of the first image of each unit, (K,)."""
    found: Labels = np.unique(units, return_index=True)[1].astype(np.int64)
    return found


def largest_of_each(values: Floats, units: Numbers) -> Floats:
    """Return the largest of the values (N,) in each unit, (K,)."""
    found = np.full(int(units.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(found, units, values)
    return found


def _sums(values: Floats, units: Numbers) -> Floats:
    """Return the sums of rows (N, M), or of values (N,), in each unit."""
    found = np.zeros((int(units.max(initial=-1)) + 1, *values.shape[1:]))
    np.add.at(found, units, values)
    return found


def _softmax_shares(energies: Floats, units: Numbers) -> Floats:
    """Return what share each image has in its unit by a softmax of `energies` (N,)."""
    heeded = np.exp(energies - largest_of_each(energies, units)[units])
    shares: Floats = heeded / _sums(heeded, units)[units]
    return shares


def _mean(known: Floats, units: Numbers, target: int, sharpness: float) -> PooledImages:
    shares = 1 / np.bincount(units)[units]
    return PooledImages(_sums(known * shares[:, None], units), shares)


def _largest(known: Floats, units: Numbers, target: int, sharpness: float) -> PooledImages:
    # By unit, then by the target's probability: the last of each unit is the largest.
    order = np.lexsort((known[:, target], units))
    chosen = order[np.cumsum(np.bincount(units)) - 1]
    shares = np.zeros(len(units))
    shares[chosen] = 1.0
    return PooledImages(known[chosen], shares)


def _noisy_or(known: Floats, units: Numbers, target: int, sharpness: float) -> PooledImages:
    missed = np.log1p(-np.minimum(known[:, target], 1 - _SMALLEST))
    shares = missed / np.minimum(_sums(missed, units), -1e-300)[units]
    return PooledImages(_with_target(known, units, target, -np.expm1(_sums(missed, units))), shares)


def _log_sum_exp(known: Floats, units: Numbers, target: int, sharpness: float) -> PooledImages:
    odds = np.log(known[:, target]) - np.log1p(-np.minimum(known[:, target], 1 - _SMALLEST))
    if sharpness == 0:
        shares = 1 / np.bincount(units)[units]
        pooled = _sums(odds * shares, units)
    else:
        top = largest_of_each(odds, units)
        sizes = np.bincount(units)
        raised = np.exp(sharpness * (odds - top[units]))
        pooled = top + np.log(_sums(raised, units) / sizes) / sharpness
        shares = raised / _sums(raised, units)[units]
    return PooledImages(_with_target(known, units, target, 1 / (1 + np.exp(-pooled))), shares)


def _with_target(known: Floats, units: Numbers, target: int, probability: Floats) -> Floats:
    """Return rows (K, C) with this `probability` (K,) of the target class, the rest shared as the images' mean shares it."""
    others = known.copy()
    others[:, target] = 0.0
    rest = _sums(others, units)
    rest /= np.maximum(rest.sum(axis=1, keepdims=True), 1e-300)
    rows: Floats = rest * (1 - probability)[:, None]
    rows[:, target] = probability
    return rows


def _by_attention(attention: Floats, units: Numbers) -> PooledImages:
    shares = _softmax_shares(attention[:, 0], units)
    logits = _sums(attention[:, 1:] * shares[:, None], units)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return PooledImages(raised / raised.sum(axis=1, keepdims=True), shares)


_POOLED: Mapping[PoolingRule, Callable[[Floats, Numbers, int, float], PooledImages]] = {
    "mean": _mean,
    "largest": _largest,
    "noisy_or": _noisy_or,
    "learnt": _log_sum_exp,
}
