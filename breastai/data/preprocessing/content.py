"""Content: whether an image shows anything at all, asked of every image before a network sees it."""

import cv2
import numpy as np
import numpy.typing as npt

from breastai.data.decoders.bit_depth import BitDepth
from breastai.data.decoders.image_content import ImageContent
from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text

Pixels = npt.NDArray[np.uint8]

_SMALLEST_SIDE = 8
_LEAST_DEVIATION = 2.0
# Of one grey: this share of the pixels within so many levels of the median.
_ONE_GREY_SHARE, _ONE_GREY_LEVELS = 0.995, 2
_LEVELS = np.arange(256)


def check_content(pixels: Pixels, name: str) -> None:
    """Raise ImageUnreadable under `name` for an image, (H, W, 1) or (H, W, 3), without content."""
    _refuse(reason_without_content(pixels), name)


def check_shown(content: ImageContent, bit_depth: BitDepth = None) -> None:
    """Do so for the image of a file, looked at once for all who ask it."""
    _refuse(content.ask(reason_without_content, bit_depth), content.name)


def _refuse(reason: Text | None, name: str) -> None:
    if reason is not None:
        raise ImageUnreadable(name, reason)


def reason_without_content(pixels: Pixels) -> Text | None:
    """Return why an image can show nothing: it has too few pixels, or nearly all are of one grey or colour; else None."""
    height, width = pixels.shape[:2]
    if min(height, width) < _SMALLEST_SIDE:
        return Text("reason.too_few_pixels", {"width": width, "height": height})
    return Text("reason.blank_nearly_all_pixels") if is_blank(pixels) else None


def is_blank(pixels: Pixels) -> bool:
    """Return whether nearly all pixels of an image, (H, W, C), are of one grey or colour."""
    return all(_is_one_grey(pixels[:, :, channel]) for channel in range(pixels.shape[2]))


def _is_one_grey(plane: Pixels) -> bool:
    histogram = cv2.calcHist([np.ascontiguousarray(plane)], [0], None, [256], [0, 256])
    shares = histogram.ravel().astype(np.float64) / plane.size
    mean = float(shares @ _LEVELS)
    if float(np.sqrt(shares @ (_LEVELS - mean) ** 2)) < _LEAST_DEVIATION:
        return True
    if (2 * _ONE_GREY_LEVELS + 1) * float(shares.max()) < _ONE_GREY_SHARE:  # whatever the median is
        return False
    median = int(np.searchsorted(np.cumsum(shares), 0.5))
    near = shares[max(0, median - _ONE_GREY_LEVELS) : median + _ONE_GREY_LEVELS + 1].sum()
    return bool(near >= _ONE_GREY_SHARE)
