"""Gradient checkpointing: the same step, bit for bit, in less memory."""

import copy

import pytest
import torch
from torch import nn

from breastai.domain.catalog import OFFERED_ARCHITECTURES
from breastai.domain.config import ModelSettings
from breastai.engine.acceleration import depthwise, gradient_checkpointing
from breastai.engine.acceleration.memory_estimate import peak_bytes
from breastai.engine.acceleration.tuning_plan import Dtype, LayerImplementations, install, plain_plan
from breastai.engine.network.models import Classifier, build_model

# The smallest of each family; those that only `make test-all` tries are marked.
SMALL = {row.family: row.name for row in sorted(OFFERED_ARCHITECTURES.values(), key=lambda row: -row.parameters_m)}
EACH_TIME = ("efficientnet_b0", "convnext_tiny")
FAMILIES = [pytest.param(name, marks=[] if name in EACH_TIME else pytest.mark.full) for name in SMALL.values()]
KERNEL = LayerImplementations(output="kernel", input_gradient="kernel", weight_gradient="kernel")


def _model(architecture: str) -> Classifier:
    torch.manual_seed(0)
    return build_model(ModelSettings(architecture=architecture, pretrained="none", cbam_position="each_stage"), 3).model


def _tuned(model: Classifier, dtype: Dtype) -> Classifier:
    layers = {name: KERNEL for name, layer in model.named_modules() if depthwise.tunable(layer)}
    changes = {"dtype": dtype, "channels_last": True, "joined": True, "depthwise": layers}
    install(model, plain_plan("any", 64, 2, 1).model_copy(update=changes))
    return model


def _step(model: nn.Module, dtype: Dtype = "float32", images: int = 4) -> None:
    torch.manual_seed(1)
    batch = torch.rand(images, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
        answer = model(batch)
    answer.float().square().sum().backward()


def _equal(one: nn.Module, other: nn.Module) -> bool:
    gradients = zip(one.parameters(), other.parameters(), strict=True)
    states = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(a.grad is b.grad is None or torch.equal(a.grad, b.grad) for a, b in gradients) and all(
        torch.equal(a, b) for a, b in states
    )


@pytest.mark.parametrize(
    ("architecture", "dtype"),
    [
        ("efficientnet_b0", "float32"),
        ("efficientnet_b0", "bfloat16"),
        pytest.param("convnext_tiny", "bfloat16", marks=pytest.mark.full),
    ],
)
def test_a_tuned_network_learns_the_same_bit_for_bit_when_it_computes_again(architecture: str, dtype: Dtype) -> None:
    kept = _tuned(_model(architecture), dtype)
    again = copy.deepcopy(kept)
    gradient_checkpointing.install(again.backbone)
    for model in (kept, again):
        model.train()
        _step(model, dtype)
        _step(model, dtype)  # the second sees what the first did to the running statistics
    assert _equal(kept, again)


@pytest.mark.parametrize("architecture", FAMILIES)
def test_a_plain_network_of_each_family_learns_the_same_and_holds_less(architecture: str) -> None:
    kept = _model(architecture)
    again = copy.deepcopy(kept)
    assert gradient_checkpointing.install(again.backbone) >= 4
    held = []
    for model in (kept, again):
        model.train()
        held.append(peak_bytes(lambda model=model: _step(model, images=16)))  # type: ignore[misc]
    assert _equal(kept, again)
    assert held[1] < 0.8 * held[0]


def test_below_the_first_layer_that_learns_nothing_is_computed_twice() -> None:
    model = _model("tf_efficientnet_lite0").train()
    model.backbone.requires_grad_(False)
    gradient_checkpointing.install(model.backbone)
    calls = []
    model.backbone.blocks[3][0].conv_pw.register_forward_hook(lambda *_: calls.append(1))  # type: ignore[union-attr,index]
    _step(model)
    assert len(calls) == 1
    assert model.head.weight.grad is not None


def test_uninstalling_gives_every_class_back() -> None:
    model = _model("tf_efficientnet_lite0")
    kinds = [type(module) for module in model.modules()]
    gradient_checkpointing.install(model.backbone)
    assert [type(module) for module in model.modules()] != kinds
    gradient_checkpointing.uninstall(model.backbone)
    assert [type(module) for module in model.modules()] == kinds
