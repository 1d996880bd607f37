"""Options that several commands have."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from breastai.domain.errors import CommandInvalid
from breastai.domain.text import Text

try:
    from typer import TyperException
except ImportError:  # older releases stand on Click and raise what it raises
    from click import ClickException as TyperException  # type: ignore[no-redef,assignment,import-not-found,unused-ignore]

__all__ = [
    "CURRENT_FOLDER",
    "ClusterOption",
    "ConfigOption",
    "EpochsOption",
    "FolderArgument",
    "ImagesOption",
    "JsonOption",
    "PresetOption",
    "SettingsOption",
    "SplitOption",
    "TyperException",
    "WorkspaceOption",
    "cluster_assignments",
    "one_place",
]

WorkspaceOption = Annotated[
    Path,
    typer.Option(
        "--workspace",
        metavar="DIR",
        help="Folder with config.json, checkpoints/, exports/, logs/ and backups/.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write one JSON object per line to stdout, and nothing else there.")
]
SplitOption = Annotated[
    Literal["train", "val", "test"] | None,
    typer.Option("--split", help="Which folder below DIR."),
]
CURRENT_FOLDER = Path()
ImagesOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Images to learn from: a folder with train/ or class folders, a labels table, or a saved name [default: data].",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration to use in place of the workspace's config.json."),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="probe (seconds), quick (minutes on two cores), balanced, or full (defaults); without config.json what suits the images.",
    ),
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as training.learning_rate=0.001; repeatable."),
]
EpochsOption = Annotated[int | None, typer.Option("--epochs", metavar="N", help="Passes over the training images.")]
FolderArgument = Annotated[str | None, typer.Argument(metavar="[DIR]", help="The same as --data DIR.")]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Ray cluster to run on, side by side: local, auto, ray://HOST:PORT, HOST:PORT; none: here.",
    ),
]


def one_place(folder: str | None, data: str | None, command: str) -> str | None:
    """Return where the images are, given as an argument or by --data; raise CommandInvalid where both differ."""
    if folder is not None and data is not None and folder != data:
        raise CommandInvalid(
            Text("command.two_places", {"first": folder, "second": data}), f"breastai {command} --help"
        )
    return data if folder is None else folder


def cluster_assignments(cluster: str | None) -> list[str]:
    """Return what --cluster says as --set would."""
    return [] if cluster is None else [f"system.cluster={'null' if cluster == 'none' else json.dumps(cluster)}"]
