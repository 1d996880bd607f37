"""`compare`: two models on the same cases, at their operating points too; and a margin stated beforehand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, SplitOption, WorkspaceOption
from breastai.commands.output import open_output
from breastai.commands.threshold_options import (
    ChooseOption,
    PrevalenceOption,
    SensitivityOption,
    check_threshold,
    read_numbers,
    read_shares,
)
from breastai.domain.text import Text

if TYPE_CHECKING:
    from breastai.storage.workspace import Workspace

_HELP = "breastai compare --help"


def register(app: typer.Typer) -> None:
    app.command()(compare)


def compare(
    first: Annotated[str | None, typer.Argument(metavar="FIRST", help="A checkpoint, or a CSV of predictions.")] = None,
    second: Annotated[str | None, typer.Argument(metavar="SECOND", help="Another, of the same kind.")] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="DIR", help="Images to compare two checkpoints on.")
    ] = None,
    split: SplitOption = None,
    target: Annotated[
        str | None, typer.Option("--target-class", metavar="CLASS", help="Of predictions: the class that is called.")
    ] = None,
    thresholds: Annotated[
        str | None,
        typer.Option(
            "--thresholds",
            metavar="A,B",
            help="Of predictions: from which probability the first and the second call it.",
        ),
    ] = None,
    sensitivity: SensitivityOption = None,
    choose_on: ChooseOption = None,
    prevalences: PrevalenceOption = None,
    margins: Annotated[
        list[str] | None,
        typer.Option(
            "--margin",
            metavar="FIGURE=SHARE",
            help="By how much the first may be worse in a figure and still not inferior; alone, without models, it is "
            "stated beforehand, with its date. May be repeated.",
        ),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Compare two models on the same cases: AUCs, decisions at their thresholds, non-inferiority; by patient."""
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.effective_config import image_place
    from breastai.commands.run_job import run_job
    from breastai.domain.errors import CommandInvalid, PathNotFound
    from breastai.domain.jobs import AnyJob, Compare, ComparePredictions
    from breastai.storage.workspace import Workspace

    stated = read_shares("--margin", margins)
    if first is None and second is None and stated:
        return _state(Workspace.open(workspace), stated)
    names = [name for name in (first, second) if name is not None]
    tables = [name.lower().endswith(".csv") for name in names]
    if len(names) < 2 or any(tables) != all(tables) or (data is None) != all(tables):
        raise CommandInvalid(Text("command.compare_two"), _HELP)
    of_predictions = (target, thresholds, sensitivity, choose_on, prevalences)
    check_threshold(thresholds, sensitivity, choose_on, _HELP)
    if all(tables):
        paths = [Path(name).expanduser().resolve() for name in names]
        for path, name in zip(paths, names, strict=True):
            if not path.is_file():
                raise PathNotFound(name)
        place = Workspace.open(workspace)
        pair = None if thresholds is None else read_numbers("--thresholds", thresholds, 2)
        job: AnyJob = ComparePredictions(
            workspace=str(place.root),
            first=str(paths[0]),
            second=str(paths[1]),
            target_class=target,
            thresholds=None if pair is None else (pair[0], pair[1]),
            target_sensitivity=sensitivity,
            choose_on=choose_on,
            prevalences=read_shares("--prevalence", prevalences),
            margins=stated,
        )
    else:
        if any(of_predictions):
            raise CommandInvalid(Text("command.thresholds_predictions"), _HELP)
        place = Workspace.open(workspace)
        job = Compare(
            workspace=str(place.root),
            first=checkpoint_name(place, names[0]),
            second=checkpoint_name(place, names[1]),
            data=image_place(data or "", place),
            split=split,
            margins=stated,
        )
    with open_output(as_json) as output:
        return run_job(job, output)


def _state(workspace: "Workspace", margins: dict[str, float]) -> int:
    """Write margins down before anything is compared, and say since when each stands."""
    from breastai.commands.comparison_text import other_margins
    from breastai.commands.format_text import general
    from breastai.commands.language import say
    from breastai.storage.margins import state_margin

    for figure, margin in margins.items():
        found = state_margin(workspace, figure, margin)
        typer.echo(say("cli.margin.stated", figure=figure, margin=general(margin), time=found.stated))
        for other in other_margins(found.others):
            typer.echo(other)
    return 0
