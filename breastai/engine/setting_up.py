"""Making a network ready to learn on this machine: device, memory layout, and the plan of how to compute."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from breastai.domain.config import Config
from breastai.engine import recomputation
from breastai.engine.allocator import keep_freed_memory
from breastai.engine.autotune import plan_for
from breastai.engine.memory import fit_batch
from breastai.engine.models import Classifier
from breastai.engine.runtime import Runtime, choose_runtime
from breastai.engine.tuning_plan import Dtype, Plan, install
from breastai.storage.checkpoints import MemoryRecord


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


def prepare_to_compute(model: Classifier, config: Config, kept: Plan | None = None, fresh: bool = True) -> Prepared:
    """Make a network ready; `kept`: the plan of the part of the run before. Unless `fresh`, nothing is measured."""
    keep_freed_memory()
    runtime = choose_runtime(config.system, config.training.use_amp)
    model = model.to(runtime.device).to(memory_format=runtime.memory_format)
    memory = None
    if fresh:
        config, memory = _fitted(model, config, runtime)
    plan = kept if kept is not None else _measured_plan(model, config, runtime) if fresh else None
    if plan is not None:
        torch.set_num_threads(plan.threads)
        install(model, plan)
        runtime = replace(runtime, training_dtype=plan.training_dtype, threads=plan.threads)
    if config.training.gradient_checkpointing:
        recomputation.install(model.backbone)  # after the plan, which changes blocks too
    return Prepared(model, runtime, config, plan, memory)


def _fitted(model: Classifier, config: Config, runtime: Runtime) -> tuple[Config, MemoryRecord | None]:
    if config.training.gradient_checkpointing:
        recomputation.install(model.backbone)
    try:
        return fit_batch(model, config, runtime)
    finally:
        recomputation.uninstall(model.backbone)


def _measured_plan(model: nn.Module, config: Config, runtime: Runtime) -> Plan | None:
    if not config.system.autotune or runtime.device.type != "cpu":
        return None
    wished: Dtype | None = {True: "bfloat16", False: "float32", "auto": None}[config.training.use_amp]
    return plan_for(
        model, config.model.architecture, config.data.image_size, config.data.batch_size, runtime.threads, dtype=wished
    )
