"""Backups."""

import json
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from breastai.domain.errors import BackupDamaged, BackupNotFound, DiskFull, RunLocked, WorkspaceUnusable
from breastai.domain.study import Study
from breastai.domain.text import Text
from breastai.storage import backup_archive
from breastai.storage.backup_archive import create_backup, list_backups, restore_backup, verify_backup
from breastai.storage.documents import save_named_config
from breastai.storage.evaluations import count_opening, openings_file
from breastai.storage.journal import MOST_LINE_BYTES
from breastai.storage.lease import Lease
from breastai.storage.runs import RunNotes, read_notes, write_notes
from breastai.storage.studies import read_study, save_study
from breastai.storage.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with a configuration, a journal, images, and files that belong in no backup."""
    workspace = Workspace.open(tmp_path / "workspace")
    workspace.config_file.write_text('{"training": {"epochs": 3}}')
    for name, content in {
        "logs/r1/events.jsonl": '{"type":"log"}\n',
        "logs/r1/worker.log": "noise",
        "data/train/benign/P1.png": "an image",
        "checkpoints/r1/thumbnail.png": "an image",
        "exports/onnx/m.onnx": "model",
    }.items():
        path = workspace.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return workspace


@pytest.fixture
def with_checkpoint(workspace, monkeypatch) -> Workspace:
    """The same with best weights, whose manifest is taken at its word."""

    class Manifest:
        state_file = None

    monkeypatch.setattr(backup_archive, "verify_checkpoint", lambda files: Manifest())
    folder = workspace.checkpoints_dir / "r1"
    (folder / "best.safetensors").write_bytes(b"weights" * 1000)
    (folder / "best.json").write_text("{}")
    (folder / "last.safetensors").write_bytes(b"other weights")
    (folder / "last.json").write_text("{}")
    return workspace


def names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def forge(workspace: Workspace, entries: dict[str, bytes], packing: int = zipfile.ZIP_STORED, **listed: object) -> str:
    """Put a zip among the backups that lists `entries` as a true one would, and return its name."""
    path = workspace.backups_dir / "backup-20260101-000000-abcd.zip"
    files = [
        {"name": name, "size_bytes": len(content), "sha256": backup_archive.hashlib.sha256(content).hexdigest()}
        | listed
        for name, content in entries.items()
    ]
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        archive.writestr(backup_archive.CONTENTS, json.dumps({"created": "2026-01-01", "files": files}))
    return path.name


def test_a_backup_holds_configuration_journals_and_best_weights_and_no_image(with_checkpoint):
    made = create_backup(with_checkpoint)
    expected = {"config.json", "logs/r1/events.jsonl", "checkpoints/r1/best.json", "checkpoints/r1/best.safetensors"}
    assert names(made.path) == expected | {backup_archive.CONTENTS}
    assert {file.name for file in made.files} == expected
    assert made.size_bytes == made.path.stat().st_size


def test_named_configurations_studies_and_notes_are_backed_up_and_come_back(workspace):
    save_named_config(workspace, "small", {"training": {"epochs": 2}})
    study = Study(study_id="s1", kind="crossval", created="2026-01-01", config={}, members=[])
    save_study(workspace, study.with_end("complete"))
    write_notes(workspace, "r1", RunNotes(tags=["good"], note="Keep this."))
    made = create_backup(workspace)
    shutil.rmtree(workspace.configs_dir)
    shutil.rmtree(workspace.logs_dir)
    restore_backup(Workspace.open(workspace.root), made.path.name)
    assert json.loads((workspace.configs_dir / "small.json").read_text()) == {"training": {"epochs": 2}}
    assert read_study(workspace, "s1").state == "complete"
    assert read_notes(workspace, "r1").note == "Keep this."


@pytest.mark.parametrize("made_by", ["today's code", "one that put the configuration in"])
def test_the_backup_of_one_run_leaves_the_configuration_alone(workspace, made_by):
    made = create_backup(workspace, run_id="r1").path
    assert names(made) == {"logs/r1/events.jsonl", backup_archive.CONTENTS}
    if made_by != "today's code":
        content = {"config.json": b'{"training": {"epochs": 9}}', "logs/r1/events.jsonl": b"{}\n"}
        (workspace.backups_dir / forge(workspace, content)).replace(made)
    workspace.config_file.write_text('{"training": {"epochs": 5}}')
    assert restore_backup(workspace, made.name).files == ["logs/r1/events.jsonl"]
    assert workspace.config_file.read_text() == '{"training": {"epochs": 5}}'


@pytest.mark.parametrize(("before", "after", "told"), [(1, 2, 3), (2, 0, 2), (0, 3, 3)])
def test_a_restore_never_lowers_how_often_images_were_judged(workspace, before, after, told):
    for _ in range(before):
        count_opening(workspace, "images", "r1/best")
    count_opening(workspace, "others", "r1/best")
    made = create_backup(workspace).path.name
    if after == 0:
        openings_file(workspace).unlink()
    for _ in range(after):
        count_opening(workspace, "images", "r1/best")
    restore_backup(workspace, made)
    assert count_opening(workspace, "images", "r1/best") == told + 1
    assert count_opening(workspace, "others", "r1/best") == 2


def test_what_a_running_study_still_needs_is_not_restored_over(workspace):
    save_study(workspace, Study(study_id="r", kind="crossval", created="2026-01-01", config={}, members=[]))
    (workspace.logs_dir / "r1").rename(workspace.logs_dir / "r-1")
    made = create_backup(workspace, run_id="r-1").path.name
    with Lease(workspace).take("r"), pytest.raises(RunLocked):
        restore_backup(workspace, made)
    assert restore_backup(workspace, made).files == ["logs/r-1/events.jsonl"]


def test_a_damaged_checkpoint_is_left_out(workspace):
    folder = workspace.checkpoints_dir / "r1"
    (folder / "best.safetensors").write_bytes(b"weights")
    (folder / "best.json").write_text("not a manifest")
    assert not any(name.startswith("checkpoints/") for name in names(create_backup(workspace).path))


def test_what_was_lost_or_changed_comes_back(with_checkpoint):
    made = create_backup(with_checkpoint)
    best = with_checkpoint.checkpoints_dir / "r1" / "best.safetensors"
    weights = best.read_bytes()
    best.unlink()
    with_checkpoint.config_file.write_text("{}")
    kept = with_checkpoint.root / "data/train/benign/P1.png"
    restored = restore_backup(with_checkpoint, made.path.name).files
    assert best.read_bytes() == weights
    assert json.loads(with_checkpoint.config_file.read_text())["training"]["epochs"] == 3
    assert kept.read_text() == "an image"
    # Weights come before the manifest that vouches for them.
    assert restored.index("checkpoints/r1/best.safetensors") < restored.index("checkpoints/r1/best.json")


def test_a_backup_can_be_restored_into_an_empty_workspace(with_checkpoint, tmp_path):
    made = create_backup(with_checkpoint)
    empty = Workspace.open(tmp_path / "empty")
    (empty.backups_dir / made.path.name).write_bytes(made.path.read_bytes())
    restore_backup(empty, f"backups/{made.path.name}")
    assert (empty.root / "checkpoints/r1/best.safetensors").is_file()


def test_the_last_few_are_kept_and_other_files_are_left_alone(workspace):
    foreign = workspace.backups_dir / "mine.zip"
    foreign.write_text("mine")
    made = [create_backup(workspace, keep=3).path for _ in range(5)]
    assert set(list_backups(workspace)) == set(made[2:])
    assert foreign.exists()
    assert [path for path in workspace.backups_dir.iterdir() if path.suffix == ".tmp"] == []


@pytest.mark.parametrize("name", ["none.zip", "../backups/x.zip", "/etc/passwd", "backup-20260101-000000-abcd.zip"])
def test_an_unknown_backup_is_named(workspace, name):
    with pytest.raises(BackupNotFound):
        restore_backup(workspace, name)


def test_any_changed_byte_is_found(workspace):
    made = create_backup(workspace)
    content = made.path.read_bytes()
    for place in range(0, len(content), 37):
        made.path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            found = verify_backup(workspace, made.path.name)
        except BackupDamaged:
            continue
        # What is not covered (a date, a flag) must not change what would be restored.
        assert found.files == made.files


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_off_backup_is_damaged(workspace, share):
    made = create_backup(workspace)
    content = made.path.read_bytes()
    made.path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BackupDamaged):
        verify_backup(workspace, made.path.name)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.txt",
        "/tmp/outside.txt",
        "logs/../../outside.txt",
        "..\\outside.txt",
        "C:\\outside.txt",
        "run.sh",
        "checkpoints/r1/evil.pt",
        "checkpoints/../best.json",
        "logs/r1/events.jsonl/x",
        "logs/.r/events.jsonl",
    ],
)
def test_a_name_that_no_backup_has_is_refused_and_nothing_is_written(workspace, tmp_path, name):
    before = workspace.config_file.read_text()
    forged = forge(workspace, {"config.json": b"{}", name: b"evil"})
    with pytest.raises(BackupDamaged):
        restore_backup(workspace, forged)
    assert workspace.config_file.read_text() == before
    assert not (tmp_path / "outside.txt").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("logs/r1/events.jsonl", b"{}\n" + b"a" * (MOST_LINE_BYTES + 1), "a line of more than 4 MiB"),
        ("logs/r1/events.jsonl", (b"x" * 2**16 + b"y") * 70 + b"\n", "a line of more than 4 MiB"),
        ("logs/test_sets.jsonl", b"a" * (MOST_LINE_BYTES + 1) + b"\n{}\n", "a line of more than 4 MiB"),
        ("config.json", b" " * (2**20 + 1), "more than 1 MiB"),
        ("logs/r1/split.json", bytes(17 * 2**20), "200 times its size"),
        ("checkpoints/r1/best.safetensors", bytes(1000), "is compressed"),
    ],
)
def test_what_no_run_could_have_written_is_refused_and_nothing_is_restored(workspace, name, content, reason) -> None:
    before = {path: path.read_bytes() for path in workspace.logs_dir.rglob("*") if path.is_file()}
    forged = forge(workspace, {name: content}, packing=zipfile.ZIP_DEFLATED)
    for ask in (verify_backup, restore_backup):
        with pytest.raises(BackupDamaged, match=reason) as caught:
            ask(workspace, forged)
        assert isinstance(caught.value.reason, Text)
    assert {path: path.read_bytes() for path in workspace.logs_dir.rglob("*") if path.is_file()} == before
    assert [path.name for path in list_backups(workspace)] == [forged]


def test_a_data_set_of_a_backup_lies_nowhere_beyond_the_workspace(workspace) -> None:
    near, far = ({"name": name, "root": root} for name, root in (("near", "images"), ("far", "s3://evil/images")))
    forged = forge(workspace, {f"datasets/{each['name']}.json": json.dumps(each).encode() for each in (near, far)})
    restored = restore_backup(workspace, forged)
    assert restored.files == ["datasets/near.json"] and [each.file for each in restored.held_back] == [
        "datasets/far.json"
    ]
    assert [path.name for path in workspace.datasets_dir.iterdir()] == ["near.json"]


def test_what_comes_back_goes_in_comparisons_readers_and_descriptions_of_data_too(workspace, tmp_path) -> None:
    own = {"logs/c1/comparison.json", "logs/c2/readers.json", "datasets/mine.json", "configs/mine.json"}
    for name in own:
        (workspace.root / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace.root / name).write_text(json.dumps({"root": "images", "name": name}))
    made = create_backup(workspace)
    elsewhere = Workspace.open(tmp_path / "elsewhere")
    shutil.copy(made.path, elsewhere.backups_dir / made.path.name)
    assert own <= set(restore_backup(elsewhere, made.path.name).files)
    assert not own & {file.name for file in create_backup(workspace, run_id="r1").files}


def test_a_long_journal_of_short_lines_is_backed_up_and_comes_back(workspace) -> None:
    """Lines that are all alike shrink more than is believed of a stranger's file: they are stored as they are."""
    journal = workspace.journal_file("r1")
    content = b'{"type":"log","message":"a"}\n' * 700_000
    journal.write_bytes(content)
    made = create_backup(workspace)
    journal.unlink()
    restore_backup(workspace, made.path.name)
    assert journal.read_bytes() == content


