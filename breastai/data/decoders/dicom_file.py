"""DICOM files: recognised by their bytes, and read whether or not preamble, meta header and transfer syntax are there.

The one place that says what is a DICOM file. Its name says nothing: a hospital's CD has no endings, and what is called
.dcm may be a PNG.
"""

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from breastai.data.decoders.file_content import BEGINNING_BYTES, MAX_FILE_BYTES, read_beginning
from breastai.domain.text import Text

if TYPE_CHECKING:  # pydicom takes time to import, and few need it
    from pydicom.dataset import Dataset

_MAGIC = b"DICM"
_MAGIC_PLACE = 128
# A data set without a preamble begins with one of these groups: the meta header, or the identification of the object.
_FIRST_GROUPS = (0x0002, 0x0008)
_LONGEST_FIRST_VALUE = 1024
_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
_IMPLICIT_LITTLE, _EXPLICIT_LITTLE, _EXPLICIT_BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
# How the streams begin that PixelData may hold where no transfer syntax says so; the second byte pair of a JPEG's frame.
_JPEG_2000 = b"\xff\x4f\xff\x51"
_JPEG_FRAMES = {
    0xC0: "1.2.840.10008.1.2.4.50",
    0xC1: "1.2.840.10008.1.2.4.51",
    0xC3: "1.2.840.10008.1.2.4.70",
    0xF7: "1.2.840.10008.1.2.4.81",
}

