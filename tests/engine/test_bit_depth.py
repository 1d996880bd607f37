"""The bit depth of a run: found once, kept with the model, and of models without one left as it was."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from breastai.domain.config import Config, parse_config
from breastai.domain.events import TrainingStarted
from breastai.domain.jobs import Train
from breastai.engine.training.training_job import train
from breastai.storage.checkpoints import Manifest
from breastai.storage.workspace import Workspace

from ..predictor.test_onnx_model import METADATA, brightness_model


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for label in ("benign", "malignant"):
            folder = tmp_path / part / label
            folder.mkdir(parents=True)
            for number in range(4):
                values = cv2.GaussianBlur(rng.normal(2000, 3000, (64, 64)), (0, 0), 2)
                values = np.clip(values, 100, 4000).astype(np.uint16)
                values[0, 0] = 4095 + number
                cv2.imwrite(str(folder / f"{number}.png"), values)
    return tmp_path


def started(folder: Path, **preprocessing: object) -> Config:
    workspace = Workspace.open(folder)
    data = {"train_dir": "train", "val_dir": "val", "test_dir": None, "image_size": 64, "on_leak": "continue"}
    values = {"data": data, "preprocessing": preprocessing, "evaluation": {"target_class": "malignant"}}
    steps = train(Train(workspace=str(folder), run_id="r1", config=parse_config(values)), workspace)
    try:
        return parse_config(next(event for event in steps if isinstance(event, TrainingStarted)).config)
    finally:
        steps.close()  # type: ignore[attr-defined]


def test_a_run_begins_with_the_depth_of_its_training_images(deep: Path) -> None:
    assert started(deep).preprocessing.bit_depth == 14
    assert started(deep, bit_depth=12).preprocessing.bit_depth == 12
    assert started(deep, bit_depth="image").preprocessing.bit_depth == "image"


def test_models_from_before_there_was_a_depth_take_each_image_s_own_range(tmp_path: Path) -> None:
    from breastai.predictor.onnx_model import OnnxModel

    kept = {
        "run_id": "r", "kind": "best", "created": "", "config": {"preprocessing": {"clahe": False}}, "architecture": "x",
        "class_names": ["a", "b"], "image_size": 32, "mean": [0.5] * 3, "std": [0.5] * 3, "epoch": 1, "metrics": {},
        "split": {"train": [], "val": [], "train_sha256": [], "val_sha256": []}, "pretrained": "none", "versions": {},
    }  # fmt: skip
    old = Manifest.model_validate(kept)
    assert old.config.preprocessing.bit_depth == "image"
    assert Manifest.model_validate_json(old.model_dump_json()) == old
    new = Manifest.model_validate(kept | {"config": {"preprocessing": {"bit_depth": None}}})
    assert new.config.preprocessing.bit_depth is None
    for said, depth in (({}, "image"), ({"bit_depth": 12}, 12)):
        model = brightness_model(tmp_path / "m.onnx", METADATA | {"preprocessing": {"clahe": False} | said})
        assert OnnxModel.open(model).preprocessing.bit_depth == depth
