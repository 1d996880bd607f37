"""Paths, names and writing."""

import errno
import os
from pathlib import Path

import pytest

from breastai.domain.errors import DiskFull, NameInvalid, RunNotFound, WorkspaceUnusable
from breastai.storage.workspace import Workspace, atomic_write, safe_name


def test_opening_makes_the_folders(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "été")
    assert sorted(path.name for path in workspace.root.iterdir()) == ["backups", "checkpoints", "exports", "logs"]


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceUnusable, match="--workspace"):
        Workspace.open(tmp_path / "file")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "con", "NUL.txt", "a.", "é", "a\x00", "x" * 101, "-a"])
def test_names_that_could_leave_a_folder_are_refused(name: str) -> None:
    with pytest.raises(NameInvalid):
        safe_name(name)


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    atomic_write(path, b"one")
    atomic_write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [item.name for item in path.parent.iterdir()] == ["file"]


def test_a_full_disk_is_named_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="then resume"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_relative_paths_have_forward_slashes(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    assert workspace.relative(tmp_path / "exports" / "onnx" / "m.onnx") == "exports/onnx/m.onnx"
    assert workspace.relative(tmp_path.parent / "elsewhere") == (tmp_path.parent / "elsewhere").as_posix()


def test_unknown_runs_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound):
        Workspace.open(tmp_path).existing_run("../../etc")


def test_run_names_sort_by_time_and_differ() -> None:
    workspace = Workspace(Path())
    names = {workspace.new_run_id() for _ in range(50)}
    assert len(names) > 45
    assert all(safe_name(name) == name for name in names)
