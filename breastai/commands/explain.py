"""`explain`: heat maps over images, where a checkpoint found what speaks for a class."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import Output, PassedOn, opened

if TYPE_CHECKING:
    from breastai.domain.events import Event

# Some of the images could not be read: bad input, though the others were explained.
SOME_UNREADABLE = 2


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="latest, RUN, RUN/best, or the path of a checkpoint.")
    ],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Image files, folders or patterns.")],
    class_name: Annotated[
        str | None,
        typer.Option("--class", metavar="CLASS", help="The class to explain; by default each image's most probable."),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Draw heat maps to exports/heat_maps/. Exit status 2 when an image could not be read."""
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.running import run_job
    from breastai.domain.jobs import Explain
    from breastai.predictor.image_files import image_files
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    name = checkpoint_name(place, checkpoint)
    files = [str(file) for file in image_files(images, Path.cwd())]
    job = Explain(workspace=str(place.root), checkpoint=name, images=files, target_class=class_name)
    with opened(as_json) as output:
        watched = _Watched(output)
        status = run_job(job, watched)
    return status or (SOME_UNREADABLE if watched.failed else 0)


class _Watched(PassedOn):
    """An output that remembers how many images could not be read."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self.failed = 0

    def event(self, event: "Event") -> None:
        from breastai.domain.events import ExplanationsComplete

        if isinstance(event, ExplanationsComplete):
            self.failed = event.failed
        super().event(event)
