"""Several processes that train one run, as torchrun starts them: torch.distributed behind engine/network/process_group.py's words.

Gradients go through DistributedDataParallel. Its mean over processes would be that of a batch in equal parts; here each
part of a loss is divided by the weight of the whole batch and multiplied by the number of processes, so that the
gradient is that of the whole batch however uneven the parts are, empty ones included.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from breastai.engine.network.models import Classifier
from breastai.engine.network.process_group import ProcessGroup
from breastai.scale.sync_batch_norm import synchronize_layers

STEP_TIMEOUT = timedelta(minutes=30)  # a machine gone without a word; a process that ends is noticed at once
_PATIENCE = timedelta(hours=24)  # while the first process reads ten million images


class TorchProcessGroup(ProcessGroup):
    """The processes of one torchrun. `wants_stop`: what this process was asked; `agreed`: what all decided on it.

    `left_alone`: another process ended, and this one with it.
    """

    def __init__(self, device: torch.device) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        self.local_size = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        self.backend = dist.get_backend()
        self.wants_stop: Callable[[], bool] = lambda: False
        self.agreed = False
        self.training = False
        self.left_alone = False
        self._device = device
        # One group for each kind of talk, so that no two can get in each other's way.
        self._layers = _group()
        self._words = _group(backend="gloo", timeout=_PATIENCE)
        self._parallel: dict[tuple[bool, ...], nn.Module] = {}

    def shard(self, count: int) -> slice:
        each, more = divmod(count, self.size)
        start = self.rank * each + min(self.rank, more)
        return slice(start, start + each + (self.rank < more))

    def whole(self, part: int) -> int:
        """Return how many things there are in all, given how many are here."""
        count = torch.tensor([part])
        dist.all_reduce(count, group=self._words)
        return int(count.item())

    def synchronize_layers(self, model: Classifier) -> None:
        self._parallel = {}
        synchronize_layers(model, self, self._layers)

    def logits(self, model: Classifier, inputs: Tensor, features: bool) -> Tensor:
        # Made anew when other layers learn: it has to know which gradients to wait for.
        key = (features, *(parameter.requires_grad for parameter in model.parameters()))
        if key not in self._parallel:
            on = [self._device.index] if self._device.type == "cuda" else None
            self._parallel = {
                key: DistributedDataParallel(
                    _Ways(model), device_ids=on, forward_sync_buffers=False, find_unused_parameters=features
                )
            }
        answers: Tensor = self._parallel[key](inputs, features)
        return answers

    def scale_loss(self, loss: Tensor) -> Tensor:
        return loss * self.size

    def all_reduce(self, value: Tensor) -> Tensor:
        summed = value.detach().clone()
        dist.all_reduce(summed)
        return summed

    def all_reduce_metrics(self, loss: float, correct: int) -> tuple[float, int]:
        values = torch.tensor([loss, correct], dtype=torch.float64, device=self._device)
        dist.all_reduce(values)
        summed, right = values.tolist()
        return float(summed), int(right)

    def all_gather(self, part: np.ndarray, count: int) -> np.ndarray:
        return self.all_gather_tensor(torch.from_numpy(part), count).numpy()

    def all_gather_tensor(self, part: Tensor, count: int) -> Tensor:
        """Return all rows, where the part was. Parts are filled up to one length and sent as bytes: any dtype can go."""
        longest = -(-count // self.size)
        sent = torch.zeros((longest, *part.shape[1:]), dtype=part.dtype)
        sent[: len(part)] = part
        flat = sent.reshape(-1).view(torch.uint8).to(self._device)
        all_of_them = [torch.empty_like(flat) for _ in range(self.size)]
        dist.all_gather(all_of_them, flat)
        each, more = divmod(count, self.size)
        rows = [
            piece.cpu().view(part.dtype).reshape(sent.shape)[: each + (rank < more)]
            for rank, piece in enumerate(all_of_them)
        ]
        return torch.cat(rows).to(part.device)

    def broadcast(self, say: Callable[[], str]) -> str:
        content = say().encode() if self.is_main else b""
        size = torch.tensor([len(content)])
        dist.broadcast(size, 0, group=self._words)
        text = (
            torch.frombuffer(bytearray(content), dtype=torch.uint8)
            if content
            else torch.empty(int(size), dtype=torch.uint8)
        )
        if int(size):
            dist.broadcast(text, 0, group=self._words)
        return text.numpy().tobytes().decode()

    def sync_stop(self) -> None:
        self.training = True
        wish = torch.tensor([int(self.wants_stop())])
        dist.all_reduce(wish, op=dist.ReduceOp.MAX, group=self._words)
        self.agreed = self.agreed or bool(wish.item())

    def stop_requested(self) -> bool:
        """Whether to close the events now: before the first batch each process for itself, then all at once."""
        return self.agreed or (not self.training and self.wants_stop())

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        if not self.is_main:
            dist.barrier(group=self._words)
        try:
            yield
        finally:  # whatever came of it: the others then find the same
            if self.is_main:
                dist.barrier(group=self._words)


def _group(**options: Any) -> dist.ProcessGroup:
    group = dist.new_group(**options)
    assert isinstance(group, dist.ProcessGroup), "this process is one of the crowd"
    return group


class _Ways(nn.Module):
    """A network's two ways to answers, by one forward: DistributedDataParallel wraps no other."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, features: bool) -> Any:
        return self.model.classify(inputs) if features else self.model(inputs)


@contextmanager
def process_group(use_cuda: bool) -> Iterator[TorchProcessGroup]:
    """Yield the crowd of this torchrun: NCCL where each process has a GPU of its own, else gloo."""
    place = int(os.environ.get("LOCAL_RANK", "0"))
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    on_gpu = use_cuda and torch.cuda.is_available() and torch.cuda.device_count() >= processes
    device = torch.device("cuda", place) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=STEP_TIMEOUT)
    try:
        yield TorchProcessGroup(device)
    finally:
        with contextlib.suppress(RuntimeError):  # the others may be gone
            dist.destroy_process_group()
