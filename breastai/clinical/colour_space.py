"""Colour space: images whose tag says RGB of YCbCr values, or the reverse, told by colours that no tissue, stain or flow has.

A decoder that believes such a tag shows a grey of level v as (v, 128, 128), or as what YCbCr makes of (v, v, v): dark
greens and bright magentas. Both are lines through the colour cube that the grey parts of a picture then lie on. A picture
without grey parts, a stained slide, shows it otherwise: green and blue hardly leave 128 while red takes all the
brightness, or most pixels have a red and a blue that are cut off.
"""

from functools import cache
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Mistake = Literal["ycbcr_as_rgb", "rgb_as_ycbcr"]

_SAMPLES_A_SIDE = 64
# How far from its line a grey pixel may lie, in levels; which share of all pixels must lie so near to one, and which of
# them away from the true greys; and how many true greys show that a picture is decoded right, whatever the rest is.
_NEAR, _SHARE, _TINTED_SHARE, _NEUTRAL_SHARE = 14, 0.5, 0.3, 0.15
# Greys must differ by so many levels, and so must the red of a slide: a uniform colour is no evidence.
_LEAST_RANGE = 24
# Of a slide: the share of pixels that are possible as YCbCr, within so many levels, and how much more red varies.
_POSSIBLE_SHARE, _TOLERANCE, _RED_VARIES = 0.98, 6.0, 2.0
_CUT_OFF_SHARE = 0.5


def mistaken_colour_space(image: Pixels) -> Mistake | None:
    """Return how the tag of an image, (H, W, 1) or (H, W, 3) RGB, is wrong; None where nothing says that it is."""
    if image.shape[2] == 1:
        return None
    shown = _sampled(image).reshape(-1, 3)  # -> (N, 3)
    lines, pixels = _lines_near(shown), shown.astype(np.float32)
    neutral = (lines & _NEUTRAL_BIT) > 0
    for mistake, line in _LINES.items():
        tinted = (lines & _BITS[mistake]) > 0
        if (
            _share(tinted) >= _SHARE
            and _share(tinted & ~neutral) >= _TINTED_SHARE
            and _share(neutral & ~tinted) < _NEUTRAL_SHARE
            and np.ptp(_levels(pixels[tinted], line)) >= _LEAST_RANGE
        ):
            return mistake
    if _share(neutral & ((lines & _BITS["ycbcr_as_rgb"]) == 0)) >= _NEUTRAL_SHARE:
        return None
    if _only_red_varies(pixels):
        return "ycbcr_as_rgb"
    cut_off = _is_cut_off(pixels)
    if _share(cut_off) >= _CUT_OFF_SHARE and np.ptp(pixels[cut_off, 1]) >= _LEAST_RANGE:
        return "rgb_as_ycbcr"
    return None


def _only_red_varies(pixels: Floats) -> bool:
    """Return whether pixels, (N, 3), are what Y, Cb and Cr of a picture with colours can be."""
    low, high = np.percentile(pixels, [5, 95], axis=0)
    spreads = high - low
    if spreads[0] < _LEAST_RANGE or spreads[0] < _RED_VARIES * spreads[1:].max():
        return False
    luma, blue, red = pixels[:, 0], pixels[:, 1] - 128, pixels[:, 2] - 128
    colours = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], axis=1)
    possible = ((colours >= -_TOLERANCE) & (colours <= 255 + _TOLERANCE)).all(1)
    return bool(possible.mean() >= _POSSIBLE_SHARE)


def _is_cut_off(pixels: Floats) -> npt.NDArray[np.bool_]:
    """Return which pixels, (N, 3), have a red and a blue at one end and a green that is not."""
    red, green, blue = pixels[:, 0], pixels[:, 1], pixels[:, 2]
    magenta = (red >= 254) & (blue >= 254) & (green < 225)
    return np.asarray(magenta | ((red <= 1) & (blue <= 1) & (green > 100)))


def _lines_near(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Return near which lines each of some pixels, (N, 3), lies: a sum of their bits."""
    # A colour as one number, blue in the lowest byte: looked up so, it takes an eighth of the time of three indices.
    packed = np.zeros((len(pixels), 4), dtype=np.uint8)
    packed[:, 2::-1] = pixels
    near: npt.NDArray[np.uint8] = _table().ravel().take(packed.view("<u4").ravel())
    return near


def _sampled(image: Pixels) -> Pixels:
    """Return evenly spaced pixels of an image, at most _SAMPLES_A_SIDE squared."""
    for axis, side in enumerate(image.shape[:2]):
        if side > _SAMPLES_A_SIDE:
            places = np.linspace(0, side - 1, _SAMPLES_A_SIDE).astype(int)
            image = image.take(places, axis=axis)
    return image


def _share(chosen: npt.NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(chosen) / chosen.size)


@cache
def _table() -> npt.NDArray[np.uint8]:
    """Return near which lines each colour lies, (256, 256, 256): an image of any size is then looked up, not measured."""
    reach = np.arange(-_NEAR, _NEAR + 1)
    near = reach[:, None, None] ** 2 + reach[:, None] ** 2 + reach**2 <= _NEAR**2
    # A cube with room around it, so that no ball about a colour reaches beyond.
    side = 256 + 2 * _NEAR
    steps = np.array([side**2, side, 1])
    cube = np.zeros(side**3, dtype=np.uint8)
    around = (np.argwhere(near) @ steps).astype(np.int64)  # (K,)
    for bit, line in ((_NEUTRAL_BIT, _NEUTRAL), *((_BITS[mistake], line) for mistake, line in _LINES.items())):
        for colour in np.unique(line.astype(np.int64) @ steps):
            cube[colour + around] |= np.uint8(bit)
    inside = slice(_NEAR, _NEAR + 256)
    table = np.ascontiguousarray(cube.reshape(side, side, side)[inside, inside, inside])
    table.setflags(write=False)
    return table


def _levels(pixels: Floats, line: Floats) -> npt.NDArray[np.intp]:
    levels: npt.NDArray[np.intp] = np.argmin((line**2).sum(1) - 2 * pixels @ line.T, axis=1)
    return levels


def _grey_as(mistake: Mistake) -> Floats:
    """Return how the greys from 0 to 255 look after a mistake, (256, 3)."""
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)  # (1, 256, 3)
    if mistake == "ycbcr_as_rgb":
        shown = cv2.cvtColor(grey, cv2.COLOR_RGB2YCrCb)[:, :, [0, 2, 1]]
    else:
        shown = cv2.cvtColor(grey, cv2.COLOR_YCrCb2RGB)  # Cb and Cr are equal
    line: Floats = shown[0].astype(np.float32)
    return line


_NEUTRAL = np.repeat(np.arange(256, dtype=np.float32)[:, None], 3, axis=1)
_LINES: dict[Mistake, Floats] = {mistake: _grey_as(mistake) for mistake in ("ycbcr_as_rgb", "rgb_as_ycbcr")}
_NEUTRAL_BIT, _BITS = 1, {mistake: 2 << number for number, mistake in enumerate(_LINES)}
