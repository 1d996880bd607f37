"""The configuration of a run asked for in Python or on the command line: what wins over what."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from breastai.data.sources.layout import folder_of_split, missing_folder
from breastai.data.sources.place_description import is_case_list, is_described
from breastai.domain.config import Config, assignment, nest, overlay, parse_config, preset, read_config_file
from breastai.domain.data_locations import CASE_LIST_ENDINGS, is_remote
from breastai.domain.errors import ConfigInvalid, DataNotFound, PathNotFound
from breastai.domain.text import Text
from breastai.domain.v3_settings import data_folders, described_layer, nest_settings
from breastai.storage.datasets import dataset_layer
from breastai.storage.remote_mirror import dataset_place
from breastai.storage.workspace import Workspace


def training_config(
    workspace: Workspace,
    *,
    file: Path | None = None,
    data: str | None = None,
    preset_name: str | None = None,
    assignments: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
) -> Config:
    """Return the configuration; weakest first: defaults, `file` or config.json, preset, `data`, assignments, `settings`,
    epochs.

    `data` is the name of a data set of the workspace; or the folder that holds train/, one of a layout that is known, or a
    list of cases, relative to the current folder; or an address. Raises ConfigInvalid and ConfigUnreadable.
    """
    layers: list[Mapping[str, Any]] = []
    if preset_name is not None:
        layers.append(preset(preset_name))
    if data is not None:
        layers.append(_data_layer(workspace, data))
    layers.append(asked_settings(assignments, settings, epochs))
    return parse_config(overlay(file_values(workspace, file), *layers))


def asked_settings(
    assignments: Sequence[str] = (), settings: Mapping[str, Any] | None = None, epochs: int | None = None
) -> dict[str, Any]:
    """Return the partial configuration of single settings, the strongest last; raise ConfigInvalid."""
    layers = [nest_settings(assignment(text)) for text in assignments]
    layers += [nest_settings(overlay({}, *(nest(name, value) for name, value in (settings or {}).items())))]
    if epochs is not None:
        layers.append({"training": {"epochs": epochs}})
    return overlay({}, *layers)


def _data_layer(workspace: Workspace, data: str) -> Mapping[str, Any]:
    """Return the settings for the images that a user names: a data set, a folder, a table, or an address."""
    if is_remote(data):
        return data_folders(data)
    if (layer := dataset_layer(workspace, data)) is not None:
        return layer
    path = Path(data).expanduser().resolve()
    place = workspace.relative(path)
    return described_layer(place) if is_described(path) else data_folders(place)


def require_images(workspace: Workspace, train_dir: str) -> None:
    """Raise DataNotFound or NoClassFolders for a folder that is not there; what is at an address, the job finds out."""
    if not is_remote(train_dir) and folder_of_split(workspace.resolve(train_dir)) is None:
        missing = missing_folder(workspace.resolve(train_dir))
        raise DataNotFound(train_dir) if isinstance(missing, DataNotFound) else missing


def image_place(data: str, workspace: Workspace) -> str:
    """Return what a user wrote as a job has it: a data set's name, an absolute path, or an address.

    Raises DataNotFound, PathNotFound and ConfigInvalid.
    """
    if dataset_place(workspace.root, data) is not None:
        return data
    if is_remote(data):
        return parse_config({"data": {"test_dir": data}}).data.test_dir or data
    folder = Path(data).expanduser().resolve()
    if not folder.is_dir() and not is_case_list(folder):
        raise PathNotFound(data) if folder.suffix.lower() in CASE_LIST_ENDINGS else DataNotFound(data)
    return str(folder)


def with_datasets(places: Sequence[str], workspace: Workspace) -> list[str]:
    """Return what a user wrote for images, the name of a data set as the path of its description."""
    return [str(dataset_place(workspace.root, place) or place) for place in places]


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
