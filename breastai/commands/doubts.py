"""`doubts`: the images of a folder whose labels are most likely wrong."""

from typing import Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, SplitOption, WorkspaceOption
from breastai.commands.output import open_output


def register(app: typer.Typer) -> None:
    app.command()(doubts)


def doubts(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Class folders, or a folder that holds train/, val/, test/.")
    ],
    split: SplitOption = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Rank the labels of a folder by how doubtful they are, for a person to look at; change none."""
    from breastai.commands.effective_config import image_place, workspace_config
    from breastai.commands.run_job import run_job
    from breastai.domain.jobs import FindDoubts
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    job = FindDoubts(
        workspace=str(place.root), data=image_place(folder, place), split=split, config=workspace_config(place)
    )
    with open_output(as_json) as output:
        return run_job(job, output)
