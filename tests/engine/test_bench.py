"""What a run would take: measured on real steps, and honest about the images there are."""

from collections.abc import Callable

from breastai.domain.config import Config
from breastai.domain.events import BenchMeasured
from breastai.domain.jobs import Bench
from breastai.storage.workspace import Workspace
from breastai.worker import perform


def measured(config: Config, workspace: Workspace) -> BenchMeasured:
    *_, last = perform(Bench(workspace=str(workspace.root), config=config))
    assert isinstance(last, BenchMeasured), last
    return last


def test_a_run_takes_its_images_over_the_speed(small_config: Callable[..., Config], workspace: Workspace) -> None:
    told = measured(small_config({"training": {"epochs": 4}}), workspace)
    assert told.training_images > told.validation_images > 0
    epoch_s = told.training_images / told.train_images_per_second
    judged_s = told.validation_images / told.evaluate_images_per_second
    assert told.estimated_s is not None
    assert abs(told.estimated_s - 4 * (epoch_s + judged_s)) < 0.2 + 0.02 * told.estimated_s
    assert 0 < told.peak_share < 1
    assert 0 <= told.loader_wait_share < 1
    assert told.peak_memory_gb > 0.1


def test_without_images_the_speed_is_told_and_no_time(
    small_config: Callable[..., Config], workspace: Workspace
) -> None:
    nowhere = {"data": {"train_dir": "nowhere", "val_dir": None}}
    told = measured(small_config(nowhere), workspace)
    assert told.training_images == 0
    assert told.estimated_s is None
    assert told.train_images_per_second > 0
