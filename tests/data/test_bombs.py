"""Image bombs: small files that claim or unpack to gigabytes are refused before anything of that size is held."""

import io
import struct
import threading
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit

from breastai.data import array_file, pixels
from breastai.data.array_file import read_arrays
from breastai.data.cases.fingerprints import read_fingerprints
from breastai.data.decoders import value_range
from breastai.data.decoders.decoder_table import decode, file_header
from breastai.data.decoders.dicom_file import read_header
from breastai.data.decoders.raster import decode_raster
from breastai.domain.errors import ImageUnreadable

MOST_HELD_BYTES = 64 * 2**20


def refused(content: bytes) -> str:
    """Return the code of the reason why an image is refused, nothing large having been held."""
    tracemalloc.start()
    try:
        with pytest.raises(ImageUnreadable) as caught:
            decode(content, "x")
        assert tracemalloc.get_traced_memory()[1] < MOST_HELD_BYTES
    finally:
        tracemalloc.stop()
    return caught.value.reason.code


def png_that_claims(width: int, height: int, depth: int, colour: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(6)) + chunk(b"tRNS", b"\0\0") if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + header + palette + chunk(b"IDAT", zlib.compress(bytes(2**20))) + chunk(b"IEND", b"")


def dicom_file(syntax: str, frame: bytes, side: int, **attributes: object) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.Rows = dataset.Columns = side
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    for name, value in attributes.items():
        setattr(dataset, name, value)
    dataset.PixelData = frame
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def test_an_image_that_takes_more_bytes_than_any_may_is_refused_by_its_header() -> None:
    assert refused(png_that_claims(10_000, 9_000, 16, 6)) == "reason.too_many_bytes_decoded"
    colour = dicom_file(
        ExplicitVRLittleEndian, bytes(16), 9_500, SamplesPerPixel=3, BitsAllocated=16, BitsStored=16, HighBit=15,
        PhotometricInterpretation="RGB", PlanarConfiguration=0,
    )  # fmt: skip
    assert refused(colour) == "reason.too_many_bytes_decoded"
    many = dicom_file(ExplicitVRLittleEndian, bytes(16), 5_000, SamplesPerPixel=200, PhotometricInterpretation="RGB")
    assert refused(many) == "reason.too_many_bytes_decoded"


def tiff(*pages: tuple[int, int, int]) -> bytes:
    """Return a TIFF of float32 zeros by the width, height and side of the one tile of each page; the first page holds a half."""
    content, links = b"II*\0" + bytes(4), [4]
    for width, height, side in pages:
        packer, zeros = zlib.compressobj(1), bytes(2**20)
        first = b"" if links[1:] else struct.pack("<f", 0.5)
        packed = packer.compress(first + zeros[len(first) :])
        packed += b"".join(packer.compress(zeros) for _ in range(4 * side * side // 2**20)) + packer.flush()
        content = (
            content[: links[-1]] + struct.pack("<I", len(content) + len(packed)) + content[links[-1] + 4 :] + packed
        )
        tags = [(256, width), (257, height), (258, 32), (259, 8), (262, 1), (277, 1), (322, side), (323, side)]
        tags += [(324, len(content) - len(packed)), (325, len(packed)), (339, 3)]
        content += struct.pack("<H", len(tags)) + b"".join(
            struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags
        )
        links.append(len(content))
        content += bytes(4)
    return content


def test_a_tile_larger_than_its_image_counts_as_what_it_takes() -> None:
    assert decode(tiff((20, 10, 32)), "x").shape == (10, 20, 1)
    claims = tiff((20, 10, 32)).replace(struct.pack("<HHII", 322, 4, 1, 32), struct.pack("<HHII", 322, 4, 1, 2**24))
    assert refused(claims) == "reason.too_many_bytes_decoded"


def test_pages_too_large_to_be_read_say_nothing_of_the_range_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    two = tiff((20, 10, 32), (40, 40, 48))
    decoded = []
    values_of = value_range.wide_values
    monkeypatch.setattr(value_range, "wide_values", lambda image: (decoded.append(image.size), values_of(image))[1])

    def page() -> npt.NDArray[np.uint8]:
        decoded.clear()
        return decode_raster(two, "x", 1, None).pixels

    whole = page()
    assert set(decoded) == {(20, 10), (40, 40)}
    for bound in ("MAX_PIXELS", "_MOST_VALUES"):
        with monkeypatch.context() as patched:
            patched.setattr(value_range, bound, 32 * 32)
            value_range._range_of_pages.cache_clear()
            assert np.array_equal(page(), whole) and set(decoded) == {(20, 10)}
    value_range._range_of_pages.cache_clear()


def test_a_deflated_data_set_is_counted_before_it_is_unpacked() -> None:
    bomb = dicom_file(DeflatedExplicitVRLittleEndian, bytes(200 * 2**20), 64)
    assert len(bomb) < 2**20
    assert refused(bomb) == "reason.too_many_bytes_decoded"
    assert read_header(bomb, ["Rows"]) is None and file_header(bomb).codes.view is None
    honest = dicom_file(DeflatedExplicitVRLittleEndian, bytes(range(64)) * 64, 64)
    assert decode(honest, "x").shape == (64, 64, 1)


def test_a_stream_larger_than_its_header_says_is_not_decoded() -> None:
    picture = io.BytesIO()
    Image.new("L", (4_000, 4_000)).save(picture, "JPEG")
    bomb = dicom_file(JPEGBaseline8Bit, encapsulate([picture.getvalue()]), 16)
    assert refused(bomb) == "reason.transfer_syntax"


def test_large_images_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "_BIG_BYTES", 10)
    busy = threading.Lock()

    def decoded(_: int) -> None:
        with pixels.room_for(11, "x"):
            assert busy.acquire(blocking=False), "another is being decoded"
            busy.release()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decoded, range(200)))


def test_worked_on_in_rows_an_image_is_the_same_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    transparent = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (50, 31, 4), dtype=np.uint8), "RGBA").save(transparent, "PNG")
    colour = rng.integers(0, 4096, (40, 40, 3), dtype=np.uint16)
    deep = dicom_file(
        ExplicitVRLittleEndian, colour.tobytes(), 40, SamplesPerPixel=3, BitsAllocated=16, BitsStored=12, HighBit=11,
        PhotometricInterpretation="RGB", PlanarConfiguration=0,
    )  # fmt: skip
    whole = [decode(content, "x") for content in (transparent.getvalue(), deep)]
    monkeypatch.setattr(pixels, "_VALUES_AT_ONCE", 300)
    for content, expected in zip((transparent.getvalue(), deep), whole, strict=True):
        assert np.array_equal(decode(content, "x"), expected)


def test_arrays_that_unpack_to_more_than_any_have_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", hashes=np.zeros(2**20, np.uint8))
    assert read_arrays(tmp_path / "a.npz", ["hashes"]) is not None
    monkeypatch.setattr(array_file, "MOST_UNPACKED_BYTES", 2**19)
    assert read_arrays(tmp_path / "a.npz", ["hashes"]) is None
    assert read_fingerprints(tmp_path / "a.npz") is None
    (tmp_path / "torn.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:300])
    assert read_arrays(tmp_path / "torn.npz", ["hashes"]) is None and read_arrays(tmp_path / "none.npz", []) is None
