"""Batch norm, its activation and the depthwise convolution behind it as one operation.

The map between them, the largest of a block, is never written: it is computed where it enters the convolution, from
what came out of the convolution before, and its gradient goes back through the activation where it leaves. That saves
two passes over memory forward and two backward, and the memory of the map.
"""

from typing import Any

import torch
from torch import Tensor

from breastai.engine.acceleration import depthwise, simd_builder
from breastai.engine.acceleration.batch_norm import BatchNormAct2d, Extent, affine_of, through_statistics
from breastai.engine.acceleration.depthwise import DepthwiseConv2d, DepthwiseImplementations, Epilogue, Prologue, Window
from breastai.engine.acceleration.depthwise_kernels import SUMS


class _NormActDepthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        taps: Tensor,
        offset: Tensor | None,
        layer: BatchNormAct2d,
        window: Window,
    ) -> Tensor:
        extent = Extent.of(x)
        affine = affine_of(x, weight, bias, layer, extent)
        before = Prologue(layer.activation, affine.a, affine.b)
        ctx.save_for_backward(x, taps)
        ctx.affine, ctx.before, ctx.extent, ctx.window = affine, before, extent, window
        return depthwise.kernel_output(x, depthwise.packed_taps(taps), offset, window, before)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, taps = ctx.saved_tensors
        affine, before, extent, window = ctx.affine, ctx.before, ctx.extent, ctx.window
        dy = gradients[0].contiguous(memory_format=torch.channels_last)
        dtaps = depthwise.kernel_weight_gradient(x, dy, window, before).to(taps.dtype)
        sums = torch.empty((extent.images, SUMS, extent.channels))
        p = affine.a if affine.constant else torch.ones_like(affine.a)
        dx = depthwise.kernel_input_gradient(dy, taps, window, Epilogue(before, x, affine.mean, p, sums))
        total, weighted = sums.sum(0)
        if not affine.constant:
            dx = through_statistics(x, dx, affine, total, weighted, extent)
        doffset = dy.sum((0, 2, 3), dtype=torch.float32) if ctx.needs_input_grad[4] else None
        return dx, weighted * affine.rstd, total, dtaps, doffset, None, None


def joinable(norm: object, convolution: object) -> bool:
    """Whether the two tuned layers can be computed as one: the convolution by kernels in all its passes."""
    return (
        isinstance(norm, BatchNormAct2d)
        and isinstance(convolution, DepthwiseConv2d)
        and convolution.ways == DepthwiseImplementations("kernel", "kernel", "kernel")
    )


def normed_depthwise(norm: BatchNormAct2d, convolution: DepthwiseConv2d, x: Tensor) -> Tensor:
    """Return convolution(norm(x)). (N, C, H, W) -> (N, C, Ho, Wo)"""
    if not norm.computable(x) or x.dtype not in simd_builder.ELEMENT_BYTES:
        y: Tensor = convolution(norm(x))
        return y
    x = x.contiguous(memory_format=torch.channels_last)
    window = depthwise.window_of(convolution, *x.shape[2:])
    joined: Tensor = _NormActDepthwise.apply(
        x, norm.weight, norm.bias, convolution.weight, convolution.bias, norm, window
    )
    return joined