# Deflated explicit little endian, and the same of JPIP; what deflate makes of a blank image is believed up to a ratio.
_DEFLATED = (b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.8.1")
_SMALL_INFLATED_BYTES, _MOST_RATIO, _INFLATED_AT_ONCE_BYTES = 2**26, 200, 2**20

# pydicom remarks on attributes that do not follow the standard, as warnings and to its log, some with their values; the
# pixels do not depend on them, and no log of ours holds a patient's attribute.
warnings.filterwarnings("ignore", module=r"pydicom\.")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def is_dicom(beginning: bytes) -> bool:
    """Return whether a file that begins so, with BEGINNING_BYTES or all of it, is a DICOM file.

    It is when DICM stands behind its preamble, or when it begins as a data set does: with an element of group 0002 or
    0008, of a known VR or followed by another element where its length ends.
    """
    if beginning[_MAGIC_PLACE : _MAGIC_PLACE + 4] == _MAGIC or beginning[:4] == _MAGIC:
        return True
    if len(beginning) < 8:
        return False
    for order in ("<", ">"):
        group, element = struct.unpack(f"{order}HH", beginning[:4])
        if group in _FIRST_GROUPS and beginning[4:6] in _VRS:
            return True
        if order == ">" or group not in _FIRST_GROUPS:
            continue
        (length,) = struct.unpack("<I", beginning[4:8])
        if length % 2 or length > _LONGEST_FIRST_VALUE:
            continue
        following = beginning[8 + length : 12 + length]
        if len(following) == 4 and (group, element) < struct.unpack("<HH", following):
            return True
    return False


def is_dicom_file(path: Path) -> bool:
    """Return whether the file at `path` is a DICOM file; False of one that can't be opened."""
    try:
        return is_dicom(read_beginning(path))
    except OSError:
        return False


def read_dataset(content: bytes) -> "Dataset":
    """Return the data set in `content`, with a transfer syntax; raise whatever its bytes make the parser raise."""
    import pydicom

    content = _readable(content)
    check_inflated(content)
    dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    if not dataset.file_meta.get("TransferSyntaxUID"):
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(_syntax_of(dataset))
    _ = dataset.file_meta.TransferSyntaxUID.name
    return dataset


def read_header(source: Path | bytes, tags: Sequence[str]) -> "Dataset | None":
    """Return the attributes `tags` of a DICOM file, given by path or content; None of any other file, and of a damaged one."""
    try:
        if not (is_dicom_file(source) if isinstance(source, Path) else is_dicom(source[:BEGINNING_BYTES])):
            return None
        import pydicom

        where: Path | io.BytesIO = source if isinstance(source, Path) else io.BytesIO(_readable(source))
        if isinstance(source, Path):
            beginning = read_beginning(source)
            if _readable(beginning) is not beginning:
                where = io.BytesIO(_readable(source.read_bytes()))
        check_inflated(where)
        return pydicom.dcmread(where, stop_before_pixels=True, force=True, specific_tags=list(tags))
    except Exception:  # a damaged file makes the parser raise whatever its bytes lead to
        return None


class Inflated(Exception):
    """A deflated data set that unpacks to more than a file may have: `reason` says so."""

    def __init__(self, size_bytes: int) -> None:
        sizes = {"size_mib": size_bytes >> 20, "most_mib": MAX_FILE_BYTES >> 20}
        super().__init__("a deflated data set without an end")
        self.reason = Text("reason.too_many_bytes_decoded", sizes)


def check_inflated(source: Path | io.BytesIO | bytes) -> None:
    """Raise Inflated for a deflated data set of more than 1 GiB, or of more than 200 times its size; hold none of it."""
    start = _deflated_from(read_beginning(source) if isinstance(source, Path) else _bytes_of(source)[:BEGINNING_BYTES])
    if start is None:
        return
    content = source.read_bytes() if isinstance(source, Path) else _bytes_of(source)
    most = min(MAX_FILE_BYTES, max(_SMALL_INFLATED_BYTES, _MOST_RATIO * len(content)))
    inflating, size, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, content[start:]
    while rest and not inflating.eof:
        size += len(inflating.decompress(rest, _INFLATED_AT_ONCE_BYTES))
        rest = inflating.unconsumed_tail
        if size > most:
            raise Inflated(size)


def _bytes_of(source: io.BytesIO | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.getvalue()


def _deflated_from(beginning: bytes) -> int | None:
    """Return where the deflated data set of a file begins; None where it is not deflated."""
    place = _MAGIC_PLACE + 4 if beginning[_MAGIC_PLACE : _MAGIC_PLACE + 4] == _MAGIC else 0
    deflated = False
    while beginning[place : place + 2] == b"\x02\x00" and place + 8 <= len(beginning):
        is_long = beginning[place + 4 : place + 6] in (b"OB", b"UN")
        head = 12 if is_long else 8
        length = int.from_bytes(beginning[place + head - (4 if is_long else 2) : place + head], "little")
        if beginning[place + 2 : place + 4] == b"\x10\x00":
            deflated = beginning[place + head : place + head + length].strip(b"\0 ") in _DEFLATED
        place += head + length
    return place if deflated else None


def stream_size(stream: bytes) -> tuple[int, int] | None:
    """Return columns and rows that a JPEG or JPEG 2000 stream says it has; None of any other, and where it does not say."""
    if stream[:4] == _JPEG_2000 and len(stream) >= 24:  # SIZ: the grid, from its offset
        width, height, left, top = struct.unpack(">4I", stream[8:24])
        return width - left, height - top
    if not stream.startswith(b"\xff\xd8"):
        return None
    place = 2
    while place + 9 <= len(stream) and stream[place] == 0xFF:
        marker = stream[place + 1]
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            rows, columns = struct.unpack(">HH", stream[place + 5 : place + 9])
            return columns, rows
        place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    return None


def _readable(content: bytes) -> bytes:
    """Return what pydicom reads right: a file whose meta header says no transfer syntax begins behind that."""
    if content[:4] == _MAGIC:
        content = bytes(_MAGIC_PLACE) + content
    has_preamble = content[_MAGIC_PLACE : _MAGIC_PLACE + 4] == _MAGIC
    start = place = _MAGIC_PLACE + 4 if has_preamble else 0
    while content[place : place + 2] == b"\x02\x00" and place + 8 <= len(content):
        is_long = content[place + 4 : place + 6] in (b"OB", b"UN")
        length = int.from_bytes(
            content[place + 8 : place + 12] if is_long else content[place + 6 : place + 8], "little"
        )
        if content[place + 2 : place + 4] == b"\x10\x00" and length:
            return content
        place += (12 if is_long else 8) + length
    return content[place:] if place > start or has_preamble else content


def _syntax_of(dataset: "Dataset") -> str:
    """Return the transfer syntax that the bytes were read by, where the file does not say it."""
    implicit, little = dataset.original_encoding
    if not little:
        return _EXPLICIT_BIG
    if _is_encapsulated(dataset):
        return _encapsulated_syntax(bytes(dataset.PixelData))
    return _IMPLICIT_LITTLE if implicit else _EXPLICIT_LITTLE


def _is_encapsulated(dataset: "Dataset") -> bool:
    # A basic offset table comes first, as an item: (FFFE,E000).
    return "PixelData" in dataset and bytes(dataset.PixelData[:4]) == b"\xfe\xff\x00\xe0"


def _encapsulated_syntax(pixel_data: bytes) -> str:
    """Return the transfer syntax of encapsulated pixel data by how their first stream begins."""
    (offsets_bytes,) = struct.unpack("<I", pixel_data[4:8])
    stream = pixel_data[16 + offsets_bytes :]
    if stream.startswith(_JPEG_2000):
        return "1.2.840.10008.1.2.4.91"
    if not stream.startswith(b"\xff\xd8"):
        return "1.2.840.10008.1.2.5"  # run lengths
    place = 2
    while place + 4 <= len(stream):
        marker, length = stream[place + 1], int.from_bytes(stream[place + 2 : place + 4], "big")
        if marker in _JPEG_FRAMES:
            return _JPEG_FRAMES[marker]
        place += 2 + length
    return _JPEG_FRAMES[0xC0]
