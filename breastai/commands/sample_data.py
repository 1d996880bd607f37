"""`sample-data`: the built-in phantoms, written as a folder with train/, val/ and test/."""

from pathlib import Path
from typing import Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import opened


def register(app: typer.Typer) -> None:
    app.command("sample-data")(sample_data)


def sample_data(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder to write to; made if missing.")],
    per_class: Annotated[
        int, typer.Option("--per-class", metavar="N", min=1, max=100_000, help="Images of each class.")
    ] = 100,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, max=2**31 - 1, help="The same seed, the same images.")
    ] = 42,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Write ultrasound-like sample images of three classes, several per patient, split by patient."""
    from breastai.data.phantoms import write_sample_data
    from breastai.domain.catalog import IMAGE_SUFFIXES
    from breastai.storage.workspace import Workspace, naming_full_disk

    target = Path(folder).expanduser().resolve()
    with opened(as_json) as output:
        with naming_full_disk(target):
            write_sample_data(target, per_class, seed)
        images = {
            split.name: sum(file.suffix in IMAGE_SUFFIXES for file in split.rglob("*"))
            for split in sorted(target.iterdir())
            if split.is_dir()
        }
        values = {"type": "sample_data", "path": Workspace(workspace.resolve()).relative(target), "images": images}
        counts = ", ".join(f"{count} in {name}/" for name, count in images.items())
        output.result(
            values, f"Sample images in {target}: {counts}.\nNext: breastai train --data {folder} --preset quick"
        )
    return 0
