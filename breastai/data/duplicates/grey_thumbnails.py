"""Grey thumbnails, by which images are compared: made, enlarged to be compared, and many of them as arrays of a file.

One of a small image is no larger than the image: of patches there are hundreds of thousands.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from breastai.data.array_file import read_arrays
from breastai.data.duplicates.image_features import Pixels

Array = npt.NDArray[Any]

THUMBNAIL_SIDE = 128
# A smaller image is enlarged to this to be compared: its features are few.
_LEAST_SIDE = 96
# A border is trimmed when nearly none of it departs this far from its level.
_BORDER_SPREAD = 12
_BORDER_EXCEPTIONS = 0.01
_LEAST_LEFT = 0.25


def thumbnail(image: Pixels) -> Pixels:
    """Return the image, (H, W), (H, W, 1) or (H, W, 3), in grey and without an even border, THUMBNAIL_SIDE squared.

    It keeps its proportions; what is left of the square is black. A small image stays as it is, (height, width).
    """
    if image.ndim == 3:
        image = image[:, :, 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8)
    image = _without_border(image)
    longer = max(image.shape)
    if longer < _LEAST_SIDE:
        return np.array(image, order="C")  # no view that would keep the whole image
    factor = min(longer, THUMBNAIL_SIDE) / longer
    rows, columns = (min(THUMBNAIL_SIDE, max(1, round(side * factor))) for side in image.shape)
    square = np.zeros((THUMBNAIL_SIDE, THUMBNAIL_SIDE), dtype=np.uint8)
    # Averaging areas shrinks without false patterns.
    square[:rows, :columns] = cv2.resize(np.ascontiguousarray(image), (columns, rows), interpolation=cv2.INTER_AREA)
    return square


def comparable_thumbnail(small: Pixels) -> Pixels:
    """Return a thumbnail as it is compared: large enough, and without the black that makes it square."""
    longer = max(small.shape)
    if 0 < longer < _LEAST_SIDE:
        rows, columns = (max(1, round(side * (_LEAST_SIDE / longer))) for side in small.shape)
        # Averaging areas can't enlarge.
        small = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    return without_padding(small)


def without_padding(square: Pixels) -> Pixels:
    """Return a thumbnail without the black rows below and columns on the right that make it square."""
    rows, columns = np.flatnonzero(square.any(axis=1)), np.flatnonzero(square.any(axis=0))
    return square[: rows[-1] + 1, : columns[-1] + 1] if len(rows) else square[:1, :1]


def as_arrays(thumbnails: Sequence[Pixels]) -> dict[str, npt.NDArray[np.uint8]]:
    """Return thumbnails as `thumbnails` (N, H, W) of the largest sides, and the `sides` (N, 2) of each."""
    sides = np.array([small.shape for small in thumbnails], dtype=np.uint8).reshape(-1, 2)
    height, width = sides.max(axis=0) if len(sides) else (0, 0)
    stacked = np.zeros((len(sides), height, width), dtype=np.uint8)
    for place, small in zip(stacked, thumbnails, strict=True):
        place[: small.shape[0], : small.shape[1]] = small
    return {"thumbnails": stacked, "sides": sides}


def read_with_thumbnails(path: Path, names: Sequence[str]) -> tuple[list[Array], list[Pixels]] | None:
    """Return the arrays called `names` of a file, and the thumbnails that `as_arrays` put into it; None where they can't be.

    Without `sides`, as they were written before, all are of THUMBNAIL_SIDE; those of another kind are none.
    """
    arrays = read_arrays(path, (*names, "thumbnails", "sides"))
    if arrays is None:
        arrays = read_arrays(path, (*names, "thumbnails"))
        if arrays is None:
            return None
        arrays.append(np.full((len(arrays[-1]), 2), THUMBNAIL_SIDE))
    *others, stacked, sides = arrays
    if stacked.ndim != 3 or stacked.dtype != np.uint8 or sides.shape != (len(stacked), 2):
        return None
    if len(stacked) and tuple(sides.max(axis=0)) != stacked.shape[1:]:
        return others, []
    return others, [small[:height, :width] for small, (height, width) in zip(stacked, sides.tolist(), strict=True)]


def _without_border(image: Pixels) -> Pixels:
    """Return the image without the rows and columns of one level around it; all of it when little would be left."""
    for _ in range(2):
        turned = image.T
        if _begins_and_ends_uneven(turned):
            image = turned
            continue
        levels = np.median(turned[[0, -1]], axis=1).astype(int).tolist()
        uneven = [_far_share(turned, level) > _BORDER_EXCEPTIONS for level in levels]
        left, right = np.flatnonzero(uneven[0]), np.flatnonzero(uneven[1])
        if len(left) and len(right) and right[-1] + 1 - left[0] >= max(8, _LEAST_LEFT * len(turned)):
            turned = turned[left[0] : right[-1] + 1]
        image = turned
    return image


def _far_share(image: Pixels, level: int) -> npt.NDArray[np.float64]:
    """Return, for each row, the share of pixels that depart far from a level; in bytes, since images may be large."""
    low, high = np.uint8(max(0, level - _BORDER_SPREAD)), np.uint8(min(255, level + _BORDER_SPREAD))
    far: npt.NDArray[np.float64] = np.count_nonzero((image < low) | (image > high), axis=1) / image.shape[1]
    return far


def _begins_and_ends_uneven(image: Pixels) -> bool:
    """Return whether the first and the last row are of no one level: then no border is to be sought."""
    for row in image[[0, -1]].astype(np.int16):
        ordered, middle = np.sort(row), (len(row) - 1) // 2
        level = (ordered[middle] + ordered[len(row) // 2]) // 2  # the median
        far = np.abs(row - level) > _BORDER_SPREAD
        if np.count_nonzero(far) <= _BORDER_EXCEPTIONS * far.size:
            return False
    return True
