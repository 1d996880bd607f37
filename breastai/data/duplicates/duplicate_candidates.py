"""Pairs of images that may be near-duplicates: they share local features in one scale and direction.

Features are sorted into cells by k-means of their descriptors, and compared within a cell only, so that the work grows
with the number of images and not with that of their pairs. Each pair of like features votes for a pair of images, a
scale and a turn; images whose votes agree are candidates.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from breastai.data.duplicates.image_features import (
    INVERTED,
    MIRRORED,
    PERMUTATIONS,
    VARIANTS,
    Features,
    Floats,
    Pixels,
    stack_features,
    unit_vectors,
)

Numbers = npt.NDArray[np.int64]

# Of each image so many features ask, among so many of every other's.
_ASKING, _ASKED = 50, 100
_DIMENSIONS = 32
_SAMPLE = 20_000
_CELL = 500
_ROUNDS = 3
_CELLS_VISITED = 2
_BLOCK = 4096
_LEAST_LIKENESS = 0.85
_NEAREST = 4
_SCALES, _TURNS = 17, 12
LEAST_VOTES = 4
MOST_CANDIDATES = 8


class Candidate(NamedTuple):
    """Two images by number, first < second, and how the first must be changed to be like the second."""

    first: int
    second: int
    variant: int
    votes: int


def candidates(
    features: Sequence[Features], threads: int = 2, progress: Callable[[float], None] = lambda share: None
) -> list[Candidate]:
    """Return the pairs with enough votes, the most likely variant of each, the most of MOST_CANDIDATES an image."""
    if sum(len(item.places) > 0 for item in features) < 2:
        return []
    owners, places, descriptors = stack_features(features, _ASKED)
    starts = np.searchsorted(owners, np.arange(len(features)))
    asking = np.flatnonzero(np.arange(len(owners)) - starts[owners] < _ASKING)
    search = _Search(descriptors, owners)
    matches: list[Numbers] = []
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for variant in VARIANTS:
            matches += pool.map(lambda part: part(), search.parts(asking, descriptors, variant))
            progress((variant + 1) / len(VARIANTS))
    return _elected(np.concatenate(matches), owners.astype(np.int64), places, len(features))


class _Search:
    """The cells of all descriptors, shortened to their main directions (principal components of a sample)."""

    def __init__(self, descriptors: Pixels, owners: npt.NDArray[np.int32]) -> None:
        generator = np.random.default_rng(0)
        sample = unit_vectors(descriptors[generator.permutation(len(descriptors))[:_SAMPLE]])
        self._owners = owners
        self._mean = sample.mean(axis=0)
        self._directions = np.linalg.svd(sample - self._mean, full_matrices=False)[2][:_DIMENSIONS].T
        self._short = self._shortened(descriptors, 0)
        count = max(1, len(descriptors) // _CELL)
        self._centres = self._short[generator.permutation(len(self._short))[:count]].copy()
        sample = self._short[generator.permutation(len(self._short))[: 40 * count]]
        for _ in range(_ROUNDS):
            cells = self._nearest_cells(sample, 1)[:, 0]
            sums = np.zeros_like(self._centres)
            np.add.at(sums, cells, sample)
            filled = np.linalg.norm(sums, axis=1) > 0
            self._centres[filled] = sums[filled] / np.linalg.norm(sums[filled], axis=1, keepdims=True)
        home = self._nearest_cells(self._short, 1)[:, 0]
        self._order = np.argsort(home, kind="stable")
        self._starts = np.searchsorted(home[self._order], np.arange(count + 1))

    def parts(self, asking: Numbers, descriptors: Pixels, variant: int) -> Iterator[Callable[[], Numbers]]:
        """Yield the work of each cell: it returns the like features (n, 3), as asking, asked and variant."""
        short = self._shortened(descriptors[asking], variant)
        visited = self._nearest_cells(short, _CELLS_VISITED)
        rows = np.repeat(np.arange(len(asking)), visited.shape[1])
        order = np.argsort(visited.ravel(), kind="stable")
        rows, cells = rows[order], visited.ravel()[order]
        starts = np.searchsorted(cells, np.arange(len(self._centres) + 1))
        for cell in range(len(self._centres)):
            here = rows[starts[cell] : starts[cell + 1]]
            asked = self._order[self._starts[cell] : self._starts[cell + 1]]
            if len(here) and len(asked):
                yield partial(self._alike, asking[here], short[here], asked, variant)

    def _alike(self, asking: Numbers, short: Floats, asked: Numbers, variant: int) -> Numbers:
        found: list[Numbers] = []
        for start in range(0, len(asking), _BLOCK):
            block = slice(start, start + _BLOCK)
            likeness = short[block] @ self._short[asked].T
            likeness[self._owners[asking[block]][:, None] == self._owners[asked][None, :]] = -1.0
            rows, columns = np.nonzero(likeness > _LEAST_LIKENESS)
            # Of many like features, as in a film's frames, the nearest are enough.
            order = np.lexsort((-likeness[rows, columns], rows))
            rows, columns = rows[order], columns[order]
            rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
            near = rank < _NEAREST
            rows, columns = rows[near], columns[near]
            found.append(np.stack([asking[block][rows], asked[columns], np.full(len(rows), variant)], axis=1))
        return np.concatenate(found)

    def _shortened(self, descriptors: Pixels, variant: int) -> Floats:
        result = np.empty((len(descriptors), self._directions.shape[1]), dtype=np.float32)
        for start in range(0, len(descriptors), _BLOCK):
            block = unit_vectors(descriptors[start : start + _BLOCK][:, PERMUTATIONS[variant]])
            short = (block - self._mean) @ self._directions
            result[start : start + _BLOCK] = short / np.maximum(np.linalg.norm(short, axis=1, keepdims=True), 1e-6)
        return result

    def _nearest_cells(self, short: Floats, most: int) -> Numbers:
        most = min(most, len(self._centres))
        result = np.empty((len(short), most), dtype=np.int64)
        for start in range(0, len(short), _BLOCK):
            likeness = short[start : start + _BLOCK] @ self._centres.T
            result[start : start + _BLOCK, 0] = likeness.argmax(axis=1)
            for rank in range(1, most):
                likeness[np.arange(len(likeness)), result[start : start + _BLOCK, rank - 1]] = -2.0
                result[start : start + _BLOCK, rank] = likeness.argmax(axis=1)
        return result


def _elected(matches: Numbers, owners: Numbers, places: Floats, count: int) -> list[Candidate]:
    """Return the candidates that like features (n, 3) vote for: their scales and turns must agree."""
    if not len(matches):
        return []
    one, other, variant = matches.T
    scale = np.rint(np.log2(places[other, 2] / places[one, 2])).astype(np.int64) + _SCALES // 2
    mirrored = (variant & MIRRORED) > 0
    angle = np.where(mirrored, 180 - places[one, 3], places[one, 3]) + np.where(variant & INVERTED, 180, 0)
    turn = np.rint(((places[other, 3] - angle) % 360) / (360 / _TURNS)).astype(np.int64) % _TURNS
    # Seen from the other image the scale is the inverse, and so is the turn unless it is that of a mirror.
    swapped = owners[one] > owners[other]
    first, second = np.where(swapped, owners[other], owners[one]), np.where(swapped, owners[one], owners[other])
    scale = np.clip(np.where(swapped, _SCALES - 1 - scale, scale), 0, _SCALES - 1)
    turn = np.where(swapped & ~mirrored, (_TURNS - turn) % _TURNS, turn)
    pair = (first * count + second) * len(VARIANTS) + variant
    bins, votes = np.unique((pair * _SCALES + scale) * _TURNS + turn, return_counts=True)

    def votes_of(wanted: Numbers) -> Numbers:
        at = np.minimum(np.searchsorted(bins, wanted), len(bins) - 1)
        return np.where(bins[at] == wanted, votes[at], 0)

    # A true scale or turn may lie on the border of two bins.
    total = (
        votes + votes_of(np.where(bins % _TURNS == _TURNS - 1, bins - _TURNS + 1, bins + 1)) + votes_of(bins + _TURNS)
    )
    order = np.argsort(-total, kind="stable")
    order = order[total[order] >= LEAST_VOTES]
    pairs = bins[order] // (_SCALES * _TURNS)
    chosen: dict[tuple[int, int], Candidate] = {}
    seen = np.zeros(count, dtype=np.int64)
    for value, weight in zip(pairs.tolist(), total[order].tolist(), strict=True):
        images, changed = divmod(value, len(VARIANTS))
        low, high = divmod(images, count)
        if (low, high) in chosen or min(seen[low], seen[high]) >= MOST_CANDIDATES:
            continue
        seen[[low, high]] += 1
        chosen[low, high] = Candidate(low, high, changed, int(weight))
    return list(chosen.values())
