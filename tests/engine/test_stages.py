"""Stages and blocks of every network in the catalog, and of families that are not: honoured, or an error before training."""

from types import MappingProxyType

import pytest
import torch
from torch import nn

from breastai.domain import catalog
from breastai.domain.catalog import ARCHITECTURES, OFFERED_ARCHITECTURES, Architecture
from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ConfigInvalid
from breastai.engine.acceleration.gradient_checkpointing import Recomputed, install
from breastai.engine.network.attention import CBAM
from breastai.engine.network.models import Classifier, build_model
from breastai.engine.stages import Attended, blocks_of, check_stages, stages

# The smallest of each family.
SMALL = {row.family: row.name for row in sorted(OFFERED_ARCHITECTURES.values(), key=lambda row: -row.parameters_m)}
# Families that are not in the catalog: how their stages lie, and what they can't do.
REGNET, MOBILENET, INCEPTION = "regnetx_002", "mobilenetv3_small_050", "inception_v3"
VISION_TRANSFORMER, SWIN, HRNET = "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "hrnet_w18_small"


def configured(architecture: str, each_stage: bool = True, again: bool = True) -> Config:
    position = "each_stage" if each_stage else "last"
    model = {"architecture": architecture, "pretrained": "none", "cbam_position": position}
    return parse_config({"model": model, "training": {"gradient_checkpointing": again}})


def built(config: Config) -> Classifier:
    """Return the network without values, which takes a fraction of the time."""
    with torch.device("meta"):
        return build_model(config.model, 3).model


@pytest.fixture
def more_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalog with rows of other families, as whoever adds one would have it."""
    names = (REGNET, MOBILENET, INCEPTION, VISION_TRANSFORMER, SWIN, HRNET)
    rows = MappingProxyType({**ARCHITECTURES, **{name: Architecture(name, name, name, 1.0) for name in names}})
    monkeypatch.setattr(catalog, "ARCHITECTURES", rows)


@pytest.mark.parametrize("name", OFFERED_ARCHITECTURES)
def test_every_network_of_the_catalog_has_attention_behind_each_stage_and_blocks_to_compute_again(name: str) -> None:
    model = built(configured(name))
    attended = [module for module in model.backbone.modules() if isinstance(module, Attended)]
    assert len(attended) >= 3
    assert all(isinstance(module.attention, CBAM) for module in attended)
    plain = [block for block in blocks_of(model.backbone) if not isinstance(block, CBAM)]
    assert len(plain) >= 4
    # Nearly all that a backbone learns lies in its blocks: none is left out.
    inside = sum(parameter.numel() for block in plain for parameter in block.parameters())
    assert inside > 0.8 * sum(parameter.numel() for parameter in model.backbone.parameters())


@pytest.mark.parametrize("name", [*SMALL.values(), REGNET, MOBILENET, INCEPTION])
def test_a_network_of_any_family_that_can_do_both_does(name: str, more_families: None) -> None:
    config = configured(name)
    model = built(config)
    modes = [module.training for module in model.modules()]
    check_stages(model, model.backbone, config)
    assert [module.training for module in model.modules()] == modes
    assert len([module for module in model.backbone.modules() if isinstance(module, CBAM)]) >= 3
    assert install(model.backbone) >= 4
    assert any(isinstance(module, Recomputed) for module in model.backbone.modules())


@pytest.mark.parametrize("name", [REGNET, MOBILENET])
def test_another_family_learns_the_same_when_it_computes_again(name: str, more_families: None) -> None:
    gradients = []
    for again in (False, True):
        torch.manual_seed(0)
        model = build_model(configured(name).model, 3).model.train()
        if again:
            install(model.backbone)
        torch.manual_seed(1)
        model(torch.rand(2, 3, 64, 64)).square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(one is other is None or torch.equal(one, other) for one, other in zip(*gradients, strict=True))


@pytest.mark.parametrize(
    ("name", "each_stage", "setting"),
    [
        (VISION_TRANSFORMER, True, "model.cbam_position"),
        (SWIN, True, "model.cbam_position"),
        (HRNET, True, "model.cbam_position"),
        (HRNET, False, "training.gradient_checkpointing"),
    ],
)
def test_what_a_family_can_not_honour_is_an_error_that_names_the_setting(
    name: str, each_stage: bool, setting: str, more_families: None
) -> None:
    config = configured(name, each_stage, not each_stage)
    with pytest.raises(ConfigInvalid, match=setting) as caught:
        model = built(config)
        check_stages(model, model.backbone, config)
    assert name in str(caught.value)


def test_a_block_that_is_given_more_than_a_map_is_not_computed_again_in_silence() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor, scale: float) -> torch.Tensor:
            y: torch.Tensor = self.convolution(x) * scale
            return y

    class Backbone(nn.Module):
        feature_info = ({"module": "stage", "num_chs": 3, "reduction": 1},)

        def __init__(self) -> None:
            super().__init__()
            self.stage = Block()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.stage(x, 2.0)
            return y

    backbone = Backbone()
    assert list(stages(backbone)) == []
    assert list(blocks_of(backbone)) == [backbone.stage]
    with pytest.raises(ConfigInvalid, match="gradient_checkpointing"):
        check_stages(backbone, backbone, configured("resnet50", each_stage=False))
