"""Checkpoints on disk: found by name, proved whole, and never half there."""

import contextlib
import hashlib
from pathlib import Path

import pytest

from breastai.domain.config import Config
from breastai.domain.errors import CheckpointDamaged, CheckpointInUse, CheckpointNotFound
from breastai.domain.study import Study
from breastai.storage import atomic_checkpoint
from breastai.storage.atomic_checkpoint import load_newest_valid, save_checkpoint
from breastai.storage.checkpoints import (
    Manifest,
    SplitRecord,
    checkpoint_files,
    delete_checkpoint,
    find_checkpoint,
    list_checkpoints,
    verify_checkpoint,
)
from breastai.storage.lease import Lease
from breastai.storage.studies import save_study
from breastai.storage.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path)


def manifest(run_id: str = "run", epoch: int = 1) -> Manifest:
    return Manifest(
        run_id=run_id,
        kind="last",
        created=f"2026-01-0{epoch + 1}T00:00:00+00:00",
        config=Config(),
        architecture="resnet50",
        class_names=["benign", "malignant"],
        image_size=32,
        mean=[0.5] * 3,
        std=[0.5] * 3,
        epoch=epoch,
        metrics={"accuracy": 0.5},
        split=SplitRecord(train=[], val=[], train_sha256=[], val_sha256=[]),
        pretrained="none",
        versions={},
        state={"epoch": epoch},
    )


def save(workspace: Workspace, content: bytes, epoch: int = 1, run_id: str = "run", keep: int = 2) -> None:
    files = checkpoint_files(workspace, run_id, "last")
    save_checkpoint(
        files,
        manifest(run_id, epoch),
        lambda path: path.write_bytes(content),  # type: ignore[arg-type,return-value]
        lambda path: path.write_bytes(b"state of " + content),  # type: ignore[arg-type,return-value]
        keep,
    )


def test_a_saved_checkpoint_verifies(workspace: Workspace) -> None:
    save(workspace, b"weights")
    found = verify_checkpoint(find_checkpoint(workspace, "run/last"))
    assert found.sha256 == hashlib.sha256(b"weights").hexdigest()
    assert found.state_file is not None


@pytest.mark.parametrize(
    "name", ["run/last", "run", "latest", "run_last.safetensors", "checkpoints/run/last.safetensors"]
)
def test_a_checkpoint_answers_to_every_name_it_is_given(workspace: Workspace, name: str) -> None:
    save(workspace, b"weights")
    assert find_checkpoint(workspace, name).name == "run/last"


@pytest.mark.parametrize("name", ["../run/last", "/etc/passwd", "run/../run/last", "run/first", "", "run\x00/last"])
def test_a_name_is_looked_up_and_never_joined_to_a_path(workspace: Workspace, name: str) -> None:
    save(workspace, b"weights")
    with pytest.raises(CheckpointNotFound, match="run/last"):
        find_checkpoint(workspace, name)


@pytest.mark.parametrize("victim", ["last.safetensors", "last.state-*.safetensors"])
def test_a_changed_byte_is_noticed(workspace: Workspace, victim: str) -> None:
    save(workspace, b"weights")
    path = next(workspace.checkpoint_dir("run").glob(victim))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(CheckpointDamaged, match="has changed"):
        verify_checkpoint(find_checkpoint(workspace, "run/last"))


def test_a_missing_or_broken_part_is_named(workspace: Workspace) -> None:
    save(workspace, b"weights")
    files = find_checkpoint(workspace, "run/last")
    files.weights.unlink()
    with pytest.raises(CheckpointDamaged, match="missing"):
        verify_checkpoint(files)
    files.manifest.write_text("{}")
    with pytest.raises(CheckpointDamaged, match="manifest can't be read"):
        verify_checkpoint(files)
    assert list_checkpoints(workspace)[0].problem


class Killed(BaseException):
    """The process ends here."""


