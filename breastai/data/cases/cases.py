"""The cases of a run: which images train, which validate, and how they were told apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from breastai.data.cases.calibration_part import calibration_part
from breastai.data.cases.data_split import split
from breastai.data.cases.image_set import ImageSet, preprocess_folder
from breastai.data.cases.part_units import PartUnits, gather_units
from breastai.data.cases.run_folders import Folders, patients_elsewhere
from breastai.data.cases.split_groups import count_reasons, exclusions, shared_with, split_groups
from breastai.data.patients.patient_ids import patients_in
from breastai.data.preprocessing.image_cache import Prepared, Progress
from breastai.data.preprocessing.inventory import Inventory
from breastai.data.sources.case_table import CaseTable, Skipped
from breastai.data.sources.frames import by_file
from breastai.domain.config import Config
from breastai.domain.errors import (
    ClassesDiffer,
    SplitInvalid,
    TooFewPatients,
)
from breastai.domain.records import SplitCase, SplitFile, TwinGroup
from breastai.domain.text import Text
from breastai.storage.remote_mirror import as_written


@dataclass(frozen=True)
class Cases:
    """All a training needs to know of its images.

    `val_units`: for each validation image a name that the images of its patient and its twins share, when known;
    `train_units` for each training image.
    `calibration`: images kept for the decision rule alone, None where validation images serve it; `calibration_units` as
    `val_units`. `patients_by_part`: how many patients train and val hold, when known.
    `train_patients`, `val_patients`: the patient of each image, when known.
    `units`: of which breast, exam or patient each image is, where decisions are of these and not of images.
    `shared_patients`, `shared_groups`: how many patients, or groups of near-duplicates, train and are in val or test too.
    """

    train: ImageSet
    val: ImageSet
    class_names: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    masks: int
    patients: int | None
    split_description: Text | str
    cache_note: Text | None
    split_file: SplitFile
    val_units: list[str] | None = None
    train_units: list[str] | None = None
    patients_by_part: dict[str, int] | None = None
    train_patients: list[str] | None = None
    val_patients: list[str] | None = None
    shared_patients: Mapping[str, int] = field(default_factory=dict)
    shared_groups: Mapping[str, int] = field(default_factory=dict)
    calibration: ImageSet | None = None
    calibration_units: list[str] | None = None
    calibration_patients: list[str] | None = None
    units: PartUnits | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that headers of the training images name."""
        named = {case.modality for case in self.split_file.cases if case.part == "train"}
        return tuple(sorted(name for name in named if name is not None))

    @property
    def left_out(self) -> dict[str, int]:
        """Training images left out, by reason."""
        return count_reasons({case.file: case.reason for case in self.split_file.cases if case.reason is not None})


def gather_cases(
    config: Config,
    folders: Folders,
    base: Path,
    on_progress: Progress | None = None,
    twins: Sequence[TwinGroup] = (),
    saved: SplitFile | None = None,
    inventory: Inventory | None = None,
) -> Cases:
    """Read and preprocess every image, and split them; what can't be read is left out and listed.

    `twins`: what the audit found; data.on_leak says what is done about them. `saved`: a split to use as it is; raises
    SplitInvalid when it is not of these images. `inventory`: what the audit's reading of these folders found.
    """
    train = preprocess_folder(folders.train, config, on_progress, inventory)
    val = None if folders.val is None else preprocess_folder(folders.val, config, None, inventory)
    if val is not None:
        _check_complete(val.folder, train.folder.class_names)
    patients = patients_in(train.folder, config.evaluation.patient_id, base)
    elsewhere = patients_elsewhere(config, folders, base)
    if saved is None:
        saved = _split(config, train, val, patients, twins, elsewhere)
    check_split(saved, train, val, config.data.split_file or "split.json")
    part_of = {(case.folder, case.file): case.part for case in saved.cases}
    parts = np.array([part_of["train", file] for file in train.folder.files])
    judging = val or train
    held_out = np.arange(len(judging)) if val is not None else np.flatnonzero(parts == "val")
    val_set = ImageSet(judging, held_out)
    val_patients = patients_in(judging.folder.subset(held_out), config.evaluation.patient_id, base)
    learnt = np.flatnonzero(parts == "train")
    apart = np.flatnonzero(parts == "calibration")
    calibration = ImageSet(train, apart) if len(apart) else None
    calibration_patients = None if patients is None else [patients[number] for number in apart]
    shared_patients, shared_groups = shared_with(
        {("train", train.folder.files[number]) for number in learnt},
        {("val" if val else "train", file) for file in val_set.files},
        twins,
        None if patients is None else {patients[number] for number in learnt},
        {**elsewhere, "val": set(val_patients or ())},
    )
    train_set = ImageSet(train, learnt)
    train_patients = None if patients is None else [patients[number] for number in learnt]
    return Cases(
        train=train_set,
        val=val_set,
        class_names=train.folder.class_names,
        skipped=(*train.skipped, *(val.skipped if val else ())),
        masks=len(folders.train.masks) + (len(folders.val.masks) if folders.val else 0),
        patients=len(set(patients)) if patients else None,
        split_description=saved.description,
        cache_note=train.cache_note or (val.cache_note if val else None),
        split_file=saved,
        val_units=split_groups(val_set.files, val_patients, twins, "val" if val else "train"),
        train_units=split_groups(train_set.files, train_patients, twins, "train"),
        patients_by_part=None
        if patients is None or val_patients is None
        else {
            "train": len({patients[number] for number in learnt}),
            "val": len(set(val_patients)),
            **({"calibration": len(set(calibration_patients or ()))} if calibration else {}),
        },
        train_patients=train_patients,
        val_patients=val_patients,
        shared_patients=shared_patients,
        shared_groups=shared_groups,
        calibration=calibration,
        calibration_units=None
        if calibration is None
        else split_groups(calibration.files, calibration_patients, twins, "train"),
        calibration_patients=calibration_patients,
        units=gather_units(
            train,
            patients,
            val_set,
            val_patients,
            {"train": learnt.tolist(), "calibration": apart.tolist()},
            config.evaluation,
        ),
    )


