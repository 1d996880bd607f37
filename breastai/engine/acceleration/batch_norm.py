"""Batch normalisation joined with its activation, and with squeeze-and-excitation where that follows.

PyTorch reads and writes the activation map once for the statistics, the normalisation, the activation and
each of their gradients; here each direction is one pass for the sums and one for the values. Layers are
tuned in place, as in depthwise.py. With constant statistics (a layer in eval mode, or `frozen`) the
forward pass needs no sums and the backward pass is a single one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from breastai.engine.acceleration import simd_builder
from breastai.engine.acceleration.batch_norm_kernels import (
    Activation,
    apply_kernel,
    chunks_per_image,
    gate_gradient_kernel,
    gradient_kernel,
    statistics_kernel,
)
from breastai.engine.acceleration.squeeze_excitation import Gates

_ACTIVATIONS: dict[type[nn.Module], Activation] = {
    nn.Identity: "none",
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.SiLU: "silu",
}


@dataclass(frozen=True)
class Extent:
    """How the passes cut up an activation map."""

    images: int
    pixels: int
    channels: int
    chunks: int
    threads: int

    @staticmethod
    def of(x: Tensor) -> "Extent":
        images, channels, height, width = x.shape
        chunks = chunks_per_image(height * width, channels, x.element_size())
        return Extent(images, height * width, channels, chunks, torch.get_num_threads())

    def partial(self, sums: int) -> Tensor:
        """(N, chunks, sums, blocks, LANES)"""
        blocks = -(-self.channels // simd_builder.LANES)
        return torch.empty((self.images, self.chunks, sums, blocks * simd_builder.LANES))

    def channelwise(self, sums: Tensor) -> Tensor:
        """Drop the channels that the last block counts for a second time: (..., blocks * LANES) -> (..., C)."""
        over = sums.shape[-1] - self.channels
        if not over:
            return sums
        last = sums.shape[-1] - simd_builder.LANES
        return torch.cat([sums[..., :last], sums[..., last + over :]], -1)

    def run(self, kernel: Any, pointers: list[Tensor | None], partial: Tensor | None) -> None:
        addresses = [0 if tensor is None else tensor.data_ptr() for tensor in (*pointers, partial)]
        kernel([*addresses, self.images, self.pixels, self.channels, self.chunks], self.threads)


def _batch_statistics(x: Tensor, extent: Extent) -> tuple[Tensor, Tensor]:
    """Return the mean and the (biased) variance of each channel, float32."""
    shift = x[0, :, 0, 0].float()
    partial = extent.partial(2)
    extent.run(statistics_kernel(x.dtype), [x, shift], partial)
    count = extent.images * extent.pixels
    first, second = extent.channelwise(partial.sum((0, 1))) / count
    return shift + first, (second - first * first).clamp_min_(0.0)


@dataclass
class Affine:
    """u = a * x + b of each channel, and what its gradient needs."""

    a: Tensor
    b: Tensor
    mean: Tensor
    rstd: Tensor
    constant: bool


def affine_of(x: Tensor, weight: Tensor, bias: Tensor, layer: "BatchNormAct2d", extent: Extent) -> Affine:
    constant = layer._constant_statistics()
    if constant:
        assert layer.running_mean is not None and layer.running_var is not None
        mean, variance = layer.running_mean, layer.running_var
    else:
        mean, variance = _batch_statistics(x, extent)
        layer._remember(mean, variance, extent.images * extent.pixels)
    rstd = torch.rsqrt(variance + layer.eps)
    a = weight.float() * rstd
    return Affine(a, torch.addcmul(bias.float(), mean, a, value=-1.0), mean, rstd, constant)


def _input_gradient(
    x: Tensor,
    dz: Tensor,
    affine: Affine,
    activation: Activation,
    extent: Extent,
    gate: Tensor | None,
    extra: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x, weight and bias."""
    dx = torch.empty_like(x)
    partial = extent.partial(2)
    a, b, mean, rstd = affine.a, affine.b, affine.mean, affine.rstd
    gated = gate is not None
    kernel = gradient_kernel(activation, gated, True, affine.constant, x.dtype)
    extent.run(kernel, [dz, x, a, b, mean, a, None, None, gate, extra, dx], partial)
    total, weighted = extent.channelwise(partial.sum((0, 1)))
    if not affine.constant:
        q, r = _of_statistics(affine, total, weighted, extent)
        kernel = gradient_kernel(activation, gated, False, True, x.dtype)
        extent.run(kernel, [dz, x, a, b, None, a, q, r, gate, extra, dx], None)
    return dx, weighted * rstd, total


