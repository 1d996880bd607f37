"""Pairs of one patient's images that are alike as a whole: what is compared where images are very many and patients known.

A split keeps a patient's images together whatever they show, so that a copy within a patient leaks nothing: it only counts
an image twice, or gives it a second label. Local features of all images would cost many times what reading them does.
Here each image is the fine structure of a small grid of its grey values, turned and mirrored in the eight ways, also
inverted, and compared with all others of its patient, or among very many with those near to it along the direction in
which they differ most.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from breastai.data.duplicates.duplicate_candidates import MOST_CANDIDATES, Candidate
from breastai.data.duplicates.grey_thumbnails import without_padding
from breastai.data.duplicates.image_features import INVERTED, MIRRORED, Floats, Pixels

Numbers = npt.NDArray[np.int64]

_GRID = 16
# What is broader than this, in cells, is alike in many patches of one stain; so is an edge, before contrast is evened out.
_BROAD, _NOISE = 1.5, 2.0
# Of 400 patches of histology 95 to 99 % are this much alike with themselves after JPEG, scaling, another gamma or a pixel
# cut off at each side, and 90 % with two cut off; of 640,000 pairs of different ones none are.
LEAST_LIKENESS = 0.6
# A grid that varies less than this, in grey levels, shows nothing to compare.
_LEAST_CONTRAST = 2.0
_BLOCK = 1024
_MOST_ALIKE, _DECIMALS = 4 * MOST_CANDIDATES, 3
# Of a patient with more images each is compared with so many to either side of it.
_ALL_COMPARED, _WINDOW = 16_384, 8_192
_QUARTER_TURNS = 4
_SAMPLE = 4096


def patient_candidates(
    thumbnails: Sequence[Pixels],
    patients: Sequence[str | None],
    threads: int = 2,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Candidate]:
    """Return the pairs of images of one patient (N,) whose thumbnails are alike, the most alike first.

    Of each image at most MOST_CANDIDATES. The work grows as the images do, however many are of one patient.
    """
    members: dict[str | None, list[int]] = {}
    for number, patient in enumerate(patients):
        members.setdefault(patient, []).append(number)
    found: list[tuple[float, Candidate]] = []
    done = 0
    with ThreadPoolExecutor(max(1, threads)) as pool:
        of_each = pool.map(lambda numbers: list(_of_one_patient(thumbnails, numbers)), members.values())
        for numbers, pairs in zip(members.values(), of_each, strict=True):
            found += pairs
            done += len(numbers)
            progress(done / len(patients))
    # The same pair may be alike in several ways: the best counts.
    chosen: dict[tuple[int, int], Candidate] = {}
    count = [0] * len(patients)
    for _, each in sorted(found, key=_by_likeness):
        if each[:2] in chosen or max(count[each.first], count[each.second]) >= MOST_CANDIDATES:
            continue
        count[each.first] += 1
        count[each.second] += 1
        chosen[each[:2]] = each
    return list(chosen.values())


def _by_likeness(item: tuple[float, Candidate]) -> tuple[float, int, Candidate]:
    """Return what sorts the most alike to the front, and of equals those next to each other: a chain joins them all."""
    likeness, each = item
    return -round(likeness, _DECIMALS), each.second - each.first, each


def _of_one_patient(thumbnails: Sequence[Pixels], members: Sequence[int]) -> Iterator[tuple[float, Candidate]]:
    """Yield the pairs of alike images among some, by number, and how much they are."""
    numbers = np.asarray(members, dtype=np.int64)
    grids = _grids(thumbnails, numbers)
    shown = grids.std(axis=(1, 2)) >= _LEAST_CONTRAST
    numbers = numbers[shown]
    for likeness, first, second, turns in _pairs(grids[shown]):
        variant = (MIRRORED if turns >= _QUARTER_TURNS else 0) | (INVERTED if likeness < 0 else 0)
        yield abs(likeness), Candidate(int(numbers[first]), int(numbers[second]), variant, 0)


def _grids(thumbnails: Sequence[Pixels], numbers: Numbers) -> Floats:
    """Return the grids (n, _GRID, _GRID) of some images, by number, in grey levels."""
    grids = np.empty((len(numbers), _GRID, _GRID), dtype=np.float32)
    for place, number in enumerate(numbers.tolist()):
        small = np.ascontiguousarray(without_padding(thumbnails[number]))
        grids[place] = cv2.resize(small, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    return grids


def _fine(grids: Floats) -> Floats:
    """Return the fine structure of grids, (n, side, side), of the same contrast all over, each of mean 0 and length 1."""
    fine = np.empty_like(grids)
    for place, grid in enumerate(grids):
        above = grid - cv2.GaussianBlur(grid, (0, 0), _BROAD)
        fine[place] = above / (np.sqrt(cv2.GaussianBlur(above * above, (0, 0), _BROAD)) + _NOISE)
    return _unit_rows(fine).reshape(grids.shape)


def _turned(grids: Floats, turns: int) -> Floats:
    """Return grids (n, side, side) in one of the eight ways: so many quarter turns, from the fifth on of the mirror image."""
    mirrored = grids[:, :, ::-1] if turns >= _QUARTER_TURNS else grids
    return np.rot90(mirrored, turns % _QUARTER_TURNS, axes=(1, 2))


def _pairs(grids: Floats) -> Iterator[tuple[float, int, int, int]]:
    """Yield each pair that is alike, first < second: how much, below 0 when inverted, both places and the first one's turns."""
    if len(grids) < 2:
        return
    fine = _fine(grids)
    along = _main_direction(grids) if len(grids) > _ALL_COMPARED else None
    base = _Side.of(fine, grids, along, 1)
    for turns in range(2 * _QUARTER_TURNS):
        changed = _turned(fine, turns), _turned(grids, turns)
        # Where all are compared, what is alike when inverted is seen by the way.
        for sign in (1,) if along is None else (1, -1):
            asking = _Side.of(*changed, along, sign)
            for first, second, likeness in _alike(asking, base, both=along is None):
                if first < second:
                    yield sign * likeness, first, second, turns


