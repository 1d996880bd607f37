"""A small real data set, made once, and the smallest sensible studies on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from breastai.data.phantoms import write_sample_data
from breastai.domain.config import Config, overlay, parse_config
from breastai.storage.workspace import Workspace

SMALL: dict[str, Any] = {
    "data": {"image_size": 32, "batch_size": 8, "num_workers": 2, "test_dir": None},
    "model": {"architecture": "tf_efficientnet_lite0", "pretrained": "none", "dropout_rate": 0.2},
    "training": {"epochs": 2, "use_amp": False},
    "system": {"num_threads": 1, "autotune": False},
}


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and val/ of 3 classes, 64-pixel phantoms."""
    folder = tmp_path_factory.mktemp("sample") / "data"
    write_sample_data(folder, per_class=9, seed=3, image_size=64)
    return folder


@pytest.fixture(scope="session")
def small_config(sample_data: Path) -> Callable[..., Config]:
    """Make the small configuration, with changes laid over it."""

    def make(*changes: dict[str, Any]) -> Config:
        folders = {"data": {"train_dir": str(sample_data / "train"), "val_dir": str(sample_data / "val")}}
        return parse_config(overlay(SMALL, folders, *changes))

    return make


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "workspace")
