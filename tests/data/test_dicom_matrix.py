"""DICOM, every way a picture may be stored: the pixels of a reference reading, or a refusal that names what is missing."""

import io
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import compress
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from breastai.clinical.image_facts import look_at
from breastai.data.decoders import dicom
from breastai.data.decoders.decoder_table import decode
from breastai.domain.errors import ImageUnreadable

from .test_dicom import RAMP, content, dataset, shown

LOSSLESS = (RLELossless, JPEGLSLossless, JPEG2000Lossless)
COLOUR = np.random.default_rng(0).integers(0, 256, (32, 24, 3), np.uint8)
# Smooth, so that lossy compression keeps it.
SMOOTH = np.stack([np.add.outer(np.arange(70), np.arange(66) * k // 2).astype(np.uint8) for k in (1, 3, 5)], axis=2)


def colour(values: np.ndarray, **attributes: Any) -> Dataset:
    return dataset(
        values, **{"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0, **attributes}
    )


def encapsulated(made: Dataset, syntax: UID, frames: list[bytes]) -> Dataset:
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = encapsulate(frames)
    made["PixelData"].VR = "OB"
    return made


def drawn_by_pillow(values: np.ndarray, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, form, **options)
    return buffer.getvalue()


def levels(bits: int, signed: bool) -> np.ndarray:
    low = -(1 << (bits - 1)) if signed else 0
    values = np.random.default_rng(bits).integers(low, low + (1 << bits), (70, 66))
    values[0, :2] = low, low + (1 << bits) - 1
    return values.astype(f"{'int' if signed else 'uint'}{8 if bits == 8 else 16}")


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_every_depth_and_sign_is_spread_from_black_to_white_and_inverted_for_monochrome1(
    bits: int, signed: bool, kind: str
) -> None:
    values = levels(bits, signed)
    spread = (values.astype(float) - values.min()) / ((1 << bits) - 1) * 255
    expected = 255 - np.rint(spread) if kind == "MONOCHROME1" else np.rint(spread)
    found = shown(dataset(values, BitsStored=bits, PhotometricInterpretation=kind))
    assert np.abs(found[:, :, 0] - expected).max() <= 1


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_lossless_compression_changes_no_pixel(bits: int, signed: bool, syntax: UID) -> None:
    made = dataset(levels(bits, signed), BitsStored=bits, WindowCenter=10, WindowWidth=1 << (bits - 1))
    expected = shown(made)
    compress(made, syntax)
    assert np.array_equal(shown(made), expected)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless], ids=lambda syntax: syntax.name)
def test_colour_compressed_without_loss_changes_no_pixel(syntax: UID) -> None:
    made = colour(COLOUR)
    compress(made, syntax)
    assert np.array_equal(shown(made), COLOUR)


@pytest.mark.parametrize(("kind", "syntax", "apart"), [("YBR_RCT", JPEG2000Lossless, 0), ("YBR_ICT", JPEG2000, 3), ("RGB", JPEG2000Lossless, 0)])  # fmt: skip
def test_the_colour_transforms_of_jpeg_2000_are_undone(kind: str, syntax: UID, apart: int) -> None:
    coded = drawn_by_pillow(SMOOTH, "JPEG2000", irreversible=kind == "YBR_ICT", mct=int(kind != "RGB"), no_jp2=True)
    made = encapsulated(colour(SMOOTH, PhotometricInterpretation=kind), syntax, [coded])
    assert np.abs(shown(made).astype(int) - SMOOTH).max() <= apart


@pytest.mark.parametrize(("subsampling", "kind"), [("4:4:4", "YBR_FULL"), ("4:2:2", "YBR_FULL_422")])
def test_baseline_jpeg_is_shown_as_pillow_shows_it(subsampling: str, kind: str) -> None:
    coded = drawn_by_pillow(SMOOTH, "JPEG", quality=95, subsampling=subsampling)
    expected = np.asarray(Image.open(io.BytesIO(coded)).convert("RGB")).astype(int)
    made = encapsulated(colour(SMOOTH, PhotometricInterpretation=kind), JPEGBaseline8Bit, [coded])
    assert np.abs(shown(made).astype(int) - expected).max() <= 2


def test_grey_jpeg_is_the_same_whichever_decoders_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = SMOOTH[:, :, 0].copy()
    coded = drawn_by_pillow(grey, "JPEG", quality=60)
    made = encapsulated(dataset(grey), JPEGBaseline8Bit, [coded])
    expected = np.asarray(Image.open(io.BytesIO(coded)))
    assert np.array_equal(shown(made)[:, :, 0], expected)
    monkeypatch.setattr(dicom, "_PLUGINS", ("pydicom", "pillow"))
    assert np.array_equal(shown(made)[:, :, 0], expected)


def test_jpeg_of_12_bits_is_near_what_it_was_made_of() -> None:
    import imagecodecs

    made = dataset(RAMP, BitsStored=12, WindowCenter=2048, WindowWidth=4096)
    expected = shown(made).astype(int)
    coded = imagecodecs.jpeg8_encode(RAMP, level=98, bitspersample=12)
    assert np.abs(shown(encapsulated(made, JPEGExtended12Bit, [coded])).astype(int) - expected).max() <= 2


@pytest.mark.parametrize(("syntax", "options", "apart"), [(JPEGLSNearLossless, {"jls_error": 2}, 2), (JPEG2000, {"j2k_psnr": [70]}, 2)])  # fmt: skip
def test_lossy_compression_of_grey_stays_near(syntax: UID, options: dict[str, Any], apart: int) -> None:
    made = dataset(SMOOTH[:, :, 1].copy())
    compress(made, syntax, **options)
    assert np.abs(shown(made)[:, :, 0].astype(int) - SMOOTH[:, :, 1]).max() <= apart


def test_ybr_full_422_without_compression_is_brought_to_full_width() -> None:
    # Two pixels share their colour: Y Y Cb Cr. Red twice, then white twice.
    row = [76, 76, 85, 255, 255, 255, 128, 128]
    made = colour(np.zeros((2, 4, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422")
    made.PixelData = bytes(row * 2)
    expected = [[254, 0, 0], [254, 0, 0], [255, 255, 255], [255, 255, 255]]
    assert np.abs(shown(made)[0].astype(int) - expected).max() <= 1


def test_colour_of_16_bits_is_brought_to_8() -> None:
    made = colour(COLOUR.astype(np.uint16) * 257)
    assert np.array_equal(shown(made), COLOUR)


def with_modality_lut(made: Dataset) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 8]
    item.ModalityLUTType = "US"
    item.LUTData = (np.arange(4096)[::-1] // 16).astype(np.uint16).tobytes()
    made.ModalityLUTSequence = [item]
    return made


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_a_modality_lut_is_looked_up_before_all_else(kind: str) -> None:
    made = with_modality_lut(
        dataset(RAMP, BitsStored=12, PhotometricInterpretation=kind, WindowCenter=128, WindowWidth=256)
    )
    looked_up = (4095 - RAMP) // 16
    expected = 255 - looked_up if kind == "MONOCHROME1" else looked_up
    assert np.abs(shown(made)[:, :, 0].astype(int) - expected).max() <= 1


def test_a_sigmoid_window_is_one() -> None:
    made = dataset(RAMP, BitsStored=12, WindowCenter=2000, WindowWidth=800, VOILUTFunction="SIGMOID")
    expected = 255 / (1 + np.exp(-4 * (RAMP.astype(float) - 2000) / 800))
    assert np.abs(shown(made)[:, :, 0] - expected).max() <= 1


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian], ids=lambda syntax: syntax.name)  # fmt: skip
def test_the_byte_order_and_a_deflated_file_change_no_pixel(syntax: UID) -> None:
    made = dataset(RAMP, BitsStored=12, WindowCenter=1000, WindowWidth=700)
    expected = shown(made)
    if syntax == ExplicitVRBigEndian:
        made.PixelData = RAMP.byteswap().tobytes()
        made["PixelData"].VR = "OW"
    made.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)  # fmt: skip
    assert np.array_equal(decode(buffer.getvalue(), "a.dcm"), expected)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
def test_of_several_compressed_frames_the_middle_one_counts(syntax: UID) -> None:
    frames = np.stack([levels(8, False) for _ in range(3)])
    frames[1] = SMOOTH[:, :, 2].mean()
    made = dataset(frames[0], NumberOfFrames=3)
    made.PixelData = frames.tobytes()
    compress(made, syntax)
    assert (shown(made)[:, :, 0] == frames[1]).all()


@pytest.mark.parametrize(
    ("syntax", "package"),
    [
        (JPEGExtended12Bit, "imagecodecs"),
        (JPEGLosslessSV1, "python-gdcm"),
        (JPEGLSLossless, "pyjpegls"),
        (JPEGLSNearLossless, "pyjpegls"),
        (JPEG2000Lossless, "pylibjpeg-openjpeg"),
        (HTJ2KLossless, "pylibjpeg-openjpeg"),
    ],
    ids=lambda value: value.name if isinstance(value, UID) else value,
)
def test_without_its_decoder_a_file_is_refused_with_its_transfer_syntax_and_the_package(
    syntax: UID, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom, "_PLUGINS", ())
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    made = encapsulated(dataset(RAMP, BitsStored=12), syntax, [b"\0" * 100])
    with pytest.raises(ImageUnreadable) as caught:
        decode(content(made), "a.dcm")
    assert syntax.name in str(caught.value.reason) and str(syntax) in str(caught.value.reason)
    assert package in str(caught.value.reason)


def test_a_damaged_frame_is_refused_by_the_decoders_that_are_there() -> None:
    made = encapsulated(dataset(RAMP, BitsStored=12), JPEG2000Lossless, [b"\0" * 100])
    with pytest.raises(ImageUnreadable, match="JPEG 2000"):
        decode(content(made), "a.dcm")


@pytest.mark.parametrize(("said", "expected"), [("YES", True), ("NO", False), (None, False)])
def test_a_header_that_says_burned_in_is_a_fact_of_the_image(said: str | None, expected: bool) -> None:
    made = dataset(SMOOTH[:, :, 0].copy())
    if said is not None:
        made.BurnedInAnnotation = said
    facts = look_at(content(made), "a.dcm")
    assert (facts.says_burned_in, facts.mark_share) == (expected, 0)
    assert not look_at(drawn_by_pillow(SMOOTH, "PNG"), "a.png").says_burned_in
