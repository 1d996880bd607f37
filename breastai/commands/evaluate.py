"""`evaluate` and `compare`: the figures of a checkpoint or of a file of predictions, and of two on the same cases."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output
from breastai.domain.errors import CommandInvalid
from breastai.domain.text import Text

SplitOption = Annotated[
    Literal["train", "val", "test"] | None,
    typer.Option("--split", help="Which folder below DIR."),
]


def register(app: typer.Typer) -> None:
    app.command()(evaluate)
    app.command()(compare)


def evaluate(
    checkpoint: Annotated[
        str | None, typer.Argument(metavar="CHECKPOINT", help="latest, RUN, RUN/best, or the path of a checkpoint.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Class folders, or a folder that holds train/, val/, test/. Repeated for external validation: a row a "
            "site, and all together.",
        ),
    ] = None,
    split: SplitOption = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="FILE.csv",
            help="Judge any model by its predictions: columns label, one p_CLASS per class, perhaps file, patient_id "
            "and subgroups.",
        ),
    ] = None,
    subgroups: Annotated[
        Path | None,
        typer.Option(
            "--subgroups",
            metavar="FILE.csv",
            help="Judge each part of the images too: a column file, and others such as device, density, age.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target-class",
            metavar="CLASS",
            help="With --predictions: a patient with any image of this class is positive; by default the class that is named like a disease.",
        ),
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="CLASS=CLASS",
            help="Which class of the model a class of the images is; CLASS=A+B where they don't tell A and B apart, "
            "CLASS= to leave its images out. May be repeated.",
        ),
    ] = None,
    local_sample: Annotated[
        float | None,
        typer.Option(
            "--local-sample",
            metavar="SHARE",
            min=0,
            help="Of each site, a share of the patients below 1 or a number of them, which choose a threshold and a "
            "recalibration; they are judged on the rest, apart from the frozen ones.",
        ),
    ] = None,
    sample_seed: Annotated[
        int | None, typer.Option("--sample-seed", min=0, help="Another number draws other patients.")
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Judge a checkpoint on images sorted into class folders, or a file of predictions."""
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.effective_config import image_place
    from breastai.commands.run_job import run_job
    from breastai.domain.errors import DataNotFound
    from breastai.domain.jobs import AnyJob, Evaluate, EvaluatePredictions, EvaluateSites
    from breastai.storage.workspace import Workspace

    job: AnyJob
    if predictions is not None:
        if any(value for value in (checkpoint, data, split, subgroups, maps, local_sample)):
            raise CommandInvalid(Text("command.predictions_alone"), "breastai evaluate --help")
        if not predictions.expanduser().is_file():
            raise DataNotFound(str(predictions))
        place = Workspace.open(workspace)
        table = str(predictions.expanduser().resolve())
        job = EvaluatePredictions(workspace=str(place.root), predictions=table, target_class=target)
    else:
        if target is not None:
            raise CommandInvalid(Text("command.target_predictions"), "breastai evaluate --help")
        if checkpoint is None or not data:
            missing = "CHECKPOINT" if checkpoint is None else "--data"
            raise CommandInvalid(Text("command.missing", {"name": missing}), "breastai evaluate --help")
        place = Workspace.open(workspace)
        name = checkpoint_name(place, checkpoint)
        if subgroups is not None and not subgroups.expanduser().is_file():
            raise DataNotFound(str(subgroups))
        if len(data) > 1 or local_sample:
            if subgroups is not None:
                raise CommandInvalid(Text("command.subgroups_one_site"), "breastai evaluate --help")
            job = EvaluateSites(
                workspace=str(place.root),
                checkpoint=name,
                data=[image_place(each, place) for each in data],
                split=split,
                class_map=_class_map(maps or []),
                local_sample=local_sample,
                sample_seed=sample_seed,
            )
        else:
            groups = None if subgroups is None else str(subgroups.expanduser().resolve())
            job = Evaluate(
                workspace=str(place.root),
                checkpoint=name,
                data=image_place(data[0], place),
                split=split,
                subgroups=groups,
                class_map=_class_map(maps or []),
            )
    with open_output(as_json) as output:
        return run_job(job, output)


def _class_map(pairs: Sequence[str]) -> dict[str, list[str]]:
    """Return the class map that CLASS=CLASS+CLASS and so on say; raise CommandInvalid."""
    found = {}
    for pair in pairs:
        name, equals, members = pair.partition("=")
        if not name.strip() or not equals:
            raise CommandInvalid(Text("command.class_map", {"pair": pair}), "breastai evaluate --help")
        found[name.strip()] = [member.strip() for member in members.split("+") if member.strip()]
    return found


def compare(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="A checkpoint, or a CSV of predictions.")],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="Another, of the same kind.")],
    data: Annotated[
        str | None, typer.Option("--data", metavar="DIR", help="Images to compare two checkpoints on.")
    ] = None,
    split: SplitOption = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Compare two models on the same cases: paired DeLong test, clustered by patient."""
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.effective_config import image_place
    from breastai.commands.run_job import run_job
    from breastai.domain.errors import DataNotFound
    from breastai.domain.jobs import AnyJob, Compare, ComparePredictions
    from breastai.storage.workspace import Workspace

    tables = [name.lower().endswith(".csv") for name in (first, second)]
    if any(tables) != all(tables) or (data is None) != all(tables):
        problem = Text("command.compare_two")
        raise CommandInvalid(problem, "breastai compare --help")
    if all(tables):
        names = [Path(name).expanduser().resolve() for name in (first, second)]
        for path, name in zip(names, (first, second), strict=True):
            if not path.is_file():
                raise DataNotFound(name)
        place = Workspace.open(workspace)
        job: AnyJob = ComparePredictions(workspace=str(place.root), first=str(names[0]), second=str(names[1]))
    else:
        place = Workspace.open(workspace)
        job = Compare(
            workspace=str(place.root),
            first=checkpoint_name(place, first),
            second=checkpoint_name(place, second),
            data=image_place(data or "", place),
            split=split,
        )
    with open_output(as_json) as output:
        return run_job(job, output)
