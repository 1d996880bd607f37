"""Decoding: every kind of image file people have, and every way it can be broken."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from breastai.data.decoders.bit_depth import bits_needed, to_8_bits
from breastai.data.decoders.decoder_table import decode, decode_image, read_image
from breastai.data.pixels import MAX_PIXELS
from breastai.domain.errors import ImageUnreadable

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
SMOOTH = np.dstack([np.tile(np.linspace(*ends, 300), (200, 1)) for ends in ((0, 255), (255, 60), (30, 90))]).astype(
    np.uint8
)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def by_opencv(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def reason(content: bytes, name: str = "benign/1.png") -> str:
    with pytest.raises(ImageUnreadable) as caught:
        decode(content, name)
    assert caught.value.file == name
    return str(caught.value.reason)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_the_pixels_that_went_in(kind: str) -> None:
    grey = decode(encoded(Image.fromarray(GREY), kind), "x")
    assert grey.shape == (20, 30, 1)
    assert grey.dtype == np.uint8
    assert np.array_equal(grey[:, :, 0], GREY)
    assert np.array_equal(decode(encoded(Image.fromarray(COLOUR), kind), "x"), COLOUR)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff_gives_the_pixels_that_went_in(compression: str) -> None:
    content = encoded(Image.fromarray(COLOUR), "TIFF", compression=compression)
    assert np.array_equal(decode(content, "x"), COLOUR)


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 95}), ("WEBP", {"quality": 95})])
def test_lossy_formats_come_close(kind: str, options: dict[str, object]) -> None:
    pixels = decode(encoded(Image.fromarray(SMOOTH), kind, **options), "x")
    assert np.abs(pixels.astype(int) - SMOOTH).mean() < 3


def test_grey_stored_as_colour_is_grey() -> None:
    as_colour = encoded(Image.fromarray(GREY).convert("RGB"), "PNG")
    assert np.array_equal(decode(as_colour, "x"), GREY[:, :, np.newaxis])
    almost = np.repeat(GREY[:, :, np.newaxis], 3, axis=2)
    almost[11, 7, 2] ^= 1
    assert decode(encoded(Image.fromarray(almost), "PNG"), "x").shape == (20, 30, 3)


def test_a_palette_is_looked_up() -> None:
    palette = Image.fromarray(COLOUR).convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    expected = np.asarray(palette.convert("RGB"))
    for kind in ("PNG", "BMP", "TIFF"):
        assert np.array_equal(decode(encoded(palette, kind), "x"), expected)


def test_one_bit_is_black_and_white() -> None:
    bits = Image.fromarray(np.where(GREY > 127, 255, 0).astype(np.uint8)).convert("1", dither=Image.Dither.NONE)
    for kind, options in (("PNG", {}), ("TIFF", {"compression": "group4"}), ("BMP", {})):
        pixels = decode(encoded(bits, kind, **options), "x")
        assert np.array_equal(pixels[:, :, 0], np.where(GREY > 127, 255, 0))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_transparency_is_laid_over_black(kind: str) -> None:
    alpha = RNG.integers(0, 256, (20, 30, 1), dtype=np.uint8)
    expected = np.rint(COLOUR * (alpha / 255))
    content = encoded(Image.fromarray(np.dstack([COLOUR, alpha])), kind)
    assert np.abs(decode(content, "x") - expected).max() <= 1
    grey = encoded(Image.fromarray(np.dstack([GREY, alpha])), "PNG")
    assert np.abs(decode(grey, "x")[:, :, 0] - np.rint(GREY * (alpha[:, :, 0] / 255))).max() <= 1


def test_a_transparent_colour_of_a_palette_is_black() -> None:
    palette = Image.fromarray(COLOUR).convert("P")
    index = int(np.asarray(palette)[0, 0])
    pixels = decode(encoded(palette, "PNG", transparency=index), "x")
    assert (pixels[0, 0] == 0).all()
    elsewhere = np.asarray(palette) != index
    assert np.array_equal(pixels[elsewhere], np.asarray(palette.convert("RGB"))[elsewhere])


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind: str) -> None:
    # Pillow writes CMYK JPEGs as Adobe does, with inverted values.
    options = {"quality": 95} if kind == "JPEG" else {}
    content = encoded(Image.fromarray(SMOOTH).convert("CMYK"), kind, **options)
    assert np.abs(decode(content, "x").astype(int) - SMOOTH).mean() < 3


def test_ycbcr_tiff_becomes_rgb() -> None:
    content = encoded(Image.fromarray(SMOOTH).convert("YCbCr"), "TIFF")
    assert np.abs(decode(content, "x").astype(int) - SMOOTH).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    upright = SMOOTH[:48, :96]
    # How a camera stores the picture that this orientation puts upright.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: upright.swapaxes(0, 1)[::-1],
        7: upright.swapaxes(0, 1)[::-1, ::-1],
        8: upright.swapaxes(0, 1)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(encoded(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif), "x")
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 4
    if kind == "PNG":
        deep = Image.open(io.BytesIO(encoded(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif)))
        content = by_opencv(".png", np.ascontiguousarray(stored[:, :, ::-1]).astype(np.uint16) * 257)
        chunk = b"eXIf" + deep.info["exif"].removeprefix(b"Exif\0\0")
        exif_chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        assert np.array_equal(decode(content[:33] + exif_chunk + content[33:], "x"), upright)


# --- more than 8 bits --------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_16_bit_grey_that_uses_its_range_is_divided_by_it(suffix: str) -> None:
    values = RNG.integers(0, 65536, (20, 30), dtype=np.uint16)
    values[0, 0] = 65535
    pixels = decode(by_opencv(suffix, values), "x")
    assert pixels.shape == (20, 30, 1)
    assert np.array_equal(pixels[:, :, 0], np.rint(values / 257).astype(np.uint8))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_fewer_bits_in_16_are_divided_by_their_own_maximum(suffix: str, bits: int) -> None:
    values = RNG.integers(0, 1 << bits, (20, 30), dtype=np.uint16)
    values[0, 0] = (1 << bits) - 1
    pixels = decode(by_opencv(suffix, values), "x")
    assert np.array_equal(pixels[:, :, 0], np.rint(values * (255 / ((1 << bits) - 1))).astype(np.uint8))


def test_8_bits_in_16_stay_as_they_are() -> None:
    assert np.array_equal(decode(by_opencv(".png", GREY.astype(np.uint16)), "x")[:, :, 0], GREY)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=50))
def test_scaling_to_8_bits_keeps_order_and_zero(values: list[int]) -> None:
    pixels = to_8_bits(np.array([values], dtype=np.uint16), bits_needed(max(values)))[0].astype(int)
    order = np.argsort(values, kind="stable")
    assert (np.diff(pixels[order]) >= 0).all()
    assert all(pixel == 0 for value, pixel in zip(values, pixels, strict=True) if value == 0)
    assert max(values) < 1 or pixels.max() >= 1


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_16_bit_colour_keeps_its_channels_in_order(suffix: str) -> None:
    values = RNG.integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    values[0, 0] = (65535, 0, 0)
    pixels = decode(by_opencv(suffix, np.ascontiguousarray(values[:, :, ::-1])), "x")
    assert np.abs(pixels - values / 257).max() <= 1
    assert pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_12_bit_colour_in_16_is_not_dark(suffix: str) -> None:
    values = RNG.integers(0, 4096, (20, 30, 3), dtype=np.uint16)
    values[0, 0] = 4095
    pixels = decode(by_opencv(suffix, np.ascontiguousarray(values[:, :, ::-1])), "x")
    assert np.array_equal(pixels, np.rint(values * (255 / 4095)).astype(np.uint8))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_transparency_is_laid_over_black(suffix: str) -> None:
    values = RNG.integers(0, 65536, (20, 30, 4), dtype=np.uint16)
    values[0, 0] = 65535
    expected = values[:, :, 2::-1] * (values[:, :, 3:] / 65535) / 257
    assert np.abs(decode(by_opencv(suffix, values), "x") - expected).max() <= 1


def test_16_bit_tiff_with_white_as_zero_is_inverted() -> None:
    values = np.array([[0, 1000, 65535]], dtype=np.uint16)
    content = bytearray(encoded(Image.fromarray(values), "TIFF"))
    entry = struct.pack("<HHII", 262, 3, 1, 1)  # PhotometricInterpretation: BlackIsZero
    start = content.index(entry)
    content[start : start + 12] = struct.pack("<HHII", 262, 3, 1, 0)
    assert decode(bytes(content), "x")[0, :, 0].tolist() == [255, 251, 0]


def test_pgm_is_divided_by_the_largest_value_it_states() -> None:
    assert decode(b"P2\n3 1\n4095\n0 2048 4095\n", "x.pgm")[0, :, 0].tolist() == [0, 128, 255]
    assert decode(b"P5\n3 1\n1023\n" + struct.pack(">3H", 0, 512, 1023), "x.pgm")[0, :, 0].tolist() == [0, 128, 255]
    assert decode(b"P5\n2 1\n15\n\x0f\x00", "x.pgm")[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize(
    ("values", "kind", "pixels", "own_bits"),
    [
        ([0, 0.5, 1], np.float32, [0, 128, 255], None),  # shares of white
        ([0, 0.5, 0.6], np.float32, [0, 128, 153], None),
        ([0, 0.03, 0.06], np.float32, [0, 128, 255], None),  # 12 bits divided by 65535
        ([0, 51, 204], np.float32, [0, 51, 204], 8),
        ([0, 2047.5, 4095], np.float32, [0, 128, 255], 12),
        ([-1, 0, 1], np.float32, [0, 128, 255], None),
        ([0, 5e5, 1e6], np.float32, [0, 128, 255], None),
        ([0, 2048, 4095], np.int32, [0, 128, 255], 12),
        ([0, 35000, 70000], np.int32, [0, 128, 255], None),
        ([-1024, 1024, 3072], np.int32, [0, 128, 255], None),
        ([0, 1, 2**31 - 1], np.int32, [0, 0, 255], None),
        ([-1000, 500, 2000], np.int16, [0, 128, 255], None),
        ([0, 2048, 4095], np.int16, [0, 128, 255], 12),
        ([-100, 0, 100], np.int8, [0, 128, 255], None),
        ([0, 0, 0], np.float32, [0, 0, 0], None),
        ([9, 9, 9], np.int32, [9, 9, 9], 8),
    ],
)
def test_values_without_a_white_of_their_own_are_neither_dark_nor_clipped(
    values: list[float], kind: type, pixels: list[int], own_bits: int | None
) -> None:
    array = np.array([values], kind)
    found = decode_image(by_opencv(".tif", array), "x")
    assert np.abs(found.pixels[0, :, 0].astype(int) - pixels).max() <= 1 and found.own_bits == own_bits


def test_values_that_are_no_numbers_are_refused() -> None:
    for value in (np.nan, np.inf):
        assert "no numbers" in reason(by_opencv(".tif", np.array([[value, 1]], np.float32)))


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("white", [3000, 65_000, 200_000])
def test_pages_of_a_file_share_their_scale(kind: type, white: int) -> None:
    if kind is np.uint16 and white > 65535:
        return
    pages = [Image.fromarray(np.array([[0, part * white // 4]], kind)) for part in (4, 1)]
    content = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    first, second = (decode(content, f"x.tif#{number}")[0, 1, 0] for number in (1, 2))
    assert abs(int(first) / 4 - int(second)) <= 1 and first > 150


# --- broken files ------------------------------------------------------------------------------


def test_an_empty_file_is_named_as_such() -> None:
    assert "0 bytes" in reason(b"")


def test_text_with_the_name_of_an_image_is_named_as_such() -> None:
    assert "text" in reason(b"File not found\n")
    assert "text" in reason("Résumé: pas une image. ".encode() * 100)


def test_random_bytes_are_no_image() -> None:
    assert "not an image" in reason(RNG.bytes(1000))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (encoded(Image.fromarray(GREY), "GIF")[:9], "GIF"),
        (encoded(Image.fromarray(GREY), "JPEG2000"), "JPEG 2000"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04" + bytes(50), "ZIP"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "HEIC"),
        (by_opencv(".tif", np.ones((2, 2))), "TIFF"),
    ],
)
def test_files_of_another_kind_are_named(content: bytes, word: str) -> None:
    assert word in reason(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_cut_short_is_refused_in_silence(kind: str, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    content = encoded(Image.fromarray(SMOOTH), kind)
    text = reason(content[: int(share * len(content))])
    assert "cut short" in text or "damaged" in text or "TIFF" in text
    assert capfd.readouterr() == ("", "")


def test_a_truncated_jpeg_is_called_truncated() -> None:
    content = encoded(Image.fromarray(SMOOTH), "JPEG")
    assert "truncated" in reason(content[: len(content) // 2], "benign/1.jpg")


@pytest.mark.filterwarnings("ignore")
@given(
    kind=st.sampled_from(["JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM"]),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.floats(0, 1),
)
def test_no_damage_raises_anything_but_the_named_error(kind: str, places: list[tuple[float, int]], cut: float) -> None:
    content = bytearray(encoded(Image.fromarray(COLOUR), kind))
    for share, value in places:
        content[int(share * len(content))] = value
    try:
        pixels = decode(bytes(content[: max(1, int(cut * len(content)))]), "x.png")
    except ImageUnreadable as error:
        assert error.reason
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header states a giant size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1000))
    chunks = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, data, b"IEND")
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("size", [(10_001, 10_000), (14_000, 14_000), (60_000, 60_000)])
def test_an_image_too_large_is_refused_before_any_pixel_is_decoded(size: tuple[int, int]) -> None:
    reason(png_that_claims(*size))  # what words and numbers need is loaded once
    tracemalloc.start()
    try:
        text = reason(png_that_claims(*size))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert f"{MAX_PIXELS // 1_000_000} million" in text
    assert peak_bytes < 1_000_000


def test_an_image_of_one_row_is_read() -> None:
    assert decode(encoded(Image.fromarray(COLOUR[:1]), "PNG"), "x").shape == (1, 30, 3)


# --- files -------------------------------------------------------------------------------------


def test_a_path_with_accents_and_blanks_is_read(tmp_path: Path) -> None:
    path = tmp_path / "Données" / "bénin" / "é 1.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(encoded(Image.fromarray(GREY), "PNG"))
    assert np.array_equal(read_image(path)[:, :, 0], GREY)


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ImageUnreadable, match=r"gone\.png"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageUnreadable):
        read_image(tmp_path)


def test_the_real_images_are_read_as_opencv_reads_them(shared_data: Path) -> None:
    files = sorted((shared_data / "busi" / "val").rglob("*.png"))
    for path in files[::6] + sorted((shared_data / "idc" / "train").rglob("*.png"))[::150]:
        pixels = read_image(path)
        expected = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
        assert np.array_equal(np.broadcast_to(pixels, expected.shape), expected)
