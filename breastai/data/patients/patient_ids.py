"""Patient ids: which images show the same patient, by the rule of the configuration."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from breastai.data.decoders.decoder_table import file_header
from breastai.data.named_files import match_files
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.frames import file_of
from breastai.data.user_tables import TableUnreadable, read_table
from breastai.domain.case_fields import HeaderRule
from breastai.domain.errors import PatientIdInvalid, PatientIdMissing
from breastai.domain.faults import UnusableSetting
from breastai.domain.patient_settings import DicomHeader, FilenamePattern, FolderLevel, PatientIdRule, PatientTable
from breastai.domain.text import Text
from breastai.domain.text_patterns import Lookup, finder_of
from breastai.storage.salt import project_salt, salted_hash
from breastai.storage.workspace import Workspace


def patient_ids(
    files: Sequence[str], rule: PatientIdRule | None, base: Path, folder: Path = Path()
) -> list[str] | None:
    """Return the patient of each of `files`, paths relative to their image `folder`, or None without a rule.

    A pattern is searched in the file's name; its first group is the id, or the whole match when it has no group.
    A folder level counts from the first folder below the class folder. A table is a CSV file, relative to
    `base`, the workspace, whose column file holds relative paths or file names that occur once. From DICOM headers
    come hashes with the project's salt, of the whole id or of what a pattern finds in it. The frames of a file are of one patient. Raises PatientIdInvalid when the rule can't be used and PatientIdMissing when
    it finds no patient for an image.
    """
    if rule is None:
        return None
    wholes = [file_of(file) for file in files]
    unique = list(dict.fromkeys(wholes))
    lookup = _lookup(unique, rule, base, folder)
    by_file = {file: lookup(file) for file in unique}
    found = [by_file[file] for file in wholes]
    missing = [file for file, patient in zip(files, found, strict=True) if not patient]
    if missing:
        raise PatientIdMissing(len(missing), missing[0], _described(rule))
    return [patient for patient in found if patient]


def patients_in(folder: CaseTable, rule: PatientIdRule | None, base: Path) -> list[str] | None:
    """Return the patient of each image of a folder, or of several taken as one; raises what `patient_ids` does.

    Without a rule that is what the table itself says, where it says so of all.
    """
    said = folder.column("patient")
    if rule is None and said is None:
        rule = _described_rule(folder)
    if rule is None and said is not None:
        missing = [file for file, patient in zip(folder.files, said, strict=True) if not patient]
        if missing:
            raise PatientIdMissing(len(missing), missing[0], "column: patient_id")
        return [patient for patient in said if patient]
    if not folder.roots:
        return patient_ids(folder.files, rule, base, folder.root)
    found: dict[str, str] = {}
    for part, root in folder.roots.items():
        files = [file.removeprefix(f"{part}/") for file in folder.files if file.startswith(f"{part}/")]
        patients = patient_ids(files, rule, base, root)
        if patients is None:
            return None
        found |= {f"{part}/{file}": patient for file, patient in zip(files, patients, strict=True)}
    return [found[file] for file in folder.files]


def judged_patients(folder: CaseTable, rule: PatientIdRule | None, base: Path) -> list[str] | None:
    """Return the patient of each image that a model judges: by the rule of its run, else as the images' own source says.

    Images from elsewhere are named otherwise: where the rule finds no patient at all and nothing else says whose they
    are, None. Raises PatientIdMissing where the rule finds the patients of some images alone.
    """
    try:
        return patients_in(folder, rule, base)
    except PatientIdMissing as missing:
        if rule is not None and names_patients(folder):
            return patients_in(folder, None, base)
        if rule is None or missing.count < len(folder.files):
            raise
        return None


def names_patients(folder: CaseTable) -> bool:
    """Return whether a folder's own source says whose its images are."""
    return folder.column("patient") is not None or _described_rule(folder) is not None