def _of_statistics(affine: Affine, total: Tensor, weighted: Tensor, extent: Extent) -> tuple[Tensor, Tensor]:
    """Return q and r of the gradient p * g + q * x + r, which also goes through the statistics of the batch."""
    count = extent.images * extent.pixels
    q = affine.a * affine.rstd * affine.rstd * weighted / -count
    return q, affine.a * total / -count - q * affine.mean


def through_statistics(x: Tensor, g: Tensor, affine: Affine, total: Tensor, weighted: Tensor, extent: Extent) -> Tensor:
    """Return the gradient of x from g, that behind the activation. `total`, `weighted`: sums of g, as from the kernels.

    Not in g's own place: the last block of channels may overlap the one before.
    """
    dx = torch.empty_like(g)
    q, r = _of_statistics(affine, total, weighted, extent)
    kernel = gradient_kernel("none", False, False, True, x.dtype)
    extent.run(kernel, [g, x, affine.a, affine.b, None, affine.a, q, r, None, None, dx], None)
    return dx


class _NormAct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None, layer: "BatchNormAct2d"
    ) -> Tensor:
        extent = Extent.of(x)
        affine = affine_of(x, weight, bias, layer, extent)
        z = torch.empty_like(x)
        kernel = apply_kernel(layer.activation, False, shortcut is not None, True, x.dtype)
        extent.run(kernel, [x, affine.a, affine.b, None, shortcut, z], None)
        ctx.save_for_backward(x)
        ctx.affine, ctx.activation, ctx.extent = affine, layer.activation, extent
        return z

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        dz = gradients[0].contiguous(memory_format=torch.channels_last)
        gradients_of = _input_gradient(x, dz, ctx.affine, ctx.activation, ctx.extent, None, None)
        return *gradients_of, dz if ctx.needs_input_grad[3] else None, None


