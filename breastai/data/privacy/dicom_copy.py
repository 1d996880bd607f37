"""A DICOM file written anew for sharing: what its pixels need to be shown, and nothing that could be a text.

What is kept is a list, not what is left out. Of it only numbers and the defined terms of the standard are taken over,
whatever else stands in those attributes. The pixels are decoded and written uncompressed: comments inside compressed
frames, bytes behind the last frame and overlays in unused bits stay behind.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from breastai.data.decoders.dicom import decoded_frames
from breastai.data.decoders.dicom_display import items, value_of, whole
from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text

MOST_BYTES = 2**31
_RESCALED = frozenset({"HU", "OD", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"})
_MODALITIES = frozenset({"MG", "US", "MR", "CR", "DX", "CT", "OT", "SC", "SM", "XC", "RF", "XA", "IO", "NM", "PT", "GM", "ES", "BI", "OP"})  # fmt: skip
_VIEWS = frozenset({"CC", "MLO", "ML", "LM", "LMO", "SIO", "ISO", "XCC", "XCCL", "XCCM", "FB", "AT", "CV", "RL", "RM", "TAN", "AP", "PA", "LL", "LLD", "RLD", "RLO", "LLO"})  # fmt: skip
_SIDES = frozenset({"L", "R", "B", "U"})
# The defined terms of attributes that could hold any text (PS3.3).
_TERMS: Mapping[str, frozenset[str]] = {
    "VOILUTFunction": frozenset({"LINEAR", "LINEAR_EXACT", "SIGMOID"}),
    "RescaleType": _RESCALED,
    "ModalityLUTType": _RESCALED,
    "PresentationLUTShape": frozenset({"IDENTITY", "INVERSE"}),
    "PixelIntensityRelationship": frozenset({"LIN", "LOG"}),
    "LossyImageCompression": frozenset({"00", "01"}),
    "Modality": _MODALITIES,
    "ImageLaterality": _SIDES,
    "Laterality": _SIDES,
    "FrameLaterality": _SIDES,
    "ViewPosition": _VIEWS,
    "BurnedInAnnotation": frozenset({"NO"}),
}
_NUMBERS = (
    *("PixelAspectRatio", "WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept"),
    *("PixelIntensityRelationshipSign", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("PixelSpacing", "ImagerPixelSpacing", "SliceThickness", "LossyImageCompressionRatio", "LUTDescriptor"),
)
_ROOT = (
    *_NUMBERS[:-1],
    *("VOILUTFunction", "RescaleType", "PresentationLUTShape", "PixelIntensityRelationship", "LossyImageCompression"),
    *("Modality", "ImageLaterality", "Laterality", "ViewPosition", "BurnedInAnnotation"),
)
# Sequences that say how pixels are shown, with what is kept of their items: at the root, and of each frame.
_TABLES: Mapping[str, tuple[str, ...]] = {
    "ModalityLUTSequence": ("LUTDescriptor", "ModalityLUTType"),
    "VOILUTSequence": ("LUTDescriptor",),
}
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "FrameAnatomySequence": ("FrameLaterality",),
}


def says_it_identifies(dataset: Dataset) -> str | None:
    """Return why a file's pixels are not fit for sharing by what its header says, or None."""
    if str(value_of(dataset, "BurnedInAnnotation") or "").strip().upper() not in ("", "NO"):
        return "it says that there is text burned into its pixels"
    if str(value_of(dataset, "RecognizableVisualFeatures") or "").strip().upper() not in ("", "NO"):
        return "it says that a person could be recognised in its pixels"
    return None


def known_term(dataset: Dataset, keyword: str) -> str:
    """Return the value of an attribute when it is one that the standard defines, else ""."""
    value = str(value_of(dataset, keyword) or "").strip().upper()
    return value if value in _TERMS[keyword] else ""


def strip_metadata(original: Dataset, patient_id: str) -> Dataset:
    """Return a copy with what its pixels need to be shown, new identifiers, and `patient_id` for the patient's.

    Raise ImageUnreadable when its pixels can't be decoded, or take more than 2 GiB.
    """
    copy = Dataset()
    _take(original, copy, _ROOT)
    for keyword, wanted in _TABLES.items():
        _take_items(original, copy, keyword, lambda item, wanted=wanted: _table(item, wanted))  # type: ignore[misc]
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        _take_items(original, copy, keyword, _functional_group)
    _write_pixels(original, copy)
    known_class = original.get("SOPClassUID")
    is_known = known_class is not None and pydicom.uid.UID(known_class).name != str(known_class)
    copy.SOPClassUID = known_class if is_known else pydicom.uid.SecondaryCaptureImageStorage
    copy.SOPInstanceUID = generate_uid()
    copy.StudyInstanceUID, copy.SeriesInstanceUID = generate_uid(), generate_uid()
    copy.PatientID, copy.PatientName = patient_id, ""
    copy.PatientIdentityRemoved = "YES"
    copy.DeidentificationMethod = "BreastAI: only what the pixels need to be shown was kept"
    copy.file_meta = FileMetaDataset()
    copy.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    copy.file_meta.MediaStorageSOPClassUID = copy.SOPClassUID
    copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
    return copy


