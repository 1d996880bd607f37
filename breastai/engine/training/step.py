"""One step of learning: a batch forward, backward, and, when enough batches are summed up, the optimiser."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from breastai.domain.config import TrainingSettings
from breastai.engine.network.loader import Batch, FeatureBatch
from breastai.engine.network.models import Classifier, normalize
from breastai.engine.network.process_group import SINGLE_PROCESS, ProcessGroup
from breastai.engine.network.runtime import Runtime
from breastai.engine.training.optim import Loss, align_gradients


@dataclass
class Learner:
    """What a step needs and changes. `average`: the moving average of the weights (EMA), if any."""

    model: Classifier
    optimizer: Optimizer
    loss: Loss
    settings: TrainingSettings
    runtime: Runtime
    mean: tuple[float, ...]
    std: tuple[float, ...]
    average: Classifier | None = None
    world: ProcessGroup = SINGLE_PROCESS

    def __post_init__(self) -> None:
        half = self.runtime.training_dtype == torch.float16
        self.scaler = torch.amp.GradScaler(self.runtime.device.type, enabled=half)
        # Listed once: finding them again in a thousand modules takes longer than a step of the head alone.
        self.parameters = list(self.model.parameters())
        self.followed = ema_pairs(self.average, self.model) if self.average is not None else []

    def learn(
        self, batch: Batch | FeatureBatch, rate: float, update: bool, summed: int, mixup: np.random.Generator
    ) -> tuple[float, int]:
        """Learn from one batch; return its mean loss and how many of its images were decided rightly, all parts together.

        `update`: take the optimiser's step now; `summed`: how many batches that step sums up. A loss or a gradient that
        is not finite is not learnt from: the loss returned is then nan.
        """
        labels = batch.labels.to(self.runtime.device, non_blocking=True)
        targets = labels
        features = isinstance(batch, FeatureBatch)
        if isinstance(batch, FeatureBatch):
            inputs = batch.features.to(self.runtime.device)
        else:
            inputs = normalize(batch.images.to(self.runtime.device, non_blocking=True), self.mean, self.std)
        if self.settings.mixup_alpha > 0:
            inputs, targets = mix_up(inputs, labels, len(self.loss.weights), self.settings.mixup_alpha, mixup)
            part = self.world.shard(batch.of)  # only now: an image may be mixed with one of another part
            inputs, targets, labels = inputs[part], targets[part], labels[part]
        with self.runtime.autocast():
            logits = self.world.logits(self.model, inputs, features)
        part_loss: Tensor = self.loss(logits.float(), targets, self.world)
        right = int((logits.detach().argmax(1) == labels).sum())
        loss, correct = self.world.all_reduce_metrics(float(part_loss.detach()), right)
        if not math.isfinite(loss):
            if update:  # what was summed up goes with it
                self.optimizer.zero_grad(set_to_none=True)
            return math.nan, 0
        self.scaler.scale(self.world.scale_loss(part_loss) / summed).backward()  # type: ignore[no-untyped-call]
        if update and not self._update(rate):
            return math.nan, 0
        return loss, correct

    def _update(self, rate: float) -> bool:
        """Take a step; return False, and take none, when the gradient is not finite."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("layer_rate", 1.0)
        align_gradients(self.parameters)
        if self.settings.gradient_clip > 0:
            self.scaler.unscale_(self.optimizer)
        clip = self.settings.gradient_clip or math.inf
        norm = nn.utils.clip_grad_norm_(self.parameters, clip)
        # With half precision the scaler leaves such steps out by itself, and expects to.
        if not self.scaler.is_enabled() and not math.isfinite(float(norm)):
            self.optimizer.zero_grad(set_to_none=True)
            return False
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        update_ema(self.followed, self.settings.ema_decay)
        return True


def mix_up(
    inputs: Tensor, labels: Tensor, classes: int, alpha: float, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return images and targets blended with a shuffled copy of the batch (Zhang et al., mixup, ICLR 2018)."""
    share = float(generator.beta(alpha, alpha))
    other = torch.from_numpy(generator.permutation(len(inputs))).to(inputs.device)
    targets = nn.functional.one_hot(labels, classes).float()
    return share * inputs + (1 - share) * inputs[other], share * targets + (1 - share) * targets[other]


def ema_pairs(average: nn.Module, model: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Return each tensor of the averaged network with the one it follows."""
    targets, sources = ([*module.parameters(), *module.buffers()] for module in (average, model))
    return list(zip(targets, sources, strict=True))


@torch.no_grad()
def update_ema(followed: Sequence[tuple[Tensor, Tensor]], decay: float) -> None:
    """Move averaged tensors a little towards those they follow; counters and other whole numbers are copied.

    Weights that do not learn yet are left alone: their average is what they are.
    """
    moving = [pair for pair in followed if pair[1].requires_grad or not isinstance(pair[1], nn.Parameter)]
    weights = [pair for pair in moving if pair[0].is_floating_point()]
    if weights:
        torch._foreach_lerp_([target for target, _ in weights], [source for _, source in weights], 1 - decay)
    for target, source in moving:
        if not target.is_floating_point():
            target.copy_(source)
