"""Depthwise convolution whose three passes are each the fastest of several exact ways.

PyTorch's own backward passes are slow here: for channels-last bf16 the weight gradient of a 5x5 kernel
takes fifteen times as long as reading the images once. A layer is tuned in place: its class changes, its
parameters, names and state do not, so checkpoints and copies are those of the plain model.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from breastai.engine.acceleration import simd_builder
from breastai.engine.acceleration.batch_norm_kernels import Activation
from breastai.engine.acceleration.depthwise_kernels import (
    SUMS,
    VECTOR_BYTES,
    input_gradient_kernel,
    output_kernel,
    scratch_bytes,
    tile_width,
    weight_gradient_kernel,
)

Way = Literal["kernel", "torch", "torch_float32", "flipped"]


@dataclass(frozen=True)
class DepthwiseImplementations:
    """Which way each pass of one layer takes."""

    output: Way = "kernel"
    input_gradient: Way = "kernel"
    weight_gradient: Way = "kernel"


@dataclass(frozen=True)
class Window:
    """How a square kernel slides over an image: (N, C, height, width) -> (N, C, out_height, out_width)."""

    size: int
    stride: int
    top: int
    left: int
    bottom: int
    right: int
    height: int
    width: int

    @property
    def out_height(self) -> int:
        return (self.height + self.top + self.bottom - self.size) // self.stride + 1

    @property
    def out_width(self) -> int:
        return (self.width + self.left + self.right - self.size) // self.stride + 1

    @property
    def symmetric(self) -> bool:
        return self.top == self.bottom and self.left == self.right


# --- the three passes by kernel ----------------------------------------------------------------


@dataclass(frozen=True)
class Prologue:
    """What is done to the input first: act(a * x + b), with a and b (C), float32."""

    activation: Activation
    a: Tensor
    b: Tensor

    def addresses(self) -> list[int]:
        return [self.a.data_ptr(), self.b.data_ptr()]


@dataclass(frozen=True)
class Epilogue:
    """What the input's gradient goes back through: `before` at u, the input as it was; what comes out is p * g.

    `sums` (N, 2, C), float32, takes in the sums of g and of g * (u - mean); mean and p are (C), float32.
    """

    before: Prologue
    u: Tensor
    mean: Tensor
    p: Tensor
    sums: Tensor

    def addresses(self) -> list[int]:
        rest = [self.mean.data_ptr(), self.p.data_ptr(), self.sums.data_ptr()]
        return [self.u.data_ptr(), *self.before.addresses(), *rest]


def _scratch(ring_rows: int, ring_columns: int, taps: int, threads: int, dtype: torch.dtype) -> tuple[Tensor, int, int]:
    """Return memory for the rings (to keep until the call is done), its aligned address and the bytes per thread."""
    size_bytes = scratch_bytes(ring_rows, ring_columns, taps + SUMS, dtype)
    memory = torch.empty(size_bytes * threads + VECTOR_BYTES, dtype=torch.uint8)
    return memory, -(-memory.data_ptr() // VECTOR_BYTES) * VECTOR_BYTES, size_bytes


def packed_taps(weight: Tensor) -> Tensor:
    """(C, 1, size, size) -> (size * size, C) float32"""
    return weight.detach().reshape(weight.shape[0], -1).t().float().contiguous()


def kernel_output(
    x: Tensor,
    taps: Tensor,
    bias: Tensor | None,
    window: Window,
    before: Prologue | None = None,
    back: Epilogue | None = None,
) -> Tensor:
    images, channels = x.shape[:2]
    threads = torch.get_num_threads()
    offset = torch.zeros(channels) if bias is None else bias.detach().float().contiguous()
    shape = (images, channels, window.out_height, window.out_width)
    y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    columns = max((window.out_width - 1) * window.stride + window.size, window.left + window.width)
    memory, scratch, per_thread = _scratch(window.size, columns, window.size**2, threads, x.dtype)
    kinds = before and before.activation, back and back.before.activation
    run = output_kernel(window.size, window.stride, tile_width(window.out_width), x.dtype, *kinds)
    further = before.addresses() if before else back.addresses() if back else []
    addresses = [x.data_ptr(), taps.data_ptr(), offset.data_ptr(), y.data_ptr(), scratch, per_thread]
    sizes = [images, window.height, window.width, channels, window.top, window.left]
    run([*addresses, *sizes, window.out_height, window.out_width, columns, *further], threads)
    del memory
    return y


def kernel_input_gradient(dy: Tensor, weight: Tensor, window: Window, back: Epilogue | None = None) -> Tensor:
    images, channels = dy.shape[:2]
    taps = packed_taps(weight)
    if window.stride == 1:
        # The same convolution with the kernel turned by half a circle.
        reach = window.size - 1
        turned = Window(
            window.size, 1, reach - window.top, reach - window.left, reach - window.bottom, reach - window.right,
            window.out_height, window.out_width,
        )  # fmt: skip
        return kernel_output(dy, taps.flip(0), None, turned, back=back)
    threads = torch.get_num_threads()
    shape = (images, channels, window.height, window.width)
    dx = torch.empty(shape, dtype=dy.dtype, memory_format=torch.channels_last)
    depth = (window.size + 1) // 2
    columns = depth - 1 + max(window.out_width, (window.width + window.left + 2) // 2)
    memory, scratch, per_thread = _scratch(depth, columns, window.size**2, threads, dy.dtype)
    run = input_gradient_kernel(window.size, tile_width(window.width // 2), dy.dtype, back and back.before.activation)
    further = back.addresses() if back else []
    addresses = [dy.data_ptr(), taps.data_ptr(), dx.data_ptr(), scratch, per_thread]
    sizes = [images, window.height, window.width, channels, window.top, window.left]
    run([*addresses, *sizes, window.out_height, window.out_width, columns, *further], threads)
    del memory
    return dx


def kernel_weight_gradient(x: Tensor, dy: Tensor, window: Window, before: Prologue | None = None) -> Tensor:
    images, channels = x.shape[:2]
    threads = torch.get_num_threads()
    partial = torch.empty((images, window.size**2, channels))
    columns = max((window.out_width - 1) * window.stride + window.size, window.left + window.width)
    memory, scratch, per_thread = _scratch(window.size, columns, window.size**2, threads, x.dtype)
    run = weight_gradient_kernel(window.size, window.stride, x.dtype, before and before.activation)
    further = before.addresses() if before else []
    addresses = [x.data_ptr(), dy.data_ptr(), partial.data_ptr(), scratch, per_thread]
    sizes = [images, window.height, window.width, channels, window.top, window.left]
    run([*addresses, *sizes, window.out_height, window.out_width, columns, *further], threads)
    del memory
    return partial.sum(0).t().reshape(channels, 1, window.size, window.size)


# --- the three passes by PyTorch ---------------------------------------------------------------


def _padded(x: Tensor, window: Window) -> tuple[Tensor, tuple[int, int]]:
    """Return the image padded as far as PyTorch can't do it itself, and the padding left to PyTorch."""
    if window.symmetric:
        return x, (window.top, window.left)
    return F.pad(x, (window.left, window.right, window.top, window.bottom)), (0, 0)


