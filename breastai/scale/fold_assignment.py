"""The cases of a cross-validation dealt into folds: which are held out, validate and train, for each of its runs."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from breastai.clinical.audit_job import run_audit
from breastai.data.background import read_with_progress
from breastai.data.cases.cases import split_cases, split_unit
from breastai.data.cases.data_split import deal
from breastai.data.cases.data_split import split as split_apart
from breastai.data.cases.image_set import preprocess_folder
from breastai.data.cases.part_units import known_units
from breastai.data.cases.run_folders import Folders, patients_elsewhere
from breastai.data.cases.split_groups import exclusions, split_groups
from breastai.data.decoders.decoder import Side
from breastai.data.patients.decision_units import choose_unit, unit_names
from breastai.data.patients.patient_ids import patients_in
from breastai.data.preprocessing.image_cache import Prepared
from breastai.data.preprocessing.inventory import Inventory
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.frames import by_file
from breastai.domain.config import Config
from breastai.domain.crossval_settings import CrossvalSettings
from breastai.domain.dataset_description import DatasetDescription, number_in
from breastai.domain.errors import ConfigInvalid, StudyDamaged
from breastai.domain.events import Event
from breastai.domain.faults import describe_mismatch
from breastai.domain.patient_settings import DecisionUnit
from breastai.domain.records import SplitFile, TwinGroup
from breastai.domain.stored import StoredDocument
from breastai.domain.text import Text
from breastai.storage.studies import study_file
from breastai.storage.workspace import Workspace, atomic_write

HELD_OUT = "held_out"


class Folds(StoredDocument):
    """All images of a cross-validation. `units`: for each a name its patient's and its duplicates' images share.

    `folds`: for each repeat the fold of each image, from 1; 0 for one left out for a reason. `headers`: laterality and
    view of each, `modalities` its modality, as its DICOM header names them; empty in folds dealt before this was kept.
    """

    class_names: list[str]
    files: list[str]
    sha256: list[str]
    labels: list[int]
    patients_known: bool
    units: list[str] | None
    left_out: dict[str, str]
    twins: int
    folds: list[list[int]]
    headers: list[tuple[Side | None, str | None]] = Field([])
    modalities: list[str | None] = Field([])
    decision_unit: DecisionUnit | None = Field(None, description="What decisions are of; null: of each image.")
    unit_names: list[str] = Field([], description="Where they are not of images, the breast, exam or patient of each.")
    dataset: DatasetDescription | None = Field(None, description="By which the images were read, if by any.")


def assign_folds(
    study_id: str, config: Config, folders: Folders, workspace: Workspace
) -> Generator[Event, None, Folds]:
    """Return how the cases are dealt, done now unless it was before; tell how far it is. Raises TooFewPatients."""
    path = _path(workspace, study_id)
    if path.is_file():
        return read_folds(workspace, study_id)
    inventory = Inventory(config)
    record = yield from run_audit(folders.by_split(), config.evaluation.patient_id, workspace, inventory, config)
    prepared = yield from prepared_images(folders, config, inventory)
    patients = patients_in(prepared.folder, config.evaluation.patient_id, workspace.root)
    elsewhere = patients_elsewhere(config, folders, workspace.root)
    found = _dealt(config, prepared, patients, record.groups, elsewhere)
    atomic_write(path, (found.model_dump_json() + "\n").encode())
    return found


def read_folds(workspace: Workspace, study_id: str) -> Folds:
    """Return how the cases of a study were dealt; raise StudyDamaged or FormatTooNew."""
    try:
        return Folds.model_validate_json(_path(workspace, study_id).read_bytes()).check_format(f"{study_id}/folds.json")
    except (OSError, ValidationError, ValueError) as error:
        raise StudyDamaged(
            study_id, Text("reason.of_file", {"file": "folds.json", "error": type(error).__name__})
        ) from None


def prepared_images(
    folders: Folders, config: Config, inventory: Inventory | None = None
) -> Generator[Event, None, Prepared]:
    """Return all images a cross-validation may use, preprocessed; tell how far it is."""
    return (yield from read_with_progress(lambda report: preprocess_folder(folders.train, config, report, inventory)))


def _dealt(
    config: Config,
    prepared: Prepared,
    patients: list[str] | None,
    twins: Sequence[TwinGroup],
    elsewhere: Mapping[str, set[str]],
) -> Folds:
    files, labels, names = prepared.folder.files, prepared.folder.labels, prepared.folder.class_names
    settings = config.crossval
    reasons = exclusions(files, twins, config.data.on_leak, patients, elsewhere)
    together = split_groups(files, patients, () if config.data.on_leak == "continue" else twins, "train")
    kept = np.array([number for number, file in enumerate(files) if file not in reasons], dtype=np.int64)
    groups = _groups(settings.grouped, together, kept)
    folds: list[list[int]] = []
    given = given_folds(prepared.folder, patients, settings)
    for repeat in range(settings.repeats):
        numbers = np.zeros(len(files), dtype=np.int64)
        if given is None:
            numbers[kept] = 1 + deal(labels[kept], groups, settings.folds, _seed(config, repeat + 1), names)
        else:
            numbers[kept] = given[kept]
        folds.append(numbers.tolist())
    table = prepared.table
    unit = choose_unit(table, patients, config.evaluation.decision_unit).unit
    return Folds(
        class_names=list(names),
        files=list(files),
        sha256=list(prepared.hashes),
        labels=labels.tolist(),
        patients_known=patients is not None,
        units=together,
        left_out=reasons,
        twins=len(twins),
        folds=folds,
        headers=[(case.breast, case.view) for case in table.cases()],
        dataset=prepared.folder.description,
        modalities=[case.modality for case in table.cases()],
        decision_unit=unit,
        unit_names=[] if unit is None else known_units(unit_names(table, patients, unit)) or [],
    )


def given_folds(
    table: CaseTable, patients: Sequence[str] | None, settings: CrossvalSettings
) -> npt.NDArray[np.int64] | None:
    """Return the fold of each image, from 1, that its data set gives; None where it gives none.

    Raises ConfigInvalid where the settings are for other folds, or where those given part a patient.
    """
    given = table.column("fold")
    if given is None or None in given:
        return None
    order = {name: number for number, name in enumerate(sorted(set(given), key=_in_order), 1)}
    faults = []
    if len(order) != settings.folds:
        faults.append(
            describe_mismatch("crossval.folds", Text("expected.given_folds", {"count": len(order)}), settings.folds)
        )
    if settings.repeats != 1:
        faults.append(describe_mismatch("crossval.repeats", Text("expected.given_once"), settings.repeats))
    if patients is not None:
        parted = len(set(zip(patients, given, strict=True))) - len(set(patients))
        if parted:
            faults.append(Text("problem.folds_part_patients", {"count": parted}))
    if faults:
        raise ConfigInvalid(faults)
    return np.array([order[name] for name in given], dtype=np.int64)


def _in_order(fold: str | None) -> tuple[float, str]:
    return (number_in(fold or "") or 0.0, fold or "")


def parts_of_fold(dealt: Folds, config: Config, repeat: int, fold: int) -> npt.NDArray[np.str_]:
    """Return for each image (N,) of a run whether it is held out, validates or trains, or is left out."""
    folds = np.array(dealt.folds[repeat - 1])
    rest = np.flatnonzero((folds > 0) & (folds != fold))
    groups = _groups(config.crossval.grouped, dealt.units, rest)
    seed = _seed_of_fold(config, repeat, fold)
    _, chosen = split_apart(np.array(dealt.labels)[rest], groups, config.data.val_split, seed, dealt.class_names)
    parts = np.full(len(folds), "train", dtype="<U8")
    parts[rest[chosen]] = "val"
    parts[folds == fold] = HELD_OUT
    parts[folds == 0] = "left_out"
    return parts


def split_of_fold(dealt: Folds, config: Config, repeat: int, fold: int) -> SplitFile:
    """Return the split of one run: its fold held out, a part of the others for validation, the rest for training."""
    seed = _seed_of_fold(config, repeat, fold)
    found = parts_of_fold(dealt, config, repeat, fold)
    whole = config.crossval.grouped and dealt.units is not None
    frames = by_file(dealt.files) is not None
    description = Text(
        "split.fold",
        {
            "fold": fold,
            "folds": config.crossval.folds,
            "repeat": repeat,
            "repeats": config.crossval.repeats,
            "unit": split_unit(dealt.patients_known, True, config.data.on_leak, frames)
            if whole
            else Text("split.images_dealt"),
            "held_out": int((found == HELD_OUT).sum()),
            "share": config.data.val_split,
            "seed": seed,
        },
    )
    reasons = [
        dealt.left_out.get(file) or (HELD_OUT if part == HELD_OUT else None)
        for file, part in zip(dealt.files, found, strict=True)
    ]
    parts = ["left_out" if reason else str(part) for reason, part in zip(reasons, found, strict=True)]
    cases = split_cases("train", _table(dealt).with_columns(part=parts, reason=reasons))
    return SplitFile(
        description=description,
        seed=seed,
        on_leak="group" if config.data.on_leak == "auto" else config.data.on_leak,
        class_names=dealt.class_names,
        groups=dealt.twins,
        dataset=dealt.dataset,
        cases=cases,
    )


def _table(dealt: Folds) -> CaseTable:
    """Return the images of a cross-validation with what is known of each."""
    headers = dealt.headers or [(None, None)] * len(dealt.files)
    table = CaseTable(Path(), tuple(dealt.files), np.array(dealt.labels, dtype=np.int64), tuple(dealt.class_names))
    return table.with_columns(
        sha256=dealt.sha256,
        breast=[breast for breast, _ in headers],
        view=[view for _, view in headers],
        modality=dealt.modalities or None,
    )


def split_of_search(split: SplitFile, dealt: Folds, config: Config) -> SplitFile:
    """Return the split of the trials of a fold's search: of the images the fold learns from, which no other joins.

    Neither those held out nor those that choose the fold's epoch, threshold and calibration stand in it.
    """
    learnt = np.array([number for number, case in enumerate(split.cases) if case.part == "train"], dtype=np.int64)
    labels = np.array(dealt.labels)[learnt]
    seed = split.seed + 500
    groups = _groups(config.crossval.grouped, dealt.units, learnt)
    _, chosen = split_apart(labels, groups, config.data.val_split, seed, dealt.class_names)
    validating = set(learnt[chosen].tolist())
    cases = [
        split.cases[number].model_copy(update={"part": "val" if number in validating else "train"})
        for number in learnt.tolist()
    ]
    description = Text("split.search", {"count": len(cases), "share": config.data.val_split, "seed": seed})
    return split.model_copy(update={"description": description, "seed": seed, "cases": cases})


def _groups(grouped: bool, together: Sequence[str] | None, among: npt.NDArray[np.int64]) -> list[str] | None:
    return [together[number] for number in among] if grouped and together is not None else None


def _seed(config: Config, repeat: int) -> int:
    return config.system.seed + 1000 * (repeat - 1)


def _seed_of_fold(config: Config, repeat: int, fold: int) -> int:
    return _seed(config, repeat) + 500 + fold


def _path(workspace: Workspace, study_id: str) -> Path:
    return study_file(workspace, study_id).with_name("folds.json")
