"""Pixels: what an image is once decoded, and how large it may be."""

import numpy as np
import numpy.typing as npt

from breastai.domain.text import Text

# uint8, (H, W, 1) grey or (H, W, 3) RGB.
Pixels = npt.NDArray[np.uint8]

MAX_PIXELS = 100_000_000


def too_large(width: int, height: int) -> Text:
    """Return the reason to refuse an image of that size."""
    return Text("reason.too_many_pixels", {"width": width, "height": height, "millions": MAX_PIXELS // 1_000_000})


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