STEPS = ("replace_durably", "atomic_write", "sync_file", "file_sha256", "_link")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("call", [1, 2])
def test_a_kill_at_any_moment_of_a_save_leaves_the_old_or_the_new_whole(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, step: str, call: int, after: bool
) -> None:
    """A kill runs no clean-up: unlinking is switched off for what the exception would clean away."""
    save(workspace, b"old", epoch=1)
    real, calls = getattr(atomic_checkpoint, step), 0

    def dying(*given: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise Killed
        result = real(*given)
        if calls == call:
            raise Killed
        return result

    with monkeypatch.context() as patch:
        patch.setattr(atomic_checkpoint, step, dying)
        patch.setattr(Path, "unlink", lambda *given, **named: None)
        with contextlib.suppress(Killed):
            save(workspace, b"new", epoch=2)
    files = find_checkpoint(workspace, "run/last")
    found = verify_checkpoint(files)
    assert files.weights.read_bytes() == {1: b"old", 2: b"new"}[found.epoch]
    assert found.state_file is not None
    assert (files.weights.parent / found.state_file).read_bytes() == b"state of " + files.weights.read_bytes()
    assert not list_checkpoints(workspace)[0].problem
    save(workspace, b"next", epoch=3)
    assert verify_checkpoint(files).epoch == 3


def test_a_failing_write_cleans_up_after_itself(workspace: Workspace) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        save_checkpoint(checkpoint_files(workspace, "run", "last"), manifest(), fail)
    assert not list(workspace.checkpoint_dir("run").iterdir())


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_as_many_resume_points_are_kept_as_asked_for_and_never_fewer_than_the_newest(
    workspace: Workspace, keep: int
) -> None:
    for epoch in range(1, 6):
        save(workspace, b"weights %d" % epoch, epoch=epoch, keep=keep)
    folder = workspace.checkpoint_dir("run")
    assert sorted(path.read_bytes() for path in folder.glob("last*.safetensors") if "state" not in path.name) == [
        b"weights %d" % epoch for epoch in range(6 - keep, 6)
    ]
    assert len(list(folder.glob("last.state-*"))) == keep
    assert [entry.checkpoint for entry in list_checkpoints(workspace)] == ["run/last"]


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"!")


@pytest.mark.parametrize("victim", ["last.safetensors", "last.json", "last.state-*.safetensors"])
def test_a_damaged_checkpoint_is_kept_aside_and_the_one_before_it_used(workspace: Workspace, victim: str) -> None:
    save(workspace, b"old", epoch=1)
    before = set(workspace.checkpoint_dir("run").glob(victim))
    save(workspace, b"new", epoch=2)
    files = checkpoint_files(workspace, "run", "last")
    # A state has a name of its own: the one that came with the second save.
    damage(next(path for path in files.weights.parent.glob(victim) if "state" not in victim or path not in before))
    found = load_newest_valid(files)
    assert found.damage and found.manifest.epoch == 1
    assert verify_checkpoint(files).epoch == 1 and files.weights.read_bytes() == b"old"
    assert found.aside is not None
    assert any(path.read_bytes() == b"new" for path in found.aside.glob("*.last.safetensors")) or "json" not in victim
    save(workspace, b"next", epoch=2)
    assert load_newest_valid(files).damage is None


def test_with_nothing_whole_left_the_damage_is_named_and_nothing_moved(workspace: Workspace) -> None:
    save(workspace, b"only", epoch=1)
    files = checkpoint_files(workspace, "run", "last")
    damage(files.weights)
    names = sorted(path.name for path in files.weights.parent.iterdir())
    with pytest.raises(CheckpointDamaged, match="has changed"):
        load_newest_valid(files)
    assert sorted(path.name for path in files.weights.parent.iterdir()) == names


def test_links_are_copies_where_there_are_none(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*given: object) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    save(workspace, b"old", epoch=1)
    save(workspace, b"new", epoch=2)
    files = checkpoint_files(workspace, "run", "last")
    damage(files.weights)
    assert load_newest_valid(files).manifest.epoch == 1


def test_deleting_leaves_nothing(workspace: Workspace) -> None:
    save(workspace, b"weights")
    assert delete_checkpoint(workspace, "run/last").name == "run/last"
    assert not workspace.checkpoint_dir("run").exists()
    with pytest.raises(CheckpointNotFound):
        delete_checkpoint(workspace, "run/last")