def _torch_output(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    padded, padding = _padded(x, window)
    offset = None if bias is None else bias.to(x.dtype)
    return F.conv2d(padded, weight.to(x.dtype), offset, window.stride, padding, groups=x.shape[1])


def _torch_gradients(x: Tensor, dy: Tensor, weight: Tensor, window: Window, mask: list[bool]) -> tuple[Any, Any]:
    """Return the gradients of the input and of the weight that `mask` asks for, computed in x's type."""
    padded, padding = _padded(x, window)
    stride, groups = [window.stride] * 2, x.shape[1]
    dx, dw, _ = torch.ops.aten.convolution_backward(
        dy, padded, weight.to(x.dtype), None, stride, list(padding), [1, 1], False, [0, 0], groups, [*mask, False]
    )
    if dx is not None and not window.symmetric:
        dx = dx[:, :, window.top : window.top + window.height, window.left : window.left + window.width]
    return dx, dw


def _flipped_input_gradient(dy: Tensor, weight: Tensor, window: Window) -> Tensor:
    """The gradient of the input as a forward convolution over dy, which stride 2 spreads out with zeros."""
    images, channels = dy.shape[:2]
    spread = dy
    if window.stride > 1:
        shape = (images, channels, *((n - 1) * window.stride + 1 for n in dy.shape[2:]))
        spread = torch.zeros(shape, dtype=dy.dtype).contiguous(memory_format=torch.channels_last)
        spread[:, :, :: window.stride, :: window.stride] = dy
    reach = window.size - 1
    before_row, before_column = reach - window.top, reach - window.left
    after_row = window.height + reach - before_row - spread.shape[2]
    after_column = window.width + reach - before_column - spread.shape[3]
    padded = F.pad(spread, (before_column, after_column, before_row, after_row))
    return F.conv2d(padded, weight.to(dy.dtype).flip(2, 3), groups=channels)


# --- the passes by way -------------------------------------------------------------------------


def output(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window, way: Way) -> Tensor:
    """(N, C, H, W), (C, 1, size, size), (C) -> (N, C, out_height, out_width)"""
    if way == "kernel":
        return kernel_output(x, packed_taps(weight), bias, window)
    return _torch_output(x, weight, bias, window)


def input_gradient(x: Tensor, dy: Tensor, weight: Tensor, window: Window, way: Way) -> Tensor:
    """Return the gradient of x, in x's type."""
    if way == "kernel":
        return kernel_input_gradient(dy, weight, window)
    if way == "flipped":
        return _flipped_input_gradient(dy, weight, window)
    kind = torch.float32 if way == "torch_float32" else x.dtype
    dx: Tensor = _torch_gradients(x.to(kind), dy.to(kind), weight, window, [True, False])[0]
    return dx.to(x.dtype)


def weight_gradient(x: Tensor, dy: Tensor, weight: Tensor, window: Window, way: Way) -> Tensor:
    """Return the gradient of the weight, (C, 1, size, size), in the weight's type."""
    if way == "kernel":
        return kernel_weight_gradient(x, dy, window).to(weight.dtype)
    kind = torch.float32 if way == "torch_float32" else x.dtype
    dw: Tensor = _torch_gradients(x.to(kind), dy.to(kind), weight, window, [False, True])[1]
    return dw.to(weight.dtype)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, window: Window, ways: DepthwiseImplementations
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.window, ctx.ways = window, ways
        return output(x, weight, bias, window, ways.output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        dy = gradients[0].contiguous(memory_format=torch.channels_last)
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        window, ways = ctx.window, ctx.ways
        dx = input_gradient(x, dy, weight, window, ways.input_gradient) if needs_x else None
        dw = weight_gradient(x, dy, weight, window, ways.weight_gradient) if needs_weight else None
        db = dy.sum((0, 2, 3), dtype=torch.float32) if needs_bias else None
        return dx, dw, db, None, None


# --- layers ------------------------------------------------------------------------------------


def tunable(layer: nn.Module) -> bool:
    """Whether the layer is a depthwise convolution that the kernels can compute."""
    return (
        isinstance(layer, nn.Conv2d)
        and layer.groups == layer.in_channels == layer.out_channels >= simd_builder.LANES
        and layer.kernel_size in ((3, 3), (5, 5), (7, 7))
        and layer.stride in ((1, 1), (2, 2))
        and layer.dilation == (1, 1)
        and layer.padding_mode == "zeros"
        and (isinstance(layer.padding, tuple) or type(layer).__name__ == "Conv2dSame")
        and layer.weight.device.type == "cpu"
    )


def window_of(layer: nn.Conv2d, height: int, width: int) -> Window:
    """Return the layer's window over an image; timm's Conv2dSame pads as TensorFlow does, more at the end."""
    size, stride = layer.kernel_size[0], layer.stride[0]
    if type(layer).__name__ == "Conv2dSame" or getattr(layer, "_plain_class", type(None)).__name__ == "Conv2dSame":
        rows, columns = (max((-(-n // stride) - 1) * stride + size - n, 0) for n in (height, width))
        top, left = rows // 2, columns // 2
        return Window(size, stride, top, left, rows - top, columns - left, height, width)
    top, left = (int(n) for n in layer.padding)
    return Window(size, stride, top, left, top, left, height, width)


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise nn.Conv2d or Conv2dSame that was tuned; `install` turns one into this class."""

    _plain_class: type[nn.Conv2d]
    ways: DepthwiseImplementations

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
            return self._plain_class.forward(self, x)
        if torch.is_autocast_enabled("cpu"):
            x = x.to(torch.get_autocast_dtype("cpu"))
        if x.dtype not in simd_builder.ELEMENT_BYTES:
            return self._plain_class.forward(self, x)
        x = x.contiguous(memory_format=torch.channels_last)
        window = window_of(self, *x.shape[2:])
        y: Tensor = _Depthwise.apply(x, self.weight, self.bias, window, self.ways)
        return y


def install(layer: Any, ways: DepthwiseImplementations) -> None:
    """Tune one layer in place."""
    if not isinstance(layer, DepthwiseConv2d):
        layer._plain_class = type(layer)
        layer.__class__ = DepthwiseConv2d
    layer.ways = ways


def uninstall(layer: Any) -> None:
    """Give a tuned layer its own class back; other layers are left alone."""
    if isinstance(layer, DepthwiseConv2d):
        layer.__class__ = layer._plain_class  # type: ignore[assignment]
        del layer._plain_class, layer.ways
