"""The recipe `probe`: an ordinary run whose checkpoint is the pretrained network with a fitted classifier."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ConfigInvalid
from breastai.domain.events import Evaluation, Event, ExportComplete, TrainingComplete, TrainingUpdate
from breastai.domain.jobs import Evaluate
from breastai.engine.network import embeddings
from breastai.engine.network.checkpoint_io import load_checkpoint
from breastai.engine.network.models import build_model
from breastai.engine.network.runtime import seed_torch
from breastai.storage.checkpoints import checkpoint_files
from breastai.storage.workspace import Workspace
from breastai.worker import perform

PROBE = {"model": {"use_cbam": False, "attention_pooling": False}, "training": {"recipe": "probe"}}


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "default_embeddings_root", lambda: tmp_path / "embeddings")


def told(events: list[Event]) -> tuple[TrainingUpdate, TrainingComplete]:
    (update,) = [event for event in events if isinstance(event, TrainingUpdate)]
    (complete,) = [event for event in events if isinstance(event, TrainingComplete)]
    return update, complete


def test_its_checkpoint_is_the_network_as_it_was_with_a_fitted_classifier(
    small_config: Callable[..., Config], run_events: Callable[..., list[Event]], workspace: Workspace
) -> None:
    config = small_config(PROBE, {"training": {"epochs": 30}})
    update, complete = told(run_events(config))
    assert complete.epochs_run == 1 and update.metrics["train_accuracy"] is not None
    loaded = load_checkpoint(checkpoint_files(workspace, "run", "best"))
    seed_torch(config.system.seed)
    fresh = build_model(config.model, 3).model.state_dict()
    changed = {name for name, value in loaded.model.state_dict().items() if not torch.equal(value, fresh[name])}
    assert changed == {"head.weight", "head.bias"}
    assert loaded.manifest.decision.operating_point is not None and loaded.novelty is not None


def test_what_validation_showed_is_what_an_evaluation_shows(
    small_config: Callable[..., Config],
    run_events: Callable[..., list[Event]],
    workspace: Workspace,
    sample_data: Path,
) -> None:
    update, _ = told(run_events(small_config(PROBE)))
    job = Evaluate(workspace=str(workspace.root), checkpoint="run/best", data=str(sample_data / "val"))
    (found,) = [event for event in perform(job) if isinstance(event, Evaluation)]
    assert found.figures["auc_roc"].value == pytest.approx(update.metrics["val_auc_roc"], abs=1e-6)


@pytest.mark.full  # the export of another recipe is tested each time
def test_it_is_exported_as_any_other(
    small_config: Callable[..., Config], run_events: Callable[..., list[Event]]
) -> None:
    events = run_events(small_config(PROBE, {"training": {"export_onnx": True}}))
    (exported,) = [event for event in events if isinstance(event, ExportComplete)]
    assert exported.max_difference is not None and exported.max_difference < 1e-4


def test_a_second_run_computes_no_feature_again_and_says_the_same(
    small_config: Callable[..., Config], run_events: Callable[..., list[Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = told(run_events(small_config(PROBE), "first"))
    monkeypatch.setattr(embeddings, "normalize", None)
    second, _ = told(run_events(small_config(PROBE), "second"))
    assert second.metrics == first.metrics


def test_mirrored_images_are_asked_of_the_network(
    small_config: Callable[..., Config], run_events: Callable[..., list[Event]]
) -> None:
    plain, _ = told(run_events(small_config(PROBE), "plain"))
    mirrored, _ = told(run_events(small_config(PROBE, {"evaluation": {"tta": True}}), "mirrored"))
    assert mirrored.metrics["train_loss"] == pytest.approx(plain.metrics["train_loss"])
    assert mirrored.metrics["val_loss"] != plain.metrics["val_loss"]


@pytest.mark.parametrize("setting", ["use_cbam", "attention_pooling"])
def test_parts_that_nothing_would_train_are_refused(setting: str) -> None:
    model = {**PROBE["model"], setting: True}
    with pytest.raises(ConfigInvalid, match="attention_pooling"):
        parse_config({**PROBE, "model": model})


def test_the_weights_of_classes_balance_them(
    small_config: Callable[..., Config], run_events: Callable[..., list[Event]], workspace: Workspace
) -> None:
    biases = []
    for name, balanced in (("balanced", True), ("plain", False)):
        run_events(small_config(PROBE, {"training": {"weighted_sampler": balanced}}), name)
        biases.append(load_checkpoint(checkpoint_files(workspace, name, "best")).model.head.bias.detach().numpy())
    assert not np.allclose(*biases)
