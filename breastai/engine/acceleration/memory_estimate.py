"""Memory: what a training step needs, what there is, and the batch that fits."""

import gc
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import scipy.linalg
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from breastai.domain.config import Config
from breastai.engine.acceleration.gradient_checkpointing import statistics_held
from breastai.engine.network.models import Classifier
from breastai.engine.network.runtime import Runtime
from breastai.storage.checkpoints import MemoryRecord
from breastai.storage.control_groups import ControlGroup, control_groups

_GIB = 2**30
_TRIAL_IMAGES = 2  # batch norm can learn nothing from one
_FRAGMENTS = 1.2  # resident memory over what tensors hold, measured on several networks
_FIXED_BYTES = 200 * 2**20  # compiled kernels, the libraries' own buffers, the heap's padding
_OPTIMIZER_TENSORS = {"adamw": 2, "adam": 2, "sgd": 1}  # of the size of the weights
_BATCHES_LOADED = 5
# The files of a limit and of what is taken, and the row of memory.stat that can be had back, by version.
_MEMORY_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}
_UNLIMITED = 2**60  # version 1 of control groups writes "no limit" as a huge number


# --- what there is -----------------------------------------------------------------------------


def available_bytes() -> int:
    """Return how much more memory this process may take: of the machine, its control groups and its own limits."""
    machine = int(psutil.virtual_memory().available)
    return max(0, min([machine, *group_rooms(control_groups("memory")), *_process_rooms()]))


def group_rooms(groups: Iterable[ControlGroup]) -> Iterator[int]:
    """Yield what is left in each control group that has a limit, in bytes."""
    for group in groups:
        room = _room(group.folder, *_MEMORY_FILES[group.version])
        if room is not None:
            yield room


def _room(group: Path, limit_name: str, usage_name: str, reclaimable: str) -> int | None:
    try:
        limit = (group / limit_name).read_text(encoding="ascii").strip()
        used = int((group / usage_name).read_text(encoding="ascii"))
        facts = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):
        return None
    if limit == "max" or int(limit) >= _UNLIMITED:
        return None
    return int(limit) - used + int(facts.get(reclaimable, 0))


def _process_rooms() -> Iterable[int]:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    used = psutil.Process().memory_info()
    for limit, taken in ((resource.RLIMIT_AS, used.vms), (resource.RLIMIT_DATA, used.data)):
        most = resource.getrlimit(limit)[0]
        if most != resource.RLIM_INFINITY:
            yield most - taken


def peak_memory_gb() -> float:
    """Return the largest resident memory of this process so far, in GiB."""
    try:
        import resource

        # Kibibytes on Linux, bytes on macOS.
        scale = 2**30 if psutil.MACOS else 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    except ImportError:
        peak: int = psutil.Process().memory_info().peak_wset
        return peak / 2**30


# --- what is needed ----------------------------------------------------------------------------


