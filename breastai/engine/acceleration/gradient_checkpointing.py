"""Gradient checkpointing: a block keeps its input alone, and computes the rest again in the backward pass.

timm's own switch moves the running statistics of batch norms twice in a step; here a second pass leaves them, so a
step with and without is the same, bit for bit. Blocks are changed in place, as in blocks.py, and after a plan is
installed.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from breastai.engine.stages import blocks_of


class Recomputed(nn.Module):
    """What a block becomes besides what it is; `install` makes it so."""

    def forward(self, x: Tensor) -> Tensor:
        # Below the first layer that learns nothing is kept anyway, and its own input has no gradient to ask for.
        if not torch.is_grad_enabled() or not x.requires_grad:
            return self._computed(x)
        # Reentrant: batch_norm.py differentiates its gates within a backward pass, and each such inner pass would make
        # the other kind compute the block once more.
        z: Tensor = checkpoint(self._computed, x, use_reentrant=True)
        return z

    def _computed(self, x: Tensor) -> Tensor:
        again = torch.is_grad_enabled() and x.requires_grad
        with statistics_held(self) if again else nullcontext():
            z: Tensor = super().forward(x)
        return z


def install(backbone: nn.Module) -> int:
    """Make every block of a backbone keep only its input; return how many there are."""
    found = list(blocks_of(backbone))
    for block in found:
        block.__class__ = _recomputed(type(block))
    return len(found)


def uninstall(backbone: nn.Module) -> None:
    """Give every such block its own class back."""
    for block in backbone.modules():
        if isinstance(block, Recomputed):
            block.__class__ = type(block).__bases__[1]


def _recomputed(kind: type[nn.Module]) -> Any:
    return type(f"Recomputed{kind.__name__}", (Recomputed, kind), {})


@contextmanager
def statistics_held(block: nn.Module) -> Iterator[None]:
    """Let batch norms in `block` normalise by the batch, and leave their running statistics as they are."""
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    counts = [norm.num_batches_tracked.clone() if norm.num_batches_tracked is not None else None for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, momenta, counts, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)