def _split(
    config: Config,
    train: Prepared,
    val: Prepared | None,
    patients: list[str] | None,
    twins: Sequence[TwinGroup],
    elsewhere: Mapping[str, set[str]],
) -> SplitFile:
    """Return where each image goes."""
    on_leak = "group" if config.data.on_leak == "auto" else config.data.on_leak
    seed, names = config.system.seed, train.folder.class_names
    reasons = exclusions(train.folder.files, twins, on_leak, patients, elsewhere)
    kept = [number for number, file in enumerate(train.folder.files) if file not in reasons]
    together = split_groups(train.folder.files, patients, () if on_leak == "continue" else twins, "train")
    labels = train.folder.labels[kept]
    for number, name in enumerate(names):
        if not np.any(labels == number):
            raise TooFewPatients(name, 0, 1, "images without a twin or their patient elsewhere")
    held_out: set[int] = set()
    if val is None:
        groups = None if together is None else [together[number] for number in kept]
        frames = by_file(train.folder.files) is not None
        held_out = {kept[place] for place in split(labels, groups, config.data.val_split, seed, names)[1]}
        unit = split_unit(patients is not None, together is not None, on_leak, frames)
        description = Text("split.set_aside", {"share": config.data.val_split, "unit": unit, "seed": seed})
    else:
        description = Text("split.given" if train.folder.description is not None else "split.own_folder")
    rest = [number for number in kept if number not in held_out]
    among = None if together is None else [together[number] for number in rest]
    apart = {rest[place] for place in calibration_part(train.folder.labels[rest], among, config, names)}
    if apart:
        description = _joined(description, "split.calibration", len(apart))
    if on_leak == "continue" and twins:
        description = _joined(description, "split.twins_stay", len(twins))
    by_patient = sum(reason.startswith("patient_in_") for reason in reasons.values())
    if len(reasons) > by_patient:
        description = _joined(description, "split.left_twins", len(reasons) - by_patient)
    if by_patient:
        description = _joined(description, "split.left_patients", by_patient)
    table = train.table.with_columns(
        part=[
            "left_out"
            if file in reasons
            else "val"
            if number in held_out
            else "calibration"
            if number in apart
            else "train"
            for number, file in enumerate(train.folder.files)
        ],
        reason=[reasons.get(file) for file in train.folder.files],
    )
    cases = split_cases("train", table)
    if val is not None:
        cases += split_cases("val", val.table.with_columns(part=["val"] * len(val)))
    return SplitFile(
        description=description,
        seed=seed,
        on_leak="group" if on_leak == "ask" else on_leak,  # nothing was found that had to be asked
        class_names=list(names),
        groups=len(twins),
        dataset=train.folder.description,
        cases=cases,
    )


def split_cases(folder: Literal["train", "val"], table: CaseTable) -> list[SplitCase]:
    """Return the cases of a table as a split keeps them: with its columns part and sha256, and what else of it is known."""
    return [
        SplitCase.model_validate(
            {
                "folder": folder,
                "file": case.file,
                "label": case.label,
                "sha256": case.sha256,
                "part": case.part,
                "reason": case.reason,
                "laterality": case.breast,
                "view": case.view,
                "modality": case.modality,
            }
        )
        for case in table.cases()
    ]


def split_unit(patients_known: bool, kept_together: bool, on_leak: str, frames: bool) -> Text:
    """Return by what images were dealt; `frames`: whether some are of one file. Duplicates stand in for unknown patients."""
    if patients_known:
        return Text("split.patients" if on_leak == "continue" else "split.patients_and_duplicates")
    if kept_together:
        if frames:
            return Text("split.files_and_duplicates")
        return Text("split.duplicates")
    return Text("split.images")


def _joined(description: Text, code: str, count: int) -> Text:
    return Text("split.joined", {"first": description, "second": Text(code, {"count": count})})


def _is_same(case: SplitCase, found: tuple[str, str] | None) -> bool:
    """Return whether a case of a saved split still has its content and its label; `found`: hash and label today."""
    return found is not None and case.sha256 == found[0] and case.label in (None, found[1])


def check_split(saved: SplitFile, train: Prepared, val: Prepared | None, name: str) -> None:
    """Raise SplitInvalid unless a split speaks of exactly these images."""
    there: dict[tuple[str, str], tuple[str, str]] = {}
    for part, prepared in (("train", train), ("val", val)):
        for number, digest in enumerate(prepared.hashes if prepared is not None else ()):
            assert prepared is not None
            there[part, prepared.folder.files[number]] = digest, prepared.folder.label(number)
    gone = sum(not _is_same(case, there.get((case.folder, case.file))) for case in saved.cases)
    new = len(there.keys() - {(case.folder, case.file) for case in saved.cases})
    if gone or new:
        raise SplitInvalid(name, Text("reason.images_missing_or_changed", {"gone": gone, "new": new}))
    if saved.class_names != list(train.folder.class_names):
        raise SplitInvalid(name, Text("reason.has_classes", {"class_names": saved.class_names}))


def _check_complete(val: CaseTable, class_names: Sequence[str]) -> None:
    present = [name for number, name in enumerate(val.class_names) if np.any(val.labels == number)]
    if len(present) != len(class_names):
        raise ClassesDiffer(as_written(val.root), present, list(class_names))
