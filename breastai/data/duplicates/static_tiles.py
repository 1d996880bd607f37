"""Tiles that many images have in the same place: a frame or a panel of the device, which tells nothing of what they show."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from breastai.data.duplicates.image_features import Floats, Pixels

_FEWEST_FOR_STATIC = 30
_REFERENCES = 100
_SIDE, _TILE = 128, 8
_LEAST_LIKENESS = 0.95
_LEAST_SHARE = 0.04
_FEWEST_ALIKE = 3
# Images that agree in so many of their tiles are copies: those say nothing of what is common to different images.
_COPY_SHARE = 0.9
_BLOCK = 64


def find_static_tiles(images: Sequence[Pixels]) -> npt.NDArray[np.bool_]:
    """Return for each image which tiles (N, tiles, tiles) many others have in the same place; none when they are few."""
    tiles = _SIDE // _TILE
    static = np.zeros((len(images), tiles, tiles), dtype=bool)
    if len(images) < _FEWEST_FOR_STATIC:
        return static
    chosen = np.unique(np.linspace(0, len(images) - 1, _REFERENCES).astype(np.int64))
    # (tiles squared, references, values)
    references = np.stack([_tiles(images[number]) for number in chosen], axis=1)
    fewest = max(_FEWEST_ALIKE, _LEAST_SHARE * len(chosen))
    for start in range(0, len(images), _BLOCK):
        own = np.stack([_tiles(image) for image in images[start : start + _BLOCK]], axis=2)
        alike = references @ own > _LEAST_LIKENESS
        textured = (own**2).sum(axis=1) > 0
        copies = alike.sum(axis=0) >= _COPY_SHARE * textured.sum(axis=0)
        common = (alike & ~copies).sum(axis=1) >= fewest
        static[start : start + common.shape[1]] = common.T.reshape(-1, tiles, tiles)
    return static


def show_telling(static: npt.NDArray[np.bool_], image: Pixels) -> npt.NDArray[np.bool_]:
    """Return where in the image (H, W) no tile (tiles, tiles) is static."""
    telling: npt.NDArray[np.bool_] = (
        cv2.resize(static.astype(np.uint8), image.shape[::-1], interpolation=cv2.INTER_NEAREST) == 0
    )
    return telling


def _tiles(image: Pixels) -> Floats:
    """Return the fine structure of each tile (tiles squared, values), of length 1, or 0 where there is none."""
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = small - cv2.GaussianBlur(small, (0, 0), 1.5)
    count = _SIDE // _TILE
    tiles = fine.reshape(count, _TILE, count, _TILE).swapaxes(1, 2).reshape(count**2, -1)
    lengths = np.linalg.norm(tiles, axis=1, keepdims=True)
    unit: Floats = np.where(lengths > _TILE * 1.0, tiles / np.maximum(lengths, 1e-6), 0).astype(np.float32)
    return unit
