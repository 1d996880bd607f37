"""Backups: one zip each in backups/, with configurations, studies, runs' records and best weights; never images."""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated

from pydantic import Field, ValidationError

from breastai.domain.errors import BackupDamaged, BackupNotFound, BreastAIError, DiskFull, WorkspaceUnusable
from breastai.domain.events import BackupCreated, BackupEntry, BackupRestored, BackupVerified, HeldBack
from breastai.domain.stored import Stored, StoredDocument
from breastai.domain.text import Text
from breastai.storage.backup_kinds import KINDS, MOST_FILES, check_lines, goes_in, packing_of, rank_of, reason_against
from breastai.storage.checkpoints import checkpoint_files, verify_checkpoint
from breastai.storage.evaluations import merge_openings, openings_file
from breastai.storage.held_back import hold_back, hold_back_dataset, own_settings
from breastai.storage.private_files import open_own, private_folder
from breastai.storage.studies import take_whole_run
from breastai.storage.workspace import Workspace, atomic_write, naming_full_disk, replace_durably

KEPT = 5
CONTENTS = "backup.json"
# Of the whole project, or of one run, made at its end. Each kind is rotated by itself, so that runs push no project out.
_BACKUP_NAME = re.compile(r"backup-\d{8}-\d{6}-[0-9a-f]{4}(-run)?\.zip")
_MOST_CONTENTS_BYTES = 64 * 2**20
MOST_HELD_BACK = 50
_CHUNK_BYTES = 2**20
_ABANDONED_S = 3600.0
_CLOCK_ERROR_S = 60.0


class BackupFile(Stored):
    """One file of a backup; `name` is relative to the workspace."""

    name: str
    size_bytes: Annotated[int, Field(ge=0)]
    sha256: str


class BackupContents(StoredDocument):
    """The list inside each backup, by which it is verified."""

    created: str
    files: list[BackupFile]


@dataclass(frozen=True)
class Backup:
    """A verified backup."""

    path: Path
    size_bytes: int
    created: str
    files: tuple[BackupFile, ...]


@dataclass(frozen=True)
class Restored:
    """What was put back, by names relative to the workspace, and which settings of it were not."""

    files: list[str]
    held_back: list[HeldBack]


