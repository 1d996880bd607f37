"""Integer models: which layers become int8, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from breastai.domain.decision_rule import DecisionRule, OperatingPoint
from breastai.domain.events import Figure
from breastai.engine.export.onnx_file import write_float16, write_float32
from breastai.engine.export.quantize import SCOPES, cost, excessive, nodes_in, quantize, stem_layers, weighted_layers
from breastai.predictor.onnx_model import INPUT_NAME


class Small(nn.Module):
    """A stem with its depthwise block, a second such block, a large layer with a shortcut, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1, groups=32), nn.ReLU(), nn.Conv2d(32, 16, 1),
            nn.Conv2d(16, 64, 1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1, groups=64), nn.ReLU(),
        )  # fmt: skip
        self.large = nn.Conv2d(64, 64, 3, padding=1)
        self.head = nn.Linear(64, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.backbone(images / 255)
        features = features + self.large(features)
        return self.head(features.mean((2, 3))).softmax(1)


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "exact.onnx"
    write_float32(Small().eval(), torch.rand(2, 3, 32, 32) * 255, path)
    return path


def answers(path: Path, images: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {INPUT_NAME: images.transpose(0, 3, 1, 2).astype(np.float32)})[0])


def test_a_narrower_scope_has_fewer_layers_and_none_has_the_classifier(exact: Path) -> None:
    model = onnx.load(exact)
    kinds = {node.name: node.op_type for node in model.graph.node}
    convolutions = [name for name, kind in kinds.items() if kind == "Conv"]
    chosen = [nodes_in(model, 6, scope) for scope in SCOPES]
    assert [[kinds[name] for name in names] for names in chosen] == [
        ["Conv", "Relu", "Conv", "Relu", "Conv"],
        ["Conv", "Relu", "Conv", "Relu", "Conv"],
        ["Conv", "Relu", "Conv", "Relu", "Conv"],
        ["Conv", "Relu", "Conv"],
        ["Conv"],
    ]
    assert not {name for names in chosen for name in names} & set(convolutions[:3])
    assert chosen[4] == convolutions[5:]


ROW = tuple[str, list[str], tuple[int, ...] | None, int]


def graph(rows: list[ROW]) -> Any:
    """Nodes by kind, inputs, shape of the weights and groups, their outputs numbered from a."""
    nodes, weights = [], []
    for number, (kind, inputs, shape, groups) in enumerate(rows):
        output = chr(ord("a") + number)
        named = {"group": groups} if kind == "Conv" else {}
        if shape is not None:
            weights.append(onnx.numpy_helper.from_array(np.zeros(shape, np.float32), f"{output}_weights"))
            inputs = [*inputs, f"{output}_weights"]
        nodes.append(onnx.helper.make_node(kind, inputs, [output], name=output, **named))
    return onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], [], weights))


FIRST: ROW = ("Conv", ["images"], (32, 3, 3, 3), 1)
DEPTHWISE: ROW = ("Conv", ["a"], (32, 1, 3, 3), 32)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([FIRST, ("Conv", ["a"], (16, 32, 1, 1), 1)], 1),  # ResNet: its second layer is a large one
        ([FIRST, ("Conv", ["a"], (32, 2, 3, 3), 16)], 1),  # ResNeXt: groups of two
        ([FIRST, DEPTHWISE, ("Conv", ["b"], (16, 32, 1, 1), 1), ("Conv", ["c"], (96, 16, 1, 1), 1)], 3),  # Lite0
        ([FIRST, DEPTHWISE, ("GlobalAveragePool", ["b"], None, 1), ("Conv", ["c"], (8, 32, 1, 1), 1), ("Relu", ["d"], None, 1),
          ("Conv", ["e"], (32, 8, 1, 1), 1), ("Sigmoid", ["f"], None, 1), ("Mul", ["b", "g"], None, 1), ("Conv", ["h"], (16, 32, 1, 1), 1)], 5),  # B0
        ([FIRST, DEPTHWISE, ("Transpose", ["b"], None, 1), ("MatMul", ["c"], (32, 128), 1)], 2),  # ConvNeXt: widened at once
    ],
)  # fmt: skip
def test_a_depthwise_block_right_after_the_first_layer_stays_in_float32_with_it(rows: list[ROW], expected: int) -> None:
    """In int8 it took no less time, and half of all that rounding changed in Lite0's answers came from it."""
    assert stem_layers(graph(rows)) == expected


def test_no_value_is_rounded_twice_around_an_activation(exact: Path, tmp_path: Path) -> None:
    """Once to its whole range and again to what the activation leaves: slower, and less exact."""
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    small = Small()
    quantize(exact, tmp_path / "int8.onnx", nn.ModuleList([small.backbone, small.large]), images, SCOPES[0])
    nodes = list(onnx.load(tmp_path / "int8.onnx").graph.node)
    made_by = {name: node.op_type for node in nodes for name in node.output}
    assert list(made_by.values()).count("Relu") == 2  # of the first two layers, in float32
    assert not [node.name for node in nodes if node.op_type == "QuantizeLinear" and made_by.get(node.input[0]) == "DequantizeLinear"]  # fmt: skip


