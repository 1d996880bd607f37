"""Pretrained weights of a workspace: weights/NAME.safetensors and beside it what is known of them; packed and unpacked."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from breastai.domain.errors import FormatTooNew, NameInvalid, WeightsInvalid, WeightsNotFound
from breastai.domain.text import Text
from breastai.domain.weights_record import WeightsDescription
from breastai.storage.private_files import file_sha256, make_private, open_private, private_folder
from breastai.storage.workspace import Workspace, atomic_write, naming_full_disk, replace_durably, safe_name

FOLDER = "weights"
_SUFFIX = ".safetensors"
_MOST_PACKED = 200
_BLOCK_BYTES = 2**20


def weights_path(workspace: Workspace, name: str) -> Path:
    """Return where the weights NAME lie; raise NameInvalid."""
    return workspace.root / FOLDER / f"{safe_name(name)}{_SUFFIX}"


def list_weights(workspace: Workspace) -> list[WeightsDescription]:
    """Return what is known of each file of weights, by name; what can't be read is left out."""
    found = []
    for path in sorted((workspace.root / FOLDER).glob(f"*{_SUFFIX}")):
        try:
            description = description_beside(path)
        except (WeightsInvalid, FormatTooNew):
            continue
        if description is not None:
            found.append(description)
    return found


def description_beside(path: Path) -> WeightsDescription | None:
    """Return what is known of a file of weights, None where nothing lies beside it; raise WeightsInvalid."""
    beside = path.with_suffix(".json")
    if path.suffix != _SUFFIX or not beside.is_file():
        return None
    return _parsed(beside.read_bytes(), beside.name)


def verified_description(path: Path) -> WeightsDescription | None:
    """Return the same once the file's hash is the one written down; raise WeightsInvalid where it is another."""
    description = description_beside(path)
    if description is not None and description.sha256 != file_sha256(path, own=False):
        raise WeightsInvalid(str(path), Text("reason.weights_changed"))
    return description


def keep_weights(
    workspace: Workspace, name: str, write: Callable[[Path], None], described: Mapping[str, Any]
) -> WeightsDescription:
    """Have `write` make the file of weights NAME, and keep beside it what is known of it; the description last.

    Raises NameInvalid or DiskFull. Weights of that name that were there are replaced.
    """
    path = weights_path(workspace, name)
    private_folder(path.parent)
    with naming_full_disk(path), tempfile.TemporaryDirectory(dir=path.parent, prefix=".adding-") as folder:
        unfinished = Path(folder) / path.name
        write(unfinished)
        make_private(unfinished)
        description = WeightsDescription.model_validate(
            {**described, "sha256": file_sha256(unfinished, own=False), "size_bytes": unfinished.stat().st_size}
        )
        path.with_suffix(".json").unlink(missing_ok=True)
        replace_durably(unfinished, path)
    atomic_write(path.with_suffix(".json"), (description.model_dump_json(indent=1) + "\n").encode())
    return description


def pack_weights(workspace: Workspace, names: Sequence[str], target: Path) -> list[WeightsDescription]:
    """Write the weights of some names, all where none is given, as one zip; raise WeightsNotFound or DiskFull."""
    known = {each.name: each for each in list_weights(workspace)}
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None or not known:
        raise WeightsNotFound(unknown or "*", list(known) or ["-"])
    chosen = [known[name] for name in names or known]
    private_folder(target.parent)
    unfinished = target.with_name(f".{target.name}.tmp")
    with naming_full_disk(target):
        try:
            with (
                open_private(unfinished, "wb") as stream,
                zipfile.ZipFile(stream, "w") as packed,
            ):  # weights don't shrink
                for each in chosen:
                    path = weights_path(workspace, each.name)
                    packed.write(path, path.name)
                    packed.write(path.with_suffix(".json"), path.with_suffix(".json").name)
            replace_durably(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)
    return chosen


def unpack_weights(workspace: Workspace, archive: Path) -> list[WeightsDescription]:
    """Keep the weights of a zip that `pack_weights` wrote, each with its hash verified; raise WeightsInvalid."""
    found = []
    try:
        with zipfile.ZipFile(archive) as packed:
            described = [name for name in packed.namelist() if name.endswith(".json")]
            if not described or len(described) > _MOST_PACKED:
                raise WeightsInvalid(str(archive), Text("reason.no_pack_of_weights"))
            for name in described:
                description = _parsed(packed.read(name), name)
                if name != f"{safe_name(description.name)}.json":
                    raise WeightsInvalid(str(archive), Text("reason.no_pack_of_weights"))
                found.append(_unpack(workspace, packed, description))
    except (zipfile.BadZipFile, KeyError, NameInvalid, EOFError, NotImplementedError):
        raise WeightsInvalid(str(archive), Text("reason.no_pack_of_weights")) from None
    return found


def _unpack(workspace: Workspace, packed: zipfile.ZipFile, description: WeightsDescription) -> WeightsDescription:
    def write(target: Path) -> None:
        with packed.open(f"{description.name}{_SUFFIX}") as content, open_private(target, "wb") as file:
            shutil.copyfileobj(content, file, _BLOCK_BYTES)
        if file_sha256(target, own=False) != description.sha256:
            raise WeightsInvalid(f"{description.name}{_SUFFIX}", Text("reason.weights_changed"))

    return keep_weights(workspace, description.name, write, description.model_dump())


def _parsed(content: bytes, name: str) -> WeightsDescription:
    try:
        return WeightsDescription.model_validate_json(content).check_format(name)
    except ValidationError:
        raise WeightsInvalid(name, Text("reason.no_description_of_weights")) from None
