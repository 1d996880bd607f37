"""The cases of a run: which images train, which validate, and how they were told apart."""

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from breastai.data.cases.data_split import split
from breastai.data.cases.split_groups import count_reasons, exclusions, shared_with, split_groups
from breastai.data.patients.patient_ids import patients_in
from breastai.data.patients.patient_rules import doubts
from breastai.data.preprocessing.image_cache import Prepared, prepare
from breastai.data.sources.class_folders import ImageFolder, Skipped, pool_folders, scan
from breastai.data.sources.class_questions import check_classes, open_questions
from breastai.data.sources.frames import by_file, file_of, with_frames
from breastai.data.sources.layout import missing_folder, resolved_config
from breastai.domain.catalog import ARCHITECTURES, check_image_size
from breastai.domain.config import Config
from breastai.domain.data_locations import is_remote
from breastai.domain.decision_rule import target_class
from breastai.domain.errors import (
    ClassesDiffer,
    ConfigInvalid,
    DataNotFound,
    InputError,
    NumClassesMismatch,
    SamePatient,
    SplitInvalid,
    TooFewPatients,
)
from breastai.domain.records import SplitCase, SplitFile, TwinGroup
from breastai.storage.checkpoints import SplitRecord
from breastai.storage.remote_mirror import as_written, local_place
from breastai.storage.split_records import read_split

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ImageSet:
    """Some of the prepared images: one part of a split."""

    prepared: Prepared
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def image(self, position: int) -> np.ndarray:
        """Return the image at `position` of this set, preprocessed: uint8 (S, S, 3)."""
        return self.prepared.image(int(self.indices[position]))

    def subset(self, positions: np.ndarray) -> "ImageSet":
        """Return the images at `positions` of this set, in that order."""
        return ImageSet(self.prepared, self.indices[positions])

    @property
    def image_size(self) -> int:
        """The side of the images, in pixels."""
        return self.prepared.image_size

    @property
    def labels(self) -> np.ndarray:
        """Class numbers, int64 (N,)."""
        labels: np.ndarray = self.prepared.folder.labels[self.indices]
        return labels

    @property
    def files(self) -> list[str]:
        """Names relative to the set's folder, forward slashes."""
        return [self.prepared.folder.files[index] for index in self.indices]

    @property
    def hashes(self) -> list[str]:
        return [self.prepared.hashes[index] for index in self.indices]

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class."""
        numbers = Counter(self.labels.tolist())
        return {name: numbers[number] for number, name in enumerate(self.prepared.folder.class_names)}


@dataclass(frozen=True)
class Folders:
    """The image folders of a run, listed but not read. `val` is None when a part of train is set aside.

    `test` is there for the audit alone: training never reads it.
    """

    train: ImageFolder
    val: ImageFolder | None
    test: ImageFolder | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.train.class_names

    def by_split(self) -> dict[str, ImageFolder]:
        """Return the folders there are, by the name of their split."""
        named = {"train": self.train, "val": self.val, "test": self.test}
        return {name: folder for name, folder in named.items() if folder is not None}


@dataclass(frozen=True)
class Cases:
    """All a training needs to know of its images.

    `val_units`: for each validation image a name that the images of its patient and its twins share, when known.
    `patients_by_part`: how many patients train and val hold, when known.
    `train_patients`, `val_patients`: the patient of each image, when known.
    `shared_patients`, `shared_groups`: how many patients, or groups of near-duplicates, train and are in val or test too.
    """

    train: ImageSet
    val: ImageSet
    class_names: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    masks: int
    patients: int | None
    split_description: str
    cache_note: str | None
    split_file: SplitFile
    val_units: list[str] | None = None
    patients_by_part: dict[str, int] | None = None
    train_patients: list[str] | None = None
    val_patients: list[str] | None = None
    shared_patients: Mapping[str, int] = field(default_factory=dict)
    shared_groups: Mapping[str, int] = field(default_factory=dict)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that headers of the training images name."""
        named = {case.modality for case in self.split_file.cases if case.part == "train"}
        return tuple(sorted(name for name in named if name is not None))

    @property
    def left_out(self) -> dict[str, int]:
        """Training images left out, by reason."""
        return count_reasons({case.file: case.reason for case in self.split_file.cases if case.reason is not None})


