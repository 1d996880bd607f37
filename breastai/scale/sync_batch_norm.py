"""Layers that look at a whole batch, when each process has a part of it: batch norm and dropout.

Both give each image what it would have got in one process. SyncBatchNorm would not do: it is for GPUs alone.
Layers change their class in place: parameters, names and state stay.
"""

from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Counts(Protocol):
    """Who knows how large a whole batch is, and which part of it is here."""

    def whole(self, part: int) -> int: ...

    def shard(self, count: int) -> slice: ...


def synchronize_layers(model: nn.Module, crowd: Counts, group: dist.ProcessGroup | None) -> None:
    """Let every batch norm and dropout of `model` in training see the whole batch."""
    for module in model.modules():
        layer: Any = module
        if isinstance(module, nn.BatchNorm2d) and not isinstance(module, SyncBatchNorm):
            layer.__class__ = _shared(type(module))
            layer._group = group
        elif isinstance(module, nn.Dropout):
            layer.__class__ = SyncDropout
            layer._crowd = crowd


def _shared(kind: type[nn.BatchNorm2d]) -> Any:
    return type(f"Shared{kind.__name__}", (SyncBatchNorm, kind), {})


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: dist.ProcessGroup | None) -> Tensor:
        ctx.group = group
        return _summed(values, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _summed(gradients[0], ctx.group), None


def _summed(values: Tensor, group: dist.ProcessGroup | None) -> Tensor:
    total = values.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total, group=group)
    return total


class SyncBatchNorm(nn.BatchNorm2d):
    """A batch norm whose statistics are those of the parts of all processes; gradients flow through the sums."""

    _group: dist.ProcessGroup | None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:  # running statistics: each image by itself
            y: Tensor = super().forward(x)
            return y
        values = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        count = values.new_tensor([x.numel() // max(1, x.shape[1])])
        # (N, C, H, W) -> (C + 1,): the sum of each channel, and of how many values
        sums = _Sum.apply(torch.cat([values.sum((0, 2, 3)), count]), self._group)
        number = sums[-1].detach()
        mean = sums[:-1] / number
        centred = values - mean.view(1, -1, 1, 1)
        variance = _Sum.apply(centred.square().sum((0, 2, 3)), self._group) / number
        self._remember(mean.detach(), variance.detach(), number)
        normal = centred * torch.rsqrt(variance + self.eps).view(1, -1, 1, 1)
        if self.affine:
            normal = torch.addcmul(self.bias.view(1, -1, 1, 1), normal, self.weight.view(1, -1, 1, 1))
        return self._finished(normal.to(x.dtype))

    def _remember(self, mean: Tensor, variance: Tensor, number: Tensor) -> None:
        """Move the running statistics as PyTorch does, with the unbiased variance."""
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        assert self.momentum is not None, "a cumulative average is in none of our networks"
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (number / (number - 1).clamp(min=1)), self.momentum)

    def _finished(self, normal: Tensor) -> Tensor:
        """Apply what timm's BatchNormAct2d has behind the norm."""
        for name in ("drop", "act"):
            if (layer := getattr(self, name, None)) is not None:
                normal = layer(normal)
        return normal


class SyncDropout(nn.Dropout):
    """A dropout that draws for the whole batch and takes its part: equal seeds give what one process would draw."""

    _crowd: Counts

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        whole = self._crowd.whole(len(x))
        keep = torch.empty((whole, *x.shape[1:]), dtype=x.dtype, device=x.device).bernoulli_(1 - self.p)
        return x * keep[self._crowd.shard(whole)].div_(1 - self.p)
