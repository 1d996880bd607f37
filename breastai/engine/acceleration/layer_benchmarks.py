"""The choice of ways for single layers: each pass of each shape timed alone, as it is in a step of this batch size.

Everything here that takes time is a generator: it yields 1 whenever something has been timed, so that whoever draws it
can stop, and can tell how far it is.
"""

import copy
import functools
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from breastai.domain.text import Text
from breastai.engine.acceleration import depthwise, pointwise
from breastai.engine.acceleration.simd_builder import AVAILABLE
from breastai.engine.acceleration.tuning_plan import Dtype, LayerImplementations, PointwiseImplementations

Name = TypeVar("Name", bound=str)
Measured = dict[str, Text | float]
REPEATS = 3
_HOPELESS = 1.5  # a way this much slower than the best so far is not timed again
_NEAR = 1.15
_PIXEL_NEAR = 1.05  # products of matrices gain a little in each of many layers
_PIXEL_REPEATS = 4


@dataclass(frozen=True)
class DepthwiseShape:
    """What the time of a depthwise convolution depends on."""

    channels: int
    window: depthwise.Window
    biased: bool

    def params(self) -> dict[str, int]:
        w = self.window
        return {"size": w.size, "stride": w.stride, "channels": self.channels, "height": w.height, "width": w.width}