def list_folders(config: Config, base: Path, known: Collection[str] = ()) -> Folders:
    """Return the folders `config` names, relative to `base`; raise what `scan` raises, and NumClassesMismatch.

    A split's folder may go by another of its names, validation/ for val/. `known`: images of a run that began before,
    which are no masks whatever they look like. Fast: no image is read, but for what may be a mask, so that a wrong folder
    is told at once. A test folder that can't be used is None.
    """
    config = resolved_config(config, base)
    known = known or _named_by_split(config, base)
    frames, masks = config.preprocessing.frames, config.data.masks
    train_known, val_known, test_known = (_without_part(known, part) for part in ("train", "val", "test"))
    train_root = local_place(base, config.data.train_dir)
    if not train_root.is_dir() and not is_remote(config.data.train_dir):
        raise missing_folder(train_root)
    train = with_frames(scan(train_root, masks_are=masks, known=train_known), frames)
    wished = config.model.num_classes
    if wished is not None and wished != len(train.class_names):
        raise NumClassesMismatch(wished, len(train.class_names), list(train.class_names))
    val = _scan_optional(config.data.val_dir, base, train.class_names, config, val_known)
    if val is not None and config.data.pool_val:
        train, val = pool_folders({"train": train, "val": val}), None
    if config.data.split_only:
        train, val = _named_in_split(config, base, train, val)
    test = None
    with contextlib.suppress(InputError):  # whoever evaluates on it is told
        test = _scan_optional(config.data.test_dir, base, train.class_names, config, test_known)
    return Folders(train, val, test)


def usable_folders(config: Config, base: Path) -> Folders:
    """Return the folders as `list_folders` does; raise also ImageTooSmall and what `check_classes` does.

    What would keep a run from beginning, of all that can be told by looking at few images.
    """
    check_image_size(ARCHITECTURES[config.model.architecture], config.data.image_size)
    folders = list_folders(config, base)
    check_classes(config, folders.train)
    check_patients(config, folders, base)
    return folders


def check_patients(config: Config, folders: Folders, base: Path) -> None:
    """Raise SamePatient where the rule gives all training images one patient, of whom none could be set aside."""
    rule = config.evaluation.patient_id
    if rule is None or folders.val is not None:
        return
    for doubt in doubts([folders.train], rule, base):
        if doubt.code == "patients.all_one":
            raise SamePatient(len(folders.train), doubt.setting or "-")


def known_folders(config: Config, base: Path, split: SplitRecord, saved: SplitFile | None = None) -> Folders:
    """Return the folders of a run that began before: what it took as images and as classes stays so."""
    left_out = () if saved is None else (case.file for case in saved.cases)
    return list_folders(config, base, {*split.train, *split.val, *left_out})


def with_answers(config: Config, base: Path) -> Config:
    """Return the configuration of what began before it was asked about its classes, with the answers it went by then."""
    # The classes are those of train: what never opens test images does not list them for this either.
    untested = config.model_copy(update={"data": config.data.model_copy(update={"test_dir": None})})
    folder = list_folders(untested, base).train
    if next(open_questions(config, folder), None) is None:
        return config
    target = target_class(config, folder.class_names)
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"accept_classes": True}),
            "evaluation": config.evaluation.model_copy(update={"target_class": target}),
        }
    )


def _named_by_split(config: Config, base: Path) -> set[str]:
    """Return the images that data.split_file names; none where it can't be read, which is told where it is needed."""
    name = config.data.split_file
    with contextlib.suppress(InputError):
        return set() if name is None else {case.file for case in read_split(base / Path(name).expanduser(), name).cases}
    return set()


