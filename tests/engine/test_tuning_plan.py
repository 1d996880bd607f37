"""Plans and whole models: a tuned model is the plain one, computed faster."""

import copy

import pytest
import timm
import torch
from torch import nn

from breastai.engine.acceleration import depthwise, fused_blocks, pointwise, tuning_plan
from breastai.engine.acceleration.tuning_plan import (
    LayerImplementations,
    Plan,
    PointwiseImplementations,
    install,
    plain_plan,
    uninstall,
)

KERNEL = LayerImplementations(output="kernel", input_gradient="kernel", weight_gradient="kernel")
MATRIX = PointwiseImplementations(output="matrix", input_gradient="matrix", weight_gradient="turned")


def _plan(model: nn.Module, dtype: tuning_plan.Dtype = "float32") -> Plan:
    layers = {name: KERNEL for name, layer in model.named_modules() if depthwise.tunable(layer)}
    pixels = {name: MATRIX for name, layer in model.named_modules() if pointwise.tunable(layer)}
    return plain_plan("any", 64, 2, 1).model_copy(
        update={"dtype": dtype, "channels_last": True, "joined": True, "depthwise": layers, "pointwise": pixels}
    )


def _gradients(model: nn.Module, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    x = torch.randn(2, 3, 64, 64)
    model.zero_grad()
    model(x).square().sum().backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "efficientnet_b0", "tf_efficientnetv2_b0", "convnext_atto"])
def test_a_tuned_model_learns_as_the_plain_one_does(name: str) -> None:
    torch.manual_seed(0)
    plain = timm.create_model(name, num_classes=3)
    # With constant statistics, since rounding grows without bound through the batch statistics of so few pixels.
    plain.eval()
    exact = copy.deepcopy(plain).double()
    tuned = copy.deepcopy(plain)
    install(tuned, _plan(tuned))
    torch.manual_seed(0)
    x = torch.randn(2, 3, 64, 64)
    exact(x.double()).square().sum().backward()
    expected = {name: parameter.grad for name, parameter in exact.named_parameters()}
    for name, found in _gradients(tuned).items():
        off = (found.double() - expected[name]).norm() / expected[name].norm().clamp_min(1e-12)
        assert off < 1e-3, name


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "efficientnet_b0", "tf_efficientnetv2_b0"])
def test_every_block_and_depthwise_layer_of_the_efficientnets_is_tuned(name: str) -> None:
    model = timm.create_model(name, num_classes=3)
    install(model, _plan(model))
    kinds = [type(module) for module in model.modules()]
    assert kinds.count(fused_blocks.InvertedResidual) == sum(len(stage) for stage in model.blocks)
    assert kinds.count(depthwise.DepthwiseConv2d) > 5
    assert not any(kind.__name__ in ("BatchNorm2d",) for kind in kinds)


def test_installing_and_uninstalling_leave_the_state_and_every_class_as_they_were() -> None:
    model = timm.create_model("efficientnet_b0", num_classes=3)
    before = copy.deepcopy(model.state_dict())
    kinds = [type(module) for module in model.modules()]
    install(model, _plan(model))
    assert [type(module) for module in model.modules()] != kinds
    copied = copy.deepcopy(model)
    assert copied.state_dict().keys() == before.keys()
    uninstall(model)
    assert [type(module) for module in model.modules()] == kinds
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("threads", [1, 2])
def test_two_tuned_steps_from_one_seed_are_equal_bit_for_bit(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        results = []
        for _ in range(2):
            torch.manual_seed(0)
            model = timm.create_model("efficientnet_b0", num_classes=3)
            model.blocks = model.blocks[:3]
            model.conv_head = nn.Conv2d(40, 1280, 1, bias=False)
            install(model, _plan(model, "bfloat16"))
            with torch.autocast("cpu", torch.bfloat16):
                results.append(_gradients(model))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_drop_path_in_training_is_still_timms_own() -> None:
    torch.manual_seed(0)
    model = timm.create_model("efficientnet_b0", num_classes=3, drop_path_rate=0.5)
    plain = copy.deepcopy(model)
    install(model, _plan(model), frozen_batch_norm=True)
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    x = torch.randn(2, 3, 64, 64)
    torch.manual_seed(1)
    expected = plain(x)
    torch.manual_seed(1)
    torch.testing.assert_close(model(x), expected, rtol=1e-3, atol=1e-4)


def test_frozen_batch_norm_keeps_the_running_statistics_in_training() -> None:
    model = timm.create_model("tf_efficientnet_lite0", num_classes=3)
    before = copy.deepcopy(dict(model.named_buffers()))
    install(model, _plan(model), frozen_batch_norm=True)
    _gradients(model)
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())


def test_gradient_checkpointing_gives_the_same_gradients() -> None:
    torch.manual_seed(0)
    model = timm.create_model("efficientnet_b0", num_classes=3)
    install(model, _plan(model), frozen_batch_norm=True)
    model.classifier = nn.Linear(1280, 3)
    expected = _gradients(model)
    model.set_grad_checkpointing()
    found = _gradients(model)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_plan_survives_json() -> None:
    model = timm.create_model("tf_efficientnet_lite0", num_classes=3)
    plan = _plan(model)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_a_plan_that_needs_kernels_is_refused_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    model = timm.create_model("tf_efficientnet_lite0", num_classes=3)
    monkeypatch.setattr(tuning_plan, "AVAILABLE", False)
    install(model, plain_plan("any", 64, 2, 1))
    with pytest.raises(ImportError, match="llvmlite"):
        install(model, _plan(model))