class _NormActScale(torch.autograd.Function):
    """z * gate(mean of z), with z = act(batch_norm(x)), which is never stored."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        layer: "BatchNormAct2d",
        excite: Callable[[Tensor], Tensor],
        *parameters: Tensor,
    ) -> Tensor:
        extent = Extent.of(x)
        affine = affine_of(x, weight, bias, layer, extent)
        partial = extent.partial(1)
        pool = apply_kernel(layer.activation, False, False, False, x.dtype)
        extent.run(pool, [x, affine.a, affine.b, None, None, None], partial)
        pooled = extent.channelwise(partial.sum((1, 2))) / extent.pixels  # (N, C)
        ctx.by_hand = False
        if isinstance(excite, Gates) and excite.known:
            ctx.by_hand, ctx.excite, ctx.excited = True, excite, excite.forward(pooled)
            held = ctx.excited.gates
        else:
            with torch.enable_grad():
                ctx.pooled = pooled.requires_grad_()
                ctx.gate = excite(pooled[:, :, None, None]).flatten(1).float()
            held = ctx.gate.detach().contiguous()
        z = torch.empty_like(x)
        kernel = apply_kernel(layer.activation, True, False, True, x.dtype)
        extent.run(kernel, [x, affine.a, affine.b, held, None, z], None)
        ctx.save_for_backward(x)
        ctx.affine, ctx.activation, ctx.extent = affine, layer.activation, extent
        ctx.parameters, ctx.held = parameters, held
        return z

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        dz = gradients[0].contiguous(memory_format=torch.channels_last)
        extent, affine = ctx.extent, ctx.affine
        partial = extent.partial(1)
        extent.run(gate_gradient_kernel(ctx.activation, x.dtype), [dz, x, affine.a, affine.b], partial)
        gate_slope = extent.channelwise(partial.sum((1, 2)))
        if ctx.by_hand:
            pooled_slope, slopes = ctx.excite.backward(ctx.excited, gate_slope)
        else:
            wanted = [parameter for parameter in ctx.parameters if parameter.requires_grad]
            pooled_slope, *found = torch.autograd.grad(ctx.gate, [ctx.pooled, *wanted], gate_slope, retain_graph=True)
            left = iter(found)
            slopes = [next(left) if parameter.requires_grad else None for parameter in ctx.parameters]
        extra = (pooled_slope / extent.pixels).contiguous()
        result = _input_gradient(x, dz, affine, ctx.activation, extent, ctx.held, extra)
        kept = (slope if p.requires_grad else None for slope, p in zip(slopes, ctx.parameters, strict=True))
        return *result, None, None, *kept


# --- layers ------------------------------------------------------------------------------------


def activation_of(layer: nn.Module) -> Activation | None:
    """Return the activation joined to a batch norm (timm's BatchNormAct2d has one), or None if it is not known."""
    if getattr(layer, "drop", None) is not None and not isinstance(layer.drop, nn.Identity):
        return None
    activation: nn.Module = getattr(layer, "act", None) or nn.Identity()
    return _ACTIVATIONS.get(type(activation))


def tunable(layer: nn.Module) -> bool:
    """Whether the layer is a batch norm that the kernels can compute."""
    return (
        isinstance(layer, nn.BatchNorm2d)
        and type(layer).__name__ in ("BatchNorm2d", "BatchNormAct2d")
        and layer.affine
        and layer.track_running_stats
        and layer.momentum is not None
        and layer.num_features >= simd_builder.LANES
        and layer.weight.device.type == "cpu"
        and activation_of(layer) is not None
    )


class BatchNormAct2d(nn.BatchNorm2d):
    """An nn.BatchNorm2d or timm BatchNormAct2d that was tuned; `install` turns one into this class."""

    _plain_class: type[nn.BatchNorm2d]
    activation: Activation
    _frozen: bool

    def forward(self, x: Tensor) -> Tensor:
        if not self.computable(x):
            plain: Tensor = self._plain_class.forward(self, x)
            return plain
        x = x.contiguous(memory_format=torch.channels_last)
        z: Tensor = _NormAct.apply(x, self.weight, self.bias, None, self)
        return z

    def forward_added(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """Return self(x) + shortcut."""
        if not self.computable(x) or shortcut.dtype != x.dtype:
            total: Tensor = self(x) + shortcut
            return total
        x, shortcut = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, shortcut))
        z: Tensor = _NormAct.apply(x, self.weight, self.bias, shortcut, self)
        return z

    def forward_excited(self, x: Tensor, excite: Callable[[Tensor], Tensor], parameters: list[Tensor]) -> Tensor:
        """Return z * excite(mean of z) for z = self(x); `excite` maps (N, C, 1, 1) to gates of the same shape."""
        if not self.computable(x):
            z: Tensor = self(x)
            return z * excite(z.mean((2, 3), keepdim=True))
        x = x.contiguous(memory_format=torch.channels_last)
        scaled: Tensor = _NormActScale.apply(x, self.weight, self.bias, self, excite, *parameters)
        return scaled

    def computable(self, x: Tensor) -> bool:
        return (
            x.device.type == "cpu"
            and x.dtype in simd_builder.ELEMENT_BYTES
            and not torch.compiler.is_compiling()
            and torch._C._get_tracing_state() is None
        )

    def _constant_statistics(self) -> bool:
        return self._frozen or not self.training

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards this batch's, as PyTorch does (with the unbiased variance)."""
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)


def install(layer: Any, frozen: bool) -> None:
    """Tune one layer in place; `frozen` keeps its running statistics as they are, in training too."""
    if not isinstance(layer, BatchNormAct2d):
        layer.activation = activation_of(layer)
        layer._plain_class = type(layer)
        layer.__class__ = BatchNormAct2d
    layer._frozen = frozen


def uninstall(layer: Any) -> None:
    """Give a tuned layer its own class back; other layers are left alone."""
    if isinstance(layer, BatchNormAct2d):
        layer.__class__ = layer._plain_class  # type: ignore[assignment]
        del layer._plain_class, layer.activation, layer._frozen
