"""Attention on feature maps: CBAM and attention pooling. Both begin as if they were not there."""

import torch
import torch.nn.functional as F
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
        mean = places(features).mean(1)[:, :, None, None]  # (N, C, H, W) -> (N, C, 1, 1)
        # The same maximum; of its gradient a pool gives equal pixels none but one. Older exporters know amax alone.
        exported = torch.compiler.is_exporting()
        highest = features.amax((2, 3), keepdim=True) if exported else F.adaptive_max_pool2d(features, 1)
        logits = self.expand(torch.relu(self.reduce(mean))) + self.expand(torch.relu(self.reduce(highest)))
        gate = 2 * torch.sigmoid(logits).flatten(1)  # -> (N, C)
        return as_map(places(features) * gate.unsqueeze(1), features)


class SpatialAttention(nn.Module):
    """Scales each place by what the mean and maximum over channels around it say (same source, section 3.2)."""

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        nn.init.zeros_(self.conv.weight)

    def forward(self, features: Tensor) -> Tensor:
        rows = places(features)
        # (N, H*W, C) -> (N, 2, H*W) -> (N, 2, H, W) -> (N, 1, H, W)
        summary = torch.stack([rows.mean(2), rows.max(2).values], dim=1).view(-1, 2, *features.shape[2:])
        gate = 2 * torch.sigmoid(self.conv(summary)).flatten(1)  # -> (N, H*W)
        return as_map(rows * gate.unsqueeze(2), features)


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
        weights = self.score(features).flatten(2).softmax(-1)  # (N, C, H, W) -> (N, 1, H*W)
        return torch.bmm(weights.to(features.dtype), places(features)).squeeze(1)  # -> (N, C)


class MeanPool(nn.Module):
    """Plain mean over the map."""

    def forward(self, features: Tensor) -> Tensor:
        return places(features).mean(1)  # (N, C, H, W) -> (N, C)


def places(features: Tensor) -> Tensor:
    """Return (N, C, H, W) as (N, H*W, C), a view where the channels lie last in memory.

    Sums along either axis of it are three to nine times as fast as along those of the map.
    """
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def as_map(rows: Tensor, like: Tensor) -> Tensor:
    """Return (N, H*W, C) as the map (N, C, H, W) it came from, channels last in memory."""
    return rows.view(rows.shape[0], *like.shape[2:], rows.shape[2]).permute(0, 3, 1, 2)