def test_a_checkpoint_is_not_deleted_while_any_process_trains_its_run_or_its_study(workspace: Workspace) -> None:
    save(workspace, b"weights")
    with Lease(workspace).take("run"), pytest.raises(CheckpointInUse):
        delete_checkpoint(workspace, "run/last")
    save(workspace, b"weights", run_id="study-1")
    save_study(workspace, Study(study_id="study", kind="crossval", created="", config={}, members=[]))
    with Lease(workspace).take("study"), pytest.raises(CheckpointInUse):
        delete_checkpoint(workspace, "study-1/last")
    assert len(list_checkpoints(workspace)) == 2
    delete_checkpoint(workspace, "run/last")
    assert not workspace.run_dir("run").joinpath("events.jsonl").exists()


def test_latest_and_a_runs_name_never_mean_a_network_that_has_learnt_nothing(workspace: Workspace) -> None:
    save(workspace, b"unlearnt", epoch=0, run_id="c")
    for name in ("latest", "c"):
        with pytest.raises(CheckpointNotFound):
            find_checkpoint(workspace, name)
    save(workspace, b"a", run_id="a")
    save(workspace, b"b", run_id="b")
    assert find_checkpoint(workspace, "latest").name == "b/last"
    assert find_checkpoint(workspace, "c/last").name == "c/last"  # the resume point itself can still be named
    save(workspace, b"learnt", epoch=1, run_id="c")
    assert find_checkpoint(workspace, "latest").name == "c/last"


def test_the_newest_comes_first(workspace: Workspace) -> None:
    save(workspace, b"a", epoch=1, run_id="one")
    save(workspace, b"b", epoch=2, run_id="two")
    assert [entry.run_id for entry in list_checkpoints(workspace)] == ["two", "one"]


def test_a_link_is_not_listed(workspace: Workspace, tmp_path: Path) -> None:
    save(workspace, b"weights")
    (workspace.checkpoint_dir("run") / "best.json").symlink_to(workspace.checkpoint_dir("run") / "last.json")
    assert [entry.checkpoint for entry in list_checkpoints(workspace)] == ["run/last"]


def test_a_kill_between_the_two_renames_of_a_save_leaves_one_number_everywhere(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of epoch 10 lie beside the manifest of 9: lists, proofs and a resume all say 10."""
    save(workspace, b"nine", epoch=7)
    files = checkpoint_files(workspace, "run", "last")
    replace = atomic_checkpoint.replace_durably

    def killed(temporary: Path, path: Path) -> None:
        if path == files.manifest:
            raise KeyboardInterrupt
        replace(temporary, path)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(atomic_checkpoint, "replace_durably", killed)
        save(workspace, b"ten", epoch=8)
    assert verify_checkpoint(files).epoch == 8
    (entry,) = list_checkpoints(workspace)
    assert (entry.epoch, entry.problem) == (8, None)
    assert load_newest_valid(files).manifest.epoch == 8
    assert Manifest.model_validate_json(files.manifest.read_bytes()).epoch == 8, "a resume puts it in its place"


def test_a_list_tells_which_checkpoints_can_be_averaged(workspace: Workspace) -> None:
    def keep(run_id: str, image_size: int, images: list[str]) -> None:
        config = Config.model_validate({"data": {"image_size": image_size}})
        split = SplitRecord(train=[], val=images, train_sha256=[], val_sha256=images)
        of = manifest(run_id).model_copy(update={"config": config, "split": split})
        save_checkpoint(
            checkpoint_files(workspace, run_id, "last"),
            of,
            lambda path: path.write_bytes(run_id.encode()),  # type: ignore[arg-type,return-value]
            lambda path: path.write_bytes(b"state"),  # type: ignore[arg-type,return-value]
        )

    keep("first", 64, ["a", "b"])
    keep("alike", 64, ["b", "a"])
    keep("larger", 96, ["a", "b"])
    keep("elsewhere", 64, ["a", "c"])
    keep("unknown", 64, [])
    found = {entry.run_id: entry for entry in list_checkpoints(workspace)}
    assert len({entry.sha256 for entry in found.values()}) == 5
    same_images = {run for run, entry in found.items() if entry.validated_on == found["first"].validated_on}
    same_input = {run for run, entry in found.items() if entry.image_input == found["first"].image_input}
    assert same_images == {"first", "alike", "larger"}
    assert same_input == {"first", "alike", "elsewhere", "unknown"}
    assert found["unknown"].validated_on is None
