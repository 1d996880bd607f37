"""Saving a checkpoint so that a kill at any moment leaves one whole, and falling back on an earlier one that is.

Beside `last.safetensors` and `last.json` lie those before, `last.000007.safetensors` and `.json`, as many as are kept.
They are links to the same content, not copies, where the file system can do that.
"""

import contextlib
import json
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from breastai.domain.errors import CheckpointDamaged, CheckpointNotFound
from breastai.domain.events import Log
from breastai.domain.text import Text
from breastai.storage.checkpoints import (
    CheckpointFiles,
    Manifest,
    next_manifest,
    parse_manifest,
    verify_checkpoint,
)
from breastai.storage.private_files import file_sha256, private_folder
from breastai.storage.workspace import (
    atomic_write,
    naming_full_disk,
    replace_durably,
    sync_file,
    sync_folder,
)

DAMAGED = "damaged"


def waiting_for_room(path: str, called: str) -> Log:
    """Return the event that tells of a run that waits because the disk is full; `called`: the file in plain words."""
    return Log(
        level="warning",
        code="disk.waiting",
        message=f"No space left to write {called}. Nothing written before is damaged. The run waits, and goes on by "
        "itself when there is room: delete old checkpoints, backups or other files, or stop the run.",
        params={"path": path},
    )


@dataclass(frozen=True)
class Found:
    """A checkpoint proved whole. `damage`: what was wrong with a newer one, now kept aside in `aside`."""

    manifest: Manifest
    damage: Text | str | None = None
    aside: Path | None = None


