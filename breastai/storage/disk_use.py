"""What a workspace takes on disk, its budget, and what complete runs keep beside their best weights. Nothing is deleted."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from breastai.domain.list_entries import RunEntry
from breastai.storage.checkpoints import checkpoint_kinds
from breastai.storage.runs import RunSummaries
from breastai.storage.workspace import Workspace

GIB = 2**30


@dataclass(frozen=True)
class DiskUse:
    """Bytes of checkpoints, exports, logs and backups. `spare_bytes`: what `breastai runs --prune` would free of them."""

    used_bytes: int
    spare_bytes: int
    budget_gb: float | None = None

    @property
    def is_over(self) -> bool:
        return self.budget_gb is not None and self.used_bytes > self.budget_gb * GIB

    @property
    def in_gb(self) -> dict[str, float]:
        """The numbers as texts have them, in GiB."""
        return {
            "used_gb": round(self.used_bytes / GIB, 2),
            "spare_gb": round(self.spare_bytes / GIB, 2),
            "budget_gb": self.budget_gb or 0.0,
        }


def disk_use(workspace: Workspace, runs: RunSummaries, budget_gb: float | None) -> DiskUse:
    """Return what the workspace's own folders take, a file with several names once."""
    folders = (workspace.checkpoints_dir, workspace.exports_dir, workspace.logs_dir, workspace.backups_dir)
    sizes = {(found.st_dev, found.st_ino): found.st_size for folder in folders for found in _files_below(folder)}
    names = spare_checkpoints(workspace, runs.from_journals())
    spare = [path for name in names for path in checkpoint_paths(workspace, name)]
    return DiskUse(sum(sizes.values()), freed_bytes(spare), budget_gb)


def spare_checkpoints(workspace: Workspace, entries: Iterable[RunEntry]) -> Iterator[str]:
    """Yield the checkpoints that complete runs keep beside their best weights: their resume points, their other epochs."""
    for entry in entries:
        kinds = checkpoint_kinds(workspace, entry.run_id) if entry.state == "complete" else []
        if "best" in kinds:
            yield from (f"{entry.run_id}/{kind}" for kind in kinds if kind != "best")


def checkpoint_paths(workspace: Workspace, name: str) -> list[Path]:
    """Return the files of a checkpoint, those kept behind it included."""
    run_id, _, kind = name.partition("/")
    try:
        return [file for file in workspace.checkpoint_dir(run_id).iterdir() if file.name.partition(".")[0] == kind]
    except OSError:  # gone meanwhile
        return []


def freed_bytes(paths: Iterable[Path]) -> int:
    """Return what deleting these files would free: of one that has other names besides, nothing."""
    names: dict[tuple[int, int], int] = {}
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    for path in paths:
        try:
            found = path.lstat()
        except OSError:  # gone meanwhile
            continue
        key = (found.st_dev, found.st_ino)
        names[key] = names.get(key, 0) + 1
        sizes[key] = (found.st_size, found.st_nlink)
    return sum(size for key, (size, links) in sizes.items() if names[key] >= links)


def _files_below(folder: Path) -> Iterator[os.stat_result]:
    """Yield what is known of each file below a folder; links are not followed."""
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                yield Path(place, name).lstat()
            except OSError:  # gone meanwhile
                continue
