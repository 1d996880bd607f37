"""Convolutions of one pixel as products of matrices: the same values and gradients, whichever way."""

import copy
from typing import get_args

import pytest
import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn

from breastai.engine.acceleration import pointwise
from breastai.engine.acceleration.pointwise import PointwiseChoices, PointwiseConv2d, PointwiseWay

WAYS: tuple[PointwiseWay, ...] = get_args(PointwiseWay)


def slopes(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """The output, and the gradients of a sum that weighs each place otherwise."""
    x = x.clone(memory_format=torch.channels_last).requires_grad_()
    layer.zero_grad()
    y = layer(x)
    weights = torch.linspace(-1, 1, y.numel(), dtype=torch.float64).reshape(y.shape).sin()
    (y.double() * weights).sum().backward()
    assert x.grad is not None
    return [y.detach().double(), x.grad.double(), *(p.grad.double() for p in layer.parameters() if p.grad is not None)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("channels", "out", "height", "width"), [(24, 40, 7, 5), (64, 16, 1, 1), (3, 17, 4, 9)])
def test_values_and_gradients_agree_with_float64(
    channels: int, out: int, height: int, width: int, dtype: torch.dtype, way: PointwiseWay
) -> None:
    torch.manual_seed(channels)
    plain = nn.Conv2d(channels, out, 1, bias=False).to(memory_format=torch.channels_last)
    x = torch.randn(3, channels, height, width).to(dtype)
    with torch.no_grad():
        plain.weight.copy_(plain.weight.to(dtype))  # what bf16 holds is exact in both
    tuned = copy.deepcopy(plain)
    pointwise.install(tuned, PointwiseChoices(way, way, way), dtype)
    assert isinstance(tuned, PointwiseConv2d)
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        found = slopes(tuned, x)
    rounding = 1e-5 if dtype == torch.float32 else 2**-7
    for value, true in zip(found, slopes(plain.double(), x.double()), strict=True):
        assert torch.allclose(value, true, rtol=rounding, atol=rounding * float(true.abs().max()))
    assert tuned.weight.grad is not None
    assert tuned.weight.grad.dtype == torch.float32
    # Laid out as its weight: the optimiser pairs the two as they lie in memory.
    assert tuned.weight.grad.flatten(1).is_contiguous()


@pytest.mark.parametrize("way", WAYS)
def test_the_same_step_twice_is_equal_bit_for_bit(way: PointwiseWay) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(48, 32, 1, bias=False)
    pointwise.install(layer, PointwiseChoices(way, way, way), torch.bfloat16)
    x = torch.randn(4, 48, 20, 20).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        first, second = slopes(layer, x), slopes(layer, x)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_numbers_of_another_type_than_it_was_tuned_for_are_left_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.Conv2d(8, 8, 1, bias=False)
    x = torch.randn(2, 8, 4, 4)
    expected = layer(x)
    pointwise.install(layer, PointwiseChoices("matrix", "matrix", "matrix"), torch.bfloat16)
    monkeypatch.setattr(pointwise, "output", lambda *_: pytest.fail("computed as a product of matrices"))
    assert torch.equal(layer(x), expected)


def test_what_learns_nothing_gets_no_gradient() -> None:
    layer = nn.Conv2d(8, 8, 1, bias=False).requires_grad_(False)
    pointwise.install(layer, PointwiseChoices("matrix", "matrix", "matrix"), torch.float32)
    x = torch.randn(2, 8, 4, 4, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is None


def test_only_convolutions_of_one_pixel_and_nothing_more_are_tuned() -> None:
    assert pointwise.tunable(nn.Conv2d(8, 16, 1, bias=False))
    assert pointwise.tunable(Conv2dSame(8, 16, 1, bias=False))
    others = [
        nn.Conv2d(8, 16, 1),
        nn.Conv2d(8, 16, 3, bias=False),
        nn.Conv2d(8, 16, 1, stride=2, bias=False),
        nn.Conv2d(8, 16, 1, groups=2, bias=False),
        nn.Conv2d(8, 16, 1, padding=1, bias=False),
        nn.Conv2d(8, 16, 1, bias=False).double(),
        nn.Linear(8, 16),
    ]
    assert not any(pointwise.tunable(layer) for layer in others)


def test_uninstalling_gives_a_layer_its_own_class_back() -> None:
    layer = nn.Conv2d(8, 16, 1, bias=False)
    state = copy.deepcopy(layer.state_dict())
    pointwise.install(layer, PointwiseChoices(), torch.float32)
    pointwise.uninstall(layer)
    assert type(layer) is nn.Conv2d
    assert torch.equal(layer.state_dict()["weight"], state["weight"])
    assert vars(layer).keys() == vars(nn.Conv2d(8, 16, 1, bias=False)).keys()
