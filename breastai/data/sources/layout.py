"""The layout of a data set on disk: which folder or list of cases is meant by the split of a data set."""

from pathlib import Path

from breastai.data.sources.class_folders import no_class_folders
from breastai.data.sources.part_folders import data_root, holds_images, split_folders, subfolders
from breastai.data.sources.place_description import describe_place, is_case_list, is_described
from breastai.domain.class_words import split_of
from breastai.domain.config import Config
from breastai.domain.data_locations import is_remote
from breastai.domain.errors import DataNotFound, InputError
from breastai.domain.v3_settings import described_layer, whole_of
from breastai.storage.remote_mirror import as_written, dataset_place
from breastai.storage.workspace import Workspace


def folder_of_split(place: Path) -> Path | None:
    """Return the folder meant by X/train, X/val or X/test, or None where there is none.

    That is the folder or the list of cases itself, one beside it whose name means the same split, the same in the only folder of X; or, for
    train, X itself, where it holds no folder of any split.
    """
    if place.exists() or not place.parent.is_dir():
        return place if place.is_dir() or is_case_list(place) else None
    split = split_of(place.name)
    if split is None:
        return None
    root = place.parent if split_folders(place.parent) else data_root(place.parent)
    found = split_folders(root)
    if found:
        return found.get(split)
    return root if split == "train" and any(map(holds_images, subfolders(root))) else None


def missing_folder(place: Path) -> InputError:
    """Return the error for a folder that is not there: what lies where it would be, when that is a split's folder."""
    if split_of(place.name) is not None and place.parent.is_dir():
        return no_class_folders(place.parent)
    return DataNotFound(as_written(place))


def resolved_config(config: Config, base: Path) -> Config:
    """Return a configuration with the image folders that are there, where those it names go by another name.

    And with the class in question, and the order of the classes, that the description of its data set names. X/train, X/val and X/test are X itself,
    where that is of a layout that is known and gives the parts.
    """
    workspace = Workspace(base)
    config = _whole_place(config, workspace)
    changes: dict[str, str] = {}
    for field in ("train_dir", "val_dir", "test_dir"):
        name = getattr(config.data, field)
        if name is None or is_remote(name):
            continue
        place = workspace.resolve(name)
        found = folder_of_split(place)
        if found is not None and found != place:
            changes[field] = workspace.relative(found)
    if changes:
        config = config.model_copy(update={"data": config.data.model_copy(update=changes)})
    return _as_described(config, workspace)


def _whole_place(config: Config, workspace: Workspace) -> Config:
    """Return a configuration of X, where it names the three folders below X that a description of X reads otherwise."""
    data = config.data
    whole = whole_of((data.train_dir, data.val_dir, data.test_dir))
    if whole is None or is_remote(whole) or not is_described(workspace.root / Path(whole).expanduser()):
        return config
    named = f"./{whole}" if dataset_place(workspace.root, whole) else whole  # no data set that is called so
    return config.model_copy(update={"data": data.model_copy(update=described_layer(named)["data"])})


def _as_described(config: Config, workspace: Workspace) -> Config:
    """Return a configuration with what the description of its data set says where it says nothing itself.

    That is the class in question, and with a scale of classes their order and the loss that fits it.
    """
    place = workspace.resolve(config.data.train_dir)
    if not is_described(place):
        return config
    description, asked = describe_place(place), config.evaluation
    evaluation: dict[str, object] = {}
    if asked.target_class is None and description.target_class is not None:
        evaluation["target_class"] = description.target_class
    if asked.ordered_classes is None and description.is_scale:
        evaluation["ordered_classes"] = list(description.class_names)
    changes: dict[str, object] = {"evaluation": asked.model_copy(update=evaluation)} if evaluation else {}
    if "ordered_classes" in evaluation and config.training.loss == "auto":
        changes["training"] = config.training.model_copy(update={"loss": "ordinal"})
    return config.model_copy(update=changes) if changes else config
