"""What lies in the folders that a client may look through: the workspace and the data roots, never above them."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from breastai.domain.errors import DataOutsideRoots, PathNotFound
from breastai.domain.events import FolderShown
from breastai.domain.file_names import is_system_name, kind_of_file
from breastai.domain.list_entries import FolderEntry, FolderStep
from breastai.domain.text import Text
from breastai.server.access.allowed_paths import DataRoots
from breastai.storage.workspace import Workspace

MOST_ENTRIES = 500
# Images below folders are counted within these bounds, for all folders of a listing together.
_MOST_COUNTED, _COUNT_S = 50_000, 0.5
_LONGEST = 1000


def list_folder(roots: DataRoots, path: str | None) -> FolderShown:
    """Return what lies in a folder, folders first; None: the roots. Raise DataOutsideRoots or PathNotFound."""
    if path is None and (len(roots.roots) > 1 or roots.stores):
        return _roots(roots)
    folder = _written(roots, path or ".")
    if not folder.is_dir():
        raise PathNotFound(path or ".")
    count = _Count()
    entries = sorted(_user_entries(roots, folder), key=lambda entry: (not _is_folder(entry), entry.name.casefold()))
    shown = [_entry(roots, entry, count) for entry in entries[:MOST_ENTRIES]]
    return FolderShown(
        path=_name_of(roots, folder),
        steps=_steps(roots, folder),
        entries=shown,
        total=len(entries),
        images=sum(kind_of_file(entry.name) == "image" and not _is_folder(entry) for entry in entries),
    )


class _Count:
    """The images below folders, as far as the bounds allow."""

    def __init__(self) -> None:
        self._left, self._until = _MOST_COUNTED, time.monotonic() + _COUNT_S

    def below(self, folder: str) -> tuple[int, bool]:
        """Return how many there are, and whether there may be more. Links are not followed."""
        images, pending = 0, [folder]
        while pending:
            try:
                with os.scandir(pending.pop()) as entries:
                    for entry in entries:
                        self._left -= 1
                        if self._left < 0 or time.monotonic() > self._until:
                            return images, True
                        if is_system_name(entry.name):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(entry.path)
                        elif kind_of_file(entry.name) == "image":
                            images += 1
            except OSError:
                continue
        return images, False


def _roots(roots: DataRoots) -> FolderShown:
    count = _Count()
    entries = []
    for root in roots.roots:
        images, more = count.below(str(root))
        name = _name_of(roots, root)
        entries.append(FolderEntry(name=str(root), path=name, kind="folder", images=images, more=more))
    entries += [FolderEntry(name=store, path=store, kind="store") for store in roots.stores]
    return FolderShown(path=None, entries=entries, total=len(entries))


def _written(roots: DataRoots, path: str) -> Path:
    """Return the folder as it is written, its links not followed, after what it leads to was checked."""
    roots.check(path)
    try:
        written = Path(os.path.normpath(roots.workspace.root / Path(path).expanduser()))
    except (OSError, ValueError, RuntimeError):
        raise DataOutsideRoots(path[:300]) from None
    roots.check(str(written))
    if not any(written.is_relative_to(root) for root in roots.roots):
        return roots.workspace.resolve(path)
    return written


def _user_entries(roots: DataRoots, folder: Path) -> Iterator["os.DirEntry[str]"]:
    own = _own_folders(roots.workspace) if folder == roots.workspace.root else frozenset[str]()
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not is_system_name(entry.name) and entry.name not in own)
    except OSError as error:
        raise PathNotFound(f"{folder} ({error.strerror})") from None


def _own_folders(workspace: Workspace) -> frozenset[str]:
    """Return what BreastAI itself keeps in a workspace, where nobody looks for images."""
    folders = (workspace.logs_dir, workspace.checkpoints_dir, workspace.exports_dir, workspace.backups_dir)
    return frozenset(path.name for path in (*folders, workspace.configs_dir, workspace.config_file))


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _entry(roots: DataRoots, entry: "os.DirEntry[str]", count: _Count) -> FolderEntry:
    name = entry.name.encode("utf-8", "backslashreplace").decode()
    values = {"name": name, "path": _name_of(roots, Path(entry.path))[:_LONGEST]}
    is_folder = _is_folder(entry)
    problem: Text | None = None
    if entry.is_symlink():
        values["link"] = _printable(os.path.realpath(entry.path))
        try:
            roots.check(entry.path)
        except DataOutsideRoots:
            problem = Text("reason.link_leads_out")
        if problem is None and not Path(entry.path).exists():
            problem = Text("reason.link_leads_nowhere")
    if is_folder:
        images, more = (0, False) if problem is not None or entry.is_symlink() else count.below(entry.path)
        if problem is None and not os.access(entry.path, os.R_OK | os.X_OK):
            problem = Text("reason.folder_not_readable")
        return FolderEntry(**values, kind="folder", images=images, more=more, problem=problem)
    try:
        size = entry.stat().st_size
    except OSError:
        size = None
    return FolderEntry(**values, kind=kind_of_file(entry.name), size_bytes=size, problem=problem)


def _steps(roots: DataRoots, folder: Path) -> list[FolderStep]:
    root = max((root for root in roots.roots if folder.is_relative_to(root)), key=lambda each: len(each.parts))
    ways = [
        root,
        *(root.joinpath(*folder.relative_to(root).parts[: n + 1]) for n in range(len(folder.parts) - len(root.parts))),
    ]
    return [FolderStep(name=_printable(way.name or str(way)), path=_name_of(roots, way)) for way in ways]


def _name_of(roots: DataRoots, folder: Path) -> str:
    """Return a folder as a request names it: relative to the workspace where it lies there, links as they are."""
    own = roots.workspace.root
    return _printable(folder.relative_to(own).as_posix() if folder.is_relative_to(own) else folder.as_posix())


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
