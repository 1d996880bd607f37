"""The three passes of a depthwise convolution as kernels: output, gradient of the input, gradient of the weight.

Images lie channels last (N, H, W, C). A task is one image and the blocks of channels that share its lines of
cache: row by row, one block after the other, so that each line comes from memory once. Each row that a pass reads is
turned into float32, into a ring of rows padded with zeros, so the inner loops are multiply-adds without borders. Sums
are float32; each image has its own partial weight gradient.

Where a batch norm and its activation come first, x is their input and act(a * x + b) what is convolved: computed as
rows enter the ring, and gone back through as the gradient leaves it, so that neither ever lies in memory.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from breastai.engine.acceleration.batch_norm_kernels import Activation, activate, through
from breastai.engine.acceleration.kernels import Run, compile_kernel
from breastai.engine.acceleration.simd_builder import ELEMENT_BYTES, LANES, Int, KernelBuilder, Variable, Vec

VECTOR_BYTES = 4 * LANES
SUMS = 2  # vectors that a gradient going back through an activation adds up
_CACHE_LINE_BYTES = 64


def tile_width(width: int) -> int:
    """Return how many neighbouring outputs to make at once: 4 to 8, leaving the fewest over."""
    return min(range(8, 3, -1), key=lambda tile: width % tile if width >= tile else tile)


def _blocks_together(element_bytes: int) -> int:
    """Return how many blocks of channels one task takes: as many as fill a line of cache."""
    return _CACHE_LINE_BYTES // (LANES * element_bytes)


def scratch_bytes(ring_rows: int, ring_columns: int, taps: int, dtype: torch.dtype) -> int:
    """Return the memory a thread needs for its rings and taps, in whole pages."""
    block = (ring_rows * ring_columns + taps) * VECTOR_BYTES
    return -(-block * _blocks_together(ELEMENT_BYTES[dtype]) // 4096) * 4096


@dataclass(frozen=True)
class _Block:
    """One block of channels of a task: its first channel, its ring of rows, and its taps behind that."""

    channel: Int
    ring: Int
    taps: Int


class _Task:
    """What this thread does at once: one image, and blocks of channels that lie beside each other."""

    def __init__(
        self, code: KernelBuilder, number: Int, channels: Int, scratch: Int, ring_bytes: Int, taps: int, most: int
    ):
        self.code, self.channels, self.scratch, self.ring_bytes, self.taps = code, channels, scratch, ring_bytes, taps
        blocks = (channels + (LANES - 1)) // LANES
        groups = (blocks + (most - 1)) // most
        self.image, self.first = number // groups, number % groups * most
        self.count = (blocks - self.first).at_most(most)

    def blocks(self) -> Iterator[_Block]:
        """Write a loop over the blocks. The last ends with the last channel; where two overlap both write the same."""
        with self.code.loop(0, self.count) as number:
            channel = ((self.first + number) * LANES).at_most(self.channels - LANES)
            ring = self.scratch + (self.ring_bytes + self.taps * VECTOR_BYTES) * number
            yield _Block(channel, ring, ring + self.ring_bytes)


def _tasks(
    code: KernelBuilder,
    images: Int,
    channels: Int,
    scratch: Int,
    per_thread: Int,
    ring_bytes: Int,
    taps: int,
    element: int,
) -> Iterator[_Task]:
    """Write the loop over this thread's tasks; its rings begin as zeros."""
    most = _blocks_together(element)
    mine = scratch + code.thread * per_thread
    _clear(code, mine, (ring_bytes + taps * VECTOR_BYTES) * most)
    groups = (channels + (LANES * most - 1)) // (LANES * most)
    with code.my_share(images * groups) as number:
        yield _Task(code, number, channels, mine, ring_bytes, taps, most)


def _fill_row(
    code: KernelBuilder,
    ring_row: Int,
    source: Int,
    row: Int,
    rows: Int,
    columns: Int,
    pixel: Int,
    left: Int,
    dtype: torch.dtype,
    change: Callable[[Vec], Vec] = lambda value: value,
) -> None:
    """Copy image row `row`, changed (zeros if there is none), behind the `left` zero columns of `ring_row`."""
    inside = code.both(row.compare(">=", 0), row.compare("<", rows))
    target = ring_row + left * VECTOR_BYTES
    with code.builder.if_else(inside) as (then, otherwise):
        with then:
            start = source + row * columns * pixel
            ahead = columns * pixel * 2  # two rows on: it arrives while this row is computed with
            with code.loop(0, columns) as column:
                code.prefetch(start + column * pixel + ahead)
                value = change(code.load(start + column * pixel, dtype))
                code.store(value, target + column * VECTOR_BYTES)
        with otherwise, code.loop(0, columns) as column:
            code.store(code.splat(0.0), target + column * VECTOR_BYTES)


