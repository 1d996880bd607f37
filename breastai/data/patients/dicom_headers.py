"""Headers: which breast a DICOM file shows, in which view and taken by what, as its header says.

Only known codes are taken over, whatever else stands in those attributes: no text of a header comes further than here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydicom.dataset import Dataset

from breastai.data.decoders.decode import file_at
from breastai.data.decoders.dicom_file import read_header
from breastai.data.sources.class_folders import ImageFolder

Code = TypeVar("Code", bound=str)

# PS3.3 C.8.11.7 and CID 4014, with the codes by which enhanced objects and older SNOMED name the same views.
Side = Literal["L", "R", "B"]
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
]


@dataclass(frozen=True)
class Header:
    """`laterality` L, R or B (both), `view` CC, MLO and so on, `modality` US, MG and so on; None where it does not say."""

    laterality: Side | None = None
    view: str | None = None
    modality: str | None = None


NO_HEADER = Header()


def header_of(path: Path) -> Header:
    """Return what the header of the image at `path` says; nothing of a file that is no DICOM file or can't be read."""
    dataset = read_header(file_at(path), _TAGS)
    if dataset is None:
        return NO_HEADER
    try:
        modality = _known([dataset.get("Modality")], _MODALITIES)
        return Header(_known(_sides(dataset), _SIDES), _known(_views(dataset), _VIEWS), modality)
    except Exception:  # a damaged file makes the parser raise whatever its bytes lead to
        return NO_HEADER


def headers_in(folder: ImageFolder) -> list[Header]:
    """Return what the header of each image of a folder says."""
    return [header_of(folder.path(number)) for number in range(len(folder))]


def subgroups_in(paths: Sequence[Path]) -> dict[str, list[str]]:
    """Return laterality and view of each image, "" where unknown; only those that tell at least two parts apart."""
    headers = [header_of(path) for path in paths]
    columns: dict[str, list[str]] = {
        "laterality": [header.laterality or "" for header in headers],
        "view": [header.view or "" for header in headers],
    }
    return {name: values for name, values in columns.items() if len(set(values) - {""}) > 1}


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
