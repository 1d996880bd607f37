"""Pages: which of the pictures in a TIFF, GIF, PNG, WebP or JPEG file is meant, and which of them are images at all."""

import io
from pathlib import Path

from PIL import Image

from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text

# A file can claim any number.
_MOST_PAGES = 10_000
# Their frames are drawn on one canvas.
_ANIMATED = ("GIF", "PNG", "WEBP")
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_SUBFILE_TYPE = 254  # TIFF: bit 0 a reduced copy of another page, bit 2 a mask of one


def turn_to_page(image: Image.Image, name: str, number: int | None) -> int:
    """Turn an open file to page `number`, from 1 on, by default to its largest, the first of equal ones; return how many there are.

    Raises ImageUnreadable for a page there is not, and what Pillow raises for one that is damaged.
    """
    count = page_count(image)
    if count == 1:
        return 1
    if number is not None and number > count:
        raise ImageUnreadable(name, Text("reason.page_asked_file", {"number": number, "count": count}))
    image.seek(_largest(image, count) if number is None else number - 1)
    return count


def page_count(image: Image.Image) -> int:
    """Return how many pages an open file has; 1 where that can't be told."""
    try:
        return max(1, min(int(getattr(image, "n_frames", 1)), _MOST_PAGES))
    except Exception:  # what follows the first page is damaged
        return 1


def page_numbers(source: bytes | Path, formats: tuple[str, ...]) -> list[int]:
    """Return the numbers, from 1 on, of the pages of a file that are images of their own; empty of what is no image file."""
    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=formats) as image:
            count = page_count(image)
            return [number for number in range(1, count + 1) if count == 1 or _stands_alone(image, number)]
    except Exception:  # Pillow's decoders raise whatever the bytes make them
        return []


def pixels_held(image: Image.Image) -> int:
    """Return how many pixels are held at once to decode the page an open file is at: a tile may be larger than its page."""
    tags = getattr(image, "tag_v2", {})
    sides = zip(image.size, (tags.get(_TILE_WIDTH), tags.get(_TILE_HEIGHT)), strict=True)
    width, height = (max(side, tile) if isinstance(tile, int) else side for side, tile in sides)
    return width * height


def _largest(image: Image.Image, count: int) -> int:
    if image.format in _ANIMATED:
        return 0
    areas: list[int] = []
    for place in range(count):
        image.seek(place)
        areas.append(image.width * image.height)
    return areas.index(max(areas))


def _stands_alone(image: Image.Image, number: int) -> bool:
    if image.format in _ANIMATED:
        return True
    image.seek(number - 1)
    kind = getattr(image, "tag_v2", {}).get(_SUBFILE_TYPE, 0)
    return not (isinstance(kind, int) and kind & 0b101)
