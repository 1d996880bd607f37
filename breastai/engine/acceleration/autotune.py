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
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import torch
from pydantic import ValidationError
from torch import nn

from breastai.domain.text import Text
from breastai.engine.acceleration.hardware import matrix_gflops, processor_name
from breastai.engine.acceleration.layer_benchmarks import (
    REPEATS,
    choose_depthwise,
    choose_pointwise,
    seconds,
    shapes_of,
)
from breastai.engine.acceleration.simd_builder import AVAILABLE
from breastai.engine.acceleration.tuning_plan import Dtype, LayerImplementations, Plan, install, plain_plan, uninstall
from breastai.engine.network.runtime import fast_bf16
from breastai.storage.private_files import make_private, private_folder

_LOG = logging.getLogger(__name__)
_CANDIDATES = "7"  # another number where there are others to choose from: plans kept before are measured anew
_BF16_GAIN = 1.1  # bf16 must multiply matrices so much faster than float32 to be worth its rounding
_FAR_AHEAD = 1.5  # whole steps by our kernels so much faster than PyTorch's: no single layer is in doubt
_NEAR_STEP = 1.05  # our kernels come first: among equals they take less memory
_HOPELESS_STEP = 2.5  # a single step may fall into another program's work: only one this much slower is not timed again
_LIKE = 0.1  # two speeds, or two sizes, no further apart are told as one
_LEARNT = ("images_per_second", "peak_gb")  # of a plan, what runs by it correct
_FEW = 2  # images that tell plans far apart from one another
_BY_TORCH = "by_torch"
_BY_WAYS = "by_ways"
_JOINED = "joined"
_BY_KERNELS = "by_kernels"
_KERNELS = LayerImplementations(output="kernel", input_gradient="kernel", weight_gradient="kernel")

# How many measurements are done, of how many.
Choosing = Generator[tuple[int, int], None, Plan]


@dataclass(frozen=True)
class TuningKey:
    """What a plan is chosen for; `dtype` holds the number type fixed.

    `whole_fits`: a whole batch fits in memory without computing anything a second time.
    """

    architecture: str
    image_size: int
    batch_size: int
    threads: int
    dtype: Dtype | None = None
    whole_fits: bool = True

    def plain(self) -> Plan:
        """Return the plan that leaves all to PyTorch, made on this machine."""
        return plain_plan(self.architecture, self.image_size, self.batch_size, self.threads).model_copy(
            update={"processor": processor_name(), "torch_version": torch.__version__, "reasons": ()}
        )


def plan_for(model: nn.Module, purpose: TuningKey, folder: Path | None = None) -> Choosing:
    """Return the kept plan of this machine, or measure one and keep it."""
    path = _plan_file(model, purpose, folder)
    plan = _kept(path)
    if plan is not None:
        return plan
    plan = yield from tune(model, purpose)
    _keep(path, plan)
    return plan


def keep_costs(
    model: nn.Module,
    purpose: TuningKey,
    plan: Plan,
    images_per_second: float,
    peak_gb: float | None = None,
    folder: Path | None = None,
) -> None:
    """Keep with this machine's plan how fast a run by `plan` learns, and its memory, for the estimates of those to come.

    What measuring found may be far from it: others may have worked beside it. The ways stay as they are.
    """
    path = _plan_file(model, purpose, folder)
    kept = _kept(path)
    if kept is None or kept.model_copy(update={name: getattr(plan, name) for name in _LEARNT}) != plan:
        return
    found = {"images_per_second": images_per_second, "peak_gb": peak_gb}
    news = {name: round(value, 2) for name, value in found.items() if value and _is_news(getattr(kept, name), value)}
    if news:
        _keep(path, kept.model_copy(update=news))


def _is_news(before: float | None, now: float) -> bool:
    return before is None or abs(now / before - 1) > _LIKE


def _keep(path: Path, plan: Plan) -> None:
    try:
        private_folder(path.parent)
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(plan.model_dump_json(indent=1), encoding="utf-8")
        make_private(unfinished)
        unfinished.replace(path)
    except OSError as error:
        _LOG.warning("The tuning plan could not be kept in %s (%s): the next run measures again.", path.parent, error)


