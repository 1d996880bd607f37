"""DICOM: values shown as the file says they are meant to be, or a refusal that names the transfer syntax."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import compress
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, SecondaryCaptureImageStorage, generate_uid

from breastai.data.decoders.decoder_table import decode, read_image
from breastai.domain.errors import ImageUnreadable

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def dataset(values: np.ndarray, **attributes: Any) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.PatientName, made.PatientID = "Secret^Name", "SECRET-ID"
    bits = values.dtype.itemsize * 8
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
    made.PixelRepresentation = int(np.issubdtype(values.dtype, np.signedinteger))
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = values.shape[:2]
    made.PixelData = values.tobytes()
    for name, value in attributes.items():
        setattr(made, name, value)
    if made.BitsStored != bits:
        made.HighBit = made.BitsStored - 1
    return made


def content(made: Dataset) -> bytes:
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def shown(made: Dataset) -> np.ndarray:
    pixels = decode(content(made), "a/1.dcm")
    assert pixels.dtype == np.uint8
    return pixels


def reason(data: bytes) -> str:
    with pytest.raises(ImageUnreadable) as caught:
        decode(data, "a/1.dcm")
    assert "secret" not in str(caught.value).lower()
    return str(caught.value.reason)


def window(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """The linear window of PS3.3 C.11.2.1.2, to 0..255."""
    scaled = ((values.astype(float) - (centre - 0.5)) / (width - 1) + 0.5) * 255
    return np.rint(np.clip(scaled, 0, 255))


def test_8_bits_without_a_window_stay_as_they_are() -> None:
    values = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(shown(dataset(values))[:, :, 0], values)


def test_12_bits_without_a_window_are_scaled_by_the_bits_stored_and_never_by_the_brightest_pixel() -> None:
    for values in (RAMP // 4 + 100, RAMP, np.minimum(RAMP, 700)):
        expected = np.rint(values / 4095.0 * 255)
        assert np.abs(shown(dataset(values, BitsStored=12))[:, :, 0] - expected).max() <= 1


def test_for_models_without_a_bit_depth_they_are_stretched_over_their_own_range() -> None:
    values = RAMP // 4 + 100
    pixels = decode(content(dataset(values, BitsStored=12)), "a/1.dcm", "image")
    assert np.abs(pixels[:, :, 0] - np.rint((values - 100.0) / 1023 * 255)).max() <= 1


@pytest.mark.parametrize(("centre", "width"), [(2047, 4095), (1000, 500), (300, 1200)])
def test_a_window_is_applied(centre: float, width: float) -> None:
    pixels = shown(dataset(RAMP, BitsStored=12, WindowCenter=centre, WindowWidth=width))
    assert np.abs(pixels[:, :, 0] - window(RAMP, centre, width)).max() <= 1


def test_the_modality_comes_before_the_window() -> None:
    made = dataset(RAMP, BitsStored=12, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=40, WindowWidth=400)
    assert np.abs(shown(made)[:, :, 0] - window(RAMP * 2.0 - 1000, 40, 400)).max() <= 1


def test_signed_values_are_windowed_too() -> None:
    values = RAMP.astype(np.int16) - 2048
    made = dataset(values, BitsStored=12, WindowCenter=0, WindowWidth=1000)
    assert np.abs(shown(made)[:, :, 0] - window(values, 0, 1000)).max() <= 1


def with_voi_lut(made: Dataset) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 12]
    item.LUTData = (np.square(np.arange(4096)) // 4095).astype(np.uint16).tobytes()
    made.VOILUTSequence = [item]
    return made


def test_a_voi_lut_is_looked_up() -> None:
    expected = np.rint(np.square(RAMP.astype(float)) // 4095 / 4095 * 255)
    pixels = shown(with_voi_lut(dataset(RAMP, BitsStored=12)))
    assert np.abs(pixels[:, :, 0] - expected).max() <= 1


@pytest.mark.parametrize("with_lut", [False, True])
def test_monochrome1_is_inverted_after_lut_and_window(with_lut: bool) -> None:
    plain, inverted = (
        dataset(RAMP, BitsStored=12, PhotometricInterpretation=kind, WindowCenter=1000, WindowWidth=700)
        for kind in ("MONOCHROME2", "MONOCHROME1")
    )
    if with_lut:
        plain, inverted = with_voi_lut(plain), with_voi_lut(inverted)
    assert np.array_equal(shown(inverted), 255 - shown(plain))


def test_colour_stays_as_it_is() -> None:
    values = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    made = dataset(values, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    assert np.array_equal(shown(made), values)
    planes = dataset(values, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=1)
    planes.PixelData = values.transpose(2, 0, 1).tobytes() + b"\0" * (values.size % 2)
    assert np.array_equal(shown(planes), values)


def test_ybr_becomes_rgb() -> None:
    values = np.tile(np.array([[[76, 85, 255], [255, 128, 128]]], np.uint8), (2, 1, 1))
    made = dataset(values, SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL", PlanarConfiguration=0)
    assert np.abs(shown(made)[0].astype(int) - [[254, 0, 0], [255, 255, 255]]).max() <= 1


def test_a_palette_is_looked_up() -> None:
    made = dataset(np.array([[0, 1], [2, 1]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for colour, entries in (("Red", [0, 65535, 0]), ("Green", [0, 0, 32768]), ("Blue", [65535, 0, 0])):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [3, 0, 16])
        setattr(made, f"{colour}PaletteColorLookupTableData", np.array(entries, np.uint16).tobytes())
    assert shown(made).tolist() == [[[0, 0, 255], [255, 0, 0]], [[0, 128, 0], [255, 0, 0]]]


def test_of_several_frames_the_middle_one_counts() -> None:
    frames = np.stack([np.full((4, 4), value, np.uint8) for value in (10, 20, 30, 40, 50)])
    made = dataset(frames[0], NumberOfFrames=5)
    made.PixelData = frames.tobytes()
    assert (shown(made) == 30).all()


def test_run_length_encoding_gives_the_same_pixels() -> None:
    made = dataset(RAMP, BitsStored=12, WindowCenter=1000, WindowWidth=700)
    expected = shown(made)
    compress(made, RLELossless)
    assert np.array_equal(shown(made), expected)


def test_an_image_too_large_is_refused_by_its_header() -> None:
    made = dataset(RAMP, Rows=20_000, Columns=20_000)
    assert "100 million" in reason(content(made))


def test_broken_files_are_refused() -> None:
    sound = content(dataset(RAMP))
    assert "cut short" in reason(sound[: len(sound) - 4000])
    assert "no image" in reason(content(dataset(RAMP))[:400]) or "DICOM" in reason(sound[:400])
    assert "text" in reason(b"plain text in a file named .dcm")
    without_pixels = dataset(RAMP)
    del without_pixels.PixelData
    assert "no image" in reason(content(without_pixels))


def test_a_dicom_file_is_known_by_its_content_too() -> None:
    assert decode(content(dataset(RAMP)), "no ending").shape == (64, 64, 1)


def test_the_same_ultrasound_picture_is_the_same_in_two_lossless_compressions(shared_data: Path) -> None:
    folder = shared_data / "dicom"
    rle, jpeg_2000 = (read_image(folder / f"US1_{kind}.dcm") for kind in ("RLE", "J2KR"))
    assert rle.shape == (480, 640, 3)
    # The same picture, compressed without loss in two ways.
    assert np.array_equal(rle, jpeg_2000)


def test_the_same_mammogram_is_the_same_in_two_lossy_compressions(shared_data: Path) -> None:
    jpeg, jpeg_2000 = (read_image(shared_data / "dicom" / f"MG1_{kind}.dcm").astype(int) for kind in ("JPLY", "J2KI"))
    assert jpeg.shape == jpeg_2000.shape
    assert np.abs(jpeg - jpeg_2000).mean() < 1


def test_a_12_bit_mammogram_is_shown_through_its_window(shared_data: Path) -> None:
    pixels = read_image(shared_data / "dicom" / "MG1_J2KI.dcm")
    assert pixels.shape == (4664, 3064, 1)
    assert pixels.min() < 10
    assert pixels.max() > 245
