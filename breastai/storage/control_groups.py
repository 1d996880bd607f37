"""Control groups: how many processors and how much memory a container or a batch system leaves to this process."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MEMBERSHIP = Path("/proc/self/cgroup")
_ROOT = Path("/sys/fs/cgroup")
# Read by OpenMP, OpenBLAS and MKL when they are loaded, and inherited by what a process starts.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class ControlGroup:
    """A group this process is in: its folder, and the version, 1 or 2, that says how its files are called."""

    folder: Path
    version: int


def control_groups(controller: str, membership: Path = _MEMBERSHIP, root: Path = _ROOT) -> Iterator[ControlGroup]:
    """Yield the groups of a controller (cpu, memory) above this process, innermost first; none where there are none.

    A container may see its own group as the root, or be told a path of the host that it can't see; both are passed
    through up to the root.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        controllers, place = line.split(":", 2)[1:]
        if controllers == "":
            base, version = root, 2
        elif controller in controllers.split(","):
            together = root / controllers
            base, version = together if together.is_dir() else root / controller, 1
        else:
            continue
        folder = base / place.lstrip("/")
        for group in (folder, *folder.parents):
            if not group.is_relative_to(base):
                break
            yield ControlGroup(group, version)


def usable_cores() -> int:
    """Return how many threads can compute at once here: the processors this process may use, or less by a quota.

    The quota is that of the tightest group, rounded up. Read anew at each call.
    """
    return min([_affinity(), *(max(1, math.ceil(quota)) for quota in cpu_quotas())])


def cpu_quotas(membership: Path = _MEMBERSHIP, root: Path = _ROOT) -> Iterator[float]:
    """Yield the processors that each control group above this process is limited to."""
    for group in control_groups("cpu", membership, root):
        try:
            if group.version == 2:
                quota, period = (group.folder / "cpu.max").read_text(encoding="ascii").split()
            else:
                quota = (group.folder / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
                period = (group.folder / "cpu.cfs_period_us").read_text(encoding="ascii")
        except (OSError, ValueError):
            continue
        if quota not in ("max", "-1"):
            yield int(quota) / int(period)


def limit_library_threads() -> None:
    """Have the numerical libraries that are loaded after this start no more threads than a quota leaves.

    They count the machine's processors, and wait for each other by spinning: with 64 threads on a quota of one core a
    product of matrices takes many times as long. What a user has set is left alone.
    """
    cores = usable_cores()
    if cores < _affinity():
        for variable in _THREAD_VARIABLES:
            os.environ.setdefault(variable, str(cores))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