class _Held(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that come into being while it is on, and the most there were at once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._take(leaf)
        return result

    def _take(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if id(storage) in self._known:
            return
        self._known.add(id(storage))
        self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._give, id(storage), storage.nbytes())

    def _give(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def peak_bytes(run: Callable[[], object]) -> int:
    """Return the most that tensors made in `run` held at once; what a library takes for itself is not counted."""
    held = _Held()
    with held:
        run()
    return held.most


def step_bytes(model: Classifier, image_size: int, runtime: Runtime) -> Callable[[int], int]:
    """Return a function from batch size to the bytes of a step's tensors, by a trial step with two images.

    The model is left as it is: no gradient, no moved statistics, no random number used up.
    """
    weights = sum(parameter.numel() for parameter in model.parameters())
    cast = 0 if runtime.training_dtype == torch.float32 else 2 * weights
    state, was_training = torch.get_rng_state(), model.training

    def trial() -> None:
        images = torch.rand(_TRIAL_IMAGES, 3, image_size, image_size).contiguous(memory_format=runtime.memory_format)
        with runtime.autocast():
            logits: Tensor = model(images)
        logits.float().square().mean().backward()  # type: ignore[no-untyped-call]

    model.train()
    with statistics_held(model):
        most = peak_bytes(trial)
    model.train(was_training)
    model.zero_grad(set_to_none=True)
    torch.set_rng_state(state)
    of_an_image = max(0, most - cast) / _TRIAL_IMAGES
    gradients = 4 * weights
    return lambda batch_size: int(of_an_image * batch_size) + cast + gradients


def needed_bytes(model: nn.Module, config: Config, step: Callable[[int], int], batch_size: int) -> int:
    """Return what a run still has to take with batches of this size, above what it holds before its first step."""
    weights = 4 * sum(parameter.numel() for parameter in model.parameters())
    side = config.data.image_size
    loaded = _BATCHES_LOADED * batch_size * side * side * 3
    kept = weights * _OPTIMIZER_TENSORS[config.training.optimizer]
    return int(_FRAGMENTS * (step(batch_size) + loaded)) + kept + _FIXED_BYTES


# --- the batch that fits -----------------------------------------------------------------------


def fit_batch(
    model: Classifier, config: Config, runtime: Runtime, processes: int = 1, processes_here: int = 1
) -> tuple[Config, MemoryRecord | None]:
    """Return the configuration with a batch that fits, and what was measured; None where memory is not the processor's.

    Of several processes each has its part of a batch in memory, and `processes_here` share this machine.

    Before a plan is chosen, so that choosing one fits too: a plan's joined passes only ever need less. The smallest
    batch is returned even where nothing fits: the estimate may be wrong, and running out is told clearly.
    """
    if runtime.device.type != "cpu":
        return config, None
    step = step_bytes(model, config.data.image_size, runtime)
    reserve_blas_buffers()
    gc.collect()
    available = available_bytes() // processes_here

    def needed(batch_size: int) -> int:
        return needed_bytes(model, config, step, -(-batch_size // processes))

    fitted = config
    while needed(fitted.data.batch_size) > available:
        smaller = with_smaller_batch(fitted)
        if smaller is None:
            break
        fitted = smaller
    record = MemoryRecord(
        batch_size_asked=config.data.batch_size,
        batch_size=fitted.data.batch_size,
        needed_gb=_gb(needed(fitted.data.batch_size)),
        asked_needed_gb=_gb(needed(config.data.batch_size)),
        held_gb=_gb(psutil.Process().memory_info().rss),
        available_gb=_gb(available),
        features_bytes=available // 4,
    )
    return fitted, record


def reserve_blas_buffers() -> None:
    """Make NumPy's and SciPy's OpenBLAS take their buffers now, while there is memory.

    OpenBLAS takes a buffer at its first call and keeps it. Where a limit of the process (`ulimit -v`) refuses it, it
    asks again for ever, so a run would hang at the end of its first epoch, where the decision rule is fitted.
    """
    one = np.ones((1, 1))
    np.linalg.cholesky(one)
    scipy.linalg.cholesky(one)


def with_smaller_batch(config: Config) -> Config | None:
    """Return the configuration with half the batch, summed up twice as often; None at a batch of one.

    A batch that has no half is cut into the fewest equal parts, so that a step of the optimiser learns from as many
    images as before.
    """
    size = config.data.batch_size
    parts = next((number for number in range(2, size + 1) if size % number == 0), None)
    if parts is None:
        return None
    steps = config.training.gradient_accumulation_steps * parts
    training = config.training.model_copy(update={"gradient_accumulation_steps": steps})
    data = config.data.model_copy(update={"batch_size": size // parts})
    return config.model_copy(update={"data": data, "training": training})


def ran_out(error: BaseException) -> bool:
    """Whether an error says that an allocation was refused."""
    words = str(error)
    refused = "allocate memory" in words or "out of memory" in words or "bad_alloc" in words
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and refused)


def _gb(size: float) -> float:
    return round(size / _GIB, 2)
