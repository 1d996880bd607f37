"""Bit depth: how many bits the values of a 16-bit file really use, and their way to 8 bits.

A 16-bit PNG holds 10, 12, 14 or 16 bits and does not say which. One image's brightest pixel can't tell: of two images of
one detector, one reaches 4095 and the other 4100. So the depth is that of a whole set of images, kept with the model.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

# None: not known, each image by the fewest of DEEP_BITS that its brightest pixel needs. "image": the same by choice, and
# DICOM files without a window stretched over their own range, as models were trained that know of no depth.
BitDepth = int | Literal["image"] | None

DEEP_BITS = (8, 10, 12, 14, 16, 24, 32)
# An image that leaves so many bits unused is plainly of another depth: it would be 16 times too dark.
_UNUSED_BITS = 4
# Fewer than one image in so many that need _UNUSED_BITS more than all others don't make the set's depth.
_ONE_IN = 20


def bits_needed(peak: int) -> int:
    """Return the fewest of DEEP_BITS that hold values up to `peak`."""
    return next((bits for bits in DEEP_BITS if peak < 1 << bits), DEEP_BITS[-1])


def depth_of_set(own_bits: Sequence[int | None]) -> int | None:
    """Return the bit depth of a set of images, given what each needs (None of those that state their depth).

    It holds the brightest pixel of all of them, a few images left out that are plainly of another depth. None when all
    images state theirs.
    """
    counts = Counter(bits for bits in own_bits if bits is not None)
    if not counts:
        return None
    total = sum(counts.values())
    depth = max(counts)
    for bits in sorted(counts):
        beyond = sum(count for other, count in counts.items() if other > bits)
        if beyond * _ONE_IN < total and all(other - bits >= _UNUSED_BITS for other in counts if other > bits):
            depth = bits
            break
    return depth


def disagrees(own_bits: int | None, depth: BitDepth) -> Literal["brighter", "darker"] | None:
    """Return how an image differs that is plainly of another depth than the set's: it is clipped, or 16 times too dark."""
    if own_bits is None or not isinstance(depth, int):
        return None
    if own_bits > depth:
        return "brighter"
    return "darker" if own_bits <= depth - _UNUSED_BITS else None


def to_8_bits(values: npt.NDArray[np.integer], bits: int) -> Pixels:
    """Return `values`, none below zero, divided by the largest value of `bits` bits; what is brighter is white."""
    if bits == 8:
        return np.asarray(np.minimum(values, 255), dtype=np.uint8)
    largest = (1 << bits) - 1
    if bits > 16:
        return np.asarray(np.rint(np.minimum(values, largest) * (255 / largest)), dtype=np.uint8)
    table = np.asarray(np.rint(np.arange(largest + 1) * (255 / largest)), dtype=np.uint8)
    return np.asarray(table[np.minimum(values, largest)])
