"""The three passes of a depthwise convolution as kernels: output, gradient of the input, gradient of the weight.

Images lie channels last (N, H, W, C). A task is one image and one block of channels. Each row that a
pass reads is turned into float32 once, into a ring of rows padded with zeros, so the inner loops are
multiply-adds without borders. Sums are float32; each image has its own partial weight gradient.
"""

import functools
from collections.abc import Iterator

import torch

from breastai.engine.kernels import Run, compiled
from breastai.engine.vector_code import ELEMENT_BYTES, LANES, Code, Int

VECTOR_BYTES = 4 * LANES


def tile_width(width: int) -> int:
    """Return how many neighbouring outputs to make at once: 4 to 8, leaving the fewest over."""
    return min(range(8, 3, -1), key=lambda tile: width % tile if width >= tile else tile)


def _blocks(code: Code, channels: Int) -> Int:
    return (channels + (LANES - 1)) // LANES


def _first_channel(channels: Int, block: Int) -> Int:
    """The last block ends with the last channel, so it may overlap the one before; both write the same."""
    return (block * LANES).at_most(channels - LANES)


def _fill_row(
    code: Code, ring_row: Int, source: Int, row: Int, rows: Int, columns: Int, pixel: Int, left: Int, dtype: torch.dtype
) -> None:
    """Copy image row `row` (zeros if there is none) behind the `left` zero columns of `ring_row`."""
    inside = code.both(row.compare(">=", 0), row.compare("<", rows))
    target = ring_row + left * VECTOR_BYTES
    with code.builder.if_else(inside) as (then, otherwise):
        with then:
            start = source + row * columns * pixel
            ahead = columns * pixel * 2  # two rows on: it arrives while this row is computed with
            with code.loop(0, columns) as column:
                code.prefetch(start + column * pixel + ahead)
                code.store(code.load(start + column * pixel, dtype), target + column * VECTOR_BYTES)
        with otherwise, code.loop(0, columns) as column:
            code.store(code.splat(0.0), target + column * VECTOR_BYTES)


def _clear(code: Code, start: Int, size_bytes: Int) -> None:
    with code.loop(0, size_bytes, VECTOR_BYTES) as offset:
        code.store(code.splat(0.0), start + offset)


