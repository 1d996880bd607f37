"""Where and how to compute: device, dtype, threads, seeds. Nothing else sets them."""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from breastai.domain.errors import DeviceUnavailable
from breastai.domain.system_settings import SystemSettings
from breastai.storage.control_groups import usable_cores


@dataclass(frozen=True)
class Runtime:
    """How a job computes. `training_dtype` is used in training only; everything else is float32."""

    device: torch.device
    training_dtype: torch.dtype
    threads: int

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which a training step's forward pass runs."""
        if self.training_dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.training_dtype)

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.contiguous_format if self.device.type == "mps" else torch.channels_last

    def describe_dtype(self) -> str:
        return str(self.training_dtype).removeprefix("torch.")


def choose_runtime(
    settings: SystemSettings, use_amp: bool | Literal["auto"], place: int = 0, processes: int = 1
) -> Runtime:
    """Return how this machine is to compute, and set torch's threads; raise DeviceUnavailable.

    Of `processes` that share the machine, number `place` gets the GPU of that number and its share of the cores.
    """
    device = _choose_device(settings.device)
    if device.type == "cuda" and processes > 1:
        device = torch.device("cuda", place)
        torch.cuda.set_device(device)
    if device.type == "cuda":
        _compute_alike()
    threads = allowed_threads(settings, processes)
    torch.set_num_threads(threads)
    return Runtime(device, _choose_dtype(device, use_amp), threads)


def allowed_threads(settings: SystemSettings, processes: int = 1) -> int:
    """Return how many threads compute, by the settings and the cores this process may use, shared by `processes`."""
    return min(settings.num_threads, max(1, usable_cores() // processes))


def _compute_alike() -> None:
    """Hold CUDA to what the processor computes: the same result each time, and float32 that is not rounded to TF32."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS has no repeatable way
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def fast_bf16() -> bool:
    """Return whether this processor multiplies bf16 matrices in hardware (AVX-512 bf16 or AMX), as far as torch tells."""
    tell = getattr(torch.cpu, "get_capabilities", dict)  # older releases have none
    capabilities: dict[str, object] = tell()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def seed_torch(seed: int) -> None:
    """Seed torch's generators; numpy's are made from the seed wherever one is needed."""
    torch.manual_seed(seed)


def _choose_device(name: str) -> torch.device:
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    if (name == "cuda" and not cuda) or (name == "mps" and not mps):
        raise DeviceUnavailable(name)
    return torch.device(name)


def _choose_dtype(device: torch.device, use_amp: bool | Literal["auto"]) -> torch.dtype:
    if use_amp is False:
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu" and (use_amp is True or fast_bf16()):
        return torch.bfloat16
    return torch.float32
