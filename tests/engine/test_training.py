"""Whole small trainings: what they tell, and that they can be repeated, stopped and continued bit for bit."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from breastai.domain.config import Config
from breastai.domain.errors import CheckpointNotFound, DataChanged, NumClassesMismatch, RunFinished, WeightsUnavailable
from breastai.domain.events import (
    CheckpointSaved,
    Event,
    ModelLoaded,
    ProgressUpdate,
    TrainingComplete,
    TrainingUpdate,
)
from breastai.domain.jobs import Resume, Train
from breastai.engine.acceleration import autotune
from breastai.engine.training.training_job import resume
from breastai.storage.checkpoints import checkpoint_files, verify_checkpoint
from breastai.storage.run_recorder import Pace
from breastai.storage.span_trace import recorded_trace
from breastai.storage.workspace import Workspace
from breastai.worker import perform

RunEvents = Callable[..., list[Event]]
MakeConfig = Callable[..., Config]


def weights(workspace: Workspace, run_id: str = "run", kind: str = "last") -> dict[str, torch.Tensor]:
    return load_file(workspace.checkpoint_dir(run_id) / f"{kind}.safetensors")


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def figures(events: list[Event]) -> list[dict[str, Any]]:
    """Each epoch's figures without its times."""
    timing = {"seq", "time", "images_per_second", "epoch_s", "eta_s"}
    return [event.model_dump(exclude=timing) for event in events if isinstance(event, TrainingUpdate)]


