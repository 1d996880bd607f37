"""The choice of a plan: what is fastest for one model, image size and batch on this machine, by measuring.

It takes a few seconds, once: the plan is kept in the user's cache folder. Only exact ways compete, so a
choice changes the speed and the rounding, never what is computed. Choosing is a generator: it yields how far it is
whenever something has been timed, and closing it leaves everything as it was.
"""

import copy
import functools
import hashlib
import itertools
import logging
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
import torch
from pydantic import ValidationError
from torch import nn

from breastai.engine.layer_ways import HOPELESS, REPEATS, choose_depthwise, choose_pointwise, seconds, shapes_of
from breastai.engine.machine import matrix_gflops, processor_name
from breastai.engine.runtime import fast_bf16
from breastai.engine.tuning_plan import Dtype, LayerWays, Plan, install, plain_plan, uninstall
from breastai.engine.vector_code import AVAILABLE

_LOG = logging.getLogger(__name__)
_CANDIDATES = "5"  # another number where there are others to choose from: plans kept before are measured anew
_BF16_GAIN = 1.1  # bf16 must multiply matrices so much faster than float32 to be worth its rounding
_JOINED, _THROUGH = "the same with batch norms joined", "and those before depthwise convolutions computed by them"

# How many measurements are done, of how many.
Choosing = Generator[tuple[int, int], None, Plan]


def plan_for(
    model: nn.Module,
    architecture: str,
    image_size: int,
    batch_size: int,
    threads: int,
    *,
    dtype: Dtype | None = None,
    folder: Path | None = None,
) -> Choosing:
    """Return the kept plan of this machine, or measure one and keep it; `dtype` holds the number type fixed."""
    key = _key(model, architecture, image_size, batch_size, threads)
    path = (folder or plan_folder()) / f"{key}{f'-{dtype}' if dtype else ''}.json"
    with suppress(OSError, ValidationError):
        return Plan.model_validate_json(path.read_bytes())
    plan = yield from tune(model, architecture, image_size, batch_size, threads, dtype)
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
) -> Choosing:
    """Measure and return the fastest plan; `dtype` holds the number type fixed. The model is left as it is."""
    started = time.perf_counter()
    plain = plain_plan(architecture, image_size, batch_size, threads).model_copy(
        update={"processor": processor_name(), "torch_version": torch.__version__, "reasons": ()}
    )
    if next(model.parameters()).device.type != "cpu":
        return plain.model_copy(update={"reasons": ("Not on the processor: left to PyTorch.",)})
    trial = copy.deepcopy(model)
    uninstall(trial)
    measuring = _measured(trial, plain, dtype)
    total = shapes_of(trial, image_size).timings() + REPEATS * (2 + 2 * AVAILABLE + 2 * (threads >= 4))
    try:
        for done in itertools.count(1):
            with _set_aside(threads):
                next(measuring)
            yield min(done, total), total
    except StopIteration as end:
        plan: Plan = end.value
    reasons = (*plan.reasons, f"Measuring took {time.perf_counter() - started:.1f} s.")
    return plan.model_copy(update={"reasons": reasons})


def _measured(trial: nn.Module, plain: Plan, dtype: Dtype | None) -> Generator[None, None, Plan]:
    """Choose the number type, the ways of single layers, then the plan."""
    size, batch_size, threads = plain.image_size, plain.batch_size, plain.threads
    chosen, reasons = (dtype, [f"{dtype} was asked for."]) if dtype else choose_dtype()
    shapes = shapes_of(trial, size)
    ways, found = yield from choose_depthwise(shapes.depthwise, batch_size, chosen)
    pixel_ways, more = yield from choose_pointwise(shapes.pointwise, batch_size, chosen)
    reasons += found + more
    tuned = plain.model_copy(
        update={"dtype": chosen, "channels_last": True, "depthwise": ways, "pointwise": pixel_ways}
    )
    candidates = {"channels last, each layer by its fastest ways": tuned}
    if AVAILABLE:
        joined = tuned.model_copy(update={"joined": True})
        candidates[_JOINED] = joined
        candidates[_THROUGH] = joined.model_copy(update={"through": True, "depthwise": _all_by_kernel(ways)})
    if chosen == "float32":
        candidates["plain"] = plain
    plan, found = yield from _choose_plan(trial, candidates)
    reasons += found
    if threads >= 4:
        half = plan.model_copy(update={"threads": threads // 2})
        plan, found = yield from _choose_plan(trial, {f"{threads} threads": plan, f"{threads // 2} threads": half})
        reasons += found
    return plan.model_copy(update={"reasons": tuple(reasons)})


def _all_by_kernel(ways: dict[str, LayerWays]) -> dict[str, LayerWays]:
    kernel = LayerWays(output="kernel", input_gradient="kernel", weight_gradient="kernel")
    return dict.fromkeys(ways, kernel)


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
    turns = [[matrix_gflops(kind) for kind in (torch.bfloat16, torch.float32)] for _ in range(REPEATS)]
    bf16, float32 = (max(speeds) for speeds in zip(*turns, strict=True))
    measured = f"bf16 matrices at {bf16:.0f} GFLOP/s, float32 at {float32:.0f}"
    if bf16 > _BF16_GAIN * float32:
        return "bfloat16", [f"bfloat16: {measured}."]
    return "float32", [f"float32: {measured}, too small a gain."]


# --- whole steps -------------------------------------------------------------------------------


def _choose_plan(model: nn.Module, candidates: dict[str, Plan]) -> Generator[None, None, tuple[Plan, list[str]]]:
    """Return the plan with the fastest forward and backward pass, timed in turns."""
    size = next(iter(candidates.values())).image_size
    batch = max(2, next(iter(candidates.values())).batch_size // 4)  # enough to tell them apart
    best = dict.fromkeys(candidates, float("inf"))
    for turn, name in itertools.product(range(REPEATS), candidates):
        if turn > 1 and best[name] > HOPELESS * min(best.values()):
            continue
        plan = candidates[name]
        install(model, plan)
        torch.set_num_threads(plan.threads)
        taken = seconds(functools.partial(_step, model, plan, batch, size))
        if turn:
            best[name] = min(best[name], taken)
        yield
    chosen = min(best, key=lambda name: best[name])
    uninstall(model)
    measured = ", ".join(f"{name} {batch / taken:.1f}" for name, taken in best.items())
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
