"""The kinds of image files that are read, one row each; and an image's pixels, frames, header and hash by its row.

Adding a kind is a module with its row, and the row in DECODERS.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

from breastai.data.decoders.bit_depth import BitDepth
from breastai.data.decoders.decoder import Decoded, Decoder, FileHeader, Header, Source
from breastai.data.decoders.dicom_decoder import DICOM
from breastai.data.decoders.file_content import BEGINNING_BYTES, file_at, frame_of, read_beginning, read_content
from breastai.data.decoders.raster import RASTER
from breastai.data.pixels import Pixels, collapse_grey
from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text

# Raised whenever the same file gives other pixels, so that no cache serves the old ones.
DECODING_VERSION = 3

# The first that recognises a file reads it. The last takes what no other does, and says why where it can't.
DECODERS: tuple[Decoder, ...] = (DICOM, RASTER)


def decoder_of(source: Source) -> Decoder:
    """Return the row of the kind of file that `source` is, given by path or content."""
    try:
        beginning = read_beginning(source) if isinstance(source, Path) else source[:BEGINNING_BYTES]
    except OSError:
        beginning = b""
    return next((row for row in DECODERS if row.recognise(beginning)), DECODERS[-1])


def is_image_by_content(path: Path) -> bool:
    """Return whether a file is an image whatever it is called."""
    return decoder_of(path).any_ending


def read_image(path: Path, bit_depth: BitDepth = None) -> Pixels:
    """Return the pixels of the file at `path`, as `decode` does; raise ImageUnreadable."""
    return decode(read_content(path, path.as_posix()), path.as_posix(), bit_depth)


def decode(content: bytes, name: str, bit_depth: BitDepth = None) -> Pixels:
    """Return the pixels in `content`, as `decode_image` does; raise ImageUnreadable."""
    return decode_image(content, name, bit_depth).pixels


def decode_image(content: bytes, name: str, bit_depth: BitDepth = None) -> Decoded:
    """Return the image in `content`, shape (H, W, 1) grey or (H, W, 3) RGB; `name` is for errors.

    Grey stored as colour (three equal channels) becomes (H, W, 1), so that what follows does not depend on how
    a grey image was stored. CMYK JPEGs are taken as Adobe writes them, inverted. Transparency is laid over black, the
    EXIF orientation is applied. Of several pages the one that `name` names counts, else the largest; of a DICOM file's
    frames the middle one. 16-bit values are divided by the largest value of `bit_depth` bits, where it is not known by
    that of 8, 10, 12, 14 or 16 bits, whichever the image needs; PGM and DICOM state their own; `value_range` says what
    becomes of 32-bit numbers, fractions and numbers below zero. Raises ImageUnreadable with the reason.
    """
    if not content:
        raise ImageUnreadable(name, Text("reason.file_empty_0_bytes"))
    found = decoder_of(content).pixels(content, name, frame_of(name)[1], bit_depth)
    return replace(found, pixels=collapse_grey(found.pixels))


def pages_in(source: Source) -> list[int]:
    """Return the numbers, from 1 on, of the frames or pages of a file, by content or path, that are images of their own.

    Empty of no image file. Of a file given by path only as much is read as that takes.
    """
    return decoder_of(source).frames(source)


def content_hash(content: bytes, name: str) -> str:
    """Return the SHA-256 of an image by the bytes of its file; each frame or page of several has its own."""
    digest = hashlib.sha256(content)
    number = frame_of(name)[1]
    if number is not None and len(pages_in(content)) > 1:
        digest.update(f"#{number}".encode())
    return digest.hexdigest()


def file_header(source: Source) -> FileHeader:
    """Return what the header of a file says, given by path or content; nothing where it has none that can be read."""
    return decoder_of(source).header(source) or FileHeader()


def header_of(path: Path) -> Header:
    """Return the codes in the header of the image at `path`; none of a file without a header that can be read."""
    return file_header(file_at(path)).codes


def device_of(content: bytes) -> str | None:
    """Return maker and model of what made an image, given the bytes of its file; None where they are not said."""
    return decoder_of(content).device(content)


def readable_start(path: Path, name: str) -> None:
    """Raise ImageUnreadable when the beginning of a file shows already that it is no image we read."""
    path = file_at(path)
    try:
        beginning = read_beginning(path)
    except OSError as error:
        raise ImageUnreadable(
            name, Text("reason.file_cannot_opened", {"error": str(error.strerror or error)})
        ) from None
    if not beginning:
        raise ImageUnreadable(name, Text("reason.file_empty_0_bytes"))
    decoder_of(beginning).check_start(path, name, beginning)
