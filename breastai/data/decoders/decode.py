"""Decoding: the content of an image file to pixels, uint8, (H, W, 1) grey or (H, W, 3) RGB.

Pillow decodes, because it says precisely what is wrong with a file and prints nothing, where the libraries
inside OpenCV write to stderr and may hand back half an image. OpenCV reads what Pillow would cut to 8 bits:
colour with 16 bits, after Pillow has found the file sound.
"""

import hashlib
import io
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

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
from breastai.data.decoders.dicom_file import BEGINNING_BYTES, is_dicom, is_dicom_file, read_header
from breastai.data.decoders.image_pages import page_numbers, turn_to_page
from breastai.domain.errors import ImageUnreadable

# Raised whenever the same file gives other pixels, so that no cache serves the old ones.
DECODING_VERSION = 2

MAX_PIXELS = 100_000_000
MAX_FILE_BYTES = 2**30

Pixels = npt.NDArray[np.uint8]

_FRAME = re.compile(r"(.+)#([1-9]\d{0,8})", re.DOTALL)

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
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# How other files begin that carry an image's name by mistake.
_SIGNATURES = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"8BPS", "a Photoshop file"),
    (b"SQLite format 3", "a database"),
)

# A JPEG 2000 stream inside DICOM states its own size: Pillow refuses it from twice this many pixels on.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# Decoding tells what it finds by exceptions; odd metadata is nothing the user can act on.
warnings.filterwarnings("ignore", module=r"PIL\.")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@dataclass(frozen=True, eq=False)
class Decoded:
    """An image, and what its reader should know of how it was read.

    `pixels`: uint8, (H, W, 1) grey or (H, W, 3) RGB. `own_bits`: the fewest bits that hold its values where its file does
    not say how many they have, else None. `pages`: pages or frames in its file, of which it is one.
    """

    pixels: Pixels
    own_bits: int | None = None
    pages: int = 1


def read_image(path: Path, bit_depth: BitDepth = None) -> Pixels:
    """Return the pixels of the file at `path`, as `decode` does; raise ImageUnreadable."""
    return decode(read_content(path, path.as_posix()), path.as_posix(), bit_depth)


def frame_of(name: str) -> tuple[str, int | None]:
    """Return the file and the number of the frame that a name such as clip.dcm#3 means; without one None."""
    found = _FRAME.fullmatch(name)
    return (name, None) if found is None else (found[1], int(found[2]))


def file_at(path: Path) -> Path:
    """Return the file in which the image at `path` lies: of clip.dcm#3 it is clip.dcm."""
    name, number = frame_of(path.name)
    return path if number is None or path.is_file() else path.with_name(name)


def content_hash(content: bytes, name: str) -> str:
    """Return the SHA-256 of an image by the bytes of its file; each frame or page of several has its own."""
    digest = hashlib.sha256(content)
    number = frame_of(name)[1]
    if number is not None and len(pages_in(content)) > 1:
        digest.update(f"#{number}".encode())
    return digest.hexdigest()


def pages_in(source: bytes | Path) -> list[int]:
    """Return the numbers, from 1 on, of the frames or pages of a file, by content or path, that are images of their own.

    Empty of no image file. Of a file given by path only as much is read as that takes.
    """
    if not (is_dicom_file(source) if isinstance(source, Path) else is_dicom(source[:BEGINNING_BYTES])):
        return page_numbers(source, _FORMATS)
    from breastai.data.decoders.dicom import frames_said

    header = read_header(source, ["NumberOfFrames"])
    return [] if header is None else list(range(1, frames_said(header) + 1))


def read_content(path: Path, name: str) -> bytes:
    """Return the bytes of the file at `path`, or of that whose frame it names; raise ImageUnreadable under `name`.

    Opening a file is left to Python: OpenCV can't open a path with accents on Windows.
    """
    path = file_at(path)
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_FILE_BYTES:
            raise ImageUnreadable(
                name, f"the file has {size_bytes / 2**30:.1f} GiB, more than {MAX_FILE_BYTES >> 30} GiB"
            )
        return path.read_bytes()
    except OSError as error:
        raise ImageUnreadable(name, f"the file can't be opened ({error.strerror or error})") from None


def readable_start(path: Path, name: str) -> None:
    """Raise ImageUnreadable when the beginning of a file shows already that it is no image we read. DICOM passes."""
    path = file_at(path)
    try:
        with path.open("rb") as file:
            beginning = file.read(BEGINNING_BYTES)
    except OSError as error:
        raise ImageUnreadable(name, f"the file can't be opened ({error.strerror or error})") from None
    if not beginning:
        raise ImageUnreadable(name, "the file is empty (0 bytes)")
    if is_dicom(beginning):
        return
    try:
        with Image.open(path, formats=_FORMATS) as image:
            width, height = image.size
    except UnidentifiedImageError:
        raise ImageUnreadable(name, _what_it_is(beginning)) from None
    except Exception as error:
        raise ImageUnreadable(name, _reason(error)) from None
    if width * height > MAX_PIXELS:
        raise ImageUnreadable(name, too_large(width, height))


def decode(content: bytes, name: str, bit_depth: BitDepth = None) -> Pixels:
    """Return the pixels in `content`, as `decode_image` does; raise ImageUnreadable."""
    return decode_image(content, name, bit_depth).pixels