def _without_part(files: Collection[str], part: str) -> frozenset[str]:
    """Return the files of some names, which of pooled folders begin with a part, relative to a part's folder."""
    return frozenset(file_of(file) for name in files for file in (name, name.removeprefix(f"{part}/")))


def _named_in_split(
    config: Config, base: Path, train: ImageFolder, val: ImageFolder | None
) -> tuple[ImageFolder, ImageFolder | None]:
    """Return the folders with the images that data.split_file names and no other."""
    name = config.data.split_file
    if name is None:
        raise ConfigInvalid(["data.split_only: expected a data.split_file, which names the images"])
    named = {(case.folder, case.file) for case in read_split(base / Path(name).expanduser(), name).cases}

    def only(part: str, folder: ImageFolder) -> ImageFolder:
        return folder.subset([number for number, file in enumerate(folder.files) if (part, file) in named])

    return only("train", train), None if val is None else only("val", val)


def gather_cases(
    config: Config,
    folders: Folders,
    base: Path,
    on_progress: Progress | None = None,
    twins: Sequence[TwinGroup] = (),
    saved: SplitFile | None = None,
) -> Cases:
    """Read and preprocess every image, and split them; what can't be read is left out and listed.

    `twins`: what the audit found; data.on_leak says what is done about them. `saved`: a split to use as it is; raises
    SplitInvalid when it is not of these images.
    """
    train = preprocess_folder(folders.train, config, on_progress)
    val = None if folders.val is None else preprocess_folder(folders.val, config, None)
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
    shared_patients, shared_groups = shared_with(
        {("train", train.folder.files[number]) for number in learnt},
        {("val" if val else "train", file) for file in val_set.files},
        twins,
        None if patients is None else {patients[number] for number in learnt},
        {**elsewhere, "val": set(val_patients or ())},
    )
    return Cases(
        train=ImageSet(train, learnt),
        val=val_set,
        class_names=train.folder.class_names,
        skipped=(*train.skipped, *(val.skipped if val else ())),
        masks=len(folders.train.masks) + (len(folders.val.masks) if folders.val else 0),
        patients=len(set(patients)) if patients else None,
        split_description=saved.description,
        cache_note=train.cache_note or (val.cache_note if val else None),
        split_file=saved,
        val_units=split_groups(val_set.files, val_patients, twins, "val" if val else "train"),
        patients_by_part=None
        if patients is None or val_patients is None
        else {
            "train": len({patients[number] for number in np.flatnonzero(parts == "train")}),
            "val": len(set(val_patients)),
        },
        train_patients=None if patients is None else [patients[number] for number in learnt],
        val_patients=val_patients,
        shared_patients=shared_patients,
        shared_groups=shared_groups,
    )


def patients_elsewhere(config: Config, folders: Folders, base: Path) -> dict[str, set[str]]:
    """Return the patients of the given val and test folders, by split; of none where no rule names them."""
    given = {"val": folders.val, "test": folders.test}
    rule = config.evaluation.patient_id
    return {split: set(patients_in(folder, rule, base) or ()) for split, folder in given.items() if folder is not None}


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
        description = f"{config.data.val_split:.0%} set aside for validation by {_unit(patients, together, on_leak, frames)}, seed {seed}"
    else:
        description = "validation images from their own folder"
    if on_leak == "continue" and twins:
        description += f"; {len(twins)} groups of twins were found and nothing was done about them"
    by_patient = sum(reason.startswith("patient_in_") for reason in reasons.values())
    if len(reasons) > by_patient:
        description += f"; {len(reasons) - by_patient} training images left out because of twins"
    if by_patient:
        description += f"; {by_patient} training images left out because their patients validate or test"
    cases = [
        SplitCase(
            folder="train",
            file=file,
            sha256=train.hashes[number],
            part="left_out" if file in reasons else "val" if number in held_out else "train",
            reason=reasons.get(file),
            laterality=header.laterality,
            view=header.view,
            modality=header.modality,
        )
        for number, (file, header) in enumerate(zip(train.folder.files, train.folder.headers(), strict=True))
    ]
    if val is not None:
        cases += [
            SplitCase(
                folder="val",
                file=file,
                sha256=digest,
                part="val",
                laterality=header.laterality,
                view=header.view,
                modality=header.modality,
            )
            for file, digest, header in zip(val.folder.files, val.hashes, val.folder.headers(), strict=True)
        ]
    return SplitFile(
        description=description, seed=seed, on_leak=on_leak, class_names=list(names), groups=len(twins), cases=cases
    )


