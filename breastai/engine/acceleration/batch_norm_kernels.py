"""The memory passes of batch normalisation joined with its activation, as kernels.

An activation map lies channels last: N images of `pixels` rows of C numbers. With u = a * x + b (a and b per
channel) and z = act(u), each pass reads every number once. A task is a run of pixels of one image; sums
are kept per task and added up afterwards in one order, so they never depend on timing.
"""

import functools
from collections.abc import Callable
from typing import Literal

import torch

from breastai.engine.acceleration.kernels import Run, compile_kernel
from breastai.engine.acceleration.simd_builder import ELEMENT_BYTES, LANES, Int, KernelBuilder, Vec

Activation = Literal["none", "relu", "relu6", "silu"]
ROWS_TOGETHER = 4  # pixels whose sums are joined before they go to memory
TASK_BYTES = 2**17


def chunks_per_image(pixels: int, channels: int, element_bytes: int) -> int:
    """Return into how many tasks one image is cut."""
    return max(1, min(pixels // ROWS_TOGETHER, pixels * channels * element_bytes // TASK_BYTES))


class _Pass:
    """What the passes share: the loops over tasks, pixels and channels, and the sums."""

    def __init__(self, name: str, pointers: int, dtype: torch.dtype, sums: int) -> None:
        self.code = code = KernelBuilder(name)
        self.pointers = [code.argument(i) for i in range(pointers)]
        self.partial, self.images, self.pixels, self.channels, self.chunks = (
            code.argument(pointers + i) for i in range(5)
        )
        self.dtype, self.sums = dtype, sums
        self.element = ELEMENT_BYTES[dtype]
        self.blocks = (self.channels + (LANES - 1)) // LANES

    def write(self, body: Callable[[Int, Int, Int, int], list[Vec]], before: Callable[[Int, Int], None]) -> Run:
        """`before(image, channel)` loads what a channel needs; `body(image, channel, offset, ...)` handles one pixel.

        Partial sums: (images * chunks, sums, blocks * LANES); the last block ends with the last channel.
        """
        code = self.code
        padded = self.blocks * LANES
        with code.my_share(self.images * self.chunks) as task:
            image, chunk = task // self.chunks, task % self.chunks
            first = chunk * self.pixels // self.chunks
            last = (chunk + 1) * self.pixels // self.chunks
            whole = first + (last - first) // ROWS_TOGETHER * ROWS_TOGETHER
            mine = self.partial + task * padded * (4 * self.sums)
            if self.sums:
                with code.loop(0, padded * self.sums, LANES) as i:
                    code.store(code.splat(0.0), mine + i * 4)
            for start, stop, together in ((first, whole, ROWS_TOGETHER), (whole, last, 1)):
                with code.loop(start, stop, together) as pixel, code.loop(0, self.blocks) as block:
                    channel = (block * LANES).at_most(self.channels - LANES)
                    before(image, channel)
                    totals: list[Vec] = []
                    for row in range(together):
                        place = (image * self.pixels + pixel + row) * self.channels + channel
                        found = body(image, channel, place * self.element, row)
                        totals = [a + b for a, b in zip(totals, found, strict=True)] if totals else found
                    for number, total in enumerate(totals):
                        at = mine + (padded * number + block * LANES) * 4
                        code.store(code.load(at) + total, at)
        return compile_kernel(code)

    def per_channel(self, pointer: Int, channel: Int) -> Vec:
        return self.code.load(pointer + channel * 4)

    def per_image(self, pointer: Int, image: Int, channel: Int) -> Vec:
        return self.code.load(pointer + (image * self.channels + channel) * 4)


def activate(code: KernelBuilder, u: Vec, activation: Activation, exact: bool) -> Vec:
    """Write act(u)."""
    if activation == "silu":
        return u * code.sigmoid(u, exact)
    if activation == "relu":
        return code.maximum(u, code.splat(0.0))
    if activation == "relu6":
        return code.minimum(code.maximum(u, code.splat(0.0)), code.splat(6.0))
    return u


def through(code: KernelBuilder, slope: Vec, u: Vec, activation: Activation, exact: bool) -> Vec:
    """Write slope * act'(u)."""
    if activation == "silu":
        sigmoid = code.sigmoid(u, exact)
        one = code.splat(1.0)
        return slope * (sigmoid * code.fma(u, one - sigmoid, one))
    if activation == "relu":
        return code.where_between(u, code.splat(0.0), code.splat(float("inf")), slope)
    if activation == "relu6":
        return code.where_between(u, code.splat(0.0), code.splat(6.0), slope)
    return slope


@functools.cache
def statistics_kernel(dtype: torch.dtype) -> Run:
    """Sums of x - shift and of its square. Pointers: x, shift (C)."""
    p = _Pass("batch_norm_statistics", 2, dtype, 2)
    x, shift = p.pointers
    held: list[Vec] = []

    def before(image: Int, channel: Int) -> None:
        held[:] = [p.per_channel(shift, channel)]

    def body(image: Int, channel: Int, offset: Int, row: int) -> list[Vec]:
        centred = p.code.load(x + offset, dtype) - held[0]
        return [centred, centred * centred]

    return p.write(body, before)


@functools.cache
def apply_kernel(activation: Activation, gated: bool, added: bool, stored: bool, dtype: torch.dtype) -> Run:
    """z = act(a * x + b), times gate (N, C) if `gated`, plus shortcut if `added`.

    If not `stored`, only the sum of z over the pixels. Pointers: x, a, b, gate, shortcut, z.
    """
    p = _Pass("batch_norm_apply", 6, dtype, 0 if stored else 1)
    x, a, b, gate, shortcut, z = p.pointers
    held: list[Vec] = []

    def before(image: Int, channel: Int) -> None:
        held[:] = [p.per_channel(a, channel), p.per_channel(b, channel)]
        if gated:
            held.append(p.per_image(gate, image, channel))

    def body(image: Int, channel: Int, offset: Int, row: int) -> list[Vec]:
        u = p.code.fma(p.code.load(x + offset, dtype), held[0], held[1])
        value = activate(p.code, u, activation, dtype == torch.float32)
        if gated:
            value = value * held[2]
        if added:
            value = value + p.code.load(shortcut + offset, dtype)
        if not stored:
            return [value]
        p.code.store(value, z + offset, dtype)
        return []

    return p.write(body, before)


@functools.cache
def gate_gradient_kernel(activation: Activation, dtype: torch.dtype) -> Run:
    """Sum over the pixels of dz * act(a * x + b). Pointers: dz, x, a, b."""
    p = _Pass("gate_gradient", 4, dtype, 1)
    dz, x, a, b = p.pointers
    held: list[Vec] = []

    def before(image: Int, channel: Int) -> None:
        held[:] = [p.per_channel(a, channel), p.per_channel(b, channel)]

    def body(image: Int, channel: Int, offset: Int, row: int) -> list[Vec]:
        u = p.code.fma(p.code.load(x + offset, dtype), held[0], held[1])
        return [p.code.load(dz + offset, dtype) * activate(p.code, u, activation, dtype == torch.float32)]

    return p.write(body, before)


@functools.cache
def gradient_kernel(activation: Activation, gated: bool, summed: bool, stored: bool, dtype: torch.dtype) -> Run:
    """g = (dz * gate + extra) * act'(a * x + b); sums of g and g * (x - mean), and dx = p * g + q * x + r.

    Pointers: dz, x, a, b, mean, p, q, r (all C), gate, extra (both (N, C)), dx. With `summed` and `stored`
    together q and r are taken as zero: the statistics are constants then.
    """
    run = _Pass("batch_norm_gradient", 11, dtype, 2 if summed else 0)
    dz, x, a, b, mean, p, q, r, gate, extra, dx = run.pointers
    code = run.code
    held: dict[str, Vec] = {}

    def before(image: Int, channel: Int) -> None:
        named = {"a": a, "b": b}
        if summed:
            named["mean"] = mean
        if stored:
            named["p"] = p
        if stored and not summed:
            named |= {"q": q, "r": r}
        held.update({name: run.per_channel(pointer, channel) for name, pointer in named.items()})
        if gated:
            held["gate"] = run.per_image(gate, image, channel)
            held["extra"] = run.per_image(extra, image, channel)

    def body(image: Int, channel: Int, offset: Int, row: int) -> list[Vec]:
        value = code.load(x + offset, dtype)
        slope = code.load(dz + offset, dtype)
        if gated:
            slope = code.fma(slope, held["gate"], held["extra"])
        g = through(code, slope, code.fma(value, held["a"], held["b"]), activation, dtype == torch.float32)
        if stored:
            result = g * held["p"] if summed else code.fma(g, held["p"], code.fma(value, held["q"], held["r"]))
            code.store(result, dx + offset, dtype)
        return [g, g * (value - held["mean"])] if summed else []

    return run.write(body, before)
