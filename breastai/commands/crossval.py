"""`crossval`: a model for each fold, judged on the part held out, with pooled figures and an ensemble."""

from typing import Annotated

import typer

from breastai.commands.options import (
    CURRENT_FOLDER,
    ClusterOption,
    ConfigOption,
    EpochsOption,
    FolderArgument,
    ImagesOption,
    JsonOption,
    PresetOption,
    SettingsOption,
    WorkspaceOption,
    cluster_assignments,
    one_place,
)
from breastai.commands.output import open_output
from breastai.domain.text import Text


def register(app: typer.Typer) -> None:
    app.command()(crossval)


def crossval(
    folder: FolderArgument = None,
    data: ImagesOption = None,
    config: ConfigOption = None,
    preset: PresetOption = None,
    assignments: SettingsOption = None,
    epochs: EpochsOption = None,
    folds: Annotated[
        int | None, typer.Option("--folds", metavar="K", help="Parts, each held out once [default: 5].")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option("--repeats", metavar="N", help="Deal the images anew N times [default: 1].")
    ] = None,
    ungrouped: Annotated[
        bool, typer.Option("--ungrouped", help="Deal image by image, to show what keeping patients whole changes.")
    ] = False,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Search for settings inside each fold, as `breastai tune` does, then train it."),
    ] = False,
    trials: Annotated[
        int | None,
        typer.Option("--trials", metavar="N", help="With --tune: trials of each fold's search [default: 20]."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="STUDY", help="Go on with a study; 'latest' is the one begun last."),
    ] = None,
    cluster: ClusterOption = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Cross-validate: every training and validation image is judged once by a model that never saw it.

    The test folder is never touched. Ctrl+C once stops and saves; --resume goes on from there.
    """
    from breastai.commands.effective_config import require_images
    from breastai.commands.preset_choice import chosen_config
    from breastai.commands.run_job import require_packages, run_job
    from breastai.domain.errors import CommandInvalid, StudyNotFound
    from breastai.domain.jobs import Crossval, ResumeStudy
    from breastai.storage.studies import read_study, studies
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    data = one_place(folder, data, "crossval")
    if resume is not None:
        if any((data, config, preset, assignments, epochs, folds, repeats, ungrouped, tune, trials)):
            raise CommandInvalid(
                Text("command.resume_study_alone"),
                "breastai crossval --help",
            )
        known = studies(place)
        if resume == "latest" and not known:
            raise StudyNotFound(resume, [])
        study = read_study(place, known[-1] if resume == "latest" else resume)
        with open_output(as_json) as output:
            return run_job(ResumeStudy(workspace=str(place.root), study_id=study.study_id, cluster=cluster), output)
    own = [f"crossval.{name}={value}" for name, value in (("folds", folds), ("repeats", repeats)) if value is not None]
    own += ["crossval.grouped=false"] if ungrouped else []
    own += ["crossval.tune=true"] if tune else []
    own += [] if trials is None else [f"tuning.trials={trials}"]
    own += cluster_assignments(cluster)
    wishes = [*(assignments or ()), *own]
    settings, told = chosen_config(place, file=config, data=data, preset=preset, assignments=wishes, epochs=epochs)
    if trials is not None and not settings.crossval.tune:
        raise CommandInvalid(Text("command.trials_tune"), "breastai crossval --help")
    require_images(place, settings.data.train_dir)
    if settings.crossval.tune:
        require_packages(("optuna",), "tune")
    with open_output(as_json) as output:
        for line in told:
            output.event(line)
        return run_job(Crossval(workspace=str(place.root), study_id=place.new_run_id(), config=settings), output)