class _Normed:
    """Writes act(a * x + b), with a and b (C) float32; nothing where there is no activation to compute."""

    def __init__(
        self, code: KernelBuilder, activation: Activation | None, dtype: torch.dtype, first_argument: int
    ) -> None:
        self.code, self.activation, self.exact = code, activation, dtype == torch.float32
        if activation is not None:
            self.a, self.b = (code.argument(first_argument + i) for i in range(2))

    def of(self, block: _Block) -> Callable[[Vec], Vec]:
        activation = self.activation
        if activation is None:
            return lambda value: value
        a, b = (self.code.load(pointer + block.channel * 4) for pointer in (self.a, self.b))
        return lambda value: activate(self.code, self.code.fma(value, a, b), activation, self.exact)


class _Back:
    """Writes the way of a gradient back through z = act(a * u + b): p * g, with g = dz * act'(a * u + b).

    Adds up g and g * (u - mean) for each image. Arguments: u, a, b, mean, p (C each but u), and the sums
    (N, 2, C), float32. Nothing is changed where there is no activation.
    """

    def __init__(
        self, code: KernelBuilder, activation: Activation | None, dtype: torch.dtype, first_argument: int
    ) -> None:
        self.code, self.activation, self.dtype = code, activation, dtype
        self.held: list[Vec] = []
        self.totals: list[Variable] = []
        if activation is not None:
            self.u, *self.channelwise, self.sums = (code.argument(first_argument + i) for i in range(6))

    def begin_task(self, block: _Block, taps: int) -> None:
        if self.activation is not None:
            for number in range(SUMS):
                self.code.store(self.code.splat(0.0), block.taps + (taps + number) * VECTOR_BYTES)

    def begin_row(self, block: _Block) -> None:
        if self.activation is not None:
            self.held = [self.code.load(pointer + block.channel * 4) for pointer in self.channelwise]
            self.totals = [self.code.variable(self.code.splat(0.0)) for _ in range(SUMS)]

    def through(self, slope: Vec, offset: Int) -> Vec:
        """`offset`: where the place lies behind the first of u, in bytes."""
        if self.activation is None:
            return slope
        a, b, mean, p = self.held
        u = self.code.load(self.u + offset, self.dtype)
        exact = self.dtype == torch.float32
        g = through(self.code, slope, self.code.fma(u, a, b), self.activation, exact)
        for total, value in zip(self.totals, (g, g * (u - mean)), strict=True):
            total.set(total.get() + value)
        return g * p

    def end_row(self, block: _Block, taps: int) -> None:
        for number, total in enumerate(self.totals if self.activation is not None else ()):
            place = block.taps + (taps + number) * VECTOR_BYTES
            self.code.store(self.code.load(place) + total.get(), place)

    def end_task(self, task: _Task, taps: int) -> None:
        if self.activation is None:
            return
        for block in task.blocks():
            for number in range(SUMS):
                place = self.sums + ((task.image * SUMS + number) * task.channels + block.channel) * 4
                self.code.store(self.code.load(block.taps + (taps + number) * VECTOR_BYTES), place)


def _pack_taps(code: KernelBuilder, weights: Int, channels: Int, block: _Block, size: int) -> None:
    """Copy the block's taps together; `weights` (size * size, C) float32."""
    for tap in range(size * size):
        code.store(code.load(weights + (channels * tap + block.channel) * 4), block.taps + tap * VECTOR_BYTES)


def _clear(code: KernelBuilder, start: Int, size_bytes: Int) -> None:
    with code.loop(0, size_bytes, VECTOR_BYTES) as offset:
        code.store(code.splat(0.0), start + offset)


