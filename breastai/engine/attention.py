"""Attention on feature maps: CBAM and attention pooling. Both begin as if they were not there."""

import torch
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Scales each channel by what its mean and maximum over the map say (Woo et al., CBAM, ECCV 2018, section 3.1).

    The gate is 2 * sigmoid with a zero last layer, hence 1 at the start: pretrained features pass unharmed.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.reduce = nn.Conv2d(channels, hidden, 1, bias=False)
        self.expand = nn.Conv2d(hidden, channels, 1, bias=False)
        nn.init.zeros_(self.expand.weight)

    def forward(self, features: Tensor) -> Tensor:
        mean = features.mean((2, 3), keepdim=True)  # (N, C, H, W) -> (N, C, 1, 1)
        highest = features.amax((2, 3), keepdim=True)
        logits = self.expand(torch.relu(self.reduce(mean))) + self.expand(torch.relu(self.reduce(highest)))
        return features * (2 * torch.sigmoid(logits))


class SpatialAttention(nn.Module):
    """Scales each place by what the mean and maximum over channels around it say (same source, section 3.2)."""

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        nn.init.zeros_(self.conv.weight)

    def forward(self, features: Tensor) -> Tensor:
        # (N, C, H, W) -> (N, 2, H, W) -> (N, 1, H, W)
        summary = torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], dim=1)
        return features * (2 * torch.sigmoid(self.conv(summary)))


class CBAM(nn.Module):
    """Convolutional Block Attention Module: channel, then spatial attention; either can be left out."""

    def __init__(
        self, channels: int, reduction: int = 16, kernel_size: int = 7, channel: bool = True, spatial: bool = True
    ) -> None:
        super().__init__()
        self.channel = ChannelAttention(channels, reduction) if channel else nn.Identity()
        self.spatial = SpatialAttention(kernel_size) if spatial else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        attended: Tensor = self.spatial(self.channel(features))
        return attended


class AttentionPool(nn.Module):
    """Mean over the map with learned weights that sum to 1 (Ilse et al., ICML 2018, without the gate).

    The score's weights are zero at the start, so that it begins as the plain mean.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # No bias: the same number added to every place would leave the softmax as it is.
        self.score = nn.Conv2d(channels, 1, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, features: Tensor) -> Tensor:
        weights: Tensor = self.score(features).flatten(2).softmax(-1)  # (N, C, H, W) -> (N, 1, H*W)
        return (features.flatten(2) * weights).sum(-1)  # -> (N, C)


class MeanPool(nn.Module):
    """Plain mean over the map."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean((2, 3))  # (N, C, H, W) -> (N, C)