def decode_image(content: bytes, name: str, bit_depth: BitDepth = None) -> Decoded:
    """Return the image in `content`, shape (H, W, 1) grey or (H, W, 3) RGB; `name` is for errors.

    Grey stored as colour (three equal channels) becomes (H, W, 1), so that what follows does not depend on how
    a grey image was stored. CMYK JPEGs are taken as Adobe writes them, inverted. Transparency is laid over black, the
    EXIF orientation is applied. Of several pages the one that `name` names counts, else the largest; of a DICOM file's
    frames the middle one. 16-bit values are divided by the largest value of `bit_depth` bits, where it is not known by
    that of 8, 10, 12, 14 or 16 bits, whichever the image needs; PGM and DICOM state their own; floats must lie between
    0 and 1. Raises ImageUnreadable with the reason.
    """
    if not content:
        raise ImageUnreadable(name, "the file is empty (0 bytes)")
    if is_dicom(content[:BEGINNING_BYTES]):
        from breastai.data.decoders.dicom import decode_dicom  # pydicom takes time to import, and few need it

        found = decode_dicom(content, name, frame_of(name)[1], bit_depth)
        return replace(found, pixels=collapse_grey(found.pixels))
    image = _opened(content, name)
    try:
        pages = turn_to_page(image, name, frame_of(name)[1])
    except ImageUnreadable:
        raise
    except Exception as error:  # Pillow's decoders raise whatever the bytes make them
        raise ImageUnreadable(name, _reason(error)) from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageUnreadable(name, too_large(width, height))
    # Asked before loading, which forgets it.
    sixteen_bits = any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))
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
        if image.mode == "I" or image.mode.startswith("I;16"):
            pixels, own_bits = _from_integers(image, sixteen_bits, name, bit_depth)
        else:
            pixels = _pixels(image, name)
    return Decoded(collapse_grey(pixels), own_bits, pages)


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


def says_burned_in(content: bytes) -> bool:
    """Return whether a DICOM file's header says that its pixels hold annotations; of other files nothing is known."""
    from breastai.data.decoders.dicom import burned_in_annotation

    return burned_in_annotation(content)


def too_large(width: int, height: int) -> str:
    """Return the reason to refuse an image of that size."""
    return f"it has {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} million"


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


def _opened(content: bytes, name: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        raise ImageUnreadable(name, _what_it_is(content)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageUnreadable(name, f"it has more than {MAX_PIXELS // 1_000_000} million pixels") from None
    except Exception as error:
        raise ImageUnreadable(name, _reason(error)) from None


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError | IndexError):
        return "the file is cut short (truncated); copy it again from its source"
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode it"
    return f"its data are damaged ({text})"


def _what_it_is(content: bytes) -> str:
    """Return why `content`, which no decoder knows, is no image."""
    for start, kind in _SIGNATURES:
        if content.startswith(start):
            return f"it is {kind}, which is not supported; save it as PNG"
    if content[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"):
        return "it is a HEIC or AVIF image, which is not supported; save it as PNG"
    for start, kind in ((b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"BM", "BMP"), (b"GIF8", "GIF")):
        if content.startswith(start):
            return f"it begins as a {kind} image, but its header is damaged or cut short"
    if content[:4] in (b"II*\x00", b"MM\x00*"):
        return "it is a kind of TIFF that can't be read; save it as 8-bit or 16-bit PNG"
    try:
        text = content[:512].decode("utf-8", "strict" if len(content) <= 512 else "ignore")
    except UnicodeDecodeError:
        return "it is not an image of a known format"
    if all(character.isprintable() or character in "\t\r\n\f" for character in text):
        return "its content is text, not an image"
    return "it is not an image of a known format"


def _deep_colour(content: bytes, image: Image.Image, name: str) -> npt.NDArray[np.uint16]:
    """Return the values of a PNG or TIFF with 16 bits a channel, of which Pillow keeps 8."""
    page = image.tell()
    found, mats = cv2.imdecodemulti(
        np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED, range=(page, page + 1)
    )
    values = mats[0] if found and mats else None
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise ImageUnreadable(name, "it is a kind of 16-bit colour image that can't be read; save it with 8 bits")
    if values.shape[2] == 4:
        alpha = values[:, :, 3:].astype(np.float32) / 65535
        values = np.rint(values[:, :, :3] * alpha)
    colours = np.asarray(values[:, :, ::-1], dtype=np.uint16)
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
    if mode == "F":
        return _from_floats(np.asarray(image), name)
    try:
        return np.asarray(image.convert("RGB"))  # CMYK, YCbCr, LAB, RGBX
    except Exception:
        raise ImageUnreadable(name, f"its colour mode {mode} is not supported; save it as PNG") from None


def _over_black(pixels: Pixels) -> Pixels:
    alpha = pixels[:, :, 3:].astype(np.uint16)
    return ((pixels[:, :, :3] * alpha + 127) // 255).astype(np.uint8)


def _from_integers(image: Image.Image, sixteen_bits: bool, name: str, bit_depth: BitDepth) -> tuple[Pixels, int | None]:
    """Return the pixels of an image of whole numbers, and how many bits they need where the file does not say it."""
    values = np.asarray(image)
    if int(values.min()) < 0:
        raise ImageUnreadable(name, "it has values below zero; save it as 8-bit or 16-bit PNG")
    if image.format == "PPM" and not sixteen_bits:
        # Pillow has scaled it to 16 bits already, by the largest value the header states.
        return np.asarray(np.rint(values / 257), dtype=np.uint8), None
    pixels, own_bits = _in_8_bits(values, bit_depth)
    white_is_zero = image.format == "TIFF" and image.tag_v2.get(262) == 0  # type: ignore[attr-defined]
    return 255 - pixels if white_is_zero else pixels, own_bits


def _from_floats(values: npt.NDArray[np.float32], name: str) -> Pixels:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):  # NaN fails as well
        raise ImageUnreadable(
            name,
            f"its floating-point values run from {low:g} to {high:g}, where 0 to 1 is expected; save it as 8-bit or 16-bit PNG",
        )
    return np.rint(values * 255).astype(np.uint8)
