"""DICOM by its bytes: what is one, how large a stream says it is, how it is compressed, and how values become grey."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from breastai.data.decoders import dicom, dicom_file
from breastai.data.decoders.decoder_table import decode
from breastai.data.decoders.dicom_file import Inflated, check_inflated, is_dicom, read_header, stream_size
from breastai.domain.errors import ImageUnreadable

from .test_dicom import RAMP, content, dataset, reason


def element(group: int, number: int, length: int, order: str = "<") -> bytes:
    """Return the head of an element of implicit VR."""
    return struct.pack(f"{order}HHI", group, number, length)


def spelt(group: int, number: int, vr: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", group, number) + vr + b"\x02\x00"


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (bytes(128) + b"DICM", True),
        (bytes(127) + b"DICM", False),
        (b"DICM" + bytes(20), True),
        (b"DIC" + bytes(20), False),
        (spelt(0x0008, 0x0005, b"CS"), True),
        (spelt(0x0002, 0x0000, b"UL"), True),
        (spelt(0x0008, 0x0005, b"CS", ">"), True),
        (spelt(0x0008, 0x0005, b"XX"), False),
        (spelt(0x0010, 0x0010, b"PN"), False),
        (spelt(0x0008, 0x0005, b"CS")[:7], False),
        (element(0x0008, 0x0005, 4) + b"ISO " + element(0x0008, 0x0008, 2), True),
        (element(0x0008, 0x0005, 4) + b"ISO " + element(0x0010, 0x0001, 2), True),
        (element(0x0008, 0x0005, 4) + b"ISO " + element(0x0008, 0x0005, 2), False),
        (element(0x0008, 0x0005, 4) + b"ISO " + element(0x0008, 0x0004, 2), False),
        (element(0x0008, 0x0005, 4) + b"ISO " + b"\x08\x00\x08", False),
        (element(0x0008, 0x0005, 3) + b"ISO" + element(0x0008, 0x0008, 2), False),
        (element(0x0008, 0x0005, 1024) + bytes(1024) + element(0x0008, 0x0008, 2), True),
        (element(0x0008, 0x0005, 1026) + bytes(1026) + element(0x0008, 0x0008, 2), False),
        (element(0x0010, 0x0005, 4) + b"ISO " + element(0x0010, 0x0008, 2), False),
        (element(0x0008, 0x0005, 4, ">") + b"ISO " + element(0x0008, 0x0008, 2, ">"), False),
    ],
)
def test_a_file_is_dicom_by_its_mark_or_by_the_element_it_begins_with(beginning: bytes, expected: bool) -> None:
    assert is_dicom(beginning) is expected


@pytest.mark.parametrize(("width", "height"), [(1, 1), (300, 7), (256, 255)])
@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]])
def test_a_jpeg_stream_says_its_size_whatever_comes_before_its_frame(
    width: int, height: int, options: list[int]
) -> None:
    stream = cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8), options)[1].tobytes()
    assert stream_size(stream) == (width, height)
    comment = b"\xff\xfe\x01\x02" + b"x" * 256
    assert stream_size(stream[:2] + comment + stream[2:]) == (width, height)
    assert stream_size(stream[:20]) is None and stream_size(b"x" + stream) is None


def frame(marker: int, width: int, height: int) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">HBHHB", 17, 8, height, width, 3)


@pytest.mark.parametrize("marker", [*range(0xC0, 0xD0), 0xF7])
def test_every_kind_of_frame_says_a_size_and_tables_do_not(marker: int) -> None:
    table = marker in (0xC4, 0xC8, 0xCC)
    assert stream_size(b"\xff\xd8" + frame(marker, 30, 20)) == (None if table else (30, 20))
    assert stream_size(b"\xff\xd8" + frame(marker, 30, 20)[:-2]) is None


def test_the_size_of_a_jpeg_2000_stream_is_that_of_its_grid_without_its_offset() -> None:
    head = b"\xff\x4f\xff\x51" + bytes(4) + struct.pack(">4I", 130, 90, 30, 20)
    assert stream_size(head) == (100, 70) and stream_size(head[:-1]) is None


@pytest.mark.parametrize(
    ("stream", "syntax"),
    [
        (b"\xff\x4f\xff\x51" + bytes(30), "1.2.840.10008.1.2.4.91"),
        (bytes(64), "1.2.840.10008.1.2.5"),
        (b"\xff\xd8" + frame(0xC0, 3, 3), "1.2.840.10008.1.2.4.50"),
        (b"\xff\xd8" + frame(0xC1, 3, 3), "1.2.840.10008.1.2.4.51"),
        (b"\xff\xd8\xff\xe0\x00\x06abcd" + frame(0xC3, 3, 3), "1.2.840.10008.1.2.4.70"),
        (b"\xff\xd8\xff\xdb\x00\x03a" + frame(0xF7, 3, 3), "1.2.840.10008.1.2.4.81"),
        (b"\xff\xd8\xff\xe0\x00\x06abcd", "1.2.840.10008.1.2.4.50"),
    ],
)
@pytest.mark.parametrize("offsets", [0, 8])
def test_compression_is_told_by_how_the_first_stream_begins(stream: bytes, syntax: str, offsets: int) -> None:
    item = b"\xfe\xff\x00\xe0"
    pixels = item + struct.pack("<I", offsets) + bytes(offsets) + item + struct.pack("<I", len(stream)) + stream
    assert dicom_file._encapsulated_syntax(pixels) == syntax


def meta(syntax: bytes, long_first: bool = False) -> bytes:
    """Return the meta group of a file, with an element of a four-byte length before its transfer syntax or without."""
    version = b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01" if long_first else b""
    padded = syntax + b"\x00" * (len(syntax) % 2)
    return version + b"\x02\x00\x10\x00UI" + struct.pack("<H", len(padded)) + padded


@pytest.mark.parametrize("syntax", [b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.8.1"])
@pytest.mark.parametrize("long_first", [False, True])
@pytest.mark.parametrize("preamble", [bytes(128) + b"DICM", b""])
def test_a_deflated_data_set_begins_behind_its_meta_group(preamble: bytes, long_first: bool, syntax: bytes) -> None:
    head = preamble + meta(syntax, long_first)
    assert dicom_file._deflated_from(head + bytes(30)) == len(head)
    assert dicom_file._deflated_from(preamble + meta(b"1.2.840.10008.1.2.1", long_first) + bytes(30)) is None


@pytest.mark.parametrize(("ratio", "refused"), [(9, False), (12, True)])
def test_a_deflated_data_set_may_grow_by_a_ratio_and_a_small_one_as_it_likes(
    ratio: int, refused: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def deflated(size: int) -> bytes:
        packing = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return head + packing.compress(bytes(size)) + packing.flush()

    head = bytes(128) + b"DICM" + meta(b"1.2.840.10008.1.2.1.99") + b""
    size = 400_000
    file = deflated(size)
    monkeypatch.setattr(dicom_file, "_INFLATED_AT_ONCE_BYTES", 1000)
    monkeypatch.setattr(dicom_file, "_MOST_RATIO", size / len(file) * 10 / ratio)
    path = tmp_path / "a.dcm"
    path.write_bytes(file)
    check_inflated(file)  # less than what may always be
    monkeypatch.setattr(dicom_file, "_SMALL_INFLATED_BYTES", 1000)
    for source in (file, io.BytesIO(file), path):
        if refused:
            with pytest.raises(Inflated):
                check_inflated(source)
        else:
            check_inflated(source)
    monkeypatch.setattr(dicom_file, "MAX_FILE_BYTES", 1000)
    with pytest.raises(Inflated):
        check_inflated(file)
    check_inflated(content(dataset(RAMP)))


def test_a_header_is_read_from_a_path_as_from_its_content_and_from_nothing_else(tmp_path: Path) -> None:
    whole = content(dataset(RAMP))
    without = b"DICM" + whole[132:]
    for number, data in enumerate((whole, without)):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(data)
        for source in (path, data):
            found = read_header(source, ["PatientID", "Rows"])
            assert found is not None and (found.PatientID, found.Rows) == ("SECRET-ID", 64)
            assert "PixelData" not in found and "Columns" not in found
    (tmp_path / "a.png").write_bytes(b"\x89PNG" + bytes(200))
    assert read_header(tmp_path / "a.png", ["Rows"]) is None is read_header(b"\x89PNG" + bytes(200), ["Rows"])
    assert read_header(tmp_path / "gone.dcm", ["Rows"]) is None


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [
        (-2048, 2047, 12),
        (-2049, 0, 14),
        (0, 2048, 14),
        (-512, 511, 10),
        (-8193, 0, 16),
        (-32768, 32767, 16),
        (-128, 127, 8),
    ],
)
def test_signed_values_take_the_fewest_bits_that_hold_both_ends(low: int, high: int, bits: int) -> None:
    fitting = [each for each in dicom.DEEP_BITS if -(1 << (each - 1)) <= low and high < 1 << (each - 1)]
    assert dicom._bits_of(low, high, signed=True) == fitting[0]
    assert bits in dicom.DEEP_BITS and dicom._bits_of(low, high, signed=True) == bits


@given(st.integers(9, 16), st.integers(0, 2**16 - 1))
def test_colour_of_many_bits_is_scaled_to_eight(bits: int, value: int) -> None:
    value %= 1 << bits
    shown = dicom._to_8_bits_of(np.full((2, 2, 3), value, np.uint16), bits)
    assert abs(float(shown[0, 0, 0]) - value * 255 / ((1 << bits) - 1)) <= 0.5 + 1e-9
    whole = dicom._to_8_bits_of(np.full((2, 2, 3), value, np.uint16))
    assert abs(float(whole[0, 0, 0]) - value * 255 / 65535) <= 0.5 + 1e-9
    low = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(dicom._to_8_bits_of(low), low)


@pytest.mark.parametrize(
    "values",
    [np.arange(-300, 300).reshape(20, 30), np.arange(600.0).reshape(20, 30) / 7, np.array([[0, 1 << 16], [5, 9]])],
)
def test_values_shown_by_a_table_are_those_shown_one_by_one(values: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom, "_ROWS", 7)
    shown = lambda some: (np.abs(some).astype(np.int64) % 251).astype(np.uint8)  # noqa: E731
    assert np.array_equal(dicom._by_table(values, shown), shown(values))


def attributes(**said: Any) -> Dataset:
    made = dataset(RAMP)
    for name, value in said.items():
        if value is None:
            delattr(made, name)
        else:
            setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, (1, 1, 16, 16, 15, 0)),
        ({"BitsAllocated": None, "BitsStored": None, "HighBit": None}, (1, 1, 16, 16, 15, 0)),
        ({"BitsStored": 12, "HighBit": 11}, (1, 1, 16, 12, 11, 0)),
        ({"BitsStored": 12, "HighBit": 15}, (1, 1, 16, 12, 15, 0)),
        ({"BitsStored": 12, "HighBit": 16}, (1, 1, 16, 12, 11, 0)),
        ({"BitsStored": 12, "HighBit": 10}, (1, 1, 16, 12, 11, 0)),
        ({"BitsStored": 17, "HighBit": 16}, (1, 1, 16, 16, 15, 0)),
        ({"BitsStored": 16, "HighBit": None}, (1, 1, 16, 16, 15, 0)),
        ({"PixelRepresentation": 1}, (1, 1, 16, 16, 15, 1)),
        ({"PixelRepresentation": 2}, (1, 1, 16, 16, 15, 0)),
        ({"NumberOfFrames": 2, "Rows": 32, "BitsAllocated": None}, (2, 1, 16, 16, 15, 0)),
        ({"Rows": 128, "BitsAllocated": None, "BitsStored": None, "HighBit": None}, (1, 1, 8, 8, 7, 0)),
    ],
)  # fmt: skip
def test_what_attributes_leave_unsaid_or_say_beside_the_point_is_put_in(
    said: dict[str, Any], expected: tuple[int, ...]
) -> None:
    made = attributes(**said)
    frames = dicom._complete(made)
    found = (made.SamplesPerPixel, made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation)
    assert (frames, *found) == expected


def test_bits_below_the_stored_ones_are_shifted_out() -> None:
    shifted = attributes(BitsStored=12, HighBit=15)
    shifted.PixelData = (RAMP << 4 | 7).astype(np.uint16).tobytes()
    plain = dataset(RAMP, BitsStored=12)
    assert np.array_equal(decode(content(shifted), "a.dcm"), decode(content(plain), "a.dcm"))


@pytest.mark.parametrize(("rows", "columns", "refused"), [(2048, 2048, False), (2049, 2048, True)])
def test_a_stream_may_have_four_times_the_pixels_of_its_header(rows: int, columns: int, refused: bool) -> None:
    stream = b"\xff\xd8" + frame(0xC0, columns, rows)
    made = attributes(Rows=1024, Columns=1024)
    if refused:
        with pytest.raises(ValueError, match="2049"):
            dicom._check_stream(stream, made)
    else:
        dicom._check_stream(stream, made)
    # A small image may be as large as any of a million pixels.
    small = attributes(Rows=8, Columns=8)
    dicom._check_stream(b"\xff\xd8" + frame(0xC0, 1024, 1024), small)
    with pytest.raises(ValueError, match="1025"):
        dicom._check_stream(b"\xff\xd8" + frame(0xC0, 1024, 1025), small)


def test_frames_are_numbered_from_one_and_one_too_many_is_refused() -> None:
    values = np.arange(5 * 16, dtype=np.uint8).reshape(20, 4)
    made = dataset(values, NumberOfFrames=5, Rows=4)
    for number in range(1, 6):
        assert np.array_equal(
            dicom.decode_dicom(content(made), "a.dcm", number).pixels, values[4 * number - 4 : 4 * number]
        )
    assert np.array_equal(decode(content(made), "a.dcm")[:, :, 0], values[8:12])
    with pytest.raises(ImageUnreadable):
        dicom.decode_dicom(content(made), "a.dcm", 6)
    assert [dicom.frames_said(attributes(NumberOfFrames=number)) for number in (0, 1, 7)] == [1, 1, 7]


@pytest.mark.parametrize("gone", ["Rows", "Columns", "PixelData"])
def test_without_a_size_or_pixels_there_is_no_image(gone: str) -> None:
    assert "holds no image" in reason(content(attributes(**{gone: None})))
    if gone != "PixelData":
        assert "holds no image" in reason(content(attributes(**{gone: 0})))


@pytest.mark.parametrize(
    ("kind", "samples", "bits", "expected"),
    [
        ("MONOCHROME2", 1, 8, 4096),
        ("MONOCHROME2", 1, 16, 8192),
        ("RGB", 3, 8, 3 * 4096),
        ("PALETTE COLOR", 1, 16, 6 * 4096),
        ("MONOCHROME2", 1, 1, 4096),
    ],
)
def test_a_frame_takes_its_pixels_times_its_samples_times_their_bytes(
    kind: str, samples: int, bits: int, expected: int
) -> None:
    made = attributes(PhotometricInterpretation=kind, SamplesPerPixel=samples, BitsAllocated=bits)
    assert dicom._frame_bytes(made) == expected