def provisional_plan(model: nn.Module, purpose: TuningKey, folder: Path | None = None) -> Plan:
    """Return at once a plan that should be good where only features are computed; its speed and memory are those of a kept plan.

    It is the same whether or not one is kept: so the first run on a machine can be repeated bit for bit.
    """
    kept = _kept(_plan_file(model, purpose, folder))
    ways = dict.fromkeys(shapes_of(model, purpose.image_size).depthwise, _KERNELS)
    return purpose.plain().model_copy(
        update={
            "dtype": purpose.dtype or ("bfloat16" if fast_bf16() else "float32"),
            "channels_last": True,
            "joined": AVAILABLE,
            "through": AVAILABLE,
            "depthwise": ways if AVAILABLE else {},
            **{name: getattr(kept, name, None) for name in _LEARNT},
            "guessed": True,
            "reasons": (Text("plan.later"),),
        }
    )


def plan_folder() -> Path:
    return platformdirs.user_cache_path("breastai") / "plans"


def _kept(path: Path) -> Plan | None:
    with suppress(OSError, ValidationError):
        return Plan.model_validate_json(path.read_bytes())
    return None


def _plan_file(model: nn.Module, purpose: TuningKey, folder: Path | None) -> Path:
    names = [f"{name}{tuple(value.shape)}" for name, value in model.state_dict().items()]
    machine = [processor_name(), torch.__version__, str(fast_bf16()), str(AVAILABLE), _CANDIDATES]
    digest = hashlib.sha256("\n".join([*machine, *names]).encode()).hexdigest()[:16]
    name = (
        f"{purpose.architecture.replace(':', '-')}-{purpose.image_size}-{purpose.batch_size}-{purpose.threads}-{digest}"
    )
    return (folder or plan_folder()) / f"{name}{f'-{purpose.dtype}' if purpose.dtype else ''}.json"


def tune(model: nn.Module, purpose: TuningKey) -> Choosing:
    """Measure and return the fastest plan. The model is left as it is."""
    started, threads = time.perf_counter(), purpose.threads
    plain = purpose.plain()
    if next(model.parameters()).device.type != "cpu":
        return plain.model_copy(update={"reasons": (Text("plan.device"),)})
    trial = copy.deepcopy(model)
    uninstall(trial)
    trial.requires_grad_(True)  # also where only a part learns at the moment
    measuring = _measured(trial, plain, purpose)
    total = shapes_of(trial, purpose.image_size).timings() + REPEATS * (2 + 4 * AVAILABLE + 2 * (threads >= 4)) + 1
    done = 0
    try:
        while True:
            with _set_aside(threads):
                done += next(measuring)
            yield min(done, total), total
    except StopIteration as end:
        plan: Plan = end.value
    reasons = (*plan.reasons, Text("plan.took", {"seconds": time.perf_counter() - started}))
    return plan.model_copy(update={"reasons": reasons})


