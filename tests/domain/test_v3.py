"""Version 3's flat names, and events as its page reads them."""

from typing import Any

import pytest

from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ConfigInvalid
from breastai.domain.event_messages import event_values
from breastai.domain.events import (
    BatchProgress,
    CheckpointDeleted,
    CheckpointEntry,
    CheckpointSaved,
    CheckpointsList,
    Event,
    ProgressUpdate,
    TrainingUpdate,
)
from breastai.domain.metric_catalog import MONITORS
from breastai.domain.v3_events import Version3Events
from breastai.domain.v3_settings import FLAT_NAMES, data_folders, nest_settings

# What version 3's page sends, from its description, with a value for each.
SENT_BY_VERSION_3: dict[str, Any] = {
    "data_path": "data",
    "model_name": "resnet50",
    "epochs": 3,
    "batch_size": 2,
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "label_smoothing": 0.05,
    "dropout_rate": 0.1,
    "optimizer": "SGD",
    "scheduler": "CosineAnnealingWarmRestarts",
    "use_cbam": False,
    "use_focal_loss": True,
    "focal_loss_alpha": [1.0, 2.0],
    "focal_loss_gamma": 1.5,
    "use_tta": True,
    "use_ema": True,
    "ema_decay": 0.9,
    "gradient_accumulation_steps": 2,
    "progressive_unfreezing_phase1": 1,
    "progressive_unfreezing_phase2": 2,
    "progressive_unfreezing_phase3": 3,
    "num_classes": 2,
    "num_workers": 1,
    "gradient_clip": 2.0,
    "horizontal_flip": True,
    "vertical_flip": False,
    "rotation": 5.0,
    "brightness": 0.1,
    "contrast": 0.2,
    "image_size": 64,
    "val_split": 0.3,
}


def test_everything_version_3_sends_is_understood() -> None:
    assert set(SENT_BY_VERSION_3) == {*FLAT_NAMES, "data_path"}
    config = parse_config(nest_settings(SENT_BY_VERSION_3))
    assert (config.data.train_dir, config.data.val_dir, config.data.test_dir) == ("data/train", "data/val", "data/test")
    assert (config.model.architecture, config.model.num_classes) == ("resnet50", 2)
    assert (config.training.optimizer, config.training.scheduler) == ("sgd", "cosine")
    assert config.training.unfreezing.model_dump() == {"phase1": 1, "phase2": 2, "phase3": 3}
    assert (config.augmentation.horizontal_flip, config.augmentation.vertical_flip) == (0.5, 0.0)
    assert config.evaluation.tta


@pytest.mark.parametrize("name", FLAT_NAMES)
def test_each_flat_name_reaches_its_setting(name: str) -> None:
    place, convert = FLAT_NAMES[name]
    value: Any = parse_config(nest_settings({name: SENT_BY_VERSION_3[name]}))
    for part in place.split("."):
        value = getattr(value, part)
    assert value == convert(SENT_BY_VERSION_3[name])


def test_sections_pass_as_they_are_and_win_over_flat_names() -> None:
    assert nest_settings({"epochs": 3, "training": {"epochs": 5}}) == {"training": {"epochs": 5}}
    assert nest_settings(Config().model_dump()) == Config().model_dump()


def test_an_unknown_flat_key_is_an_error_like_any_other() -> None:
    with pytest.raises(ConfigInvalid, match="epoch: unknown key"):
        nest_settings({"epoch": 3})


@pytest.mark.parametrize(
    ("root", "train"),
    [("data", "data/train"), ("data/", "data/train"), ("C:\\Données", "C:/Données/train"), ("", "./train")],
)
def test_the_folder_that_holds_train_gives_the_three_folders(root: str, train: str) -> None:
    assert data_folders(root)["data"]["train_dir"] == train


@pytest.mark.parametrize(
    "name", ["sets/labels.csv", "C:\\sets\\Befunde.XLSX", "mine.json", "breastmnist.npz", "a.jsonl"]
)
def test_a_list_of_cases_gives_its_parts_itself(name):
    place = name.replace("\\", "/")
    assert nest_settings({"data_path": name}) == {"data": {"train_dir": place, "val_dir": None, "test_dir": None}}


# --- its page ------------------------------------------------------------------------------------


