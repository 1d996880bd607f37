"""What a later version wrote: keys are kept, lines and files that can't be read are counted, work by them is refused."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from breastai.domain.errors import FormatTooNew
from breastai.environment_check import records
from breastai.server.jobs.queue_file import queue_text, read_queue
from breastai.storage.backup_archive import create_backup, restore_backup, verify_backup
from breastai.storage.checkpoints import find_checkpoint, list_checkpoints, read_manifest
from breastai.storage.evaluations import evaluations_dir, read_evaluations
from breastai.storage.journal import count_unread, read_events
from breastai.storage.runs import RunSummaries, read_notes, write_notes
from breastai.storage.split_records import read_split
from breastai.storage.workspace import Workspace

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "4.0.0-2026-11-29"
RUN = "20261129-152856-00cc"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with a released version's run, its weights made up."""
    place = Workspace(tmp_path)
    for name, path in {
        "journal.jsonl": place.journal_file(RUN),
        "split.json": place.run_dir(RUN) / "split.json",
        "evaluation.json": evaluations_dir(place, RUN) / "test-1.json",
        "manifest-best.json": place.checkpoint_dir(RUN) / "best.json",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(GOLDEN / name, path)
    (place.checkpoint_dir(RUN) / "best.safetensors").write_bytes(b"")
    return place


def changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def append(journal: Path, *lines: str) -> None:
    with journal.open("a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def test_a_manifest_of_a_later_format_is_listed_with_the_reason_and_not_loaded(workspace: Workspace) -> None:
    files = find_checkpoint(workspace, f"{RUN}/best")
    assert read_manifest(files).format == 1
    changed(files.manifest, format=2)
    with pytest.raises(FormatTooNew, match="format 2, and this version of BreastAI reads format 1"):
        read_manifest(files)
    (entry,) = list_checkpoints(workspace)
    assert entry.problem is not None
    assert "format 2" in entry.problem


def test_a_split_of_a_later_format_is_not_trained_by(workspace: Workspace) -> None:
    path = workspace.run_dir(RUN) / "split.json"
    assert read_split(path, "split.json").cases
    changed(path, format=2)
    with pytest.raises(FormatTooNew):
        read_split(path, "split.json")


def test_lines_of_a_later_version_are_counted_and_the_others_read(workspace: Workspace) -> None:
    journal = workspace.journal_file(RUN)
    assert count_unread(journal) == 0
    known = len(list(read_events(journal)))
    append(journal, '{"type":"model_pruned","share":0.5}', '{"type":"log","level":"notice","message":"new"}', "{torn")
    journal.write_bytes(
        journal.read_bytes() + b'{"type":"log"'
    )  # a crash tore it: being written, not of another version
    assert count_unread(journal) == 3
    assert len(list(read_events(journal))) == known
    entry = RunSummaries(workspace).entry(RUN)
    assert (entry.state, entry.unread_lines) == ("complete", 3)
    (finding,) = records(workspace.root)
    assert finding.status == "warning"
    assert f"{RUN}/events.jsonl (3)" in finding.finding.params["files"]


def test_an_evaluation_of_a_later_format_is_named_and_not_gone_by(workspace: Workspace) -> None:
    path = evaluations_dir(workspace, RUN) / "test-1.json"
    assert RunSummaries(workspace).entry(RUN).unread_files == []
    changed(path, format=2)
    assert read_evaluations(workspace, RUN) == []
    assert RunSummaries(workspace).entry(RUN).unread_files == ["evaluations/test-1.json"]


def test_notes_keep_what_a_later_version_wrote_beside_them(workspace: Workspace) -> None:
    path = workspace.run_dir(RUN) / "notes.json"
    path.write_text('{"tags": ["a"], "note": "", "stars": 5}', encoding="utf-8")
    write_notes(workspace, RUN, read_notes(workspace, RUN).model_copy(update={"note": "better"}))
    assert json.loads(path.read_text(encoding="utf-8")) == {"format": 1, "tags": ["a"], "note": "better", "stars": 5}
    path.write_text('{"tags": 3}', encoding="utf-8")
    assert RunSummaries(workspace).entry(RUN).unread_files == ["notes.json"]


def test_a_backup_of_a_later_format_is_not_put_back(workspace: Workspace) -> None:
    Workspace.open(workspace.root)
    name = create_backup(workspace).path.name
    assert verify_backup(workspace, name).files
    with zipfile.ZipFile(workspace.backups_dir / name) as made:
        files = {entry: made.read(entry) for entry in made.namelist()}
    contents = json.loads(files["backup.json"])
    assert contents["format"] == 1
    with zipfile.ZipFile(workspace.backups_dir / name, "w") as later:
        for entry, content in (files | {"backup.json": json.dumps(contents | {"format": 2}).encode()}).items():
            later.writestr(entry, content)
    with pytest.raises(FormatTooNew):
        restore_backup(workspace, name)


def test_a_waiting_job_of_a_later_version_stays_in_the_file_as_it_was() -> None:
    stored = json.loads((GOLDEN / "queue.json").read_text(encoding="utf-8"))
    later = {"entry": "1", "kind": "distil", "queued": "", "job": {"kind": "distil", "teacher": "a/best"}}
    stored["jobs"].append(later)
    stored["paused_by"] = "me"
    queue = read_queue(json.dumps(stored).encode())
    assert [job.kind for job in queue.file.jobs] == ["train", "evaluate"]
    assert queue.unread == (later,)
    written = json.loads(queue_text(queue, held=False, jobs=queue.file.jobs[:1]))
    assert written["jobs"][1:] == [later]
    assert (written["paused_by"], written["held"]) == ("me", False)


def test_of_a_queue_of_a_later_format_no_job_begins_and_none_is_lost() -> None:
    stored = json.loads((GOLDEN / "queue.json").read_text(encoding="utf-8")) | {"format": 2}
    queue = read_queue(json.dumps(stored).encode())
    assert queue.file.jobs == []
    written = json.loads(queue_text(queue, held=True, jobs=[]))
    assert (written["format"], written["jobs"]) == (2, stored["jobs"])
    with pytest.raises(ValueError, match="list of jobs"):
        read_queue(b"[]")
