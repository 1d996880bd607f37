"""DICOM headers: which breast a file shows, in which view and taken by what, whose it is, and whether it is an image.

Of breast, view and modality only known codes are taken over, whatever else stands in those attributes.
"""

from collections.abc import Iterable
from typing import TypeVar

from pydicom.dataset import Dataset

from breastai.data.decoders.decoder import NO_HEADER, FileHeader, Header, Side, Source
from breastai.data.decoders.device_names import device_name
from breastai.data.decoders.dicom_display import value_of
from breastai.data.decoders.dicom_file import read_header

Code = TypeVar("Code", bound=str)

# PS3.3 C.8.11.7 and CID 4014, with the codes by which enhanced objects and older SNOMED name the same views.
_SIDES: frozenset[Side] = frozenset({"L", "R", "B"})
_VIEWS = frozenset({"CC", "MLO", "ML", "LM", "LMO", "SIO", "ISO", "XCC", "XCCL", "XCCM", "FB", "AT", "CV", "RL", "RM", "TAN"})  # fmt: skip
_VIEW_CODES = {
    "399162004": "CC", "399368009": "MLO", "399260004": "ML", "399352003": "LM", "399099002": "LMO",
    "399188001": "SIO", "441555000": "ISO", "399192008": "XCCL", "399101009": "XCCM", "399196006": "FB",
    "R-10242": "CC", "R-10226": "MLO", "R-10224": "ML", "R-10228": "LM", "R-10230": "LMO",
    "R-102D0": "SIO", "R-40AAA": "ISO", "R-1024A": "XCCL", "R-1024B": "XCCM", "R-10244": "FB",
}  # fmt: skip
# PS3.3 C.7.3.1.1.1, of images. "OT", other, and "SC", a secondary capture, say nothing of how an image was taken.
_MODALITIES = frozenset({"BI", "CR", "CT", "DG", "DX", "ES", "GM", "IVUS", "IO", "MG", "MR", "NM", "OCT", "OP", "PT", "PX", "RF", "RG", "SM", "TG", "US", "XA", "XC"})  # fmt: skip
_TAGS = [
    "Modality",
    "ImageLaterality",
    "Laterality",
    "ViewPosition",
    "ViewCodeSequence",
    "SharedFunctionalGroupsSequence",
    "PatientID",
    "SeriesDescription",
    "BurnedInAnnotation",
    "Manufacturer",
    "ManufacturerModelName",
]


def dicom_header(source: Source) -> FileHeader | None:
    """Return what the header of a DICOM file says; None of any other file, and of one that can't be read."""
    dataset = read_header(source, _TAGS)
    if dataset is None:
        return None
    modality = _text(dataset, "Modality")
    return FileHeader(
        codes=_codes(dataset),
        patient_id=_text(dataset, "PatientID") or None,
        series=_text(dataset, "SeriesDescription"),
        device=device_name([_text(dataset, "Manufacturer"), _text(dataset, "ManufacturerModelName")]),
        is_segmentation=modality.upper() == "SEG",
        says_burned_in=_text(dataset, "BurnedInAnnotation").upper() == "YES",
    )


def _codes(dataset: Dataset) -> Header:
    try:
        modality = _known([dataset.get("Modality")], _MODALITIES)
        return Header(_known(_sides(dataset), _SIDES), _known(_views(dataset), _VIEWS), modality)
    except Exception:  # a damaged file makes the parser raise whatever its bytes lead to
        return NO_HEADER


def _text(dataset: Dataset, keyword: str) -> str:
    """Return an attribute as text; "" where it says nothing or can't be read."""
    try:
        return str(value_of(dataset, keyword) or "").strip()
    except Exception:  # a damaged file makes the parser raise whatever its bytes lead to
        return ""


def _known(values: Iterable[object], allowed: frozenset[Code]) -> Code | None:
    said = (str(value or "").strip().upper() for value in values)
    return next((code for text in said for code in allowed if code == text), None)


def _sides(dataset: Dataset) -> Iterable[object]:
    yield from (dataset.get("ImageLaterality"), dataset.get("Laterality"))
    for group in dataset.get("SharedFunctionalGroupsSequence") or ():
        yield from (anatomy.get("FrameLaterality") for anatomy in group.get("FrameAnatomySequence") or ())


def _views(dataset: Dataset) -> Iterable[object]:
    yield dataset.get("ViewPosition")
    for code in dataset.get("ViewCodeSequence") or ():
        yield _VIEW_CODES.get(str(code.get("CodeValue") or ""))
