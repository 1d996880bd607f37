"""`evaluate`: the figures of a checkpoint on labelled images."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import opened


def register(app: typer.Typer) -> None:
    app.command()(evaluate)


def evaluate(
    checkpoint: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="RUN/best, or the path of a checkpoint.")],
    data: Annotated[
        str,
        typer.Option("--data", metavar="DIR", help="Class folders, or a folder that holds train/, val/, test/."),
    ],
    split: Annotated[
        Literal["train", "val", "test"] | None,
        typer.Option("--split", help="Which folder below DIR."),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Judge a checkpoint on images sorted into class folders."""
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.running import run_job
    from breastai.domain.errors import DataNotFound
    from breastai.domain.jobs import Evaluate
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    name = checkpoint_name(place, checkpoint)
    folder = Path(data).expanduser().resolve()
    if not folder.is_dir():
        raise DataNotFound(data)
    with opened(as_json) as output:
        return run_job(Evaluate(workspace=str(place.root), checkpoint=name, data=str(folder), split=split), output)
