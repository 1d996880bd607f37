"""The choice of a plan: what is fastest for one model, image size and batch on this machine, by measuring.

It takes a few seconds, once: the plan is kept in the user's cache folder. Only exact ways compete, so a
choice changes the speed and the rounding, never what is computed.
"""

import copy
import functools
import hashlib
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from breastai.engine import depthwise
from breastai.engine.machine import matrix_gflops, processor_name
from breastai.engine.runtime import fast_bf16
from breastai.engine.tuning_plan import Dtype, LayerWays, Plan, install, plain_plan, uninstall
from breastai.engine.vector_code import AVAILABLE

_LOG = logging.getLogger(__name__)
_REPEATS = 3
_HOPELESS = 1.5  # a way this much slower than the best so far is not timed again
_NEAR = 1.15
_CANDIDATES = "3"  # another number where there are others to choose from: plans kept before are measured anew
_BF16_GAIN = 1.1  # bf16 must multiply matrices so much faster than float32 to be worth its rounding


def plan_for(
    model: nn.Module,
    architecture: str,
    image_size: int,
    batch_size: int,
    threads: int,
    *,
    dtype: Dtype | None = None,
    folder: Path | None = None,
) -> Plan:
    """Return the kept plan of this machine, or measure one and keep it; `dtype` holds the number type fixed."""
    key = _key(model, architecture, image_size, batch_size, threads)
    path = (folder or plan_folder()) / f"{key}{f'-{dtype}' if dtype else ''}.json"
    with suppress(OSError, ValidationError):
        return Plan.model_validate_json(path.read_bytes())
    plan = tune(model, architecture, image_size, batch_size, threads, dtype)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(plan.model_dump_json(indent=1), encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        _LOG.warning("The tuning plan could not be kept in %s (%s): the next run measures again.", path.parent, error)
    return plan


def plan_folder() -> Path:
    return platformdirs.user_cache_path("breastai") / "plans"


def _key(model: nn.Module, architecture: str, image_size: int, batch_size: int, threads: int) -> str:
    names = [f"{name}{tuple(value.shape)}" for name, value in model.state_dict().items()]
    machine = [processor_name(), torch.__version__, str(fast_bf16()), str(AVAILABLE), _CANDIDATES]
    digest = hashlib.sha256("\n".join([*machine, *names]).encode()).hexdigest()[:16]
    return f"{architecture}-{image_size}-{batch_size}-{threads}-{digest}"


def tune(
    model: nn.Module, architecture: str, image_size: int, batch_size: int, threads: int, dtype: Dtype | None = None
) -> Plan:
    """Measure and return the fastest plan; `dtype` holds the number type fixed. The model is left as it is."""
    started = time.perf_counter()
    plain = plain_plan(architecture, image_size, batch_size, threads).model_copy(
        update={"processor": processor_name(), "torch_version": torch.__version__, "reasons": ()}
    )
    if next(model.parameters()).device.type != "cpu":
        return plain.model_copy(update={"reasons": ("Not on the processor: left to PyTorch.",)})
    with _set_aside(threads):
        trial = copy.deepcopy(model)
        uninstall(trial)
        chosen, reasons = (dtype, [f"{dtype} was asked for."]) if dtype else choose_dtype()
        ways, found = _choose_ways(trial, image_size, batch_size, chosen)
        reasons += found
        tuned = plain.model_copy(update={"dtype": chosen, "channels_last": True, "depthwise": ways})
        candidates = {"channels last, depthwise by the fastest ways": tuned}
        if AVAILABLE:
            joined = tuned.model_copy(update={"joined": True})
            candidates["the same with batch norms joined"] = joined
            through = joined.model_copy(update={"through": True, "depthwise": _all_by_kernel(ways)})
            candidates["and those before depthwise convolutions computed by them"] = through
        if chosen == "float32":
            candidates["plain"] = plain
        plan, found = _choose_plan(trial, candidates)
        reasons += found
        if threads >= 4:
            half = plan.model_copy(update={"threads": threads // 2})
            plan, found = _choose_plan(trial, {f"{threads} threads": plan, f"{threads // 2} threads": half})
            reasons += found
    reasons.append(f"Measuring took {time.perf_counter() - started:.1f} s.")
    return plan.model_copy(update={"reasons": tuple(reasons)})


@contextmanager
def _set_aside(threads: int) -> Iterator[None]:
    """Measure on `threads` threads, and leave torch's threads and random numbers as they were."""
    before, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_rng_state(state)


# --- number type -------------------------------------------------------------------------------


def choose_dtype() -> tuple[Dtype, list[str]]:
    """Return bfloat16 where this processor multiplies it much faster, else float32, and why."""
    if not fast_bf16():
        return "float32", ["float32: this processor has no instructions for bf16 matrices."]
    # In turns and the best of each: on a busy machine one long measurement may fall into another's pause.
    turns = [[matrix_gflops(kind) for kind in (torch.bfloat16, torch.float32)] for _ in range(_REPEATS)]
    bf16, float32 = (max(speeds) for speeds in zip(*turns, strict=True))
    measured = f"bf16 matrices at {bf16:.0f} GFLOP/s, float32 at {float32:.0f}"
    if bf16 > _BF16_GAIN * float32:
        return "bfloat16", [f"bfloat16: {measured}."]
    return "float32", [f"float32: {measured}, too small a gain."]


# --- depthwise convolutions --------------------------------------------------------------------


def _all_by_kernel(ways: dict[str, LayerWays]) -> dict[str, LayerWays]:
    kernel = LayerWays(output="kernel", input_gradient="kernel", weight_gradient="kernel")
    return dict.fromkeys(ways, kernel)


@dataclass(frozen=True)
class _Shape:
    """What the time of a depthwise convolution depends on."""

    channels: int
    window: depthwise.Window
    biased: bool

    def __str__(self) -> str:
        w = self.window
        return f"{w.size}x{w.size} stride {w.stride} on {self.channels}x{w.height}x{w.width}"


def _depthwise_shapes(model: nn.Module, image_size: int) -> dict[str, _Shape]:
    """Return the shape of every tunable layer by name, from a forward pass that computes nothing."""
    layers = {name: layer for name, layer in model.named_modules() if depthwise.tunable(layer)}
    skeleton = copy.deepcopy(model).to("meta").eval()
    shapes: dict[str, _Shape] = {}

    def note(name: str, layer: nn.Conv2d) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            window = depthwise.window_of(layer, *inputs[0].shape[2:])
            shapes[name] = _Shape(layer.in_channels, window, layer.bias is not None)

        return hook

    for name, module in skeleton.named_modules():
        if name in layers and isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(note(name, module))
    with torch.no_grad():
        skeleton(torch.empty(1, 3, image_size, image_size, device="meta"))
    return shapes


def _choose_ways(
    model: nn.Module, image_size: int, batch_size: int, dtype: Dtype
) -> tuple[dict[str, LayerWays], list[str]]:
    shapes = _depthwise_shapes(model, image_size)
    chosen: dict[_Shape, LayerWays] = {}
    reasons = []
    for shape in dict.fromkeys(shapes.values()):
        chosen[shape], times = _fastest_ways(shape, batch_size, dtype)
        reasons.append(f"depthwise {shape}: {times}.")
    return {name: chosen[shape] for name, shape in shapes.items()}, reasons


def _fastest_ways(shape: _Shape, batch_size: int, dtype: Dtype) -> tuple[LayerWays, str]:
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
    output = _fastest({way: run(depthwise.output, x, weight, bias, window, way) for way in [*first, "torch"]})
    ways = [*first, "flipped", *other, "torch"]
    input_gradient = _fastest({way: run(depthwise.input_gradient, x, dy, weight, window, way) for way in ways})
    ways = [*first, *other, "torch"]
    weight_gradient = _fastest({way: run(depthwise.weight_gradient, x, dy, weight, window, way) for way in ways})
    parts = {"output": output, "input gradient": input_gradient, "weight gradient": weight_gradient}
    text = ", ".join(f"{name} by {way} in {1e3 * seconds:.2f} ms" for name, (way, seconds) in parts.items())
    chosen = LayerWays(output=output[0], input_gradient=input_gradient[0], weight_gradient=weight_gradient[0])
    return chosen, text


def _random(images: int, channels: int, height: int, width: int, dtype: torch.dtype) -> Tensor:
    shape = (images, channels, height, width)
    return torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)


def _fastest(ways: Mapping[depthwise.Way, Callable[[], object]]) -> tuple[depthwise.Way, float]:
    """Return the fastest and its best time in seconds; the first of near equals wins, for the timing has noise."""
    best: dict[depthwise.Way, float] = {}
    for name, way in ways.items():
        way()  # compiles, and warms the caches
        for _ in range(_REPEATS):
            best[name] = min(best.get(name, float("inf")), _seconds(way))
            if best[name] > _HOPELESS * min(best.values()):
                break
    name = next(way for way in best if best[way] <= _NEAR * min(best.values()))
    return name, best[name]


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


# --- whole steps -------------------------------------------------------------------------------


def _choose_plan(model: nn.Module, candidates: dict[str, Plan]) -> tuple[Plan, list[str]]:
    """Return the plan with the fastest forward and backward pass, timed in turns."""
    size = next(iter(candidates.values())).image_size
    batch = max(2, next(iter(candidates.values())).batch_size // 4)  # enough to tell them apart
    best = dict.fromkeys(candidates, float("inf"))
    for turn, name in itertools.product(range(_REPEATS), candidates):
        if turn > 1 and best[name] > _HOPELESS * min(best.values()):
            continue
        plan = candidates[name]
        install(model, plan)
        torch.set_num_threads(plan.threads)
        seconds = _seconds(functools.partial(_step, model, plan, batch, size))
        if turn:
            best[name] = min(best[name], seconds)
    chosen = min(best, key=lambda name: best[name])
    uninstall(model)
    measured = ", ".join(f"{name} {batch / seconds:.1f}" for name, seconds in best.items())
    plan = candidates[chosen].model_copy(update={"images_per_second": round(batch / best[chosen], 2)})
    return plan, [f"{chosen}: images a second forward and backward, {batch} at a time: {measured}."]


def _step(model: nn.Module, plan: Plan, batch: int, size: int) -> None:
    model.train()
    images = torch.rand(batch, 3, size, size)
    if plan.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", plan.training_dtype, enabled=plan.dtype != "float32"):
        answer = model(images)
    answer.float().square().mean().backward()
    model.zero_grad()
