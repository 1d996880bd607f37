"""Options that several commands have."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

try:
    from typer import TyperException
except ImportError:  # older releases stand on Click and raise what it raises
    from click import ClickException as TyperException  # type: ignore[no-redef,assignment,import-not-found,unused-ignore]

__all__ = [
    "CURRENT_FOLDER",
    "ClusterOption",
    "JsonOption",
    "SplitOption",
    "TyperException",
    "WorkspaceOption",
    "cluster_assignments",
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
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Ray cluster to run on, side by side: local, auto, ray://HOST:PORT, HOST:PORT; none: here.",
    ),
]


def cluster_assignments(cluster: str | None) -> list[str]:
    """Return what --cluster says as --set would."""
    return [] if cluster is None else [f"system.cluster={'null' if cluster == 'none' else json.dumps(cluster)}"]
