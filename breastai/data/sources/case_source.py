"""Sources of cases: ways in which images and their labels are given, one row each, and the reading of any of them.

Adding a source is a module with its row, and the row in SOURCES.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from breastai.data.sources.array_cases import read_arrays
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.class_folders import MaskRule, class_of_file, scan
from breastai.data.sources.described_cases import read_described
from breastai.data.sources.frames import Frames, with_frames
from breastai.data.sources.image_listing import FilesSeen
from breastai.data.sources.place_description import describe_place, is_described
from breastai.domain.data_locations import is_remote
from breastai.domain.dataset_description import DatasetDescription
from breastai.storage.datasets import base_of
from breastai.storage.remote_mirror import DATASETS, root_place


@dataclass(frozen=True)
class CaseSource:
    """One way to give cases.

    `recognise(place)`: whether what lies there is given so. `read(place, expected_classes, masks_are, known)`: its cases,
    as `read_cases` returns them. `label_of(place, file)`: the class of one image, without reading them all.
    """

    name: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path, Sequence[str] | None, MaskRule, Collection[str]], CaseTable]
    label_of: Callable[[Path, str], str]


CLASS_FOLDERS = CaseSource("class_folders", recognise=lambda place: True, read=scan, label_of=class_of_file)


def _read_described(
    place: Path, expected_classes: Sequence[str] | None, masks_are: MaskRule, known: Collection[str]
) -> CaseTable:
    description, base = describe_place(place), base_of(place)
    if place.parent.name != DATASETS and not is_remote(description.root):
        # What a run keeps of it is read relative to the workspace.
        description = description.model_copy(update={"root": root_place(base, description.root).absolute().as_posix()})
    return read_description(description, base, expected_classes, masks_are, known)


def _label_by_description(place: Path, file: str) -> str:
    table = _read_described(place, None, "keep", (file,))
    return table.label(table.files.index(file)) if file in table.files else ""


DESCRIPTION = CaseSource("description", recognise=is_described, read=_read_described, label_of=_label_by_description)

# The first that recognises a place reads it. The last takes what no other does, and says what it would have expected.
SOURCES: tuple[CaseSource, ...] = (DESCRIPTION, CLASS_FOLDERS)


def source_of(place: Path) -> CaseSource:
    """Return the row of the source that lies at `place`."""
    return next(row for row in SOURCES if row.recognise(place))


def read_cases(
    place: Path,
    expected_classes: Sequence[str] | None = None,
    masks_are: MaskRule = "leave_out",
    known: Collection[str] = (),
    frames: Frames = "middle",
) -> CaseTable:
    """Return the cases given at `place`, the same in the same order on every system.

    `expected_classes`, those of a model or of the training images, must be the classes found; labels then follow their
    order. An empty list takes whatever classes there are, even one alone. `known`: files that are no masks in any case. Raises DataNotFound, and what its source finds wrong.
    """
    return with_frames(source_of(place).read(place, expected_classes, masks_are, known), frames)


def label_of(place: Path, file: str) -> str:
    """Return the class of one image of those given at `place`, by its name."""
    return source_of(place).label_of(place, file)


def read_description(
    description: DatasetDescription,
    base: Path,
    expected_classes: Sequence[str] | None = None,
    masks_are: MaskRule = "leave_out",
    known: Collection[str] = (),
    frames: Frames = "middle",
    on_progress: FilesSeen | None = None,
) -> CaseTable:
    """Return the cases of a description, its root relative to `base`, as `read_cases` does those of a place.

    `on_progress` is told how many files were seen below its root, now and then.
    """
    if description.arrays:
        table = read_arrays(description, base, expected_classes, masks_are, known)
    else:
        table = read_described(description, base, expected_classes, masks_are, known, on_progress)
    return with_frames(table, frames)
