"""Learning rates and losses, against torch's own."""

import copy

import pytest
import torch
import torch.nn.functional as F

from breastai.domain.config import TrainingSettings
from breastai.engine.training.optim import Loss, align_gradients, class_weights, learning_rate, make_optimizer
from breastai.engine.training.step import ema_pairs, update_ema


def settings(**values: object) -> TrainingSettings:
    return TrainingSettings.model_validate({"learning_rate": 0.1, **values})


def test_cosine_restarts_as_torchs_does() -> None:
    ours = settings(scheduler="cosine", cosine_t0=3, cosine_t_mult=2, epochs=30)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=3, T_mult=2, eta_min=0.001)
    for step in range(120):
        theirs.step(step / 4)
        assert learning_rate(ours, step / 4) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6)


def test_one_cycle_is_torchs() -> None:
    ours = settings(scheduler="one_cycle", epochs=10)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=1001, cycle_momentum=False)
    for step in range(1000):
        # torch counts the rise in steps from 0 to 0.3 * total - 1, so the two agree within one step.
        assert learning_rate(ours, step / 100) == pytest.approx(optimizer.param_groups[0]["lr"], abs=7e-4)
        optimizer.step()
        theirs.step()


def test_warmup_rises_to_the_highest_rate_and_ends_low() -> None:
    ours = settings(scheduler="cosine_warmup", warmup_epochs=2, epochs=10)
    assert learning_rate(ours, 0) == pytest.approx(0.001)
    assert learning_rate(ours, 2) == pytest.approx(0.1)
    assert learning_rate(ours, 10) == pytest.approx(0.001)


def test_plateau_cuts_by_its_factor() -> None:
    assert learning_rate(settings(scheduler="plateau", plateau_factor=0.5), 7, plateau_cuts=2) == pytest.approx(0.025)


def test_plain_loss_is_torchs_cross_entropy_with_smoothing() -> None:
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    ours = Loss(settings(label_smoothing=0.1), [1, 1, 1])(logits, labels)
    torch.testing.assert_close(ours, F.cross_entropy(logits, labels, label_smoothing=0.1))


def test_class_weighted_loss_is_torchs_without_smoothing() -> None:
    logits, labels = torch.randn(6, 3), torch.tensor([0, 0, 0, 1, 1, 2])
    ours = Loss(settings(label_smoothing=0.0, use_class_weights=True), [3, 2, 1])(logits, labels)
    torch.testing.assert_close(ours, F.cross_entropy(logits, labels, weight=class_weights([3, 2, 1])))


def test_focal_loss_discounts_easy_cases() -> None:
    logits, labels = torch.randn(6, 2), torch.tensor([0, 1, 1, 0, 1, 0])
    ours = Loss(settings(label_smoothing=0.0, use_focal_loss=True, focal_loss_gamma=2.0), [3, 3])(logits, labels)
    chosen = logits.softmax(1)[range(6), labels]
    torch.testing.assert_close(ours, -((1 - chosen) ** 2 * chosen.log()).mean())


def test_soft_targets_are_the_blend_of_the_two_losses() -> None:
    loss = Loss(settings(label_smoothing=0.1), [1, 1, 1])
    logits = torch.randn(4, 3)
    one, other = torch.tensor([0, 1, 2, 0]), torch.tensor([1, 1, 0, 2])
    targets = 0.3 * F.one_hot(one, 3).float() + 0.7 * F.one_hot(other, 3).float()
    torch.testing.assert_close(loss(logits, targets), 0.3 * loss(logits, one) + 0.7 * loss(logits, other))


def test_vectors_are_not_decayed() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    matrices, vectors = make_optimizer(model, settings(weight_decay=0.3)).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0.0)
    assert len(matrices["params"]) == 1
    assert len(vectors["params"]) == 3


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_the_optimiser_in_one_pass_steps_as_torchs_plain_one_whatever_way_gradients_lie(name: str) -> None:
    ours = torch.nn.Conv2d(16, 32, 3).to(memory_format=torch.channels_last)
    theirs = copy.deepcopy(ours).double()
    fused = make_optimizer(ours, settings(optimizer=name, weight_decay=0.3))
    assert fused.param_groups[0]["fused"]
    plain = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}[name]
    kept = {"lr", "weight_decay", "betas", "eps", "momentum", "nesterov"}
    groups = [
        {"params": theirs_too, **{key: value for key, value in group.items() if key in kept}}
        for theirs_too, group in zip(([theirs.weight], [theirs.bias]), fused.param_groups, strict=True)
    ]
    reference = plain(groups, foreach=False)
    for _ in range(3):
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            mine.grad = torch.randn(mine.shape)  # not channels last
            assert other.data.shape == mine.grad.shape
            other.grad = mine.grad.double()
        align_gradients(ours.parameters())
        fused.step()
        reference.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.double(), other, rtol=1e-5, atol=1e-6)


def test_averaged_weights_follow_weights_and_statistics_and_copy_counters() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    average = copy.deepcopy(model)
    before = {name: value.clone() for name, value in average.state_dict().items()}
    model.train()(torch.randn(2, 3, 4, 4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    update_ema(ema_pairs(average, model), 0.9)
    for name, value in average.state_dict().items():
        now = model.state_dict()[name]
        expected = before[name].lerp(now, 1 - 0.9) if value.is_floating_point() else now
        assert torch.equal(value, expected), name


def test_averages_of_weights_that_do_not_learn_yet_are_left_as_they_are() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    model[0].requires_grad_(False)
    average = copy.deepcopy(model)
    before = copy.deepcopy(average.state_dict())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    update_ema(ema_pairs(average, model), 0.9)
    assert torch.equal(average[0].weight, before["0.weight"])
    torch.testing.assert_close(average[1].weight, before["1.weight"] + 0.1)


def test_an_ordinal_loss_costs_more_for_a_far_class_than_for_a_near_one() -> None:
    ordinal = Loss(TrainingSettings(loss="ordinal", label_smoothing=0), [10, 10, 10, 10])
    plain = Loss(TrainingSettings(label_smoothing=0), [10, 10, 10, 10])
    truth = torch.tensor([0])
    near, far = torch.tensor([[0.0, 4.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 0.0, 4.0]])
    assert plain(near, truth) == pytest.approx(float(plain(far, truth)))
    assert ordinal(near, truth) < ordinal(far, truth)
    # Added is the squared distance of the cumulated shares.
    gaps = far.softmax(1).cumsum(1) - torch.ones(1, 4)
    assert float(ordinal(far, truth)) == pytest.approx(float(plain(far, truth) + gaps.square().sum()), rel=1e-6)