def _tiles(code: Code, start: Int | int, stop: Int, tile: int) -> Iterator[tuple[Int, int]]:
    """Write the loop over whole tiles, then the one over what is left; yields (first column, how many)."""
    first = start if isinstance(start, Int) else code.const(start)
    whole = first + ((stop - first).at_least(0) // tile) * tile
    with code.loop(first, whole, tile) as column:
        yield column, tile
    with code.loop(whole, stop) as column:
        yield column, 1


@functools.cache
def output_kernel(size: int, stride: int, tile: int, dtype: torch.dtype) -> Run:
    """y[oh, ow] = bias + sum over k, l of x[oh * stride + k - top, ow * stride + l - left] * w[k, l].

    Arguments: x, w (size * size, C) float32, bias (C) float32, y, scratch, its bytes per thread, N, H, W, C, top,
    left, Ho, Wo, columns of a ring row.
    """
    code = Code(f"depthwise_output_{size}_{stride}_{tile}")
    x, w, bias, y, scratch, scratch_bytes, images, h, width, channels, top, left, ho, wo, ring_columns = (
        code.argument(i) for i in range(15)
    )
    element = ELEMENT_BYTES[dtype]
    pixel = channels * element
    row_bytes = ring_columns * VECTOR_BYTES
    ring = scratch + code.thread * scratch_bytes
    packed = ring + row_bytes * size
    blocks = _blocks(code, channels)
    _clear(code, ring, row_bytes * size)
    with code.my_share(images * blocks) as task:
        channel = _first_channel(channels, task % blocks)
        source = x + ((task // blocks) * h * width * channels + channel) * element
        target = y + ((task // blocks) * ho * wo * channels + channel) * element
        for tap in range(size * size):
            code.store(code.load(w + (channels * tap + channel) * 4), packed + tap * VECTOR_BYTES)
        offset = code.load(bias + channel * 4)
        for k in range(size - stride if size > stride else 0):
            _fill_row(code, ring + row_bytes * k, source, code.const(k) - top, h, width, pixel, left, dtype)
        with code.loop(0, ho) as oh:
            for k in range(max(size - stride, 0), size):
                slot = (oh * stride + k) % size
                _fill_row(code, ring + slot * row_bytes, source, oh * stride + k - top, h, width, pixel, left, dtype)
            rows = [ring + ((oh * stride + k) % size) * row_bytes for k in range(size)]
            out = target + oh * wo * pixel
            for ow, count in _tiles(code, 0, wo, tile):
                sums = [offset] * count
                for k in range(size):
                    here = rows[k] + ow * (stride * VECTOR_BYTES)
                    seen = [code.load(here + i * VECTOR_BYTES) for i in range((count - 1) * stride + size)]
                    for tap in range(size):
                        weight = code.load(packed + (k * size + tap) * VECTOR_BYTES)
                        sums = [code.fma(seen[i * stride + tap], weight, sums[i]) for i in range(count)]
                for i in range(count):
                    code.store(sums[i], out + (ow + i) * pixel, dtype)
    return compiled(code)


@functools.cache
def input_gradient_kernel(size: int, tile: int, dtype: torch.dtype) -> Run:
    """Gradient of the input for stride 2, where input row 2i + a - top meets output rows i - m under taps a + 2m.

    Arguments: dy, w (size * size, C) float32, dx, scratch, its bytes per thread, N, H, W, C, top, left, Ho, Wo,
    columns of a ring row.
    """
    code = Code(f"depthwise_input_gradient_{size}_{tile}")
    dy, w, dx, scratch, scratch_bytes, images, h, width, channels, top, left, ho, wo, ring_columns = (
        code.argument(i) for i in range(14)
    )
    element = ELEMENT_BYTES[dtype]
    pixel = channels * element
    depth = (size + 1) // 2
    row_bytes = ring_columns * VECTOR_BYTES
    ring = scratch + code.thread * scratch_bytes
    packed = ring + row_bytes * depth
    blocks = _blocks(code, channels)
    before = depth - 1  # zero columns before dy's first
    _clear(code, ring, row_bytes * depth)
    with code.my_share(images * blocks) as task:
        channel = _first_channel(channels, task % blocks)
        source = dy + ((task // blocks) * ho * wo * channels + channel) * element
        target = dx + ((task // blocks) * h * width * channels + channel) * element
        for tap in range(size * size):
            code.store(code.load(w + (channels * tap + channel) * 4), packed + tap * VECTOR_BYTES)
        for m in range(depth):  # the rows before dy's first are zeros
            _clear(code, ring + row_bytes * m, row_bytes)
        with code.loop(0, (h + top + 1) // 2) as i:
            _fill_row(code, ring + (i % depth) * row_bytes, source, i, ho, wo, pixel, code.const(before), dtype)
            rows = [ring + ((i + (depth - m)) % depth) * row_bytes for m in range(depth)]
            for a in range(2):
                ih = i * 2 + a - top
                with code.when(code.both(ih.compare(">=", 0), ih.compare("<", h))):
                    for b in range(2):
                        shift = left - b  # iw = 2j - shift
                        start = (shift.at_least(0) + 1) // 2
                        stop = (width + shift + 1) // 2
                        for j, count in _tiles(code, start, stop, tile):
                            sums = [code.splat(0.0)] * count
                            for m, k in enumerate(range(a, size, 2)):
                                here = rows[m] + j * VECTOR_BYTES
                                seen = {n: code.load(here + (n + before) * VECTOR_BYTES) for n in range(-before, count)}
                                for n, tap in enumerate(range(b, size, 2)):
                                    weight = code.load(packed + (k * size + tap) * VECTOR_BYTES)
                                    sums = [code.fma(seen[c - n], weight, sums[c]) for c in range(count)]
                            for c in range(count):
                                place = ih * width + (j + c) * 2 - shift
                                code.store(sums[c], target + place * pixel, dtype)
    return compiled(code)


@functools.cache
def weight_gradient_kernel(size: int, stride: int, dtype: torch.dtype) -> Run:
    """dw[n, k, l] = sum over oh, ow of dy[n, oh, ow] * x[n, oh * stride + k - top, ow * stride + l - left].

    Arguments: x, dy, dw (N, size * size, C) float32, scratch, its bytes per thread, N, H, W, C, top, left, Ho, Wo,
    columns of a ring row.
    """
    code = Code(f"depthwise_weight_gradient_{size}_{stride}")
    x, dy, dw, scratch, scratch_bytes, images, h, width, channels, top, left, ho, wo, ring_columns = (
        code.argument(i) for i in range(14)
    )
    element = ELEMENT_BYTES[dtype]
    pixel = channels * element
    row_bytes = ring_columns * VECTOR_BYTES
    ring = scratch + code.thread * scratch_bytes
    total = ring + row_bytes * size
    blocks = _blocks(code, channels)
    group = size if size <= 5 else 3  # rows of taps whose sums fit in the registers
    tile = {3: 4, 5: 2}.get(size, 2)
    _clear(code, ring, row_bytes * size)
    with code.my_share(images * blocks) as task:
        channel = _first_channel(channels, task % blocks)
        source = x + ((task // blocks) * h * width * channels + channel) * element
        gradient = dy + ((task // blocks) * ho * wo * channels + channel) * element
        for tap in range(size * size):
            code.store(code.splat(0.0), total + tap * VECTOR_BYTES)
        for k in range(max(size - stride, 0)):
            _fill_row(code, ring + row_bytes * k, source, code.const(k) - top, h, width, pixel, left, dtype)
        with code.loop(0, ho) as oh:
            for k in range(max(size - stride, 0), size):
                slot = (oh * stride + k) % size
                _fill_row(code, ring + slot * row_bytes, source, oh * stride + k - top, h, width, pixel, left, dtype)
            rows = [ring + ((oh * stride + k) % size) * row_bytes for k in range(size)]
            line = gradient + oh * wo * pixel
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
                    place = total + (k * size + tap) * VECTOR_BYTES
                    code.store(code.load(place) + sums[k, tap].get(), place)
        for tap in range(size * size):
            place = dw + ((task // blocks) * (size * size) + tap) * channels * 4 + channel * 4
            code.store(code.load(total + tap * VECTOR_BYTES), place)
    return compiled(code)
