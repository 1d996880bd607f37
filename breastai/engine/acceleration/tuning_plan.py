"""The plan of how a model is trained on this machine, and its installation in a model.

A plan is data: it goes into a manifest, and applying it involves no timing, so a resumed run computes as
the first part did. Installing changes classes of layers only: parameters, names and state stay.
"""

from typing import Literal

import torch
from torch import nn

from breastai.domain.stored import Stored, StoredDocument
from breastai.domain.text import Text
from breastai.engine.acceleration import batch_norm, depthwise, fused_blocks, pointwise
from breastai.engine.acceleration.simd_builder import AVAILABLE

Dtype = Literal["float32", "bfloat16"]


class LayerImplementations(Stored):
    """Which way each pass of one depthwise convolution takes; see depthwise.py."""

    output: depthwise.Way = "torch"
    input_gradient: depthwise.Way = "torch"
    weight_gradient: depthwise.Way = "torch"

    def ways(self) -> depthwise.DepthwiseImplementations:
        return depthwise.DepthwiseImplementations(self.output, self.input_gradient, self.weight_gradient)


class PointwiseImplementations(Stored):
    """Which way each pass of one convolution of one pixel takes; see pointwise.py."""

    output: pointwise.PointwiseWay = "torch"
    input_gradient: pointwise.PointwiseWay = "torch"
    weight_gradient: pointwise.PointwiseWay = "torch"

    def ways(self) -> pointwise.PointwiseChoices:
        return pointwise.PointwiseChoices(self.output, self.input_gradient, self.weight_gradient)


class Plan(StoredDocument):
    """How to compute a training step of one model at one image and batch size.

    `depthwise`, `pointwise`: ways by the name of the layer; a layer that is not named keeps PyTorch's own. `joined`: batch
    norms, activations, gates and shortcuts by the kernels of batch_norm.py. `through`: batch norms before depthwise
    convolutions by those, as in normed_depthwise.py, where norms are joined. `images_per_second`: forward and backward,
    when the plan was chosen. `peak_gb`: the most memory, GiB, of a process that trained by it; None before one did.
    `guessed`: nothing was measured yet. `reasons`: what was measured.
    """

    architecture: str
    image_size: int
    batch_size: int
    threads: int
    dtype: Dtype
    channels_last: bool
    joined: bool
    through: bool = False
    depthwise: dict[str, LayerImplementations]
    pointwise: dict[str, PointwiseImplementations] = {}
    processor: str = ""
    torch_version: str = ""
    images_per_second: float | None = None
    peak_gb: float | None = None
    guessed: bool = False
    reasons: tuple[Text | str, ...] = ()

    @property
    def training_dtype(self) -> torch.dtype:
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[self.dtype]

    def needs_kernels(self) -> bool:
        ways = (way for layer in self.depthwise.values() for way in layer.model_dump().values())
        return self.joined or "kernel" in ways

    def explanation(self) -> str:
        """Return in words what was chosen and why."""
        return "\n".join(map(str, self.reasons))


def plain_plan(architecture: str, image_size: int, batch_size: int, threads: int) -> Plan:
    """Return the plan that leaves all to PyTorch, in float32."""
    return Plan(
        architecture=architecture,
        image_size=image_size,
        batch_size=batch_size,
        threads=threads,
        dtype="float32",
        channels_last=False,
        joined=False,
        depthwise={},
        reasons=(Text("plan.not_measured"),),
    )


def install(model: nn.Module, plan: Plan, frozen_batch_norm: bool = False) -> None:
    """Tune the layers of `model` in place as `plan` says.

    `frozen_batch_norm` keeps the running statistics of the joined batch norms as they are, in training too.
    Where llvmlite is missing, or can't serve this processor, a plan that needs it raises ImportError: another way would
    round otherwise.
    """
    uninstall(model)
    if plan.needs_kernels() and not AVAILABLE:
        raise ImportError(
            "this plan was made with llvmlite, which is not installed here or cannot serve this processor"
        )
    model.to(memory_format=torch.channels_last if plan.channels_last else torch.contiguous_format)
    for name, layer in model.named_modules():
        if name in plan.depthwise and depthwise.tunable(layer):
            depthwise.install(layer, plan.depthwise[name].ways())
        if name in plan.pointwise and pointwise.tunable(layer):
            pointwise.install(layer, plan.pointwise[name].ways(), plan.training_dtype)
        if plan.joined and batch_norm.tunable(layer):
            batch_norm.install(layer, frozen_batch_norm)
    if plan.joined:
        for block in model.modules():
            if fused_blocks.tunable(block):
                fused_blocks.install(block, plan.through)


def uninstall(model: nn.Module) -> None:
    """Give every tuned layer its own class back."""
    for module in model.modules():
        fused_blocks.uninstall(module)
        batch_norm.uninstall(module)
        depthwise.uninstall(module)
        pointwise.uninstall(module)
