"""The stages of a backbone: where timm says that the resolution halves, and the modules that lie beside those.

No family is named here. What a network can't honour is an error that names the setting, found with tensors that have
shapes and no values.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from breastai.domain.config import Config
from breastai.domain.errors import ConfigInvalid
from breastai.domain.faults import describe_mismatch
from breastai.domain.text import Text
from breastai.engine.network.attention import CBAM

# What timm calls the layers before the first stage.
_STEMS = ("stem", "conv_stem", "patch_embed")
_SIDE = 224  # of the images a network is tried on, where it does not say its own


class Attended(nn.Sequential):
    """A stage, and the attention put behind it."""

    def __init__(self, stage: nn.Module, attention: nn.Module) -> None:
        super().__init__()
        self.add_module("stage", stage)
        self.add_module("attention", attention)


def stages(backbone: Any) -> Iterator[tuple[str, int]]:
    """Yield name and channels of each stage but the last: the last module with weights before a resolution halves."""
    rows = _rows(backbone)
    for row, after in pairwise(rows):
        if row["reduction"] < after["reduction"] and _is_stage(backbone, row["module"]):
            yield row["module"], row["num_chs"]


def blocks_of(backbone: Any) -> Iterator[nn.Module]:
    """Yield the blocks of all stages: of each stage the parts that follow one another, or the whole stage.

    timm lists the stages at whose end the resolution halves; those between them lie beside and are of the same class.
    """
    seen: set[nn.Module] = set()
    for row in _rows(backbone):
        name = row["module"]
        if not _is_stage(backbone, name):
            continue
        kind = _kind(backbone.get_submodule(name))
        for sibling in backbone.get_submodule(name.rpartition(".")[0]).children():
            if _kind(sibling) is kind and sibling not in seen:
                seen.add(sibling)
                yield from _parts(sibling)


def _rows(backbone: Any) -> list[dict[str, Any]]:
    info = getattr(backbone, "feature_info", None)
    return list(getattr(info, "info", info) or [])


def _is_stage(backbone: nn.Module, name: str) -> bool:
    """Whether timm's row is a stage, and not a stem, an activation or a closing norm."""
    if any(part in _STEMS for part in name.split(".")):
        return False
    try:
        module = backbone.get_submodule(name)
    except AttributeError:
        return False
    return any(parameter.ndim > 1 for parameter in module.parameters())


def _kind(module: nn.Module) -> type[nn.Module]:
    return type(module[0]) if isinstance(module, Attended) else type(module)


def _parts(stage: nn.Module) -> Iterator[nn.Module]:
    """Yield the parts of a stage that follow one another: a block, or the whole stage where it is none of timm's two."""
    if isinstance(stage, nn.Sequential):
        for part in stage:
            yield from _parts(part)
    elif isinstance(blocks := getattr(stage, "blocks", None), nn.Sequential):  # ConvNeXt
        yield from blocks
    else:
        yield stage


# --- whether a network can do what is asked of it -------------------------------------------------


@dataclass
class _Calls:
    """How modules were called: `plain` with one tensor, giving one; `odd` otherwise."""

    plain: set[nn.Module] = field(default_factory=set)
    odd: set[nn.Module] = field(default_factory=set)

    def hear(self, module: nn.Module, args: Any, named: Any, output: Any) -> None:
        plain = len(args) == 1 and isinstance(args[0], Tensor) and not named and isinstance(output, Tensor)
        (self.plain if plain else self.odd).add(module)


def no_stages(architecture: str) -> ConfigInvalid:
    """Return the fault of a network without stages that attention could follow."""
    wanted = Text("expected.last", {"architecture": architecture})
    return ConfigInvalid([describe_mismatch("model.cbam_position", wanted, "each_stage")])


def no_blocks(architecture: str) -> ConfigInvalid:
    """Return the fault of a network without blocks that could be computed again."""
    wanted = Text("expected.false", {"architecture": architecture})
    return ConfigInvalid([describe_mismatch("training.gradient_checkpointing", wanted, "true")])


def check_stages(model: nn.Module, backbone: nn.Module, config: Config) -> None:
    """Raise ConfigInvalid unless attention at each stage and gradient checkpointing do here what their settings say."""
    name = config.model.architecture
    attended = [module for module in backbone.modules() if isinstance(module, CBAM)]
    blocks = list(blocks_of(backbone)) if config.training.gradient_checkpointing else []
    if config.training.gradient_checkpointing and not blocks:
        raise no_blocks(name)
    if not attended and not blocks:
        return
    calls = _calls(model, {*attended, *blocks}, _side(backbone))
    if attended and (calls is None or not calls.plain.issuperset(attended)):
        raise no_stages(name)
    if blocks and (calls is None or not calls.plain.issuperset(blocks) or calls.odd.intersection(blocks)):
        raise no_blocks(name)


def _side(backbone: Any) -> int:
    return int((getattr(backbone, "pretrained_cfg", None) or {}).get("input_size", (3, _SIDE, _SIDE))[-1])


def _calls(model: nn.Module, modules: set[nn.Module], side: int) -> _Calls | None:
    """Return how `modules` are called for an image; None where the network can't be computed at all.

    With tensors that have shapes and no values: nothing is computed, and a shape that does not fit shows all the same.
    """
    calls = _Calls()
    training = [(module, module.training) for module in model.modules()]
    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_hook(calls.hear, with_kwargs=True).remove)
        try:
            model.eval()
            named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
            shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in named.items()}
            with torch.no_grad():
                functional_call(model, shapes, (torch.zeros(2, 3, side, side, device="meta"),))
        except Exception:  # whatever a network of any family raises at a shape it did not expect
            return None
        finally:
            for module, was_training in training:
                module.training = was_training
    return calls
