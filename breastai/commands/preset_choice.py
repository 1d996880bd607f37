"""Which preset a training takes where nobody names one and there is no config.json, and the line that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breastai.commands.effective_config import asked_settings, training_config
from breastai.data.cases.run_folders import list_folders
from breastai.data.sources.layout import resolved_config
from breastai.domain.catalog import PRESETS, proposed_preset
from breastai.domain.config import Config
from breastai.domain.data_locations import is_remote
from breastai.domain.errors import InputError
from breastai.domain.events import Event, Log
from breastai.domain.text import Text
from breastai.storage.workspace import Workspace


@dataclass(frozen=True)
class PresetChoice:
    """A preset that nobody named. `images`: how many there are; None at an address, or where they can't be read."""

    name: str
    images: int | None

    def line(self) -> Log:
        """Return the first line of the command."""
        params: dict[str, str | int] = {
            "preset": self.name,
            "others": "|".join(name for name in PRESETS if name != self.name),
        }
        code = "log.preset_chosen_uncounted"
        if self.images is not None:
            code, params["images"] = "log.preset_chosen", self.images
        return Log.of("info", Text(code, params))


def chosen_config(
    workspace: Workspace,
    *,
    file: Path | None = None,
    data: str | None = None,
    preset: str | None = None,
    assignments: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    probes: bool = True,
) -> tuple[Config, list[Event]]:
    """Return the configuration, as `training_config` does, and what tells of a preset that was chosen for it, if any.

    `probes`: whether the command can do with a probe.
    """
    choice = None
    if preset is None and file is None:
        choice = choose_preset(workspace, data, assignments, settings, epochs, probes)
    found = training_config(
        workspace,
        file=file,
        data=data,
        preset_name=preset if choice is None else choice.name,
        assignments=assignments,
        settings=settings,
        epochs=epochs,
    )
    return found, [] if choice is None else [choice.line()]


def choose_preset(
    workspace: Workspace,
    data: str | None,
    assignments: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    probes: bool = True,
) -> PresetChoice | None:
    """Return the preset that suits images and wishes, None where the workspace's config.json says what is wanted.

    Never the defaults: fifty epochs of a network whose weights must be fetched. `probes`: whether the command can do with
    a probe. Raises ConfigInvalid for a wish that is no section.key=value.
    """
    if workspace.config_file.exists():
        return None
    asked = asked_settings(assignments, settings, epochs)
    probe_asked = asked.get("training", {}).get("recipe") == "probe"
    images = _images(workspace, data, asked, "probe" if probe_asked else None)
    if probe_asked:
        return PresetChoice("probe", images)
    # What is asked of a network that learns, a probe would not honour.
    learns = {"model", "training"} & asked.keys() or asked.get("crossval", {}).get("tune") or _is_split(asked)
    if learns or images is None or not probes:
        return PresetChoice("quick", images)
    return PresetChoice(proposed_preset(images), images)


def _is_split(asked: Mapping[str, Any]) -> bool:
    """Return whether several processes are to train the run together."""
    return bool(asked.get("system", {}).get("processes", 1) != 1)


def _images(workspace: Workspace, data: str | None, asked: Mapping[str, Any], name: str | None) -> int | None:
    """Return how many images there are in all parts; what is wrong with them or the wishes is told when they are used."""
    try:
        config = training_config(workspace, data=data, preset_name=name, settings=asked)
        if is_remote(config.data.train_dir):
            return None
        folders = list_folders(resolved_config(config, workspace.root), workspace.root)
    except InputError:
        return None
    return sum(map(len, folders.by_split().values()))