def _take(original: Dataset, copy: Dataset, keywords: Iterable[str]) -> None:
    """Take over the attributes that hold nothing but numbers or a defined term."""
    for keyword in keywords:
        try:
            value = original.get(keyword)
            if value is None or value == "":
                continue
            if keyword in _TERMS:
                if known_term(original, keyword):
                    setattr(copy, keyword, known_term(original, keyword))
            elif _are_numbers(value):
                copy[keyword] = original[keyword]
        except Exception:  # what an odd header makes pydicom raise: an attribute that can't be read is not kept
            continue


def _are_numbers(value: Any) -> bool:
    if isinstance(value, str | bytes):
        return False
    try:
        return all(np.isfinite(float(each)) for each in (value if np.iterable(value) else (value,)))
    except (TypeError, ValueError):
        return False


def _take_items(original: Dataset, copy: Dataset, keyword: str, kept: Callable[[Dataset], Dataset]) -> None:
    found = [kept(item) for item in items(original, keyword)]
    if found:
        setattr(copy, keyword, found)


def _table(item: Dataset, wanted: tuple[str, ...]) -> Dataset:
    """Return a table's item without its explanation, which is free text, and without what follows its entries."""
    kept = Dataset()
    _take(item, kept, wanted)
    data = value_of(item, "LUTData")
    if "LUTDescriptor" in kept and data is not None:
        entries = int(kept.LUTDescriptor[0]) or 65536
        words = (
            data[: 2 * entries] if isinstance(data, bytes) else np.atleast_1d(data)[:entries].astype("<u2").tobytes()
        )
        kept.add_new("LUTData", "OW", words)
    return kept


def _functional_group(item: Dataset) -> Dataset:
    kept = Dataset()
    for keyword, wanted in _GROUPS.items():

        def taken(inner: Dataset, wanted: tuple[str, ...] = wanted) -> Dataset:
            part = Dataset()
            _take(inner, part, wanted)
            return part

        _take_items(item, kept, keyword, taken)
    return kept


def _write_pixels(original: Dataset, copy: Dataset) -> None:
    """Decode every frame and write them uncompressed, with what says how they are laid out."""
    rows, columns = int(original.Rows), int(original.Columns)
    frames, samples = (whole(original, key) or 1 for key in ("NumberOfFrames", "SamplesPerPixel"))
    if rows * columns * frames * samples * max(1, (whole(original, "BitsAllocated") or 8) // 8) > MOST_BYTES:
        raise ImageUnreadable("the file", Text("reason.pixels_take_more_gib", {"most_gib": MOST_BYTES >> 30}))
    written = [_stored_bits(values, original) for values in decoded_frames(original, "the file")]
    stored = int(original.BitsStored)
    values = np.stack(written)  # (frames, H, W) or (frames, H, W, 3)
    copy.Rows, copy.Columns = rows, columns
    copy.SamplesPerPixel = 3 if values.ndim == 4 else 1
    photometric = str(original.PhotometricInterpretation)
    is_palette = photometric == "PALETTE COLOR" and values.ndim == 3
    if is_palette:
        _take_palette(original, copy)
    grey = photometric if photometric == "MONOCHROME1" or is_palette else "MONOCHROME2"
    copy.PhotometricInterpretation = "RGB" if values.ndim == 4 else grey
    if values.ndim == 4:
        copy.PlanarConfiguration = 0
    if frames > 1 or "PerFrameFunctionalGroupsSequence" in copy:
        copy.NumberOfFrames = frames
    copy.BitsAllocated = 8 * values.dtype.itemsize
    copy.BitsStored = min(stored, copy.BitsAllocated)
    copy.HighBit = copy.BitsStored - 1
    copy.PixelRepresentation = int(np.issubdtype(values.dtype, np.signedinteger))
    data = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False)).tobytes()
    copy.add_new("PixelData", "OB" if copy.BitsAllocated == 8 else "OW", data + b"\0" * (len(data) % 2))


def _stored_bits(values: npt.NDArray[Any], original: Dataset) -> npt.NDArray[Any]:
    """Return values in which the bits that are none of the pixel's are those of its sign, or zero."""
    unused = 8 * values.dtype.itemsize - int(original.BitsStored)
    if unused <= 0 or not np.issubdtype(values.dtype, np.integer):
        return values
    return np.asarray(np.right_shift(np.left_shift(values, unused), unused))


def _take_palette(original: Dataset, copy: Dataset) -> None:
    for colour in ("Red", "Green", "Blue"):
        descriptor, data = (f"{colour}PaletteColorLookupTable{part}" for part in ("Descriptor", "Data"))
        if descriptor in original and data in original and _are_numbers(original[descriptor].value):
            copy[descriptor] = original[descriptor]
            entries = int(original[descriptor].value[0]) or 65536
            content = bytes(original[data].value)
            # 8-bit entries are packed two to a word; anything longer is 16 bits an entry.
            whole = entries + entries % 2 if len(content) <= entries + 1 else 2 * entries
            copy.add_new(data, "OW", content[:whole])
