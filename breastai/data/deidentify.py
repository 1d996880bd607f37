"""De-identification: copies of images fit for sharing, with nothing of the patient but a salted hash.

What is kept of a DICOM file is a list of what the pixels need to be shown, not a list of what must go: an attribute
nobody thought of is left behind. Other images are written anew as PNG, without their metadata. Text burned into the
pixels is not found: files that declare it are left out, and the rest must be looked at.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import generate_uid

from breastai.data.decode import Pixels, decode, read_content
from breastai.data.dicom_file import BEGINNING_BYTES, is_dicom, read_dataset
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.errors import ImageUnreadable
from breastai.storage.salt import hashed

TABLE = "patients.csv"
_COLUMNS = ("file", "patient_id", "laterality", "view", "burned_in", "rows", "columns")
_SPLITS = ("train", "val", "test")

_KEPT = (
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "PixelAspectRatio"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "RescaleSlope", "RescaleIntercept", "RescaleType"),
    *("PresentationLUTShape", "PixelIntensityRelationship", "PixelIntensityRelationshipSign", "PixelPaddingValue"),
    *("PixelSpacing", "ImagerPixelSpacing", "LossyImageCompression", "LossyImageCompressionRatio"),
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for part in ("Data", "Descriptor")
    ),
    *("Modality", "ImageLaterality", "Laterality", "ViewPosition", "BurnedInAnnotation"),
)
_TABLES = ("ModalityLUTSequence", "VOILUTSequence")


@dataclass(frozen=True)
class Shared:
    """One file that was looked at. `written` is relative to the output, None with the reason why it was left out."""

    written: str | None
    patient_id: str
    laterality: str = ""
    view: str = ""
    burned_in: str = ""
    rows: int = 0
    columns: int = 0
    reason: str | None = None


def deidentify(source: Path, target: Path, salt: bytes) -> Iterator[Shared]:
    """Write a shareable copy of each image below `source` to `target`; yield what became of each; the table comes last.

    A copy's name and its patient are hashes with the project's salt; of the folders above only a split's and the
    class's are kept. Without a patient id the folder below the class stands for the patient, else the file alone.
    """
    done: list[Shared] = []
    for path in sorted(path for path in source.rglob("*") if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES):
        relative = path.relative_to(source)
        depth = 2 if relative.parts[0].lower() in _SPLITS else 1
        folders, below = relative.parts[:-1][:depth], relative.parts[:-1][depth:]
        stem = "/".join((*folders, hashed(salt, relative.as_posix())))
        try:
            shared = _copy(path, target, stem, salt, below[0] if below else relative.as_posix())
        except ImageUnreadable as error:
            shared = Shared(None, "", reason=error.reason)
        done.append(shared)
        yield shared
    target.mkdir(parents=True, exist_ok=True)
    with (target / TABLE).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS)
        rows.writerows([each.written, *(getattr(each, name) for name in _COLUMNS[1:])] for each in done if each.written)


def _copy(path: Path, target: Path, stem: str, salt: bytes, stand_in: str) -> Shared:
    content = read_content(path, "the file")
    pixels = decode(content, f"the file{path.suffix.lower()}")  # what can't be shown can't be judged by a person
    if not is_dicom(content[:BEGINNING_BYTES]):
        return _as_png(pixels, target, stem, hashed(salt, stand_in))
    original = read_dataset(content)
    patient = hashed(salt, str(original.get("PatientID") or stand_in))
    burned_in = str(original.get("BurnedInAnnotation") or "")
    if burned_in.upper() == "YES":
        return Shared(None, patient, reason="it says that there is text burned into its pixels")
    copy = stripped(original, patient)
    file = target / f"{stem}.dcm"
    file.parent.mkdir(parents=True, exist_ok=True)
    copy.save_as(file, enforce_file_format=True)
    return Shared(
        written=f"{stem}.dcm",
        patient_id=patient,
        laterality=str(original.get("ImageLaterality") or original.get("Laterality") or ""),
        view=str(original.get("ViewPosition") or ""),
        burned_in=burned_in,
        rows=int(original.Rows),
        columns=int(original.Columns),
    )


def _as_png(pixels: Pixels, target: Path, stem: str, patient: str) -> Shared:
    file = target / f"{stem}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file)
    return Shared(written=f"{stem}.png", patient_id=patient, rows=pixels.shape[0], columns=pixels.shape[1])


def stripped(original: Dataset, patient_id: str) -> Dataset:
    """Return a copy with what its pixels need to be shown, new identifiers, and `patient_id` for the patient's."""
    copy = Dataset()
    for keyword in _KEPT:
        if keyword in original:
            copy[keyword] = original[keyword]
    for keyword in _TABLES:
        if keyword in original:  # an item's explanation is free text
            setattr(copy, keyword, [_table(item) for item in original[keyword].value])
    copy.SOPClassUID = original.get("SOPClassUID") or pydicom.uid.SecondaryCaptureImageStorage
    copy.SOPInstanceUID = generate_uid()
    copy.StudyInstanceUID, copy.SeriesInstanceUID = generate_uid(), generate_uid()
    copy.PatientID, copy.PatientName = patient_id, ""
    copy.PatientIdentityRemoved = "YES"
    copy.DeidentificationMethod = "BreastAI: only what the pixels need to be shown was kept"
    copy.file_meta = FileMetaDataset()
    copy.file_meta.TransferSyntaxUID = original.file_meta.TransferSyntaxUID
    copy.file_meta.MediaStorageSOPClassUID = copy.SOPClassUID
    copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
    return copy


def _table(item: Dataset) -> Dataset:
    kept = Dataset()
    for keyword in ("LUTDescriptor", "LUTData", "ModalityLUTType"):
        if keyword in item:
            kept[keyword] = item[keyword]
    return kept