class Gated(nn.Module):
    """Two layers with swish and a squeeze-and-excitation between them, and a pooled classifier."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.ModuleList([nn.Conv2d(3, 32, 3, 2), nn.Conv2d(32, 64, 1), nn.Conv2d(64, 64, 1), nn.Conv2d(64, 64, 1)])  # fmt: skip
        self.head = nn.Linear(64, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        first, second, gate, last = self.backbone
        features = nn.functional.silu(second(nn.functional.silu(first(images / 255))))
        features = features * gate(features.mean((2, 3), keepdim=True)).sigmoid()
        features = nn.functional.silu(last(features))
        return self.head(features.mean((2, 3), keepdim=True).flatten(1)).softmax(1)


def test_swish_and_gates_between_rounded_layers_are_rounded_with_them(tmp_path: Path) -> None:
    """In float32 between int8 layers they cost more than the layers gain: B0 took twice as long as in float32."""
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    network = Gated().eval()
    write_float32(network, torch.rand(2, 3, 32, 32) * 255, tmp_path / "exact.onnx")
    kinds = []
    for number in (0, 2):
        quantize(tmp_path / "exact.onnx", tmp_path / "int8.onnx", network.backbone, images, SCOPES[number])
        model = onnx.load(tmp_path / "int8.onnx")
        rounded = {node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
        curved = [node for node in model.graph.node if node.op_type in ("Sigmoid", "Mul", "GlobalAveragePool")]
        kinds.append([node.op_type for node in curved if node.output[0] in rounded])
        expected = answers(tmp_path / "exact.onnx", images)
        np.testing.assert_allclose(answers(tmp_path / "int8.onnx", images), expected, atol=0.02)
    # The second layer's swish, the gate and its mean, the last layer's swish, and the product that the second layer
    # takes in; the classifier's mean is in float32.
    assert sorted(kinds[0]) == ["GlobalAveragePool", *["Mul"] * 4, *["Sigmoid"] * 3]
    # What goes into a rounded layer is rounded in any case.
    assert sorted(kinds[1]) == ["GlobalAveragePool", "Mul", "Mul"]


def test_an_int8_model_answers_nearly_as_the_exact_one_and_halving_precision_nearly_as_well(
    exact: Path, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    small = Small()
    backbone = nn.ModuleList([small.backbone, small.large])
    assert weighted_layers(backbone) == 6
    quantize(exact, tmp_path / "int8.onnx", backbone, images, SCOPES[0])
    write_float16(exact, tmp_path / "fp16.onnx")
    kinds = {node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    expected = answers(exact, images)
    np.testing.assert_allclose(answers(tmp_path / "int8.onnx", images), expected, atol=0.02)
    np.testing.assert_allclose(answers(tmp_path / "fp16.onnx", images), expected, atol=2e-3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fp16.onnx", "int8.onnx"]


def rule(threshold: float) -> DecisionRule:
    figure = Figure(value=1.0, low=None, high=None, n=10)
    return DecisionRule(
        operating_point=OperatingPoint(
            class_name="b",
            threshold=threshold,
            target_sensitivity=0.95,
            positives=10,
            positives_needed=10,
            sensitivity=figure,
            specificity=figure,
        ),
        n=20,
    )


def test_the_cost_of_rounding_is_the_change_of_auc_and_of_sensitivity() -> None:
    labels = np.repeat([0, 1], 10)
    scores = np.linspace(0.1, 0.9, 20)
    exact = np.stack([1 - scores, scores], axis=1)
    worse = exact.copy()
    worse[[9, 12]] = worse[[12, 9]]
    figures = cost(labels, exact, worse, ["a", "b"], rule(scores[10]))
    assert figures["auc_roc.b"].first == 1.0
    assert figures["auc_roc.b"].second == pytest.approx(0.97)
    sensitivity = figures["sensitivity_at_operating_point.b"]
    assert (sensitivity.first, sensitivity.second) == (1.0, 0.9)
    assert figures["unchanged_decisions"].second == pytest.approx(0.9)
    # Both AUCs and the decisions; of ten positive cases one may be lost.
    assert [line.split()[0] for line in excessive(figures)] == ["unchanged_decisions", "auc_roc.a", "auc_roc.b"]
    assert "0.970" in excessive(figures)[1]
    assert excessive(cost(labels, exact, exact, ["a", "b"], rule(0.5))) == []


def test_more_than_a_case_lost_is_too_much() -> None:
    labels = np.repeat([0, 1], 10)
    scores = np.linspace(0.1, 0.9, 20)
    exact = np.stack([1 - scores, scores], axis=1)
    shifted = exact - [[-0.1, 0.1]]
    lines = excessive(cost(labels, exact, shifted, ["a", "b"], rule(scores[10])))
    assert len(lines) == 2 and lines[1].startswith("sensitivity_at_operating_point.b 1.000 -> 0.7")


def test_rounding_the_weights_shifts_no_channel_s_mean(tmp_path: Path) -> None:
    """One layer with rare large weights, which are rounded coarsely: its answers' mean stays that of the exact model."""

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first = nn.Conv2d(3, 8, 1)
            self.second = nn.Conv2d(8, 16, 3, groups=2, bias=False)
            with torch.no_grad():
                self.second.weight[:, 0, 0, 0] *= 40

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(images / 255).relu())

    network = Layer().eval()
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    write_float32(network, torch.rand(2, 3, 16, 16) * 255, tmp_path / "exact.onnx")
    backbone = nn.ModuleList([network.first, network.second, nn.Linear(1, 1)])
    quantize(tmp_path / "exact.onnx", tmp_path / "int8.onnx", backbone, images, SCOPES[0])
    exact, rounded = (answers(tmp_path / f"{name}.onnx", images).mean(axis=(0, 2, 3)) for name in ("exact", "int8"))
    # Without it the means are up to 0.18 apart.
    assert np.abs(exact - rounded).max() < 0.002
