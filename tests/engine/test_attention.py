"""CBAM and attention pooling."""

import timm.layers
import torch

from breastai.engine.network.attention import CBAM, AttentionPool, ChannelAttention, MeanPool, SpatialAttention


def features() -> torch.Tensor:
    return torch.randn(2, 32, 5, 7, generator=torch.Generator().manual_seed(0))


def test_cbam_starts_as_the_identity() -> None:
    assert torch.equal(CBAM(32)(features()), features())


def test_attention_pooling_starts_as_the_mean() -> None:
    torch.testing.assert_close(AttentionPool(32)(features()), MeanPool()(features()))


def test_channel_attention_is_twice_timms_with_the_same_weights() -> None:
    ours, theirs = ChannelAttention(32, 4), timm.layers.cbam.ChannelAttn(32, rd_ratio=1 / 4, rd_divisor=1)
    torch.nn.init.normal_(ours.expand.weight, generator=torch.Generator().manual_seed(1))
    theirs.fc1.weight.data, theirs.fc2.weight.data = ours.reduce.weight.data, ours.expand.weight.data
    torch.testing.assert_close(ours(features()), 2 * theirs(features()))


def test_spatial_attention_is_twice_timms_with_the_same_weights() -> None:
    ours, theirs = SpatialAttention(7), timm.layers.cbam.SpatialAttn(7).eval()
    torch.nn.init.normal_(ours.conv.weight, generator=torch.Generator().manual_seed(1))
    theirs.conv.conv.weight.data = ours.conv.weight.data
    theirs.conv.bn = torch.nn.Identity()
    torch.testing.assert_close(ours(features()), 2 * theirs(features()))


def test_every_part_of_cbam_learns() -> None:
    module, pool = CBAM(32, reduction=4), AttentionPool(32)
    optimizer = torch.optim.SGD([*module.parameters(), *pool.parameters()], lr=0.1)
    before = [parameter.clone() for parameter in [*module.parameters(), *pool.parameters()]]
    for _ in range(2):  # the reducing layer waits one step behind the zero of the expanding one
        optimizer.zero_grad()
        (pool(module(features())) ** 2).sum().backward()
        optimizer.step()
    after = [*module.parameters(), *pool.parameters()]
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_either_attention_can_be_left_out() -> None:
    assert not list(CBAM(8, channel=False, spatial=False).parameters())
    assert not isinstance(CBAM(8, spatial=False).channel, torch.nn.Identity)
