"""A small real data set, made once, for the smallest sensible studies on it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import Config


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and val/ of 3 classes, 64-pixel phantoms."""
    folder = tmp_path_factory.mktemp("sample") / "data"
    write_sample_data(folder, per_class=9, seed=3, image_size=64)
    return folder


@pytest.fixture(scope="session")
def small_config(sample_data: Path, small_config_on: Callable[[Path], Callable[..., Config]]) -> Callable[..., Config]:
    """Make the small configuration on these images. Each folder's own: a session fixture remembers its first images."""
    return small_config_on(sample_data)
