"""`export`: a checkpoint in another format, or the mean of several in one file, proved to give the same answers."""

from typing import Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output
from breastai.domain.catalog import EXPORT_FORMATS
from breastai.domain.text import Text


def register(app: typer.Typer) -> None:
    app.command()(export)


def export(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="latest, RUN, RUN/best, or the path of a checkpoint.")
    ],
    format_name: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help=f"One of {', '.join(EXPORT_FORMATS)}.")
    ] = "onnx",
    others: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="CHECKPOINT",
            help="Another to average with it in one ONNX file; repeatable. Same validation images.",
        ),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Export a checkpoint to exports/; refused unless it gives the same probabilities."""
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.run_job import run_job
    from breastai.domain.errors import CommandInvalid
    from breastai.domain.jobs import Export
    from breastai.storage.workspace import Workspace

    if format_name not in EXPORT_FORMATS:
        problem = Text("command.not_one_of", {"option": "--format", "known": list(EXPORT_FORMATS), "got": format_name})
        raise CommandInvalid(problem, "breastai export --help")
    place = Workspace.open(workspace)
    name = checkpoint_name(place, checkpoint)
    more = [checkpoint_name(place, other) for other in others or ()]
    with open_output(as_json) as output:
        return run_job(Export(workspace=str(place.root), checkpoint=name, others=more, format=format_name), output)
