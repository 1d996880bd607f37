"""Rules for patient ids: what makes one doubtful, and which one the images themselves offer.

Nothing found here is applied: it is told, with the setting that would apply it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from breastai.data.decoders.decoder_table import file_header, header_of
from breastai.data.patients.patient_ids import lookup_of, names_patients, plain_ids
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.frames import file_of
from breastai.domain.class_words import meaning_of
from breastai.domain.patient_settings import DicomHeader, FilenamePattern, FolderLevel, PatientIdRule

DoubtCode = Literal["patients.all_one", "patients.views", "patients.prefixes", "patients.one_each", "patients.offered"]

_LEAST_IMAGES, _LEAST_PATIENTS = 4, 3
_LARGEST_SHARE, _MOST_PATIENTS_SHARE = 0.5, 0.9
_REPEATING_SHARE = 0.1
_HEADERS_READ = 30
# Words for breast and view, alone between separators or at the end of a name.
_VIEW_WORDS = (
    "left|right|links|rechts|gauche|droite|droit|izquierda|derecha|sinistra|destra|esquerda|direita|"
    "lcc|rcc|lmlo|rmlo|cc|mlo|lmo|ml|lm|xccl|xccm|l|r"
)
_VIEW = re.compile(rf"(?:^|[\W_])(?:{_VIEW_WORDS})(?=[\W_]|$)", re.IGNORECASE)
_DATE = re.compile(r"(?:19|20)\d\d[-_.]?(?:0\d|1[0-2])[-_.]?[0-3]\d")
# One of these, the first that fits, is what a file's name or a header's id holds of a patient.
_PATTERNS = (
    r"(?:^|[\W_])(P[_-]?\d{2,})",
    r"(?i)^(.*?\d.*?)[\W_]+(?:left|right|l|r|cc|mlo)(?=[\W_]|$)",
    rf"(?i)^(.*?\d.*?)[\W_]+(?:{_VIEW_WORDS})(?=[\W_]|$)",
    r"^([A-Za-z]*\d+)[_ -]",
    r"^([A-Za-z]+[_ -]?\d+)[_ -]",
    r"^([A-Za-z]*\d+)(?:[_ -]*[A-Za-z]{1,2})?(?=\.|$)",
    r"^(.*\d)[\W_]+(?:\d{1,3}|[A-Za-z])(?=\.|$)",
    r"^([A-Za-z]{3,})[\W_]\d+(?=\.|$)",
)
_LETTERS_ALONE = _PATTERNS[-1]
_LONGER_BY = re.compile(r"[\W_]*[A-Za-z]{1,2}")


@dataclass(frozen=True)
class Doubt:
    """What is doubtful of a rule, or what rule is offered; `setting` is a value for evaluation.patient_id, as JSON."""

    code: DoubtCode
    files: tuple[str, ...] = ()
    params: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def setting(self) -> str | None:
        return str(self.params["setting"]) if self.params.get("setting") else None


def doubts(folders: Sequence[CaseTable], rule: PatientIdRule | None, base: Path) -> list[Doubt]:
    """Return what is doubtful of the patients of some folders by a rule; without a rule, the one they offer if any."""
    if rule is None and all(names_patients(folder) for folder in folders):
        return []
    if rule is None:
        offered = offered_rule(folders, base)
        return [] if offered is None else [_offer(folders, *offered)]
    known = [(folder, plain_ids(folder, rule, base)) for folder in folders]
    by_file = {
        file_of(file): patient
        for folder, ids in known
        for file, patient in zip(folder.files, ids, strict=True)
        if patient is not None
    }
    return list(_doubts(folders, by_file, rule, base)) if len(by_file) >= _LEAST_IMAGES else []


def _doubts(
    folders: Sequence[CaseTable], by_file: Mapping[str, str], rule: PatientIdRule, base: Path
) -> Iterator[Doubt]:
    ids = set(by_file.values())
    counts = {"images": len(by_file), "patients": len(ids)}

    def doubt(
        code: DoubtCode, files: Sequence[str] = (), merged: Mapping[str, str] | None = None, fewer: int = 0
    ) -> Doubt:
        """Return a doubt with the rule that would mend it: one for the ids themselves, or one that the images offer."""
        mended = None if merged is None else _mended(rule, by_file, merged)
        if mended is None:
            offered = offered_rule(folders, base)
            mended = None if offered is None or offered[0] == rule else offered[0]
        setting = "" if mended is None else as_setting(mended)
        return Doubt(code, tuple(files), counts | {"fewer": fewer, "setting": setting})

    if len(ids) == 1:
        yield doubt("patients.all_one")
        return
    merged = {patient: _without_views(patient) for patient in ids}
    told = len(set(merged.values())) < len(ids)
    if told:
        names = Counter(merged.values())
        files = [file for file, patient in by_file.items() if names[merged[patient]] > 1]
        yield doubt("patients.views", files, merged, len(set(merged.values())))
    longer = _longer_ids(ids)
    if longer and not told:
        files = [file for file, patient in by_file.items() if patient in longer or patient in longer.values()]
        yield doubt(
            "patients.prefixes",
            files,
            {patient: longer.get(patient, patient) for patient in ids},
            len(ids) - len(longer),
        )
        told = True
    if len(ids) == len(by_file) and not told:
        stems = Counter(_without_views(PurePosixPath(file).stem) for file in by_file)
        several = sum(count for count in stems.values() if count > 1)
        views = several >= len(by_file) / 4 or _headers_differ(folders)
        fewer = len(stems) if several else 0
        yield doubt("patients.views" if views else "patients.one_each", (), None, fewer)


def offered_rule(folders: Sequence[CaseTable], base: Path) -> tuple[PatientIdRule, int] | None:
    """Return a rule by which some images share patients, and how many patients those are; None where nothing tells.

    From DICOM headers, from folders below the class, or from the beginnings of files' names.
    """
    files = [(folder, file_of(file)) for folder in folders for file in folder.files]
    if len(files) < _LEAST_IMAGES:
        return None
    labels = [int(label) for folder in folders for label in folder.labels]
    by_header = _rule_by_header(files)
    if by_header is not None:
        return by_header
    lower = [PurePosixPath(file).parts[1:-1] for _, file in files]
    if all(lower) and _plausible([parts[0] for parts in lower], labels):
        return FolderLevel(folder=1), len({parts[0] for parts in lower})
    names = [PurePosixPath(file).name for _, file in files]
    for pattern in _PATTERNS:
        ids = _matches(pattern, names)
        if ids is not None and _plausible(ids, labels, least=5 if pattern == _LETTERS_ALONE else _LEAST_PATIENTS):
            return FilenamePattern(pattern=pattern), len(set(ids))
    return None


def as_setting(rule: PatientIdRule) -> str:
    """Return a rule as evaluation.patient_id takes it."""
    return json.dumps(rule.model_dump(mode="json", exclude_none=True))


def _offer(folders: Sequence[CaseTable], rule: PatientIdRule, patients: int) -> Doubt:
    images = sum(len(folder) for folder in folders)
    return Doubt("patients.offered", (), {"images": images, "patients": patients, "setting": as_setting(rule)})


def _rule_by_header(files: Sequence[tuple[CaseTable, str]]) -> tuple[PatientIdRule, int] | None:
    """Return the rule by DICOM headers, where all of some files hold ids that differ; with a pattern where ids hold views."""
    chosen = np.unique(np.linspace(0, len(files) - 1, _HEADERS_READ).round().astype(int))
    paths = [files[number][0].path_of(files[number][1]) for number in chosen]
    ids: set[str] = set()
    for path in paths:
        patient = file_header(path).patient_id
        if patient is None:
            return None
        ids.add(patient)
    if len(ids) < 2:
        return None
    plain: PatientIdRule = DicomHeader(dicom="patient_id")
    merged = {patient: _without_views(patient) for patient in ids}
    if all(_VIEW.search(patient) for patient in ids) or len(set(merged.values())) < len(ids):
        pattern = _pattern_for(merged)
        if pattern is not None:
            return DicomHeader(dicom="patient_id", pattern=pattern), len(set(merged.values()))
    return plain, len(ids)


def _mended(rule: PatientIdRule, by_file: Mapping[str, str], merged: Mapping[str, str]) -> PatientIdRule | None:
    """Return a rule that tells as few patients apart as `merged` does, by a pattern on what the rule looks at now."""
    if isinstance(rule, DicomHeader):
        pattern = _pattern_for(merged)
        return None if pattern is None else DicomHeader(dicom="patient_id", pattern=pattern)
    if isinstance(rule, FilenamePattern):
        pattern = _pattern_for({PurePosixPath(file).name: merged[patient] for file, patient in by_file.items()})
        return None if pattern is None else FilenamePattern(pattern=pattern)
    return None


def _pattern_for(merged: Mapping[str, str]) -> str | None:
    """Return a pattern that finds, in the texts given, the same id exactly where they are merged into one; or None."""
    wanted = _partition(list(merged.values()))
    for pattern in _PATTERNS:
        ids = _matches(pattern, list(merged))
        if ids is not None and _partition(ids) == wanted:
            return pattern
    return None


def _partition(names: Sequence[str]) -> list[int]:
    """Return for each name the place of the first equal one."""
    first: dict[str, int] = {}
    return [first.setdefault(name, number) for number, name in enumerate(names)]


def _matches(pattern: str, texts: Sequence[str]) -> list[str] | None:
    """Return what a pattern finds in each text, or None when it finds nothing in one."""
    find = lookup_of(pattern)
    found = [find(text) for text in texts]
    return [each for each in found if each] if all(found) else None


def _plausible(ids: Sequence[str], labels: Sequence[int], least: int = _LEAST_PATIENTS) -> bool:
    """Return whether names may be those of patients: several, some with several images, none with most of them."""
    counts = Counter(ids)
    if not max(least, len(set(labels)) + 1) <= len(counts) <= _MOST_PATIENTS_SHARE * len(ids):
        return False
    # What repeats from class to class and never within one is a number that begins again in each.
    within = Counter(zip(ids, labels, strict=True))
    if sum(count > 1 for count in within.values()) < _REPEATING_SHARE * len(counts):
        return False
    if all(_DATE.search(name) for name in counts) or all(meaning_of(name) != "silent" for name in counts):
        return False
    return max(counts.values()) <= _LARGEST_SHARE * len(ids)


def _without_views(name: str) -> str:
    """Return a name without its words for breast and view; as it is where nothing else would be left."""
    return re.sub(r"[\W_]+", "_", _VIEW.sub("_", name)).strip("_") or name


def _longer_ids(ids: set[str]) -> dict[str, str]:
    """Return the ids that are another with a letter or two behind it, each with that other: 13412A with 13412."""
    longer: dict[str, str] = {}
    for patient in ids:
        shorter = (patient[:-length] for length in (1, 2, 3) if len(patient) > length)
        for other in shorter:
            if other in ids and other[-1].isdigit() and _LONGER_BY.fullmatch(patient[len(other) :]):
                longer[patient] = other
    return longer


def _headers_differ(folders: Sequence[CaseTable]) -> bool:
    """Return whether DICOM headers name several breasts or views."""
    paths = [folder.path(number) for folder in folders for number in range(len(folder))][:_HEADERS_READ]
    headers = [header_of(path) for path in paths]
    return any(len({getattr(header, name) for header in headers} - {None}) > 1 for name in ("laterality", "view"))
