"""Making a network ready to learn on this machine: device, memory layout, and the plan of how to compute."""

from dataclasses import replace

import torch
from torch import nn

from breastai.domain.config import Config
from breastai.engine.allocator import keep_freed_memory
from breastai.engine.autotune import plan_for
from breastai.engine.models import Classifier
from breastai.engine.runtime import Runtime, choose_runtime
from breastai.engine.tuning_plan import Dtype, Plan, install


def prepare_to_compute(
    model: Classifier, config: Config, kept: Plan | None = None, tune: bool = True
) -> tuple[Classifier, Runtime, Plan | None]:
    """Return the model where and as it will learn, and how; None for a plan: as PyTorch does it.

    `kept`: the plan of the part of the run before; without one and without `tune` nothing is measured.
    """
    keep_freed_memory()
    runtime = choose_runtime(config.system, config.training.use_amp)
    model = model.to(runtime.device).to(memory_format=runtime.memory_format)
    plan = kept if kept is not None else _measured_plan(model, config, runtime) if tune else None
    if plan is None:
        return model, runtime, None
    torch.set_num_threads(plan.threads)
    install(model, plan)
    return model, replace(runtime, training_dtype=plan.training_dtype, threads=plan.threads), plan


def _measured_plan(model: nn.Module, config: Config, runtime: Runtime) -> Plan | None:
    if not config.system.autotune or runtime.device.type != "cpu":
        return None
    wished: Dtype | None = {True: "bfloat16", False: "float32", "auto": None}[config.training.use_amp]
    return plan_for(
        model, config.model.architecture, config.data.image_size, config.data.batch_size, runtime.threads, dtype=wished
    )
