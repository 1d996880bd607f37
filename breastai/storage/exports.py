"""Exported models on disk: listing them and deleting one. A name is looked up among those that exist."""

from datetime import UTC, datetime
from pathlib import Path

from breastai.domain.catalog import EXPORT_FORMATS
from breastai.domain.errors import ExportNotFound
from breastai.domain.list_entries import ExportEntry
from breastai.storage.workspace import Workspace, sync_folder


def list_exports(workspace: Workspace) -> list[ExportEntry]:
    """Return the exported models, newest first."""
    entries = [_entry(workspace, path, name) for path, name in _found(workspace)]
    return sorted(entries, key=lambda entry: (entry.created, entry.path), reverse=True)


def find_export(workspace: Workspace, name: str) -> Path:
    """Return the file of the export `name`, a path as the list gives it; raise ExportNotFound."""
    known = {workspace.relative(path): path for path, _ in _found(workspace)}
    if name not in known:
        raise ExportNotFound(name[:200])
    return known[name]


def delete_export(workspace: Workspace, name: str) -> None:
    """Delete an exported model, and the file beside that describes it; raise ExportNotFound."""
    path = find_export(workspace, name)
    form = EXPORT_FORMATS[dict(_found(workspace))[path]]
    path.unlink(missing_ok=True)
    if form.description_suffix is not None:
        path.with_name(path.name.removesuffix(form.suffix) + form.description_suffix).unlink(missing_ok=True)
    sync_folder(path.parent)


def _found(workspace: Workspace) -> list[tuple[Path, str]]:
    """Return each exported model's file, and its format: that with the longest ending that fits."""
    found: dict[Path, str] = {}
    for form in sorted(EXPORT_FORMATS.values(), key=lambda form: len(form.suffix)):
        for path in (workspace.exports_dir / form.folder).glob(f"*{form.suffix}"):
            inside = path.resolve().is_relative_to(workspace.root)
            if path.is_file() and not path.is_symlink() and inside and not path.name.startswith("."):
                found[path] = form.name
    return list(found.items())


def _entry(workspace: Workspace, path: Path, name: str) -> ExportEntry:
    stat = path.stat()
    stem = path.name.removesuffix(EXPORT_FORMATS[name].suffix)
    run_id, _, kind = stem.rpartition("_")
    return ExportEntry(
        path=workspace.relative(path),
        format=name,
        size=stat.st_size,
        created=datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds"),
        checkpoint=f"{run_id}/{kind}" if run_id and kind in ("best", "last") else None,
    )
