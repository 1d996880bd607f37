"""Batch norm, activation and depthwise convolution as one: the same values and gradients as one after the other."""

import copy
from typing import Any

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from breastai.domain.config import ModelSettings
from breastai.engine.acceleration import batch_norm, depthwise, simd_builder
from breastai.engine.acceleration.depthwise import DepthwiseImplementations
from breastai.engine.acceleration.fused_depthwise import joinable, normed_depthwise
from breastai.engine.acceleration.tuning_plan import LayerImplementations, Plan, install, plain_plan, uninstall
from breastai.engine.network.models import build_model

pytestmark = pytest.mark.skipif(not simd_builder.AVAILABLE, reason="needs llvmlite")

KERNEL = LayerImplementations(output="kernel", input_gradient="kernel", weight_gradient="kernel")


def layers(
    channels: int, size: int, stride: int, activation: type[nn.Module], kept: bool
) -> tuple[nn.Module, nn.Module]:
    """A batch norm that has seen images before, and a depthwise convolution."""
    norm = BatchNormAct2d(channels, act_layer=activation)
    convolution = nn.Conv2d(channels, channels, size, stride, size // 2, groups=channels, bias=stride == 2)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-1, 1)
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.5, 2)
    norm.train(not kept)
    return norm, convolution


def slopes(norm: Any, convolution: Any, x: Tensor, joined: bool) -> list[Tensor]:
    """The output, the running statistics, and every gradient of a sum that weighs each place otherwise."""
    x = x.clone(memory_format=torch.channels_last).requires_grad_()
    y = normed_depthwise(norm, convolution, x) if joined else convolution(norm(x))
    weights = torch.linspace(-1, 1, y.numel(), dtype=torch.float64).reshape(y.shape).sin()
    (y.double() * weights).sum().backward()
    found = [y.detach(), norm.running_mean, norm.running_var, x.grad, norm.weight.grad, norm.bias.grad]
    found += [convolution.weight.grad] + ([] if convolution.bias is None else [convolution.bias.grad])
    return [value.double() for value in found]


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("activation", [nn.ReLU6, nn.SiLU, pytest.param(nn.ReLU, marks=pytest.mark.full)])
@pytest.mark.parametrize(
    ("channels", "side", "size", "stride"), [(40, 9, 3, 1), (24, 12, 5, 2), (72, 11, 3, 2), (16, 7, 5, 1)]
)
def test_values_and_gradients_agree_with_float64(
    channels: int, side: int, size: int, stride: int, activation: type[nn.Module], kept: bool
) -> None:
    torch.manual_seed(channels)
    norm, convolution = layers(channels, size, stride, activation, kept)
    norm64, convolution64 = copy.deepcopy(norm).double(), copy.deepcopy(convolution).double()
    x = torch.randn(3, channels, side, side)
    batch_norm.install(norm, False)
    depthwise.install(convolution, DepthwiseImplementations())
    assert joinable(norm, convolution)
    for found, true in zip(
        slopes(norm, convolution, x, True), slopes(norm64, convolution64, x.double(), False), strict=True
    ):
        assert torch.allclose(found, true, rtol=1e-4, atol=1e-4 * float(true.abs().max()) + 1e-6)


def plan(**changes: Any) -> Plan:
    return plain_plan("efficientnet_b0", 64, 4, 1).model_copy(update={"channels_last": True, "joined": True, **changes})


@pytest.mark.full
@pytest.mark.parametrize("kept", [False, True])
def test_a_whole_network_learns_alike_and_remembers_less(kept: bool) -> None:
    torch.manual_seed(1)
    settings = ModelSettings(architecture="efficientnet_b0", pretrained="none", dropout_rate=0.0)
    model = build_model(settings, 3).model
    ways = {name: KERNEL for name, layer in model.named_modules() if depthwise.tunable(layer)}
    images = torch.randn(4, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    gradients, remembered = [], []
    for through in (False, True):
        install(model, plan(depthwise=ways, through=through))
        model.train(not kept)
        held: dict[int, int] = {}

        def keep(tensor: Tensor, held: dict[int, int] = held) -> Tensor:
            held[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            answers = model(images)
        answers.square().sum().backward()
        gradients.append(torch.cat([value.grad.flatten() for value in model.parameters() if value.grad is not None]))
        remembered.append(sum(held.values()))
        model.zero_grad()
        uninstall(model)
    one, other = gradients
    assert float((one - other).norm() / one.norm()) < 1e-4
    assert remembered[1] < 0.9 * remembered[0]  # weights are among it


def test_a_convolution_that_a_plan_leaves_to_pytorch_is_not_joined() -> None:
    norm, convolution = layers(32, 3, 1, nn.SiLU, kept=True)
    batch_norm.install(norm, False)
    depthwise.install(convolution, DepthwiseImplementations(output="torch"))
    assert not joinable(norm, convolution)
