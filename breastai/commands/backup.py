"""`backup`: a copy of what a workspace can't get back."""

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import opened


def register(app: typer.Typer) -> None:
    app.command()(backup)


def backup(workspace: WorkspaceOption = CURRENT_FOLDER, as_json: JsonOption = False) -> int:
    """Keep a copy of configuration, manifests, logs and best weights; never images."""
    from breastai.storage.backup import create_backup
    from breastai.storage.workspace import Workspace

    with opened(as_json) as output:
        output.event(create_backup(Workspace.open(workspace)))
    return 0