def stopped_after(batches: int, job: Train, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Perform the job, asking it to stop right after so many batches."""
    monkeypatch.setattr(Pace, "passes", lambda pace, event: True)
    events: list[Event] = []

    def enough() -> bool:
        learnt = [event for event in events if isinstance(event, ProgressUpdate) and event.stage == "training"]
        return len(learnt) >= batches

    for event in perform(job, enough):
        events.append(event)  # noqa: PERF402 - `enough` looks at the list as it grows
    return events


def test_a_run_tells_its_story_in_order(run_events: RunEvents, small_config: MakeConfig) -> None:
    events = run_events(small_config())
    told = [event.type for event in events if event.type not in ("progress_update", "log")]
    assert told[:4] == ["training_started", "audit", "data_loaded", "model_loaded"]
    assert told[-1] == "training_complete"
    assert told.count("training_update") == 2
    assert told.count("checkpoint_saved") >= 3
    in_question = [event for event in events if getattr(event, "code", None) == "data.target_class"]
    assert [event.params["class_name"] for event in in_question] == ["malignant"]  # type: ignore[attr-defined]


def test_a_trace_tells_where_the_seconds_of_a_run_go(
    run_events: RunEvents, small_config: MakeConfig, tmp_path: Path
) -> None:
    file = tmp_path / "trace.json"
    with recorded_trace(file):
        run_events(small_config())
    counts = Counter(row["name"] for row in json.loads(file.read_text(encoding="utf-8"))["traceEvents"])
    once = ("import", "audit", "find duplicates", "split and cache", "build the network")
    assert [counts[name] for name in once] == [1] * len(once)
    assert min(counts[name] for name in ("read an image", "step", "validate", "fit the decision rule", "save")) >= 1


def test_the_end_holds_the_best_epochs_figures(run_events: RunEvents, small_config: MakeConfig) -> None:
    events = run_events(small_config())
    end = events[-1]
    assert isinstance(end, TrainingComplete)
    best = next(event for event in events if isinstance(event, TrainingUpdate) and event.epoch == end.best_epoch)
    assert end.final_metrics["f1_weighted"] == best.metrics["val_f1_weighted"]
    assert end.final_metrics["confusion_matrix"] == best.val_confusion_matrix
    assert end.history["val_loss"] == [
        event.metrics["val_loss"] for event in events if isinstance(event, TrainingUpdate)
    ]


def test_two_runs_with_one_seed_are_equal_bit_for_bit(
    run_events: RunEvents, small_config: MakeConfig, workspace: Workspace
) -> None:
    config = small_config({"training": {"use_ema": True, "mixup_alpha": 0.2}})
    assert figures(run_events(config, "a")) == figures(run_events(config, "b"))
    assert equal(weights(workspace, "a"), weights(workspace, "b"))


def test_another_seed_is_another_run(run_events: RunEvents, small_config: MakeConfig, workspace: Workspace) -> None:
    run_events(small_config({"training": {"epochs": 1}}), "a")
    run_events(small_config({"training": {"epochs": 1}, "system": {"seed": 7}}), "b")
    assert not equal(weights(workspace, "a"), weights(workspace, "b"))


@pytest.mark.one_variant
@pytest.mark.parametrize("batches", [1, 2, 4, 7])
def test_a_stopped_run_continues_to_the_same_weights(
    batches: int,
    run_events: RunEvents,
    small_config: MakeConfig,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes = {"training": {"use_ema": True, "gradient_accumulation_steps": 2, "mixup_alpha": 0.2}}
    config = small_config(changes)
    whole = figures(run_events(config, "whole"))
    first = stopped_after(batches, Train(workspace=str(workspace.root), run_id="cut", config=config), monkeypatch)
    assert first[-1].type == "training_stopped"
    rest = list(perform(Resume(workspace=str(workspace.root), run_id="cut")))
    assert [event for event in rest if event.type == "error"] == []
    assert rest[-1].type == "training_complete"
    told = {event["epoch"]: event for event in figures(first) + figures(rest)}
    ignored = {"run_id", "session_id"}
    assert [{k: v for k, v in told[n].items() if k not in ignored} for n in (1, 2)] == [
        {k: v for k, v in event.items() if k not in ignored} for event in whole
    ]
    assert equal(weights(workspace, "whole"), weights(workspace, "cut"))
    assert equal(weights(workspace, "whole", "best"), weights(workspace, "cut", "best"))
    numbers = [event.seq for event in first + rest if event.type != "backup_created"]
    assert numbers == sorted(set(numbers))  # type: ignore[type-var]


def test_a_finished_run_goes_on_when_asked_for_more(
    run_events: RunEvents, small_config: MakeConfig, workspace: Workspace
) -> None:
    config = small_config({"training": {"epochs": 1, "scheduler": "none"}})
    list(perform(Train(workspace=str(workspace.root), run_id="run", config=config)))
    refused = list(perform(Resume(workspace=str(workspace.root), run_id="run")))
    assert refused[-1].code == RunFinished.code  # type: ignore[attr-defined]
    events = list(perform(Resume(workspace=str(workspace.root), run_id="run", epochs=2)))
    assert [event["epoch"] for event in figures(events)] == [2]


def test_a_run_stopped_between_its_last_epoch_and_its_end_completes_when_resumed(
    small_config: MakeConfig, workspace: Workspace
) -> None:
    config = small_config({"training": {"epochs": 1}})
    told: list[Event] = []

    def last_was_saved() -> bool:
        return any(isinstance(event, CheckpointSaved) and event.checkpoint == "run/last" for event in told)

    told.extend(perform(Train(workspace=str(workspace.root), run_id="run", config=config), last_was_saved))
    assert [event["epoch"] for event in figures(told)] == [1]
    assert told[-1].type == "training_stopped"
    rest = list(perform(Resume(workspace=str(workspace.root), run_id="run")))
    assert figures(rest) == []
    (complete,) = [event for event in rest if isinstance(event, TrainingComplete)]
    assert (complete.epochs_run, complete.best_epoch) == (1, 1)
    refused = list(perform(Resume(workspace=str(workspace.root), run_id="run")))
    assert [event.code for event in refused if event.type == "error"] == [RunFinished.code]


def test_a_run_does_not_resume_on_other_images(
    small_config: MakeConfig, workspace: Workspace, sample_data: Path, tmp_path: Path
) -> None:
    import shutil

    copied = tmp_path / "copy"
    shutil.copytree(sample_data, copied)
    config = small_config(
        {"data": {"train_dir": str(copied / "train"), "val_dir": str(copied / "val")}, "training": {"epochs": 1}}
    )
    list(perform(Train(workspace=str(workspace.root), run_id="run", config=config)))
    next((copied / "train" / "benign").iterdir()).unlink()
    events = list(perform(Resume(workspace=str(workspace.root), run_id="run", epochs=2)))
    assert DataChanged.code in [getattr(event, "code", None) for event in events]


def test_resuming_an_unknown_run_is_refused(workspace: Workspace) -> None:
    events = list(perform(Resume(workspace=str(workspace.root), run_id="nothing")))
    assert [event.type for event in events] == ["error"]
    with pytest.raises(CheckpointNotFound):
        list(resume(Resume(workspace=str(workspace.root), run_id="nothing"), workspace))


def test_a_wrong_number_of_classes_is_told_before_anything_is_written(
    run_events: RunEvents, small_config: MakeConfig, workspace: Workspace
) -> None:
    with pytest.raises(NumClassesMismatch):
        run_events(small_config({"model": {"num_classes": 2}}))
    assert not workspace.runs()
    assert not workspace.checkpoint_dir("run").exists()


def test_a_training_whose_pretrained_weights_cannot_be_had_stops_and_names_the_choices(
    run_events: RunEvents, small_config: MakeConfig
) -> None:
    changes = {
        "model": {"architecture": "efficientnet_b0", "pretrained": "auto"},
        "training": {"epochs": 1},
        "system": {"download_weights": False},
    }
    with pytest.raises(WeightsUnavailable) as refused:
        run_events(small_config(changes))
    choices = ("weights add", "model.weights_file", "preset quick", "tf_efficientnet_lite0", "model.pretrained to none")
    assert [choice for choice in choices if choice not in str(refused.value)] == []


def test_early_stopping_ends_a_run(run_events: RunEvents, small_config: MakeConfig) -> None:
    patience = {"patience": 1, "min_delta": 1.0}
    end = run_events(small_config({"training": {"epochs": 9, "early_stopping": patience}}))[-1]
    assert isinstance(end, TrainingComplete)
    assert end.stopped_early
    assert end.epochs_run == 2


def test_frozen_layers_stay_and_thaw_by_phases(
    run_events: RunEvents, small_config: MakeConfig, workspace: Workspace
) -> None:
    phases = {"phase1": 1, "phase2": 1, "phase3": 1}
    run_events(small_config({"training": {"epochs": 1, "unfreezing": phases}}), "one")
    run_events(
        small_config({"training": {"epochs": 4, "unfreezing": phases, "early_stopping": {"enabled": False}}}), "all"
    )
    fresh = small_config().model.model_copy(update={"pretrained": "none"})
    from breastai.engine.network.models import build_model
    from breastai.engine.network.runtime import seed_torch

    seed_torch(42)
    start = build_model(fresh, 3).model.state_dict()
    one, four = weights(workspace, "one"), weights(workspace, "all")
    assert torch.equal(one["backbone.stages.0.conv.weight"], start["backbone.stages.0.conv.weight"])
    assert torch.equal(one["backbone.stages.1.norm.running_mean"], start["backbone.stages.1.norm.running_mean"])
    assert not torch.equal(one["head.weight"], start["head.weight"])
    assert not torch.equal(four["backbone.stages.0.conv.weight"], start["backbone.stages.0.conv.weight"])


def test_the_manifest_tells_the_split_by_name_and_hash(
    run_events: RunEvents, small_config: MakeConfig, workspace: Workspace
) -> None:
    run_events(small_config({"data": {"val_dir": None}, "evaluation": {"patient_id": r"^(P\d+)_"}}))
    manifest = verify_checkpoint(checkpoint_files(workspace, "run", "best"))
    split = manifest.split
    patients = [{Path(name).name.split("_")[0] for name in names} for names in (split.train, split.val)]
    assert patients[0].isdisjoint(patients[1])
    assert len(split.train) == len(split.train_sha256)
    assert not set(split.train_sha256) & set(split.val_sha256)
    assert "patients" in str(split.description)


def test_a_stop_is_heard_while_the_machine_is_being_measured(
    workspace: Workspace, small_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "plan_folder", lambda: tmp_path / "plans")
    monkeypatch.setattr(Pace, "passes", lambda pace, event: True)
    config = small_config({"system": {"autotune": True}})
    events: list[Event] = []

    def measured() -> list[ProgressUpdate]:
        told = [event for event in events if isinstance(event, ProgressUpdate) and event.stage == "tuning"]
        return [event for event in told if event.batch_progress is not None]

    job = Train(workspace=str(workspace.root), run_id="run", config=config)
    for event in perform(job, lambda: len(measured()) >= 3):
        events.append(event)  # noqa: PERF402 - the stop looks at the list as it grows
    assert [event.batch_progress.batch for event in measured() if event.batch_progress] == [1, 2, 3]
    assert events[-1].type == "training_stopped"
    assert not (tmp_path / "plans").exists()
    assert not any(event.type == "model_loaded" for event in events)


def test_the_head_learns_before_the_machine_is_measured_and_all_else_by_what_was_measured(
    run_events: RunEvents,
    small_config: MakeConfig,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(autotune, "plan_folder", lambda: tmp_path / "plans")
    tuned = {"system": {"autotune": True}, "training": {"recipe": "fine_tune", "epochs": 2}}
    config = small_config(tuned, {"training": {"export_onnx": False}})
    told = [event for event in run_events(config) if isinstance(event, ModelLoaded | TrainingUpdate)]
    assert [type(event).__name__ for event in told] == [
        "ModelLoaded",
        "TrainingUpdate",
        "ModelLoaded",
        "TrainingUpdate",
    ]
    first, _, second, _ = told
    assert isinstance(first, ModelLoaded) and isinstance(second, ModelLoaded)
    assert (first.again, second.again) == (False, True)
    assert first.plan is not None and first.plan.startswith("Not measured yet")
    assert second.plan is not None and "Measuring took" in second.plan
    plan = verify_checkpoint(checkpoint_files(workspace, "run", "last")).plan
    assert plan is not None
    assert not plan["guessed"]
    # The next run finds the plan instead of measuring it, and is equal bit for bit all the same.
    again = run_events(config, "again")
    assert [event.plan for event in again if isinstance(event, ModelLoaded)] == [first.plan, second.plan]
    assert [event.metrics["val_loss"] for event in again if isinstance(event, TrainingUpdate)] == [
        event.metrics["val_loss"] for event in told if isinstance(event, TrainingUpdate)
    ]
    assert equal(weights(workspace), weights(workspace, "again"))


def test_a_run_stopped_before_the_machine_was_measured_measures_when_it_goes_on(
    small_config: MakeConfig, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "plan_folder", lambda: tmp_path / "plans")
    config = small_config({"system": {"autotune": True}, "training": {"recipe": "fine_tune", "epochs": 2}})
    job = Train(workspace=str(workspace.root), run_id="run", config=config)
    assert stopped_after(4, job, monkeypatch)[-1].type == "training_stopped"
    plan = verify_checkpoint(checkpoint_files(workspace, "run", "last")).plan
    assert plan is not None
    assert plan["guessed"]
    events = list(resume(Resume(workspace=str(workspace.root), run_id="run"), workspace))
    assert [event.again for event in events if isinstance(event, ModelLoaded)] == [False, True]
    assert isinstance(events[-1], TrainingComplete)


def test_the_loss_falls_on_images_it_can_tell_apart(run_events: RunEvents, small_config: MakeConfig) -> None:
    pretrained = {"model": {"architecture": "tf_efficientnet_lite0", "pretrained": "required"}}
    config = small_config(pretrained, {"training": {"epochs": 6, "learning_rate": 0.001, "scheduler": "none"}})
    losses = [event["metrics"]["train_loss"] for event in figures(run_events(config))]
    assert losses[-1] < losses[0]


@pytest.mark.one_variant
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("scheduler", ["cosine", "cosine_warmup", "one_cycle", "plateau", "none"])
def test_every_optimizer_and_schedule_trains(
    optimizer: str, scheduler: str, run_events: RunEvents, small_config: MakeConfig
) -> None:
    config = small_config({"training": {"epochs": 1, "optimizer": optimizer, "scheduler": scheduler}})
    assert np.isfinite(figures(run_events(config))[0]["metrics"]["train_loss"])
