"""`evaluate`: the figures of a checkpoint, or of a file of predictions of any model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breastai.commands.language import current_language
from breastai.commands.options import CURRENT_FOLDER, JsonOption, SplitOption, WorkspaceOption
from breastai.commands.output import ForwardedOutput, open_output
from breastai.commands.threshold_options import (
    ChooseOption,
    PrevalenceOption,
    SensitivityOption,
    check_threshold,
    read_numbers,
    read_pairs,
    read_shares,
)
from breastai.domain.errors import CommandInvalid, PathNotFound
from breastai.domain.events import Evaluation, Event
from breastai.domain.text import Text

if TYPE_CHECKING:
    from breastai.domain.jobs import AnyJob
    from breastai.storage.workspace import Workspace

_HELP = "breastai evaluate --help"

MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="CLASS=CLASS",
        help="Which class of the model a class of the images is; CLASS=A+B where they don't tell A and B apart, "
        "CLASS= to leave its images out. May be repeated.",
    ),
]
SampleSeedOption = Annotated[
    int | None, typer.Option("--sample-seed", min=0, help="Another number draws other patients.")
]


def register(app: typer.Typer) -> None:
    app.command()(evaluate)


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
    maps: MapOption = None,
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
    sample_seed: SampleSeedOption = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="With --predictions: from which probability the target class is called."),
    ] = None,
    sensitivity: SensitivityOption = None,
    choose_on: ChooseOption = None,
    prevalences: PrevalenceOption = None,
    bands: Annotated[
        list[str] | None,
        typer.Option(
            "--bands",
            metavar="COLUMN=40,50,65",
            help="With --predictions: the limits that part the numbers of a subgroup; may be repeated.",
        ),
    ] = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="With --predictions: write the report too: HTML, PDF, Markdown and JSON."),
    ] = False,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Judge a checkpoint on images sorted into class folders, or a file of predictions."""
    from breastai.commands.run_job import run_job
    from breastai.domain.jobs import AnyJob, EvaluatePredictions, Report
    from breastai.storage.evaluations import PREDICTIONS
    from breastai.storage.workspace import Workspace

    job: AnyJob
    if predictions is not None:
        if any(value for value in (checkpoint, data, split, subgroups, maps, local_sample)):
            raise CommandInvalid(Text("command.predictions_alone"), _HELP)
        if not predictions.expanduser().is_file():
            raise PathNotFound(str(predictions))
        place = Workspace.open(workspace)
        check_threshold(threshold, sensitivity, choose_on, _HELP)
        job = EvaluatePredictions(
            workspace=str(place.root),
            predictions=str(predictions.expanduser().resolve()),
            target_class=target,
            threshold=threshold,
            target_sensitivity=sensitivity,
            choose_on=choose_on,
            prevalences=read_shares("--prevalence", prevalences),
            bands={name: read_numbers("--bands", values) for name, values in read_pairs("--bands", bands)},
        )
    else:
        if any((target, threshold, sensitivity, choose_on, prevalences, bands, report)):
            raise CommandInvalid(Text("command.target_predictions"), _HELP)
        if checkpoint is None or not data:
            missing = "CHECKPOINT" if checkpoint is None else "--data"
            raise CommandInvalid(Text("command.missing", {"name": missing}), _HELP)
        place = Workspace.open(workspace)
        class_map = class_map_of(maps or [])
        job = _model_job(place, checkpoint, data, split, subgroups, class_map, local_sample, sample_seed)
    with open_output(as_json) as output:
        heard = _KeptRecord(output)
        status = run_job(job, heard)
        if not report or heard.name is None:
            return status
        told = Report(
            workspace=str(place.root), run_id=PREDICTIONS, evaluation=heard.name, language=current_language(), pdf=True
        )
        return run_job(told, output)


def _model_job(
    place: "Workspace",
    checkpoint: str,
    data: Sequence[str],
    split: str | None,
    subgroups: Path | None,
    class_map: dict[str, list[str]],
    local_sample: float | None,
    sample_seed: int | None,
) -> "AnyJob":
    """Return what judges a checkpoint: on one set of images, or at several sites and where a sample is drawn of each."""
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.effective_config import image_place
    from breastai.domain.jobs import Evaluate, EvaluateSites

    name = checkpoint_name(place, checkpoint)
    if subgroups is not None and not subgroups.expanduser().is_file():
        raise PathNotFound(str(subgroups))
    sites = [image_place(each, place) for each in data]
    if len(sites) == 1 and not local_sample:
        return Evaluate(
            workspace=str(place.root),
            checkpoint=name,
            data=sites[0],
            split=split,
            subgroups=None if subgroups is None else str(subgroups.expanduser().resolve()),
            class_map=class_map,
        )
    if subgroups is not None:
        raise CommandInvalid(Text("command.subgroups_one_site"), _HELP)
    return EvaluateSites(
        workspace=str(place.root),
        checkpoint=name,
        data=sites,
        split=split,
        class_map=class_map,
        local_sample=local_sample,
        sample_seed=sample_seed,
    )


class _KeptRecord(ForwardedOutput):
    """An output that takes down the name of the evaluation that is kept."""

    name: str | None = None

    def event(self, event: Event) -> None:
        if isinstance(event, Evaluation) and event.record is not None:
            self.name = Path(event.record).stem
        super().event(event)


def class_map_of(pairs: Sequence[str]) -> dict[str, list[str]]:
    """Return the class map that CLASS=CLASS+CLASS and so on say; raise CommandInvalid."""
    found = {}
    for pair in pairs:
        name, equals, members = pair.partition("=")
        if not name.strip() or not equals:
            raise CommandInvalid(Text("command.class_map", {"pair": pair}), _HELP)
        found[name.strip()] = [member.strip() for member in members.split("+") if member.strip()]
    return found
