"""`sample-data`: the built-in phantoms, written as a folder with train/, val/ and test/."""

from pathlib import Path
from typing import Annotated

import typer

from breastai.commands.language import say
from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output


def register(app: typer.Typer) -> None:
    app.command("sample-data")(sample_data)


def sample_data(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder to write to; made if missing.")],
    per_class: Annotated[
        int, typer.Option("--per-class", metavar="N", min=3, max=100_000, help="Images of each class.")
    ] = 60,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, max=2**31 - 1, help="The same seed, the same images.")
    ] = 42,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Write ultrasound-like sample images of three classes, several per patient, split by patient."""
    from breastai.data.phantoms.phantom_dataset import write_sample_data
    from breastai.storage.workspace import Workspace, naming_full_disk

    target = Path(folder).expanduser().resolve()
    with open_output(as_json) as output:
        with naming_full_disk(target):
            made = write_sample_data(target, per_class, seed)
        values = {
            "type": "sample_data",
            "path": Workspace(workspace.resolve()).relative(target),
            "images": made.images,
            "patients": made.patients,
            "counts": made.counts,
            "seed": made.seed,
        }
        splits = ", ".join(
            say("cli.sample.split", count=sum(classes.values()), name=name) for name, classes in made.counts.items()
        )
        text = say("cli.sample", images=made.images, patients=made.patients, folder=str(target), splits=splits)
        command = say("cli.next", command=f"breastai train --data {folder} --preset quick")
        output.result(values, f"{text}\n{command}")
    return 0
