"""Making a network ready to learn on this machine: device, memory layout, and the plan of how to compute."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from pydantic import BaseModel
from torch import nn

from breastai.domain.config import Config
from breastai.domain.errors import ProcessesDiffer
from breastai.domain.events import BatchProgress, ProgressUpdate
from breastai.domain.stored_config import StoredConfig
from breastai.domain.text import Text
from breastai.engine.acceleration import gradient_checkpointing
from breastai.engine.acceleration.allocator import keep_freed_memory
from breastai.engine.acceleration.autotune import TuningKey, keep_costs, plan_for, provisional_plan
from breastai.engine.acceleration.memory_estimate import fit_batch, peak_memory_gb
from breastai.engine.acceleration.tuning_plan import Dtype, Plan, install
from breastai.engine.network.models import Classifier
from breastai.engine.network.process_group import SINGLE_PROCESS, ProcessGroup
from breastai.engine.network.runtime import Runtime, allowed_threads, choose_runtime
from breastai.storage.checkpoints import MemoryRecord

Made = TypeVar("Made")


@dataclass(frozen=True)
class Prepared:
    """A network where and as it will learn. `plan` None: as PyTorch does it; `memory` None: nothing was measured.

    `config`: with a smaller batch, summed up more often, where the one asked for does not fit in memory.
    """

    model: Classifier
    runtime: Runtime
    config: Config
    plan: Plan | None = None
    memory: MemoryRecord | None = None


# How many measurements are done, of how many (0, 0 where that is not known yet).
Preparing = Generator[tuple[int, int], None, Prepared]


def prepare_training(
    model: Classifier,
    config: Config,
    kept: Plan | None = None,
    fresh: bool = True,
    world: ProcessGroup = SINGLE_PROCESS,
    begin_with_guess: bool = False,
) -> Preparing:
    """Make a network ready; `kept`: the plan of the part of the run before. Unless `fresh`, nothing is measured.

    Yields between measurements, so that a stop is heard. Of several processes the first one measures, and all compute
    alike. `begin_with_guess`: the plan is left for `measured_plan` to measure or find, when it matters.
    """
    keep_freed_memory()
    runtime = choose_runtime(config.system, config.training.use_amp, world.local_rank, world.local_size)
    model = model.to(runtime.device).to(memory_format=runtime.memory_format)
    plan, memory = kept, None
    if fresh and world.is_main:
        yield 0, 0
        config, memory = _fitted(model, config, runtime, world)
        yield 0, 0
        if kept is None:
            guess = begin_with_guess and world.size == 1
            plan = (
                _plan_at_once(model, config, runtime) if guess else (yield from measured_plan(model, config, runtime))
            )
    if world.size > 1:
        config, plan, memory = _agreed(config, plan, memory, runtime, world)
    return Prepared(model, prepare_network(model, config, runtime, plan), config, plan, memory)


def prepare_network(model: Classifier, config: Config, runtime: Runtime, plan: Plan | None) -> Runtime:
    """Have `model`, which computes nothing twice yet, compute as `plan` says, None as PyTorch does; return how it runs."""
    if plan is not None:
        torch.set_num_threads(plan.threads)
        install(model, plan)
        runtime = replace(runtime, training_dtype=plan.training_dtype, threads=plan.threads)
    if config.training.gradient_checkpointing:
        gradient_checkpointing.install(model.backbone)  # after the plan, which changes blocks too
    return runtime


def progress_of(steps: Generator[tuple[int, int], None, Made], text: Text) -> Generator[ProgressUpdate, None, Made]:
    """Tell as events, with `text`, how far the building or measuring is; return what comes of it."""
    try:
        while True:
            done, total = next(steps)
            yield ProgressUpdate(
                stage="tuning",
                text=text,
                batch_progress=BatchProgress(batch=done, total_batches=total) if total else None,
            )
    except StopIteration as end:
        made: Made = end.value
        return made
    finally:
        steps.close()


class _Agreement(BaseModel):
    """What the first process measured, for all to go by."""

    config: StoredConfig
    plan: Plan | None
    memory: MemoryRecord | None
    dtype: str


def _agreed(
    config: Config, plan: Plan | None, memory: MemoryRecord | None, runtime: Runtime, world: ProcessGroup
) -> tuple[Config, Plan | None, MemoryRecord | None]:
    """Return what the first process says. Without joined batch norms: those kernels see their own part alone."""
    if plan is not None:
        plan = plan.model_copy(update={"joined": False, "threads": runtime.threads})
    mine = _Agreement(config=config, plan=plan, memory=memory, dtype=runtime.describe_dtype())
    said = _Agreement.model_validate_json(world.broadcast(mine.model_dump_json))
    if said.plan is None and said.dtype != runtime.describe_dtype():
        raise ProcessesDiffer(world.rank, "number type", said.dtype, runtime.describe_dtype())
    if said.plan is not None:
        said = said.model_copy(update={"plan": said.plan.model_copy(update={"threads": runtime.threads})})
    return said.config, said.plan, said.memory


def _fitted(
    model: Classifier, config: Config, runtime: Runtime, world: ProcessGroup
) -> tuple[Config, MemoryRecord | None]:
    if config.training.gradient_checkpointing:
        gradient_checkpointing.install(model.backbone)
    try:
        return fit_batch(model, config, runtime, world.size, world.local_size)
    finally:
        gradient_checkpointing.uninstall(model.backbone)


def measured_plan(model: nn.Module, config: Config, runtime: Runtime) -> Generator[tuple[int, int], None, Plan | None]:
    """Return the kept plan of this machine, or measure one; None where nothing is to be tuned."""
    if not _tunes(config, runtime):
        return None
    plan = yield from plan_for(model, _purpose(config, runtime))
    return plan


def remember_costs(
    model: nn.Module,
    config: Config,
    runtime: Runtime,
    plan: Plan,
    images_per_second: float,
    memory: MemoryRecord | None,
) -> None:
    """Keep how many training images a second of full size a run learnt from, and its memory, where its plan is this machine's."""
    if not _tunes(config, runtime):
        return
    asked = replace(runtime, threads=allowed_threads(config.system))  # the plan may have chosen fewer
    peak = peak_memory_gb()
    # A process that held more than a run needs did something else before; with gradient checkpointing it needs less.
    own = memory is not None and peak <= memory.held_gb + memory.needed_gb
    own = own and not config.training.gradient_checkpointing
    keep_costs(model, _purpose(config, asked), plan, images_per_second, peak if own else None)


def _plan_at_once(model: nn.Module, config: Config, runtime: Runtime) -> Plan | None:
    if not _tunes(config, runtime):
        return None
    return provisional_plan(model, _purpose(config, runtime))


def _tunes(config: Config, runtime: Runtime) -> bool:
    return config.system.autotune and runtime.device.type == "cpu"


def _purpose(config: Config, runtime: Runtime) -> TuningKey:
    data = config.data
    wished: dict[bool | str, Dtype | None] = {True: "bfloat16", False: "float32", "auto": None}
    return TuningKey(
        config.model.architecture,
        data.image_size,
        data.batch_size,
        runtime.threads,
        dtype=wished[config.training.use_amp],
        whole_fits=not config.training.gradient_checkpointing,
    )
