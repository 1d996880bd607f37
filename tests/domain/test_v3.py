"""Version 3's flat names."""

from typing import Any

import pytest

from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ConfigInvalid
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
