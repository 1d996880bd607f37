"""Sets of prepared images: a part of a split, the labelled images of an evaluation, those a run validated on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from breastai.data.cases.run_folders import known_folders
from breastai.data.preprocessing.cache_store import entry_key
from breastai.data.preprocessing.image_cache import Prepared, Progress, prepare
from breastai.data.preprocessing.inventory import Inventory
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.case_table import CaseTable, Skipped
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.class_match import ClassMap, ClassMatch, match_classes, plain_match
from breastai.domain.config import Config
from breastai.domain.errors import ClassesDiffer, DataNotFound, NoImages, PartNotFound
from breastai.domain.text import Text
from breastai.storage.checkpoints import SplitRecord
from breastai.storage.remote_mirror import as_written


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
    def class_of_each(self) -> list[str]:
        """The name of the class of each image."""
        return [self.prepared.folder.label(int(index)) for index in self.indices]

    @property
    def files(self) -> list[str]:
        """Names relative to the set's folder, forward slashes."""
        return [self.prepared.folder.files[index] for index in self.indices]

    @property
    def hashes(self) -> list[str]:
        return [self.prepared.hashes[index] for index in self.indices]

    @property
    def entry_keys(self) -> list[str]:
        """A hash of each image's content, and of its lesion's box where that decides about its pixels."""
        prepared = self.prepared
        return [entry_key(prepared.hashes[index], prepared.boxes[index]) for index in self.indices]

    @property
    def preprocessing_key(self) -> str:
        """A name for everything besides the content that decides about the pixels."""
        return self.prepared.preprocessing_key

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class."""
        numbers = Counter(self.labels.tolist())
        return {name: numbers[number] for number, name in enumerate(self.prepared.folder.class_names)}


def labelled_images(
    folder: Path,
    class_names: Sequence[str],
    config: Config,
    on_progress: Progress | None = None,
    class_map: ClassMap | None = None,
    part: str | None = None,
) -> tuple[ImageSet, tuple[Skipped, ...], ClassMatch]:
    """Return the images at a place for evaluation, of the parts that it gives itself those of `part`, their classes numbered as `class_names`, those of a model.

    Classes that are not the model's are matched with them by their names or by `class_map`, and the images numbered by
    the classes judged; raise ClassesUnmatched and ClassMapInvalid.
    """
    listed, match = matched_cases(folder, class_names, config, class_map, part)
    prepared = preprocess_folder(listed, config, on_progress)
    return ImageSet(prepared, np.arange(len(prepared))), prepared.skipped, match


def matched_cases(
    folder: Path,
    class_names: Sequence[str],
    config: Config,
    class_map: ClassMap | None = None,
    part: str | None = None,
) -> tuple[CaseTable, ClassMatch]:
    """Return the cases at a place in the classes that a model and they have in common, and which these are."""

    def read(expected: Sequence[str]) -> CaseTable:
        listed = read_cases(folder, expected, config.data.masks, frames=config.preprocessing.frames)
        return part_of(listed, part, folder)

    if not class_map:
        try:
            plain = read(class_names)
        except ClassesDiffer:
            pass
        else:
            return plain, plain_match(class_names, plain.counts())
    listed = read(())
    place = as_written(folder)
    counts = {name: count for name, count in listed.counts().items() if count}
    match = match_classes(place, counts, class_names, class_map)
    kept = [index for index, label in enumerate(listed.labels) if listed.class_names[label] in match.stands_for]
    if not kept:
        raise NoImages(place, list(IMAGE_SUFFIXES))
    chosen = listed.subset(kept)
    numbers = {name: match.class_names.index(judged) for name, judged in match.stands_for.items()}
    labels = np.array([numbers[chosen.label(index)] for index in range(len(chosen))], dtype=np.int64)
    return replace(chosen, labels=labels, class_names=tuple(match.class_names)), match


def part_of(table: CaseTable, part: str | None, place: Path) -> CaseTable:
    """Return the cases of a part that a table read at `place` gives; all without `part`, and of plain folders.

    Raises PartNotFound of a part that a described place does not give.
    """
    given = table.by_part()
    if part is None or (not given and table.description is None):
        return table
    if part not in given:
        raise PartNotFound(as_written(place), part, sorted(given))
    return replace(given[part], skipped=table.skipped, masks=table.masks, mask_reasons=table.mask_reasons)


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
    return ImageSet(prepared, indices), tuple(Skipped(name, Text("reason.no_such_file")) for name in gone)


def preprocess_folder(
    folder: CaseTable, config: Config, on_progress: Progress | None, inventory: Inventory | None = None
) -> Prepared:
    """Return the images of a folder as `config` prepares them; those an inventory knows are not read again."""
    return prepare(
        folder,
        config.preprocessing,
        config.data.image_size,
        workers=config.data.num_workers,
        limit_gb=config.system.cache_gb,
        on_progress=on_progress,
        inventory=inventory,
    )
