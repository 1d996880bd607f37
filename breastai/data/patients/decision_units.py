"""Units of decision: which images are of one breast, one exam or one patient, and which of these the data suggest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from breastai.data.decoders.decoder_table import file_header
from breastai.data.decoders.file_content import file_at
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.frames import file_of
from breastai.domain.case_fields import FieldRule, FolderRule, HeaderRule, PathRule, Role, in_words_of, needs_table
from breastai.domain.dataset_description import DatasetDescription
from breastai.domain.errors import DecisionUnitUnknown
from breastai.domain.patient_settings import DecisionUnit, FilenamePattern, FolderLevel, UnitSetting
from breastai.domain.text import Text
from breastai.domain.text_patterns import Lookup, finder_of
from breastai.domain.unit_rule import UnitRule

_SEPARATOR = "/"


@dataclass(frozen=True)
class ChosenUnit:
    """What is decided of: `unit`, None for each image, and why, where the data chose."""

    unit: DecisionUnit | None
    reason: Text | None = None


def choose_unit(table: CaseTable, patients: Sequence[str] | None, wished: UnitSetting) -> ChosenUnit:
    """Return what decisions are of, for images of known `patients` (N,) or none; raise DecisionUnitUnknown.

    `auto` is the breast where all sides are known and a breast has several images, else the patient where patients have
    several images and all images of each are of one class; else the image, as for patches of several tissues.
    """
    if wished == "image":
        return ChosenUnit(None)
    if wished != "auto":
        missing = _missing(table, patients, wished)
        if missing is not None:
            raise DecisionUnitUnknown(wished, missing)
        return ChosenUnit(wished)
    if patients is None:
        return ChosenUnit(None)
    suggested: tuple[DecisionUnit, ...] = ("breast", "patient")
    for unit in suggested:
        names = None if _missing(table, patients, unit) is not None else unit_names(table, patients, unit)
        if names is not None and len(set(names)) < len(names) and (unit == "breast" or _one_class_each(table, names)):
            several = sum(count > 1 for count in Counter(names).values())
            params = {"units": len(set(names)), "several": several, "images": len(names)}
            return ChosenUnit(unit, Text(f"log.data.unit_{unit}", params))
    return ChosenUnit(None)


def unit_names(table: CaseTable, patients: Sequence[str] | None, unit: DecisionUnit) -> list[str] | None:
    """Return the name of the unit of each image; None where patients, or all sides or exams, are unknown.

    Images of a patient whose side or exam is unknown are a unit of their own.
    """
    if patients is None:
        return None
    if unit == "patient":
        return list(patients)
    known = table.column(unit)
    if known is None or not any(known):
        return None
    return [f"{patient}{_SEPARATOR}{value or ''}" for patient, value in zip(patients, known, strict=True)]


@dataclass(frozen=True)
class FoundUnit:
    """Whose image a file is: `patient`, with the breast or exam in `part`; both "" where that is one for all files.

    `is_private`: a header told the patient, whom nothing shown may name.
    """

    patient: str
    part: str = ""
    is_private: bool = False


def units_of_files(
    files: Sequence[Path], rule: UnitRule, one_patient: bool = False, names: Mapping[Path, Path] | None = None
) -> list[FoundUnit | None]:
    """Return the unit of each file to be predicted, by its path and header alone; None where these don't tell.

    What stands in a table says nothing of a new image. `one_patient`: all are of one, and of one breast or exam too where
    neither name nor header tells which. `names`: what files are called that lie under other names.
    """
    find_patient, find_part = _finder(rule, "patient"), _finder(rule, rule.unit)
    found: list[FoundUnit | None] = []
    for file in files:
        place, header = (names or {}).get(file, file).as_posix(), file_header(file_at(file))
        part = None if rule.unit == "patient" or find_part is None else find_part(place)
        if part is None and rule.unit == "breast":
            part = header.codes.laterality
        if one_patient:
            found.append(FoundUnit("", part or ""))
            continue
        named = None if find_patient is None else find_patient(place)
        patient = named or header.patient_id
        known = patient is not None and (part is not None or rule.unit == "patient")
        found.append(FoundUnit(patient or "", part or "", named is None) if known else None)
    return found


def rules_for_files(description: DatasetDescription | None, unit: DecisionUnit) -> dict[str, FieldRule]:
    """Return the rules of a description that find patient and unit in a name or a header."""
    fields = {} if description is None else description.fields
    return {role: fields[role] for role in ("patient", unit) if role in fields and not needs_table(fields[role])}


def _finder(rule: UnitRule, role: Role | DecisionUnit) -> Lookup | None:
    """Return what finds the patient or a part of it in a file's path; None where no rule looks there."""
    own = rule.patient_id if role == "patient" else None
    match own or rule.fields.get(role):
        case FilenamePattern(pattern=pattern):
            find = finder_of(pattern)
            return lambda file: find(PurePosixPath(file_of(file)).name)
        case FolderLevel() | FolderRule():
            return lambda file: PurePosixPath(file).parent.name or None
        case PathRule(path=path, expand=None) as found:
            return _of_path(role, found, finder_of(path))
        case HeaderRule() as found if found.pattern is not None:
            return None  # the whole id serves as well
    return None


def _of_path(role: Role | DecisionUnit, rule: PathRule, find: Lookup) -> Lookup:
    """Return what a rule finds in the shortest end of a path in which it finds anything: where the root was is unknown."""

    def lookup(file: str) -> str | None:
        parts = PurePosixPath(file).parts
        ends = ("/".join(parts[start:]) for start in reversed(range(len(parts))))
        found = next((value for end in ends if (value := find(end)) is not None), None)
        if found is not None and rule.values:
            found = {key.casefold(): value for key, value in rule.values.items()}.get(found.casefold(), found)
        return in_words_of("breast", found) if role == "breast" else found

    return lookup


def _missing(table: CaseTable, patients: Sequence[str] | None, unit: DecisionUnit) -> Text | None:
    """Return what is not known of the images that tells their units; None where all is."""
    if patients is None:
        return Text("reason.unit_patients_unknown")
    if unit == "patient":
        return None
    known = table.column(unit) or (None,) * len(table)
    without = [file for file, value in zip(table.files, known, strict=True) if not value]
    if not without:
        return None
    return Text(f"reason.unit_{unit}_unknown", {"count": len(without), "images": len(table), "file": without[0]})


def _one_class_each(table: CaseTable, names: Sequence[str]) -> bool:
    return len(set(zip(names, table.labels.tolist(), strict=True))) == len(set(names))
