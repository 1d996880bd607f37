"""Integer models: a float32 ONNX file with its large layers in int8, and what that costs on validation cases.

Static, per channel, in QDQ form, calibrated on training images, and what rounding weights shifts in the mean taken
back (`rounding_bias`). Weights use 7 of 8 bits: on processors without VNNI
ONNX Runtime adds two products in 16 bits, which larger weights would overflow, and the model would answer otherwise
there. The classifier stays in float32, and what comes after it; the scopes below say what else.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from breastai.clinical.apply_decision_rule import reaches
from breastai.clinical.intervals import delong_test, proportion
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.records import Figure, PairedFigure
from breastai.engine.export.onnx_file import quiet_exporter
from breastai.engine.export.rounding_bias import take_back, with_biases
from breastai.predictor.onnx_model import INPUT_NAME

# What an int8 model may lose on validation cases. Of sensitivity and decisions one case is allowed where cases are few:
# the operating point lies on a case's very probability.
ALLOWED_AUC_LOSS = 0.01
ALLOWED_SENSITIVITY_LOSS = 0.02
ALLOWED_CHANGED_DECISIONS = 0.02

_UNCHANGED = "unchanged_decisions"
_WEIGHTED = ("Conv", "Gemm", "MatMul")
_CUT_OFF = ("Relu", "Clip")
_POOLS = ("GlobalAveragePool",)
_CURVED = ("Sigmoid", "Mul", *_POOLS)
_SMALL_LAYER = 2**15


@dataclass(frozen=True)
class Scope:
    """Which layers become int8, beside the large ones of the backbone.

    `sums`: residual sums and what an activation cuts off, which saves conversions; `curved`: sigmoids and products, that
    is swish and squeeze-and-excitation, too; `attention`: the large layers behind the backbone. The first layer stays in
    float32: with its three channels int8 takes twice as long. So does a depthwise block right after it (`stem_layers`):
    what is rounded there every later layer carries on, and int8 gains no time.
    """

    name: str
    depthwise: bool
    small: bool
    sums: bool
    curved: bool = False
    attention: bool = False


# Fastest first; the first one that loses little enough is taken.
SCOPES = (
    Scope(
        "all layers but the first ones and the classifier",
        depthwise=True,
        small=True,
        sums=True,
        curved=True,
        attention=True,
    ),
    Scope("all layers of the backbone but the first ones", depthwise=True, small=True, sums=True, curved=True),
    Scope("the same with swish in float32", depthwise=True, small=True, sums=True),
    Scope("depthwise layers in float32", depthwise=False, small=True, sums=True),
    Scope("only large layers in int8", depthwise=False, small=False, sums=False),
)


def quantize(source: Path, target: Path, backbone: nn.Module, calibration: np.ndarray, scope: Scope) -> None:
    """Write the float32 model at `source` with the layers of `scope` in int8, calibrated on images (N, S, S, 3)."""
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    folded = target.with_suffix(".folded")
    try:
        with quiet_exporter():
            quant_pre_process(source, folded, skip_symbolic_shape=True)
            model = with_biases(with_pools(onnx.load(folded)))
            onnx.save(model, folded)
            quantize_static(
                folded,
                target,
                _Reader(calibration),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=nodes_in(model, weighted_layers(backbone), scope),
                calibrate_method=CalibrationMethod.MinMax,
            )
            rounded = onnx.load(target)
            take_back(rounded, model, _inputs(calibration))
            onnx.save(rounded, target)
    finally:
        folded.unlink(missing_ok=True)


def weighted_layers(backbone: nn.Module) -> int:
    """Return the number of convolutions and linear layers: as many nodes of the graph come before the classifier."""
    return sum(isinstance(module, nn.Conv2d | nn.Linear) for module in backbone.modules())


def with_pools(model: Any) -> Any:
    """Return `model` with its means over height and width as global pools, which ONNX Runtime has in int8."""

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "ReduceMean":
            continue
        axes = {int(axis) % 4 for axis in _axes_of(node, constants)}
        keeps = next((attribute.i for attribute in node.attribute if attribute.name == "keepdims"), 1)
        if axes == {2, 3} and keeps:
            node.op_type = "GlobalAveragePool"
            del node.attribute[:], node.input[1:]
    used = {name for node in model.graph.node for name in node.input}
    for name in constants.keys() - used:
        model.graph.initializer.remove(constants[name])
    return model


def _axes_of(node: Any, constants: Mapping[str, Any]) -> Iterable[int]:
    """Return the axes of a reduction: an attribute up to opset 17, an input from then on."""
    import onnx

    if len(node.input) == 2:
        given = constants.get(node.input[1])
        return [] if given is None else list(onnx.numpy_helper.to_array(given))
    return next((attribute.ints for attribute in node.attribute if attribute.name == "axes"), [])


def nodes_in(model: Any, backbone_layers: int, scope: Scope) -> list[str]:
    """Return the names of the nodes to quantize; nodes stand in the order in which they are computed."""
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in model.graph.initializer}
    chosen: list[str] = []
    rounded: set[str] = set()
    seen = 0
    stem = stem_layers(model)
    for node in model.graph.node:
        weights = max((sizes.get(name, 0) for name in node.input), default=0)
        if node.op_type in _WEIGHTED and weights:
            seen += 1
            if seen <= backbone_layers:
                belongs = seen > stem and _belongs(node, weights, scope)
            else:
                belongs = scope.attention and node.op_type == "Conv" and weights >= _SMALL_LAYER
        elif node.op_type in _CURVED:
            # A mean of the last map is the attention's, not the backbone's.
            last = backbone_layers - (node.op_type in _POOLS)
            belongs = scope.curved and seen <= last and rounded.issuperset(node.input)
        elif node.op_type == "Add":
            belongs = scope.sums and not weights and stem < seen < backbone_layers
        else:
            # Rounding to the range that is left cuts off by itself. Left out, a layer's whole range would be rounded
            # first, and its values a second time: less exact, and a third slower.
            belongs = scope.sums and node.op_type in _CUT_OFF and node.input[0] in rounded
        if belongs:
            chosen.append(node.name)
            rounded.update(node.output)
    return chosen


def stem_layers(model: Any) -> int:
    """Return how many layers the graph begins with that stay in float32.

    The first one; where a depthwise layer follows it, that too, with the gate behind it and the layer that takes its
    channels together. A layer that widens the map, as in ConvNeXt, is none of them.
    """
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    pooled: set[str] = set()
    count = depthwise = 0
    for node in model.graph.node:
        given = [name for name in node.input if name and name not in shapes]
        if node.op_type in _POOLS or (given and pooled.issuperset(given)):
            pooled.update(node.output)
        weights = [shapes[name] for name in node.input if len(shapes.get(name, ())) > 1]
        if node.op_type not in _WEIGHTED or not weights:
            continue
        if count == 1 and (_groups(node) == 1 or weights[0][1] > 1):
            return count
        if count > 1 and node.output[0] not in pooled:
            narrows: bool = node.op_type == "Conv" and weights[0][0] <= depthwise
            return count + narrows
        if count == 1:
            depthwise = weights[0][0]
        count += 1
    return 1


def _groups(node: Any) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)


def _belongs(node: Any, weights: int, scope: Scope) -> bool:
    return scope.depthwise if _groups(node) > 1 else scope.small or weights >= _SMALL_LAYER


class _Reader:
    """Hands calibration images to ONNX Runtime, one at a time."""

    def __init__(self, images: np.ndarray) -> None:
        self._inputs = _inputs(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._inputs, None)


def _inputs(images: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    for image in images:
        yield {INPUT_NAME: np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)}


# --- what it costs -----------------------------------------------------------------------------


def cost(
    labels: np.ndarray, exact: np.ndarray, rounded: np.ndarray, class_names: Iterable[str], rule: DecisionRule
) -> dict[str, PairedFigure]:
    """Return AUC of each class, and sensitivity at the operating point, of the exact and the rounded model.

    `unchanged_decisions`: in what share of cases the most probable class stays the same.
    """
    n = len(labels)
    same = float((exact.argmax(1) == rounded.argmax(1)).mean())
    change = Figure(value=1 - same, low=None, high=None, n=n)
    figures = {_UNCHANGED: PairedFigure(first=1.0, second=same, difference=change)}
    for number, name in enumerate(class_names):
        positive = labels == number
        test = delong_test(positive, exact[:, number].astype(float), rounded[:, number].astype(float))
        if test is not None:
            change = Figure(value=test.difference.value, low=test.difference.low, high=test.difference.high, n=n)
            figures[f"auc_roc.{name}"] = PairedFigure(
                first=test.first, second=test.second, difference=change, z=test.z, p_value=test.p_value
            )
        point = rule.operating_point
        if point is not None and point.class_name == name and positive.any():
            here, there = (reaches(scores[positive, number], point.threshold) for scores in (exact, rounded))
            difference = Figure(value=float(here.mean() - there.mean()), low=None, high=None, n=int(positive.sum()))
            figures[f"sensitivity_at_operating_point.{name}"] = PairedFigure(
                first=proportion(here).value, second=proportion(there).value, difference=difference
            )
    return figures


def excessive(figures: Mapping[str, PairedFigure]) -> list[str]:
    """Return a line for each figure that fell by more than it may."""
    lines = []
    for name, figure in figures.items():
        n = figure.difference.n
        share = ALLOWED_CHANGED_DECISIONS if name == _UNCHANGED else ALLOWED_SENSITIVITY_LOSS
        allowed = ALLOWED_AUC_LOSS if name.startswith("auc_roc") else max(share, 1 / n)
        loss = figure.difference.value
        if loss is None or figure.first is None or figure.second is None or loss > allowed + 1e-9:
            lines.append(f"{name} {figure.first:.3f} -> {figure.second:.3f} (allowed loss {allowed:.3f}, n = {n})")
    return lines
