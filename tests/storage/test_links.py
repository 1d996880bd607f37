"""Links and pipes in the workspace's own folders: neither read nor written through, however they came to lie there."""

import json
import os
from pathlib import Path

import pytest

from breastai.domain.config import Config
from breastai.domain.errors import CheckpointNotFound, DataOutsideRoots, RunNotFound, WorkspaceUnusable
from breastai.domain.events import Log, TrainingStarted
from breastai.server.access.allowed_paths import DataRoots
from breastai.storage.backup_archive import create_backup
from breastai.storage.checkpoints import checkpoint_weights, find_checkpoint, list_checkpoints
from breastai.storage.documents import list_documents
from breastai.storage.downloads import download_at
from breastai.storage.journal import Journal, last_event, read_events
from breastai.storage.lease import Lease
from breastai.storage.private_files import open_own, open_private
from breastai.storage.studies import studies
from breastai.storage.workspace import Workspace

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "w")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A run, a study and a checkpoint in a folder that is none of the workspace's."""
    other = Workspace.open(tmp_path / "other")
    journal = Journal(other.journal_file("run-9"), "run-9", "default")
    config = Config().model_dump(mode="json")
    journal.stamp(TrainingStarted(architecture="resnet50", epochs=5, class_names=["a", "b"], config=config))
    journal.close()
    (other.run_dir("run-9") / "study.json").write_text("{}")
    (other.run_dir("run-9") / "worker.log").write_text("secret")
    folder = other.checkpoint_dir("run-9")
    folder.mkdir()
    (folder / "epoch-0001.safetensors").write_text("secret")
    (folder / "epoch-0001.json").write_text("{}")
    return other.root


def test_a_run_folder_that_is_a_link_is_no_run(workspace: Workspace, outside: Path) -> None:
    (workspace.logs_dir / "run-9").symlink_to(outside / "logs" / "run-9")
    (workspace.checkpoints_dir / "run-9").symlink_to(outside / "checkpoints" / "run-9")
    before = sorted(path.stat().st_mtime_ns for path in outside.rglob("*"))
    assert workspace.runs() == [] and studies(workspace) == [] and list_checkpoints(workspace) == []
    assert not [entry for entry in list_documents(workspace) if entry.kind in ("journal", "worker_log", "manifest")]
    with pytest.raises(RunNotFound):
        workspace.existing_run("run-9")
    with pytest.raises(WorkspaceUnusable), Lease(workspace).take("run-9"):
        pass
    with pytest.raises(WorkspaceUnusable):
        workspace.checkpoint_dir("run-9")
    assert create_backup(workspace).files == ()
    assert sorted(path.stat().st_mtime_ns for path in outside.rglob("*")) == before


def test_a_file_that_is_a_link_is_neither_listed_nor_sent_nor_read(workspace: Workspace, outside: Path) -> None:
    folder = workspace.checkpoint_dir("run-1")
    folder.mkdir()
    (folder / "epoch-0001.safetensors").symlink_to(outside / "checkpoints" / "run-9" / "epoch-0001.safetensors")
    (folder / "epoch-0001.json").write_text("{}")
    assert checkpoint_weights(workspace) == []
    assert download_at(workspace, "/files/checkpoints/run-1/epoch-0001.safetensors") is None
    with pytest.raises(CheckpointNotFound):
        find_checkpoint(workspace, "run-1/epoch-0001")
    run = workspace.run_dir("run-1")
    run.mkdir()
    (run / "events.jsonl").symlink_to(outside / "logs" / "run-9" / "events.jsonl")
    (run / "worker.log").symlink_to(outside / "logs" / "run-9" / "worker.log")
    assert workspace.runs() == [] and list(read_events(run / "events.jsonl")) == []
    assert last_event(run / "events.jsonl") is None
    assert [entry.kind for entry in list_documents(workspace)].count("worker_log") == 0


def test_a_link_put_there_after_the_check_is_not_followed(workspace: Workspace, outside: Path) -> None:
    link = workspace.logs_dir / "link"
    link.symlink_to(outside / "logs" / "run-9" / "worker.log")
    with pytest.raises(FileNotFoundError):
        open_own(link)
    with pytest.raises(OSError):
        open_private(link, "ab")
    assert (outside / "logs" / "run-9" / "worker.log").read_text() == "secret"


def test_a_pipe_in_the_place_of_a_journal_holds_nobody_up(workspace: Workspace) -> None:
    run = workspace.run_dir("run-1")
    run.mkdir()
    os.mkfifo(run / "events.jsonl")
    assert list(read_events(run / "events.jsonl")) == [] and last_event(run / "events.jsonl") is None
    journal = Journal(workspace.journal_file("run-2"), "run-2", "default")
    journal.stamp(Log(level="info", message="a"))
    journal.close()
    assert workspace.runs() == ["run-2"]


@pytest.mark.parametrize(
    "name", [".salt", "logs/audit.log", "logs/server.log.1", "logs/run-1/worker.log", "logs/queue.json"]
)
def test_what_the_workspace_keeps_to_itself_is_no_table_to_ask_about(workspace: Workspace, name: str) -> None:
    file = workspace.root / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("secret")
    (workspace.root / "inside").symlink_to(file)
    for path in (name, "inside", f"logs/../{name}"):
        with pytest.raises(DataOutsideRoots):
            DataRoots.of(workspace, []).check(path)
    split = workspace.logs_dir / "run-1" / "split.json"
    split.parent.mkdir(exist_ok=True)
    split.write_text(json.dumps({}))
    DataRoots.of(workspace, []).check("logs/run-1/split.json")
