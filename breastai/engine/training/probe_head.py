"""The recipe `probe`: the classifier alone is fitted, on embeddings of the frozen network, in one pass."""

import time
from collections.abc import Callable, Generator

import numpy as np
import torch

from breastai.clinical.logistic_probe import fit_probe
from breastai.data.cases.image_set import ImageSet
from breastai.domain.events import BatchProgress, Event, Log, ProgressUpdate
from breastai.domain.text import Text
from breastai.engine.network.embeddings import Embeddings, embed_images
from breastai.engine.network.evaluation import MOST_STATISTICS, Predictions
from breastai.engine.network.process_group import SINGLE_PROCESS, ProcessGroup
from breastai.engine.training.run_progress import epoch_of, share_done
from breastai.engine.training.run_state import Run


def fit_head(run: Run) -> Generator[Event, None, None]:
    """Fit the classifier on the training images; the strength of its penalty is chosen among them alone, groups whole."""
    mark = time.perf_counter()
    images, training = run.cases.train, run.config.training
    found = yield from embeddings_for(
        run, images, "progress.features", lambda done: share_done(run, trained=0.0, features=done), run.world
    )
    run.training_statistics = _sample(found.statistics)
    balanced = training.weighted_sampler or training.use_class_weights
    classes = len(run.cases.class_names)
    probe = fit_probe(
        found.features, images.labels, run.cases.train_units, classes, balanced=balanced, seed=run.config.system.seed
    )
    for model in {run.learner.model, run.judged}:
        set_head(model.head, probe.weights, probe.bias)
    said = probe.probabilities(found.features)
    position = run.position
    position.seen, position.correct = len(images), int((said.argmax(axis=1) == images.labels).sum())
    right = said[np.arange(len(images)), images.labels]
    position.loss_sum = -float(np.log(np.maximum(right, 1e-12)).sum())
    position.training_s += time.perf_counter() - mark
    yield Log(
        level="info",
        code="probe.strength",
        message=f"The classifier's penalty was chosen on the training images: C = {probe.strength:.3g}.",
        params={"strength": float(f"{probe.strength:.3g}")},
    )


@torch.no_grad()
def set_head(head: torch.nn.Linear, weights: np.ndarray, bias: np.ndarray) -> None:
    """Give a classifier the weights (C, D) and biases (C,)."""
    head.weight.copy_(torch.from_numpy(weights))
    head.bias.copy_(torch.from_numpy(bias))


def answers_from_store(
    run: Run, images: ImageSet, world: ProcessGroup = SINGLE_PROCESS
) -> Generator[Event, None, Predictions]:
    """Return what the network says of images, from their embeddings, each process of `world` computing its part."""
    found = yield from embeddings_for(
        run, images, "progress.validating", lambda done: share_done(run, trained=1.0, judged=done), world
    )
    with torch.inference_mode():
        features = torch.from_numpy(np.ascontiguousarray(found.features)).to(run.runtime.device)
        logits = run.judged.head(features).float().cpu().numpy()
    return Predictions(logits, images.labels, found.features, found.statistics)


def embeddings_for(
    run: Run, images: ImageSet, code: str, share: Callable[[float], float], world: ProcessGroup
) -> Generator[Event, None, Embeddings]:
    """Return the embeddings of images; tell by the text `code` how far they are, and by `share` how far the run is."""
    for step in embed_images(images, run.built, run.runtime, run.config, world):
        if isinstance(step, Embeddings):
            return step
        yield ProgressUpdate(
            stage="training",
            text=Text(code, {"done": step, "total": len(images)}),
            epoch=epoch_of(run, images),
            epochs=run.config.training.epochs,
            progress=share(step / max(1, len(images))),
            batch_progress=BatchProgress(batch=step, total_batches=len(images)),
        )
    raise AssertionError("embed_images ends with the embeddings")


def _sample(statistics: np.ndarray) -> np.ndarray:
    """Return the statistics of a fixed sample where the images are many, as `statistics_of_set` does."""
    if len(statistics) <= MOST_STATISTICS:
        return statistics
    return statistics[np.sort(np.random.default_rng(0).permutation(len(statistics))[:MOST_STATISTICS])]
