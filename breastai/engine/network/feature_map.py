"""A network of any family as one that gives a feature map (N, C, h, w), whatever it gives by itself."""

from typing import Any

import timm
import torch
from torch import Tensor, nn

from breastai.domain.catalog import Architecture
from breastai.domain.errors import ArchitectureUnknown, ImageSizeUnfit

_CLOSE = 5


class TokenMap(nn.Module):
    """Tokens (N, L, D) as a map: those of patches in their places, and beside each, where there is one, the class token.

    Averaged over the places this is the mean of patches and the class token, which DINOv2 classifies by (Oquab et al.,
    TMLR 2024).
    """

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = body
        self.before = int(getattr(body, "num_prefix_tokens", 0))
        self.pretrained_cfg = body.pretrained_cfg

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.body(images)  # (N, L, D)
        patches = tokens[:, self.before :].transpose(1, 2)  # (N, D, P)
        side = round(patches.shape[2] ** 0.5)
        if self.before:
            patches = torch.cat([patches, tokens[:, :1].transpose(1, 2).expand_as(patches)], dim=1)
        return patches.reshape(patches.shape[0], patches.shape[1], side, -1)


class ChannelsFirst(nn.Module):
    """A map (N, h, w, C) as (N, C, h, w), or features (N, C) as a map of one place."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = body
        self.pretrained_cfg = body.pretrained_cfg

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.body(images)
        return found[:, :, None, None] if found.ndim == 2 else found.permute(0, 3, 1, 2).contiguous()


def create_backbone(architecture: Architecture) -> Any:
    """Return timm's network without a classifier, with random weights; raise ArchitectureUnknown.

    Typed as Any: timm's networks carry their own description in attributes that nn.Module does not know.
    """
    check_name(architecture)
    plain: dict[str, Any] = {"pretrained": False, "num_classes": 0, "global_pool": ""}
    if architecture.is_own:
        try:  # a transformer that takes images of any size, as a convolutional network does
            return timm.create_model(architecture.timm_name, **plain, dynamic_img_size=True, dynamic_img_pad=True)
        except TypeError:
            pass
    return timm.create_model(architecture.timm_name, **plain)


def check_name(architecture: Architecture) -> None:
    """Raise ArchitectureUnknown unless timm has a network of this name."""
    name = architecture.timm_name.partition(".")[0]
    if architecture.is_own and not timm.is_model(name):
        close = timm.list_models(f"*{name.partition('_')[0]}*")[:_CLOSE]
        raise ArchitectureUnknown(name, close)


def as_feature_map(body: Any, architecture: Architecture, image_size: int | None) -> tuple[nn.Module, int]:
    """Return a network as one that gives a map, and the channels of it; raise ImageSizeUnfit.

    Networks of the catalogue give one as they are. Of any other one image is asked.
    """
    if not architecture.is_own:
        # Of the last map: some families widen it once more before they classify.
        return body, int(getattr(body, "head_hidden_size", body.num_features))
    native = int(body.pretrained_cfg["input_size"][-1])
    was_training = body.training
    body.eval()
    try:
        with torch.inference_mode():
            found = body(torch.zeros(1, 3, image_size or native, image_size or native))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise ImageSizeUnfit(architecture.name, image_size or native, native, str(error).splitlines()[0]) from None
    finally:
        body.train(was_training)
    if found.ndim == 3:
        wrapped = TokenMap(body)
        return wrapped, found.shape[2] * (2 if wrapped.before else 1)
    if found.ndim == 2 or getattr(body, "output_fmt", "NCHW") == "NHWC":
        return ChannelsFirst(body), found.shape[-1]
    return body, found.shape[1]
