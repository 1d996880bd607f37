"""Raster images: PNG, JPEG, TIFF and the like to pixels, uint8, (H, W, 1) grey or (H, W, 3) RGB.

Pillow decodes, because it says precisely what is wrong with a file and prints nothing, where the libraries
inside OpenCV write to stderr and may hand back half an image. OpenCV reads what Pillow would cut to 8 bits:
colour with 16 bits, after Pillow has found the file sound.
"""

import io
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from breastai.data.decoders.bit_depth import BitDepth, bits_needed, to_8_bits
from breastai.data.decoders.decoder import Decoded, Decoder, FileHeader, Source
from breastai.data.decoders.device_names import device_name
from breastai.data.decoders.image_pages import page_numbers, pixels_held, turn_to_page
from breastai.data.decoders.value_range import is_wide, range_of_file, stretch, wide_values
from breastai.data.pixels import MAX_PIXELS, Pixels, in_rows, room_for, too_large
from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text

# Only these are tried, whatever else Pillow could open.
_PLUGINS = (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
# Of these a file holds one image. BMP and PGM have no pages; a JPEG's further pictures are previews.
_SINGLE = (".jpg", ".jpeg", ".bmp", ".pgm")
# EXIF: maker and model.
_DEVICE_TAGS = (0x010F, 0x0110)
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# How other files begin that carry an image's name by mistake.
_SIGNATURES = (
    (b"%PDF", "pdf"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"\x00\x00\x00\x0cjP  ", "jpeg_2000"),
    (b"\xff\x4f\xff\x51", "jpeg_2000"),
    (b"8BPS", "photoshop"),
    (b"SQLite format 3", "database"),
)

# A JPEG 2000 stream inside DICOM states its own size: Pillow refuses it from twice this many pixels on.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# Decoding tells what it finds by exceptions; odd metadata is nothing the user can act on.
warnings.filterwarnings("ignore", module=r"PIL\.")
(cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging).setLogLevel(0)  # silent; OpenCV 5 moved it


def _check_start(path: Path, name: str, beginning: bytes) -> None:
    """Raise ImageUnreadable when the beginning of a file shows already that it is no image we read."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            width, height = image.size
    except UnidentifiedImageError:
        raise ImageUnreadable(name, _what_it_is(beginning)) from None
    except Exception as error:
        raise ImageUnreadable(name, _reason(error)) from None
    if width * height > MAX_PIXELS:
        raise ImageUnreadable(name, too_large(width, height))


def decode_raster(content: bytes, name: str, number: int | None, bit_depth: BitDepth) -> Decoded:
    """Return the image in `content`, by default its largest page; raise ImageUnreadable under `name`."""
    image = _opened(content, name)
    try:
        pages = turn_to_page(image, name, number)
    except ImageUnreadable:
        raise
    except Exception as error:  # Pillow's decoders raise whatever the bytes make them
        raise ImageUnreadable(name, _reason(error)) from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageUnreadable(name, too_large(width, height))
    with room_for(_decoded_bytes(image), name):
        return Decoded(*_loaded(content, image, name, bit_depth), pages)


def _decoded_bytes(image: Image.Image) -> int:
    """Return what an opened image takes once it is decoded, as Pillow or OpenCV hold it."""
    deep = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    samples = {"RGB": 4, "L": 1, "1": 1, "LA": 4, "PA": 4, "P": 1, "I;16": 1}.get(image.mode, 4)
    if "transparency" in image.info:
        samples = 4
    return pixels_held(image) * samples * (2 if deep and image.mode != "I" else 1)


def _loaded(content: bytes, image: Image.Image, name: str, bit_depth: BitDepth) -> tuple[Pixels, int | None]:
    """Return the pixels of an opened image, and how many bits they need where the file does not say it."""
    # Asked before loading, which forgets it.
    sixteen_bits = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    is_misread = _ycbcr_taken_for_rgbx(image)
    try:
        image.load()
        if is_misread:
            image.paste(Image.frombytes("YCbCr", image.size, image.tobytes()).convert("RGB"))
    except Exception as error:  # Pillow's decoders raise whatever the bytes make them
        raise ImageUnreadable(name, _reason(error)) from None
    own_bits = None
    if sixteen_bits and image.mode in ("RGB", "RGBA", "LA", "RGBX"):
        pixels, own_bits = _in_8_bits(_deep_colour(content, image, name), bit_depth)
    else:
        _apply_orientation(image)
        if image.mode.startswith("I;16") or (image.format == "PPM" and image.mode == "I"):
            pixels, own_bits = _from_integers(content, image, name, bit_depth, sixteen_bits)
        elif is_wide(image):
            pixels, own_bits = _from_wide_values(content, image, name, bit_depth)
        else:
            pixels = _pixels(image, name)
    return pixels, own_bits


def _in_8_bits(values: npt.NDArray[np.integer], bit_depth: BitDepth) -> tuple[Pixels, int]:
    """Return `values` with 8 bits, and how many bits they need."""
    own_bits = bits_needed(int(values.max()))
    return to_8_bits(values, bit_depth if isinstance(bit_depth, int) else own_bits), own_bits


def _ycbcr_taken_for_rgbx(image: Image.Image) -> bool:
    """Return whether Pillow, before version 13, took a TIFF's uncompressed YCbCr for RGB with a fourth byte.

    Then it is set to read the three there are, which are still Y, Cb and Cr.
    """
    tiles = getattr(image, "tile", ())
    if getattr(image, "tag_v2", {}).get(262) != 6 or not any(tile[:1] == ("raw",) for tile in tiles):
        return False
    if image.mode != "RGB" or any(tile.args[0] != "RGBX" for tile in tiles):
        return False
    image.tile = [tile._replace(args=("RGB", *tile.args[1:])) for tile in tiles]  # type: ignore[attr-defined]
    return True


def _opened(content: bytes, name: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        raise ImageUnreadable(name, _what_it_is(content)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageUnreadable(name, Text("reason.more_million_pixels", {"millions": MAX_PIXELS // 1_000_000})) from None
    except Exception as error:
        raise ImageUnreadable(name, _reason(error)) from None


def _reason(error: Exception) -> Text:
    text = str(error) or type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError | IndexError):
        return Text("reason.file_cut_short_truncated")
    if isinstance(error, MemoryError):
        return Text("reason.not_enough_memory_decode")
    return Text("reason.data_damaged", {"text": text})


def _what_it_is(content: bytes) -> Text:
    """Return why `content`, which no decoder knows, is no image."""
    for start, kind in _SIGNATURES:
        if content.startswith(start):
            return Text("reason.not_supported_save_png", {"kind": Text(f"kind.{kind}")})
    if content[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"):
        return Text("reason.heic")
    for start, kind in ((b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"BM", "BMP"), (b"GIF8", "GIF")):
        if content.startswith(start):
            return Text("reason.begins_image_but_header", {"kind": kind})
    if content[:4] in (b"II*\x00", b"MM\x00*"):
        return Text("reason.kind_tiff_cannot_read")
    try:
        text = content[:512].decode("utf-8", "strict" if len(content) <= 512 else "ignore")
    except UnicodeDecodeError:
        return Text("reason.not_image_known_format")
    if all(character.isprintable() or character in "\t\r\n\f" for character in text):
        return Text("reason.content_text_not_image")
    return Text("reason.not_image_known_format")


def _deep_colour(content: bytes, image: Image.Image, name: str) -> npt.NDArray[np.uint16]:
    """Return the values of a PNG or TIFF with 16 bits a channel, of which Pillow keeps 8."""
    page = image.tell()
    found, mats = cv2.imdecodemulti(
        np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED, range=(page, page + 1)
    )
    values = mats[0] if found and mats else None
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise ImageUnreadable(name, Text("reason.kind_16_bit_colour"))
    colours = np.empty((*values.shape[:2], 3), np.uint16)
    for row, rows in enumerate(values):
        if values.shape[2] == 4:
            rows = np.rint(rows[:, :3] * (rows[:, 3:].astype(np.float32) / 65535))
        colours[row] = rows[:, ::-1]
    if image.format == "PNG":  # OpenCV turns TIFF by itself
        colours = _turned(colours, image.getexif().get(0x0112, 1))
    return colours


def _turned(values: npt.NDArray[np.uint16], orientation: int) -> npt.NDArray[np.uint16]:
    """Return `values` as EXIF `orientation`, 1 to 8, wants them shown."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return values


def _apply_orientation(image: Image.Image) -> None:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # damaged EXIF data state no orientation
        return


def _pixels(image: Image.Image, name: str) -> Pixels:
    if "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
        image = image.convert("RGBA")
    mode = image.mode
    if mode in ("L", "RGB"):
        return np.asarray(image)
    if mode in ("1", "P"):
        return np.asarray(image.convert("L" if mode == "1" else "RGB"))
    if mode in ("LA", "PA", "RGBA"):
        return _over_black(np.asarray(image.convert("RGBA")))
    try:
        return np.asarray(image.convert("RGB"))  # CMYK, YCbCr, LAB, RGBX
    except Exception:
        raise ImageUnreadable(name, Text("reason.colour_mode_not_supported", {"mode": mode})) from None


def _over_black(pixels: Pixels) -> Pixels:
    return in_rows(pixels, _row_over_black)


def _row_over_black(pixels: npt.NDArray[Any]) -> Pixels:
    alpha = pixels[:, :, 3:].astype(np.uint16)
    return ((pixels[:, :, :3] * alpha + 127) // 255).astype(np.uint8)


def _from_integers(
    content: bytes, image: Image.Image, name: str, bit_depth: BitDepth, sixteen_bits: bool
) -> tuple[Pixels, int | None]:
    """Return the pixels of an image of whole numbers, and how many bits they need where the file does not say it."""
    values = np.asarray(image)
    if image.format == "PPM" and not sixteen_bits:
        # Pillow has scaled it to 16 bits already, by the largest value the header states.
        return np.asarray(np.rint(values / 257), dtype=np.uint8), None
    own_bits = bits_needed(int(range_of_file(content, image, values, name).high))
    pixels = to_8_bits(values, bit_depth if isinstance(bit_depth, int) else own_bits)
    return _with_black_as_zero(pixels, image), own_bits


def _with_black_as_zero(pixels: Pixels, image: Image.Image) -> Pixels:
    white_is_zero = image.format == "TIFF" and image.tag_v2.get(262) == 0  # type: ignore[attr-defined]
    return 255 - pixels if white_is_zero else pixels


def _from_wide_values(content: bytes, image: Image.Image, name: str, bit_depth: BitDepth) -> tuple[Pixels, int | None]:
    """Return the pixels of an image of 32-bit numbers, fractions or numbers below zero, and their bits as above."""
    values = wide_values(image)
    found = range_of_file(content, image, values, name)
    own_bits = None
    has_fractions = values.dtype.kind == "f" and found.high <= 1
    if has_fractions and found.is_shares:
        pixels = in_rows(values, lambda rows: np.rint(rows * 255).astype(np.uint8))
    elif found.is_of_16_bits and not has_fractions:
        own_bits = bits_needed(int(found.high))
        bits = bit_depth if isinstance(bit_depth, int) else own_bits
        pixels = in_rows(values, lambda rows: to_8_bits(np.rint(rows).astype(np.uint16), bits))
    else:
        pixels = stretch(values, found)
    return _with_black_as_zero(pixels, image), own_bits


def _frames(source: Source) -> list[int]:
    return page_numbers(source, _FORMATS)


def _header(source: Source) -> FileHeader | None:
    """Return None: no breast, view or patient stands in such a file where one could rely on it."""
    return None


def _device(content: bytes) -> str | None:
    try:
        with Image.open(io.BytesIO(content)) as image:
            exif = image.getexif()
        return device_name([exif.get(tag) for tag in _DEVICE_TAGS])
    except Exception:  # damaged metadata name no device
        return None


RASTER = Decoder(
    name="raster",
    recognise=lambda beginning: True,
    any_ending=False,
    single_endings=_SINGLE,
    frames=_frames,
    header=_header,
    pixels=decode_raster,
    check_start=_check_start,
    device=_device,
)
