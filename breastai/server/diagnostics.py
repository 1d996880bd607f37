"""The machine as it is now: processor, memory, disk, versions, and what server and worker use."""

import importlib.metadata
import os
import platform
import time
from functools import cache, lru_cache

import psutil

from breastai import __version__
from breastai.domain.events import SystemDiagnostics
from breastai.storage.control_groups import usable_cores
from breastai.storage.disk_use import GIB, DiskUse, disk_use
from breastai.storage.runs import RunSummaries
from breastai.storage.workspace import Workspace

_PACKAGES = (
    "torch",
    "timm",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "scikit-learn",
    "pydantic",
    "websockets",
)
_LOOK_AT_DISK_EVERY_S = 20.0
_MIB = 2**20


def measure(workspace: Workspace, started: float, worker_pid: int | None) -> SystemDiagnostics:
    """Return the figures of the machine and of our processes. `started` is the server's start on time.monotonic's clock. Takes 0.2 s: not for the loop."""
    worker = _processes(worker_pid)
    for process in worker:
        _cpu_percent(process)  # the first call only starts the clock
    cpu_percent = psutil.cpu_percent(interval=0.2)
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage(str(workspace.root))
    return SystemDiagnostics(
        cpu_percent=cpu_percent,
        cpu_count=os.cpu_count() or 1,
        usable_cores=usable_cores(),
        memory_used_gb=round((memory.total - memory.available) / GIB, 2),
        memory_total_gb=round(memory.total / GIB, 2),
        memory_percent=memory.percent,
        disk_percent=disk.percent,
        disk_free_gb=round(disk.free / GIB, 2),
        platform=platform.platform(),
        versions=versions(),
        server_memory_mb=round(psutil.Process().memory_info().rss / _MIB, 1),
        worker_memory_mb=round(sum(map(_memory, worker)) / _MIB, 1) if worker else None,
        worker_cpu_percent=round(sum(map(_cpu_percent, worker)), 1) if worker else None,
        uptime_s=round(time.monotonic() - started, 1),
    )


def measure_with_workspace(
    workspace: Workspace, runs: RunSummaries, budget_gb: float | None, started: float, worker_pid: int | None
) -> SystemDiagnostics:
    """Return the same, with what the workspace takes: all its files are looked at, once in a while."""
    found = measure(workspace, started, worker_pid)
    use = _disk_use(workspace, runs, round(time.monotonic() / _LOOK_AT_DISK_EVERY_S)).in_gb
    taken = {"workspace_gb": use["used_gb"], "workspace_spare_gb": use["spare_gb"], "disk_budget_gb": budget_gb}
    return found.model_copy(update=taken)


@lru_cache(maxsize=4)
def _disk_use(workspace: Workspace, runs: RunSummaries, turn: int) -> DiskUse:
    """Return what the workspace takes; all its files are looked at, and so only once in a while, in a `turn`."""
    return disk_use(workspace, runs, None)


@cache
def versions() -> dict[str, str | None]:
    """Return the versions of what matters, None for what is not installed; nothing is imported."""
    found: dict[str, str | None] = {"breastai": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def _processes(pid: int | None) -> list[psutil.Process]:
    """Return the worker and the processes it started."""
    if pid is None:
        return []
    try:
        worker = psutil.Process(pid)
        return [worker, *worker.children(recursive=True)]
    except psutil.Error:
        return []


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _cpu_percent(process: psutil.Process) -> float:
    try:
        return float(process.cpu_percent())
    except psutil.Error:
        return 0.0
