"""A run on a real disk that is full at each of its writes: a small tmpfs, filled to the brim. Needs root and Linux.

    python benchmarks/disk_full.py [ROOMS]

A run is begun with so little room that it must stop for want of it: none, then a step more, up to all it needs, ROOMS
times (default 12). Whenever it says that it waits, every checkpoint there is must be whole; then the room is given back,
and the run must come to the weights of one that never lacked any.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kill_anywhere import small_config

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import Config, overlay, parse_config
from breastai.domain.events import Event
from breastai.domain.jobs import Resume, Train
from breastai.storage.checkpoints import checkpoint_files, list_checkpoints, verify_checkpoint
from breastai.storage.private_files import file_sha256
from breastai.storage.workspace import Workspace
from breastai.worker import perform

SIZE_MIB = 512
KINDS = ("best", "last")


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """Mount a tmpfs at `place` for as long as the block runs."""
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path, leave_bytes: int) -> Path:
    """Fill a disk but for so many bytes; return the file that does."""
    filler = disk / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(disk).free - leave_bytes))
    return filler


def weights(workspace: Workspace) -> dict[str, str]:
    return {kind: file_sha256(checkpoint_files(workspace, "run", kind).weights) for kind in KINDS}


def run_in_little_room(disk: Path, config: Config, leave_bytes: int) -> tuple[dict[str, str], str]:
    """Run with so much room, giving back the rest at the first word of want; return the weights and what was said."""
    workspace = Workspace.open(disk / "workspace")
    filler = fill(disk, leave_bytes)
    said: list[str] = []
    job: Train | Resume = Train(workspace=str(workspace.root), run_id="run", config=config)
    for _ in range(2):
        last: Event | None = None
        for last in perform(job):
            code = getattr(last, "code", None)
            if code in ("disk.waiting", "disk.full", "backup.failed"):
                said.append(f"{code} ({getattr(last, 'params', {}).get('path', '')})")
                assert_whole(workspace)
                filler.unlink(missing_ok=True)
        assert_whole(workspace)
        if last is not None and last.type == "training_complete":
            break
        # Before the run left a trace there is nothing to resume: it is begun again.
        filler.unlink(missing_ok=True)
        if workspace.journal_file("run").is_file() and workspace.journal_file("run").stat().st_size:
            job = Resume(workspace=str(workspace.root), run_id="run")
    return weights(workspace), ", then ".join(said) or "nothing lacked"


def assert_whole(workspace: Workspace) -> None:
    for kind in KINDS:
        files = checkpoint_files(workspace, "run", kind)
        if files.manifest.is_file():
            verify_checkpoint(files)
    assert not [entry for entry in list_checkpoints(workspace) if entry.problem]


def main() -> int:
    rooms = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    root = Path(tempfile.mkdtemp(prefix="disk-full-"))
    try:
        write_sample_data(root / "data", per_class=14, seed=3, image_size=64)
        changes = {"training": {"epochs": 2}, "storage": {"backup_after_run": True}}
        config = parse_config(overlay(small_config(root / "data").model_dump(mode="json"), changes))
        with small_disk(root / "whole") as disk:
            whole, _ = run_in_little_room(disk, config, SIZE_MIB * 2**20)
            used = sum(path.stat().st_size for path in disk.rglob("*") if path.is_file())
        faults = 0
        for number in range(rooms):
            leave_bytes = used * number // max(1, rooms - 1)
            with small_disk(root / f"disk-{number}") as disk:
                found, said = run_in_little_room(disk, config, leave_bytes)
            faults += found != whole
            equal = "the same weights" if found == whole else "OTHER WEIGHTS"
            print(json.dumps({"room_mb": round(leave_bytes / 1e6, 2), "said": said, "result": equal}), flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
