"""Descriptions of data sets in a workspace: datasets/NAME.json, listed, read, written whole, deleted."""

import json
from pathlib import Path

from breastai.domain.dataset_description import DatasetDescription, load_description
from breastai.domain.errors import ConfigNotWritable, DatasetNotFound, NameInvalid
from breastai.storage.workspace import Workspace, atomic_write, safe_name


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
