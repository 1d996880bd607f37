"""Who holds a run is seen without taking a lock: by the kernel where it can say, else by a record beside."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from breastai.storage import run_lock
from breastai.storage.run_lock import HOLDER, Holder
from breastai.storage.workspace import Workspace

HOLDING = (
    "import sys\nfrom breastai.storage.workspace import Workspace\n"
    "with Workspace.open(sys.argv[1]).lock_run('run'):\n    print('held', flush=True)\n    sys.stdin.read()\n"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path)


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(lock: Path) -> bool:
        raise OSError("not supported")

    monkeypatch.setattr(run_lock, "_is_described", unable)


@pytest.mark.parametrize("asked", ["the kernel", "the record"])
def test_a_run_is_held_as_long_as_its_process_lives(
    workspace: Workspace, asked: str, request: pytest.FixtureRequest
) -> None:
    if asked == "the record":
        request.getfixturevalue("no_kernel")
    assert not workspace.is_run_held("run")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(workspace.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        assert workspace.is_run_held("run")
        other.kill()
    assert not workspace.is_run_held("run")
    with workspace.lock_run("run"):
        assert workspace.is_run_held("run")
    assert not workspace.is_run_held("run")
    assert not (workspace.run_dir("run") / HOLDER).exists()


def test_looking_never_keeps_anyone_from_taking_the_run(workspace: Workspace) -> None:
    looking = (
        "import sys\nfrom breastai.storage.workspace import Workspace\nplace = Workspace.open(sys.argv[1])\n"
        "print('looks', flush=True)\nwhile True:\n    place.is_run_held('run')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", looking, str(workspace.root)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "looks\n"
        for _ in range(200):
            with workspace.lock_run("run"):
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
    here = Holder(host=run_lock.socket.gethostname(), pid=os.getpid(), started=psutil.Process().create_time())
    (workspace.run_dir("run") / HOLDER).write_text(text(here))
    assert workspace.is_run_held("run") is held


def test_a_run_is_taken_though_nothing_can_be_left_for_others_to_see(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **named: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(run_lock, "open_private", full)
    with contextlib.ExitStack() as held:
        held.enter_context(workspace.lock_run("run"))
    assert not workspace.is_run_held("run")
