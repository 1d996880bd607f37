"""Memory: a batch that does not fit is cut before the run, and what is learnt stays the same."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from breastai.domain.config import Config, ModelSettings
from breastai.domain.errors import OutOfMemory
from breastai.domain.events import (
    DataLoaded,
    Error,
    Event,
    Log,
    ProgressUpdate,
    TrainingComplete,
    TrainingStopped,
    TrainingUpdate,
)
from breastai.domain.jobs import Resume, Train
from breastai.domain.system_settings import SystemSettings
from breastai.engine.acceleration import memory_estimate
from breastai.engine.acceleration.memory_estimate import fit_batch, peak_bytes, step_bytes, with_smaller_batch
from breastai.engine.network.loader import Batch, count_batches
from breastai.engine.network.models import build_model
from breastai.engine.network.runtime import choose_runtime
from breastai.engine.training.out_of_memory import place_in_smaller_batches
from breastai.engine.training.step import Learner
from breastai.engine.training.training_job import resume, train
from breastai.storage.checkpoints import checkpoint_files, verify_checkpoint
from breastai.storage.control_groups import control_groups
from breastai.storage.workspace import Workspace
from breastai.worker import perform

MakeConfig = Callable[..., Config]
RunEvents = Callable[..., list[Event]]
ONE_EPOCH = {"training": {"epochs": 1}}


def _codes(events: list[Event]) -> list[str | None]:
    return [event.code for event in events if isinstance(event, Log)]


def test_what_tensors_hold_is_counted_until_they_are_let_go() -> None:
    def run() -> None:
        first = torch.empty(1000, dtype=torch.uint8)
        second = torch.empty(500, dtype=torch.uint8)
        del first
        view = second[:100]
        third = torch.empty(700, dtype=torch.uint8)
        del second, view, third

    assert peak_bytes(run) == 1500


def test_a_trial_step_leaves_the_network_and_the_random_numbers_as_they_were() -> None:
    model = build_model(ModelSettings(architecture="tf_efficientnet_lite0", pretrained="none"), 3).model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    step = step_bytes(model, 64, choose_runtime(SystemSettings(num_threads=1), False))
    assert 0 < step(2) < step(4) < step(8)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_bound_from_two_images_holds_for_sixteen() -> None:
    model = build_model(ModelSettings(architecture="tf_efficientnet_lite0", pretrained="none"), 3).model.train()
    model.to(memory_format=torch.channels_last)
    step = step_bytes(model, 128, choose_runtime(SystemSettings(num_threads=1), False))
    images = torch.rand(16, 3, 128, 128).contiguous(memory_format=torch.channels_last)
    true = peak_bytes(lambda: model(images).square().sum().backward())
    assert true <= step(16) <= 1.5 * true


@pytest.mark.parametrize(("size", "parts"), [(16, 2), (6, 2), (9, 3), (5, 5)])
def test_a_smaller_batch_keeps_what_an_update_learns_from(small_config: MakeConfig, size: int, parts: int) -> None:
    config = small_config({"data": {"batch_size": size}, "training": {"gradient_accumulation_steps": 3}})
    smaller = with_smaller_batch(config)
    assert smaller is not None
    assert smaller.data.batch_size == size // parts
    assert smaller.data.batch_size * smaller.training.gradient_accumulation_steps == 3 * size


def test_a_batch_of_one_is_not_cut(small_config: MakeConfig) -> None:
    assert with_smaller_batch(small_config({"data": {"batch_size": 1}})) is None


def test_the_largest_batch_that_fits_is_chosen(small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model(ModelSettings(architecture="tf_efficientnet_lite0", pretrained="none"), 3).model
    config = small_config({"data": {"batch_size": 64}})
    runtime = choose_runtime(config.system, False)
    step = step_bytes(model, config.data.image_size, runtime)
    enough = memory_estimate.needed_bytes(model, config, step, 16)
    monkeypatch.setattr(memory_estimate, "available_bytes", lambda: enough)
    fitted, record = fit_batch(model, config, runtime)
    assert (fitted.data.batch_size, fitted.training.gradient_accumulation_steps) == (16, 4)
    assert record is not None
    assert (record.batch_size_asked, record.batch_size) == (64, 16)


def test_the_least_room_of_all_control_groups_counts(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("4:memory:/outer/inner\n0::/job\n")
    root = tmp_path / "fs"
    for folder, limit, used, cached in (("memory/outer/inner", 2**62, 5, 0), ("memory/outer", 900, 300, 50)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
        (root / folder / "memory.usage_in_bytes").write_text(f"{used}\n")
        (root / folder / "memory.stat").write_text(f"cache 9\ntotal_inactive_file {cached}\n")
    (root / "job").mkdir()
    (root / "job" / "memory.max").write_text("max\n")
    (root / "job" / "memory.current").write_text("7\n")
    (root / "job" / "memory.stat").write_text("inactive_file 1\n")
    (root / "memory.max").write_text("700\n")
    (root / "memory.current").write_text("600\n")
    (root / "memory.stat").write_text("inactive_file 20\n")
    assert sorted(memory_estimate.group_rooms(control_groups("memory", membership, root))) == [120, 650]


# --- whole runs --------------------------------------------------------------------------------

_UNDER_A_LIMIT = """
import json, resource, sys
import psutil, torch
from breastai.domain.jobs import job_adapter
from breastai.engine.acceleration import memory_estimate  # loaded, with what follows, before the limit is set
from breastai.engine.training import loop, training_job
from breastai.storage.workspace import Workspace
job = job_adapter().validate_json(sys.stdin.readline())
resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + int(sys.argv[1]) * 2**20,) * 2)
for event in training_job.train(job, Workspace.open(job.workspace)):
    print(event.model_dump_json())
