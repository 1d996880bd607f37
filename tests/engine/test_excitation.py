"""The gates of squeeze-and-excitation written out by hand: what autograd makes of timm's own layer."""

import copy

import pytest
import torch
from timm.models._efficientnet_blocks import SqueezeExcite
from torch import nn

from breastai.engine.acceleration.squeeze_excitation import Gates


@pytest.mark.parametrize("activation", [nn.SiLU, nn.ReLU])
def test_gates_and_their_gradients_are_those_of_timms_layer_in_float64(activation: type[nn.Module]) -> None:
    torch.manual_seed(0)
    layer = SqueezeExcite(48, rd_ratio=0.25, act_layer=activation)
    exact = copy.deepcopy(layer).double()
    gates = Gates(layer)
    assert gates.known
    pooled, slope = torch.randn(5, 48), torch.randn(5, 48)
    excited = gates.forward(pooled)
    pooled_slope, slopes = gates.backward(excited, slope)
    pooled64 = pooled.double()[:, :, None, None].requires_grad_()
    expected = exact.gate(exact.conv_expand(exact.act1(exact.conv_reduce(pooled64))))
    expected.backward(slope.double()[:, :, None, None])
    assert pooled64.grad is not None
    torch.testing.assert_close(excited.gates.double(), expected.detach().flatten(1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gates(pooled[:, :, None, None]).double(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(pooled_slope.double(), pooled64.grad.flatten(1), rtol=1e-4, atol=1e-6)
    names = [name for name, _ in layer.named_parameters()]
    assert len(slopes) == len(gates.parameters) == len(names) == 4
    for found, parameter, (name, other) in zip(slopes, gates.parameters, exact.named_parameters(), strict=True):
        assert parameter is layer.get_parameter(name)
        assert other.grad is not None
        torch.testing.assert_close(found.double(), other.grad, rtol=1e-4, atol=1e-5)


def test_layers_of_other_kinds_are_left_to_autograd() -> None:
    assert not Gates(SqueezeExcite(48, rd_ratio=0.25, act_layer=nn.GELU)).known
    assert not Gates(SqueezeExcite(48, rd_ratio=0.25, gate_layer=nn.Hardsigmoid)).known
    assert not Gates(SqueezeExcite(48, rd_ratio=0.25).double()).known
