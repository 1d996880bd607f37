"""`readers`: a study of readers, their tests and perhaps a model beside them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output


def register(app: typer.Typer) -> None:
    app.command()(readers)


def readers(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE.csv",
            help="A row for each reading: columns reader, file, label, score or call, perhaps test and patient_id.",
        ),
    ],
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", metavar="FILE.csv", help="Compare the readers with this model's predictions."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Compare the readers with this run, by its latest evaluation."),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target-class", metavar="CLASS", help="The class that is read for.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="From which probability the model calls it [default: the run's own]."),
    ] = None,
    call_from: Annotated[
        float | None,
        typer.Option("--call-from", metavar="SCORE", help="From which score a reading is a call, such as 4."),
    ] = None,
    covariance: Annotated[
        Literal["delong", "jackknife"], typer.Option("--covariance", help="How the errors over cases are estimated.")
    ] = "delong",
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Analyse readers by Obuchowski and Rockette's method, how far they agree, and how a model compares with them."""
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.run_job import run_job
    from breastai.domain.errors import CommandInvalid, PathNotFound
    from breastai.domain.jobs import CompareReaders
    from breastai.domain.text import Text
    from breastai.storage.workspace import Workspace

    if predictions is not None and run is not None:
        raise CommandInvalid(Text("command.one_model"), "breastai readers --help")
    for path in (table, predictions):
        if path is not None and not path.expanduser().is_file():
            raise PathNotFound(str(path))
    place = Workspace.open(workspace)
    job = CompareReaders(
        workspace=str(place.root),
        table=str(table.expanduser().resolve()),
        target_class=target,
        predictions=None if predictions is None else str(predictions.expanduser().resolve()),
        model_run=None if run is None else checkpoint_name(place, run).partition("/")[0],
        model_threshold=threshold,
        call_from=call_from,
        covariance=covariance,
    )
    with open_output(as_json) as output:
        return run_job(job, output)
