"""Many short runs one after another on one server: memory, handles, threads and disk must be flat at the end.

    python benchmarks/soak.py [RUNS] [--every N] [--spread PERCENT]

Each run is begun by a request over one connection and awaited to its end, by default 300 of them. Every N runs the
server process is measured, and the workspace without the runs' own folders and checkpoints (which are deleted, as a
user would). At the end the last third of the figures is compared with the third before it.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
from kill_anywhere import LIFE_S, ServerLife, asked, small_config
from websockets.sync.client import ClientConnection, connect

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import overlay
from breastai.storage.workspace import Workspace

ALLOWED_THREADS = 2
ALLOWED_HANDLES = 3


def figures(server: psutil.Process, workspace: Workspace) -> dict[str, float]:
    """Return what must not grow."""
    with server.oneshot():
        return {
            "memory_mb": round(server.memory_info().rss / 2**20, 2),
            "handles": server.num_fds() if hasattr(server, "num_fds") else server.num_handles(),
            "threads": server.num_threads(),
            "children": len(server.children(recursive=True)),
            "disk_mb": round(sum(path.stat().st_size for path in workspace.root.rglob("*") if path.is_file()) / 1e6, 2),
        }


def one_run(socket: ClientConnection) -> str:
    """Begin a run and wait for its end; return its name."""
    started = asked(socket, "start_training")
    while True:
        event: dict[str, Any] = json.loads(socket.recv(timeout=LIFE_S))
        if event["type"] in ("training_complete", "training_stopped"):
            assert event["type"] == "training_complete", event
        if event["type"] == "status" and event["snapshot"]["state"] == "idle":
            return str(started["run_id"])


def grown(measured: list[dict[str, float]], spread: float) -> list[str]:
    """Return what has grown from the middle third to the last one."""
    third = len(measured) // 3
    if not third:
        return []
    faults = []
    for name in measured[0]:
        before = statistics.median(row[name] for row in measured[third : 2 * third])
        after = statistics.median(row[name] for row in measured[-third:])
        allowed = {"handles": ALLOWED_HANDLES, "threads": ALLOWED_THREADS, "children": 0}.get(name, before * spread)
        if after - before > allowed:
            faults.append(f"{name} grew from {before} to {after}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=int, nargs="?", default=300)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--spread", type=float, default=2.0, help="growth allowed in memory and disk, in percent")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="soak-"))
    write_sample_data(root / "data", per_class=6, seed=3, image_size=64)
    workspace = Workspace.open(root / "workspace")
    shutil.copytree(root / "data", workspace.root / "data")
    settings = small_config(Path("data")).model_dump(mode="json")
    short = {"training": {"epochs": 1}, "storage": {"backup_after_run": True, "resume_interrupted": False}}
    workspace.config_file.write_text(json.dumps(overlay(settings, short)), encoding="utf-8")
    measured: list[dict[str, float]] = []
    life = ServerLife(workspace)
    try:
        server = psutil.Process(life.pid)
        with connect(life.url, max_size=None) as socket:
            for number in range(1, arguments.runs + 1):
                asked(socket, "delete_run", run_id=one_run(socket))
                if number % arguments.every == 0:
                    measured.append(figures(server, workspace))
                    print(json.dumps({"runs": number, **measured[-1]}), flush=True)
    finally:
        life.kill(worker_too=True)
        shutil.rmtree(root, ignore_errors=True)
    faults = grown(measured, arguments.spread / 100)
    print(*(faults or ["flat"]), sep="\n")
    return int(bool(faults))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (subprocess.SubprocessError, OSError) as error:
        sys.exit(str(error))
