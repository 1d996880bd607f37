"""Preprocessing: what training, evaluation, prediction and every export do to an image before the network sees it."""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from breastai.data.preprocessing.breast_region import Region, breast_region, whole
from breastai.data.preprocessing.lesion_boxes import Box, crop_region, wants_box
from breastai.domain.config import PreprocessingSettings

# Raised whenever the same settings give other pixels, so that no cache serves the old ones.
PREPROCESSING_VERSION = 1

Pixels = npt.NDArray[np.uint8]


def preprocess(image: Pixels, settings: PreprocessingSettings, image_size: int, box: Box | None = None) -> Pixels:
    """Return `image`, (H, W), (H, W, 1) or (H, W, 3), as (image_size, image_size, 3): cropped, resized, then CLAHE.

    A grey image has three equal channels afterwards. With `resize` "pad" CLAHE sees the image alone, so
    that the black borders stay black and do not count in any histogram.
    """
    return preprocess_image(image, settings, image_size, box)[0]


def preprocess_image(
    image: Pixels, settings: PreprocessingSettings, image_size: int, box: Box | None = None
) -> tuple[Pixels, Region]:
    """Return the preprocessed image, and which part of the original it shows.

    `box`: where a lesion is marked, for a model that looks at its surroundings alone; None shows the whole image.
    """
    plane = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    region = whole(plane)
    if box is not None and wants_box(settings):
        region = crop_region(box, settings.lesion_margin, plane.shape)
        plane = np.ascontiguousarray(
            plane[region.top : region.top + region.height, region.left : region.left + region.width]
        )
    elif settings.breast_region == "crop" or settings.flip_left:
        plane, region = _breast(plane, settings)
    return _square(plane, settings, image_size), region


def on_original(
    heat: npt.NDArray[np.float32], region: Region, settings: PreprocessingSettings
) -> npt.NDArray[np.float32]:
    """Return a map over the preprocessed square, (S, S), on the pixels of the region it shows, (height, width)."""
    side = heat.shape[0]
    height, width = _target_shape(region.height, region.width, settings, side)
    top, left = (side - height) // 2, (side - width) // 2
    inner = heat[top : top + height, left : left + width]
    enlarged = cv2.resize(inner, (region.width, region.height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(enlarged[:, ::-1] if region.flipped else enlarged, dtype=np.float32)


def _breast(plane: Pixels, settings: PreprocessingSettings) -> tuple[Pixels, Region]:
    """Return the breast alone, what is bright beside it blackened, mirrored when it is a left one, as settings ask."""
    region, beside = breast_region(plane)
    if beside is None:
        return plane, region
    if settings.breast_region == "crop":
        part = plane[region.top : region.top + region.height, region.left : region.left + region.width].copy()
        part[beside] = 0
    else:
        part, region = plane, replace(whole(plane), flipped=region.flipped)
    region = replace(region, flipped=region.flipped and settings.flip_left)
    return (np.ascontiguousarray(part[:, ::-1]) if region.flipped else part), region


def _square(plane: Pixels, settings: PreprocessingSettings, image_size: int) -> Pixels:
    height, width = _target_shape(plane.shape[0], plane.shape[1], settings, image_size)
    resized = _resized(plane, height, width)
    if settings.clahe:
        resized = _equalised(resized, settings)
    colour = cv2.cvtColor(resized, cv2.COLOR_GRAY2RGB) if resized.ndim == 2 else resized
    if (height, width) == (image_size, image_size):
        return colour.astype(np.uint8, copy=False)
    square = np.zeros((image_size, image_size, 3), dtype=np.uint8)
    top, left = (image_size - height) // 2, (image_size - width) // 2
    square[top : top + height, left : left + width] = colour
    return square


def _target_shape(height: int, width: int, settings: PreprocessingSettings, image_size: int) -> tuple[int, int]:
    if settings.resize == "stretch":
        return image_size, image_size
    scale = image_size / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _resized(image: Pixels, height: int, width: int) -> Pixels:
    """Shrink by averaging areas and enlarge by cubic interpolation, each side by what it needs."""
    smaller = (min(height, image.shape[0]), min(width, image.shape[1]))
    if smaller != image.shape[:2]:
        image = cv2.resize(image, (smaller[1], smaller[0]), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    if (height, width) != smaller:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    return image


def _equalised(image: Pixels, settings: PreprocessingSettings) -> Pixels:
    """Return `image` after CLAHE, on the grey plane or, for colour, on L of CIE LAB."""
    # A tile needs at least one pixel.
    rows, columns = (min(settings.clahe_grid, side) for side in image.shape[:2])
    clahe = cv2.createCLAHE(clipLimit=settings.clahe_clip_limit, tileGridSize=(columns, rows))
    if image.ndim == 2:
        return clahe.apply(image).astype(np.uint8, copy=False)
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = clahe.apply(np.ascontiguousarray(lab[:, :, 0]))
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).astype(np.uint8, copy=False)
