"""Augmentation: random changes to one training image, one warp and one intensity pass on uint8."""

import math
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from breastai.domain.config import AugmentationSettings

Pixels = npt.NDArray[np.uint8]

# An erased rectangle's share of the image and its proportions, as usual for random erasing (Zhong et al. 2020).
_ERASED_AREA = (0.02, 0.2)
_ERASED_RATIO = (0.3, 1 / 0.3)
_NOISE_VALUES = 1 << 21


def augment(image: Pixels, settings: AugmentationSettings, rng: np.random.Generator) -> Pixels:
    """Return `image`, (S, S, 3), changed at random within the bounds of `settings`.

    The result depends on the state of `rng` alone, from which every call takes the same number of values; it is
    `image` itself when nothing is to be changed. What a warp uncovers shows the image mirrored at its edge.
    """
    if not settings.enabled:
        return image
    draws = rng.random(15)
    side = image.shape[0]
    # A grey image is worked on as one plane: a third of the time.
    is_grey = _is_grey(image)
    plane = np.ascontiguousarray(image[:, :, 0]) if is_grey else image
    changed = _warped(plane, _affine(side, settings, draws[:7]))
    changed = _relit(changed, settings, draws[7:11])
    if draws[11] < settings.random_erasing:
        changed = _erased(changed, draws[12:15])
    if changed is plane:
        return image
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_GRAY2RGB)) if is_grey else changed


def _is_grey(image: Pixels) -> bool:
    for rows in (slice(None, None, 37), slice(None)):  # a few rows tell most colour images
        part = image[rows]
        if not (np.array_equal(part[:, :, 0], part[:, :, 1]) and np.array_equal(part[:, :, 1], part[:, :, 2])):
            return False
    return True


def _affine(side: int, settings: AugmentationSettings, draws: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the 2x3 matrix, old to new pixel coordinates, of flips, rotation, scale and shift about the centre."""
    flip_x = -1.0 if draws[0] < settings.horizontal_flip else 1.0
    flip_y = -1.0 if draws[1] < settings.vertical_flip else 1.0
    angle = math.radians(_either_way(draws[2], settings.rotation))
    scale = 1 + _either_way(draws[3], settings.scale)
    shift_x, shift_y = (_either_way(draw, settings.shift) * side for draw in draws[4:6])
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    centre = (side - 1) / 2
    linear = np.array([[cosine * flip_x, -sine * flip_y], [sine * flip_x, cosine * flip_y]])
    offset = np.array([centre + shift_x, centre + shift_y]) - linear @ np.array([centre, centre])
    return np.column_stack([linear, offset])


def _either_way(draw: float, bound: float) -> float:
    return (2 * draw - 1) * bound


def _warped(plane: Pixels, matrix: npt.NDArray[np.float64]) -> Pixels:
    if np.array_equal(matrix, [[1, 0, 0], [0, 1, 0]]):
        return plane
    size = plane.shape[1], plane.shape[0]
    warped = cv2.warpAffine(plane, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, dtype=np.uint8)


def _relit(plane: Pixels, settings: AugmentationSettings, draws: npt.NDArray[np.float64]) -> Pixels:
    """Return gain * plane + offset + noise: brightness scales, contrast spreads about the mean."""
    brightness = 1 + _either_way(draws[0], settings.brightness)
    contrast = 1 + _either_way(draws[1], settings.contrast)
    deviation = draws[2] * settings.noise * 255
    if brightness == 1 and contrast == 1 and deviation == 0:
        return plane
    mean = cv2.mean(plane)
    offset = (1 - contrast) * brightness * sum(mean) / (3 if plane.ndim == 3 else 1)
    gain = brightness * contrast
    if deviation == 0:
        table = np.clip(np.rint(np.arange(256) * gain + offset), 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(plane, table), dtype=np.uint8)
    noise = _noise(plane.shape[0], plane.shape[1], draws[3])
    if plane.ndim == 3:
        noise = np.asarray(cv2.merge([noise, noise, noise]))
    return np.asarray(cv2.addWeighted(plane, gain, noise, deviation, offset, dtype=cv2.CV_8U), dtype=np.uint8)


def _noise(height: int, width: int, draw: float) -> npt.NDArray[np.float32]:
    """Return standard normal noise, (height, width), from a stock that is drawn once: drawing is the slow part."""
    stock = _noise_stock()
    number = height * width
    if number > len(stock):
        return np.resize(np.roll(stock, int(draw * len(stock))), (height, width))
    start = int(draw * (len(stock) - number + 1))
    return stock[start : start + number].reshape(height, width)


@cache
def _noise_stock() -> npt.NDArray[np.float32]:
    return np.random.default_rng(20240607).standard_normal(_NOISE_VALUES, dtype=np.float32)


def _erased(plane: Pixels, draws: npt.NDArray[np.float64]) -> Pixels:
    """Return a copy of `plane` with a random rectangle of its mean colour."""
    height, width = plane.shape[:2]
    area = (_ERASED_AREA[0] + draws[0] * (_ERASED_AREA[1] - _ERASED_AREA[0])) * height * width
    low, high = (math.log(ratio) for ratio in _ERASED_RATIO)
    ratio = math.exp(low + draws[1] * (high - low))
    rows, columns = (
        min(side, max(1, round(math.sqrt(value)))) for side, value in ((height, area * ratio), (width, area / ratio))
    )
    # One draw chooses among all places where the rectangle fits.
    place = draws[2] * (height - rows + 1) * (width - columns + 1)
    top, left = divmod(int(place), width - columns + 1)
    erased = plane.copy()
    erased[top : top + rows, left : left + columns] = plane.mean(axis=(0, 1)).round()
    return erased
