"""Whether two images show the same: one is laid upon the other by their common features, then grain is compared.

Grain, the fine structure that no second exposure repeats, must agree tile by tile over what both show of the tissue. A
label, a device's panel, a chest wall or a black background fills a few tiles or none, so that these make no duplicate.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from breastai.data.duplicates.image_features import (
    INVERTED,
    MIRRORED,
    PERMUTATIONS,
    Features,
    Floats,
    Pixels,
    tissue,
    unit_vectors,
)
from breastai.data.duplicates.static_tiles import show_telling

Mask = npt.NDArray[np.bool_]

# Of 278 pairs of ultrasound images that are the same view, and of planted copies, nearly all have 12 common features
# and more in one geometry; of mammograms and of histology patches of different patients none had more than 9.
_FEWEST_ALIKE = 8
_LEAST_TILES = 6
LEAST_SHARE = 0.6
# Frames of one sweep: the tissue has moved a little, so that the grain agrees less, but all over.
_ALIKE_IN_SWEEP = 12
_TILES_IN_SWEEP = 12
LEAST_IN_SWEEP = 0.45
LEAST_OVERLAP = 0.5
# A better alignment changes the overlap by less than what is between these two.
_OVERLAP_TO_REFINE = 0.42

# Different tissue within one device's panel disagrees all over one large part.
_DISAGREES = 0.25
_LARGEST_DIFFERENCE = 0.25

_LEAST_LIKENESS = 0.85
# In degrees and in octaves.
_SAME_TURN, _SAME_SIZE = 30.0, 0.7
_TOLERANCE = 2.0
_TRIALS = 1000
_MOST_STRETCHED = 1.7
_LARGEST_ZOOM = 5.0
_TILE = 12
_LEAST_FILLED = 0.6
_LEAST_CONTRAST = 1.0
_AGREES = 0.5
_WHITE = 250
_REFINING_STEPS = 30


class Agreement(NamedTuple):
    """`features`: how many lie alike. `correlation`: the median over the tiles of the grain's; `share`: of tiles that agree.

    `difference`: the share of tiles in the largest part, all of one piece, that disagrees.
    """

    features: int
    tiles: int
    correlation: float
    share: float
    overlap: float
    difference: float

    @property
    def is_duplicate(self) -> bool:
        """Whether that is more than different images have in common."""
        if self.overlap < LEAST_OVERLAP or self.features < _FEWEST_ALIKE or self.tiles < _LEAST_TILES:
            return False
        if self.difference > _LARGEST_DIFFERENCE:
            return False
        sweep = self.features >= _ALIKE_IN_SWEEP and self.tiles >= _TILES_IN_SWEEP
        return self.share >= LEAST_SHARE or (sweep and self.correlation >= LEAST_IN_SWEEP)


class Seen(NamedTuple):
    """An image to compare: its thumbnail (H, W), its features, and its tiles that many images share (tiles, tiles)."""

    image: Pixels
    features: Features
    static: Mask


def compare(first: Seen, second: Seen, variant: int) -> Agreement | None:
    """Return how far the first image, mirrored or inverted by `variant`, agrees with the second; None when not at all."""
    aligned = _aligned(first, second, variant)
    if aligned is None:
        return None
    matrix, alike = aligned
    if alike < _FEWEST_ALIKE:
        return None
    one, shown = first.image.astype(np.float32), show_telling(first.static, first.image)
    if variant & MIRRORED:
        one, shown = np.ascontiguousarray(one[:, ::-1]), np.ascontiguousarray(shown[:, ::-1])
    other = second.image.astype(np.float32)
    fine, coarse = _Side(one, shown), _Side(other, show_telling(second.static, second.image))
    # The finer image is brought to the grid of the coarser one.
    if np.linalg.det(matrix[:, :2]) > 1:
        fine, coarse, matrix = coarse, fine, cv2.invertAffineTransform(matrix).astype(np.float64)
    agreement = _agreement(fine, coarse, matrix, alike, variant)
    if agreement.is_duplicate or alike < _ALIKE_IN_SWEEP or agreement.overlap < _OVERLAP_TO_REFINE:
        return agreement
    # Few features leave the alignment a pixel or two wrong, which is as wide as the grain.
    refined = _refined(fine.image, coarse.image, matrix, variant)
    again = agreement if refined is None else _agreement(fine, coarse, refined, alike, variant)
    return max(agreement, again, key=lambda one: one.correlation)


def _aligned(first: Seen, second: Seen, variant: int) -> tuple[npt.NDArray[np.float64], int] | None:
    """Return the matrix (2, 3) from the first image's pixels to the second's, and how many features obey it."""
    if min(len(first.features.places), len(second.features.places)) < _FEWEST_ALIKE:
        return None
    asked = unit_vectors(first.features.descriptors[:, PERMUTATIONS[variant]])
    likeness = asked @ unit_vectors(second.features.descriptors).T
    best = likeness.argmax(axis=1)
    rows = np.arange(len(best))
    mutual = (likeness.argmax(axis=0)[best] == rows) & (likeness[rows, best] > _LEAST_LIKENESS)
    if np.count_nonzero(mutual) < _FEWEST_ALIKE:
        return None
    places, end = first.features.places[mutual].copy(), second.features.places[best[mutual]]
    if variant & MIRRORED:
        places[:, 0] = first.image.shape[1] - 1 - places[:, 0]
        places[:, 3] = 180 - places[:, 3]
    coherent = _coherent(places, end)
    if np.count_nonzero(coherent) < _FEWEST_ALIKE:
        return None
    start, end = places[coherent, :2], end[coherent, :2]
    matrix, inside = cv2.estimateAffine2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE, maxIters=_TRIALS, confidence=0.995
    )
    if matrix is None or not np.isfinite(matrix).all() or np.linalg.det(matrix[:, :2]) <= 0:
        return None
    long, short = np.linalg.svd(matrix[:, :2])[1]
    if long > _MOST_STRETCHED * short or not 1 / _LARGEST_ZOOM < np.sqrt(long * short) < _LARGEST_ZOOM:
        return None
    return matrix.astype(np.float64), int(np.count_nonzero(inside))


def _coherent(start: Floats, end: Floats) -> Mask:
    """Return which matches (n, 4) agree with the one that most agree with, in their change of size and of direction."""
    size = np.log2(end[:, 2] / start[:, 2])
    turn = end[:, 3] - start[:, 3]
    apart = np.abs((turn[:, None] - turn[None, :] + 180) % 360 - 180)
    alike = (apart < _SAME_TURN) & (np.abs(size[:, None] - size[None, :]) < _SAME_SIZE)
    chosen: Mask = alike[alike.sum(axis=1).argmax()]
    return chosen


class _Side(NamedTuple):
    """An image as it is compared: its values (H, W), and where it tells something."""

    image: Floats
    telling: Mask


def _refined(
    fine: Floats, coarse: Floats, matrix: npt.NDArray[np.float64], variant: int
) -> npt.NDArray[np.float64] | None:
    """Return the matrix that aligns the images best near the given one (Evangelidis and Psarakis, TPAMI 2008;30:1858)."""
    if variant & INVERTED:
        fine = 255 - fine
    start = cv2.invertAffineTransform(matrix).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _REFINING_STEPS, 1e-4)
    everywhere = np.full(fine.shape, 255, dtype=np.uint8)
    try:
        _, found = cv2.findTransformECC(coarse, fine, start, cv2.MOTION_AFFINE, criteria, everywhere, 5)
    except cv2.error:  # it did not converge
        return None
    return cv2.invertAffineTransform(np.asarray(found)).astype(np.float64)


def _agreement(
    fine_side: _Side, coarse_side: _Side, matrix: npt.NDArray[np.float64], alike: int, variant: int
) -> Agreement:
    """Compare grain on the grid of the coarse image; `matrix` leads there from the fine one."""
    fine, coarse = fine_side.image, coarse_side.image
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    size = (coarse.shape[1], coarse.shape[0])
    shown = fine_side.telling & tissue(fine.astype(np.uint8))
    there = cv2.warpAffine(shown.astype(np.float32), matrix, size) > 0.999
    own = coarse_side.telling & tissue(coarse.astype(np.uint8))
    both = there & own
    smaller = min(shown.sum() * zoom**2, float(own.sum()))
    overlap = float(both.sum() / smaller) if smaller else 0.0
    if overlap < _OVERLAP_TO_REFINE:
        return Agreement(alike, 0, 0.0, 0.0, overlap, 0.0)
    blurred = cv2.GaussianBlur(fine, (0, 0), 0.5 * np.sqrt(1 / zoom**2 - 1)) if zoom < 0.9 else fine
    moved = cv2.warpAffine(blurred, matrix, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)
    # What has been cut off at white tells nothing.
    both &= (moved < _WHITE) & (coarse < _WHITE)
    one, other = _grain(moved), _grain(coarse)
    if variant & INVERTED:
        one = -one
    filled, products = _by_tile(both, one, other)
    used = (filled >= _LEAST_FILLED * _TILE**2) & (np.maximum(products[0], products[1]) > _LEAST_CONTRAST)
    if not used.any():
        return Agreement(alike, 0, 0.0, 0.0, overlap, 0.0)
    correlation = products[2] / np.sqrt(np.maximum(products[0] * products[1], 1e-6))
    correlations = correlation[used]
    _, parts = cv2.connectedComponents((used & (correlation < _DISAGREES)).astype(np.uint8))
    largest = max(np.bincount(parts.ravel())[1:], default=0)
    share = float((correlations > _AGREES).mean())
    return Agreement(
        alike, int(used.sum()), float(np.median(correlations)), share, overlap, float(largest / used.sum())
    )


def _grain(image: Floats) -> Floats:
    smooth = cv2.GaussianBlur(image, (0, 0), 0.7)
    return (smooth - cv2.GaussianBlur(smooth, (0, 0), 3.0)).astype(np.float32, copy=False)


def _by_tile(inside: Mask, one: Floats, other: Floats) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
    """Return, for each tile, how many pixels are `inside`, and the variances of both and their covariance there."""
    rows, columns = (max(1, side // _TILE) for side in inside.shape)
    tile = tuple(min(_TILE, side) for side in inside.shape)

    def sums(values: Any) -> Any:
        whole = values[: rows * tile[0], : columns * tile[1]]
        return whole.reshape(rows, tile[0], columns, tile[1]).sum(axis=(1, 3))

    weight = inside.astype(np.float32)
    count = sums(weight)
    least = np.maximum(count, np.float32(1))
    means = sums(one * weight) / least, sums(other * weight) / least
    squares = (
        sums(one * one * weight) / least - means[0] ** 2,
        sums(other * other * weight) / least - means[1] ** 2,
        sums(one * other * weight) / least - means[0] * means[1],
    )
    return count, squares
