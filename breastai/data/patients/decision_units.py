"""Units of decision: which images are of one breast, one exam or one patient, and which of these the data suggest."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from breastai.data.decoders.decoder_table import file_header
from breastai.data.decoders.file_content import file_at
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.field_values import value_of
from breastai.data.sources.frames import file_of
from breastai.domain.case_fields import FieldRule, FolderRule, HeaderRule, PathRule, Role, in_words_of, needs_table
from breastai.domain.dataset_description import DatasetDescription
from breastai.domain.errors import DecisionUnitUnknown
from breastai.domain.patient_settings import DecisionUnit, DicomHeader, FilenamePattern, PatientIdRule, UnitSetting
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


def unit_names(table: CaseTable, patients: Sequence[str] | None, unit: DecisionUnit) -> list[str | None] | None:
    """Return the name of the unit of each image, None for one whose side or exam is unknown.

    None for all where patients are unknown, or every side or exam is.
    """
    if patients is None:
        return None
    if unit == "patient":
        return list(patients)
    known = table.column(unit)
    if known is None or not any(known):
        return None
    return [f"{patient}{_SEPARATOR}{value}" if value else None for patient, value in zip(patients, known, strict=True)]


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
    by_patient, by_part = _finders(rule, "patient"), [] if rule.unit == "patient" else _finders(rule, rule.unit)
    found: list[FoundUnit | None] = []
    for file in files:
        place = (names or {}).get(file, file).as_posix()
        part = _first(by_part, place, file)
        if one_patient:
            found.append(FoundUnit("", part or ""))
            continue
        patient = _first(by_patient, place, file)
        known = patient is not None and (part is not None or rule.unit == "patient")
        found.append(FoundUnit(patient or "", part or "", by_patient[0].in_header) if known else None)
    return found


def check_rule(rule: UnitRule) -> None:
    """Raise UnusableSetting where a rule of a foreign model can't find anything, such as a pattern that is none."""
    for role in {"patient", rule.unit}:
        _finders(rule, role)


def rules_for_files(description: DatasetDescription | None, unit: DecisionUnit) -> dict[str, FieldRule]:
    """Return the rules of a description that find patient and unit in a name or a header."""
    fields = {} if description is None else description.fields
    return {role: fields[role] for role in ("patient", unit) if role in fields and not needs_table(fields[role])}


@dataclass(frozen=True)
class _Finder:
    """What finds a patient, a breast or an exam: `find` in the path as its owner calls it, or in the header of a file."""

    find: Callable[[str, Path], str | None]
    in_header: bool = False


def _first(finders: Sequence[_Finder], place: str, file: Path) -> str | None:
    return next((value for each in finders if (value := each.find(place, file))), None)


def _finders(rule: UnitRule, role: Role | DecisionUnit) -> list[_Finder]:
    """Return what finds the patient, one finder at most, or a part of it, of a new file; what needs the root is left out.

    Folders count from the file alone: from the first folder below a root that nobody knows, nothing can be counted.
    """
    if role == "patient" and rule.patient_id is not None:
        return _by_setting(rule.patient_id)
    found = rule.fields.get(role)
    finders = [] if found is None else _by_field(role, found)
    if role == "breast":
        finders.append(_Finder(lambda place, file: file_header(file_at(file)).codes.laterality, in_header=True))
    if role == "patient" and found is None:
        finders.append(_Finder(lambda place, file: file_header(file_at(file)).patient_id, in_header=True))
    return finders


def _by_setting(rule: PatientIdRule) -> list[_Finder]:
    match rule:
        case FilenamePattern(pattern=pattern):
            find = finder_of(pattern)
            return [_Finder(lambda place, file: find(PurePosixPath(file_of(place)).name))]
        case DicomHeader(pattern=pattern):
            clean = None if pattern is None else finder_of(pattern)
            return [_Finder(lambda place, file: _cleaned(file_header(file_at(file)).patient_id, clean), in_header=True)]
    return []


def _cleaned(value: str | None, clean: Lookup | None) -> str | None:
    return value if value is None or clean is None else clean(value)


def _by_field(role: Role | DecisionUnit, rule: FieldRule) -> list[_Finder]:
    value = value_of(rule, Path(), (), ())

    def worded(found: str | None) -> str | None:
        return in_words_of("breast", found) if role == "breast" else found

    match rule:
        case HeaderRule():
            return [_Finder(lambda place, file: worded(value(file.as_posix())), in_header=True)]
        case FolderRule(folder=level) if level < 0:
            return [_Finder(lambda place, file: worded(value(place)))]
        case PathRule(path=path, expand=None) if not path.startswith("^"):
            return [_Finder(lambda place, file: worded(_in_shortest_end(place, value)))]
    return []


def _in_shortest_end(place: str, find: Lookup) -> str | None:
    """Return what is found in the shortest end of a path in which anything is: where the root was is unknown."""
    parts = PurePosixPath(place).parts
    ends = ("/".join(parts[start:]) for start in reversed(range(len(parts))))
    return next((value for end in ends if (value := find(end)) is not None), None)


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


def _one_class_each(table: CaseTable, names: Sequence[str | None]) -> bool:
    return len(set(zip(names, table.labels.tolist(), strict=True))) == len(set(names))
