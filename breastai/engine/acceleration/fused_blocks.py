"""timm's inverted residual blocks with their last passes over memory joined.

The batch norm before squeeze-and-excitation, the gates and the shortcut's addition each cost PyTorch a pass
of their own; here they ride along with passes of batch_norm.py, and the batch norm before a depthwise convolution
with passes of that. Blocks are tuned in place.
"""

from typing import Any, cast

from torch import Tensor, nn

from breastai.engine.acceleration.batch_norm import BatchNormAct2d
from breastai.engine.acceleration.depthwise import DepthwiseConv2d
from breastai.engine.acceleration.fused_depthwise import joinable, normed_depthwise
from breastai.engine.acceleration.squeeze_excitation import Gates

# Class of timm -> (convolution, batch norm) in order; the gates come before the last pair.
_STAGES: dict[str, list[tuple[str, str]]] = {
    "InvertedResidual": [("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")],
    "DepthwiseSeparableConv": [("conv_dw", "bn1"), ("conv_pw", "bn2")],
    "EdgeResidual": [("conv_exp", "bn1"), ("conv_pwl", "bn2")],
    "ConvBnAct": [("conv", "bn1")],
}


def tunable(block: nn.Module) -> bool:
    """Whether the block is one of timm's, with nothing in it that this module does not know."""
    if type(block).__module__ != "timm.models._efficientnet_blocks" or type(block).__name__ not in _STAGES:
        return False
    norms = (getattr(block, norm) for _, norm in _STAGES[type(block).__name__])
    return (
        getattr(block, "conv_s2d", None) is None
        and isinstance(block.aa, nn.Identity)
        and type(getattr(block, "se", nn.Identity())).__name__ in ("Identity", "SqueezeExcite")
        and all(isinstance(norm, BatchNormAct2d) for norm in norms)
    )


class InvertedResidual(nn.Module):
    """A block of timm that was tuned; `install` turns one into this class."""

    _plain_class: type[nn.Module]
    _through: bool
    has_skip: bool
    se: Any
    drop_path: Any

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        stages = _STAGES[self._plain_class.__name__]
        convolved = False
        for number, (convolution, norm) in enumerate(stages):
            x = x if convolved else getattr(self, convolution)(x)
            layer: BatchNormAct2d = getattr(self, norm)
            following = getattr(self, stages[number + 1][0]) if number + 1 < len(stages) else None
            convolved = self._through and joinable(layer, following)
            if convolved:
                x = normed_depthwise(layer, cast(DepthwiseConv2d, following), x)
            elif number == len(stages) - 1:
                x = self._last(layer, x, shortcut)
            elif number == len(stages) - 2 and not isinstance(self.se, nn.Identity):
                gates = Gates(self.se)
                x = layer.forward_excited(x, gates, gates.parameters)
            else:
                x = layer(x)
        return x

    def _last(self, layer: BatchNormAct2d, x: Tensor, shortcut: Tensor) -> Tensor:
        dropped = self.training and bool(getattr(self.drop_path, "drop_prob", None))
        if self.has_skip and not dropped:
            return layer.forward_added(x, shortcut)
        z: Tensor = layer(x)
        return self.drop_path(z) + shortcut if self.has_skip else z


def install(block: Any, through: bool) -> None:
    """Tune one block in place; `through`: batch norms are computed by the depthwise convolutions behind them."""
    block._plain_class = type(block)
    block._through = through
    block.__class__ = InvertedResidual


def uninstall(block: Any) -> None:
    """Give a tuned block its own class back; other modules are left alone."""
    if isinstance(block, InvertedResidual):
        block.__class__ = block._plain_class  # type: ignore[assignment]
        del block._plain_class, block._through
