"""A small real data set, made once, and the smallest sensible training on it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import Config
from breastai.domain.events import Event, ExportComplete
from breastai.domain.jobs import Export, Train
from breastai.engine.export.exporters import export
from breastai.engine.training.training_job import train
from breastai.storage.workspace import Workspace


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and val/ of 3 classes, 64-pixel phantoms."""
    folder = tmp_path_factory.mktemp("sample") / "data"
    write_sample_data(folder, per_class=14, seed=3, image_size=64)
    return folder


@pytest.fixture(scope="session")
def small_config(sample_data: Path, small_config_on: Callable[[Path], Callable[..., Config]]) -> Callable[..., Config]:
    """Make the small configuration on these images. Each folder's own: a session fixture remembers its first images."""
    return small_config_on(sample_data)


@pytest.fixture
def run_events(workspace: Workspace) -> Callable[..., list[Event]]:
    """Train to the end; return all events."""

    def run(config: Config, run_id: str = "run", place: Workspace = workspace) -> list[Event]:
        return list(train(Train(workspace=str(place.root), run_id=run_id, config=config), place))

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, small_config: Callable[..., Config]) -> Workspace:
    """A run of one epoch, for tests that only read it."""
    place = Workspace.open(tmp_path_factory.mktemp("exports") / "workspace")
    config = small_config({"training": {"epochs": 1}})
    list(train(Train(workspace=str(place.root), run_id="run", config=config), place))
    return place


@pytest.fixture(scope="session")
def exported(trained: Workspace) -> ExportComplete:
    """What is said of that run's export as ONNX, which takes longer than ten such runs."""
    *_, last = export(Export(workspace=str(trained.root), checkpoint="run/best", format="onnx"), trained)
    assert isinstance(last, ExportComplete)
    return last
