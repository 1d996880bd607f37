"""Duplicates: identical and near-identical images, gathered into groups that no split may part.

An image is known by its thumbnail, so that re-encoding, scaling and brightness change little. Candidates come from
the likeness of filtered thumbnails, in all eight orientations and a little zoomed, by blocks of one matrix product;
each candidate is then aligned (Evangelidis and Psarakis, IEEE TPAMI 2008;30:1858-1865), which undoes a small crop,
and must agree in its shapes and in its fine grain. Grain is what tells two images apart that merely look alike.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from breastai.data.decode import content_hash, decode, read_content
from breastai.domain.errors import ImageUnreadable

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)

THUMBNAIL_SIDE = 64

# On the ultrasound images this was measured on, aligned twins agree in their grain by 0.65 to 1.0 and unrelated
# images by less than 0.45; unrelated patches of 50 pixels by up to 0.65.
LEAST_CORRELATION = 0.93
LEAST_GRAIN = 0.7
_LEAST_OVERLAP = 0.7

# A candidate needs this likeness and is among an image's nearest; twins with all of a crop at one corner have 0.67 and more.
_EMBEDDING_SIDE = 24
_LEAST_LIKENESS = 0.6
_MOST_CANDIDATES = 8
_ZOOM = 0.06
_BLOCK_ROWS = 512
# A thumbnail that varies less than this, in grey levels, shows nothing to compare.
_LEAST_CONTRAST = 2.0
# Where all images of a set are the same (a frame, a panel of the device, a black corner) nothing can be told from it.
_FEWEST_FOR_STATIC = 30
_STATIC_SPREAD = 2.0
_LARGEST_STATIC_SHARE = 0.9
_FIRST_STEPS, _ALL_STEPS = 10, 60
_HOPELESS_GRAIN = 0.2
_WHITE = 250


@dataclass(frozen=True)
class Twins:
    """Two images, by number. `correlation` and `grain` are those of the aligned thumbnails; identical files have 1."""

    first: int
    second: int
    correlation: float
    grain: float
    identical: bool


@dataclass(frozen=True)
class Duplicates:
    """`groups`: the images, by number, that are twins of each other directly or through others; each of two or more."""

    pairs: tuple[Twins, ...]
    groups: tuple[tuple[int, ...], ...]

    def group_numbers(self, count: int) -> npt.NDArray[np.int64]:
        """Return a number for each of `count` images, equal within a group; an image alone has its own."""
        numbers = np.arange(count)
        for group in self.groups:
            numbers[list(group)] = group[0]
        return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def thumbnail(image: Pixels) -> Pixels:
    """Return the image, (H, W), (H, W, 1) or (H, W, 3), in grey and shrunk to THUMBNAIL_SIDE squared."""
    if image.ndim == 3:
        image = image[:, :, 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8)
    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    # Averaging areas shrinks without false patterns; it can't enlarge.
    grows = min(image.shape) < THUMBNAIL_SIDE
    method = cv2.INTER_LINEAR if grows else cv2.INTER_AREA
    return cv2.resize(np.ascontiguousarray(image), size, interpolation=method).astype(np.uint8, copy=False)


def duplicates_in(root: Path, files: Sequence[str], threads: int = 2) -> Duplicates:
    """Return the duplicates among `files`, relative to `root`; a file that can't be read has no twin."""

    def look(file: str) -> tuple[Pixels, str | None]:
        try:
            content = read_content(root / file, file)
            return thumbnail(decode(content, file)), content_hash(content, file)
        except ImageUnreadable:
            return np.zeros((THUMBNAIL_SIDE, THUMBNAIL_SIDE), dtype=np.uint8), None

    with ThreadPoolExecutor(max(1, threads)) as pool:
        seen = list(pool.map(look, files))
    # The names stand in for missing hashes: no two are equal.
    hashes = [digest or f"unread {number}" for number, (_, digest) in enumerate(seen)]
    thumbnails = np.stack([small for small, _ in seen]) if seen else np.zeros((0, 1, 1), dtype=np.uint8)
    return find_duplicates(thumbnails, hashes, threads=threads)


