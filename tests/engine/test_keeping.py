"""A run's files: kept as asked, whole at a full disk, found again when damaged; images that go; a clock that jumps."""

import errno
import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from breastai.data.preprocessing import cache_store
from breastai.domain.config import Config
from breastai.domain.errors import DiskFull, ImageGone
from breastai.domain.events import DataLoaded, Event, Log, ProgressUpdate, TrainingComplete, TrainingUpdate
from breastai.domain.jobs import Resume, Train
from breastai.engine.network import checkpoint_io
from breastai.engine.training import checkpointing
from breastai.engine.training import loop as training_module
from breastai.engine.training import run_state as run_module
from breastai.engine.training.training_job import resume, train
from breastai.storage import journal as journal_module
from breastai.storage.checkpoints import checkpoint_files, list_checkpoints, read_manifest, verify_checkpoint
from breastai.storage.journal import read_events
from breastai.storage.workspace import Workspace
from breastai.worker import perform

MakeConfig = Callable[..., Config]


def job(workspace: Workspace, config: Config, run_id: str) -> Train:
    return Train(workspace=str(workspace.root), run_id=run_id, config=config)


def resumed(workspace: Workspace, run_id: str = "run") -> list[Event]:
    return list(perform(Resume(workspace=str(workspace.root), run_id=run_id)))


def codes(events: list[Event]) -> list[str]:
    return [str(event.code) for event in events if isinstance(event, Log)]


def same_weights(workspace: Workspace, one: str, other: str) -> bool:
    pairs = [
        [load_file(workspace.checkpoint_dir(run) / f"{kind}.safetensors") for run in (one, other)]
        for kind in ("last", "best")
    ]
    return all(torch.equal(first[name], second[name]) for first, second in pairs for name in first)


@pytest.fixture
def one_epoch(small_config: MakeConfig) -> Config:
    return small_config({"training": {"epochs": 1}})


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpointing, "RETRY_S", 0.0)
    monkeypatch.setattr("breastai.storage.run_recorder.DISK_RETRY_S", 0.0)


# --- a full disk -----------------------------------------------------------------------------------