def create_backup(workspace: Workspace, keep: int = KEPT, run_id: str | None = None) -> Backup:
    """Write a backup of the project, or of one run; verify it, and delete all of its kind but the latest `keep`.

    The one just made is always among them. Raise DiskFull.
    """
    created = datetime.now(UTC)
    kind = "-run" if run_id is not None else ""
    path = workspace.backups_dir / f"backup-{created:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}{kind}.zip"
    with naming_full_disk(path):
        for old in workspace.backups_dir.glob(".backup.*.tmp"):  # left by a kill
            if old.stat().st_mtime < created.timestamp() - _ABANDONED_S:
                old.unlink(missing_ok=True)
        descriptor, name = tempfile.mkstemp(dir=workspace.backups_dir, prefix=".backup.", suffix=".tmp")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                _write_zip(workspace, file, created.isoformat(timespec="seconds"), run_id)
                file.flush()
                os.fsync(file.fileno())
            _verified(temporary, path.name)
            replace_durably(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    # Whatever the clock says: the one just made is the newest.
    older = [each for each in list_backups(workspace) if is_of_a_run(each) == (run_id is not None) and each != path]
    for old in older[max(keep, 1) - 1 :]:
        with contextlib.suppress(OSError):
            old.unlink()
    return verify_backup(workspace, path.name)


def is_of_a_run(path: Path) -> bool:
    """Whether a backup was made at the end of a run, and holds that run alone."""
    return path.stem.endswith("-run")


def backup_event(made: Backup, workspace: Workspace, session_id: str | None = None) -> BackupCreated:
    """Return the event that tells of a backup."""
    size_mb = round(made.size_bytes / 1e6, 3)
    return BackupCreated(
        path=workspace.relative(made.path), size_mb=size_mb, files=len(made.files), session_id=session_id
    )


def verified_event(found: Backup) -> BackupVerified:
    """Return the event that tells of a backup proved whole."""
    size_mb = round(found.size_bytes / 1e6, 3)
    return BackupVerified(name=found.path.name, created=found.created, files=len(found.files), size_mb=size_mb)


def restored_event(name: str, restored: Restored) -> BackupRestored:
    """Return the event that tells of a backup put back."""
    files = restored.files
    return BackupRestored(name=name, files=files[:100], count=len(files), held_back=restored.held_back[:MOST_HELD_BACK])


def list_backups(workspace: Workspace) -> list[Path]:
    """Return the backups, newest first."""
    found = [path for path in workspace.backups_dir.iterdir() if _BACKUP_NAME.fullmatch(path.name) and path.is_file()]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def list_entries(workspace: Workspace) -> list[BackupEntry]:
    """Return what can be told of each backup at once, newest first. Whether it is whole, only verifying tells."""
    entries = []
    for path in list_backups(workspace):
        with contextlib.suppress(OSError):  # gone meanwhile
            facts = path.stat()
            created = datetime.fromtimestamp(facts.st_mtime, UTC).isoformat(timespec="seconds")
            kind = "run" if is_of_a_run(path) else "project"
            size_mb = round(facts.st_size / 1e6, 3)
            entries.append(BackupEntry(name=path.name, created=created, size_mb=size_mb, kind=kind))
    return entries


def backup_is_due(workspace: Workspace, every_hours: float) -> bool:
    """Return whether the newest backup of the project is older than `every_hours`, or comes from the future."""
    ages = [time.time() - path.stat().st_mtime for path in list_backups(workspace) if not is_of_a_run(path)]
    return not any(-_CLOCK_ERROR_S <= age < every_hours * 3600 for age in ages)


def verify_backup(workspace: Workspace, name: str) -> Backup:
    """Return the backup called `name` once each file in it has proved whole; raise BackupNotFound or BackupDamaged."""
    path = find_backup(workspace, name)
    contents = _verified(path, path.name)
    return Backup(path, path.stat().st_size, contents.created, tuple(contents.files))


def delete_backup(workspace: Workspace, name: str) -> str:
    """Delete the backup called `name` and return its file's name; raise BackupNotFound."""
    path = find_backup(workspace, name)
    path.unlink(missing_ok=True)
    return path.name


def restore_backup(workspace: Workspace, name: str) -> Restored:
    """Put a backup's files in their places, each whole or not at all, and return what was done.

    The whole backup is verified first, and what is there now is backed up too, so that a restore can be undone. Files
    that are not in it stay as they are, and so do the owner's settings that reach beyond the workspace (held_back.py):
    what is open, fetched, told or run elsewhere is not for a file to say that somebody sent. A backup of one run leaves
    config.json alone. How often images were judged is never lowered. A run that goes on meanwhile, or whose study does,
    is not touched: RunLocked. Nothing is written outside the workspace, not through a link either: WorkspaceUnusable.
    """
    path = find_backup(workspace, name)
    contents = _verified(path, path.name)
    if sum(file.size_bytes for file in contents.files) > shutil.disk_usage(workspace.root).free:
        raise DiskFull(path.name)
    config_name = workspace.relative(workspace.config_file)
    wanted = [file for file in contents.files if not (is_of_a_run(path) and file.name == config_name)]
    files = sorted(wanted, key=lambda file: rank_of(file.name))
    for file in files:
        _place(workspace, file.name)  # all are checked before the first is written
    with zipfile.ZipFile(path) as archive, contextlib.ExitStack() as held:
        for run_id in sorted({file.name.split("/")[1] for file in files if file.name.count("/") > 1}):
            held.enter_context(take_whole_run(workspace, run_id))
        create_backup(workspace, keep=len(list_backups(workspace)) + 1)
        beyond: list[HeldBack] = []
        put_back = []
        for file in files:
            if file.name == config_name or file.name.startswith(("configs/", "datasets/")):
                place, came = _place(workspace, file.name), archive.read(file.name)
                content, found = (
                    hold_back_dataset(came, place, workspace, file.name)
                    if file.name.startswith("datasets/")
                    else hold_back(came, own_settings(place), workspace, file.name)
                )
                beyond += found
                if content is None:
                    continue
                atomic_write(place, content)
                put_back.append(file.name)
                continue
            put_back.append(file.name)
            if file.name == workspace.relative(openings_file(workspace)):
                merge_openings(workspace, archive.read(file.name))
                continue
            with archive.open(file.name) as source:
                _restore_file(source, _place(workspace, file.name), file, path.name)
    return Restored(put_back, beyond)


def find_backup(workspace: Workspace, name: str) -> Path:
    """Return the backup `name`, looked up among those that exist; raise BackupNotFound."""
    known = {path.name: path for path in list_backups(workspace)}
    wanted = name.replace("\\", "/").removeprefix("backups/")
    if wanted not in known:
        raise BackupNotFound(name[:200], list(known))
    return known[wanted]


def _write_zip(workspace: Workspace, file: IO[bytes], created: str, run_id: str | None) -> None:
    files: list[BackupFile] = []
    with zipfile.ZipFile(file, "w") as archive:
        for path in _sources(workspace, run_id):
            name = path.relative_to(workspace.root).as_posix()
            packing = packing_of(path)
            entry = zipfile.ZipInfo(name, _zip_time())
            entry.compress_type = packing
            with open_own(path) as source, archive.open(entry, "w", force_zip64=True) as target:
                size_bytes, sha256 = _copy(source, target, None)
            files.append(BackupFile(name=name, size_bytes=size_bytes, sha256=sha256))
        contents = BackupContents(created=created, files=files)
        listing = zipfile.ZipInfo(CONTENTS, _zip_time())
        archive.writestr(listing, contents.model_dump_json(indent=1), zipfile.ZIP_DEFLATED)


def _sources(workspace: Workspace, run_id: str | None) -> Iterator[Path]:
    """Yield what a backup holds: real files of its KINDS in real folders of the workspace. Damaged checkpoints are left out."""
    run = run_id if run_id is not None else "*"
    # A run's backup speaks for that run alone.
    candidates: list[Path] = []
    if run_id is None:
        folders = (workspace.configs_dir, workspace.datasets_dir)
        candidates = [workspace.config_file, *(file for folder in folders for file in sorted(folder.glob("*.json")))]
    for pattern in ("test_sets.jsonl", f"{run}/*", f"{run}/*/*"):
        candidates += sorted(workspace.logs_dir.glob(pattern))
    for manifest in sorted(workspace.checkpoints_dir.glob(f"{run}/best.json")):
        try:
            files = checkpoint_files(workspace, manifest.parent.name, "best")
            state_file = verify_checkpoint(files).state_file
        except BreastAIError:
            continue
        candidates += [files.weights, files.manifest, *([manifest.with_name(state_file)] if state_file else [])]
    for path in candidates:
        inside = path.parent.resolve().is_relative_to(workspace.root)
        if (
            inside
            and path.is_file()
            and not path.is_symlink()
            and goes_in(path, path.relative_to(workspace.root).as_posix())
        ):
            yield path


def _zip_time() -> tuple[int, int, int, int, int, int]:
    """Return the time as a zip can hold it: a clock may be set to before 1980, a zip can't."""
    now = datetime.now()
    return max((now.year, now.month, now.day, now.hour, now.minute, now.second), (1980, 1, 1, 0, 0, 0))


def _verified(path: Path, name: str) -> BackupContents:
    """Return what a zip holds once names, sizes and hashes have proved right; raise BackupDamaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            contents = _read_contents(archive, name)
            entries = archive.infolist()
            if len(entries) > MOST_FILES:
                raise BackupDamaged(name, Text("reason.holds_more_files", {"most": MOST_FILES}))
            listed = {file.name: file for file in contents.files}
            if sorted(entry.filename for entry in entries) != sorted([*listed, CONTENTS]):
                raise BackupDamaged(name, Text("reason.holds_other_files_lists"))
            for entry in entries:
                if entry.filename != CONTENTS:
                    _verify_entry(archive, entry, listed[entry.filename], name)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise BackupDamaged(name, Text("reason.cannot_read_zip", {"error": type(error).__name__})) from None
    return contents


def _read_contents(archive: zipfile.ZipFile, name: str) -> BackupContents:
    if CONTENTS not in archive.namelist() or archive.getinfo(CONTENTS).file_size > _MOST_CONTENTS_BYTES:
        raise BackupDamaged(name, Text("reason.lacks_file", {"file": CONTENTS}))
    with archive.open(CONTENTS) as file:
        raw = file.read(_MOST_CONTENTS_BYTES)
    try:
        return BackupContents.model_validate(json.loads(raw)).check_format(f"{name}/{CONTENTS}")
    except (ValidationError, ValueError, RecursionError):
        raise BackupDamaged(name, Text("reason.cannot_read", {"file": CONTENTS})) from None


def _verify_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, listed: BackupFile, name: str) -> None:
    mode = entry.external_attr >> 16
    odd = stat.S_ISLNK(mode) or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if odd or rank_of(entry.filename) == len(KINDS):
        raise BackupDamaged(name, Text("reason.no_file_backup", {"file": entry.filename[:100]}))
    if entry.file_size != listed.size_bytes:
        raise BackupDamaged(name, Text("reason.another_size_listed", {"file": entry.filename}))
    reason = reason_against(entry)
    if reason is not None:
        raise BackupDamaged(name, reason)
    look_at = check_lines(entry.filename, lambda why: BackupDamaged(name, why))
    with archive.open(entry) as source:
        size_bytes, sha256 = _copy(source, None, listed.size_bytes, look_at)
    if (size_bytes, sha256) != (listed.size_bytes, listed.sha256):
        raise BackupDamaged(name, Text("reason.not_what_put", {"file": entry.filename}))


def _copy(
    source: IO[bytes],
    target: IO[bytes] | None,
    most_bytes: int | None,
    look_at: Callable[[bytes], None] = lambda piece: None,
) -> tuple[int, str]:
    """Copy until the end, or until past `most_bytes`; return the size and sha256 of what was read.

    `look_at` is given each piece, and may raise.
    """
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK_BYTES):
        size += len(chunk)
        digest.update(chunk)
        look_at(chunk)
        if target is not None:
            target.write(chunk)
        if most_bytes is not None and size > most_bytes:
            break
    return size, digest.hexdigest()


def _place(workspace: Workspace, name: str) -> Path:
    """Return where a file of a backup belongs; raise WorkspaceUnusable when a link would lead it elsewhere."""
    path = workspace.root / name
    if path.parent.resolve() != path.parent:
        raise WorkspaceUnusable(str(path.parent), Text("reason.link_leads_elsewhere_backup"))
    return path


def _restore_file(source: IO[bytes], path: Path, file: BackupFile, backup: str) -> None:
    private_folder(path.parent)
    with naming_full_disk(path):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as target:
                copied = _copy(source, target, file.size_bytes)
                target.flush()
                os.fsync(target.fileno())
            if copied != (file.size_bytes, file.sha256):
                raise BackupDamaged(backup, Text("reason.changed_while_read", {"file": file.name}))
            replace_durably(Path(name), path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
