"""`explain`: heat maps over images, where a checkpoint found what speaks for a class."""

from pathlib import Path
from typing import Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output


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
    dicom: Annotated[
        Path | None,
        typer.Option(
            "--dicom",
            metavar="DIR",
            help="Write each DICOM image's map and answer as DICOM objects of its study, too; for research.",
        ),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Draw heat maps to exports/heat_maps/. Exit status 2 when an image could not be read."""
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.dicom_output import DicomWritten
    from breastai.commands.effective_config import with_datasets
    from breastai.commands.run_job import run_job
    from breastai.commands.unreadable_images import UnreadableCounted
    from breastai.domain.jobs import Explain
    from breastai.predictor.image_files import listed_images, marked_in, masks_told
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    name = checkpoint_name(place, checkpoint)
    named = with_datasets(images, place)
    listed = listed_images(named, Path.cwd())
    marked = marked_in(named, Path.cwd())
    boxes = [marked.get(file) for file in listed.files] if marked else []
    files = [str(file) for file in listed.files]
    job = Explain(workspace=str(place.root), checkpoint=name, images=files, target_class=class_name, boxes=boxes)
    with open_output(as_json) as shown:
        output = shown if dicom is None else DicomWritten(shown, dicom, place, name)
        for event in masks_told(listed, place.relative):
            output.event(event)
        counted = UnreadableCounted(output)
        return counted.exit_status(run_job(job, counted))
