"""Every architecture: builds with all that can be put on it, learns, and exports with equal answers."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from safetensors.torch import save_file

from breastai.domain.catalog import ARCHITECTURES, OFFERED_ARCHITECTURES
from breastai.domain.config import ModelSettings, PreprocessingSettings
from breastai.domain.decision_rule import Calibration
from breastai.domain.errors import WeightsMismatch, WeightsUnavailable
from breastai.engine.export.exported_graph import ExportedGraph
from breastai.engine.export.onnx_file import onnx_program
from breastai.engine.network.attention import CBAM
from breastai.engine.network.models import build_model, normalize, unfreezing_order

# Of a B7 that learnt nothing torch's answers are within 1e-5 of those in float64, ONNX Runtime 1.32's within 2e-3.
RUNTIME_ROUNDING = {"efficientnet_b7": 5e-3}
# The smallest of each family.
SMALL = {row.family: row.name for row in sorted(ARCHITECTURES.values(), key=lambda row: -row.parameters_m)}
# Lite0 is trained, exported and asked by tests/test_end_to_end.py; all are by `make test-all`.
EACH_TIME = ("tiny_cnn",)
ALL = [
    pytest.param(name, marks=[] if name in EACH_TIME else [pytest.mark.full, pytest.mark.timeout(900)])
    for name in ARCHITECTURES
]


def settings(architecture: str, **values: object) -> ModelSettings:
    return ModelSettings.model_validate({"architecture": architecture, "pretrained": "none", **values})


def settled(model: torch.nn.Module, images: torch.Tensor) -> None:
    """Give batch norms the statistics of `images`, as training would: those of one step let random weights blow up.

    Float32 then differs from float64 by more than any exporter may.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        model.train()((images - 127.5) / 127.5)


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(RUNTIME_ROUNDING))
def test_where_the_runtime_rounds_more_the_exported_graph_is_as_exact_as_torch(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_model(settings(name, cbam_position="each_stage"), 3).model
    images = torch.rand(16, 3, 64, 64) * 255
    settled(model, images)
    graph = ExportedGraph(model, [0.5] * 3, [0.5] * 3, Calibration()).eval()
    path = tmp_path / "model.onnx"
    onnx_program(graph, images).save(path, include_initializers=True, external_data=False)
    with torch.inference_mode():
        exact = graph.double()(images[:1].double()).numpy()
    (found,) = ReferenceEvaluator(str(path)).run(None, {"images": images[:1].numpy()})
    np.testing.assert_allclose(found, exact, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_an_architecture_learns_and_exports_with_equal_answers(name: str, tmp_path: Path) -> None:
    import onnxruntime

    torch.manual_seed(0)
    model = build_model(settings(name, cbam_position="each_stage"), 3).model
    images = torch.rand(2, 3, 64, 64) * 255
    before = model.head.weight.clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    torch.nn.functional.cross_entropy(model(images / 255), torch.tensor([0, 2])).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    optimizer.step()
    assert not torch.equal(before, model.head.weight)
    more = torch.rand(16, 3, 64, 64) * 255
    settled(model, more)
    graph = ExportedGraph(
        model, [0.5] * 3, [0.5] * 3, Calibration(temperature=1.3, prior_shift=(0.1, 0.0, -0.2))
    ).eval()
    path = tmp_path / "model.onnx"
    onnx_program(graph, images).save(path, include_initializers=True, external_data=False)
    session = onnxruntime.InferenceSession(path)
    for batch in (1, 3, 16):
        with torch.inference_mode():
            expected = graph(more[:batch]).numpy()
        (found,) = session.run(None, {"images": more[:batch].numpy()})
        np.testing.assert_allclose(found, expected, atol=RUNTIME_ROUNDING.get(name, 1e-4))
        assert np.array_equal(found.argmax(1), expected.argmax(1))


@pytest.mark.one_variant
@pytest.mark.parametrize("name", SMALL.values())
def test_attention_begins_as_if_it_were_not_there(name: str) -> None:
    torch.manual_seed(0)
    plain = build_model(settings(name, use_cbam=False, attention_pooling=False), 3).model.eval()
    attended = build_model(settings(name, cbam_position="each_stage"), 3).model.eval()
    values = {key.replace(".stage.", "."): value for key, value in plain.state_dict().items()}
    own = attended.state_dict()
    attended.load_state_dict({key: values.get(key.replace(".stage.", "."), own[key]) for key in own})
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(attended(images), plain(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", SMALL.values())
def test_attention_after_each_stage_puts_several_in(name: str) -> None:
    model = build_model(settings(name, cbam_position="each_stage"), 2).model
    assert sum(isinstance(module, CBAM) for module in model.modules()) >= (4 if name in OFFERED_ARCHITECTURES else 2)


def test_the_packaged_weights_fill_lite0() -> None:
    built = build_model(ModelSettings(architecture="tf_efficientnet_lite0", pretrained="required"), 3, download=False)
    assert built.pretrained.source == "package"
    assert built.mean == (0.5, 0.5, 0.5)
    # Trained weights answer to the content of an image; random ones hardly do.
    assert float(built.model.backbone.bn1.running_var.std()) > 0.01


def test_weights_come_from_a_local_file(tmp_path: Path) -> None:
    source = build_model(settings("resnet50"), 3).model
    save_file(source.backbone.state_dict(), tmp_path / "w.safetensors")
    again = build_model(ModelSettings(architecture="resnet50"), 3, weights_file=tmp_path / "w.safetensors")
    assert again.pretrained.source == "file"
    assert torch.equal(again.model.backbone.conv1.weight, source.backbone.conv1.weight)


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsMismatch, match="resnet50"):
        build_model(ModelSettings(architecture="resnet50"), 3, weights_file=tmp_path / "w.safetensors")


def test_weights_of_other_shapes_are_refused_by_name(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(WeightsMismatch, match=r"conv1.weight: expected \(64, 3, 7, 7\), found \(1,\)"):
        build_model(ModelSettings(architecture="resnet50"), 3, weights_file=tmp_path / "w.pt")


@pytest.mark.parametrize("pretrained", ["auto", "required"])
def test_weights_that_cannot_be_had_are_an_error(pretrained: Literal["auto", "required"]) -> None:
    with pytest.raises(WeightsUnavailable, match="switched off"):
        build_model(ModelSettings(architecture="resnet50", pretrained=pretrained), 3, download=False)


def test_normalization_follows_the_configuration() -> None:
    imagenet = PreprocessingSettings(normalization="imagenet")
    assert build_model(settings("tf_efficientnet_lite0"), 3, imagenet).mean == (0.485, 0.456, 0.406)


def test_normalized_is_mean_zero_and_deviation_one_by_channel() -> None:
    images = torch.tensor([[[[0, 128, 255]]]], dtype=torch.uint8)
    found = normalize(images, (0.5, 0.4, 0.3), (0.5, 0.25, 0.2))
    expected = [(0 - 0.5) / 0.5, (128 / 255 - 0.4) / 0.25, (1 - 0.3) / 0.2]
    torch.testing.assert_close(found.flatten(), torch.tensor(expected))


def test_the_unfreezing_groups_hold_each_parameter_once() -> None:
    model = build_model(settings("resnet50", cbam_position="each_stage"), 3).model
    groups = unfreezing_order(model)
    numbers = [id(parameter) for group in groups for parameter in group]
    assert len(numbers) == len(set(numbers))
    assert {id(parameter) for parameter in model.head.parameters()} <= {id(p) for p in groups[0]}
    assert id(next(model.backbone.parameters())) not in numbers
