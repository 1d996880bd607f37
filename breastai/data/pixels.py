"""Pixels: what an image is once decoded, and how large it may be."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import numpy.typing as npt

from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text

# uint8, (H, W, 1) grey or (H, W, 3) RGB.
Pixels = npt.NDArray[np.uint8]

MAX_PIXELS = 100_000_000
# What they may take as they lie in the file, unpacked: a few hundred KiB of zeros can claim as many GiB.
MAX_DECODED_BYTES = 4 * MAX_PIXELS
# Larger ones are decoded one at a time, whichever thread asks.
_BIG_BYTES = 100_000_000
_one_big = threading.RLock()
# Values worked on at once where each takes eight bytes or more meanwhile.
_VALUES_AT_ONCE = 1 << 22


def too_large(width: int, height: int) -> Text:
    """Return the reason to refuse an image of that size."""
    return Text("reason.too_many_pixels", {"width": width, "height": height, "millions": MAX_PIXELS // 1_000_000})


@contextmanager
def room_for(size_bytes: int, name: str) -> Iterator[None]:
    """Hold room for an image of `size_bytes` unpacked; raise ImageUnreadable under `name` for more than any may take."""
    if size_bytes > MAX_DECODED_BYTES:
        sizes = {"size_mib": size_bytes >> 20, "most_mib": MAX_DECODED_BYTES >> 20}
        raise ImageUnreadable(name, Text("reason.too_many_bytes_decoded", sizes))
    if size_bytes > _BIG_BYTES:
        with _one_big:
            yield
    else:
        yield


def in_rows(values: npt.NDArray[np.generic], shown: Callable[[npt.NDArray[np.generic]], Pixels]) -> Pixels:
    """Return shown(values), which must work value by value or pixel by pixel, some rows at a time."""
    height = len(values)
    rows = max(1, _VALUES_AT_ONCE // max(1, values[:1].size))
    if rows >= height:
        return shown(values)
    first = shown(values[:rows])
    pixels: Pixels = np.empty((height, *first.shape[1:]), np.uint8)
    pixels[:rows] = first
    for start in range(rows, height, rows):
        pixels[start : start + rows] = shown(values[start : start + rows])
    return pixels


def grey_histogram(plane: Pixels) -> npt.NDArray[np.int64]:
    """Return how many pixels of a plane, (H, W), have each of the 256 values.

    By OpenCV, which needs no copy in eight bytes a pixel; some rows at a time, since it counts in float32.
    """
    counts = np.zeros(256, dtype=np.int64)
    rows = max(1, _VALUES_AT_ONCE // max(1, plane.shape[1]))
    for start in range(0, len(plane), rows):
        found = cv2.calcHist([plane[start : start + rows]], [0], None, [256], [0, 256])
        counts += np.asarray(found, dtype=np.float64).ravel().astype(np.int64)
    return counts


def collapse_grey(pixels: Pixels) -> Pixels:
    """Return (H, W, 1) when the three channels are equal, else `pixels`."""
    if pixels.ndim == 2:
        return pixels[:, :, np.newaxis]
    if pixels.shape[2] == 1:
        return pixels
    for rows in (slice(None, None, 37), slice(None)):  # a few rows tell most colour images
        red, green, blue = (pixels[rows, :, channel] for channel in range(3))
        if not (np.array_equal(red, green) and np.array_equal(green, blue)):
            return pixels
    return np.ascontiguousarray(pixels[:, :, :1])
