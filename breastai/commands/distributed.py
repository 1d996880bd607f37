"""`python -m breastai.commands.distributed`, under torchrun: the options of `train`, or `--resume RUN`.

Exit status as elsewhere, but 0 when the run was stopped: torchrun starts again what ends otherwise.
"""

import os
import sys
from typing import Annotated

import typer

from breastai.commands.language import set_language
from breastai.commands.options import (
    CURRENT_FOLDER,
    ConfigOption,
    EpochsOption,
    ImagesOption,
    JsonOption,
    PresetOption,
    SettingsOption,
    TyperException,
    WorkspaceOption,
)
from breastai.commands.output import open_output, show_failure
from breastai.commands.run_job import exit_status, require_training_packages
from breastai.domain.config import Config
from breastai.domain.errors import BreastAIError, CommandInvalid, NotUnderTorchrun
from breastai.domain.events import Error
from breastai.domain.jobs import Resume, Train
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.private_files import keep_files_private
from breastai.storage.workspace import Workspace
from breastai.texts.catalogue import system_language

os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # as in worker.py
_NAME = "torchrun -m breastai.commands.distributed"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def train_together(
    data: ImagesOption = None,
    config: ConfigOption = None,
    preset: PresetOption = None,
    assignments: SettingsOption = None,
    epochs: EpochsOption = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Go on with a run, however many processes it had.")
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Train one run by all processes of this torchrun. data.batch_size is that of all processes together."""
    from breastai.commands.effective_config import require_images, training_config

    require_training_packages()
    place = Workspace.open(workspace)
    if resume is not None:
        resume = resume.partition("/")[0]
        place.existing_run(resume)
        files = checkpoint_files(place, resume, "last")
        settings = read_manifest(files).config if files.manifest.is_file() else training_config(place)
    else:
        settings = training_config(
            place, file=config, data=data, preset_name=preset, assignments=assignments or (), epochs=epochs
        )
        require_images(place, settings.data.train_dir)
    if "RANK" not in os.environ:
        raise NotUnderTorchrun()
    return _together(place, settings, resume, epochs, as_json)


def _together(place: Workspace, settings: Config, resume: str | None, epochs: int | None, as_json: bool) -> int:
    from breastai.scale.distributed_run import kept_through_restarts, perform, stop_signals
    from breastai.scale.torch_process_group import process_group

    with stop_signals() as asked, process_group(settings.system.device in ("auto", "cuda")) as crowd:
        crowd.wants_stop = asked
        # "resume RUN" when it has begun, "train RUN" else: of a group that torchrun started again, too.
        run_id = crowd.broadcast(lambda: resume or kept_through_restarts(place.new_run_id()))
        begun = crowd.broadcast(lambda: "yes" if place.journal_file(run_id).is_file() else "")
        job: Train | Resume
        if begun:
            job = Resume(workspace=str(place.root), run_id=run_id, epochs=epochs)
        else:
            job = Train(workspace=str(place.root), run_id=run_id, config=settings)
        failure: Error | None = None
        if crowd.is_main:
            with open_output(as_json) as output:
                output.work_in(place.root)
                for event in perform(job, crowd):
                    if isinstance(event, Error):
                        failure = event
                    else:
                        output.event(event)
                if failure is not None:
                    output.event(failure)
        else:
            for event in perform(job, crowd):
                if isinstance(event, Error):
                    failure = event
                    sys.stderr.write(f"Process {crowd.rank}: {event.message}\n")
        if failure is not None:
            return exit_status(failure)
        return int(crowd.left_alone and not asked())


def main() -> int:
    """Run the command of this process and return its exit status."""
    keep_files_private()
    set_language(system_language(os.environ))
    first, as_json = os.environ.get("RANK", "0") == "0", "--json" in sys.argv
    try:
        status = app(sys.argv[1:], prog_name=_NAME, standalone_mode=False)
    except BreastAIError as error:
        if first:
            show_failure(error, as_json)
        return error.exit_status
    except TyperException as fault:
        if first:
            show_failure(CommandInvalid(fault.format_message().rstrip(".") + ".", f"{_NAME} --help"), as_json)
        return CommandInvalid.exit_status
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
