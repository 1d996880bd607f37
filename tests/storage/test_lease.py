"""A lease: one process holds a run; who does is seen without a lock, by the kernel where it can say, else by a record."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from breastai.domain.errors import RunLocked
from breastai.domain.study import Study
from breastai.storage import lease
from breastai.storage.lease import HOLDER, UNKNOWN, Holder, Lease
from breastai.storage.studies import save_study, take_whole_run
from breastai.storage.workspace import Workspace

HOLDING = (
    "import sys\nfrom breastai.storage.lease import Lease\nfrom breastai.storage.workspace import Workspace\n"
    "with Lease(Workspace.open(sys.argv[1])).take('run'):\n    print('held', flush=True)\n    sys.stdin.read()\n"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path)


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(lock: Path) -> bool:
        raise OSError("not supported")

    monkeypatch.setattr(lease, "_is_described", unable)


@pytest.mark.parametrize("asked", ["the kernel", "the record"])
def test_a_run_is_held_as_long_as_its_process_lives(
    workspace: Workspace, asked: str, request: pytest.FixtureRequest
) -> None:
    if asked == "the record":
        request.getfixturevalue("no_kernel")
    assert not Lease(workspace).holder("run")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(workspace.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        holder = Lease(workspace).holder("run")
        assert holder is not None and holder.pid == other.pid
        with pytest.raises(RunLocked), Lease(workspace).take("run"):
            pass
        other.kill()
    assert not Lease(workspace).holder("run")
    with Lease(workspace).take("run"):
        assert Lease(workspace).holder("run")
    assert not Lease(workspace).holder("run")
    assert not (workspace.run_dir("run") / HOLDER).exists()


def test_looking_never_keeps_anyone_from_taking_the_run(workspace: Workspace) -> None:
    looking = (
        "import sys\nfrom breastai.storage.lease import Lease\nfrom breastai.storage.workspace import Workspace\nplace = Workspace.open(sys.argv[1])\n"
        "print('looks', flush=True)\nwhile True:\n    Lease(place).holder('run')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", looking, str(workspace.root)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "looks\n"
        for _ in range(200):
            with Lease(workspace).take("run"):
                pass
        other.kill()


RECORDS: dict[str, tuple[Callable[[Holder], str], bool]] = {
    "this process": (lambda holder: holder.model_dump_json(), True),
    "an earlier process of the same number": (
        lambda holder: holder.model_copy(update={"started": holder.started - 60}).model_dump_json(),
        False,
    ),
    "a process that is gone": (lambda holder: holder.model_copy(update={"pid": 2**22 + 1}).model_dump_json(), False),
    "another machine": (lambda holder: holder.model_copy(update={"host": "elsewhere"}).model_dump_json(), True),
    "half a record": (lambda holder: holder.model_dump_json()[:20], False),
}


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_counts_only_for_the_very_process_it_names(workspace: Workspace, no_kernel: None, record: str) -> None:
    text, held = RECORDS[record]
    workspace.run_dir("run").mkdir()
    here = Holder(host=lease.socket.gethostname(), pid=os.getpid(), started=psutil.Process().create_time())
    (workspace.run_dir("run") / HOLDER).write_text(text(here))
    assert (Lease(workspace).holder("run") is not None) is held


def test_a_run_is_taken_though_nothing_can_be_left_for_others_to_see(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **named: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(lease, "open_private", full)
    with contextlib.ExitStack() as held:
        held.enter_context(Lease(workspace).take("run"))
    assert not Lease(workspace).holder("run")
    with contextlib.ExitStack() as held:
        held.enter_context(Lease(workspace).take("run"))
        (workspace.run_dir("run") / HOLDER).unlink(missing_ok=True)
        assert Lease(workspace).holder("run") == (UNKNOWN if sys.platform == "linux" else None)


def test_taking_waits_for_a_holder_that_is_about_to_end(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "WAIT_S", 30.0)
    seen: list[lease.Holder | None] = []
    with contextlib.ExitStack() as held:
        held.enter_context(Lease(workspace).take("run"))
        # Taking looks at the lock, finds it held and sleeps before it looks again: then the holder ends.
        monkeypatch.setattr(time, "sleep", lambda _: (seen.append(holder()), held.close()))

        def holder() -> lease.Holder | None:
            return Lease(workspace).holder("run")

        with Lease(workspace).take("run"):
            pass
    assert len(seen) == 1 and seen[0] is not None


def test_a_run_of_a_study_that_a_process_works_on_is_not_taken_to_be_deleted(workspace: Workspace) -> None:
    save_study(workspace, Study(study_id="study", kind="crossval", created="", config={}, members=[]))
    with (
        Lease(workspace).take("study"),
        pytest.raises(RunLocked, match="study"),
        take_whole_run(workspace, "study-r1f1"),
    ):
        pass
    with take_whole_run(workspace, "study-r1f1"), pytest.raises(RunLocked), Lease(workspace).take("study-r1f1"):
        pass