def save_checkpoint(
    files: CheckpointFiles,
    manifest: Manifest,
    write_weights: Callable[[Path], None],
    write_state: Callable[[Path], None] | None = None,
    keep: int = 1,
) -> Manifest:
    """Save a checkpoint so that a kill at any moment leaves either the old one or the new one whole.

    The state gets a name of its own, the new manifest is laid beside, then weights and manifest are renamed in that
    order, and only then what is no longer kept goes: `keep` counts the new one. Returns the manifest with names,
    sizes and hashes filled in; raises DiskFull with nothing changed.
    """
    folder = files.weights.parent
    kind = files.weights.stem
    temporary = folder / f".{kind}.weights.tmp"
    values: dict[str, Any] = {"weights_file": files.weights.name}
    state = folder / f"{kind}.state-{secrets.token_hex(4)}.safetensors" if write_state is not None else None
    with naming_full_disk(files.weights):
        private_folder(folder)
        _settle(files)
        try:
            if write_state is not None and state is not None:
                write_state(state)
                sync_file(state)
                values |= {"state_file": state.name, "state_sha256": file_sha256(state)}
            write_weights(temporary)
            sync_file(temporary)
            values |= {"sha256": file_sha256(temporary), "size_bytes": temporary.stat().st_size}
            complete = manifest.model_copy(update=values)
            content = json.dumps(complete.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
            atomic_write(next_manifest(files), content.encode())
            if keep > 1:
                _keep_present(files)
        except BaseException:
            for path in (temporary, next_manifest(files), *([state] if state is not None else [])):
                path.unlink(missing_ok=True)
            raise
        replace_durably(temporary, files.weights)
        replace_durably(next_manifest(files), files.manifest)
    _forget(files, keep)
    return complete


def load_newest_valid(files: CheckpointFiles) -> Found:
    """Return a checkpoint once it is proved whole, or, if it is damaged, the newest one before it that is.

    What is damaged is moved to the folder damaged/ and named; the one used takes its place. Raise CheckpointDamaged
    when none is whole, CheckpointNotFound when there never was one.
    """
    earlier = _earlier(files)
    if not files.manifest.is_file() and not files.weights.is_file() and not earlier:
        raise CheckpointNotFound(files.name, [])
    _settle(files)
    try:
        return Found(verify_checkpoint(files))
    except CheckpointDamaged as error:
        for candidate in reversed(earlier):
            with contextlib.suppress(CheckpointDamaged):
                verify_checkpoint(candidate)
                aside = _move_aside(files)
                _put_in_place(candidate, files)
                return Found(verify_checkpoint(files), error.reason, aside)
        raise


def _settle(files: CheckpointFiles) -> None:
    """Finish, or forget, what a kill in the middle of a save left."""
    coming = next_manifest(files)
    if coming.is_file():
        with contextlib.suppress(CheckpointDamaged, OSError):
            if parse_manifest(files, coming).sha256 == file_sha256(files.weights):
                replace_durably(coming, files.manifest)
        coming.unlink(missing_ok=True)
    for path in files.weights.parent.glob(f".{files.weights.stem}.*.tmp"):
        path.unlink(missing_ok=True)


def _keep_present(files: CheckpointFiles) -> None:
    """Give the present checkpoint, if there is one, a second name that the coming one does not take."""
    if not files.weights.is_file() or not files.manifest.is_file():
        return
    earlier = _earlier(files)
    number = int(earlier[-1].weights.stem.rpartition(".")[2]) + 1 if earlier else 1
    kept = _numbered(files, number)
    kept.weights.unlink(missing_ok=True)  # left by a kill between the two links
    _link(files.weights, kept.weights)
    _link(files.manifest, kept.manifest)
    sync_folder(files.weights.parent)


def _forget(files: CheckpointFiles, keep: int) -> None:
    """Remove what is older than the `keep` newest checkpoints, and what belongs to none of them."""
    earlier = _earlier(files)
    kept = earlier[len(earlier) - min(len(earlier), keep - 1) :]
    wanted = {path.name for each in kept for path in (each.weights, each.manifest)}
    folder, kind = files.weights.parent, files.weights.stem
    for manifest in (files.manifest, *(each.manifest for each in kept)):
        try:
            wanted.add(str(json.loads(manifest.read_bytes()).get("state_file")))
        except (OSError, ValueError, AttributeError):
            return  # whoever can't tell what belongs to whom removes nothing
    pattern = re.compile(rf"{re.escape(kind)}\.(\d{{6}}\.(json|safetensors)|state-[0-9a-f]+\.safetensors)")
    # Manifests first: weights without one are never taken for a checkpoint.
    for path in sorted(folder.glob(f"{kind}.*"), key=lambda path: path.suffix):
        if pattern.fullmatch(path.name) and path.name not in wanted:
            path.unlink(missing_ok=True)


def _earlier(files: CheckpointFiles) -> list[CheckpointFiles]:
    """Return those before the present one, oldest first."""
    pattern = re.compile(rf"{re.escape(files.weights.stem)}\.(\d{{6}})\.json")
    found = [pattern.fullmatch(path.name) for path in files.weights.parent.glob(f"{files.weights.stem}.*.json")]
    return [_numbered(files, number) for number in sorted(int(match[1]) for match in found if match)]


def _numbered(files: CheckpointFiles, number: int) -> CheckpointFiles:
    stem = f"{files.weights.stem}.{number:06d}"
    folder = files.weights.parent
    return CheckpointFiles(files.name, folder / f"{stem}.safetensors", folder / f"{stem}.json")


def _move_aside(files: CheckpointFiles) -> Path:
    """Move a damaged checkpoint's files where nobody takes them for a sound one."""
    folder = files.weights.parent / DAMAGED
    private_folder(folder)
    stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    for path in (files.manifest, next_manifest(files), files.weights):
        if path.is_file():
            path.replace(folder / f"{stamp}.{path.name}")
    return folder


def _put_in_place(source: CheckpointFiles, files: CheckpointFiles) -> None:
    for path, place in ((source.weights, files.weights), (source.manifest, files.manifest)):
        temporary = place.with_name(f".{place.name}.tmp")
        temporary.unlink(missing_ok=True)
        _link(path, temporary)
        replace_durably(temporary, place)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; copy it where the file system has no links."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
        sync_file(target)


def fallback_log(found: Found, files: CheckpointFiles) -> Log | None:
    """Return the event that tells of a damaged checkpoint and the one used in its place; None when it was whole."""
    if found.damage is None or found.aside is None:
        return None
    return Log(
        level="warning",
        code="checkpoint.fallen_back",
        message=f"The checkpoint {files.name} was damaged ({found.damage}). It is kept in {found.aside.name}/ beside it; "
        "the run goes on from the one before, and does again what came after.",
        params={"checkpoint": files.name, "reason": found.damage, "folder": found.aside.name},
    )