def listed(
    run_id: str, kind: str = "best", accuracy: float | None = 0.5, problem: str | None = None
) -> CheckpointEntry:
    return CheckpointEntry(
        checkpoint=f"{run_id}/{kind}",
        filename=f"{run_id}_{kind}.safetensors",
        path=f"checkpoints/{run_id}/{kind}.safetensors",
        size=1000,
        created="2026-01-01T00:00:00+00:00",
        run_id=run_id,
        epoch=1,
        accuracy=accuracy,
        architecture="resnet50",
        problem=problem,
    )


def as_page_3_is_told(*events: Event) -> list[dict[str, Any]]:
    page = Version3Events()
    return [shown for event in events for shown in page.translate(event_values(event))]


def epoch_over(**metrics: float | None) -> TrainingUpdate:
    return TrainingUpdate(
        metrics={**dict.fromkeys(MONITORS, 0.5), **metrics},
        epoch=2,
        epochs=3,
        val_confusion_matrix=[[1, 0], [0, 1]],
        val_per_class={},
        learning_rate=0.1,
        images_per_second=1.0,
        epoch_s=1.0,
        eta_s=None,
        is_best=True,
    )


def test_page_3_lists_what_has_an_accuracy_in_percent_and_hears_how_many_it_does_not() -> None:
    unfinished, damaged = listed("b", "last", accuracy=None), listed("c", problem="damaged")
    told, line = as_page_3_is_told(CheckpointsList(checkpoints=[listed("a"), unfinished, damaged]))
    assert [(entry["path"], entry["accuracy"]) for entry in told["checkpoints"]] == [
        ("checkpoints/a/best.safetensors", 50.0)
    ]
    assert line["type"] == "log"
    assert line["message"].startswith("2 checkpoints are not listed")


def test_page_3_finds_its_latest_in_last() -> None:
    saved = CheckpointSaved(
        checkpoint="a/last", filename="a_last.safetensors", path="p", epoch=1, accuracy=0.25, size_mb=1.0
    )
    (told,) = as_page_3_is_told(CheckpointsList(checkpoints=[listed("a", "last"), listed("a", "best")]))
    assert [entry["filename"] for entry in told["checkpoints"]] == ["a_latest.safetensors", "a_best.safetensors"]
    (told,) = as_page_3_is_told(saved)
    assert (told["filename"], told["accuracy"]) == ("a_latest.safetensors", 25.0)
    (told,) = as_page_3_is_told(saved.model_copy(update={"accuracy": None}))
    assert told["type"] == "log"


def test_page_3_is_sent_its_list_again_without_what_was_deleted() -> None:
    deleted = CheckpointDeleted(checkpoint="a/best", filename="a_best.safetensors")
    told = as_page_3_is_told(CheckpointsList(checkpoints=[listed("a"), listed("b")]), deleted)
    assert [event["type"] for event in told] == ["checkpoints_list", "checkpoint_deleted", "checkpoints_list"]
    assert [entry["checkpoint"] for entry in told[-1]["checkpoints"]] == ["b/best"]


def test_page_3_follows_an_epoch_batch_by_batch() -> None:
    within = ProgressUpdate(
        stage="training",
        batch_progress=BatchProgress(batch=3, total_batches=4, current_loss=0.7, current_accuracy=0.5),
    )
    judged = within.model_copy(update={"batch_progress": BatchProgress(batch=3, total_batches=4)})
    told = as_page_3_is_told(within, judged)
    assert [event["type"] for event in told] == ["progress_update", "batch_progress", "progress_update"]
    assert told[1] == {
        "type": "batch_progress",
        "batch": 3,
        "total_batches": 4,
        "current_loss": 0.7,
        "current_accuracy": 50.0,
    }


def test_page_3_shows_an_epoch_in_percent_and_hears_which_figure_is_undefined() -> None:
    (told,) = as_page_3_is_told(epoch_over(val_accuracy=0.75))
    assert (told["type"], told["val_accuracy"], told["val_f1_macro"]) == ("training_update", 75.0, 0.5)
    (line,) = as_page_3_is_told(epoch_over(val_f1_macro=None))
    assert line["type"] == "log"
    assert "val_f1_macro" in line["message"]