def test_a_journal_that_could_not_come_back_keeps_no_other_file_from_being_backed_up(workspace, caplog) -> None:
    workspace.run_dir("r2").mkdir()
    workspace.journal_file("r2").write_bytes(b"a" * (MOST_LINE_BYTES + 1))
    made = create_backup(workspace)
    assert "logs/r1/events.jsonl" in names(made.path) and "logs/r2/events.jsonl" not in names(made.path)
    assert "logs/r2/events.jsonl is left out" in caplog.text
    assert restore_backup(workspace, made.path.name).files


def test_a_link_in_the_zip_is_refused(workspace):
    forged = forge(workspace, {})
    path = workspace.backups_dir / forged
    link = zipfile.ZipInfo("config.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    digest = backup_archive.hashlib.sha256(b"/etc/passwd").hexdigest()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        files = [{"name": "config.json", "size_bytes": 11, "sha256": digest}]
        archive.writestr(backup_archive.CONTENTS, json.dumps({"created": "now", "files": files}))
    with pytest.raises(BackupDamaged):
        restore_backup(workspace, forged)


def test_a_file_that_is_larger_than_listed_is_refused(workspace):
    with pytest.raises(BackupDamaged):
        restore_backup(workspace, forge(workspace, {"config.json": b"0" * 10_000_000}, size_bytes=2))


@pytest.mark.parametrize("linked", ["logs/r1", "logs", "checkpoints"])
def test_nothing_is_restored_through_a_link(workspace, tmp_path, linked):
    (tmp_path / "outside").mkdir()
    forged = forge(workspace, {"logs/r1/events.jsonl": b"new", "checkpoints/r1/best.json": b"{}"})
    place = workspace.root / linked
    place.rename(place.with_name("moved"))
    place.symlink_to(tmp_path / "outside", target_is_directory=True)
    with pytest.raises(WorkspaceUnusable):
        restore_backup(workspace, forged)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_file_that_is_a_link_is_replaced_and_its_target_left_alone(workspace, tmp_path):
    (tmp_path / "target.json").write_text("mine")
    made = create_backup(workspace)
    workspace.config_file.unlink()
    workspace.config_file.symlink_to(tmp_path / "target.json")
    restore_backup(workspace, made.path.name)
    assert (tmp_path / "target.json").read_text() == "mine"
    assert not workspace.config_file.is_symlink()


def test_links_are_not_backed_up(workspace, tmp_path):
    (tmp_path / "secret.json").write_text("secret")
    workspace.config_file.unlink()
    workspace.config_file.symlink_to(tmp_path / "secret.json")
    assert "config.json" not in names(create_backup(workspace).path)


def test_too_little_space_is_found_before_anything_is_written(workspace, monkeypatch):
    made = create_backup(workspace)
    workspace.config_file.write_text("later")

    class Usage:
        free = 1

    monkeypatch.setattr(backup_archive.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(DiskFull):
        restore_backup(workspace, made.path.name)
    assert workspace.config_file.read_text() == "later"


def test_the_evidence_of_a_run_is_kept_and_comes_back(workspace: Workspace) -> None:
    kept = {
        "logs/r1/split.json": "{}",
        "logs/r1/evaluations/test-1.json": "{}",
        "logs/test_sets.jsonl": '{"fingerprint": "f"}\n',
    }
    for name, content in kept.items():
        path = workspace.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    made = create_backup(workspace)
    assert kept.keys() <= {file.name for file in made.files}
    for name in kept:
        (workspace.root / name).unlink()
    restore_backup(workspace, made.path.name)
    assert {name: (workspace.root / name).read_text() for name in kept} == kept


def test_a_backup_is_deleted_by_its_name_alone(workspace) -> None:
    made = create_backup(workspace)
    assert backup_archive.delete_backup(workspace, f"backups/{made.path.name}") == made.path.name
    assert list_backups(workspace) == []
    for name in (made.path.name, "../config.json"):
        with pytest.raises(BackupNotFound):
            backup_archive.delete_backup(workspace, name)
    assert workspace.config_file.exists()


@pytest.mark.parametrize("server", [None, {"data_roots": ["/images"], "require_token": True}])
def test_no_backup_says_who_may_connect_or_which_folders_are_open(workspace: Workspace, server: dict | None) -> None:
    sent = {"training": {"epochs": 9}, "server": {"data_roots": ["/"], "host": "0.0.0.0", "allow_unprotected": True}}
    forged = forge(workspace, {"config.json": json.dumps(sent).encode()})
    workspace.config_file.write_text(json.dumps({"server": server} if server else {}))
    restore_backup(workspace, forged)
    wanted = {"training": {"epochs": 9}} | ({"server": server} if server else {})
    assert json.loads(workspace.config_file.read_text()) == wanted
