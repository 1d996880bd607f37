"""Answers of a network on images it does not learn from: always float32, in order, no randomness."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from breastai.data.cases.image_set import ImageSet
from breastai.engine.image_statistics import COUNT, image_statistics
from breastai.engine.network.loader import evaluation_batches
from breastai.engine.network.models import Classifier, normalize
from breastai.engine.network.process_group import SINGLE_PROCESS, ProcessGroup
from breastai.engine.network.runtime import Runtime

# Of more images statistics take time and tell little more.
MOST_STATISTICS = 1000


@dataclass(frozen=True)
class Predictions:
    """`logits` float32 (N, C), `labels` int64 (N,); `features` float32 (N, D), what the classifier saw.

    `statistics` float32 (N, E): of the images it was shown.
    """

    logits: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    statistics: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """Softmax of the logits, float64 (N, C): rows sum to 1 within 1e-12."""
        shifted = self.logits.astype(np.float64)
        shifted -= shifted.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        probabilities: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probabilities

    @property
    def loss(self) -> float | None:
        """Mean cross-entropy, without smoothing or weights; None without a case."""
        if not len(self.labels):
            return None
        return float(F.cross_entropy(torch.from_numpy(self.logits), torch.from_numpy(self.labels)))


def predict_batches(
    model: Classifier,
    images: ImageSet,
    runtime: Runtime,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    batch_size: int,
    workers: int,
    tta: bool = False,
    world: ProcessGroup = SINGLE_PROCESS,
) -> Iterator[int | Predictions]:
    """Yield about how many images are done after each batch, and at the end the Answers, those of all processes.

    `tta`: the mean of the log-probabilities for the image and its mirror image.
    """
    part = images.subset(np.arange(len(images))[world.shard(len(images))])
    was_training = model.training
    model.eval()
    logits: list[np.ndarray] = []
    features: list[np.ndarray] = []
    statistics: list[np.ndarray] = []
    try:
        for batch in evaluation_batches(part, -(-batch_size // world.size), workers):
            pixels = batch.images.to(runtime.device)
            inputs = normalize(pixels, mean, std)
            said, seen = forward(model, inputs, tta)
            logits.append(said.cpu().numpy())
            features.append(seen.cpu().numpy())
            statistics.append(statistics_of(pixels))
            yield min(len(images), sum(map(len, logits)) * world.size)
    finally:
        model.train(was_training)
    classes = len(images.prepared.folder.class_names)
    logits = logits or [np.empty((0, classes), np.float32)]
    features = features or [np.empty((0, model.head.in_features), np.float32)]
    statistics = statistics or [np.empty((0, COUNT), np.float32)]
    logit_rows, feature_rows, statistic_rows = (
        world.all_gather(np.concatenate(parts), len(images)) for parts in (logits, features, statistics)
    )
    yield Predictions(logit_rows, images.labels, feature_rows, statistic_rows)


def answers_of(steps: Iterator[int | Predictions]) -> Predictions:
    """Return the Answers at the end of `answer`, for who needs no progress."""
    *_, last = steps
    assert isinstance(last, Predictions)
    return last


@torch.inference_mode()
def statistics_of(pixels: Tensor) -> np.ndarray:
    """Return the image statistics, float32 (N, E), of preprocessed images, uint8 (N, S, S, 3)."""
    found: np.ndarray = image_statistics(pixels.permute(0, 3, 1, 2).float()).cpu().numpy()
    return found


def statistics_of_set(images: ImageSet) -> np.ndarray:
    """Return the image statistics, float32 (M, E), of a set of images, or of a fixed sample where they are many."""
    count = len(images)
    chosen = np.arange(count)
    if count > MOST_STATISTICS:
        chosen = np.sort(np.random.default_rng(0).permutation(count)[:MOST_STATISTICS])
    rows = [statistics_of(torch.from_numpy(images.image(place)[None])) for place in chosen.tolist()]
    return np.concatenate(rows) if rows else np.empty((0, COUNT), np.float32)


@torch.inference_mode()
def forward(model: Classifier, inputs: Tensor, tta: bool) -> tuple[Tensor, Tensor]:
    """Return float32 logits (N, C) and features (N, D) for normalised inputs (N, 3, S, S); features of the image itself."""
    features = model.features(inputs)
    logits = model.head_logits(features).float()
    if tta:
        mirrored: Tensor = model(inputs.flip(3)).float()
        logits = (logits.log_softmax(1) + mirrored.log_softmax(1)) / 2
    return logits, features.float()
