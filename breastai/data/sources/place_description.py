"""What lies at a place, as a description: a folder, a table, an .npz file, or a description that is kept."""

import os
from functools import lru_cache
from pathlib import Path

from breastai.data.sources.array_cases import describe_arrays, is_array_file
from breastai.data.sources.labels_table import dataset_name, describe_table, is_labels_table
from breastai.data.sources.recognition.recogniser import Reading
from breastai.data.sources.recognition.recogniser_table import is_plain, recognise
from breastai.domain.case_fields import FolderRule
from breastai.domain.dataset_description import DatasetDescription, load_description
from breastai.domain.errors import DataNotFound, DatasetInvalid, LabelsInvalid
from breastai.domain.text import Text
from breastai.storage.datasets import ENDING, base_of
from breastai.storage.remote_mirror import root_place

CLASS_FOLDERS = "class_folders"
# Doubts that a run asks about by itself: whose the images are, and which class is the disease.
ASKED_BY_A_RUN = frozenset({"doubt.patients_unknown", "doubt.classes_say_nothing", "doubt.classes_are_numbers"})
_GLANCED_AT = 1_000


def is_description(place: Path) -> bool:
    return place.suffix.lower() == ENDING and place.is_file()


def is_case_list(place: Path) -> bool:
    """Return whether a place is a file that lists cases or holds them, rather than a folder."""
    return is_labels_table(place) or is_description(place) or is_array_file(place)


def is_described(place: Path) -> bool:
    """Return whether cases at a place are read by a description: a list of cases, or a folder of a layout that is known."""
    return is_case_list(place) or (place.is_dir() and _recognised(place) is not None)


def describe_place(place: Path) -> DatasetDescription:
    """Return what lies at a place as a description, whose root is absolute unless it is a description that is kept.

    A folder that nothing else recognises is one of class folders. Raises DataNotFound, LabelsInvalid, DatasetInvalid.
    """
    if is_description(place):
        try:
            return load_description(place.read_bytes(), place.stem)
        except OSError as error:
            raise DatasetInvalid(place.stem, [Text("fault.other", {"message": error.strerror or str(error)})]) from None
    if is_labels_table(place):
        return _recognised(place) or _describe_table(place)
    if is_array_file(place):
        return _recognised(place) or describe_arrays(place)
    if not place.is_dir():
        raise DataNotFound(place.as_posix())
    return _recognised(place) or DatasetDescription(
        name=dataset_name(place.name),
        layout=CLASS_FOLDERS,
        root=place.absolute().as_posix(),
        fields={"label": FolderRule(folder=1)},
    )


def _describe_table(place: Path) -> DatasetDescription:
    """Return the description of a table by the names of its columns, or else by what stands in them."""
    try:
        return describe_table(place)
    except LabelsInvalid:
        guessed = recognise(place).reading
        if guessed is None or guessed.description is None:
            raise
        return guessed.description


def doubts_of_place(place: Path) -> tuple[Text, ...]:
    """Return what is doubtful of how a place is read; nothing of a description that is kept, and of plain class folders."""
    if is_description(place) or not place.exists():
        return ()
    reading = _reading(place.absolute(), _signature(place))
    return () if reading is None else reading.doubts


def _recognised(place: Path) -> DatasetDescription | None:
    """Return how what lies at a place is read, None of class folders and plain tables, and where nothing is recognised."""
    reading = _reading(place.absolute(), _signature(place))
    return None if reading is None else reading.description


@lru_cache(maxsize=200)  # asked several times in a job
def _reading(place: Path, signature: tuple[tuple[str, int], ...]) -> Reading | None:
    reading = recognise(place).reading
    if reading is None or reading.description is None or is_plain(reading.description, place):
        return None
    return reading


def _signature(place: Path) -> tuple[tuple[str, int], ...]:
    """Return what changes when what lies at a place does, as far as a glance shows."""
    try:
        folders = [entry.path for entry in os.scandir(place) if entry.is_dir()][:_GLANCED_AT] if place.is_dir() else []
        seen = [*folders, str(place), *(entry.path for entry in os.scandir(place if place.is_dir() else place.parent))]
        return tuple((path, Path(path).stat().st_mtime_ns) for path in seen[:_GLANCED_AT])
    except OSError:
        return ()


def images_root(place: Path) -> Path:
    """Return the folder that names of cases are relative to: `place`, or the root of what describes its cases."""
    return root_place(base_of(place), describe_place(place).root) if is_described(place) else place
