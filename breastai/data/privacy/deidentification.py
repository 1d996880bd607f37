"""De-identification: copies of images fit for sharing, with nothing of the patient but a salted hash.

Names of folders are kept only where they are a split's, a class the field has a word for, or one the user gave: any
other can be a patient's. Text burned into the pixels is not found: files that declare it are left out, and the rest
must be looked at.
"""

import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from pydicom.dataset import Dataset

from breastai.data.decoders.decoder_table import decode, decoder_of
from breastai.data.decoders.dicom_display import value_of
from breastai.data.decoders.dicom_file import read_dataset
from breastai.data.decoders.file_content import read_content
from breastai.data.pixels import Pixels
from breastai.data.privacy.dicom_copy import known_term, says_it_identifies, strip_metadata
from breastai.data.sources.case_table import Case, CaseTable
from breastai.data.sources.image_listing import is_system_name, reason_against_file
from breastai.data.sources.masks import masks_among
from breastai.domain.class_words import split_of
from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text
from breastai.storage.salt import salted_hash
from breastai.texts.shown_name import show_name

TABLE = "patients.csv"
_COLUMNS = ("file", "patient_id", "laterality", "view", "burned_in", "rows", "columns")
# Words of the field for a class in several languages, as `_plain` writes them; none that is a common family name.
_WORDS = """0 1 benign begin malignant normal abnormal cancer carcinoma tumor tumour lesion mass masses calcification
calcifications cyst healthy positive negative pathological suspicious control invasive insitu idc dcis ilc lcis
nocancer noncancer notcancer nonmalignant notumor nolesion nofinding nofindings benignwithoutcallback
benin benigne malin maligne normale anormal anormale carcinome tumeur kyste positif negatif pathologique suspecte
pasdecancer sanscancer sanslesion nonmalin
benigno benigna maligno maligna gutartig bosartig boesartig karzinom positiv negativ tumore tumoral lesao
lesione quiste"""
_CLASS_WORDS = frozenset(_WORDS.split())
_GRADES = re.compile(r"(birads|acr)[0-6][abc]?|grade[1-3]")


@dataclass(frozen=True)
class Shared:
    """One file that was looked at. `written` is relative to the output, None with the reason why it was left out.

    `hashed_class`: whether the folder in the class's place got a hash, since its name is no known class.
    """

    written: str | None
    patient_id: str
    laterality: str = ""
    view: str = ""
    burned_in: str = ""
    rows: int = 0
    columns: int = 0
    reason: Text | str | None = None
    hashed_class: bool = False


@dataclass(frozen=True)
class _Place:
    """Where a copy goes, without its ending; its patient where a table says it, and what stands for one no header names."""

    stem: str
    stand_in: str
    hashed_class: bool
    patient: str | None = None
    breast: str = ""


def deidentify(
    source: Path, target: Path, salt: bytes, classes: Sequence[str] = (), cases: CaseTable | None = None
) -> Iterator[Shared]:
    """Write a shareable copy of each image below `source` to `target`; yield what became of each; the table comes last.

    `classes`: names of folders to keep beside the words of the field. A copy's name and its patient are hashes with the
    project's salt. Without a patient id in a header the folder below the class stands for the patient, or that above
    it; where no folder is a known class the first one; else the file alone. `cases`: the images, classes and patients of
    a data set that is described, in place of what lies below `source`.
    """
    done: list[Shared] = []
    given = {_plain(name): name for name in classes}
    files = _files(source, target) if cases is None else [cases.path(number) for number in range(len(cases))]
    masks = _masks(files, source) if cases is None else {}
    for number, path in enumerate(files):
        if path in masks:
            done.append(Shared(None, "", reason=masks[path]))
            yield done[-1]
            continue
        place = (
            _placed(path.relative_to(source), salt, given)
            if cases is None
            else _placed_case(cases.case(number), salt, given)
        )
        try:
            if reason_against_file(path) is not None:
                raise ImageUnreadable("the file", Text("reason.not_image_file"))  # an ending can be part of a name
            shared = _copy(path, target, place, salt)
        except ImageUnreadable as error:
            shared = Shared(None, "", reason=error.reason)
        done.append(shared)
        yield shared
    target.mkdir(parents=True, exist_ok=True)
    with (target / TABLE).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS)
        written = [each for each in done if each.written is not None]
        # By the hashes: in the order of the sources a table would tell the alphabetical order of names.
        for each in sorted(written, key=lambda each: each.written or ""):
            cells = (each.written, *(getattr(each, name) for name in _COLUMNS[1:]))
            rows.writerow([show_name(cell, "csv") if isinstance(cell, str) else cell for cell in cells])


def _files(source: Path, target: Path) -> list[Path]:
    """Return the files below `source` that may be images, without those of the system and of the copy itself."""
    found: list[Path] = []
    for folder, folders, files in os.walk(source):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not is_system_name(name) and here / name != target)
        found += [here / name for name in sorted(files) if not is_system_name(name) and (here / name).is_file()]
    return found


