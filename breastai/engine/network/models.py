"""Networks: a timm backbone, CBAM, pooling and a classifier; images (N, 3, H, W) in, logits (N, classes) out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from breastai.domain.catalog import architecture_of
from breastai.domain.config import ModelSettings, PreprocessingSettings
from breastai.engine.network import tiny_cnn as _registered  # noqa: F401 -- timm knows it once it is imported
from breastai.engine.network.attention import CBAM, AttentionPool, MeanPool
from breastai.engine.network.feature_map import as_feature_map, create_backbone
from breastai.engine.network.weights import Pretrained, load_pretrained
from breastai.engine.stages import Attended, no_stages, stages

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class Classifier(nn.Module):
    """A backbone's last feature map, attended, pooled and classified."""

    def __init__(self, backbone: nn.Module, channels: int, num_classes: int, settings: ModelSettings) -> None:
        super().__init__()
        self.backbone = backbone
        self.attention = _cbam(channels, settings) if settings.use_cbam else nn.Identity()
        self.pool = AttentionPool(channels) if settings.attention_pooling else MeanPool()
        self.dropout = nn.Dropout(settings.dropout_rate)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head_logits(self.features(images))  # (N, 3, H, W) -> (N, channels) -> (N, num_classes)

    def classify(self, features: Tensor) -> Tensor:
        """Return the logits for a backbone's feature maps (N, channels, h, w)."""
        return self.head_logits(self.pool(self.attention(features)))  # -> (N, channels) -> (N, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Return what the classifier sees of each image, (N, channels)."""
        pooled: Tensor = self.pool(self.attention(self.backbone(images)))
        return pooled

    def head_logits(self, pooled: Tensor) -> Tensor:
        """Return the logits for pooled features (N, channels)."""
        logits: Tensor = self.head(self.dropout(pooled))  # -> (N, num_classes)
        return logits

    def added_modules(self) -> list[nn.Module]:
        """Return what was put on the backbone: the parts that no pretraining has seen."""
        inserted = [module for module in self.backbone.modules() if isinstance(module, CBAM)]
        return [*inserted, self.attention, self.pool, self.head]


@dataclass(frozen=True)
class Built:
    """A network, the weights it starts from, and the normalisation (mean and std in 0..1, per channel) it expects."""

    model: Classifier
    pretrained: Pretrained
    mean: tuple[float, ...]
    std: tuple[float, ...]


def build_model(
    settings: ModelSettings,
    num_classes: int,
    preprocessing: PreprocessingSettings | None = None,
    weights_file: Path | None = None,
    download: bool = True,
    image_size: int | None = None,
) -> Built:
    """Return the network `settings` describe, for images of a size.

    Raises WeightsUnavailable, WeightsMismatch, ConfigInvalid, or of a network of one's own ArchitectureUnknown and
    ImageSizeUnfit.
    """
    architecture = architecture_of(settings.architecture)
    body = create_backbone(architecture)
    pretrained = load_pretrained(body, architecture, settings, weights_file, download)
    expected: dict[str, Any] = body.pretrained_cfg
    backbone, channels = as_feature_map(body, architecture, image_size)
    if settings.use_cbam and settings.cbam_position == "each_stage":
        _insert_after_stages(backbone, settings)
    model = Classifier(backbone, channels, num_classes, settings)
    if preprocessing is not None and preprocessing.normalization == "imagenet":
        return Built(model, pretrained, _IMAGENET_MEAN, _IMAGENET_STD)
    return Built(model, pretrained, tuple(expected["mean"]), tuple(expected["std"]))


def unfreezing_order(model: Classifier) -> list[list[nn.Parameter]]:
    """Return the parameters in three groups: added parts, last third of the backbone's, last two thirds' rest.

    What is in none of them, the backbone's first third, is unfrozen last of all.
    """
    added = [parameter for module in model.added_modules() for parameter in module.parameters()]
    known = {id(parameter) for parameter in added}
    backbone = [parameter for parameter in model.backbone.parameters() if id(parameter) not in known]
    third = len(backbone) // 3
    return [added, backbone[-third:], backbone[-2 * third : -third]]


def normalize(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Return uint8 images (N, H, W, 3) as normalised float32 (N, 3, H, W), channels last in memory."""
    channels = images.permute(0, 3, 1, 2).float()
    shape = (1, -1, 1, 1)
    scale = torch.tensor([1 / (255 * value) for value in std], device=images.device).view(shape)
    offset = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=images.device).view(shape)
    return torch.addcmul(offset, channels, scale)


def _cbam(channels: int, settings: ModelSettings) -> CBAM:
    return CBAM(
        channels, settings.cbam_reduction, settings.cbam_kernel_size, settings.cbam_channel, settings.cbam_spatial
    )


def _insert_after_stages(backbone: Any, settings: ModelSettings) -> None:
    """Put a CBAM after each stage but the last, whose map the classifier's own CBAM sees; raise ConfigInvalid."""
    found = list(stages(backbone))
    if not found:
        raise no_stages(settings.architecture)
    for name, channels in found:
        parent, _, leaf = name.rpartition(".")
        setattr(backbone.get_submodule(parent), leaf, Attended(backbone.get_submodule(name), _cbam(channels, settings)))


def finer_stage(backbone: Any) -> str | None:
    """Return the name of the last stage before the resolution halves for the last time; None where no map can use it.

    That is where timm tells of none, and before a layer norm: it heeds no vector's length, so that over the channels of a
    place gradient times activation sums up to nothing.
    """
    if any(isinstance(module, nn.LayerNorm) for module in backbone.modules()):
        return None
    return next(reversed([name for name, _ in stages(backbone)]), None)
