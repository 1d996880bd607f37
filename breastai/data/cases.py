"""The cases of a run: which images train, which validate, and how they were told apart."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from breastai.data.cache import Prepared, prepare
from breastai.data.image_folder import ImageFolder, Skipped, scan
from breastai.data.patients import patient_ids
from breastai.data.splits import split
from breastai.domain.config import Config
from breastai.domain.errors import ClassesDiffer, NumClassesMismatch

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
    """The image folders of a run, listed but not read. `val` is None when a part of train is set aside."""

    train: ImageFolder
    val: ImageFolder | None

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.train.class_names


@dataclass(frozen=True)
class Cases:
    """All a training needs to know of its images."""

    train: ImageSet
    val: ImageSet
    class_names: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    masks: int
    patients: int | None
    split_description: str
    cache_note: str | None


def list_folders(config: Config, base: Path) -> Folders:
    """Return the folders `config` names, relative to `base`; raise what `scan` raises, and NumClassesMismatch.

    Fast: no image is read, so that a wrong folder is told at once.
    """
    train = scan(base / Path(config.data.train_dir).expanduser())
    wished = config.model.num_classes
    if wished is not None and wished != len(train.class_names):
        raise NumClassesMismatch(wished, len(train.class_names), list(train.class_names))
    return Folders(train, _scan_optional(config.data.val_dir, base, train.class_names))


def gather_cases(config: Config, folders: Folders, base: Path, on_progress: Progress | None = None) -> Cases:
    """Read and preprocess every image, and split them; what can't be read is left out and listed."""
    train = _prepare(folders.train, config, on_progress)
    if folders.val is not None:
        val = _prepare(folders.val, config, None)
        _check_complete(val.folder, train.folder.class_names)
        patients = _count_patients(train, config, base)
        return Cases(
            train=ImageSet(train, np.arange(len(train))),
            val=ImageSet(val, np.arange(len(val))),
            class_names=train.folder.class_names,
            skipped=(*train.skipped, *val.skipped),
            masks=len(folders.train.masks) + len(folders.val.masks),
            patients=patients,
            split_description="validation images from their own folder",
            cache_note=train.cache_note or val.cache_note,
        )
    groups = patient_ids(train.folder.files, config.evaluation.patient_id, base)
    rest, held_out = split(
        train.folder.labels, groups, config.data.val_split, config.system.seed, train.folder.class_names
    )
    unit = "whole patients" if groups else "single images (patients unknown)"
    return Cases(
        train=ImageSet(train, rest),
        val=ImageSet(train, held_out),
        class_names=train.folder.class_names,
        skipped=train.skipped,
        masks=len(folders.train.masks),
        patients=len(set(groups)) if groups else None,
        split_description=f"{config.data.val_split:.0%} set aside for validation by {unit}, seed {config.system.seed}",
        cache_note=train.cache_note,
    )


def labelled_images(
    folder: Path, class_names: Sequence[str], config: Config, on_progress: Progress | None = None
) -> tuple[ImageSet, tuple[Skipped, ...]]:
    """Return the images of a class folder for evaluation, their classes numbered as `class_names`."""
    listed = scan(folder, expected_classes=class_names)
    prepared = _prepare(listed, config, on_progress)
    return ImageSet(prepared, np.arange(len(prepared))), prepared.skipped


def _prepare(folder: ImageFolder, config: Config, on_progress: Progress | None) -> Prepared:
    return prepare(
        folder, config.preprocessing, config.data.image_size, workers=config.data.num_workers, on_progress=on_progress
    )


def _scan_optional(name: str | None, base: Path, class_names: Sequence[str]) -> ImageFolder | None:
    path = base / Path(name).expanduser() if name else None
    return scan(path, expected_classes=class_names) if path is not None and path.is_dir() else None


def _check_complete(val: ImageFolder, class_names: Sequence[str]) -> None:
    present = [name for number, name in enumerate(val.class_names) if np.any(val.labels == number)]
    if len(present) != len(class_names):
        raise ClassesDiffer(str(val.root), present, list(class_names))


def _count_patients(train: Prepared, config: Config, base: Path) -> int | None:
    groups = patient_ids(train.folder.files, config.evaluation.patient_id, base)
    return len(set(groups)) if groups else None
