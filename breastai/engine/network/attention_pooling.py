"""Attention over the images of a breast, an exam or a patient: a small network on features, fitted in seconds.

Gated-attention multiple-instance learning (Ilse, Tomczak and Welling, ICML 2018), with a linear classifier.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from breastai.clinical.intervals import number_clusters
from breastai.clinical.unit_pooling import first_of_each, labels_of_units

HIDDEN = 64
_EPOCHS = 200
_PATIENCE = 30
_UNITS_PER_STEP = 64
_LEARNING_RATE = 1e-3
_WEIGHT_DECAY = 1e-2
_DROPOUT = 0.25
_FEWEST_EPOCHS = 20  # where no part can say when to stop
_ONE_IN = 5  # units say when to stop


class AttentionPooling(nn.Module):
    """From features (N, D) to what pooling needs of each image, (N, 1 + C): how much it is heeded, and its logits.

    A unit's logits are the mean of its images', weighted by the softmax of the first column over the unit.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.content = nn.Linear(width, HIDDEN)
        self.gate = nn.Linear(width, HIDDEN)
        self.heed = nn.Linear(HIDDEN, 1)
        self.classifier = nn.Linear(width, classes)

    def forward(self, features: Tensor) -> Tensor:
        rows = (features - self.mean) / self.scale
        gated = self.content(rows).tanh() * self.gate(rows).sigmoid()
        return torch.cat([self.heed(gated), self.classifier(rows)], dim=1)  # (N, D) -> (N, 1 + C)

    @torch.inference_mode()
    def evidence(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the same as arrays, (N, D) to (N, 1 + C)."""
        found: npt.NDArray[np.float32] = self(torch.from_numpy(np.ascontiguousarray(features))).numpy()
        return found


@dataclass(frozen=True, eq=False)
class _Units:
    """K units: `features` (N, D) of their images, those of a unit side by side; `sizes` (K,), `labels` (K,)."""

    features: Tensor
    sizes: Tensor
    labels: Tensor

    def subset(self, chosen: Tensor) -> "_Units":
        starts = self.sizes.cumsum(0) - self.sizes
        images = torch.cat([torch.arange(int(starts[unit]), int(starts[unit] + self.sizes[unit])) for unit in chosen])
        return _Units(self.features[images], self.sizes[chosen], self.labels[chosen])


def fit_attention(
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.integer],
    units: Sequence[str],
    head: nn.Linear,
    target: int,
    together: Sequence[str] | None = None,
    seed: int = 0,
) -> AttentionPooling:
    """Return attention fitted on the `features` (N, D) of training images, `labels` (N,), of `units` (N,); classes weigh alike.

    It begins as the mean of what `head`, the images' own classifier, says. `together` (N,): what stays whole, such as
    patients, where a fifth of the units says after which epoch to stop; then all are learnt from for so many.
    """
    numbers = number_clusters(units)
    unit_labels = labels_of_units(np.asarray(labels, dtype=np.int64), numbers, head.out_features, target)[0]
    order = np.argsort(numbers, kind="stable")
    whole = _Units(
        torch.from_numpy(np.ascontiguousarray(features[order])),
        torch.from_numpy(np.bincount(numbers)),
        torch.from_numpy(unit_labels),
    )
    groups = (numbers if together is None else number_clusters(together))[first_of_each(numbers)]
    held = torch.from_numpy(_held_out(unit_labels, groups))
    classes = set(unit_labels.tolist())
    epochs = _FEWEST_EPOCHS
    if set(unit_labels[held.numpy()].tolist()) == set(unit_labels[~held.numpy()].tolist()) == classes:
        losses = _learn(
            _begin(whole, head, seed),
            whole.subset(torch.where(~held)[0]),
            seed,
            _EPOCHS,
            whole.subset(torch.where(held)[0]),
        )
        epochs = int(np.argmin(losses))
    attention = _begin(whole, head, seed)
    _learn(attention, whole, seed, epochs)
    return attention.eval()


def _begin(units: _Units, head: nn.Linear, seed: int) -> AttentionPooling:
    """Return attention that heeds all images alike and says of each what `head` does."""
    attention = AttentionPooling(head.in_features, head.out_features)
    generator = torch.Generator().manual_seed(seed)
    deviation, mean = torch.std_mean(units.features, 0, correction=0)
    with torch.no_grad():
        attention.mean.copy_(mean)
        attention.scale.copy_(deviation.clamp_min(1e-6 + float(deviation.mean()) * 1e-3))
        weights = head.weight.detach().cpu()
        attention.classifier.weight.copy_(weights * attention.scale)
        attention.classifier.bias.copy_(head.bias.detach().cpu() + weights @ attention.mean)
        for layer in (attention.content, attention.gate):
            bound = layer.in_features**-0.5
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.zero_()
        attention.heed.weight.zero_()
        attention.heed.bias.zero_()
    return attention


def _learn(
    attention: AttentionPooling, units: _Units, seed: int, epochs: int, judging: _Units | None = None
) -> list[float]:
    """Learn for some epochs; return the loss on `judging` before the first and after each, until it has long not fallen."""
    weights = len(units.labels) / torch.bincount(units.labels, minlength=attention.classifier.out_features).clamp_min(1)
    weights = (weights / weights.mean()).float()
    optimizer = torch.optim.AdamW(attention.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(seed)
    losses = [] if judging is None else [_loss(attention, judging, weights)]
    for _ in range(epochs):
        attention.train()
        for chosen in torch.split(torch.randperm(len(units.labels), generator=generator), _UNITS_PER_STEP):
            optimizer.zero_grad()
            part = units.subset(chosen)
            dropped = replace(part, features=_drop(part.features, attention, generator))
            loss = F.cross_entropy(_logits(attention, dropped), part.labels, weights)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if judging is not None:
            losses.append(_loss(attention, judging, weights))
            if len(losses) - 1 - int(np.argmin(losses)) >= _PATIENCE:
                break
    return losses


def _drop(features: Tensor, attention: AttentionPooling, generator: torch.Generator) -> Tensor:
    """Return features some of which are their mean over all images: dropout, of numbers that need not lie around 0."""
    kept = torch.rand(features.shape, generator=generator) >= _DROPOUT
    return torch.where(kept, features, attention.mean)


@torch.no_grad()
def _loss(attention: AttentionPooling, units: _Units, weights: Tensor) -> float:
    attention.eval()
    return float(F.cross_entropy(_logits(attention, units), units.labels, weights))


def _logits(attention: AttentionPooling, units: _Units) -> Tensor:
    """Return the logits of units, (K, C)."""
    said = attention(units.features)
    return pooled_logits(said, torch.repeat_interleave(torch.arange(len(units.sizes)), units.sizes), len(units.sizes))


def pooled_logits(said: Tensor, units: Tensor, count: int) -> Tensor:
    """Return the logits (K, C) of `count` units from what attention says of images, (N, 1 + C), and `units` (N,)."""
    top = torch.full((count,), -torch.inf).scatter_reduce(0, units, said[:, 0].detach(), "amax")
    heeded = (said[:, 0] - top[units]).exp()
    shares = heeded / torch.zeros(count).index_add(0, units, heeded)[units]
    return torch.zeros(count, said.shape[1] - 1).index_add(0, units, said[:, 1:] * shares[:, None])


def _held_out(labels: npt.NDArray[np.int64], groups: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which units (K,) say when to stop: a fifth, whole groups, dealt class by class."""
    ranked = list(dict.fromkeys(groups[np.argsort(labels, kind="stable")].tolist()))
    judging = ranked[_ONE_IN - 1 :: _ONE_IN]
    held: npt.NDArray[np.bool_] = np.isin(groups, judging)
    return held
