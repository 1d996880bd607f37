"""A loss that is no finite number: the step is left out, then the run goes back, then it stops and can be gone on with."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from breastai.domain.config import Config
from breastai.domain.errors import LossNotFinite
from breastai.domain.events import Event, Log, TrainingUpdate
from breastai.domain.jobs import Resume, Train
from breastai.engine.network.process_group import ProcessGroup
from breastai.engine.training import loop as training_module
from breastai.engine.training.divergence import MOST_ROLLBACKS
from breastai.engine.training.optim import Loss
from breastai.engine.training.run_state import Position, Run
from breastai.engine.training.step import Learner
from breastai.storage.checkpoints import checkpoint_files, verify_checkpoint
from breastai.storage.workspace import Workspace
from breastai.worker import perform

MakeConfig = Callable[..., Config]
When = Callable[[Position], bool]
PLAIN = {"training": {"scheduler": "none", "early_stopping": {"enabled": False}}, "data": {"batch_size": 6}}


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have steps go wrong wherever `when` says so; with `network`, the network is spoilt too."""

    def arrange(when: When, network: bool = False) -> None:
        here: list[Run] = []
        arguments, learn = training_module._step_arguments, Learner.learn

        def noted(run: Run, batch: int, total: int) -> object:
            here[:] = [run]
            return arguments(run, batch, total)

        def spoilt(learner: Learner, *given: object) -> tuple[float, int]:
            if not when(here[0].position):
                return learn(learner, *given)  # type: ignore[arg-type]
            if network:
                next(learner.model.buffers()).fill_(torch.nan)
            return np.nan, 0

        monkeypatch.setattr(training_module, "_step_arguments", noted)
        monkeypatch.setattr(Learner, "learn", spoilt)

    return arrange


def performed(workspace: Workspace, config: Config, run_id: str = "run") -> list[Event]:
    return list(perform(Train(workspace=str(workspace.root), run_id=run_id, config=config)))


def codes(events: list[Event]) -> list[str]:
    return [code for event in events if (code := getattr(event, "code", None)) and code.startswith("training.")]


def rates(events: list[Event]) -> dict[int, float]:
    return {event.epoch: event.learning_rate for event in events if isinstance(event, TrainingUpdate)}


def is_finite(workspace: Workspace, run_id: str = "run") -> bool:
    weights = load_file(workspace.checkpoint_dir(run_id) / "last.safetensors")
    return all(bool(torch.isfinite(value).all()) for value in weights.values() if value.is_floating_point())


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_step_without_a_finite_loss_or_gradient_is_left_out(
    where: str, small_config: MakeConfig, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, calls = Loss.forward, 0

    def wrong(loss: Loss, logits: torch.Tensor, targets: torch.Tensor, world: ProcessGroup) -> torch.Tensor:
        nonlocal calls
        calls += 1
        value = forward(loss, logits, targets, world)
        if calls != 2:
            return value
        # The root of nothing is nothing, and its slope is without bounds.
        return value * torch.nan if where == "loss" else value + (logits * 0).sqrt().sum()

    monkeypatch.setattr(Loss, "forward", wrong)
    events = performed(workspace, small_config({"training": {"epochs": 1, "use_ema": True}}))
    assert codes(events) == ["training.step_skipped"]
    assert events[-1].type == "training_complete"
    assert is_finite(workspace)


def test_too_many_steps_left_out_take_the_run_back_with_half_the_rate(
    small_config: MakeConfig, workspace: Workspace, spoil: Callable[..., None]
) -> None:
    spoil(lambda position: position.epoch == 2 and position.rate_share == 1)
    events = performed(workspace, small_config(PLAIN))
    assert codes(events) == ["training.step_skipped"] * 3 + ["training.rolled_back"]
    assert rates(events) == {1: 0.0003, 2: 0.00015}
    assert events[-1].type == "training_complete" and is_finite(workspace)


def test_a_network_that_is_spoilt_is_never_gone_on_with(
    small_config: MakeConfig, workspace: Workspace, spoil: Callable[..., None]
) -> None:
    spoil(lambda position: (position.epoch, position.batch, position.rate_share) == (1, 2, 1), network=True)
    events = performed(workspace, small_config(PLAIN, {"training": {"epochs": 1}}))
    assert codes(events) == ["training.rolled_back"]
    assert rates(events) == {1: 0.00015} and is_finite(workspace)


@pytest.mark.full
def test_interrupted_or_not_a_run_that_went_back_comes_to_the_same_weights(
    small_config: MakeConfig, workspace: Workspace, spoil: Callable[..., None]
) -> None:
    spoil(lambda position: position.epoch == 2 and position.rate_share == 1)
    config = small_config(PLAIN)
    performed(workspace, config, "whole")
    events = perform(Train(workspace=str(workspace.root), run_id="cut", config=config))
    assert any(isinstance(event, Log) and event.code == "training.rolled_back" for event in events)
    events.close()  # type: ignore[attr-defined]
    list(perform(Resume(workspace=str(workspace.root), run_id="cut")))
    for kind in ("last", "best"):
        one, other = (load_file(workspace.checkpoint_dir(run) / f"{kind}.safetensors") for run in ("whole", "cut"))
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_loss_that_stays_wrong_stops_the_run_in_its_last_good_state(
    small_config: MakeConfig, workspace: Workspace, spoil: Callable[..., None]
) -> None:
    healed = False
    spoil(lambda position: position.epoch == 2 and not healed)
    events = performed(workspace, small_config(PLAIN))
    assert codes(events).count("training.rolled_back") == MOST_ROLLBACKS
    assert codes(events)[-1] == LossNotFinite.code
    assert [event.type for event in events[-2:]] == ["error", "training_stopped"]
    manifest = verify_checkpoint(checkpoint_files(workspace, "run", "last"))
    assert manifest.epoch == 1 and is_finite(workspace)
    healed = True
    rest = list(perform(Resume(workspace=str(workspace.root), run_id="run")))
    assert rest[-1].type == "training_complete"
    assert rates(rest) == {2: 0.0003 * 0.5 ** (MOST_ROLLBACKS + 1)}
