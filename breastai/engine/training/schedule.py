"""The recipe of a run: what each epoch learns from, at which image size, and how fast each layer learns.

`plain` trains the whole network on whole images, epoch after epoch. `fine_tune` spends its first epoch on what was
put on the backbone, over features that the frozen backbone computes once (Howard & Ruder, ULMFiT, ACL 2018); then all
layers learn, earlier ones more slowly, on images that grow to their full size (Touvron et al., NeurIPS 2019). `probe`
fits the classifier alone, by logistic regression on features of the frozen network: probe_head.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from breastai.domain.config import Config, TrainingSettings
from breastai.engine.network.loader import (
    Batch,
    FeatureBatch,
    count_batches,
    epoch_order,
    evaluation_batches,
    training_batches,
)
from breastai.engine.network.models import normalize, unfreezing_order
from breastai.engine.training.optim import learning_rate
from breastai.engine.training.run_state import Run

HEAD_PASSES = 12
_HEAD_RATE = 0.002
_ENOUGH_FOR_STATISTICS = 8  # images in a batch
_FIRST_SIZE = 0.71  # of the full image size
_GROWING = 0.6  # share of the epochs in which images grow
_SIZE_STEP = 32
_FEATURES_LIMIT_BYTES = 2 * 2**30
_HEAD_ORDER = 1_000_000  # epochs of the head's passes, kept apart from the run's own


def is_head_epoch(training: TrainingSettings, epoch: int) -> bool:
    """Return whether only the added parts learn in `epoch`, over features. A fine-tuning of one epoch has none such."""
    return training.recipe == "probe" or (training.recipe == "fine_tune" and epoch == 1 and training.epochs > 1)


def image_size_in(config: Config, epoch: int) -> int:
    """Return the side of the training images in `epoch`."""
    full = config.data.image_size
    if config.training.recipe != "fine_tune" or config.training.epochs < 3:
        return full
    share = (epoch - 2) / max(1.0, _GROWING * (config.training.epochs - 2))
    size = full * min(1.0, _FIRST_SIZE + (1 - _FIRST_SIZE) * share)
    return min(full, max(_SIZE_STEP, round(size / _SIZE_STEP) * _SIZE_STEP))


def learning_rate_at(training: TrainingSettings, epoch: int, share: float, plateau_cuts: int) -> float:
    """Return the learning rate when `share` of `epoch` is done."""
    if is_head_epoch(training, epoch):
        return float(_HEAD_RATE * (0.05 + 0.95 * (1 + np.cos(np.pi * share)) / 2))
    if training.recipe == "fine_tune" and training.epochs > 1:
        rest = training.model_copy(update={"epochs": training.epochs - 1})
        return learning_rate(rest, epoch - 2 + share, plateau_cuts)
    return learning_rate(training, epoch - 1 + share, plateau_cuts)


def epoch_s(
    config: Config, epoch: int, training: int, validation: int, train_speed: float, evaluate_speed: float
) -> float:
    """Return how long an epoch takes, from images a second at full size and how many images train and validate.

    Smaller images by their area, features by a forward pass and little more; mirror images are judged as well.
    """
    judged_s = (2 if config.evaluation.tta else 1) * validation / evaluate_speed
    if is_head_epoch(config.training, epoch):
        return judged_s + training / (3 * train_speed) + HEAD_PASSES * training / (60 * train_speed)
    area = (image_size_in(config, epoch) / config.data.image_size) ** 2
    return judged_s + area * training / train_speed


def expected_s(run: Run) -> float | None:
    """Return about how long the epochs still to come will take, by what the plan was chosen for; None without one."""
    if run.plan is None or run.plan.images_per_second is None:
        return None
    speed = run.plan.images_per_second
    # Judging is a forward pass alone, a third of the work, and in float32, which bf16 is about twice as fast as.
    judging = speed * (1.5 if run.plan.dtype == "bfloat16" else 3.0)
    epochs = range(run.position.epoch, run.config.training.epochs + 1)
    train, val = len(run.cases.train), len(run.cases.val)
    return round(sum(epoch_s(run.config, epoch, train, val, speed, judging) for epoch in epochs), 1)


def batches_in_epoch(run: Run, epoch: int) -> int:
    """Return how many batches `epoch` has."""
    return (HEAD_PASSES if is_head_epoch(run.config.training, epoch) else 1) * batches_in_pass(run, epoch)


def batches_in_pass(run: Run, epoch: int) -> int:
    """Return how many batches one pass over the images of `epoch` has; a head's epoch makes several."""
    images = _featured(run) if is_head_epoch(run.config.training, epoch) else len(run.cases.train)
    return count_batches(images, run.config.data.batch_size)


