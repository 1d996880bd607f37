"""The breast in a mammogram: where it lies, what else is bright (labels, stickers), and on which side the chest wall is."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_WORKING_SIDE = 512
# A breast takes at least this share of the image, and more than the other one is no mammogram with a background.
_LEAST_SHARE, _LARGEST_SHARE = 0.03, 0.97
_MARGIN = 0.01
_RIM = 15  # wider than a film's rim, at the working size
_BOX = (cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)


@dataclass(frozen=True)
class Region:
    """The part of an image that is used, in its pixels; `flipped` left to right after the crop."""

    top: int
    left: int
    height: int
    width: int
    flipped: bool = False


def whole(image: Pixels) -> Region:
    return Region(0, 0, image.shape[0], image.shape[1])


def breast_region(image: Pixels) -> tuple[Region, npt.NDArray[np.bool_] | None]:
    """Return the box of the breast in a grey or colour image, and which of its pixels are bright things beside it.

    The largest connected bright part is the breast. Where there is no dark background around one, the box is the
    whole image and the mask None. `flipped` says that the chest wall is on the left, as in left breasts.
    """
    grey = image if image.ndim == 2 else image.max(axis=2)
    scale = min(1.0, _WORKING_SIDE / max(grey.shape))
    # A size, not a factor: with a factor the last column would weigh less than the first.
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA) if scale < 1 else grey
    bright = _bright(np.asarray(small, dtype=np.uint8))
    # A film's bright rim joins breast and labels: the breast is what is left of the thick parts.
    # Dark around the image, or a rim along its edge would count as thick.
    framed = cv2.copyMakeBorder(bright, _RIM, _RIM, _RIM, _RIM, cv2.BORDER_CONSTANT, value=0)
    thick = cv2.morphologyEx(framed, cv2.MORPH_OPEN, np.ones((_RIM, _RIM), np.uint8))[_RIM:-_RIM, _RIM:-_RIM]
    count, labels, facts, _ = cv2.connectedComponentsWithStats(np.asarray(thick), connectivity=8)
    if count < 2:
        return whole(image), None
    largest = 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA]))
    if not _LEAST_SHARE <= facts[largest, cv2.CC_STAT_AREA] / bright.size <= _LARGEST_SHARE:
        return whole(image), None
    breast = labels == largest
    box = _box(facts[largest], grey.shape, small.shape)
    left_half, right_half = np.array_split(breast.sum(axis=0), 2)
    flipped = int(left_half.sum()) > int(right_half.sum())
    parts = cv2.connectedComponents(bright, connectivity=8)[1]
    beside = ((parts != 0) & ~np.isin(parts, np.unique(parts[breast]))).astype(np.uint8)
    grown = cv2.dilate(beside, np.ones((5, 5), np.uint8)).astype(bool) & ~breast
    enlarged = cv2.resize(grown.astype(np.uint8), grey.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    inside = enlarged[box.top : box.top + box.height, box.left : box.left + box.width]
    return Region(box.top, box.left, box.height, box.width, flipped), inside


def _bright(grey: Pixels) -> npt.NDArray[np.uint8]:
    """Return what is brighter than the background, 1 or 0, freed of thin bridges to labels."""
    smooth = cv2.GaussianBlur(grey, (5, 5), 0)
    # The background is the peak at the dark end; the triangle method finds the foot of such a peak.
    level, _ = cv2.threshold(smooth, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_TRIANGLE)
    level = min(max(level, 4), 60)
    mask = (smooth > level).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8)), dtype=np.uint8)


def _box(facts: npt.NDArray[np.int32], full: tuple[int, ...], small: tuple[int, ...]) -> Region:
    """Return a component's box in the pixels of the full image, with a margin."""
    rows, columns = full[0] / small[0], full[1] / small[1]
    margin = round(_MARGIN * max(full))
    left, top, width, height = (int(facts[key]) for key in _BOX)
    first_row, last_row = math.floor(top * rows) - margin, math.ceil((top + height) * rows) + margin
    first_column, last_column = math.floor(left * columns) - margin, math.ceil((left + width) * columns) + margin
    top, left = max(0, first_row), max(0, first_column)
    return Region(top, left, min(full[0], last_row) - top, min(full[1], last_column) - left)
