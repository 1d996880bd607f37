"""The jobs of the light worker: what a page asks in passing of the images. No torch, one answer each."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from breastai.data.cases.data_overview import describe
from breastai.data.cases.inspection import inspect_described, inspect_steps
from breastai.data.decoders.array_images import array_file
from breastai.data.decoders.bit_depth import BitDepth
from breastai.data.decoders.decoder_table import header_of, read_image
from breastai.data.decoders.file_content import file_at
from breastai.data.pixels import Pixels
from breastai.data.preprocessing.augment import augment
from breastai.data.preprocessing.lesion_boxes import Box, case_box, marked_box, wants_box
from breastai.data.preprocessing.preprocess import preprocess
from breastai.data.preprocessing.thumbnails import data_uri
from breastai.data.sources.case_source import label_of, read_cases
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.image_listing import reason_against_file
from breastai.data.sources.layout import resolved_config
from breastai.data.sources.place_description import images_root, is_described
from breastai.domain.catalog import proposed_preset
from breastai.domain.config import Config
from breastai.domain.data_locations import is_remote
from breastai.domain.dataset_inspection import DatasetInspection
from breastai.domain.errors import DataNotFound, ImageUnreadable, StoreNotCopied
from breastai.domain.events import DatasetInspected, Event, ImagePreview, ImagesList, ProgressUpdate
from breastai.domain.jobs import DescribeImages, InspectDataset, ListImages, PreviewImage
from breastai.domain.list_entries import ImageEntry
from breastai.domain.text import Text
from breastai.storage.datasets import is_dataset, read_dataset
from breastai.storage.remote_mirror import copies_of, local_place
from breastai.storage.workspace import Workspace

THUMBNAIL_SIDE = 128
_LARGE_SIDE, _AUGMENTED_SIDE = 560, 224


def describe_images(job: DescribeImages, workspace: Workspace) -> Iterator[Event]:
    """Say what a configuration would train on."""
    _root(job.config, workspace, "train")
    yield describe(job.config, workspace.root)


def inspect_dataset(job: InspectDataset, workspace: Workspace) -> Iterator[Event]:
    """Say what a place, or a data set of the workspace, would be read as; how far that is comes meanwhile."""
    kept = read_dataset(workspace, job.path) if is_dataset(workspace, job.path) else None
    place = workspace.resolve(job.path if kept is None else kept.root)
    steps = (
        inspect_steps(place, job.changes, workspace.root)
        if kept is None
        else iter([inspect_described(job.changes.apply(kept), place, workspace.root)])
    )
    for step in steps:
        if isinstance(step, int):
            yield ProgressUpdate(stage="inspecting", text=Text("progress.files_seen", {"count": step}))
        else:
            pictures = _pictures(step, workspace, job.pictures)
            yield DatasetInspected(inspection=step, pictures=pictures, preset=proposed_preset(step.images))


def _pictures(inspection: DatasetInspection, workspace: Workspace, most: int) -> list[ImageEntry]:
    """Return a few images of each class, as they lie below the root of a description."""
    if inspection.description is None or not most:
        return []
    root = workspace.resolve(inspection.description.root)
    return [_entry(root / file, file, name) for name, files in inspection.samples.items() for file in files[:most]]


def list_images(job: ListImages, workspace: Workspace) -> Iterator[Event]:
    """Give a page of the images of a split, with thumbnails; an image that can't be read has its reason instead."""
    root = _root(job.config, workspace, job.split)
    folder = read_cases(root, masks_are=job.config.data.masks, frames=job.config.preprocessing.frames)
    folder = _part(folder, job.split)
    chosen = [
        number for number in range(len(folder)) if job.class_name is None or folder.label(number) == job.class_name
    ]
    images = [
        _entry(folder.path(number), folder.files[number], folder.label(number))
        for number in chosen[job.first : job.first + job.limit]
    ]
    yield ImagesList(
        split=job.split,
        class_name=job.class_name,
        first=job.first,
        total=len(chosen),
        images=images,
        class_names=list(folder.class_names),
    )


