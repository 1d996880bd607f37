"""Copies of DICOM files: the same pixels shown alike, laid out as the standard has it, and nothing that follows them."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.utils import compress
from pydicom.uid import RLELossless

from breastai.data.decoders.decoder_table import decode
from breastai.data.decoders.dicom_file import read_dataset
from breastai.data.privacy import dicom_copy
from breastai.data.privacy.dicom_copy import known_term, says_it_identifies, strip_metadata
from breastai.domain.errors import ImageUnreadable

from .test_dicom import RAMP, content, dataset

GENERATOR = np.random.default_rng(0)


def palette(bits: int) -> Dataset:
    values = GENERATOR.integers(0, 200, (9, 7), dtype=np.uint8)
    made = dataset(values, PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [200, 0, bits])
        table = GENERATOR.integers(0, 256, 200).astype(np.uint16) * (1 if bits == 8 else 257)
        data = table.astype("<u2" if bits == 16 else np.uint8).tobytes()
        setattr(made, f"{colour}PaletteColorLookupTableData", data)
    return made


def coloured() -> Dataset:
    values = GENERATOR.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return dataset(values, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)


def packed() -> Dataset:
    made = dataset(RAMP, BitsStored=12)
    compress(made, RLELossless)
    return made


KINDS: dict[str, Dataset] = {
    "8 bits, an odd number of bytes": dataset(GENERATOR.integers(0, 256, (7, 9), dtype=np.uint8)),
    "12 of 16 bits": dataset(RAMP, BitsStored=12),
    "16 bits through a window": dataset(RAMP * 16, WindowCenter=9000, WindowWidth=5000),
    "inverted": dataset(RAMP, BitsStored=12, PhotometricInterpretation="MONOCHROME1"),
    "signed": dataset((RAMP.astype(np.int16) - 2000), RescaleSlope=2, RescaleIntercept=-10),
    "three frames": dataset(GENERATOR.integers(0, 256, (12, 6), dtype=np.uint8), NumberOfFrames=3, Rows=4),
    "colour": coloured(),
    "compressed": packed(),
    "a palette of 8 bits": palette(8),
    "a palette of 16 bits": palette(16),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_shown_as_its_original_and_laid_out_as_the_standard_has_it(kind: str) -> None:
    whole = content(KINDS[kind])
    copy = strip_metadata(read_dataset(whole), "hash")
    written = content(copy)
    assert np.array_equal(decode(written, "b.dcm"), decode(whole, "a.dcm"))
    original = read_dataset(whole)
    assert (copy.Rows, copy.Columns, copy.BitsStored) == (original.Rows, original.Columns, original.BitsStored)
    assert copy.BitsAllocated == original.BitsAllocated and copy.HighBit == copy.BitsStored - 1
    assert copy.PixelRepresentation == original.PixelRepresentation
    assert copy.SamplesPerPixel == (3 if kind == "colour" else 1)
    assert copy.PhotometricInterpretation == original.PhotometricInterpretation
    assert ("PlanarConfiguration" in copy) is (kind == "colour") and ("NumberOfFrames" in copy) is (
        kind == "three frames"
    )
    pixels = copy.Rows * copy.Columns * copy.SamplesPerPixel * copy.get("NumberOfFrames", 1) * copy.BitsAllocated // 8
    assert len(copy.PixelData) == pixels + pixels % 2
    assert ("OB" if copy.BitsAllocated == 8 else "OW") == copy["PixelData"].VR
    assert (copy.PatientID, copy.PatientName, copy.PatientIdentityRemoved) == ("hash", "", "YES")
    assert copy.SOPInstanceUID != original.SOPInstanceUID and b"SECRET" not in written.upper().replace(b"\0", b"")


def test_nothing_hides_in_bits_that_are_none_of_the_pixels() -> None:
    hiding = dataset(RAMP, BitsStored=12)
    hiding.PixelData = (RAMP | 0xA000).astype(np.uint16).tobytes()
    copy = strip_metadata(read_dataset(content(hiding)), "x")
    assert np.array_equal(np.frombuffer(copy.PixelData, "<u2").reshape(64, 64), RAMP)
    signed = dataset(np.array([[-5, 7], [100, -2048]], np.int16), BitsStored=12)
    signed.PixelData = (
        (np.array([[-5, 7], [100, -2048]], np.int16).astype(np.uint16) & 0x0FFF | 0x5000).astype("<u2").tobytes()
    )
    copy = strip_metadata(read_dataset(content(signed)), "x")
    assert np.frombuffer(copy.PixelData, "<i2").tolist() == [-5, 7, 100, -2048]


@pytest.mark.parametrize(("bits", "words"), [(8, 200), (16, 400)])
def test_nothing_follows_the_entries_of_a_palette(bits: int, words: int) -> None:
    made = palette(bits)
    made.RedPaletteColorLookupTableData = bytes(made.RedPaletteColorLookupTableData) + (
        b"SECRET" * 80 if bits == 16 else b""
    )
    copy = strip_metadata(read_dataset(content(made)), "x")
    assert len(copy.RedPaletteColorLookupTableData) == words


def test_nothing_follows_the_entries_of_a_table() -> None:
    made = dataset(RAMP, BitsStored=12)
    item = Dataset()
    item.LUTDescriptor, item.LUTExplanation = [4096, 0, 8], "Secret"
    entries = np.linspace(0, 255, 4096).astype("<u2")
    more = np.concatenate([entries, np.frombuffer(b"SECRET", "<u2")])
    item.add_new("LUTData", "OW", more.tobytes())
    made.VOILUTSequence = [item]
    whole = content(made)
    copy = strip_metadata(read_dataset(whole), "x")
    (table,) = copy.VOILUTSequence
    assert len(table.LUTData) == 2 * 4096 and "LUTExplanation" not in table
    assert np.array_equal(decode(content(copy), "b.dcm"), decode(whole, "a.dcm"))


@pytest.mark.parametrize(("most", "refused"), [(64 * 64 * 2, False), (64 * 64 * 2 - 1, True)])
def test_pixels_that_take_more_than_they_may_are_refused(
    monkeypatch: pytest.MonkeyPatch, most: int, refused: bool
) -> None:
    monkeypatch.setattr(dicom_copy, "MOST_BYTES", most)
    original = read_dataset(content(dataset(RAMP)))
    if refused:
        with pytest.raises(ImageUnreadable):
            strip_metadata(original, "x")
    else:
        strip_metadata(original, "x")


@pytest.mark.parametrize("keyword", ["BurnedInAnnotation", "RecognizableVisualFeatures"])
@pytest.mark.parametrize(
    ("value", "identifies"), [(None, False), ("", False), ("NO", False), ("NO ", False), ("YES", True), ("MAYBE", True)]
)
def test_a_header_that_does_not_deny_it_identifies(keyword: str, value: str | None, identifies: bool) -> None:
    made = Dataset()
    if value is not None:
        setattr(made, keyword, value)
    assert (says_it_identifies(made) is not None) is identifies


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        (1.5, True),
        ([1, 2], True),
        ("1", False),
        (b"1", False),
        ([1, float("nan")], False),
        ([1, "x"], False),
        (None, False),
    ],
)
def test_only_finite_numbers_are_numbers(value: Any, numbers: bool) -> None:
    assert dicom_copy._are_numbers(value) is numbers


def test_a_term_that_the_standard_does_not_define_is_not_kept() -> None:
    made = dataset(RAMP, ViewPosition="MLO", ImageLaterality="DUPONT", Modality="MG")
    assert [known_term(made, keyword) for keyword in ("ViewPosition", "ImageLaterality", "Modality", "Laterality")] == [
        "MLO",
        "",
        "MG",
        "",
    ]
    copy = strip_metadata(read_dataset(content(made)), "x")
    assert copy.ViewPosition == "MLO" and "ImageLaterality" not in copy and copy.Modality == "MG"
