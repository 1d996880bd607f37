"""Statistics of batch normalisation moved towards those of other images, without a label."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

# What a network was trained on counts as so many images (Schneider et al., NeurIPS 2020, eq. 3, with N = 16).
PRIOR_IMAGES = 16


def norm_layers(model: nn.Module) -> list[_BatchNorm]:
    """Return the layers of a network that normalise by running statistics."""
    found = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    return [layer for layer in found if layer.track_running_stats]


@torch.no_grad()
def move_norms(model: nn.Module, batches: Iterable[Tensor], images: int) -> int:
    """Move the running means and variances of a network towards those of `images` images; return how many layers did.

    `batches`: normalised inputs (N, 3, S, S), N > 1. A statistic becomes the mean of the old one, weighted with
    PRIOR_IMAGES, and of that over the batches, weighted with the number of images.
    """
    layers = norm_layers(model)
    if not layers:
        return 0
    before = [(_copied(layer.running_mean), _copied(layer.running_var), layer.momentum) for layer in layers]
    was_training = model.training
    model.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
        layer.train()
    try:
        for inputs in batches:
            model(inputs)
    finally:
        share = images / (images + PRIOR_IMAGES)
        for layer, (mean, variance, momentum) in zip(layers, before, strict=True):
            _mix(layer.running_mean, mean, share)
            _mix(layer.running_var, variance, share)
            layer.momentum = momentum
        model.train(was_training)
    return len(layers)


def _copied(values: Tensor | None) -> Tensor:
    assert values is not None  # the layer tracks them
    return values.clone()


def _mix(values: Tensor | None, before: Tensor, share: float) -> None:
    assert values is not None
    values.mul_(share).add_(before, alpha=1 - share)
