"""A network of two stages for tests and trials of an installation: what every architecture has, in milliseconds.

No user is offered it: two convolutions learn nothing that a diagnosis could use.
"""

from typing import Any

import timm
from torch import Tensor, nn

_CHANNELS = (16, 32)
_STRIDES = (4, 2)


class _Stage(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, 2 * stride - 1, stride, stride - 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.act = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        activated: Tensor = self.act(
            self.norm(self.conv(images))
        )  # (N, C, H, W) -> (N, channels, H / stride, W / stride)
        return activated


class TinyCNN(nn.Module):
    """Images (N, 3, H, W) to a map (N, 32, H / 8, W / 8), described as timm describes its own backbones."""

    def __init__(self) -> None:
        super().__init__()
        first, second = _CHANNELS
        self.stages = nn.Sequential(_Stage(3, first, _STRIDES[0]), _Stage(first, second, _STRIDES[1]))
        self.num_features = second
        self.feature_info = [
            {"num_chs": first, "reduction": _STRIDES[0], "module": "stages.0"},
            {"num_chs": second, "reduction": _STRIDES[0] * _STRIDES[1], "module": "stages.1"},
        ]
        self.pretrained_cfg = {"input_size": (3, 32, 32), "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.stages(images)  # (N, 3, H, W) -> (N, 32, H / 8, W / 8)
        return features


def tiny_cnn(**_unused: Any) -> TinyCNN:
    """Return the network; whatever else `timm.create_model` passes to a maker of models changes nothing here."""
    return TinyCNN()


timm.models.register_model(tiny_cnn)