def _measured(trial: nn.Module, plain: Plan, purpose: TuningKey) -> Generator[int, None, Plan]:
    """Choose the number type, the ways of single layers, then the plan."""
    threads, batch_size, dtype = purpose.threads, purpose.batch_size, purpose.dtype
    chosen, reasons = (dtype, [Text("plan.dtype_asked", {"dtype": dtype})]) if dtype else choose_dtype()
    shapes = shapes_of(trial, plain.image_size)
    by_torch = plain.model_copy(update={"dtype": chosen, "channels_last": True})
    candidates = {}
    far_ahead = False
    if AVAILABLE:
        ways = dict.fromkeys(shapes.depthwise, _KERNELS)
        by_kernels = by_torch.model_copy(update={"joined": True, "through": True, "depthwise": ways})
        candidates[_BY_KERNELS] = by_kernels
        if shapes.depthwise:
            both = {_BY_KERNELS: by_kernels, _BY_TORCH: by_torch}
            taken = yield from _step_times(trial, both, _FEW)
            reasons.append(Text("plan.to_begin_with", _speeds(taken, _FEW)))
            far_ahead = _FAR_AHEAD * taken[_BY_KERNELS] < taken[_BY_TORCH]
    if far_ahead:  # timing the ways of every layer would take longer than all else
        yield shapes.depthwise_timings()
    else:
        ways, found = yield from choose_depthwise(shapes.depthwise, batch_size, chosen)
        reasons += found
        candidates[_BY_WAYS] = by_torch.model_copy(update={"depthwise": ways})
        if AVAILABLE:
            candidates[_JOINED] = candidates[_BY_WAYS].model_copy(update={"joined": True})
    pixel_ways, found = yield from choose_pointwise(shapes.pointwise, batch_size, chosen)
    reasons += found
    candidates = {name: plan.model_copy(update={"pointwise": pixel_ways}) for name, plan in candidates.items()}
    if chosen == "float32":
        candidates["plain"] = plain
    plan, found = yield from _choose_plan(trial, candidates)
    reasons += found
    if threads >= 4:
        half = plan.model_copy(update={"threads": threads // 2})
        plan, found = yield from _choose_plan(trial, {str(threads): plan, str(threads // 2): half})
        reasons += found
    if purpose.whole_fits:
        whole_s = _whole_step_s(trial, plan)
        yield 1
        # A few images tell plans apart, and are slower for each image than a whole batch.
        speed = max(plan.images_per_second or 0.0, round(plan.batch_size / whole_s, 2))
        plan = plan.model_copy(update={"images_per_second": speed})
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


def choose_dtype() -> tuple[Dtype, list[Text]]:
    """Return bfloat16 where this processor multiplies it much faster, else float32, and why."""
    if not fast_bf16():
        return "float32", [Text("plan.no_bf16")]
    # In turns and the best of each: on a busy machine one long measurement may fall into another's pause.
    turns = [[matrix_gflops(kind) for kind in (torch.bfloat16, torch.float32)] for _ in range(REPEATS)]
    bf16, float32 = (max(speeds) for speeds in zip(*turns, strict=True))
    measured = {"bf16": bf16, "float32": float32}
    if bf16 > _BF16_GAIN * float32:
        return "bfloat16", [Text("plan.bf16", measured)]
    return "float32", [Text("plan.bf16_too_slow", measured)]


# --- whole steps -------------------------------------------------------------------------------


def _choose_plan(model: nn.Module, candidates: dict[str, Plan]) -> Generator[int, None, tuple[Plan, list[Text]]]:
    """Return the plan with the fastest forward and backward pass, the first of near equals, and what was measured."""
    images = max(_FEW, next(iter(candidates.values())).batch_size // 4)  # enough to tell them apart
    taken = yield from _step_times(model, candidates, images)
    chosen = next(name for name in taken if taken[name] <= _NEAR_STEP * min(taken.values()))
    plan = candidates[chosen].model_copy(update={"images_per_second": round(1 / taken[chosen], 2)})
    return plan, [Text("plan.chosen", {"candidate": _candidate(chosen), **_speeds(taken, images)})]


def _step_times(model: nn.Module, candidates: dict[str, Plan], images: int) -> Generator[int, None, dict[str, float]]:
    """Return the seconds that each plan's forward and backward pass take for an image, the best of some in turns."""
    size = next(iter(candidates.values())).image_size
    best = dict.fromkeys(candidates, float("inf"))
    for turn, name in itertools.product(range(REPEATS), candidates):
        if turn > 1 and best[name] > _HOPELESS_STEP * min(best.values()):
            continue
        plan = candidates[name]
        install(model, plan)
        torch.set_num_threads(plan.threads)
        taken = seconds(functools.partial(_step, model, plan, images, size))
        if turn:  # the first compiles
            best[name] = min(best[name], taken / images)
        yield 1
    uninstall(model)
    return best


def _whole_step_s(model: nn.Module, plan: Plan) -> float:
    """Return the seconds that the forward and backward pass of a whole batch takes, once."""
    install(model, plan)
    torch.set_num_threads(plan.threads)
    taken = seconds(functools.partial(_step, model, plan, plan.batch_size, plan.image_size))
    uninstall(model)
    return taken


def _speeds(taken: dict[str, float], images: int) -> dict[str, int | list[Text]]:
    """Return the images a second of each candidate, as plan.chosen names them."""
    speeds = [
        Text("plan.speed", {"candidate": _candidate(name), "speed": 1 / image_s}) for name, image_s in taken.items()
    ]
    return {"images": images, "speeds": speeds}


def _candidate(name: str) -> Text:
    return Text("plan.candidate.threads", {"threads": int(name)}) if name.isdigit() else Text(f"plan.candidate.{name}")


def _step(model: nn.Module, plan: Plan, batch: int, size: int) -> None:
    model.train()
    images = torch.rand(batch, 3, size, size)
    if plan.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", plan.training_dtype, enabled=plan.dtype != "float32"):
        answer = model(images)
    answer.float().square().mean().backward()
    model.zero_grad()
