"""`data exclude`, `data relabel`, `data restore`: corrections of a data set by a person, kept in its description."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from breastai.domain.dataset_description import CorrectionKind

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the data set.")]
FilesArgument = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="Images, as the data set names them, or paths.")
]
NoteOption = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; kept with it.")]
TestOption = Annotated[
    bool, typer.Option("--test-images", help="Also where images are of the test part: the report says how many.")
]


def register(data: typer.Typer) -> None:
    data.command("exclude")(exclude_images)
    data.command("relabel")(relabel_image)
    data.command("restore")(restore_images)


def exclude_images(
    name: NameArgument,
    files: FilesArgument,
    note: NoteOption = "",
    test_images: TestOption = False,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Leave images out of a data set, in its description; the files stay as they are."""
    return _correct(name, "exclude", files, None, note, test_images, workspace, as_json)


def relabel_image(
    name: NameArgument,
    file: Annotated[str, typer.Argument(metavar="FILE", help="An image, as the data set names it, or its path.")],
    label: Annotated[str, typer.Argument(metavar="CLASS", help="The class it is of.")],
    note: NoteOption = "",
    test_images: TestOption = False,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Give an image another class, in the description of its data set; the file stays where it is."""
    return _correct(name, "relabel", [file], label, note, test_images, workspace, as_json)


def restore_images(
    name: NameArgument,
    files: FilesArgument,
    test_images: TestOption = False,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Take images as their source says them again: neither left out nor relabelled."""
    return _correct(name, "restore", files, None, "", test_images, workspace, as_json)


def _correct(
    name: str,
    action: "CorrectionKind",
    files: list[str],
    label: str | None,
    note: str,
    test_images: bool,
    workspace: Path,
    as_json: bool,
) -> int:
    from breastai.commands.language import say
    from breastai.commands.output import open_output
    from breastai.data.cases.label_corrections import correct_dataset
    from breastai.domain.event_messages import event_values
    from breastai.domain.events import DatasetCorrected
    from breastai.domain.jobs import CorrectDataset
    from breastai.storage.workspace import Workspace

    kept = Workspace.open(workspace)
    job = CorrectDataset(
        workspace=str(kept.root),
        name=name,
        action=action,
        files=files,
        label=label,
        note=note,
        test_images=test_images,
    )
    with open_output(as_json) as output:
        for event in correct_dataset(job, kept):
            if isinstance(event, DatasetCorrected):
                params = {"name": name, "count": len(event.files), "label": event.label or "-"}
                lines = [say(f"cli.data.{action}", **params)]
                if event.of_test:
                    lines.append(say("cli.data.of_test", count=event.of_test))
                lines.append(
                    say("cli.data.corrections", name=name, left_out=event.left_out, relabelled=event.relabelled)
                )
                output.result(event_values(event), "\n".join(lines))
    return 0
