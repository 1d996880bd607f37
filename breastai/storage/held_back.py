"""Settings held back: what a configuration that came in a backup asks for beyond the workspace, where the owner's stays.

An address to fetch from or to tell of, a folder elsewhere, a cluster that runs code, a switch that acts unasked: such a
setting is its owner's to make, not a file's that somebody sent.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from breastai.domain.config import Config, overlay, read_config_file
from breastai.domain.data_locations import is_remote, without_secrets
from breastai.domain.errors import BreastAIError
from breastai.domain.events import HeldBack
from breastai.domain.v3_settings import FLAT_NAMES, nest_settings
from breastai.storage.workspace import Workspace

_DEFAULTS = Config().model_dump(mode="json")
# The owner's, whatever their value; a section stands for all in it.
_OWNERS = (
    "server",
    "tracking.mlflow",
    "system.cluster",
    "system.processes",
    "system.download_weights",
    "storage.resume_interrupted",
)
# The owner's where the file asks for a place outside the workspace, or the owner has one there: those of a set together.
_PLACES = (
    ("data.train_dir", "data.val_dir", "data.test_dir"),
    ("data.split_file",),
    ("model.weights_file",),
    ("evaluation.patient_id",),
)
_LONGEST = 300
_ABSENT = object()


def own_settings(file: Path) -> dict[str, Any]:
    """Return what a configuration of the owner's says; nothing where there is none, or none can be read."""
    try:
        return _sections(read_config_file(file))
    except BreastAIError:
        return {}


def hold_back(
    content: bytes, own: Mapping[str, Any], workspace: Workspace, file: str
) -> tuple[bytes | None, list[HeldBack]]:
    """Return the text of a configuration that came as `file`, with the owner's settings kept, and which others it asked for.

    The text is None where it is no configuration: the owner's then stays as it is.
    """
    try:
        values = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return None, [HeldBack(file=file, setting="", asked="", kept="")]
    asked = changed = _sections(values)
    found = []
    beyond = [
        setting
        for places in _PLACES
        if any(_lies_outside(_at(values, place), workspace) for place in places for values in (asked, own))
        for setting in places
    ]
    for setting in (*_OWNERS, *beyond):
        wanted, present = _at(asked, setting), _at(own, setting)
        if _meant(setting, wanted) == _meant(setting, present):
            continue
        changed = _with(changed, setting, present)
        if wanted is not _ABSENT:
            found.append(HeldBack(file=file, setting=setting, asked=_shown(wanted), kept=_shown(present)))
    return (content if changed == values else _text(changed)), found


def hold_back_dataset(
    content: bytes, own: Path, workspace: Workspace, file: str
) -> tuple[bytes | None, list[HeldBack]]:
    """Return the text of a description of a data set that came as `file`, None where its images would lie beyond the workspace.

    Unless they do in the owner's of that name, `own`, at the same place.
    """
    asked, present = _root(content), _root(own.read_bytes() if own.is_file() else b"")
    if asked == present or not _lies_outside(asked, workspace):
        return content, []
    return None, [HeldBack(file=file, setting="root", asked=_shown(asked), kept=_shown(present))]


def _root(description: bytes) -> Any:
    try:
        return _at(json.loads(description.decode("utf-8-sig")), "root")
    except (ValueError, RecursionError):
        return _ABSENT


def _sections(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration by sections; names of version 3 that can't be placed in them are left out."""
    try:
        return nest_settings(values)
    except (BreastAIError, ValueError, TypeError, AttributeError):
        return {key: value for key, value in values.items() if key not in FLAT_NAMES and key != "data_path"}


def _meant(setting: str, value: Any) -> Any:
    """Return what a value comes to, defaults filled in."""
    default = _at(_DEFAULTS, setting)
    if isinstance(default, Mapping):
        return overlay(default, value) if isinstance(value, Mapping) else default if value is _ABSENT else value
    return default if value is _ABSENT else value


def _lies_outside(place: Any, workspace: Workspace) -> bool:
    if isinstance(place, Mapping):  # the table of patients, not the pattern of their names
        place = place.get("csv")
    if place is None or place is _ABSENT:
        return False
    if not isinstance(place, str) or is_remote(place):
        return True
    try:
        return not workspace.resolve(place).is_relative_to(workspace.root)
    except (OSError, ValueError, RuntimeError):
        return True


def _at(values: Any, setting: str) -> Any:
    for part in setting.split("."):
        values = values.get(part, _ABSENT) if isinstance(values, Mapping) else _ABSENT
    return values


def _with(values: Mapping[str, Any], setting: str, value: Any) -> dict[str, Any]:
    """Return the values with one setting changed; _ABSENT takes it out."""
    first, _, rest = setting.partition(".")
    inner = values.get(first)
    if rest:
        value = _with(inner if isinstance(inner, Mapping) else {}, rest, value)
    changed = {key: each for key, each in values.items() if key != first}
    return changed if value is _ABSENT else changed | {first: value}


def _text(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def _shown(value: Any) -> str:
    return "" if value is _ABSENT else without_secrets(json.dumps(value, ensure_ascii=False))[:_LONGEST]