def _tiles(code: KernelBuilder, start: Int | int, stop: Int, tile: int) -> Iterator[tuple[Int, int]]:
    """Write the loop over whole tiles, then the one over what is left; yields (first column, how many)."""
    first = start if isinstance(start, Int) else code.const(start)
    whole = first + ((stop - first).at_least(0) // tile) * tile
    with code.loop(first, whole, tile) as column:
        yield column, tile
    with code.loop(whole, stop) as column:
        yield column, 1


@functools.cache
def output_kernel(
    size: int,
    stride: int,
    tile: int,
    dtype: torch.dtype,
    before: Activation | None = None,
    back: Activation | None = None,
) -> Run:
    """y[oh, ow] = bias + sum over k, l of x[oh * stride + k - top, ow * stride + l - left] * w[k, l].

    Arguments: x, w (size * size, C) float32, bias (C) float32, y, scratch, its bytes per thread, N, H, W, C, top,
    left, Ho, Wo, columns of a ring row; then a and b of the activation `before`, or what y goes `back` through.
    """
    code = KernelBuilder(f"depthwise_output_{size}_{stride}_{tile}")
    taps = size * size
    normed, way_back = _Normed(code, before, dtype, 15), _Back(code, back, dtype, 15)
    x, w, bias, y, scratch, per_thread, images, h, width, channels, top, left, ho, wo, ring_columns = (
        code.argument(i) for i in range(15)
    )
    element = ELEMENT_BYTES[dtype]
    pixel = channels * element
    row_bytes = ring_columns * VECTOR_BYTES
    for task in _tasks(code, images, channels, scratch, per_thread, row_bytes * size, taps + SUMS, element):
        source = x + task.image * h * pixel * width
        target = task.image * ho * pixel * wo
        for block in task.blocks():
            _pack_taps(code, w, channels, block, size)
            way_back.begin_task(block, taps)
            change = normed.of(block)
            for k in range(size - stride if size > stride else 0):
                start, row = source + block.channel * element, code.const(k) - top
                _fill_row(code, block.ring + row_bytes * k, start, row, h, width, pixel, left, dtype, change)
        with code.loop(0, ho) as oh:
            for block in task.blocks():
                start = source + block.channel * element
                change = normed.of(block)
                for k in range(max(size - stride, 0), size):
                    slot = block.ring + ((oh * stride + k) % size) * row_bytes
                    _fill_row(code, slot, start, oh * stride + k - top, h, width, pixel, left, dtype, change)
                rows = [block.ring + ((oh * stride + k) % size) * row_bytes for k in range(size)]
                out = target + oh * wo * pixel + block.channel * element
                offset = code.load(bias + block.channel * 4)
                way_back.begin_row(block)
                for ow, count in _tiles(code, 0, wo, tile):
                    sums = [offset] * count
                    for k in range(size):
                        here = rows[k] + ow * (stride * VECTOR_BYTES)
                        seen = [code.load(here + i * VECTOR_BYTES) for i in range((count - 1) * stride + size)]
                        for tap in range(size):
                            weight = code.load(block.taps + (k * size + tap) * VECTOR_BYTES)
                            sums = [code.fma(seen[i * stride + tap], weight, sums[i]) for i in range(count)]
                    for i in range(count):
                        place = out + (ow + i) * pixel
                        code.store(way_back.through(sums[i], place), y + place, dtype)
                way_back.end_row(block, taps)
        way_back.end_task(task, taps)
    return compile_kernel(code)


@functools.cache
def input_gradient_kernel(size: int, tile: int, dtype: torch.dtype, back: Activation | None = None) -> Run:
    """Gradient of the input for stride 2, where input row 2i + a - top meets output rows i - m under taps a + 2m.

    Arguments: dy, w (size * size, C) float32, dx, scratch, its bytes per thread, N, H, W, C, top, left, Ho, Wo,
    columns of a ring row; then what dx goes `back` through.
    """
    code = KernelBuilder(f"depthwise_input_gradient_{size}_{tile}")
    taps = size * size
    way_back = _Back(code, back, dtype, 14)
    dy, w, dx, scratch, per_thread, images, h, width, channels, top, left, ho, wo, ring_columns = (
        code.argument(i) for i in range(14)
    )
    element = ELEMENT_BYTES[dtype]
    pixel = channels * element
    depth = (size + 1) // 2
    row_bytes = ring_columns * VECTOR_BYTES
    before = depth - 1  # zero columns before dy's first
    for task in _tasks(code, images, channels, scratch, per_thread, row_bytes * depth, taps + SUMS, element):
        source = dy + task.image * ho * pixel * wo
        target = task.image * h * pixel * width
        for block in task.blocks():
            _pack_taps(code, w, channels, block, size)
            way_back.begin_task(block, taps)
            _clear(code, block.ring, row_bytes * depth)  # the rows before dy's first are zeros
        with code.loop(0, (h + top + 1) // 2) as i:
            for block in task.blocks():
                start = source + block.channel * element
                slot = block.ring + (i % depth) * row_bytes
                _fill_row(code, slot, start, i, ho, wo, pixel, code.const(before), dtype)
                rows = [block.ring + ((i + (depth - m)) % depth) * row_bytes for m in range(depth)]
                way_back.begin_row(block)
                for a in range(2):
                    ih = i * 2 + a - top
                    with code.when(code.both(ih.compare(">=", 0), ih.compare("<", h))):
                        line = target + ih * width * pixel + block.channel * element
                        for b in range(2):
                            shift = left - b  # iw = 2j - shift
                            first = (shift.at_least(0) + 1) // 2
                            stop = (width + shift + 1) // 2
                            for j, count in _tiles(code, first, stop, tile):
                                sums = [code.splat(0.0)] * count
                                for m, k in enumerate(range(a, size, 2)):
                                    here = rows[m] + (j + before) * VECTOR_BYTES
                                    seen = {n: code.load(here + n * VECTOR_BYTES) for n in range(-before, count)}
                                    for n, tap in enumerate(range(b, size, 2)):
                                        weight = code.load(block.taps + (k * size + tap) * VECTOR_BYTES)
                                        sums = [code.fma(seen[c - n], weight, sums[c]) for c in range(count)]
                                for c in range(count):
                                    place = line + ((j + c) * 2 - shift) * pixel
                                    code.store(way_back.through(sums[c], place), dx + place, dtype)
                way_back.end_row(block, taps)
        way_back.end_task(task, taps)
    return compile_kernel(code)


@functools.cache
def weight_gradient_kernel(size: int, stride: int, dtype: torch.dtype, before: Activation | None = None) -> Run:
    """dw[n, k, l] = sum over oh, ow of dy[n, oh, ow] * x[n, oh * stride + k - top, ow * stride + l - left].

    Arguments: x, dy, dw (N, size * size, C) float32, scratch, its bytes per thread, N, H, W, C, top, left, Ho, Wo,
    columns of a ring row; then a and b of the activation `before`.
    """
    code = KernelBuilder(f"depthwise_weight_gradient_{size}_{stride}")
    normed = _Normed(code, before, dtype, 14)
    x, dy, dw, scratch, per_thread, images, h, width, channels, top, left, ho, wo, ring_columns = (
        code.argument(i) for i in range(14)
    )
    element = ELEMENT_BYTES[dtype]
    pixel = channels * element
    row_bytes = ring_columns * VECTOR_BYTES
    group = size if size <= 5 else 3  # rows of taps whose sums fit in the registers
    tile = {3: 4, 5: 2}.get(size, 2)
    for task in _tasks(code, images, channels, scratch, per_thread, row_bytes * size, size * size, element):
        source = x + task.image * h * pixel * width
        gradient = dy + task.image * ho * pixel * wo
        for block in task.blocks():
            _clear(code, block.taps, code.const(size * size * VECTOR_BYTES))
            change = normed.of(block)
            for k in range(max(size - stride, 0)):
                start, row = source + block.channel * element, code.const(k) - top
                _fill_row(code, block.ring + row_bytes * k, start, row, h, width, pixel, left, dtype, change)
        with code.loop(0, ho) as oh:
            for block in task.blocks():
                start = source + block.channel * element
                change = normed.of(block)
                for k in range(max(size - stride, 0), size):
                    slot = block.ring + ((oh * stride + k) % size) * row_bytes
                    _fill_row(code, slot, start, oh * stride + k - top, h, width, pixel, left, dtype, change)
                rows = [block.ring + ((oh * stride + k) % size) * row_bytes for k in range(size)]
                line = gradient + oh * wo * pixel + block.channel * element
                for first in range(0, size, group):
                    taps = [(k, tap) for k in range(first, min(first + group, size)) for tap in range(size)]
                    sums = {at: code.variable(code.splat(0.0)) for at in taps}
                    for ow, count in _tiles(code, 0, wo, tile):
                        values = {at: sums[at].get() for at in taps}
                        slope = [code.load(line + (ow + i) * pixel, dtype) for i in range(count)]
                        for k in range(first, min(first + group, size)):
                            here = rows[k] + ow * (stride * VECTOR_BYTES)
                            seen = [code.load(here + i * VECTOR_BYTES) for i in range((count - 1) * stride + size)]
                            for tap in range(size):
                                for i in range(count):
                                    values[k, tap] = code.fma(seen[i * stride + tap], slope[i], values[k, tap])
                        for at in taps:
                            sums[at].set(values[at])
                    for k, tap in taps:
                        place = block.taps + (k * size + tap) * VECTOR_BYTES
                        code.store(code.load(place) + sums[k, tap].get(), place)
        for block in task.blocks():
            for tap in range(size * size):
                place = dw + ((task.image * (size * size) + tap) * channels + block.channel) * 4
                code.store(code.load(block.taps + tap * VECTOR_BYTES), place)
    return compile_kernel(code)
