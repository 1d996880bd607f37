"""The configuration of a run asked for in Python or on the command line: what wins over what."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from breastai.data.sources.labels_table import is_labels_table
from breastai.data.sources.layout import folder_of_split, missing_folder
from breastai.domain.config import Config, assignment, overlay, parse_config, preset, read_config_file
from breastai.domain.data_locations import is_remote
from breastai.domain.errors import ConfigInvalid, DataNotFound
from breastai.domain.text import Text
from breastai.domain.v3_settings import data_folders, nest_settings
from breastai.storage.workspace import Workspace


def training_config(
    workspace: Workspace,
    *,
    file: Path | None = None,
    data: str | None = None,
    preset_name: str | None = None,
    assignments: Sequence[str] = (),
    epochs: int | None = None,
) -> Config:
    """Return the configuration; weakest first: defaults, `file` or config.json, preset, `data`, assignments, epochs.

    `data` is the folder that holds train/ or a labels table, relative to the current folder, or an address. Raises ConfigInvalid and ConfigUnreadable.
    """
    layers: list[Mapping[str, Any]] = []
    if preset_name is not None:
        layers.append(preset(preset_name))
    if data is not None:
        place = data if is_remote(data) else workspace.relative(Path(data).expanduser().resolve())
        table = not is_remote(data) and is_labels_table(Path(data).expanduser())
        layers.append(
            {"data": {"train_dir": place, "val_dir": None, "test_dir": None}} if table else data_folders(place)
        )
    layers += [nest_settings(assignment(text)) for text in assignments]
    if epochs is not None:
        layers.append({"training": {"epochs": epochs}})
    return parse_config(overlay(file_values(workspace, file), *layers))


def require_images(workspace: Workspace, train_dir: str) -> None:
    """Raise DataNotFound or NoClassFolders for a folder that is not there; what is at an address, the job finds out."""
    if not is_remote(train_dir) and folder_of_split(workspace.resolve(train_dir)) is None:
        missing = missing_folder(workspace.resolve(train_dir))
        raise DataNotFound(train_dir) if isinstance(missing, DataNotFound) else missing


def image_place(data: str) -> str:
    """Return what a user wrote as a job has it: an absolute path, or an address; raise DataNotFound, ConfigInvalid."""
    if is_remote(data):
        return parse_config({"data": {"test_dir": data}}).data.test_dir or data
    folder = Path(data).expanduser().resolve()
    if not folder.is_dir() and not is_labels_table(folder):
        raise DataNotFound(data)
    return str(folder)


def workspace_config(workspace: Workspace) -> Config:
    """Return the workspace's configuration: config.json over the defaults."""
    return parse_config(file_values(workspace))


def file_values(workspace: Workspace, file: Path | None = None) -> dict[str, Any]:
    """Return the partial configuration in `file`, or else in the workspace's config.json; its faults name the file."""
    if file is None:
        if not workspace.config_file.exists():
            return {}
        file = workspace.config_file
    try:
        values = nest_settings(read_config_file(file))
        parse_config(values)
    except ConfigInvalid as error:
        raise ConfigInvalid(
            [Text("problem.of_file", {"file": file.name, "problem": problem}) for problem in error.problems]
        ) from None
    return values
