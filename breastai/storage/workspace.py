"""The workspace: every path of a project, safe names, and writing a file so that it is never half there."""

import contextlib
import errno
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from breastai.domain.data_locations import is_remote
from breastai.domain.errors import DiskFull, NameInvalid, RunNotFound, WorkspaceUnusable
from breastai.domain.text import Text
from breastai.storage.private_files import is_own_file, make_private, make_tree_private, private_folder
from breastai.storage.remote_mirror import DATASETS, as_written, local_place

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Names Windows keeps for devices, whatever their ending.
RESERVED_NAMES = {"con", "prn", "aux", "nul", *(f"{stem}{n}" for stem in ("com", "lpt") for n in range(1, 10))}


# The folders of workspaces that this process made, the inner ones first.
_begun: list[Path] = []


def remove_unused_folders() -> None:
    """Remove the folders that opening a workspace made and nothing was put into: what failed at once leaves none."""
    for folder in sorted(set(_begun), key=lambda place: len(place.parts), reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()
    _begun.clear()


@contextlib.contextmanager
def removing_unused_folders() -> Iterator[None]:
    """Remove them where what is done meanwhile fails; a decorator, too."""
    try:
        yield
    except BaseException:
        remove_unused_folders()
        raise


@dataclass(frozen=True)
class Workspace:
    """A folder that holds a project: config.json, checkpoints/, exports/, logs/ and backups/."""

    root: Path

    @classmethod
    def open(cls, root: Path | str) -> "Workspace":
        """Return the workspace at `root`, its folders made; raise WorkspaceUnusable."""
        workspace = cls(Path(root).expanduser().resolve())
        try:
            for folder in (workspace.checkpoints_dir, workspace.exports_dir, workspace.logs_dir, workspace.backups_dir):
                if not folder.exists():
                    _begun.extend(place for place in (folder, *folder.parents) if not place.exists())
                private_folder(folder)
        except OSError as error:
            raise WorkspaceUnusable(str(root), error.strerror or str(error)) from None
        workspace._take_from_others()
        return workspace

    def _take_from_others(self) -> None:
        """Make private what an earlier version, or a copy of the folder, left readable by others."""
        for folder in (
            *(self.checkpoints_dir, self.exports_dir, self.logs_dir, self.backups_dir),
            *(self.configs_dir, self.datasets_dir),
        ):
            make_tree_private(folder)
        make_private(self.config_file)

    @property
    def config_file(self) -> Path:
        return self.root / "config.json"

    @property
    def checkpoints_dir(self) -> Path:
        return self.root / "checkpoints"

    @property
    def exports_dir(self) -> Path:
        return self.root / "exports"

    @property
    def logs_dir(self) -> Path:
        return self.root / "logs"

    @property
    def configs_dir(self) -> Path:
        """Where named configurations are; made with the first."""
        return self.root / "configs"

    @property
    def datasets_dir(self) -> Path:
        """Where descriptions of data sets are; made with the first."""
        return self.root / DATASETS

    @property
    def backups_dir(self) -> Path:
        return self.root / "backups"

    @property
    def queue_file(self) -> Path:
        """Return where the jobs that wait are kept."""
        return self.logs_dir / "queue.json"

    def run_dir(self, run_id: str) -> Path:
        """Return the log folder of a run; raise WorkspaceUnusable where a link has its name."""
        return _no_link(self.logs_dir / safe_name(run_id))

    def journal_file(self, run_id: str) -> Path:
        return self.run_dir(run_id) / "events.jsonl"

    def checkpoint_dir(self, run_id: str) -> Path:
        """Return the folder of a run's checkpoints; raise WorkspaceUnusable where a link has its name."""
        return _no_link(self.checkpoints_dir / safe_name(run_id))

    def resolve(self, path: str) -> Path:
        """Return the absolute path of what a user wrote: relative to the workspace, `~` expanded.

        Of an address of shared storage, that of its copies here.
        """
        return local_place(self.root, path).resolve()

    def relative(self, path: Path) -> str:
        """Return `path` relative to the workspace with forward slashes; absolute when it lies elsewhere.

        Of a copy of what lies on shared storage, its address.
        """
        with contextlib.suppress(ValueError):
            return path.resolve().relative_to(self.root).as_posix()
        written = as_written(path)
        return written if is_remote(written) else path.as_posix()

    def new_run_id(self) -> str:
        """Return a name for a new run that sorts by time and is not taken."""
        return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"

    def runs(self) -> list[str]:
        """Return the runs that have a journal, oldest first; what a link leads to is none."""
        return self.run_folders_with("events.jsonl")

    def run_folders_with(self, name: str) -> list[str]:
        """Return the names of the log folders that hold a file `name`, sorted; neither may be a link."""
        found = self.logs_dir.glob(f"*/{name}")
        return sorted(path.parent.name for path in found if is_own_file(path))

    def existing_run(self, run_id: str) -> str:
        """Return `run_id`; raise RunNotFound when it has no journal."""
        if not self.has_run(run_id):
            raise RunNotFound(run_id, self.runs()[-10:])
        return run_id

    def has_run(self, run_id: str) -> bool:
        """Return whether there is a journal of that name."""
        return _NAME.fullmatch(run_id) is not None and is_own_file(self.logs_dir / run_id / "events.jsonl")

    def existing_model(self, run_id: str) -> str:
        """Return `run_id` of a run, or of a model without a journal, such as one adapted to a site; raise RunNotFound."""
        return run_id if self.has_model(run_id) else self.existing_run(run_id)

    def has_model(self, run_id: str) -> bool:
        """Return whether there is a run of that name, or a model without a journal."""
        own = _NAME.fullmatch(run_id) is not None and is_own_file(self.checkpoints_dir / run_id / "best.json")
        return own or self.has_run(run_id)


def _no_link(folder: Path) -> Path:
    """Return a folder of the workspace's own; raise WorkspaceUnusable for a link, which is neither read nor written."""
    if folder.is_symlink():
        raise WorkspaceUnusable(str(folder), Text("reason.link_in_workspace"))
    return folder


def safe_name(name: str) -> str:
    """Return `name`; raise NameInvalid unless it can only be the name of a file in one folder, on every system."""
    if not _NAME.fullmatch(name) or name.endswith(".") or name.split(".")[0].lower() in RESERVED_NAMES:
        raise NameInvalid(name[:100], "letters, digits, '.', '_' and '-', at most 100")
    return name


def atomic_write(path: Path, content: bytes) -> None:
    """Write `content` so that `path` holds either what it held or all of it, also when power fails; raise DiskFull."""
    private_folder(path.parent)
    with naming_full_disk(path), _written_beside(path, content) as temporary:
        replace_durably(temporary, path)


def write_once(path: Path, content: bytes) -> None:
    """Write `content` whole, for its owner alone, unless `path` exists; raise OSError.

    Of several that begin at once the first one's stays, where the file system has links.
    """
    with _written_beside(path, content) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        except OSError:  # a file system without links
            temporary.replace(path)


@contextlib.contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[Path]:
    """Write `content` durably to a file of its owner's alone in the same folder; what is left of it goes afterwards."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def replace_durably(temporary: Path, path: Path) -> None:
    """Rename `temporary` to `path`, and make the rename itself survive a power failure where the system can."""
    temporary.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make a file that something else wrote durable, and its owner's alone."""
    make_private(path)
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable. Windows can't open folders; its renames are journalled."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Turn the system's "no space left" into DiskFull, which says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(path.name) from None
        raise
