"""What control groups leave to this process."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from breastai.storage import control_groups
from breastai.storage.control_groups import cpu_quotas, limit_library_threads, usable_cores


def tree(root: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


@pytest.mark.parametrize(
    ("membership", "files", "quotas"),
    [
        ("0::/\n", {"cpu.max": "100000 100000\n"}, [1.0]),
        ("0::/\n", {"cpu.max": "max 100000\n"}, []),
        ("0::/job/step\n", {"job/step/cpu.max": "max 100000\n", "job/cpu.max": "250000 100000\n"}, [2.5]),
        ("0::/job/step\n", {"job/step/cpu.max": "400000 100000\n", "job/cpu.max": "150000 50000\n"}, [4.0, 3.0]),
        (
            "4:cpu,cpuacct:/docker/a\n0::/\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"},
            [0.5],
        ),
        (
            "1:cpu:/a\n2:cpuset:/\n",
            {
                "cpu/a/cpu.cfs_quota_us": "-1\n",
                "cpu/a/cpu.cfs_period_us": "100000\n",
                "cpu/cpu.cfs_quota_us": "300000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            [3.0],
        ),
        ("0::/\n", {"cpu.max": "what\n"}, []),
        ("0::/../outside\n", {"cpu.max": "200000 100000\n"}, [2.0]),
    ],
)
def test_the_quotas_of_all_groups_above_are_found_in_either_version(
    tmp_path: Path, membership: str, files: Mapping[str, str], quotas: list[float]
) -> None:
    told = tmp_path / "cgroup"
    told.write_text(membership)
    tree(tmp_path / "fs", files)
    assert list(cpu_quotas(told, tmp_path / "fs")) == quotas


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert list(cpu_quotas(tmp_path / "none", tmp_path)) == []


@pytest.mark.parametrize(("quotas", "cores"), [([], 64), ([1.0], 1), ([0.2], 1), ([2.5, 8.0], 3), ([100.0], 64)])
def test_the_tightest_of_affinity_and_quotas_counts(
    monkeypatch: pytest.MonkeyPatch, quotas: list[float], cores: int
) -> None:
    monkeypatch.setattr(control_groups, "_affinity", lambda: 64)
    monkeypatch.setattr(control_groups, "cpu_quotas", lambda: iter(quotas))
    assert usable_cores() == cores


def test_libraries_start_no_more_threads_than_a_quota_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_groups, "_affinity", lambda: 64)
    monkeypatch.setattr(control_groups, "cpu_quotas", lambda: iter([2.0]))
    monkeypatch.setattr(os, "environ", {"MKL_NUM_THREADS": "5"})
    limit_library_threads()
    assert os.environ == {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "5"}


def test_without_a_quota_the_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_groups, "cpu_quotas", lambda: iter([]))
    monkeypatch.setattr(os, "environ", {})
    limit_library_threads()
    assert os.environ == {}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux sets the processors of a process")
def test_fewer_processors_are_seen_by_a_process_that_has_fewer() -> None:
    script = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from breastai.storage.control_groups import usable_cores; print(usable_cores())"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == "1"
