"""Small pictures of images for the page and the report: JPEGs as data URIs, bounded in size."""

import base64
from pathlib import Path

import cv2

from breastai.data.decoders.decoder_table import read_image
from breastai.data.pixels import Pixels
from breastai.domain.errors import ImageUnreadable

_QUALITY = 82


def data_uri(image: Pixels, side: int) -> str:
    """Return `image`, (H, W, 1) or (H, W, 3) RGB, as a JPEG whose longer side has at most `side` pixels."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    else:
        shrunk = image
    if shrunk.ndim == 3 and shrunk.shape[2] == 3:
        shrunk = cv2.cvtColor(shrunk, cv2.COLOR_RGB2BGR)
    done, jpeg = cv2.imencode(".jpg", shrunk, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:  # never seen: every uint8 image can be a JPEG
        raise RuntimeError("OpenCV could not write a JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}"


def thumbnail_uri(path: Path, side: int) -> str | None:
    """Return a small JPEG of the image at `path` as a data URI; None when it can't be read."""
    try:
        image = read_image(path)
    except ImageUnreadable:
        return None
    return data_uri(image, side)
