"""An answer: what a model says of a batch of images, whichever file it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model says of N images: calibrated probabilities (N, C), and novelty (N,) where it gives one.

    `evidence` (N, M): what the pooling of a breast, exam or patient needs of each image, where the model decides of these.
    """

    probabilities: Floats
    novelty: Floats | None = None
    evidence: Floats | None = None

    def part(self, chosen: slice) -> "Answer":
        """Return the answer for some of the images."""
        return Answer(
            self.probabilities[chosen],
            None if self.novelty is None else self.novelty[chosen],
            None if self.evidence is None else self.evidence[chosen],
        )

    def last(self, count: int) -> "Answer":
        """Return the answer for the last `count` images."""
        return self.part(slice(-count, None))

    def rows(self) -> "list[Answer]":
        """Return the answer for each image alone."""
        return [self.part(slice(number, number + 1)) for number in range(len(self.probabilities))]


def join_outputs(parts: Sequence[Answer]) -> Answer:
    """Return the answers for several batches of one model as one."""
    novelty = [part.novelty for part in parts if part.novelty is not None]
    evidence = [part.evidence for part in parts if part.evidence is not None]
    return Answer(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate(novelty) if novelty else None,
        np.concatenate(evidence) if evidence else None,
    )


def novelty_difference(expected: Answer, found: Answer) -> float | None:
    """Return the worst relative difference of a novelty; None where neither says it, infinite where only one does."""
    if expected.novelty is None or found.novelty is None:
        return None if expected.novelty is found.novelty else float("inf")
    return float(np.max(np.abs(found.novelty - expected.novelty) / np.abs(expected.novelty)))