def _placed(relative: Path, salt: bytes, given: dict[str, str]) -> _Place:
    """Return where the copy of a file goes: split and class by name where they are known, else by hash."""
    folders = list(relative.parts[:-1])
    split = split_of(folders[0]) if folders else None
    if split is not None:
        del folders[0]
    kept = [split] if split else []
    alone = relative.as_posix()
    name = salted_hash(salt, alone)
    known = next((number for number, folder in enumerate(folders) if _class_name(folder, given)), None)
    if known is None:
        kept += [salted_hash(salt, folders[0])] if folders else []
        return _Place("/".join((*kept, name)), folders[0] if folders else alone, bool(folders))
    kept.append(_class_name(folders[known], given) or "")
    beside = folders[known + 1 : known + 2] or folders[:known][-1:]
    return _Place("/".join((*kept, name)), beside[0] if beside else alone, False)


def _placed_case(case: Case, salt: bytes, given: dict[str, str]) -> _Place:
    """Return where the copy of a case goes: below its part and its class."""
    name = _class_name(case.label, given)
    folders = [case.part] if case.part else []
    stem = "/".join((*folders, name or salted_hash(salt, case.label), salted_hash(salt, case.file)))
    return _Place(stem, case.file, name is None, case.patient, case.breast or "")


def _class_name(folder: str, given: dict[str, str]) -> str | None:
    """Return the name a folder keeps: as the user gave it, or as it stands when the field has that word."""
    plain = _plain(folder)
    if plain in given:
        return given[plain]
    is_word = plain in _CLASS_WORDS or (plain.isascii() and _GRADES.fullmatch(plain) is not None)
    return re.sub(r"[^a-z0-9]+", "_", _without_accents(folder)).strip("_") if is_word else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", _without_accents(name))


def _without_accents(name: str) -> str:
    split = unicodedata.normalize("NFKD", name)
    return "".join(sign for sign in split if not unicodedata.combining(sign)).casefold()


def _masks(files: Sequence[Path], source: Path) -> dict[Path, Text]:
    """Return the masks and crops among some files, which hold no image of their own, each with the reason."""
    whole = source.absolute()
    names = {f"{whole.name}/{path.relative_to(source).as_posix()}": path for path in files}
    return {names[name]: reason for name, reason in masks_among(whole.parent, list(names)).items()}


def _copy(path: Path, target: Path, place: _Place, salt: bytes) -> Shared:
    content = read_content(path, "the file")
    pixels = decode(content, "the file")  # what can't be shown can't be judged by a person
    return _COPIES.get(decoder_of(content).name, _as_png)(content, pixels, target, place, salt)


def _as_dicom(content: bytes, pixels: Pixels, target: Path, place: _Place, salt: bytes) -> Shared:
    """Write a DICOM file anew, with nothing of its header that could name a person."""
    original = read_dataset(content)
    named = place.patient or str(value_of(original, "PatientID") or "").strip()
    patient = salted_hash(salt, named or place.stand_in)
    reason = says_it_identifies(original)
    if reason is not None:
        return Shared(None, patient, reason=reason)
    copy = _stripped(original, patient)
    if not np.array_equal(decode(copy, "the file"), pixels):
        raise ImageUnreadable("the file", Text("reason.without_what_header_says"))
    file = target / f"{place.stem}.dcm"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(copy)
    return Shared(
        written=f"{place.stem}.dcm",
        patient_id=patient,
        laterality=known_term(original, "ImageLaterality") or known_term(original, "Laterality") or place.breast,
        view=known_term(original, "ViewPosition"),
        burned_in=known_term(original, "BurnedInAnnotation"),
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        hashed_class=place.hashed_class,
    )


def _stripped(original: Dataset, patient: str) -> bytes:
    try:
        written = io.BytesIO()
        strip_metadata(original, patient).save_as(written, enforce_file_format=True)
        return written.getvalue()
    except ImageUnreadable:
        raise
    except Exception as error:  # attributes that contradict each other make pydicom raise whatever they lead to
        raise ImageUnreadable(
            "the file", Text("reason.pixels_cannot_written_anew", {"error": type(error).__name__})
        ) from None


def _as_png(content: bytes, pixels: Pixels, target: Path, place: _Place, salt: bytes) -> Shared:
    file = target / f"{place.stem}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    deep = _deep_values(content)
    if deep is not None and deep.shape == pixels.shape[:2]:
        Image.fromarray(deep).save(file)
    else:
        Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file)
    return Shared(
        written=f"{place.stem}.png",
        patient_id=salted_hash(salt, place.patient or place.stand_in),
        laterality=place.breast,
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        hashed_class=place.hashed_class,
    )


def _deep_values(content: bytes) -> npt.NDArray[np.uint16] | None:
    """Return the values themselves of grey with 16 bits: which depth they have is for the whole set to say."""
    try:
        with Image.open(io.BytesIO(content)) as opened:
            return np.asarray(opened).astype(np.uint16) if opened.mode.startswith("I;16") else None
    except UnidentifiedImageError:  # a kind that Pillow does not read
        return None


# How a file of each kind is written anew; any other as its pixels alone.
_COPIES = {"dicom": _as_dicom}
