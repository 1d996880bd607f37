"""How DICOM frames are shown: what each attribute says at each of its places, and what one that says nothing changes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.utils import compress
from pydicom.uid import RLELossless

from breastai.data.decoders.decoder_table import decode, decode_image, read_image
from breastai.data.decoders.dicom_file import is_dicom, is_dicom_file
from breastai.domain.errors import ImageUnreadable

from .test_dicom import RAMP, content, dataset, reason, shown, window, with_voi_lut

TWELVE = {"BitsStored": 12}


def item(**attributes: Any) -> Dataset:
    made = Dataset()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def linear(centre: Any, width: Any, **more: Any) -> Dataset:
    return item(FrameVOILUTSequence=[item(WindowCenter=centre, WindowWidth=width, **more)])


def enhanced(count: int = 3, **attributes: Any) -> Dataset:
    """Frames of RAMP, each brighter than the one before by 100."""
    frames = np.stack([np.minimum(RAMP + 100 * number, 4095).astype(np.uint16) for number in range(count)])
    made = dataset(frames, **TWELVE, NumberOfFrames=count)
    made.Rows, made.Columns = RAMP.shape
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def close(pixels: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.abs(pixels[:, :, 0] - np.clip(expected, 0, 255)).max() <= 1)


# --- what says nothing ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nothing",
    [
        {"WindowCenter": None, "WindowWidth": None},
        {"WindowCenter": "", "WindowWidth": ""},
        {"WindowCenter": 2000, "WindowWidth": None},
        {"WindowCenter": 2000, "WindowWidth": 0},
        {"WindowCenter": 2000, "WindowWidth": -5},
        {"RescaleSlope": None, "RescaleIntercept": None},
        {"RescaleSlope": 0},
        {"VOILUTSequence": []},
        {"VOILUTSequence": [item()]},
        {"VOILUTSequence": [item(LUTDescriptor=[4096, 0, 12], LUTData=None)]},
        {"VOILUTSequence": [item(LUTDescriptor=[4096, 0, 12], LUTData=np.zeros(4096, np.uint16).tobytes())]},
        {"ModalityLUTSequence": []},
        {"ModalityLUTSequence": [item(LUTExplanation="none")]},
        {"PixelPaddingValue": None},
        {"VOILUTFunction": None},
        {"SharedFunctionalGroupsSequence": []},
        {"SharedFunctionalGroupsSequence": [item(FrameVOILUTSequence=[])]},
        {"SharedFunctionalGroupsSequence": [linear(None, None)]},
        {"PerFrameFunctionalGroupsSequence": []},
    ],
    ids=str,
)
@pytest.mark.parametrize("windowed", [False, True])
def test_an_attribute_that_is_empty_or_unusable_equals_one_that_is_absent(
    nothing: dict[str, Any], windowed: bool
) -> None:
    window_said = windowed and not {"WindowCenter", "WindowWidth"} & nothing.keys()
    said = {"WindowCenter": 1000, "WindowWidth": 700} if window_said else {}
    assert np.array_equal(shown(dataset(RAMP, **TWELVE, **said, **nothing)), shown(dataset(RAMP, **TWELVE, **said)))


@pytest.mark.parametrize(
    "unsaid", ["HighBit", "PixelRepresentation", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"]
)
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_pixel_attributes_that_are_unsaid_have_their_usual_values(unsaid: str, how: str) -> None:
    made = dataset(RAMP, **TWELVE)
    if how == "empty":
        setattr(made, unsaid, None)
    elif unsaid in made:
        delattr(made, unsaid)
    assert np.array_equal(shown(made), shown(dataset(RAMP, **TWELVE)))


def test_colour_of_which_no_photometric_interpretation_is_said_is_rgb() -> None:
    values = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    made = dataset(values, SamplesPerPixel=3, PhotometricInterpretation="")
    assert np.array_equal(shown(made), values)


# --- windows and tables --------------------------------------------------------------------------


def test_of_several_windows_the_first_usable_one_counts() -> None:
    both = dataset(RAMP, **TWELVE, WindowCenter=[500, 1000], WindowWidth=[0, 700])
    assert close(shown(both), window(RAMP, 1000, 700))
    first = dataset(RAMP, **TWELVE, WindowCenter=[2000, 1000], WindowWidth=[300, 700])
    assert close(shown(first), window(RAMP, 2000, 300))


def test_the_functions_of_a_window_are_those_of_the_standard() -> None:
    values, centre, width = RAMP.astype(float), 2000.0, 900.0
    exact = dataset(RAMP, **TWELVE, WindowCenter=2000, WindowWidth=900, VOILUTFunction="LINEAR_EXACT")
    assert close(shown(exact), np.rint(((values - centre) / width + 0.5) * 255))
    sigmoid = dataset(RAMP, **TWELVE, WindowCenter=2000, WindowWidth=900, VOILUTFunction="SIGMOID")
    assert close(shown(sigmoid), np.rint(255 / (1 + np.exp(-4 * (values - centre) / width))))
    step = shown(dataset(RAMP, **TWELVE, WindowCenter=2000, WindowWidth=1))
    assert np.array_equal(step[:, :, 0], np.where(RAMP >= 2000, 255, 0))


@pytest.mark.parametrize("kind", ["words", "numbers"])
def test_a_table_is_read_however_its_entries_are_written(kind: str) -> None:
    made = with_voi_lut(dataset(RAMP, **TWELVE))
    expected = shown(made)
    if kind == "numbers":
        entries = np.frombuffer(made.VOILUTSequence[0].LUTData, np.uint16).tolist()
        made.VOILUTSequence[0]["LUTData"].VR = "US"
        made.VOILUTSequence[0].LUTData = entries
    assert np.array_equal(shown(made), expected)


def test_a_modality_table_comes_before_the_window() -> None:
    entries = (4095 - np.arange(4096)).astype(np.uint16)
    made = dataset(RAMP, **TWELVE, WindowCenter=1000, WindowWidth=700)
    made.ModalityLUTSequence = [item(LUTDescriptor=[4096, 0, 12], LUTData=entries.tobytes(), ModalityLUTType="US")]
    assert close(shown(made), window(4095 - RAMP.astype(int), 1000, 700))


# --- functional groups ---------------------------------------------------------------------------


def test_each_frame_has_the_window_of_its_own_group() -> None:
    made = enhanced(PerFrameFunctionalGroupsSequence=[linear(1000 + 500 * number, 800) for number in range(3)])
    for number in range(3):
        values = np.minimum(RAMP.astype(int) + 100 * number, 4095)
        pixels = decode(content(made), f"a/1.dcm#{number + 1}")
        assert close(pixels, window(values, 1000 + 500 * number, 800))
    assert np.array_equal(shown(made), decode(content(made), "a/1.dcm#2"))


def test_places_are_asked_from_the_root_to_the_frame_and_the_first_that_says_something_counts() -> None:
    own = [linear(1000, 800)] * 3
    values = np.minimum(RAMP.astype(int) + 100, 4095)
    shared = enhanced(SharedFunctionalGroupsSequence=[linear(2000, 600)], PerFrameFunctionalGroupsSequence=own)
    assert close(shown(shared), window(values, 2000, 600))
    empty = enhanced(SharedFunctionalGroupsSequence=[linear("", "")], PerFrameFunctionalGroupsSequence=own)
    assert close(shown(empty), window(values, 1000, 800))
    root = enhanced(WindowCenter=3000, WindowWidth=500, SharedFunctionalGroupsSequence=[linear(2000, 600)])
    assert close(shown(root), window(values, 3000, 500))


def test_the_pixel_value_transformation_of_a_group_comes_before_its_window() -> None:
    groups = linear(40, 400, VOILUTFunction="LINEAR_EXACT")
    groups.PixelValueTransformationSequence = [item(RescaleSlope=2, RescaleIntercept=-1000, RescaleType="HU")]
    real = np.minimum(RAMP.astype(int) + 100, 4095) * 2.0 - 1000
    for where in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        made = enhanced(**{where: [groups] * (1 if where.startswith("Shared") else 3)})
        assert close(shown(made), ((real - 40) / 400 + 0.5) * 255)


# --- stored bits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True])
def test_what_lies_in_the_unused_bits_is_no_part_of_the_image(compressed: bool) -> None:
    rubbish = np.random.default_rng(0).integers(0, 16, RAMP.shape).astype(np.uint16)
    above = dataset(RAMP | (rubbish << 12), **TWELVE, WindowCenter=2048, WindowWidth=4096)
    below = dataset((RAMP << 4) | rubbish, **TWELVE, WindowCenter=2048, WindowWidth=4096)
    below.HighBit = 15
    for made in (above, below):
        if compressed:
            compress(made, RLELossless)
        assert close(shown(made), window(RAMP, 2048, 4096))


def test_signed_values_without_a_window_are_scaled_by_their_bits_and_their_slope() -> None:
    values = RAMP.astype(np.int16) - 2048
    expected = np.rint(RAMP / 4095 * 255)
    assert close(shown(dataset(values, **TWELVE)), expected)
    assert close(shown(dataset(values, **TWELVE, RescaleSlope=-1)), np.rint((4095 - RAMP.astype(int)) / 4095 * 255))


def test_bits_stored_that_are_only_the_size_of_the_container_leave_the_depth_to_the_set() -> None:
    dim = content(dataset(np.minimum(RAMP, 3000)))
    found = decode_image(dim, "a/1.dcm")
    assert found.own_bits == 12
    assert close(decode(dim, "a/1.dcm", 14), np.rint(np.minimum(RAMP, 3000) / 16383 * 255))
    said = decode_image(content(dataset(np.minimum(RAMP, 3000), **TWELVE)), "a/1.dcm", 14)
    assert said.own_bits is None
    assert close(said.pixels, np.rint(np.minimum(RAMP, 3000) / 4095 * 255))


# --- padding -------------------------------------------------------------------------------------


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("said", [{}, {"WindowCenter": 1700, "WindowWidth": 900}])
@pytest.mark.parametrize("bit_depth", [None, "image", 12])
def test_padding_is_black_and_changes_no_other_pixel(photometric: str, said: dict[str, int], bit_depth: Any) -> None:
    tissue = (RAMP // 4 + 1500).astype(np.uint16)
    padded = tissue.copy()
    padded[:, :20] = 65535
    kind = {"PhotometricInterpretation": photometric} | said
    plain = decode(content(dataset(tissue[:, 20:].copy(), **kind)), "a.dcm", bit_depth)
    pixels = decode(content(dataset(padded, **kind, PixelPaddingValue=65535)), "a.dcm", bit_depth)
    assert (pixels[:, :20] == 0).all()
    assert np.array_equal(pixels[:, 20:], plain)
    assert int(plain.max()) - int(plain.min()) > 50


@pytest.mark.parametrize(("value", "limit"), [(60000, 65535), (65535, 60000)])
def test_a_range_of_values_can_be_padding(value: int, limit: int) -> None:
    padded = RAMP.copy()
    padded[:, :10], padded[:, 10:20] = 65535, 60000
    pixels = shown(dataset(padded, PixelPaddingValue=value, PixelPaddingRangeLimit=limit))
    assert (pixels[:, :20] == 0).all()
    assert close(pixels[:, 20:], np.rint(RAMP[:, 20:] / 4095 * 255))


def test_padding_of_signed_values_is_found_however_its_number_is_written() -> None:
    padded = RAMP.astype(np.int16) - 1000
    padded[:, :20] = -2000
    made = dataset(padded, WindowCenter=1000, WindowWidth=2000, PhotometricInterpretation="MONOCHROME1")
    made.add_new(0x00280120, "SS", -2000)
    signed = shown(made)
    assert (signed[:, :20] == 0).all()
    made.add_new(0x00280120, "US", 65536 - 2000)
    assert np.array_equal(shown(made), signed)


def test_an_image_of_padding_alone_is_black() -> None:
    assert (shown(dataset(np.full((9, 9), 65535, np.uint16), PixelPaddingValue=65535)) == 0).all()


# --- files without their beginning ---------------------------------------------------------------


def bare(made: Dataset, implicit: bool, little: bool = True) -> bytes:
    buffer = io.BytesIO()
    if not little:
        made["PixelData"].VR = "OW"
        made.PixelData = np.frombuffer(made.PixelData, "<u2").astype(">u2").tobytes()
    del made.file_meta
    made.save_as(buffer, implicit_vr=implicit, little_endian=little)
    return buffer.getvalue()


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_a_bare_data_set_is_read_whatever_its_encoding_and_name(implicit: bool, little: bool) -> None:
    said = {"WindowCenter": 1000, "WindowWidth": 700}
    expected = shown(dataset(RAMP, **TWELVE, **said))
    data = bare(dataset(RAMP, **TWELVE, **said), implicit, little)
    assert is_dicom(data[:1024])
    for name in ("IM0001", "a.dcm", "a.png"):
        assert np.array_equal(decode(data, name), expected)


@pytest.mark.parametrize("implicit", [True, False])
def test_an_empty_or_absent_transfer_syntax_is_told_from_the_bytes(implicit: bool) -> None:
    whole = content(dataset(RAMP, **TWELVE))
    expected = decode(whole, "a.dcm")
    meta = (
        bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + (8).to_bytes(4, "little") + b"\x02\x00\x10\x00UI\x00\x00"
    )
    without = bytes(128) + b"DICM"
    for head in (meta, without):
        assert np.array_equal(decode(head + bare(dataset(RAMP, **TWELVE), implicit), "a"), expected)


def test_compressed_pixels_of_which_nothing_says_how_are_told_from_their_stream() -> None:
    made = dataset(RAMP, **TWELVE)
    expected = shown(made)
    compress(made, RLELossless)
    del made.file_meta
    buffer = io.BytesIO()
    made.save_as(buffer, implicit_vr=False, little_endian=True)
    assert np.array_equal(decode(buffer.getvalue(), "a"), expected)


@pytest.mark.parametrize("implicit", [True, False])
def test_a_data_set_without_pixels_is_refused_as_that(implicit: bool) -> None:
    made = dataset(RAMP)
    del made.PixelData
    assert "holds no image" in reason(bare(made, implicit))


def test_other_files_are_no_dicom_whatever_their_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for start in (
        b"",
        b"\x08\x00",
        b"\x08\x00\x05\x00",
        b"\x89PNG\r\n\x1a\n",
        b"II*\x00\x08\x00\x00\x00",
        b"BM",
        b"text",
    ):
        assert not is_dicom(start + rng.bytes(600) if start else b"")
    path = tmp_path / "a.dcm"
    path.write_bytes(b"\x08\x00 no, only a text")
    assert not is_dicom_file(path)
    with pytest.raises(ImageUnreadable):
        read_image(path)


# --- the odd files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("odd", "same_as"),
    [
        ("01-window-empty/window_empty.dcm", "01-window-empty/window_absent.dcm"),
        ("02-rescale-and-voilut-empty/rescale_empty.dcm", "01-window-empty/reference.dcm"),
        ("02-rescale-and-voilut-empty/voilut_item_empty.dcm", "01-window-empty/reference.dcm"),
        ("02-rescale-and-voilut-empty/voilut_no_item.dcm", "01-window-empty/reference.dcm"),
        ("04-no-meta/no_preamble_no_meta.dcm", "04-no-meta/reference.dcm"),
        ("04-no-meta/no_preamble_no_meta_noext", "04-no-meta/reference.dcm"),
        ("04-no-meta/syntax_without_value.dcm", "04-no-meta/reference.dcm"),
        ("10-pixel-padding/monochrome2_no_window.dcm", "10-pixel-padding/reference_background_0.dcm"),
    ],
)
def test_an_odd_file_equals_its_reference_pixel_for_pixel(shared_data: Path, odd: str, same_as: str) -> None:
    assert np.array_equal(read_image(shared_data / "odd" / odd), read_image(shared_data / "odd" / same_as))


def test_odd_files_show_what_is_in_them(shared_data: Path) -> None:
    folder = shared_data / "odd/10-pixel-padding"
    plain, inverted = (read_image(folder / f"monochrome{kind}_no_window.dcm").astype(int) for kind in (2, 1))
    padding = plain == 0
    assert np.array_equal(inverted == 0, padding)
    assert np.array_equal(inverted[~padding], 255 - plain[~padding])
    with pytest.raises(ImageUnreadable, match="holds no image"):
        read_image(shared_data / "odd/04-no-meta/no_pixels.dcm")
