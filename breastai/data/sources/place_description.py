"""What lies at a place, as a description: a folder, a table, an .npz file, or a description that is kept."""

from pathlib import Path

from breastai.data.sources.array_cases import describe_arrays, is_array_file
from breastai.data.sources.labels_table import dataset_name, describe_table, is_labels_table
from breastai.domain.case_fields import FolderRule
from breastai.domain.dataset_description import DatasetDescription, load_description
from breastai.domain.errors import DataNotFound, DatasetInvalid
from breastai.domain.text import Text
from breastai.storage.datasets import ENDING, base_of
from breastai.storage.remote_mirror import root_place

CLASS_FOLDERS = "class_folders"


def is_description(place: Path) -> bool:
    return place.suffix.lower() == ENDING and place.is_file()


def is_case_list(place: Path) -> bool:
    """Return whether a place is a file that lists cases or holds them, rather than a folder."""
    return is_labels_table(place) or is_description(place) or is_array_file(place)


def is_described(place: Path) -> bool:
    """Return whether cases at a place are read by a description: a list of cases, or a folder of a layout that is known."""
    return is_case_list(place) or (place.is_dir() and describe_place(place).layout != CLASS_FOLDERS)


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
        return describe_table(place)
    if is_array_file(place):
        return describe_arrays(place)
    if not place.is_dir():
        raise DataNotFound(place.as_posix())
    return DatasetDescription(
        name=dataset_name(place.name),
        layout=CLASS_FOLDERS,
        root=place.absolute().as_posix(),
        fields={"label": FolderRule(folder=1)},
    )


def images_root(place: Path) -> Path:
    """Return the folder that names of cases are relative to: `place`, or the root of what describes its cases."""
    return root_place(base_of(place), describe_place(place).root) if is_described(place) else place
