"""`tune`: look for better settings by short runs, or go on looking."""

from typing import Annotated, Any

import typer

from breastai.commands.options import (
    CURRENT_FOLDER,
    ClusterOption,
    ConfigOption,
    ImagesOption,
    JsonOption,
    SettingsOption,
    WorkspaceOption,
    cluster_assignments,
)
from breastai.commands.output import open_output
from breastai.domain.text import Text


def register(app: typer.Typer) -> None:
    app.command()(tune)


def tune(
    data: ImagesOption = None,
    config: ConfigOption = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset", metavar="NAME", help="As for train: quick, balanced, or full; without config.json quick."
        ),
    ] = None,
    assignments: SettingsOption = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help="Trials in all; the first is the configuration itself.")
    ] = None,
    hours: Annotated[
        float | None, typer.Option("--hours", metavar="H", help="No new trial begins after this many hours of trials.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", help="Epochs of a trial [default: training.epochs].")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="STUDY", help="Go on with a search; 'latest' is the study begun last."),
    ] = None,
    cluster: ClusterOption = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Try settings by short runs, judged on validation images alone; the best are saved in configs/ to train from."""
    from breastai.commands.effective_config import require_images
    from breastai.commands.preset_choice import chosen_config
    from breastai.commands.run_job import require_packages, run_job
    from breastai.domain.config import overlay, parse_config
    from breastai.domain.errors import CommandInvalid
    from breastai.domain.jobs import AnyJob, ResumeStudy, Tune
    from breastai.storage.studies import read_study, studies
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    given = {"trials": trials, "max_hours": hours, "epochs": epochs}
    told: list[Any] = []
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if resume is not None:
        if changes or assignments or any(option is not None for option in (data, config, preset)):
            raise CommandInvalid(Text("command.resume_alone"), "breastai tune --help")
        known = studies(place)
        study = read_study(place, known[-1] if resume == "latest" and known else resume)
        job: AnyJob = ResumeStudy(workspace=str(place.root), study_id=study.study_id, cluster=cluster)
    else:
        wishes = [*(assignments or ()), *cluster_assignments(cluster)]
        settings, told = chosen_config(place, file=config, data=data, preset=preset, assignments=wishes, probes=False)
        settings = parse_config(overlay(settings.model_dump(mode="json"), {"tuning": changes}))
        require_images(place, settings.data.train_dir)
        job = Tune(workspace=str(place.root), study_id=place.new_run_id(), config=settings)
    require_packages(("optuna",), "tune")
    with open_output(as_json) as output:
        for line in told:
            output.event(line)
        return run_job(job, output)
