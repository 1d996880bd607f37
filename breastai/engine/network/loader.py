"""Batches: which images come in which order, augmented by threads while the network computes."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import WeightedRandomSampler

from breastai.data.cases.image_set import ImageSet
from breastai.data.preprocessing.augment import augment
from breastai.domain.config import AugmentationSettings
from breastai.storage.control_groups import usable_cores

_BATCHES_AHEAD = 3


@dataclass(frozen=True)
class Batch:
    """`images` uint8 (N, S, S, 3), `labels` int64 (N,); `of`: how many images the batch has with those of others."""

    images: Tensor
    labels: Tensor
    of: int


@dataclass(frozen=True)
class FeatureBatch:
    """`features` (N, C, h, w) of a frozen backbone, `labels` int64 (N,); `of` as in Batch."""

    features: Tensor
    labels: Tensor
    of: int


def epoch_order(labels: np.ndarray, weighted: bool, seed: int, epoch: int) -> np.ndarray:
    """Return the positions to visit in `epoch`: a function of seed and epoch alone, so that a resume finds it again.

    Weighted: drawn with replacement, each class equally often on average. Else: every image once, shuffled.
    """
    generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
    if not weighted:
        return torch.randperm(len(labels), generator=generator).numpy()
    weights = 1.0 / np.bincount(labels)[labels]
    return np.array(list(WeightedRandomSampler(weights.tolist(), len(labels), generator=generator)))


def training_batches(
    images: ImageSet,
    order: np.ndarray,
    batch_size: int,
    augmentation: AugmentationSettings,
    seed: tuple[int, int],
    workers: int,
    first_batch: int = 0,
    image_size: int | None = None,
    mine: Callable[[int], slice] = slice,
) -> Iterator[Batch]:
    """Yield the batches of an epoch from `first_batch` on. `seed`: (seed, epoch); each image draws from its own place.

    `image_size`: side to shrink the images to; None leaves them as they are. `mine`: which images of a batch of so many
    to load; by default all.

    A last batch of one image is left out: batch normalisation can learn nothing from it.
    """

    def load(positions: tuple[int, int]) -> np.ndarray:
        place, index = positions
        image = augment(images.image(index), augmentation, np.random.default_rng([*seed, place]))
        if image_size is None or image_size == image.shape[0]:
            return image
        return cv2.resize(image, (image_size, image_size), interpolation=cv2.INTER_AREA)

    labels = images.labels
    starts = [start for start in range(0, len(order), batch_size) if start == 0 or len(order) - start > 1]
    batches = [
        [(place, int(order[place])) for place in range(start, min(start + batch_size, len(order)))] for start in starts
    ]
    side = image_size or images.image_size
    yield from _load_ahead(batches[first_batch:], load, labels, side, workers, mine)


def count_batches(images: int, batch_size: int) -> int:
    """Return how many batches `training_batches` yields for an epoch of `images`."""
    whole, rest = divmod(images, batch_size)
    return max(1, whole + (rest > 1))


def evaluation_batches(images: ImageSet, batch_size: int, workers: int) -> Iterator[Batch]:
    """Yield every image once, in order, as it is."""
    batches = [
        [(place, place) for place in range(start, min(start + batch_size, len(images)))]
        for start in range(0, len(images), batch_size)
    ]
    side = images.image_size
    yield from _load_ahead(batches, lambda positions: images.image(positions[1]), images.labels, side, workers)


def _load_ahead(batches, load, labels, side, workers, mine=slice) -> Iterator[Batch]:  # type: ignore[no-untyped-def]
    """Yield batches in order, a few being made ahead by threads: OpenCV and numpy let go of the interpreter lock."""

    def assemble(places: list[tuple[int, int]], loaded: list[np.ndarray]) -> Batch:
        indices = [index for _, index in places[mine(len(places))]]
        stacked = np.stack(loaded) if loaded else np.empty((0, side, side, 3), np.uint8)
        return Batch(torch.from_numpy(stacked), torch.from_numpy(labels[np.array(indices, int)]), len(places))

    threads = min(workers, usable_cores())
    if threads == 0:
        for places in batches:
            yield assemble(places, [load(place) for place in places[mine(len(places))]])
        return
    cv2.setNumThreads(1)  # parallel over images, not within one
    with ThreadPoolExecutor(threads, thread_name_prefix="loader") as pool:
        pending: deque[tuple[list[tuple[int, int]], list[Future[np.ndarray]]]] = deque()
        waiting = iter(batches)
        try:
            while True:
                while len(pending) < _BATCHES_AHEAD and (places := next(waiting, None)) is not None:
                    pending.append((places, [pool.submit(load, place) for place in places[mine(len(places))]]))
                if not pending:
                    return
                places, futures = pending.popleft()
                yield assemble(places, [future.result() for future in futures])
        finally:
            for _, futures in pending:
                for future in futures:
                    future.cancel()
