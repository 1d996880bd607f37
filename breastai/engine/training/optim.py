"""Optimiser, learning rate and loss, as the configuration describes them."""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from breastai.domain.config import TrainingSettings
from breastai.engine.network.models import Classifier, unfreezing_order
from breastai.engine.network.process_group import SINGLE_PROCESS, ProcessGroup

_ONE_CYCLE_RISE = 0.3  # share of one_cycle in which the rate rises
_ONE_CYCLE_START = 1 / 25  # first rate of one_cycle, as a share of the highest
_LOWEST = 0.01  # share of the highest rate that the cosines end at
# With fine_tune: added parts, last third of the backbone, middle third, first third.
_LAYER_RATES = (1.0, 0.7, 0.4, 0.2)
_FUSED = ("cpu", "cuda")  # devices for which PyTorch has optimisers of one pass


def make_optimizer(
    model: nn.Module, settings: TrainingSettings, layer_rates: Mapping[int, float] | None = None
) -> Optimizer:
    """Return the optimiser; biases and norms, being vectors, are not decayed.

    `layer_rates`: the share of the learning rate for a parameter, by its id; 1 where it has none.
    """
    rates = layer_rates or {}
    sorted_out: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        sorted_out.setdefault((rates.get(id(parameter), 1.0), decay), []).append(parameter)
    groups = [
        {"params": parameters, "weight_decay": decay, "layer_rate": rate}
        for (rate, decay), parameters in sorted_out.items()
    ]
    # One pass over a parameter and its averages, where PyTorch's usual way takes eight: a quarter of the time.
    fused = all(parameter.device.type in _FUSED for parameter in model.parameters()) or None
    match settings.optimizer:
        case "adamw":
            return AdamW(groups, lr=settings.learning_rate, fused=fused)
        case "adam":
            return Adam(groups, lr=settings.learning_rate, fused=fused)
        case "sgd":
            momentum = settings.momentum
            return SGD(groups, lr=settings.learning_rate, momentum=momentum, nesterov=momentum > 0, fused=fused)


def align_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every gradient the memory layout of its parameter: fused optimisers pair the two as they lie in memory.

    Autograd lays them out so by itself; what comes from elsewhere, another process say, may lie otherwise.
    """
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is None or gradient.stride() == parameter.stride():
            continue
        if _true_strides(gradient) != _true_strides(parameter):
            parameter.grad = torch.empty_like(parameter, requires_grad=False).copy_(gradient)


def _true_strides(tensor: Tensor) -> list[int]:
    """Return the strides without those of dimensions of size 1, which say nothing."""
    return [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1]


def layer_rates(model: Classifier, training: TrainingSettings) -> dict[int, float]:
    """Return the share of the learning rate that each parameter, by id, learns with."""
    if training.recipe != "fine_tune":
        return {}
    groups = unfreezing_order(model)
    rates = {id(parameter): _LAYER_RATES[3] for parameter in model.parameters()}
    for group, rate in zip(groups, _LAYER_RATES, strict=False):
        rates |= {id(parameter): rate for parameter in group}
    return rates


def learning_rate(settings: TrainingSettings, epoch: float, plateau_cuts: int = 0) -> float:
    """Return the learning rate at `epoch`, a fraction such as 2.5 in the middle of the third.

    A function of time alone, so that a resumed run needs no scheduler's state; plateau counts its cuts.
    cosine: Loshchilov & Hutter, SGDR, 2017, with restarts. one_cycle: Smith & Topin, 2018.
    """
    highest = settings.learning_rate
    match settings.scheduler:
        case "none":
            return highest
        case "plateau":
            return float(highest * settings.plateau_factor**plateau_cuts)
        case "cosine":
            length, start = settings.cosine_t0, 0.0
            while epoch >= start + length:
                start, length = start + length, length * settings.cosine_t_mult
            return _cosine(highest, highest * _LOWEST, (epoch - start) / length)
        case "cosine_warmup":
            warmup = min(settings.warmup_epochs, settings.epochs / 2)
            if epoch < warmup:
                return highest * (_LOWEST + (1 - _LOWEST) * epoch / warmup)
            return _cosine(highest, highest * _LOWEST, min(1.0, (epoch - warmup) / (settings.epochs - warmup)))
        case "one_cycle":
            rise = settings.epochs * _ONE_CYCLE_RISE
            if epoch < rise:
                return _cosine(highest * _ONE_CYCLE_START, highest, epoch / rise)
            return _cosine(
                highest, highest * _ONE_CYCLE_START * 1e-4, min(1.0, (epoch - rise) / (settings.epochs - rise))
            )


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def class_weights(counts: Sequence[int]) -> Tensor:
    """Return one weight for each class, inverse to its count, 1 on average over the images."""
    values = torch.tensor(counts, dtype=torch.float32)
    return values.sum() / (len(counts) * values)


class Loss(nn.Module):
    """Cross-entropy or focal loss (Lin et al., ICCV 2017) with label smoothing, class weights and soft targets.

    Of ordered classes, with `loss` "ordinal", the squared earth mover's distance is added (Hou, Yu and Samaras,
    arXiv:1611.05916): a far class costs more than a near one. The head and the probabilities stay what they are.
    """

    weights: Tensor

    def __init__(self, settings: TrainingSettings, counts: Sequence[int]) -> None:
        super().__init__()
        self.ordinal = settings.loss == "ordinal"
        self.smoothing = settings.label_smoothing
        self.gamma = settings.focal_loss_gamma if settings.use_focal_loss else 0.0
        weights = class_weights(counts) if settings.use_class_weights else torch.ones(len(counts))
        if settings.use_focal_loss and settings.focal_loss_alpha is not None:
            weights = weights * torch.tensor(settings.focal_loss_alpha)
        self.register_buffer("weights", weights)

    def forward(self, logits: Tensor, targets: Tensor, world: ProcessGroup = SINGLE_PROCESS) -> Tensor:
        """Return the mean loss. `logits` (N, C), float32; `targets` (N,) class numbers or (N, C) shares.

        Of a batch in several parts it is this part's share: the shares of all processes sum up to the mean.
        """
        classes = logits.shape[1]
        shares = F.one_hot(targets, classes).float() if targets.ndim == 1 else targets  # -> (N, C)
        shares = shares * (1 - self.smoothing) + self.smoothing / classes
        log_probabilities = logits.log_softmax(1)
        terms = shares * log_probabilities * self.weights
        if self.gamma:
            terms = terms * (1 - log_probabilities.exp()) ** self.gamma
        case_weights = (shares * self.weights).sum(1)
        if self.ordinal:
            gaps = log_probabilities.exp().cumsum(1) - shares.cumsum(1)  # (N, C)
            terms = terms - gaps.square() * case_weights[:, None]
        return -terms.sum() / world.all_reduce(case_weights.sum())
