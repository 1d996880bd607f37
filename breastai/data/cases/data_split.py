"""Splits: a part of the images set aside, seeded, stratified by class and by whole patients only."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from breastai.domain.errors import TooFewPatients

Indices = npt.NDArray[np.int64]
_Counts = npt.NDArray[np.float64]
_Choice = npt.NDArray[np.bool_]

# Up to this many groups every possible choice is compared; beyond, choices are improved step by step.
_EXHAUSTIVE_GROUPS = 14
_STARTS = 12
_SWAP_CANDIDATES = 200
# Choices whose faults differ by less are equally good, and chance decides.
_TOLERANCE = 1e-4
# Outweighs any departure from the share: a class must be on both sides.
_MISSING_CLASS = 1e6


def split(
    labels: npt.NDArray[np.integer],
    groups: Sequence[str] | None,
    share: float,
    seed: int,
    class_names: Sequence[str],
) -> tuple[Indices, Indices]:
    """Return the sorted indices of the rest and of the images held out, about `share` of each class.

    All images of one of `groups` (one name for each image; patients) are on the same side; without groups each
    image stands alone. The same arguments give the same split. Raises TooFewPatients unless every class can be
    on both sides.
    """
    classes = np.asarray(labels, dtype=np.int64)
    rng = np.random.default_rng(seed)
    number_of_group = {name: number for number, name in enumerate(sorted(set(groups)))} if groups is not None else {}
    if groups is None or len(number_of_group) == len(classes):
        held_out = _single_images(classes, share, rng, class_names)
    else:
        members = np.array([number_of_group[name] for name in groups], dtype=np.int64)
        held_out = _whole_groups(classes, members, share, rng, class_names)[members]
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def deal(
    labels: npt.NDArray[np.integer],
    groups: Sequence[str] | None,
    folds: int,
    seed: int,
    class_names: Sequence[str],
) -> Indices:
    """Return the fold of each image, from 0: `folds` parts of about the same share of each class, groups whole.

    One part after another is set aside by `split`, so that each class is in every part. Raises TooFewPatients.
    """
    classes = np.asarray(labels, dtype=np.int64)
    for label, name in enumerate(class_names):
        own: list[int] = np.flatnonzero(classes == label).tolist()
        units = len(own) if groups is None else len({groups[number] for number in own})
        if units < folds:
            raise TooFewPatients(name, units, folds, "images" if groups is None else "patients")
    dealt = np.full(len(classes), folds - 1, dtype=np.int64)
    left = np.arange(len(classes))
    for fold in range(folds - 1):
        among = None if groups is None else [groups[number] for number in left.tolist()]
        rest, part = split(classes[left], among, 1 / (folds - fold), seed + fold, class_names)
        dealt[left[part]] = fold
        left = left[rest]
    return dealt


def _single_images(classes: Indices, share: float, rng: np.random.Generator, class_names: Sequence[str]) -> _Choice:
    """Say of each image whether it is held out: the share of each class, rounded so that the sum is right too."""
    totals = np.bincount(classes, minlength=len(class_names))
    for name, total in zip(class_names, totals, strict=True):
        if total < 2:
            raise TooFewPatients(name, int(total), 2, "images")
    wanted = totals * share
    numbers = np.clip(np.floor(wanted), 1, totals - 1).astype(np.int64)
    for label in np.argsort(numbers - wanted, kind="stable"):
        if numbers.sum() < round(len(classes) * share) and numbers[label] < totals[label] - 1:
            numbers[label] += 1
    held_out = np.zeros(len(classes), dtype=np.bool_)
    for label, number in enumerate(numbers):
        held_out[rng.permutation(np.flatnonzero(classes == label))[:number]] = True
    return held_out


def _whole_groups(
    classes: Indices, members: Indices, share: float, rng: np.random.Generator, class_names: Sequence[str]
) -> _Choice:
    """Say of each group whether it is held out; `members` is the group of each image."""
    counts = np.zeros((int(members.max()) + 1, len(class_names)))
    np.add.at(counts, (members, classes), 1)
    for name, found in zip(class_names, np.count_nonzero(counts, axis=0), strict=True):
        if found < 2:
            raise TooFewPatients(name, int(found), 2, "patients")
    chosen = (
        _best_of_all(counts, share, rng) if len(counts) <= _EXHAUSTIVE_GROUPS else _best_of_some(counts, share, rng)
    )
    held = counts[chosen].sum(axis=0)
    for label, name in enumerate(class_names):
        if held[label] in (0, counts[:, label].sum()):
            raise TooFewPatients(name, int(np.count_nonzero(counts[:, label])), 3, "patients")
    return chosen


def _fault(held: _Counts, totals: _Counts, share: float) -> _Counts:
    """Return how far choices are from the share; `held`, images of each class held out, has shape (..., C)."""
    by_class = np.square(held / totals - share).sum(axis=-1)
    overall = np.square(held.sum(axis=-1) / totals.sum() - share)
    missing = ((held < 0.5) | (held > totals - 0.5)).sum(axis=-1)
    return np.asarray(by_class + len(totals) * overall + _MISSING_CLASS * missing)


def _best_of_all(counts: _Counts, share: float, rng: np.random.Generator) -> _Choice:
    choices = (np.arange(1 << len(counts))[:, np.newaxis] >> np.arange(len(counts))) & 1
    faults = _fault(choices @ counts, counts.sum(axis=0), share)
    equally_good = np.flatnonzero(faults <= faults.min() + _TOLERANCE)
    return np.asarray(choices[rng.choice(equally_good)], dtype=np.bool_)


def _best_of_some(counts: _Counts, share: float, rng: np.random.Generator) -> _Choice:
    """Improve several random choices, moving one group or exchanging two as long as that helps; return the best."""
    totals = counts.sum(axis=0)
    kinds = np.unique(counts, axis=0, return_inverse=True)[1].reshape(-1)
    best, least = np.zeros(len(counts), dtype=np.bool_), np.inf
    for _ in range(_STARTS):
        chosen = rng.random(len(counts)) < share
        held = counts[chosen].sum(axis=0)
        fault = float(_fault(held, totals, share))
        for _ in range(4 * len(counts)):
            change, improved = _best_change(counts, kinds, chosen, held, totals, share, rng)
            if improved >= fault - 1e-12:
                break
            chosen[change] ^= True
            held, fault = counts[chosen].sum(axis=0), improved
        if fault < least - _TOLERANCE:
            best, least = chosen, fault
    return best


def _best_change(
    counts: _Counts,
    kinds: Indices,
    chosen: _Choice,
    held: _Counts,
    totals: _Counts,
    share: float,
    rng: np.random.Generator,
) -> tuple[Indices, float]:
    """Return the groups whose change of side makes the smallest fault, one or a pair, and that fault.

    Groups of one of `kinds` (G,) have the same images of each class: of each kind one stands for all.
    """
    inside, outside = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    # Of each kind on each side the first, then of each the first of those drawn, in the order of the draw.
    least = np.sort(np.concatenate([_firsts(inside, kinds)[1], _firsts(outside, kinds)[1]]))
    away, into = (
        drawn[np.sort(_firsts(drawn, kinds)[0])]
        for drawn in (rng.permutation(side)[:_SWAP_CANDIDATES] for side in (inside, outside))
    )
    change_of_one = np.where(chosen[least, np.newaxis], -counts[least], counts[least])
    change_of_two = (counts[into] - counts[away][:, np.newaxis]).reshape(-1, counts.shape[1])
    faults = _fault(held + np.concatenate([change_of_one, change_of_two]), totals, share)
    moves, swaps = faults[: len(least)], faults[len(least) :]
    move = int(moves.argmin())
    if len(swaps):
        swap = int(swaps.argmin())
        if swaps[swap] < moves[move]:
            first, second = divmod(swap, len(into))
            return np.array([away[first], into[second]]), float(swaps[swap])
    return least[move : move + 1], float(moves[move])


def _firsts(side: Indices, kinds: Indices) -> tuple[Indices, Indices]:
    """Return of each kind (K,) among groups (G,) where the first one stands, and which it is."""
    first = np.full(int(kinds.max()) + 1, -1)
    first[kinds[side[::-1]]] = np.arange(len(side) - 1, -1, -1)
    places = first[first >= 0]
    return places, side[places]
