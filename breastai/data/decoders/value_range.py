"""The range of an image's values where its file has no white of its own: 32-bit numbers, fractions, numbers below zero.

Values from 0 to 1 with fractions are shares of white, unless the brightest is below a sixteenth of it. Values up to 65535
are those of 16-bit files, and white is what the depth of the set says. All others are stretched from the least to the
greatest value of all pages of their file: what is comparable within a file, not between files.
"""

import io
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from breastai.data.decoders.image_pages import page_numbers, pixels_held
from breastai.data.pixels import MAX_PIXELS, Pixels, in_rows
from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text

_BITS, _PHOTOMETRIC, _FORMAT = 258, 262, 339
_SIGNED = 2
_MOST_OF_16_BITS = 65_535
_DARK = 1 / 16
_MOST_VALUES = 1 << 30


class ValueRange(NamedTuple):
    """The least and the greatest value of all pages of a file."""

    low: float
    high: float

    @property
    def is_shares(self) -> bool:
        """Whether the values, if they have fractions, are shares of white; those of a dark file are not known to be."""
        return self.low >= 0 and (_DARK <= self.high <= 1 or self.high == 0)

    @property
    def is_of_16_bits(self) -> bool:
        return self.low >= 0 and self.high <= _MOST_OF_16_BITS


def wide_values(image: Image.Image) -> npt.NDArray[Any]:
    """Return the values of a loaded image as numbers with their sign: Pillow takes some 8-bit and 32-bit ones for others."""
    values = np.asarray(image)
    bits, kind = _tag(image, _BITS), _tag(image, _FORMAT)
    if bits == 8 and kind == _SIGNED and values.dtype == np.uint8:
        return values.view(np.int8).astype(np.int32)
    if bits == 32 and kind in (None, 1) and values.dtype == np.int32:
        return values.view(np.uint32)
    return values


def is_wide(image: Image.Image) -> bool:
    """Return whether an opened image may hold values that its file says no white for."""
    return image.mode in ("F", "I") or _tag(image, _FORMAT) == _SIGNED


def range_of_file(content: bytes, image: Image.Image, values: npt.NDArray[Any], name: str) -> ValueRange:
    """Return the range of an image's values, with those of all other pages of its file; raise ImageUnreadable of none."""
    own = _range(values)
    if own is None:
        raise ImageUnreadable(name, Text("reason.values_no_numbers"))
    if image.format != "TIFF" or getattr(image, "n_frames", 1) == 1:
        return own
    file = _Content(content)
    found = _range_of_pages(file, image.mode) or own
    file.content = b""  # what is kept is the key
    return ValueRange(min(own.low, found.low), max(own.high, found.high))


def stretch(values: npt.NDArray[Any], found: ValueRange) -> Pixels:
    """Return values from the least to the greatest of their file as 0 to 255."""
    width = found.high - found.low
    scale = 255 / width if width > 0 else 0.0
    return in_rows(values, lambda rows: np.rint((rows.astype(np.float64) - found.low) * scale).astype(np.uint8))


def _tag(image: Image.Image, number: int) -> int | None:
    found = getattr(image, "tag_v2", {}).get(number)
    first = found[0] if isinstance(found, Sequence) and found else found
    return first if isinstance(first, int) else None


def _range(values: npt.NDArray[Any]) -> ValueRange | None:
    low, high = float(values.min()), float(values.max())
    return ValueRange(low, high) if np.isfinite(low) and np.isfinite(high) else None


class _Content:
    """The bytes of a file, equal to others by their length and checksums: a key that is made once."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._key = len(content), zlib.crc32(content), zlib.adler32(content)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and self._key == other._key


@lru_cache(maxsize=2)  # each page of a file asks
def _range_of_pages(file: _Content, mode: str) -> ValueRange | None:
    """Return the range of the pages of a TIFF that are of a mode; None where none can be read.

    Pages too large to be read as images are passed over, and those after so many values that looking took too long.
    """
    found: list[ValueRange] = []
    values = 0
    try:
        with Image.open(io.BytesIO(file.content), formats=("TIFF",)) as image:
            for number in page_numbers(file.content, ("TIFF",)):
                image.seek(number - 1)
                size = pixels_held(image)
                if size > MAX_PIXELS:
                    continue
                values += size
                if values > _MOST_VALUES:
                    break
                known = _range(wide_values(image)) if image.mode == mode else None
                found += [] if known is None else [known]
    except Exception:  # what is damaged is told of the page that is read
        pass
    return ValueRange(min(each.low for each in found), max(each.high for each in found)) if found else None


def file_is_wide(path: Path) -> bool:
    """Return whether a TIFF may hold values that it says no white for, by its header; False of any other file."""
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            return is_wide(image)
    except Exception:  # Pillow's decoders raise whatever the bytes make them
        return False
