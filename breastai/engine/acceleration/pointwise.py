"""Convolutions of one pixel (1x1) whose three passes are each the faster of two exact ways.

Such a convolution of images that lie channels last is a product of two matrices, one row a pixel. oneDNN's products
start in less time than its convolutions, which first bring weights into an order of their own: for the small maps of
a network's end that is half the pass. A layer is tuned in place, as in depthwise.py.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

PointwiseWay = Literal["torch", "matrix", "turned", "by_image"]


@dataclass(frozen=True)
class PointwiseChoices:
    """Which way each pass of one layer takes."""

    output: PointwiseWay = "torch"
    input_gradient: PointwiseWay = "torch"
    weight_gradient: PointwiseWay = "torch"


def rows_of(x: Tensor) -> Tensor:
    """Return the pixels of images channels last as the rows of a matrix: (N, C, H, W) -> (N * H * W, C), no copy."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _images_of(rows: Tensor, like: Tensor) -> Tensor:
    """(N * H * W, C) -> (N, C, H, W), with N, H and W of `like`"""
    images, _, height, width = like.shape
    return rows.view(images, height, width, -1).permute(0, 3, 1, 2)


# --- the three passes, `weight` (Co, C) in x's type ----------------------------------------------


def output(x: Tensor, weight: Tensor, way: PointwiseWay) -> Tensor:
    """(N, C, H, W), (Co, C) -> (N, Co, H, W)"""
    if way == "torch":
        return torch.conv2d(x, weight[:, :, None, None])
    return _images_of(torch.mm(rows_of(x), weight.t()), x)


def input_gradient(x: Tensor, dy: Tensor, weight: Tensor, way: PointwiseWay) -> Tensor:
    if way == "torch":
        dx: Tensor = _torch_gradients(x, dy, weight, [True, False, False])[0]
        return dx
    return _images_of(torch.mm(rows_of(dy), weight), dy)


def weight_gradient(x: Tensor, dy: Tensor, weight: Tensor, way: PointwiseWay) -> Tensor:
    """Return the gradient of the weight, (Co, C), float32 and contiguous."""
    return _in_float32(_weight_gradient(x, dy, weight, way))


def _weight_gradient(x: Tensor, dy: Tensor, weight: Tensor, way: PointwiseWay) -> Tensor:
    match way:
        case "torch":
            dw: Tensor = _torch_gradients(x, dy, weight, [False, True, False])[1]
            return dw.flatten(1)
        case "matrix":
            return torch.mm(rows_of(dy).t(), rows_of(x))
        case "turned":
            return torch.mm(rows_of(x).t(), rows_of(dy)).t()
        case "by_image":
            rows, slopes = (t.permute(0, 2, 3, 1).flatten(1, 2) for t in (x, dy))  # (N, H * W, C)
            return torch.bmm(slopes.transpose(1, 2), rows).sum(0, dtype=torch.float32)


def _in_float32(dw: Tensor) -> Tensor:
    # In one copy: a gradient that lies otherwise than its parameter would be copied once more.
    return dw.to(torch.float32, memory_format=torch.contiguous_format)


def _torch_gradients(x: Tensor, dy: Tensor, weight: Tensor, mask: list[bool]) -> Any:
    kernel = weight[:, :, None, None]
    return torch.ops.aten.convolution_backward(dy, x, kernel, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, mask)


class _Pointwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, ways: PointwiseChoices) -> Tensor:
        cast = weight.detach().flatten(1).to(x.dtype)
        ctx.save_for_backward(x, cast)
        ctx.ways, ctx.shape = ways, weight.shape
        return output(x, cast, ways.output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        dy = gradients[0].contiguous(memory_format=torch.channels_last)
        needs_x, needs_weight, _ = ctx.needs_input_grad
        ways: PointwiseChoices = ctx.ways
        if ways.input_gradient == ways.weight_gradient == "torch":  # one call, which brings dy into order once
            dx, dw, _ = _torch_gradients(x, dy, weight, [needs_x, needs_weight, False])
            dw = None if dw is None else _in_float32(dw.flatten(1))
        else:
            dx = input_gradient(x, dy, weight, ways.input_gradient) if needs_x else None
            dw = weight_gradient(x, dy, weight, ways.weight_gradient) if needs_weight else None
        return dx, None if dw is None else dw.view(ctx.shape), None


# --- layers ------------------------------------------------------------------------------------


def tunable(layer: nn.Module) -> bool:
    """Whether the layer is a convolution of one pixel that is nothing but a product of matrices."""
    return (
        isinstance(layer, nn.Conv2d)
        and type(layer).__name__ in ("Conv2d", "Conv2dSame")
        and layer.kernel_size == layer.stride == layer.dilation == (1, 1)
        and layer.groups == 1
        and layer.bias is None
        and layer.padding in ((0, 0), "same", "valid")
        and layer.weight.device.type == "cpu"
        and layer.weight.dtype == torch.float32
    )


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 nn.Conv2d that was tuned; `install` turns one into this class."""

    _plain_class: type[nn.Conv2d]
    ways: PointwiseChoices
    tuned_for: torch.dtype

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
            return self._plain_class.forward(self, x)
        if torch.is_autocast_enabled("cpu"):
            x = x.to(torch.get_autocast_dtype("cpu"))
        if x.dtype != self.tuned_for:
            return self._plain_class.forward(self, x)
        x = x.contiguous(memory_format=torch.channels_last)
        y: Tensor = _Pointwise.apply(x, self.weight, self.ways)
        return y


def install(layer: Any, ways: PointwiseChoices, dtype: torch.dtype) -> None:
    """Tune one layer in place, for inputs of `dtype`."""
    if not isinstance(layer, PointwiseConv2d):
        layer._plain_class = type(layer)
        layer.__class__ = PointwiseConv2d
    layer.ways, layer.tuned_for = ways, dtype


def uninstall(layer: Any) -> None:
    """Give a tuned layer its own class back; other layers are left alone."""
    if isinstance(layer, PointwiseConv2d):
        layer.__class__ = layer._plain_class  # type: ignore[assignment]
        del layer._plain_class, layer.ways, layer.tuned_for
