"""Pairs of images that may be near-duplicates: they share local features in one scale and direction.

Features are sorted into cells by k-means of their descriptors, and compared within a cell only, so that the work grows
little faster than the number of images. Each pair of like features votes for a pair of images, a scale and a turn;
images whose votes agree are candidates.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
    unit_vectors,
)

Numbers = npt.NDArray[np.int64]
_NOTHING: Numbers = np.zeros(0, dtype=np.int64)

# Of each image so many features ask, among so many of every other's.
_ASKING, _ASKED = 50, 100
_DIMENSIONS = 32
_SAMPLE = 20_000
# Cells hold so many features, and more where there would be more than this many times the root of all features.
_CELL = 500
_CELLS_PER_ROOT = 2
_ROUNDS = 3
_CELLS_VISITED = 2
# A block of likenesses fits into a processor's cache.
_BLOCK = 1024
_IMAGES_AT_ONCE = 64
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
    search = _Search(features)
    found: list[tuple[Numbers, Numbers]] = []
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for variant in VARIANTS:
            ballots = np.concatenate([_NOTHING, *_in_order(pool, search.parts(variant), 4 * threads)])
            found.append(_counted(ballots))
            progress((variant + 1) / len(VARIANTS))
    bins, votes = (np.concatenate(values) for values in zip(*found, strict=True))
    return _elected(bins, votes, len(features))


def _in_order(pool: ThreadPoolExecutor, parts: Iterator[Callable[[], Numbers]], most: int) -> Iterator[Numbers]:
    """Yield what each part returns, in order; at most so many are begun before they are asked for."""
    waiting: deque[Future[Numbers]] = deque()
    for part in parts:
        waiting.append(pool.submit(part))
        if len(waiting) > most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _Search:
    """The cells of all descriptors, shortened to their main directions (principal components of a sample)."""

    def __init__(self, features: Sequence[Features]) -> None:
        self._features = features
        counts = [min(_ASKED, len(item.places)) for item in features]
        self._owners = np.repeat(np.arange(len(features), dtype=np.int32), counts)
        self._places = np.concatenate([item.places[:_ASKED] for item in features])
        total = len(self._owners)
        # The place of each feature in its own image.
        rank = np.arange(total) - np.searchsorted(self._owners, np.arange(len(features)))[self._owners]
        self._asking = np.flatnonzero(rank < _ASKING)
        generator = np.random.default_rng(0)
        chosen = generator.permutation(total)[:_SAMPLE]
        picked = [
            features[owner].descriptors[place] for owner, place in zip(self._owners[chosen], rank[chosen], strict=True)
        ]
        sample = unit_vectors(np.stack(picked))
        self._mean = sample.mean(axis=0)
        self._directions = np.linalg.svd(sample - self._mean, full_matrices=False)[2][:_DIMENSIONS].T
        short = self._shortened(_ASKED, 0)
        count = max(1, min(total // _CELL, _CELLS_PER_ROOT * int(np.sqrt(total))))
        self._centres = short[generator.permutation(total)[:count]].copy()
        sample = short[generator.permutation(total)[: 40 * count]]
        for _ in range(_ROUNDS):
            cells = self._nearest_cells(sample, 1)[:, 0]
            sums = np.zeros_like(self._centres)
            np.add.at(sums, cells, sample)
            filled = np.linalg.norm(sums, axis=1) > 0
            self._centres[filled] = sums[filled] / np.linalg.norm(sums[filled], axis=1, keepdims=True)
        home = self._nearest_cells(short, 1)[:, 0]
        self._order = np.argsort(home, kind="stable")
        self._starts = np.searchsorted(home[self._order], np.arange(count + 1))
        self._short = short

    def parts(self, variant: int) -> Iterator[Callable[[], Numbers]]:
        """Yield the work of each cell: it returns the votes of the like features, one number for each."""
        short = self._shortened(_ASKING, variant)
        visited = self._nearest_cells(short, _CELLS_VISITED)
        order = np.argsort(visited.ravel(), kind="stable")
        rows, starts = order // visited.shape[1], np.searchsorted(visited.ravel()[order], np.arange(len(self._starts)))
        for cell in range(len(self._centres)):
            here = rows[starts[cell] : starts[cell + 1]]
            asked = self._order[self._starts[cell] : self._starts[cell + 1]]
            if len(here) and len(asked):
                yield partial(self._votes, self._asking[here], short[here], asked, variant)

    def _votes(self, asking: Numbers, short: Floats, asked: Numbers, variant: int) -> Numbers:
        found: list[Numbers] = []
        there, owners = self._short[asked].T, self._owners[asked]
        for start in range(0, len(asking), _BLOCK):
            block = slice(start, start + _BLOCK)
            likeness = (short[block] @ there).ravel()
            near = np.flatnonzero(likeness > _LEAST_LIKENESS)
            rows, columns = np.divmod(near, len(asked))
            others = self._owners[asking[block]][rows] != owners[columns]
            rows, columns, near = rows[others], columns[others], near[others]
            # Of many like features, as in a film's frames, the nearest are enough.
            order = np.lexsort((-likeness[near], rows))
            rows, columns = rows[order], columns[order]
            kept = np.arange(len(rows)) - np.searchsorted(rows, rows) < _NEAREST
            found.append(self._ballots(asking[block][rows[kept]], asked[columns[kept]], variant))
        return np.concatenate(found)

    def _ballots(self, one: Numbers, other: Numbers, variant: int) -> Numbers:
        """Return for each pair of like features a number that stands for two images, the variant, a scale and a turn."""
        places, owners, count = self._places, self._owners.astype(np.int64), len(self._features)
        scale = np.rint(np.log2(places[other, 2] / places[one, 2])).astype(np.int64) + _SCALES // 2
        angle = (180 - places[one, 3] if variant & MIRRORED else places[one, 3]) + (180 if variant & INVERTED else 0)
        turn = np.rint(((places[other, 3] - angle) % 360) / (360 / _TURNS)).astype(np.int64) % _TURNS
        # Seen from the other image the scale is the inverse, and so is the turn unless it is that of a mirror.
        low, high = np.minimum(owners[one], owners[other]), np.maximum(owners[one], owners[other])
        swapped = owners[one] > owners[other]
        scale = np.clip(np.where(swapped, _SCALES - 1 - scale, scale), 0, _SCALES - 1)
        if not variant & MIRRORED:
            turn = np.where(swapped, (_TURNS - turn) % _TURNS, turn)
        ballots: Numbers = (((low * count + high) * len(VARIANTS) + variant) * _SCALES + scale) * _TURNS + turn
        return ballots

    def _shortened(self, most: int, variant: int) -> Floats:
        """Return the `most` strongest features of every image, changed by `variant`, one below the other."""
        counts = [min(most, len(item.places)) for item in self._features]
        ends = np.cumsum([0, *counts])
        result = np.empty((ends[-1], self._directions.shape[1]), dtype=np.float32)
        for start in range(0, len(counts), _IMAGES_AT_ONCE):
            images = self._features[start : start + _IMAGES_AT_ONCE]
            block = np.concatenate([item.descriptors[:most] for item in images])[:, PERMUTATIONS[variant]]
            short = (unit_vectors(block) - self._mean) @ self._directions
            lengths = np.maximum(np.linalg.norm(short, axis=1, keepdims=True), 1e-6)
            result[ends[start] : ends[start + len(images)]] = short / lengths
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


def _counted(ballots: Numbers) -> tuple[Numbers, Numbers]:
    """Return the ballots with enough votes, and how many each has together with its neighbours in scale and in turn."""
    if not len(ballots):
        return ballots, ballots
    bins, votes = np.unique(ballots, return_counts=True)

    def votes_of(wanted: Numbers) -> Numbers:
        at = np.minimum(np.searchsorted(bins, wanted), len(bins) - 1)
        return np.where(bins[at] == wanted, votes[at], 0)

    # A true scale or turn may lie on the border of two bins.
    total = (
        votes + votes_of(np.where(bins % _TURNS == _TURNS - 1, bins - _TURNS + 1, bins + 1)) + votes_of(bins + _TURNS)
    )
    enough = total >= LEAST_VOTES
    return bins[enough], total[enough]


def _elected(bins: Numbers, votes: Numbers, count: int) -> list[Candidate]:
    """Return the candidates by their votes, the most first."""
    order = np.lexsort((bins, -votes))
    chosen: dict[tuple[int, int], Candidate] = {}
    seen = np.zeros(count, dtype=np.int64)
    for value, weight in zip((bins[order] // (_SCALES * _TURNS)).tolist(), votes[order].tolist(), strict=True):
        images, changed = divmod(value, len(VARIANTS))
        low, high = divmod(images, count)
        if (low, high) in chosen or min(seen[low], seen[high]) >= MOST_CANDIDATES:
            continue
        seen[[low, high]] += 1
        chosen[low, high] = Candidate(low, high, changed, int(weight))
    return list(chosen.values())