def batches(run: Run) -> Iterator[Batch | FeatureBatch | int]:
    """Yield the batches of the run's epoch from where it stands; before those over features, how many are computed."""
    config, position = run.config, run.position
    if is_head_epoch(config.training, position.epoch):
        yield from _head_lessons(run)
        return
    order = epoch_order(run.cases.train.labels, config.training.weighted_sampler, config.system.seed, position.epoch)
    yield from training_batches(
        run.cases.train,
        order,
        config.data.batch_size,
        config.augmentation,
        (config.system.seed, position.epoch),
        config.data.num_workers,
        first_batch=position.batch,
        image_size=image_size_in(config, position.epoch),
        mine=_part(run),
    )


def _part(run: Run) -> Callable[[int], slice]:
    """Return which images of a batch this process needs: its own, or all where they are mixed with one another."""
    return slice if run.config.training.mixup_alpha > 0 else run.world.shard


def _featured(run: Run) -> int:
    """Return how many training images have their features kept: all, as far as memory allows."""
    limit = min(_FEATURES_LIMIT_BYTES, run.memory.features_bytes) if run.memory else _FEATURES_LIMIT_BYTES
    side = max(1, run.config.data.image_size // 32) ** 2
    channels = run.learner.model.head.in_features
    return min(len(run.cases.train), max(64, limit // (2 * channels * side)))


def _head_lessons(run: Run) -> Iterator[FeatureBatch | int]:
    config, images = run.config, run.cases.train
    order = epoch_order(images.labels, False, config.system.seed, _HEAD_ORDER)
    chosen = images.subset(np.sort(order[: _featured(run)]))
    features: list[Tensor] = []
    run.learner.model.backbone.eval()
    own = chosen.subset(np.arange(len(chosen))[run.world.shard(len(chosen))])
    for batch in evaluation_batches(own, config.data.batch_size, config.data.num_workers):
        features.append(backbone_features(run, batch.images))
        yield sum(map(len, features)) * run.world.size
    if not features:  # fewer images than processes
        side = config.data.image_size
        features.append(backbone_features(run, torch.empty((0, side, side, 3), dtype=torch.uint8)))
    kept = run.world.all_gather_tensor(torch.cat(features), len(chosen))
    labels = torch.from_numpy(chosen.labels)
    size = config.data.batch_size
    per_pass = count_batches(len(chosen), size)
    for number in range(run.position.batch, HEAD_PASSES * per_pass):
        turn, place = divmod(number, per_pass)
        order = epoch_order(chosen.labels, config.training.weighted_sampler, config.system.seed, _HEAD_ORDER + 1 + turn)
        whole = order[place * size : (place + 1) * size]
        picked = torch.from_numpy(whole[_part(run)(len(whole))])
        yield FeatureBatch(kept[picked], labels[picked], len(whole))


@torch.no_grad()
def backbone_features(run: Run, images: Tensor) -> Tensor:
    """Return the last feature map (N, C, h, w) of uint8 images (N, S, S, 3), in the run's training dtype."""
    inputs = normalize(images.to(run.runtime.device), run.built.mean, run.built.std)
    with run.runtime.autocast():
        features: Tensor = run.learner.model.backbone(inputs)
    return features.to(run.runtime.training_dtype)


def freeze_batch_norm(run: Run) -> None:
    """Keep the running statistics of batch norms that should not follow the images.

    Those of frozen layers would drift under weights that can't follow.
    """
    if uses_frozen_batch_norm(run.config, run.pretrained_weights):
        keep_batch_norm_frozen(run.learner.model)
    for module in run.learner.model.modules():
        if isinstance(module, nn.BatchNorm2d) and not _learns(module):
            module.eval()


def keep_batch_norm_frozen(model: nn.Module) -> None:
    """Have every batch norm compute with its running statistics, and leave them as they are."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def uses_frozen_batch_norm(config: Config, pretrained: bool) -> bool:
    """Return whether batch norms keep the statistics they were pretrained with, where there are such.

    With fine_tune those of small images would not be those of full ones (Touvron et al. call it the train-test
    discrepancy); those of a few images are little but noise (Wu & He, Group Normalization, ECCV 2018).
    """
    wish = config.training.batch_norm
    few = config.data.batch_size < _ENOUGH_FOR_STATISTICS
    return pretrained and (wish == "pretrained" or (wish == "auto" and (config.training.recipe == "fine_tune" or few)))


def _learns(module: nn.BatchNorm2d) -> bool:
    return module.weight is None or module.weight.requires_grad


def freeze(run: Run) -> None:
    """Let the layers learn that the recipe and the unfreezing phases allow in this epoch."""
    phases = run.config.training.unfreezing
    limits = [0, phases.phase1, phases.phase1 + phases.phase2, phases.phase1 + phases.phase2 + phases.phase3]
    reached = sum(run.position.epoch > limit for limit in limits)  # 1: added parts only ... 4: everything
    if is_head_epoch(run.config.training, run.position.epoch):
        reached = 1
    model = run.built.model
    model.requires_grad_(reached > 3)
    for group in unfreezing_order(model)[:reached]:
        for parameter in group:
            parameter.requires_grad_(True)