def preview_image(job: PreviewImage, workspace: Workspace) -> Iterator[Event]:
    """Give an image as it is, as the network sees it, and some draws of its augmentation; by default the first one."""
    place = _root(job.config, workspace, job.split)
    file = job.file or _part(read_cases(place, masks_are=job.config.data.masks), job.split).files[0]
    root = images_root(place)
    path = root / file
    whole = file_at(path)
    if not path.resolve().is_relative_to(root.resolve()):
        raise ImageUnreadable(file, Text("reason.no_image_folder"))
    if not whole.is_file():
        raise ImageUnreadable(file, Text("reason.no_such_file"))
    if array_file(path) is None and reason_against_file(whole) is not None:
        raise ImageUnreadable(file, Text("reason.no_image_folder"))
    image = _decoded(str(path), whole.stat().st_mtime_ns, job.config.preprocessing.bit_depth)
    header = header_of(path)
    box = _box_of(place, file, path) if wants_box(job.config.preprocessing) else None
    seen = preprocess(image, job.config.preprocessing, job.config.data.image_size, box)
    drawn = [
        data_uri(augment(seen, job.config.augmentation, np.random.default_rng([job.seed, number])), _AUGMENTED_SIDE)
        for number in range(job.augmented)
    ]
    yield ImagePreview(
        split=job.split,
        file=file,
        class_name=label_of(place, file),
        width=image.shape[1],
        height=image.shape[0],
        grey=image.shape[2] == 1,
        laterality=header.laterality,
        view=header.view,
        image_size=job.config.data.image_size,
        original=data_uri(image, _LARGE_SIDE),
        preprocessed=data_uri(seen, _LARGE_SIDE),
        augmented=drawn,
    )


def _box_of(place: Path, file: str, path: Path) -> Box | None:
    """Return where a lesion is marked in one image of those at a place."""
    table = read_cases(place, (), known=(file,)) if is_described(place) else None
    if table is None or file not in table.files:
        return marked_box(path)
    return case_box(table, table.files.index(file))


def _part(table: CaseTable, split: str) -> CaseTable:
    """Return the cases of a split that the table itself gives; where it gives no parts, all are of the training one."""
    given = table.by_part() or {"train": table}
    return given.get(split, table.subset([]))


def _root(config: Config, workspace: Workspace, split: str) -> Path:
    """Return where the images of a split are listed; those of a described place may be in any part of it."""
    config = resolved_config(config, workspace.root)
    folder = {"train": config.data.train_dir, "val": config.data.val_dir, "test": config.data.test_dir}[split]
    if folder is None or not local_place(workspace.root, folder).exists():
        described = local_place(workspace.root, config.data.train_dir)
        if is_described(described):
            return described
    if folder is None:
        raise DataNotFound(f"data.{split}_dir")
    if is_remote(folder) and not copies_of(folder).is_dir():
        raise StoreNotCopied(folder)
    return local_place(workspace.root, folder)


def _entry(path: Path, file: str, class_name: str) -> ImageEntry:
    try:
        stat = file_at(path).stat()
        picture, width, height = _thumbnail(str(path), stat.st_mtime_ns, stat.st_size)
        header = header_of(path)
    except OSError as error:
        return ImageEntry(file=file, class_name=class_name, problem=error.strerror or str(error))
    except ImageUnreadable as error:
        return ImageEntry(file=file, class_name=class_name, problem=error.reason)
    return ImageEntry(
        file=file,
        class_name=class_name,
        picture=picture,
        width=width,
        height=height,
        laterality=header.laterality,
        view=header.view,
    )


@lru_cache(maxsize=2000)  # some 10 MB
def _thumbnail(path: str, changed_ns: int, size_bytes: int) -> tuple[str, int, int]:
    image = read_image(Path(path))
    return data_uri(image, THUMBNAIL_SIDE), image.shape[1], image.shape[0]


@lru_cache(maxsize=1)  # a slider that moves asks for the same image again and again
def _decoded(path: str, changed_ns: int, bit_depth: BitDepth) -> Pixels:
    return read_image(Path(path), bit_depth)