def _main_direction(grids: Floats) -> Floats:
    """Return the direction, (values,), in which some of the grids differ most."""
    chosen = np.random.default_rng(0).permutation(len(grids))[:_SAMPLE]
    sample = _unit_rows(grids[chosen])
    direction: Floats = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)[2][0]
    return direction


class _Side(NamedTuple):
    """Images to compare, ordered along a direction: their `values` (n, values) of length 1, `where` they lie, rising, and their `places`."""

    values: Floats
    where: Floats
    places: Numbers

    @classmethod
    def of(cls, fine: Floats, grids: Floats, along: Floats | None, sign: int) -> "_Side":
        """Return them by their fine structure, with `sign` -1 inverted; without a direction in their own order."""
        where = np.zeros(len(grids), dtype=np.float32) if along is None else sign * (_unit_rows(grids) @ along)
        places = np.argsort(where, kind="stable")
        return cls(sign * _unit_rows(fine)[places], where[places], places)


def _unit_rows(grids: Floats) -> Floats:
    """Return grids as rows (n, values) of mean 0 and length 1."""
    rows = np.ascontiguousarray(grids).reshape(len(grids), math.prod(grids.shape[1:]))
    rows = rows - rows.mean(axis=1, keepdims=True)
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return unit


def _alike(asking: _Side, base: _Side, both: bool) -> Iterator[tuple[int, int, float]]:
    """Yield the places of those that are alike, and how much; with `both` also those that are when inverted, below 0."""
    for start in range(0, len(asking.places), _BLOCK):
        block = slice(start, start + _BLOCK)
        low, high = np.searchsorted(base.where, asking.where[block][[0, -1]], side="left")
        window = slice(max(0, low - _WINDOW), high + _WINDOW) if not both else slice(None)
        likeness = asking.values[block] @ base.values[window].T
        strength = np.abs(likeness) if both else likeness
        near = strength >= LEAST_LIKENESS
        # Where all are alike, as a film's frames, pairs would grow with the square: of equals the next ones are taken.
        for row in np.flatnonzero(np.count_nonzero(near, axis=1) > _MOST_ALIKE):
            columns = np.flatnonzero(near[row])
            apart = np.abs(base.places[window][columns] - asking.places[block][row])
            order = np.lexsort((apart, -strength[row, columns].round(_DECIMALS)))
            near[row, columns[order[_MOST_ALIKE:]]] = False
        rows, columns = np.nonzero(near)
        firsts, seconds = asking.places[block][rows], base.places[window][columns]
        yield from zip(firsts.tolist(), seconds.tolist(), likeness[rows, columns].tolist(), strict=True)