def find_duplicates(
    thumbnails: Pixels,
    hashes: Sequence[str],
    *,
    patients: Sequence[str | None] | None = None,
    threads: int = 2,
    progress: Callable[[float], None] = lambda share: None,
) -> Duplicates:
    """Return the duplicates among N images by their `thumbnails` (N, side, side) and the `hashes` of their files.

    Images of two known `patients` (None or empty: not known) are a pair only when their files are identical.
    `progress` is told the share done. Memory is that of the thumbnails, their embeddings and one block of likenesses.
    """
    pairs = _identical(hashes)
    known = {(twins.first, twins.second) for twins in pairs}
    static = _static(thumbnails)
    prepared = thumbnails.astype(np.float32)
    if static.any():
        prepared[:, static] = prepared[:, ~static].mean(axis=1, keepdims=True)
    candidates = [
        candidate
        for candidate in _candidates(prepared, thumbnails, lambda share: progress(share / 2))
        if candidate[:2] not in known and not _of_two_patients(patients, *candidate[:2])
    ]

    def judge(candidate: tuple[int, int, int]) -> Twins | None:
        first, second, orientation = candidate
        turned = _turned(thumbnails[first].astype(np.float32), orientation)
        seen = _turned(~static, orientation)
        likeness = _compare(turned, thumbnails[second].astype(np.float32), seen)
        return None if likeness is None else Twins(first, second, *likeness, identical=False)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        for number, found in enumerate(pool.map(judge, candidates, chunksize=64)):
            if found is not None:
                pairs.append(found)
            if number % 1000 == 0:
                progress(0.5 + number / (2 * len(candidates)))
    pairs.sort(key=lambda twins: (twins.first, twins.second))
    return Duplicates(tuple(pairs), _groups(pairs, len(hashes)))


# --- candidates ----------------------------------------------------------------------------------


def _identical(hashes: Sequence[str]) -> list[Twins]:
    """Return each file paired with the first one of the same content."""
    first: dict[str, int] = {}
    pairs: list[Twins] = []
    for number, digest in enumerate(hashes):
        earlier = first.setdefault(digest, number)
        if earlier != number:
            pairs.append(Twins(earlier, number, 1.0, 1.0, identical=True))
    return pairs


def _of_two_patients(patients: Sequence[str | None] | None, first: int, second: int) -> bool:
    """Return whether both patients are known and differ: then likeness alone makes no pair."""
    if patients is None:
        return False
    one, other = patients[first], patients[second]
    return bool(one) and bool(other) and one != other


