"""Options that every command has."""

from pathlib import Path
from typing import Annotated

import typer

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
CURRENT_FOLDER = Path()
