"""The processes that train one run together: which part is whose, and what they say to each other.

`SINGLE_PROCESS` is the world of a run with one process, where all is its own and nothing is said: it changes no number. The
other world, of several processes, is scale/torch_process_group.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # a run begins before torch is loaded
    from torch import Tensor

    from breastai.engine.network.models import Classifier


class ProcessGroup:
    """One process of `size`, number `rank`; `local_rank` of the `local_size` on its own machine.

    Everything here but `shard` is done by all processes at the same place of the program, or all but one wait.
    """

    rank = 0
    size = 1
    local_rank = 0
    local_size = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes checkpoints and journal."""
        return self.rank == 0

    def shard(self, count: int) -> slice:
        """Return which of `count` things, images of a batch say, are this process' own: each is exactly one's."""
        return slice(0, count)

    def synchronize_layers(self, model: Classifier) -> None:
        """Let what looks at a whole batch (batch norm, dropout) see the batches of all, in place."""

    def logits(self, model: Classifier, inputs: Tensor, features: bool) -> Tensor:
        """Return the answers on this process' images, or `features`; backward sums up the gradients of all."""
        answers: Tensor = model.classify(inputs) if features else model(inputs)
        return answers

    def scale_loss(self, loss: Tensor) -> Tensor:
        """Return what to differentiate, given this process' part of a loss."""
        return loss

    def all_reduce(self, value: Tensor) -> Tensor:
        """Return the sum of a number over all processes, without a gradient."""
        return value

    def all_reduce_metrics(self, loss: float, correct: int) -> tuple[float, int]:
        """Return loss and right decisions of all processes."""
        return loss, correct

    def all_gather(self, part: np.ndarray, count: int) -> np.ndarray:
        """Return the rows of all processes, `count`, given those of `shard(count)`."""
        return part

    def all_gather_tensor(self, part: Tensor, count: int) -> Tensor:
        """Return the rows of all processes, as `all_gather` does."""
        return part

    def broadcast(self, say: Callable[[], str]) -> str:
        """Return what the first process says; the others wait for it, hours if need be."""
        return say()

    def sync_stop(self) -> None:
        """Agree with the others on whether to stop: whoever draws the events then closes them before the next one."""

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """Let the first process do something before the others do the same."""
        yield


SINGLE_PROCESS = ProcessGroup()
