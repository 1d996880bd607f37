"""A small real data set, made once, for the smallest sensible studies on it."""

from pathlib import Path

import pytest

from breastai.data.phantoms import write_sample_data


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and val/ of 3 classes, 64-pixel phantoms."""
    folder = tmp_path_factory.mktemp("sample") / "data"
    write_sample_data(folder, per_class=9, seed=3, image_size=64)
    return folder
