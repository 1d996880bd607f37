"""The gates of squeeze-and-excitation, forward and backward in as few operations as there are.

A gate is a number for each channel of each image: the arithmetic is nothing, and a step's time for it is that of
starting operations. Written out by hand there are four forward and nine backward, where autograd takes half a
millisecond a block.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Excited:
    """What the way back needs: the pooled (N, C), the reduced (N, R) before and after activation, the gates (N, C)."""

    pooled: Tensor
    before: Tensor
    reduced: Tensor
    gates: Tensor


class Gates:
    """gate(expand(act(reduce(pooled)))) of timm's SqueezeExcite."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.reduce: nn.Conv2d = layer.conv_reduce
        self.expand: nn.Conv2d = layer.conv_expand

    @property
    def parameters(self) -> list[Tensor]:
        """Return the parameters in the order of the slopes that `backward` gives."""
        found = [self.reduce.weight, self.reduce.bias, self.expand.weight, self.expand.bias]
        return [parameter for parameter in found if parameter is not None]

    @property
    def known(self) -> bool:
        """Whether `forward` and `backward` can be used: everything is float32, and of the usual kinds."""
        return (
            type(self.layer.act1) in (nn.SiLU, nn.ReLU)
            and type(self.layer.gate) is nn.Sigmoid
            and len(self.parameters) == 4
            and all(parameter.dtype == torch.float32 for parameter in self.parameters)
        )

    def __call__(self, pooled: Tensor) -> Tensor:
        """Return the gates, differentiable: (N, C, 1, 1) -> (N, C, 1, 1)"""
        with torch.autocast("cpu", enabled=False):
            reduced = self.layer.act1(_linear(self.reduce, pooled.flatten(1)))
            gates: Tensor = self.layer.gate(_linear(self.expand, reduced))
        return gates[:, :, None, None]

    def forward(self, pooled: Tensor) -> Excited:
        """(N, C) float32, nothing of it differentiable"""
        with torch.autocast("cpu", enabled=False):
            before = _linear(self.reduce, pooled)
            reduced = F.silu(before) if type(self.layer.act1) is nn.SiLU else F.relu(before)
            return Excited(pooled, before, reduced, torch.sigmoid(_linear(self.expand, reduced)))

    def backward(self, excited: Excited, slope: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the gradients of the pooled (N, C) and of the parameters, given that of the gates (N, C)."""
        with torch.autocast("cpu", enabled=False):
            expanded = torch.ops.aten.sigmoid_backward(slope, excited.gates)
            reduced = torch.mm(expanded, self.expand.weight.flatten(1))
            if type(self.layer.act1) is nn.SiLU:
                before = torch.ops.aten.silu_backward(reduced, excited.before)
            else:
                before = torch.ops.aten.threshold_backward(reduced, excited.before, 0)
            slopes = [
                torch.mm(before.t(), excited.pooled).view(self.reduce.weight.shape),
                before.sum(0),
                torch.mm(expanded.t(), excited.reduced).view(self.expand.weight.shape),
                expanded.sum(0),
            ]
            return torch.mm(before, self.reduce.weight.flatten(1)), slopes


def _linear(convolution: nn.Conv2d, pixels: Tensor) -> Tensor:
    """Return what a convolution of one pixel makes of single pixels, in a fifth of its time: (N, C) -> (N, Co)"""
    return F.linear(pixels, convolution.weight.flatten(1), convolution.bias)
