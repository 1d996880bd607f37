"""`backup`: a copy of what a workspace can't get back; which there are, whether one is whole, and putting it back."""

from typing import Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output
from breastai.domain.text import Text


def register(app: typer.Typer) -> None:
    app.command()(backup)


def backup(
    listed: Annotated[bool, typer.Option("--list", help="List the backups there are, newest first.")] = False,
    verify: Annotated[
        str | None,
        typer.Option("--verify", metavar="NAME", help="Prove that every file in a backup is what was put in."),
    ] = None,
    restore: Annotated[
        str | None,
        typer.Option("--restore", metavar="NAME", help="Put a backup back; what is there now is backed up first."),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", metavar="N", min=1, help="Backups of the project to keep [default: storage.backups_kept]."
        ),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Keep a copy of configuration, manifests, logs and best weights, never images; list, verify or restore copies."""
    from breastai.commands.effective_config import workspace_config
    from breastai.domain.errors import CommandInvalid
    from breastai.domain.events import BackupsList
    from breastai.storage.backup_archive import (
        backup_event,
        create_backup,
        list_entries,
        restore_backup,
        restored_event,
        verified_event,
        verify_backup,
    )
    from breastai.storage.workspace import Workspace

    if sum((listed, verify is not None, restore is not None)) > 1:
        raise CommandInvalid(Text("command.backup_one"), "breastai backup --help")
    place = Workspace.open(workspace)
    with open_output(as_json) as output:
        output.work_in(place.root)
        if listed:
            output.event(BackupsList(backups=list_entries(place)))
        elif verify is not None:
            output.event(verified_event(verify_backup(place, verify)))
        elif restore is not None:
            output.event(restored_event(restore, restore_backup(place, restore)))
        else:
            kept = keep if keep is not None else workspace_config(place).storage.backups_kept
            output.event(backup_event(create_backup(place, kept), place))
    return 0