def _static(thumbnails: Pixels) -> npt.NDArray[np.bool_]:
    """Return where all images are the same, with a rim; nowhere when they are few or it is nearly everywhere."""
    if len(thumbnails) < _FEWEST_FOR_STATIC:
        return np.zeros(thumbnails.shape[1:], dtype=bool)
    static = (thumbnails.std(axis=0, dtype=np.float32) < _STATIC_SPREAD).astype(np.uint8)
    # A single still pixel is chance; and what is close to a frame is seen through the same filters as the frame.
    static = cv2.morphologyEx(static, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(np.uint8)
    widened = cv2.dilate(static, np.ones((5, 5), np.uint8)) > 0
    return widened if widened.mean() < _LARGEST_STATIC_SHARE else np.zeros_like(widened)


def _candidates(
    prepared: Floats, thumbnails: Pixels, progress: Callable[[float], None]
) -> Iterator[tuple[int, int, int]]:
    """Yield pairs (first < second) that may be twins, each once, with the orientation that makes the first like the second."""
    usable = np.flatnonzero(thumbnails.std(axis=(1, 2), dtype=np.float32) >= _LEAST_CONTRAST)
    if len(usable) < 2:
        return
    targets = _unit_length(np.stack([_band(prepared[number]) for number in usable]))
    zoomed = _unit_length(np.stack([_band(_zoomed(prepared[number])) for number in usable]))
    columns = targets.reshape(len(usable), -1).T
    most = min(_MOST_CANDIDATES, len(usable) - 1)
    met: set[tuple[int, int]] = set()
    for start in range(0, len(usable), _BLOCK_ROWS):
        # (variants, rows, values): each image as it is and zoomed, in each orientation
        block = slice(start, start + _BLOCK_ROWS)
        variants = [_turned(part[block], orientation) for part in (targets, zoomed) for orientation in range(8)]
        queries = np.stack([variant.reshape(len(variant), -1) for variant in variants])
        best = queries[0] @ columns
        for query in queries[1:]:
            np.maximum(best, query @ columns, out=best)
        rows = np.arange(best.shape[0])
        best[rows, start + rows] = -1.0
        nearest = np.argpartition(-best, most - 1, axis=1)[:, :most]
        for row in rows:
            for column in nearest[row][best[row, nearest[row]] >= _LEAST_LIKENESS]:
                orientation = int((queries[:, row] @ columns[:, column]).argmax()) % 8
                one, other = int(usable[start + row]), int(usable[column])
                if one > other:
                    one, other, orientation = other, one, _INVERSE[orientation]
                if (one, other) not in met:
                    met.add((one, other))
                    yield one, other, orientation
        progress(min(1.0, (start + len(rows)) / len(usable)))


def _band(image: Floats) -> Floats:
    """Return the shapes between a fortieth and a tenth of the image, _EMBEDDING_SIDE squared."""
    band = cv2.GaussianBlur(image, (0, 0), 1.5) - cv2.GaussianBlur(image, (0, 0), 6.0)
    small = cv2.resize(band, (_EMBEDDING_SIDE, _EMBEDDING_SIDE), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32, copy=False)


def _unit_length(images: Floats) -> Floats:
    """Return the images (N, side, side), each without its mean and of length 1."""
    centred = images - images.mean(axis=(1, 2), keepdims=True)
    lengths = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
    scaled: Floats = (centred / np.maximum(lengths, 1e-6)).astype(np.float32)
    return scaled


def _zoomed(image: Floats) -> Floats:
    """Return the image without its rim of half _ZOOM on each side, enlarged to its old size."""
    side = image.shape[0]
    rim = _ZOOM * side / 2
    matrix = np.array([[1 - _ZOOM, 0, rim], [0, 1 - _ZOOM, rim]], dtype=np.float32)
    return _warped(image, matrix)


def _turned(images: npt.NDArray[Scalar], orientation: int) -> npt.NDArray[Scalar]:
    """Return images (..., side, side) in one of eight orientations: bit 2 transposes, then bit 0 flips left to right, bit 1 upside down."""
    if orientation & 4:
        images = images.swapaxes(-1, -2)
    if orientation & 1:
        images = images[..., ::-1]
    if orientation & 2:
        images = images[..., ::-1, :]
    return np.ascontiguousarray(images)


# The quarter turns are each other's inverse, all other orientations their own.
_INVERSE = (0, 1, 2, 3, 4, 6, 5, 7)


# --- judgement -----------------------------------------------------------------------------------


def _compare(first: Floats, second: Floats, seen: npt.NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return correlation and grain of two thumbnails as they lie or once aligned, or None when they are no twins."""
    matrix = np.eye(2, 3, dtype=np.float32)
    everywhere = np.full(second.shape, 255, dtype=np.uint8)
    for steps in (0, _FIRST_STEPS, _ALL_STEPS):
        if steps:
            criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-4)
            try:
                _, found = cv2.findTransformECC(first, second, matrix, cv2.MOTION_AFFINE, criteria, everywhere, 5)
            except cv2.error:  # it did not converge: what can't be aligned is no twin
                return None
            matrix = np.asarray(found, dtype=np.float32)
        correlation, grain = _agreement(first, second, matrix, seen)
        if correlation >= LEAST_CORRELATION and grain >= LEAST_GRAIN:
            return correlation, grain
        if steps and grain < _HOPELESS_GRAIN:
            return None
    return None


def _agreement(first: Floats, second: Floats, matrix: Floats, seen: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return correlation and grain where the two overlap; none where the overlap is too small."""
    inside = (_warped(np.ones_like(second), matrix, cv2.BORDER_CONSTANT) > 0.999) & seen
    if inside.mean() < _LEAST_OVERLAP * seen.mean():
        return 0.0, 0.0
    aligned = _warped(second, matrix)
    # What brightening has cut off at white tells nothing.
    telling = inside & (first < _WHITE) & (aligned < _WHITE)
    if telling.mean() < inside.mean() / 2:
        return 0.0, 0.0
    return _correlation(first, aligned, telling), _correlation(_grain(first), _grain(aligned), telling)


def _warped(image: Floats, matrix: Floats, border: int = cv2.BORDER_REPLICATE) -> Floats:
    size = (image.shape[1], image.shape[0])
    method = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, size, flags=method, borderMode=border).astype(np.float32, copy=False)


def _grain(image: Floats) -> Floats:
    return (image - cv2.GaussianBlur(image, (0, 0), 2.0)).astype(np.float32, copy=False)


def _correlation(first: Floats, second: Floats, inside: npt.NDArray[np.bool_]) -> float:
    one, other = first[inside] - first[inside].mean(), second[inside] - second[inside].mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm > 0 else 0.0


def _groups(pairs: Sequence[Twins], count: int) -> tuple[tuple[int, ...], ...]:
    """Return the connected images, each group and all of them in rising order."""
    parent = list(range(count))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for twins in pairs:
        one, other = sorted((root(twins.first), root(twins.second)))
        parent[other] = one
    members: dict[int, list[int]] = {}
    for number in range(count):
        members.setdefault(root(number), []).append(number)
    return tuple(tuple(group) for group in members.values() if len(group) > 1)
