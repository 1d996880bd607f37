"""`train` and `resume`: a run from its beginning, or from where it stopped."""

from pathlib import Path
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
    app.command()(train)
    app.command()(resume)


def train(
    folder: FolderArgument = None,
    data: ImagesOption = None,
    config: ConfigOption = None,
    preset: PresetOption = None,
    assignments: SettingsOption = None,
    epochs: EpochsOption = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds",
            metavar="A,B,...",
            help="Train once for each seed, side by side on a cluster; mean and spread at the end.",
        ),
    ] = None,
    cluster: ClusterOption = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", metavar="N", help="With --cluster: processes that train the run together."),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace",
            metavar="FILE.json",
            help="Write where the seconds go, in the trace-event format that Perfetto opens.",
        ),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Train a model on labelled images. Ctrl+C once stops and saves, twice ends at once.

    Names of classes such as malignant say which class matters; for other names say it with --set
    evaluation.target_class=NAME. Where classes are doubtful, the command asks; a script accepts them with --set
    data.accept_classes=true.
    """
    from breastai.commands.effective_config import require_images
    from breastai.commands.preset_choice import chosen_config
    from breastai.commands.repeated_runs import parse_seeds, run_seeds
    from breastai.commands.run_job import run_job
    from breastai.domain.errors import CommandInvalid
    from breastai.domain.events import Log
    from breastai.domain.jobs import Train
    from breastai.storage.span_trace import recorded_trace
    from breastai.storage.workspace import Workspace

    if trace is not None and not trace.absolute().parent.is_dir():
        raise CommandInvalid(
            Text("command.trace_folder", {"folder": str(trace.absolute().parent)}), "breastai train --help"
        )
    wanted = None if seeds is None else parse_seeds(seeds)
    data = one_place(folder, data, "train")
    place = Workspace.open(workspace)
    own = cluster_assignments(cluster) + ([] if processes is None else [f"system.processes={processes}"])
    wishes = [*(assignments or ()), *own]
    settings, told = chosen_config(place, file=config, data=data, preset=preset, assignments=wishes, epochs=epochs)
    # Known at once, without waiting for torch.
    require_images(place, settings.data.train_dir)
    with open_output(as_json) as output:
        for line in told:
            output.event(line)
        with recorded_trace(trace):
            if wanted is None:
                job = Train(workspace=str(place.root), run_id=place.new_run_id(), config=settings)
                status = run_job(job, output)
            else:
                status = run_seeds(place, settings, wanted, output)
        if trace is not None:
            output.event(Log.of("info", Text("log.trace.written", {"file": str(trace)})))
        return status


def resume(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|CHECKPOINT|STUDY]",
            help="A run, one of its checkpoints, or a study; by default what was interrupted or stopped last.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", help="Epochs in all; by default as planned.")
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List the runs that were interrupted or stopped, the latest first.")
    ] = False,
    cluster: ClusterOption = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Go on with a run, or a study, from where it stopped, to the same result as without the interruption."""
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.run_job import run_job
    from breastai.domain.config import parse_config
    from breastai.domain.errors import CheckpointNotFound, CommandInvalid, NothingInterrupted
    from breastai.domain.events import InterruptedRuns
    from breastai.domain.jobs import Resume, ResumeStudy
    from breastai.storage.interrupted_runs import latest_interrupted, resumable_runs
    from breastai.storage.studies import studies
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    if listed:
        with open_output(as_json) as output:
            output.event(InterruptedRuns(runs=resumable_runs(place)))
        return 0
    if run is None:
        run = latest_interrupted(place)
        if run is None:
            raise NothingInterrupted(place.runs()[-10:])
    if run in studies(place):
        if epochs is not None:
            raise CommandInvalid(Text("command.study_epochs"), "breastai resume --help")
        with open_output(as_json) as output:
            return run_job(ResumeStudy(workspace=str(place.root), study_id=run, cluster=cluster), output)
    name = run if run in place.runs() else checkpoint_name(place, run)
    if Path(name).is_absolute():  # a run is resumed where its journal is
        raise CheckpointNotFound(run, place.runs()[-10:])
    if epochs is not None:
        parse_config({"training": {"epochs": epochs}})
    with open_output(as_json) as output:
        run_id = name.partition("/")[0]
        return run_job(Resume(workspace=str(place.root), run_id=run_id, epochs=epochs, cluster=cluster), output)
