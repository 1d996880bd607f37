"""Descriptions of data sets in a workspace: datasets/NAME.json, listed, read, written whole, deleted."""

import json
from pathlib import Path
from typing import Any

from breastai.domain.data_locations import is_remote
from breastai.domain.dataset_description import DatasetDescription, load_description
from breastai.domain.errors import BreastAIError, ConfigNotWritable, DatasetNotFound, NameInvalid
from breastai.domain.v3_settings import described_layer
from breastai.storage.remote_mirror import DATASETS, dataset_place, root_place
from breastai.storage.workspace import Workspace, atomic_write, safe_name

ENDING = ".json"


def base_of(place: Path) -> Path:
    """Return what the root of a description is relative to: the workspace, of datasets/NAME.json, else its folder."""
    return place.parent.parent if place.parent.name == DATASETS else place.parent


def root_described(place: Path) -> str | None:
    """Return the root, absolute or an address, of the description that a file is; None of what is none."""
    if place.suffix.lower() != ENDING or not place.is_file():
        return None
    try:
        root = load_description(place.read_bytes(), place.stem).root
    except (OSError, BreastAIError):  # whoever reads it says what is wrong
        return None
    return root if is_remote(root) else str(root_place(base_of(place), root).absolute())


def dataset_layer(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """Return the partial configuration for the data set NAME, whose description gives the parts; None of no such name."""
    return None if dataset_place(workspace.root, name) is None else described_layer(name)


def dataset_file(workspace: Workspace, name: str) -> Path:
    """Return where the description NAME is kept; raise NameInvalid."""
    return workspace.datasets_dir / f"{safe_name(name)}.json"


def dataset_names(workspace: Workspace) -> list[str]:
    """Return the names of the descriptions there are, in order; links out of the workspace are none."""
    return sorted(
        path.stem
        for path in workspace.datasets_dir.glob("*.json")
        if path.is_file() and path.resolve().is_relative_to(workspace.root)
    )


def is_dataset(workspace: Workspace, name: str) -> bool:
    """Return whether a description of this name is kept."""
    try:
        return safe_name(name) in dataset_names(workspace)
    except NameInvalid:
        return False


def find_holding_dataset(workspace: Workspace, folder: Path, first: str = "") -> tuple[str, str] | None:
    """Return the data set below whose root a folder lies, and its place below: "" or ending in a slash; None of none.

    Of several `first`, where it is among them, else the first by name.
    """
    folder = folder.resolve()
    for name in sorted(dataset_names(workspace), key=lambda each: each != first):
        try:
            description = read_dataset(workspace, name)
        except BreastAIError:
            continue
        root = root_place(base_of(dataset_file(workspace, name)), description.root).resolve()
        if folder.is_relative_to(root):
            below = folder.relative_to(root).as_posix()
            return name, "" if below == "." else f"{below}/"
    return None


def read_dataset(workspace: Workspace, name: str) -> DatasetDescription:
    """Return the description NAME; raise DatasetNotFound, DatasetInvalid and FormatTooNew."""
    if not is_dataset(workspace, name):
        raise DatasetNotFound(name[:100], dataset_names(workspace) or ["-"])
    return load_description(dataset_file(workspace, name).read_bytes(), name)


def save_dataset(workspace: Workspace, description: DatasetDescription) -> Path:
    """Write a description under its name, over one that is there; raise NameInvalid, ConfigNotWritable and DiskFull."""
    path = dataset_file(workspace, description.name)
    values = {"format": description.format, **description.model_dump(mode="json", exclude_defaults=True)}
    try:
        atomic_write(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise ConfigNotWritable(workspace.relative(path), error.strerror or str(error)) from None
    return path


def delete_dataset(workspace: Workspace, name: str) -> None:
    """Delete the description NAME, not its images; raise DatasetNotFound."""
    if not is_dataset(workspace, name):
        raise DatasetNotFound(name[:100], dataset_names(workspace) or ["-"])
    dataset_file(workspace, name).unlink(missing_ok=True)