def _unit(patients: list[str] | None, together: list[str] | None, on_leak: str, frames: bool) -> str:
    if patients is not None:
        return "whole patients" if on_leak == "continue" else "whole patients and groups of duplicates"
    if together is not None:
        if frames:
            return "whole files and groups of duplicates, which stand in for unknown patients"
        return "groups of duplicates, which stand in for unknown patients"
    return "single images (patients unknown)"


def check_split(saved: SplitFile, train: Prepared, val: Prepared | None, name: str) -> None:
    """Raise SplitInvalid unless a split speaks of exactly these images."""
    there = {("train", file): digest for file, digest in zip(train.folder.files, train.hashes, strict=True)}
    if val is not None:
        there |= {("val", file): digest for file, digest in zip(val.folder.files, val.hashes, strict=True)}
    named = {(case.folder, case.file): case.sha256 for case in saved.cases}
    gone = sum(there.get(place) != digest for place, digest in named.items())
    new = len(there.keys() - named.keys())
    if gone or new:
        raise SplitInvalid(name, f"{gone} of its images are missing or changed, {new} are new")
    if saved.class_names != list(train.folder.class_names):
        raise SplitInvalid(name, f"it has the classes {', '.join(saved.class_names)}")


def labelled_images(
    folder: Path, class_names: Sequence[str], config: Config, on_progress: Progress | None = None
) -> tuple[ImageSet, tuple[Skipped, ...]]:
    """Return the images of a class folder for evaluation, their classes numbered as `class_names`."""
    listed = with_frames(scan(folder, class_names, config.data.masks), config.preprocessing.frames)
    prepared = preprocess_folder(listed, config, on_progress)
    return ImageSet(prepared, np.arange(len(prepared))), prepared.skipped


def validation_images(config: Config, split: SplitRecord, base: Path) -> tuple[ImageSet, tuple[Skipped, ...]]:
    """Return the images that a run of `config` validated on, where they still lie as they were; raise DataNotFound."""
    folders = known_folders(config, base, split)
    prepared = preprocess_folder(folders.val or folders.train, config, None)
    wanted = set(zip(split.val, split.val_sha256, strict=True))
    there = list(zip(prepared.folder.files, prepared.hashes, strict=True))
    indices = np.flatnonzero([image in wanted for image in there])
    if not len(indices):
        raise DataNotFound(str(prepared.folder.root))
    gone = sorted(name for name, _ in wanted - set(there))
    return ImageSet(prepared, indices), tuple(Skipped(name, "there is no such file") for name in gone)


def preprocess_folder(folder: ImageFolder, config: Config, on_progress: Progress | None) -> Prepared:
    """Return the images of a folder as `config` prepares them."""
    return prepare(
        folder,
        config.preprocessing,
        config.data.image_size,
        workers=config.data.num_workers,
        limit_gb=config.system.cache_gb,
        on_progress=on_progress,
    )


def _scan_optional(
    name: str | None, base: Path, class_names: Sequence[str], config: Config, known: Collection[str]
) -> ImageFolder | None:
    path = local_place(base, name) if name else None
    if path is None or not path.is_dir():
        return None
    return with_frames(scan(path, class_names, config.data.masks, known), config.preprocessing.frames)


def _check_complete(val: ImageFolder, class_names: Sequence[str]) -> None:
    present = [name for number, name in enumerate(val.class_names) if np.any(val.labels == number)]
    if len(present) != len(class_names):
        raise ClassesDiffer(as_written(val.root), present, list(class_names))
