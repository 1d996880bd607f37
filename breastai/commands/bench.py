"""`bench`: what this machine manages, model by model, each measured in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output

if TYPE_CHECKING:
    from breastai.domain.events import Event
    from breastai.domain.jobs import Bench

# What is recommended, at the size and batch it is recommended with.
RECOMMENDED = {
    "tf_efficientnet_lite0": (224, 16),
    "efficientnet_b0": (224, 16),
    "efficientnet_b4": (380, 4),
    "efficientnetv2_s": (512, 4),
    "resnet50": (224, 16),
    "convnext_tiny": (224, 16),
}


def register(app: typer.Typer) -> None:
    app.command()(bench)


def bench(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Architectures [default: the recommended ones].")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="DIR", help="Folder that holds train/: how long a run on it takes.")
    ] = None,
    epochs: Annotated[int, typer.Option("--epochs", metavar="N", help="Epochs of that run.", min=1)] = 12,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, as for train; repeatable.")
    ] = None,
    image_size: Annotated[int | None, typer.Option("--image-size", metavar="PIXELS")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", metavar="N")] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Measure training and evaluation speed, share of the matrix peak, loader wait and memory on this machine."""
    from breastai.commands.effective_config import training_config
    from breastai.commands.run_job import exit_status, require_training_packages
    from breastai.domain.events import Error
    from breastai.domain.jobs import Bench
    from breastai.storage.workspace import Workspace

    require_training_packages()
    place = Workspace.open(workspace)
    status = 0
    with open_output(as_json) as output:
        for name in models or list(RECOMMENDED):
            size, batch = RECOMMENDED.get(name, (224, 8))
            assignments = [
                f"model.architecture={name}",
                f"data.image_size={image_size or size}",
                f"data.batch_size={batch_size or batch}",
                *(settings or ()),
            ]
            config = training_config(
                place, file=None, data=data, preset_name=None, assignments=assignments, epochs=epochs
            )
            for event in _in_own_process(Bench(workspace=str(place.root), config=config)):
                output.event(event)
                if isinstance(event, Error):
                    status = exit_status(event)
    return status


def _in_own_process(job: "Bench") -> "Iterator[Event]":
    """Yield the events of a worker process: its peak memory is then the model's own."""
    from breastai.domain.event_messages import decode_event

    command = [sys.executable, "-m", "breastai.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(job.model_dump_json() + "\n")
        process.stdin.flush()
        for line in process.stdout:
            if line.strip():  # an empty one is a sign of life
                yield decode_event(line)