"""


@pytest.mark.full
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of the address space are Linux's")
def test_under_a_real_limit_a_batch_is_cut_before_the_first_epoch_and_the_run_is_that_of_accumulation(
    run_events: RunEvents, small_config: MakeConfig, tmp_path: Path
) -> None:
    workspace = Workspace.open(tmp_path / "limited")
    large = {"data": {"batch_size": 32, "image_size": 96}, **ONE_EPOCH}
    job = Train(workspace=str(workspace.root), run_id="run", config=small_config(large))
    room_mib = 704
    done = subprocess.run(
        [sys.executable, "-c", _UNDER_A_LIMIT, str(room_mib)],
        input=job.model_dump_json() + "\n",
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event.get("code") or event["type"] for event in told]
    assert kinds.index("training.batch_cut") < kinds.index("training_update")
    assert "training.batch_cut_in_run" not in kinds
    manifest = verify_checkpoint(checkpoint_files(workspace, "run", "last"))
    assert manifest.memory is not None
    assert manifest.memory.batch_size_asked == 32
    assert manifest.config.data.batch_size == manifest.memory.batch_size < 32
    steps = manifest.config.training.gradient_accumulation_steps
    assert steps * manifest.memory.batch_size == 32

    other = Workspace.open(tmp_path / "accumulated")
    small = {"data": {"batch_size": manifest.memory.batch_size}, "training": {"gradient_accumulation_steps": steps}}
    run_events(small_config(large, small), place=other)
    assert verify_checkpoint(checkpoint_files(other, "run", "last")).sha256 == manifest.sha256


def _refusing(monkeypatch: pytest.MonkeyPatch, refused: Callable[[int, int], bool]) -> None:
    """Make the allocator refuse steps: `refused` is asked with the number of the step and the size of its batch."""
    whole = Learner.learn
    steps = itertools.count(1)

    def learn(self: Learner, batch: Batch, *rest: Any) -> tuple[float, int]:
        if refused(next(steps), len(batch.labels)):
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: ...")
        return whole(self, batch, *rest)

    monkeypatch.setattr(Learner, "learn", learn)


def test_a_first_epoch_that_runs_out_becomes_the_run_of_accumulation(
    run_events: RunEvents, small_config: MakeConfig, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    halved = {"data": {"batch_size": 4}, "training": {"gradient_accumulation_steps": 2}}
    run_events(small_config(ONE_EPOCH, halved), "by_hand")
    _refusing(monkeypatch, lambda step, size: size > 4 and step == 3)
    events = run_events(small_config(ONE_EPOCH), "refused")
    assert _codes(events).count("training.batch_cut_in_run") == 1
    by_hand, refused = (verify_checkpoint(checkpoint_files(workspace, run, "last")) for run in ("by_hand", "refused"))
    assert refused.sha256 == by_hand.sha256
    assert refused.config == by_hand.config


def test_a_later_epoch_that_runs_out_is_repeated_and_no_figure_is_lost(
    run_events: RunEvents, small_config: MakeConfig, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refusing(monkeypatch, lambda step, size: size > 4 and step == 7)
    events = run_events(small_config())
    assert [event.epoch for event in events if isinstance(event, TrainingUpdate)] == [1, 2]
    assert isinstance(events[-1], TrainingComplete)
    assert events[-1].epochs_run == 2
    assert verify_checkpoint(checkpoint_files(workspace, "run", "last")).config.data.batch_size == 4


def test_a_single_image_that_does_not_fit_is_explained(
    small_config: MakeConfig, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refusing(monkeypatch, lambda step, size: True)
    config = small_config({"data": {"batch_size": 3}})
    error, stopped = list(perform(Train(workspace=str(workspace.root), run_id="run", config=config)))[-2:]
    assert isinstance(error, Error)
    assert error.code == OutOfMemory.code
    assert "gradient_checkpointing" in error.message
    assert isinstance(stopped, TrainingStopped)


def test_memory_that_runs_out_twice_after_a_resume_in_mid_epoch_keeps_the_place(
    small_config: MakeConfig, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = train(Train(workspace=str(workspace.root), run_id="run", config=small_config(ONE_EPOCH)), workspace)
    next(event for event in begun if (_batch(event) or (0, 0))[0] == 1)
    begun.close()  # saves the place: one batch of 8 learnt
    learnt: list[int] = []
    _refusing(monkeypatch, lambda step, size: size > 2 or (size <= 2 and learnt.append(size) is not None))
    events = list(resume(Resume(workspace=str(workspace.root), run_id="run"), workspace))
    assert _codes(events).count("training.batch_cut_in_run") == 2
    places = [place for event in events if (place := _batch(event)) is not None]
    assert places[0] == (5, places[0][1])
    assert sum(learnt) == _images(events) - 8  # no image of the epoch is learnt from twice, none is left out


@pytest.mark.parametrize(
    ("place", "parts", "images", "size", "smaller"),
    [(1, 4, 24, 8, 4), (0, 2, 24, 8, 0), (3, 2, 20, 8, 5), (3, 4, 20, 8, 10), (4, 2, 20, 8, 7), (2, 9, 18, 9, 18)],
)
def test_a_place_counted_in_smaller_batches_has_the_same_images_behind_it(
    place: int, parts: int, images: int, size: int, smaller: int
) -> None:
    before, after = count_batches(images, size), count_batches(images, size // parts)
    assert place_in_smaller_batches(place, parts, before, after) == smaller
    behind = min(place % before * size, images) + place // before * images
    assert behind == min(smaller % after * (size // parts), images) + smaller // after * images


def _batch(event: Event) -> tuple[int, int] | None:
    """Return which batch of how many has just been learnt from; None for an event of anything else."""
    if not isinstance(event, ProgressUpdate) or event.stage != "training" or event.batch_progress is None:
        return None
    return event.batch_progress.batch, event.batch_progress.total_batches


def _images(events: list[Event]) -> int:
    return sum(next(event for event in events if isinstance(event, DataLoaded)).train.values())
