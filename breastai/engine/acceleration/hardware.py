"""What this machine is and can do: its name, its matrix peak, and what a model asks of it."""

import copy
import platform
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from breastai.engine.acceleration.tuning_plan import uninstall

_MATRIX_ROWS = 1536
_REPEATS = 4


def processor_name() -> str:
    """Return the processor's model name, as near as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def matrix_gflops(dtype: torch.dtype) -> float:
    """Return the best speed, in 1e9 operations a second, of square matrix products on torch's threads."""
    a, b = (torch.randn(_MATRIX_ROWS, _MATRIX_ROWS).to(dtype) for _ in range(2))
    best_s = float("inf")
    for turn in range(_REPEATS + 1):
        started = time.perf_counter()
        torch.mm(a, b)
        if turn:
            best_s = min(best_s, time.perf_counter() - started)
    return 2.0 * _MATRIX_ROWS**3 / best_s / 1e9


def training_gflop(model: nn.Module, image_size: int) -> float:
    """Return the 1e9 operations of one image's training step: 6 for each multiply-add of the forward pass."""
    skeleton = copy.deepcopy(model)
    uninstall(skeleton)
    skeleton.to("meta").eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        skeleton(torch.empty(1, 3, image_size, image_size, device="meta"))
    return 3.0 * float(counter.get_total_flops()) / 1e9
