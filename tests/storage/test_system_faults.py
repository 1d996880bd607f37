"""What the system refuses is told as what it is: a workspace that is gone or read-only, a full disk, no memory."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from breastai.domain.errors import DiskFull, OutOfMemory, WorkspaceUnusable
from breastai.domain.events import Error, Event
from breastai.domain.jobs import CreateBackup
from breastai.storage.run_recorder import as_breastai_errors
from breastai.storage.system_faults import as_system_fault
from breastai.storage.workspace import Workspace
from breastai.worker import perform


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "w")


def refused(code: int, file: object = None) -> OSError:
    return OSError(code, os.strerror(code), file)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR])
def test_a_workspace_that_can_not_be_written_is_told_of(workspace: Workspace, code: int) -> None:
    fault = as_system_fault(refused(code, str(workspace.logs_dir / "x")), workspace)
    assert isinstance(fault, WorkspaceUnusable) and "can’t be written" in str(fault)
    assert as_system_fault(refused(code, "/elsewhere/x"), workspace) is None


def test_a_full_disk_and_a_file_that_is_not_there_are_told_apart(workspace: Workspace) -> None:
    assert isinstance(as_system_fault(refused(errno.ENOSPC, str(workspace.root / "a")), workspace), DiskFull)
    missing = refused(errno.ENOENT, str(workspace.logs_dir / "a"))
    assert as_system_fault(missing, workspace) is None
    shutil.rmtree(workspace.root)
    assert "is gone" in str(as_system_fault(missing, workspace))


@pytest.mark.parametrize(
    "fault",
    [
        MemoryError(),
        refused(errno.ENOMEM),
        RuntimeError("can't start new thread"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError("libx.so: cannot allocate memory in static TLS block"),
    ],
)
def test_whoever_says_that_there_is_no_memory_is_understood(workspace: Workspace, fault: Exception) -> None:
    def job() -> object:
        raise fault
        yield

    with pytest.raises(OutOfMemory):
        list(as_breastai_errors(job(), workspace))  # type: ignore[arg-type]
    assert as_system_fault(RuntimeError("shapes do not match"), workspace) is None


def test_a_job_in_a_workspace_that_is_deleted_meanwhile_says_so(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(job: object) -> Event:
        return list(perform(job))[-1]  # type: ignore[arg-type]

    opened = Workspace.open
    monkeypatch.setattr(Workspace, "open", lambda root: (opened(root), shutil.rmtree(root))[0])
    last = told(CreateBackup(workspace=str(workspace.root)))
    assert isinstance(last, Error) and last.code == "workspace.unusable"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_workspace_is_told_of_by_every_command(workspace: Workspace) -> None:
    workspace.logs_dir.chmod(0o500)
    found = subprocess.run(
        [sys.executable, "-m", "breastai", "backup", "--workspace", str(workspace.root)], capture_output=True, text=True
    )
    workspace.logs_dir.chmod(0o700)
    assert found.returncode == 2 and "Traceback" not in found.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of address space")
@pytest.mark.parametrize("most_mib", [120, 300])
def test_with_too_little_memory_a_command_says_so(workspace: Workspace, most_mib: int) -> None:
    """As under `ulimit -v`: whatever gives way first, no traceback and no fault of our own."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (most_mib << 20, most_mib << 20))

    data = workspace.root / "data"
    (data / "benign").mkdir(parents=True)
    found = subprocess.run(
        [sys.executable, "-m", "breastai", "audit", "data"],
        cwd=workspace.root,
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert found.returncode != 0
    if most_mib > 200:
        assert "memory" in found.stderr.lower() or "no images" in found.stderr.lower(), found.stderr[-2000:]
        assert "internal" not in found.stderr
