"""`predict`: the class of each image, by a checkpoint or by an exported model."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import Output, open_output
from breastai.domain.text import Text

if TYPE_CHECKING:
    from breastai.data.preprocessing.lesion_boxes import Box
    from breastai.domain.events import Event
    from breastai.storage.workspace import Workspace


def register(app: typer.Typer) -> None:
    app.command()(predict)


def predict(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="latest, RUN, RUN/best, the path of a checkpoint, or an exported .onnx file."
        ),
    ],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Image files, folders or patterns.")],
    box: Annotated[
        str | None,
        typer.Option(
            "--box",
            metavar="X,Y,W,H",
            help="For a model of lesion crops and one image: where the lesion is, in pixels. Without it masks and tables "
            "boxes.csv beside the images are looked for.",
        ),
    ] = None,
    one_patient: Annotated[
        bool,
        typer.Option(
            "--one-patient", help="All images are of one patient, for a model that decides by breast, exam or patient."
        ),
    ] = False,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One line of CSV for each image.")] = False,
    by_unit: Annotated[
        bool, typer.Option("--by-unit", help="With --csv: one line for each breast, exam or patient instead.")
    ] = False,
) -> int:
    """Classify images. An .onnx file needs no torch. Exit status 2 when an image could not be read."""
    from breastai.commands.answering_model import is_exported
    from breastai.commands.effective_config import with_datasets
    from breastai.commands.unreadable_images import UnreadableCounted
    from breastai.domain.errors import CommandInvalid
    from breastai.predictor.image_files import listed_images, marked_in, masks_told
    from breastai.storage.workspace import Workspace

    if as_json and as_csv:
        raise CommandInvalid(Text("command.json_or_csv"), "breastai predict --help")
    place = Workspace.open(workspace)
    by_onnx = is_exported(model)
    if not by_onnx:
        from breastai.commands.checkpoint_name import checkpoint_name

        model = checkpoint_name(place, model)
    named = with_datasets(images, place)
    listed = listed_images(named, Path.cwd())
    files = list(listed.files)
    boxes = marked_in(named, Path.cwd()) | _boxes(box, files)
    if by_unit and not as_csv:
        raise CommandInvalid(Text("command.by_unit"), "breastai predict --help")
    with open_output(as_json, as_csv, by_unit=by_unit) as output:
        for event in masks_told(listed, place.relative):
            output.event(event)
        counted = UnreadableCounted(output)
        if by_onnx:
            return counted.exit_status(_predict_by_onnx(place, model, files, boxes, one_patient, counted))
        return counted.exit_status(_predict_by_checkpoint(place, model, files, boxes, one_patient, counted))


def _boxes(box: str | None, files: list[Path]) -> "dict[Path, Box]":
    """Return where the lesion is marked in the one file; raise CommandInvalid."""
    from breastai.data.preprocessing.lesion_boxes import parse_box
    from breastai.domain.errors import CommandInvalid

    if box is None:
        return {}
    try:
        if len(files) == 1:
            return {files[0]: parse_box(box)}
    except ValueError:
        pass
    raise CommandInvalid(Text("command.box", {"box": box}), "breastai predict --help")


def _predict_by_checkpoint(
    workspace: "Workspace",
    checkpoint: str,
    files: list[Path],
    boxes: "dict[Path, Box]",
    one_patient: bool,
    output: Output,
) -> int:
    from breastai.commands.run_job import run_job
    from breastai.domain.jobs import Predict

    job = Predict(
        workspace=str(workspace.root),
        checkpoint=checkpoint,
        images=[str(file) for file in files],
        boxes=[boxes.get(file) for file in files] if boxes else [],
        one_patient=one_patient,
    )
    return run_job(job, output)


def _predict_by_onnx(
    workspace: "Workspace", model: str, files: list[Path], boxes: "dict[Path, Box]", one_patient: bool, output: Output
) -> int:
    from breastai.commands.stop_signals import STOPPED, stop_on_signals
    from breastai.domain.events import JobStopped

    with stop_on_signals() as stop_requested:
        for event in _answers(workspace, model, files, boxes, one_patient):
            output.event(event)
            if stop_requested():
                output.event(JobStopped(job="predict"))
                return STOPPED
    return 0


def _answers(
    workspace: "Workspace", model: str, files: list[Path], boxes: "dict[Path, Box]", one_patient: bool
) -> "Iterator[Event]":
    from breastai.commands.answering_model import open_exported
    from breastai.data.sources.frames import files_of
    from breastai.predictor.predictions import predict_files

    opened_model = open_exported(workspace, model)
    images = files_of(files, opened_model.preprocessing.frames)
    yield from predict_files(opened_model, images, workspace.relative, boxes, one_patient)
