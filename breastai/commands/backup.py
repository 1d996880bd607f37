"""`backup`: a copy of what a workspace can't get back."""

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import opened


def register(app: typer.Typer) -> None:
    app.command()(backup)


def backup(workspace: WorkspaceOption = CURRENT_FOLDER, as_json: JsonOption = False) -> int:
    """Keep a copy of configuration, manifests, logs and best weights; never images."""
    from breastai.domain.events import BackupCreated
    from breastai.storage.backup import create_backup
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    with opened(as_json) as output:
        output.work_in(place.root)
        made = create_backup(place)
        size_mb = round(made.size_bytes / 1e6, 3)
        output.event(BackupCreated(path=place.relative(made.path), size_mb=size_mb, files=len(made.files)))
    return 0
