"""`weights`: pretrained weights of one's own, added from a file, listed, and packed for a machine without internet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from breastai.commands.language import say
from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output
from breastai.domain.errors import CommandInvalid
from breastai.domain.text import Text

if TYPE_CHECKING:
    from breastai.domain.weights_record import WeightsDescription

_UNUSED_SHOWN = 3


def register(app: typer.Typer) -> None:
    weights = typer.Typer(
        name="weights", help="Pretrained weights of your own: added, listed, packed.", no_args_is_help=True
    )
    weights.command("add")(add)
    weights.command("list")(list_all)
    weights.command("pack")(pack)
    app.add_typer(weights)


def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .safetensors, .pth or .pt file, or a packed .zip.")],
    architecture: Annotated[
        str | None,
        typer.Option(
            "--architecture", metavar="NAME", help="A network of the catalogue, or timm:NAME for any of timm."
        ),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--license", metavar="TEXT", help="Their licence, such as CC-BY-NC-ND-4.0.")
    ] = None,
    seen: Annotated[
        str | None, typer.Option("--seen", metavar="SETS", help="Data sets they were made from, by comma.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="[default: the file's name]")] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Keep pretrained weights in the workspace: which tensors fit is said, and what does not is refused by name."""
    from breastai.storage.weights_folder import unpack_weights
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    if file.suffix.lower() == ".zip" and architecture is None:
        found = unpack_weights(place, file)
        with open_output(as_json) as output:
            output.result({"type": "weights", "weights": [each.model_dump() for each in found]}, _table(found))
        return 0
    if architecture is None:
        raise CommandInvalid(Text("command.weights_architecture"), "breastai weights add --help")
    return _add(place.root, file, architecture, licence, seen, name or file.stem, as_json)


def _add(
    root: Path, file: Path, architecture: str, licence: str | None, seen: str | None, name: str, as_json: bool
) -> int:
    from breastai.commands.run_job import require_packages
    from breastai.domain.catalog import architecture_of
    from breastai.domain.config import parse_config
    from breastai.storage.workspace import Workspace

    require_packages(("torch", "timm"), "train")
    checked = parse_config({"model": {"architecture": architecture}}).model.architecture
    from breastai.engine.network.weight_files import add_weights

    sets = [each.strip() for each in (seen or "").split(",") if each.strip()]
    found, names = add_weights(Workspace.open(root), file, name, architecture_of(checked), licence, sets)
    lines = [
        say(
            "cli.weights.added",
            name=found.name,
            count=found.tensors,
            architecture=found.architecture,
            prefix=found.prefix or "-",
        )
    ]
    if names.unused:
        shown = ", ".join(names.unused[:_UNUSED_SHOWN])
        lines.append(say("cli.weights.unused", count=len(names.unused), names=shown))
    if found.licence is None:
        lines.append(say("cli.weights.no_licence"))
    elif found.forbids_derivatives:
        lines.append(say("log.weights.no_derivatives", name=found.name, licence=found.licence))
    command = (
        f"breastai train --preset probe --set model.architecture={found.architecture} "
        f"--set model.weights_file=weights/{found.name}.safetensors"
    )
    values: dict[str, Any] = {"type": "weights_added", **found.model_dump(), "unused_names": list(names.unused)}
    with open_output(as_json) as output:
        output.result(values, "\n".join([*lines, say("cli.next", command=command)]))
    return 0


def list_all(workspace: WorkspaceOption = CURRENT_FOLDER, as_json: JsonOption = False) -> int:
    """List the weights of the workspace: network, licence, what they were made from, size."""
    from breastai.storage.weights_folder import list_weights
    from breastai.storage.workspace import Workspace

    found = list_weights(Workspace.open(workspace))
    with open_output(as_json) as output:
        output.result({"type": "weights", "weights": [each.model_dump() for each in found]}, _table(found))
    return 0


def pack(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The .zip to write.")],
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Which weights [default: all].")] = None,
    fetched: Annotated[
        bool, typer.Option("--fetched", help="Add those of the catalogue that this machine has fetched from the hub.")
    ] = False,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Write weights as one file for a machine without internet; `breastai weights add FILE` there takes them in."""
    from breastai.storage.weights_folder import pack_weights
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    if fetched:
        from breastai.engine.network.weights import keep_fetched

        keep_fetched(place)
    found = pack_weights(place, names or [], target.expanduser().resolve())
    with open_output(as_json) as output:
        values = {"type": "weights_packed", "path": str(target), "weights": [each.model_dump() for each in found]}
        output.result(values, "\n".join([say("cli.weights.packed", count=len(found), path=str(target)), _table(found)]))
    return 0


def _table(found: "list[WeightsDescription]") -> str:
    """Return a line for each file of weights."""
    if not found:
        return say("cli.weights.none")
    return "\n".join(
        say(
            "cli.weights.row",
            name=each.name,
            architecture=each.architecture,
            licence=each.licence or say("cli.weights.unknown"),
            seen=", ".join(each.seen) or say("cli.weights.unknown"),
            size=round(each.size_bytes / 1e6, 1),
        )
        for each in found
    )
