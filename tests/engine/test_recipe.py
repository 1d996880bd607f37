"""The fine_tune recipe: features first, then all layers on growing images."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from breastai.domain.config import Config, TrainingSettings, parse_config
from breastai.domain.events import Event, ProgressUpdate, TrainingUpdate
from breastai.domain.jobs import Resume, Train
from breastai.engine.network.models import build_model
from breastai.engine.network.runtime import seed_torch
from breastai.engine.training.optim import layer_rates, make_optimizer
from breastai.engine.training.schedule import image_size_in, is_head_epoch, learning_rate_at, uses_frozen_batch_norm
from breastai.storage.run_recorder import Pace
from breastai.storage.workspace import Workspace
from breastai.worker import perform

FINE_TUNE = {"training": {"recipe": "fine_tune", "epochs": 3}, "data": {"image_size": 64}}


def config(**training: object) -> Config:
    return parse_config({"data": {"image_size": 224}, "training": {"recipe": "fine_tune", **training}})


def test_images_grow_to_their_full_size_and_stay_there() -> None:
    sizes = [image_size_in(config(epochs=8), epoch) for epoch in range(2, 9)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 160
    assert sizes[-2:] == [224, 224]
    assert all(size % 32 == 0 for size in sizes)


def test_the_plain_recipe_keeps_every_epoch_at_full_size() -> None:
    plain = config(recipe="plain", epochs=8)
    assert {image_size_in(plain, epoch) for epoch in range(1, 9)} == {224}
    assert not is_head_epoch(plain.training, 1)


def test_a_single_epoch_is_never_spent_on_the_head_alone() -> None:
    assert not is_head_epoch(config(epochs=1).training, 1)


def test_the_schedule_begins_after_the_head_epoch() -> None:
    training = config(epochs=5, scheduler="cosine_warmup", warmup_epochs=1, learning_rate=0.01).training
    assert learning_rate_at(training, 2, 0.0, 0) == pytest.approx(0.0001)
    assert learning_rate_at(training, 3, 0.0, 0) == pytest.approx(0.01)
    assert learning_rate_at(training, 5, 1.0, 0) == pytest.approx(0.0001)


@pytest.mark.parametrize(
    ("wish", "recipe", "batch_size", "kept"),
    [
        ("auto", "plain", 16, False),
        ("auto", "plain", 4, True),
        ("auto", "fine_tune", 16, True),
        ("batch", "fine_tune", 4, False),
        ("pretrained", "plain", 16, True),
    ],
)
def test_statistics_are_kept_where_those_of_a_batch_would_mislead(
    wish: str, recipe: str, batch_size: int, kept: bool
) -> None:
    values = {"training": {"recipe": recipe, "batch_norm": wish}, "data": {"batch_size": batch_size}}
    assert uses_frozen_batch_norm(parse_config(values), pretrained=True) is kept
    assert not uses_frozen_batch_norm(parse_config(values), pretrained=False)


def test_earlier_layers_learn_more_slowly() -> None:
    settings = TrainingSettings(recipe="fine_tune")
    model = build_model(config().model.model_copy(update={"architecture": "resnet50", "pretrained": "none"}), 3).model
    rates = layer_rates(model, settings)
    assert rates[id(model.head.weight)] == 1.0
    assert rates[id(model.backbone.conv1.weight)] == min(rates.values()) < 1.0
    optimizer = make_optimizer(model, settings, rates)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
    assert {group["layer_rate"] for group in optimizer.param_groups} == set(rates.values())


def test_the_head_epoch_leaves_the_backbone_as_it_was(
    run_events: Callable[..., list[Event]], small_config: Callable[..., Config], workspace: Workspace
) -> None:
    settings = small_config(FINE_TUNE, {"model": {"architecture": "tf_efficientnet_lite0", "pretrained": "required"}})
    job = Train(workspace=str(workspace.root), run_id="run", config=settings)
    seen: list[Event] = []
    for event in perform(job, lambda: any(isinstance(told, TrainingUpdate) for told in seen)):
        seen.append(event)  # noqa: PERF402 - looked at as it grows
    kept = load_file(workspace.checkpoint_dir("run") / "last.safetensors")
    seed_torch(42)
    start = build_model(settings.model, 3).model.state_dict()
    backbone = [name for name in start if name.startswith("backbone.")]
    assert all(torch.equal(kept[name], start[name]) for name in backbone)
    assert not torch.equal(kept["head.weight"], start["head.weight"])
    update = next(event for event in seen if isinstance(event, TrainingUpdate))
    assert update.images_per_second is None
    assert np.isfinite(update.metrics["train_loss"] or np.nan)


@pytest.mark.one_variant
@pytest.mark.parametrize("batches", [2, 20, 55])  # among the features, in the head epoch, in the second epoch
def test_a_stop_within_the_recipe_continues_to_the_same_weights(
    batches: int,
    run_events: Callable[..., list[Event]],
    small_config: Callable[..., Config],
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = small_config(FINE_TUNE)
    run_events(settings, "whole")
    monkeypatch.setattr(Pace, "passes", lambda pace, event: True)
    first: list[Event] = []

    def enough() -> bool:
        return sum(isinstance(told, ProgressUpdate) and told.stage == "training" for told in first) >= batches

    for event in perform(Train(workspace=str(workspace.root), run_id="cut", config=settings), enough):
        first.append(event)  # noqa: PERF402 - looked at as it grows
    assert first[-1].type == "training_stopped"
    rest = list(perform(Resume(workspace=str(workspace.root), run_id="cut")))
    assert rest[-1].type == "training_complete"
    one, other = (load_file(workspace.checkpoint_dir(run) / "last.safetensors") for run in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)
