"""`report`: the report of a run, from its own records."""

from enum import StrEnum
from typing import Annotated

import typer

from breastai.commands.language import current_language
from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output
from breastai.domain.text import Text


class ReportFormat(StrEnum):
    """What a report is written as beside HTML, JSON and Markdown."""

    pdf = "pdf"
    docx = "docx"


def register(app: typer.Typer) -> None:
    app.command()(report)


def report(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run, or one of its checkpoints; latest is the latest. predictions: those of another model.",
        ),
    ],
    evaluation: Annotated[
        str | None,
        typer.Option("--evaluation", metavar="NAME", help="The evaluation it rests on [default: the latest on test]."),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option("--language", metavar="LANGUAGE", help="Language of the report [default: that of --lang]."),
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write a PDF as well: --format pdf.")] = False,
    formats: Annotated[
        list[ReportFormat] | None,
        typer.Option("--format", help="What else to write: a PDF, or a Word document. May be repeated."),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Show the images the model was most wrong about.")
    ] = True,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Write a report that a reviewer can hold against the run: HTML, the same numbers as JSON, perhaps PDF."""
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.run_job import run_job
    from breastai.domain.errors import CommandInvalid
    from breastai.domain.jobs import Report
    from breastai.storage.evaluations import PREDICTIONS
    from breastai.storage.workspace import Workspace
    from breastai.texts.catalogue import languages

    spoken = current_language() if language is None else language
    if spoken not in languages():
        problem = Text("command.not_one_of", {"option": "--language", "known": list(languages()), "got": language})
        raise CommandInvalid(problem, "breastai report --help")
    place = Workspace.open(workspace)
    run_id = run
    if run != PREDICTIONS:
        run_id = place.existing_model(checkpoint_name(place, run).partition("/")[0])
    with open_output(as_json) as output:
        job = Report(
            workspace=str(place.root),
            run_id=run_id,
            evaluation=evaluation,
            language=spoken,
            pdf=pdf or ReportFormat.pdf in (formats or ()),
            docx=ReportFormat.docx in (formats or ()),
            pictures=pictures,
        )
        return run_job(job, output)