@dataclass(frozen=True)
class PixelShape:
    """What the time of a convolution of one pixel depends on."""

    channels: int
    out_channels: int
    height: int
    width: int

    def params(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class Shapes:
    """The shape of every tunable layer of a network, by name."""

    depthwise: dict[str, DepthwiseShape]
    pointwise: dict[str, PixelShape]

    def depthwise_timings(self) -> int:
        """Return how often choosing the ways of all depthwise layers yields."""
        return 3 * len(set(self.depthwise.values()))

    def timings(self) -> int:
        """Return how often choosing the ways of all layers yields."""
        return self.depthwise_timings() + 3 * len(set(self.pointwise.values()))


def shapes_of(model: nn.Module, image_size: int) -> Shapes:
    """Return the shapes, from a forward pass that computes nothing."""
    layers = dict(model.named_modules())
    skeleton = copy.deepcopy(model).to("meta").eval()
    found = Shapes({}, {})

    def note(name: str, layer: nn.Conv2d) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            height, width = inputs[0].shape[2:]
            if depthwise.tunable(layer):
                window = depthwise.window_of(layer, height, width)
                found.depthwise[name] = DepthwiseShape(layer.in_channels, window, layer.bias is not None)
            else:
                found.pointwise[name] = PixelShape(layer.in_channels, layer.out_channels, height, width)

        return hook

    for name, module in skeleton.named_modules():
        layer = layers[name]
        if isinstance(layer, nn.Conv2d) and (depthwise.tunable(layer) or pointwise.tunable(layer)):
            module.register_forward_pre_hook(note(name, layer))
    with torch.no_grad():
        skeleton(torch.empty(1, 3, image_size, image_size, device="meta"))
    return found


def choose_depthwise(
    shapes: Mapping[str, DepthwiseShape], batch_size: int, dtype: Dtype
) -> Generator[int, None, tuple[dict[str, LayerImplementations], list[Text]]]:
    """Return the ways by layer, and what was measured."""
    chosen: dict[DepthwiseShape, LayerImplementations] = {}
    reasons: list[Text] = []
    for shape in dict.fromkeys(shapes.values()):
        chosen[shape], times = yield from _depthwise_ways(shape, batch_size, dtype)
        reasons.append(Text("plan.depthwise", {**shape.params(), **times}))
    return {name: chosen[shape] for name, shape in shapes.items()}, reasons


def choose_pointwise(
    shapes: Mapping[str, PixelShape], batch_size: int, dtype: Dtype
) -> Generator[int, None, tuple[dict[str, PointwiseImplementations], list[Text]]]:
    """Return the ways by layer, and what was measured."""
    chosen: dict[PixelShape, PointwiseImplementations] = {}
    reasons: list[Text] = []
    for shape in dict.fromkeys(shapes.values()):
        chosen[shape], times = yield from _pixel_ways(shape, batch_size, dtype)
        reasons.append(Text("plan.pointwise", {**shape.params(), **times}))
    return {name: chosen[shape] for name, shape in shapes.items()}, reasons


def _depthwise_ways(
    shape: DepthwiseShape, batch_size: int, dtype: Dtype
) -> Generator[int, None, tuple[LayerImplementations, Measured]]:
    kind = getattr(torch, dtype)
    window, channels = shape.window, shape.channels
    x = _random(batch_size, channels, window.height, window.width, kind)
    dy = _random(batch_size, channels, window.out_height, window.out_width, kind)
    weight = torch.randn(channels, 1, window.size, window.size)
    bias = torch.zeros(channels) if shape.biased else None
    first: list[depthwise.Way] = ["kernel"] if AVAILABLE else []
    other: list[depthwise.Way] = ["torch_float32"] if dtype != "float32" else []
    # torch last: where it is hopeless it is the slowest to find out.
    run = functools.partial
    output = fastest({way: run(depthwise.output, x, weight, bias, window, way) for way in [*first, "torch"]})
    yield 1
    ways = [*first, "flipped", *other, "torch"]
    input_gradient = fastest({way: run(depthwise.input_gradient, x, dy, weight, window, way) for way in ways})
    yield 1
    ways = [*first, *other, "torch"]
    weight_gradient = fastest({way: run(depthwise.weight_gradient, x, dy, weight, window, way) for way in ways})
    yield 1
    chosen = LayerImplementations(
        output=output[0], input_gradient=input_gradient[0], weight_gradient=weight_gradient[0]
    )
    return chosen, _measured(output, input_gradient, weight_gradient)


def _pixel_ways(
    shape: PixelShape, batch_size: int, dtype: Dtype
) -> Generator[int, None, tuple[PointwiseImplementations, Measured]]:
    kind = getattr(torch, dtype)
    x = _random(batch_size, shape.channels, shape.height, shape.width, kind)
    dy = _random(batch_size, shape.out_channels, shape.height, shape.width, kind)
    weight = torch.randn(shape.out_channels, shape.channels).to(kind)
    run = functools.partial
    two: list[pointwise.PointwiseWay] = ["torch", "matrix"]
    four: list[pointwise.PointwiseWay] = ["torch", "matrix", "turned", "by_image"]
    time_of = functools.partial(fastest, near=_PIXEL_NEAR, repeats=_PIXEL_REPEATS)
    output = time_of({way: run(pointwise.output, x, weight, way) for way in two})
    yield 1
    input_gradient = time_of({way: run(pointwise.input_gradient, x, dy, weight, way) for way in two})
    yield 1
    weight_gradient = time_of({way: run(pointwise.weight_gradient, x, dy, weight, way) for way in four})
    yield 1
    chosen = PointwiseImplementations(
        output=output[0], input_gradient=input_gradient[0], weight_gradient=weight_gradient[0]
    )
    return chosen, _measured(output, input_gradient, weight_gradient)


def _measured(*timed: tuple[str, float]) -> Measured:
    """Return the way and the milliseconds of each pass, as plan.depthwise and plan.pointwise name them."""
    passes = zip(("output", "input_gradient", "weight_gradient"), timed, strict=True)
    found: Measured = {}
    for name, (way, taken) in passes:
        found |= {name: Text(f"plan.way.{way}"), f"{name}_ms": 1e3 * taken}
    return found


def _random(images: int, channels: int, height: int, width: int, dtype: torch.dtype) -> Tensor:
    shape = (images, channels, height, width)
    return torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)


def fastest(
    ways: Mapping[Name, Callable[[], object]], near: float = _NEAR, repeats: int = REPEATS
) -> tuple[Name, float]:
    """Return the fastest and its best time in seconds; the first of `near` equals wins, for the timing has noise."""
    best: dict[Name, float] = {}
    for name, way in ways.items():
        way()  # compiles, and warms the caches
        for _ in range(repeats):
            best[name] = min(best.get(name, float("inf")), seconds(way))
            if best[name] > _HOPELESS * min(best.values()):
                break
    name = next(way for way in best if best[way] <= near * min(best.values()))
    return name, best[name]


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