def _described_rule(folder: CaseTable) -> PatientIdRule | None:
    """Return the rule by which the description of a folder finds patients in headers; None where it does not."""
    found = None if folder.description is None else folder.description.fields.get("patient")
    if not isinstance(found, HeaderRule) or found.header != "patient_id":
        return None
    return DicomHeader(dicom="patient_id", pattern=found.pattern)


def plain_ids(folder: CaseTable, rule: PatientIdRule, base: Path) -> list[str | None]:
    """Return the patient of each image as names and headers have it, not hashed: to be looked at, never to be kept."""
    if not folder.roots:
        lookup = _lookup([file_of(file) for file in folder.files], rule, base, folder.root, hashes=False)
        return [lookup(file_of(file)) for file in folder.files]
    found: dict[str, str | None] = {}
    for part, root in folder.roots.items():
        files = [file_of(file.removeprefix(f"{part}/")) for file in folder.files if file.startswith(f"{part}/")]
        lookup = _lookup(files, rule, base, root, hashes=False)
        found |= {f"{part}/{file}": lookup(file) for file in files}
    return [found[file_of(file)] for file in folder.files]


def _lookup(files: Sequence[str], rule: PatientIdRule, base: Path, folder: Path, hashes: bool = True) -> Lookup:
    match rule:
        case FilenamePattern(pattern=pattern):
            find = lookup_of(pattern)
            return lambda file: find(PurePosixPath(file).name)
        case FolderLevel(folder=level):
            return lambda file: _folder(file, level)
        case PatientTable(csv=table):
            return _by_table(files, base / Path(table).expanduser())
        case DicomHeader(pattern=pattern):
            salt = project_salt(Workspace(base)) if hashes else None
            return _by_header(folder, salt, None if pattern is None else lookup_of(pattern))


def _described(rule: PatientIdRule) -> str:
    return ", ".join(f"{key}: {value}" for key, value in rule.model_dump(exclude_none=True).items())


def lookup_of(pattern: str) -> Lookup:
    """Return what finds a pattern's first group, or its match, in a text; raise PatientIdInvalid."""
    try:
        return finder_of(pattern)
    except UnusableSetting as fault:
        raise PatientIdInvalid(fault.text) from None


def _folder(file: str, level: int) -> str | None:
    """Return folder `level` of `file` below its class folder, or None when it lies less deep."""
    folders = PurePosixPath(file).parts[1:-1]
    return folders[level - 1] if len(folders) >= level else None


def _by_header(folder: Path, salt: bytes | None, part: Lookup | None) -> Lookup:
    def find(file: str) -> str | None:
        patient = file_header(folder / file).patient_id
        if patient is not None and part is not None:
            patient = part(patient)
        return salted_hash(salt, patient) if patient and salt is not None else patient

    return find


def _by_table(files: Sequence[str], path: Path) -> Lookup:
    patients = _read_patients(path)
    named = match_files(files, list(patients))
    return lambda file: patients[named[file]] if file in named else None


def _read_patients(path: Path) -> dict[str, str]:
    """Return the patient of each file named in a CSV with the columns file and patient_id."""
    try:
        table = read_table(path)
    except TableUnreadable as fault:
        raise PatientIdInvalid(Text("reason.of_file", {"file": path.name, "error": fault.reason})) from None
    places = table.places()
    if not {"file", "patient_id"} <= places.keys():
        raise PatientIdInvalid(Text("reason.lacks_columns_file_patient", {"file": path.name, "columns": list(places)}))
    if (twice := table.contradiction(("file", "patient_id"))) is not None:
        raise PatientIdInvalid(Text("reason.of_file", {"file": path.name, "error": twice}))
    rows, repeated = table.by_file(places["file"])
    for row, before in repeated:
        file, patient = row.cell(places["file"]), places["patient_id"]
        same = row.cell(patient) == before.cell(patient)
        params = {"file": path.name, "row": row.number, "repeated": file, "before": before.number}
        raise PatientIdInvalid(Text("reason.row_repeats" if same else "reason.row_repeats_otherwise", params))
    return {file: row.cell(places["patient_id"]) for file, row in rows.items()}