def test_a_disk_full_at_every_write_of_every_save_damages_nothing_and_the_run_goes_on(
    one_epoch: Config, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, no_waiting: None
) -> None:
    """Each save is tried again and again: at the first try its first write fails, at the second the second, ..."""
    list(perform(job(workspace, one_epoch, "whole")))
    commit, sync = run_module.save_checkpoint, os.fsync
    state = {"within": False, "write": 0, "failing": 1, "failed": 0}

    def filling(descriptor: int) -> None:
        state["write"] += state["within"]
        if state["within"] and state["write"] == state["failing"]:
            state["failed"] += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    def watched(files: Any, *given: Any, **named: Any) -> Any:
        state.update(within=True, write=0)
        try:
            result = commit(files, *given, **named)
        except DiskFull:
            state["failing"] += 1
            if files.manifest.is_file():
                verify_checkpoint(files)
            raise
        finally:
            state["within"] = False
        state["failing"] = 1
        return result

    monkeypatch.setattr(run_module, "save_checkpoint", watched)
    monkeypatch.setattr(os, "fsync", filling)
    events = list(perform(job(workspace, one_epoch, "run")))
    assert events[-1].type == "training_complete"
    assert state["failed"] >= 3 * 5  # three saves of several writes
    assert codes(events).count("disk.waiting") == codes(events).count("disk.room_again") == 3
    assert same_weights(workspace, "whole", "run")
    assert not [entry for entry in list_checkpoints(workspace) if entry.problem]
    assert not list(workspace.checkpoint_dir("run").glob(".*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_the_system_s_reason_is_read_from_the_text_of_safetensors(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*given: object) -> None:
        # As it is on a full tmpfs: benchmarks/disk_full.py has the real one.
        raise SafetensorError(f"Error while serializing: I/O error: {os.strerror(number)} (os error {number})")

    monkeypatch.setattr(checkpoint_io, "save_file", failing)
    with pytest.raises(OSError, match=r"weights") as caught:
        checkpoint_io.save_tensors({}, tmp_path / "weights")
    assert caught.value.errno == number


def test_a_full_disk_under_the_journal_makes_the_run_wait_and_loses_no_event(
    one_epoch: Config, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, no_waiting: None
) -> None:
    append, tries = journal_module.Journal._append, itertools.count()

    def filling(journal: Any, line: bytes) -> None:
        if next(tries) % 3 < 2:
            raise DiskFull("run/events.jsonl")
        append(journal, line)

    monkeypatch.setattr(journal_module.Journal, "_append", filling)
    events = list(perform(job(workspace, one_epoch, "run")))
    told = [event for event in events if event.seq and not isinstance(event, ProgressUpdate)]
    assert isinstance(told[-1], TrainingComplete) and "disk.waiting" in codes(events)
    assert [event.seq for event in read_events(workspace.journal_file("run"))] == [event.seq for event in told]


def test_a_stop_is_heard_while_the_disk_is_full(
    one_epoch: Config, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, no_waiting: None
) -> None:
    def full(*given: object, **named: object) -> None:
        raise DiskFull("run/last")

    seen: list[Event] = []
    with monkeypatch.context() as patch:
        patch.setattr(checkpointing, "save", full)
        patch.setattr(training_module, "save", full)
        for event in perform(job(workspace, one_epoch, "run"), lambda: "disk.waiting" in codes(seen)):
            seen.append(event)  # noqa: PERF402 - looked at as it grows
    assert seen[-1].type == "training_stopped"
    assert resumed(workspace)[-1].type == "training_complete"


def test_a_disk_full_before_the_first_checkpoint_ends_the_run_and_a_resume_begins_it(
    one_epoch: Config, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise DiskFull("split.json")

    with monkeypatch.context() as patch:
        patch.setattr("breastai.engine.training.training_job.save_split", full)
        events = list(perform(job(workspace, one_epoch, "run")))
    assert [event.type for event in events[-2:]] == ["error", "training_stopped"]
    assert resumed(workspace)[-1].type == "training_complete"
    list(perform(job(workspace, one_epoch, "whole")))
    assert same_weights(workspace, "whole", "run")


def test_a_backup_that_finds_no_room_does_not_fail_the_run(
    one_epoch: Config, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise DiskFull("backup.zip")

    monkeypatch.setattr("breastai.storage.run_recorder.create_backup", full)
    events = list(perform(job(workspace, one_epoch, "run")))
    assert "backup.failed" in codes(events) and isinstance(events[-1], TrainingComplete)


def test_too_little_room_is_told_before_the_first_epoch(
    one_epoch: Config, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(workspace.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**8))
    events = list(perform(job(workspace, one_epoch, "run")))
    kinds = [getattr(event, "code", None) or event.type for event in events]
    assert kinds.index("disk.low") < kinds.index("training_update")


def test_a_budget_that_is_spent_is_told_before_the_first_epoch_and_nothing_is_deleted(
    one_epoch: Config, workspace: Workspace
) -> None:
    assert "disk.over_budget" not in codes(list(perform(job(workspace, one_epoch, "first"))))
    storage = one_epoch.storage.model_copy(update={"disk_budget_gb": 1e-5})
    config = one_epoch.model_copy(update={"storage": storage})
    events = list(perform(job(workspace, config, "second")))
    kinds = [getattr(event, "code", None) or event.type for event in events]
    assert kinds.index("disk.over_budget") < kinds.index("training_update")
    assert {path.name for path in workspace.checkpoint_dir("first").glob("*.json")} > {"best.json", "last.json"}


# --- what is kept ----------------------------------------------------------------------------------


def test_the_best_epochs_are_kept_as_many_as_asked_for(small_config: MakeConfig, workspace: Workspace) -> None:
    stopping = {"monitor": "val_loss", "enabled": False}
    config = small_config({"training": {"epochs": 4, "early_stopping": stopping}, "storage": {"keep_best": 2}})
    events = list(perform(job(workspace, config, "run")))
    losses = {event.epoch: event.metrics["val_loss"] for event in events if isinstance(event, TrainingUpdate)}
    best = sorted(losses, key=lambda epoch: losses[epoch])[:2]  # type: ignore[arg-type,return-value]
    kept = {entry.checkpoint for entry in list_checkpoints(workspace)}
    assert kept == {"run/best", "run/last", *(f"run/epoch-{epoch:04d}" for epoch in best)}
    for epoch in best:
        assert (
            verify_checkpoint(checkpoint_files(workspace, "run", f"epoch-{epoch:04d}")).metrics["loss"] == losses[epoch]
        )
    assert load_file(workspace.checkpoint_dir("run") / "best.safetensors").keys()


def test_a_finished_run_is_backed_up_and_its_backup_holds_its_end(one_epoch: Config, workspace: Workspace) -> None:
    from breastai.storage.backup_archive import list_backups, verify_backup

    events = list(perform(job(workspace, one_epoch, "run")))
    assert [event.type for event in events[-2:]] == ["backup_created", "training_complete"]
    (made,) = list_backups(workspace)
    names = {file.name for file in verify_backup(workspace, made.name).files}
    assert {"checkpoints/run/best.safetensors", "logs/run/split.json"} < names
    shutil.rmtree(workspace.logs_dir / "run")
    from breastai.storage.backup_archive import restore_backup

    restore_backup(workspace, made.name)
    assert isinstance(list(read_events(workspace.journal_file("run")))[-1], TrainingComplete)


# --- resuming --------------------------------------------------------------------------------------


def interrupted_after(events: Iterator[Event], kind: str) -> list[Event]:
    """Take events up to one of `kind`, then leave the generator as a kill would: without letting it save."""
    seen = []
    for event in events:
        seen.append(event)
        if event.type == kind:
            break
    return seen


def test_a_run_killed_before_its_first_checkpoint_begins_again_under_its_name(
    one_epoch: Config, workspace: Workspace
) -> None:
    list(perform(job(workspace, one_epoch, "whole")))
    events = perform(job(workspace, one_epoch, "run"))
    interrupted_after(events, "training_started")
    events.close()  # type: ignore[attr-defined]
    assert not workspace.checkpoint_dir("run").exists()
    assert resumed(workspace)[-1].type == "training_complete"
    assert same_weights(workspace, "whole", "run")


def test_a_stop_while_the_decision_rule_is_fitted_loses_no_epoch_and_no_best_weights(
    small_config: MakeConfig, workspace: Workspace
) -> None:
    config = small_config({"data": {"calibration_split": 0.4}})
    list(perform(job(workspace, config, "whole")))
    begun = train(job(workspace, config, "run"), workspace)
    calibration = 0
    for event in begun:
        if isinstance(event, DataLoaded):
            calibration = sum(event.calibration.values())
            assert calibration not in (sum(event.train.values()), sum(event.val.values()), 0)
        now = event.batch_progress if isinstance(event, ProgressUpdate) else None
        if now is not None and event.stage == "validating" and now.total_batches == calibration:
            break
    begun.close()  # type: ignore[attr-defined]
    events = list(resume(Resume(workspace=str(workspace.root), run_id="run"), workspace))
    assert [event.epoch for event in events if isinstance(event, TrainingUpdate)] == [1, 2]
    assert isinstance(events[-1], TrainingComplete)
    manifest = read_manifest(checkpoint_files(workspace, "run", "best"))
    assert manifest.epoch == events[-1].best_epoch
    assert same_weights(workspace, "whole", "run")


@pytest.mark.parametrize("victim", ["last.safetensors", "last.json"])
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one_to_the_same_weights(
    victim: str, small_config: MakeConfig, workspace: Workspace
) -> None:
    config = small_config()
    list(perform(job(workspace, config, "run")))
    shutil.copytree(workspace.checkpoint_dir("run"), workspace.checkpoint_dir("whole"))
    damaged = workspace.checkpoint_dir("run") / victim
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-9] + bytes(255 - byte for byte in content[-9:]))
    events = resumed(workspace)
    assert codes(events)[0] == "checkpoint.fallen_back"
    assert [event.epoch for event in events if isinstance(event, TrainingUpdate)] == [2]
    assert same_weights(workspace, "whole", "run")
    assert list((workspace.checkpoint_dir("run") / "damaged").glob(f"*.{victim}"))


# --- images and clocks -----------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_an_image_lost_in_mid_run_ends_it_saved_and_put_back_it_goes_on_to_the_same_weights(
    change: str, small_config: MakeConfig, workspace: Workspace, sample_data: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(cache_store, "default_cache_root", lambda: tmp_path / "cache")
    shutil.copytree(sample_data, tmp_path / "data")
    folders = {"train_dir": str(tmp_path / "data" / "train"), "val_dir": str(tmp_path / "data" / "val")}
    config = small_config({"data": folders, "training": {"weighted_sampler": False}})
    list(perform(job(workspace, config, "whole")))
    victim = next((tmp_path / "data" / "train" / "benign").iterdir())
    content = victim.read_bytes()
    events: list[Event] = []
    for event in perform(job(workspace, config, "run")):
        events.append(event)
        if isinstance(event, TrainingUpdate) and event.epoch == 1:
            shutil.rmtree(tmp_path / "cache")
            victim.unlink()
            if change == "changed":
                victim.write_bytes(content[:-40])
    error = next(event for event in events if event.type == "error")
    assert error.code == ImageGone.code and victim.name in error.message  # type: ignore[attr-defined]
    assert events[-1].checkpoint == "run/last"  # type: ignore[attr-defined]
    victim.write_bytes(content)
    assert resumed(workspace)[-1].type == "training_complete"
    assert same_weights(workspace, "whole", "run")


def test_a_clock_that_jumps_moves_neither_durations_nor_the_result(
    one_epoch: Config, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(perform(job(workspace, one_epoch, "whole")))
    jumps = itertools.cycle([0.0, 4e9, 1.0, 9e8])
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    events = list(perform(job(workspace, one_epoch, "run")))
    end = events[-1]
    assert isinstance(end, TrainingComplete) and 0 <= end.duration_s < 3600
    assert all(event.eta_s is None or 0 <= event.eta_s < 3600 for event in events if isinstance(event, ProgressUpdate))
    assert same_weights(workspace, "whole", "run")
