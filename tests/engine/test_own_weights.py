"""Weights of one's own: mapped to a network's names or refused by name, whoever wrote the file; never run."""

import json
import os
import pickle
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from breastai.cli import run
from breastai.domain.catalog import architecture_of
from breastai.domain.config import Config, ModelSettings, parse_config
from breastai.domain.errors import ArchitectureUnknown, ConfigInvalid, ImageSizeUnfit, WeightsInvalid, WeightsMismatch
from breastai.domain.events import Event, ExportComplete, Log
from breastai.engine.inference.heat_maps import heat_maps
from breastai.engine.network.checkpoint_io import load_checkpoint
from breastai.engine.network.feature_map import create_backbone
from breastai.engine.network.models import build_model
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.workspace import Workspace

TINY = ModelSettings(architecture="tiny_cnn", use_cbam=False, attention_pooling=False)
VIT = "timm:test_vit"


def weights_of(architecture: str, seed: int = 7) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    body = create_backbone(architecture_of(architecture))
    return {
        name: value + 0.1 * torch.rand_like(value) if value.is_floating_point() else value
        for name, value in body.state_dict().items()
    }


def renamed(values: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in values.items()}


def assert_has(path: Path, values: dict[str, Tensor]) -> None:
    built = build_model(TINY, 3, weights_file=path)
    found = built.model.backbone.state_dict()
    assert all(torch.equal(found[name], value) for name, value in values.items())
    assert built.pretrained.source == "file"


@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "encoder.", "backbone.", "visual.trunk.", "module.image_encoder.model."]
)
@pytest.mark.parametrize("nesting", [(), ("state_dict",), ("model_state_dict",), ("checkpoint", "teacher")])
def test_a_pytorch_file_is_mapped_whatever_stands_around_its_names(
    tmp_path: Path, prefix: str, nesting: tuple[str, ...]
) -> None:
    values = weights_of("tiny_cnn")
    content: Any = {**renamed(values, prefix), f"{prefix}head.weight": torch.zeros(1000, 4)}
    for key in reversed(nesting):
        content = {key: content, "epoch": 7, "optimizer": {"state": {}}}
    torch.save(content, tmp_path / "w.pth")
    assert_has(tmp_path / "w.pth", values)


def test_safetensors_are_mapped_and_need_no_counters_of_batches(tmp_path: Path) -> None:
    values = {name: value for name, value in weights_of("tiny_cnn").items() if "num_batches" not in name}
    others = {"text.transformer.weight": torch.zeros(3)}
    save_file({**renamed(values, "visual.trunk."), **others}, tmp_path / "w.safetensors")
    assert_has(tmp_path / "w.safetensors", values)


def test_what_is_missing_and_what_was_not_used_is_named(tmp_path: Path) -> None:
    values = weights_of("tiny_cnn")
    gone = next(name for name in values if name.endswith("weight"))
    save_file(
        {name: value for name, value in values.items() if name != gone} | {"extra": torch.zeros(1)},
        tmp_path / "w.safetensors",
    )
    with pytest.raises(WeightsMismatch) as caught:
        build_model(TINY, 3, weights_file=tmp_path / "w.safetensors")
    told = str(caught.value)
    assert gone in told and "extra" in told and f"{len(values) - 1} of {len(values)}" in told


def test_another_shape_is_named_with_both_shapes(tmp_path: Path) -> None:
    values = weights_of("tiny_cnn")
    name = next(name for name, value in values.items() if value.ndim == 4)
    save_file({**values, name: torch.zeros(1, 2, 3, 3)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsMismatch) as caught:
        build_model(TINY, 3, weights_file=tmp_path / "w.safetensors")
    assert name in str(caught.value) and "(1, 2, 3, 3)" in str(caught.value)


class _Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_a_pickle_that_would_run_a_program_is_refused_and_runs_nothing(tmp_path: Path, writer: str) -> None:
    marker, path = tmp_path / "ran", tmp_path / "w.pth"
    content = {**weights_of("tiny_cnn"), "hook": _Hostile(marker)}
    if writer == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(WeightsInvalid, match="safetensors"):
        build_model(TINY, 3, weights_file=path)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 broken", b"\x80\x04broken", b"\xff" * 64])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(WeightsInvalid):
        build_model(TINY, 3, weights_file=tmp_path / "w.pth")


def test_a_tensor_alone_has_no_names(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "w.pt")
    with pytest.raises(WeightsInvalid, match="Tensor"):
        build_model(TINY, 3, weights_file=tmp_path / "w.pt")


def test_the_names_of_clip_are_translated(tmp_path: Path) -> None:
    values = weights_of(VIT)
    body = create_backbone(architecture_of(VIT))
    torch.save({"model": {f"encoder.{name}": value for name, value in values.items()}}, tmp_path / "w.pth")
    built = build_model(TINY.model_copy(update={"architecture": VIT}), 2, weights_file=tmp_path / "w.pth")
    found = built.model.backbone.state_dict()
    assert {name.removeprefix("body.") for name in found} == set(body.state_dict())
    assert all(torch.equal(found[f"body.{name}"], value) for name, value in values.items())


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "test_convnext", "test_efficientnet", "test_vit2"])
@pytest.mark.parametrize("size", [64, 96])
def test_any_network_of_timm_gives_a_map(name: str, size: int) -> None:
    settings = ModelSettings(architecture=f"timm:{name}", pretrained="none", use_cbam=False)
    model = build_model(settings, 3, image_size=size).model.eval()
    images = torch.randn(2, 3, size, size)
    assert model.backbone(images).ndim == 4
    assert model(images).shape == (2, 3)
    assert not torch.equal(model(images)[0], model(images)[1])


def test_a_class_token_and_the_patches_both_reach_the_classifier() -> None:
    settings = ModelSettings(architecture=VIT, pretrained="none", use_cbam=False, attention_pooling=False)
    model = build_model(settings, 3, image_size=64).model.eval()
    images = torch.randn(2, 3, 64, 64)
    tokens = model.backbone.body(images)
    expected = torch.cat([tokens[:, model.backbone.before :].mean(1), tokens[:, 0]], dim=1)
    torch.testing.assert_close(model.features(images), expected, atol=1e-5, rtol=1e-5)


def test_a_name_that_timm_does_not_know_is_refused_with_those_that_are_close() -> None:
    with pytest.raises(ArchitectureUnknown, match="resnet"):
        build_model(ModelSettings(architecture="timm:resnet51z"), 2)
    for wrong in ("timm:", "timm:../x", "timm:A b", "resnet51z"):
        with pytest.raises(ConfigInvalid, match="timm:NAME"):
            parse_config({"model": {"architecture": wrong}})


def test_a_size_that_a_network_can_not_take_is_refused_with_the_one_it_can() -> None:
    settings = ModelSettings(architecture="timm:swin_tiny_patch4_window7_224", pretrained="none", use_cbam=False)
    with pytest.raises(ImageSizeUnfit, match="224"):
        build_model(settings, 2, image_size=100)


def add(place: Workspace, path: Path, *more: str) -> int:
    return run(
        ["weights", "add", str(path), "--architecture", "tiny_cnn", *more, "--workspace", str(place.root), "--json"]
    )


@pytest.fixture
def added(workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    torch.save(
        {"state_dict": {**renamed(weights_of("tiny_cnn"), "module."), "head": torch.zeros(1)}}, tmp_path / "lab.pth"
    )
    assert add(workspace, tmp_path / "lab.pth", "--license", "CC BY-NC-ND 4.0", "--seen", "VinDr-Mammo, EMBED") == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return told


def test_added_weights_are_kept_with_what_is_known_of_them(added: dict[str, Any], workspace: Workspace) -> None:
    path = workspace.root / "weights" / "lab.safetensors"
    assert load_file(path).keys() == weights_of("tiny_cnn").keys()
    assert (added["prefix"], added["unused_names"], added["seen"]) == ("module.", ["head"], ["VinDr-Mammo", "EMBED"])
    assert_has(path, weights_of("tiny_cnn"))
    if os.name != "nt":
        assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_a_run_from_them_says_so_in_its_manifest_and_warns_of_the_licence(
    added: dict[str, Any],
    workspace: Workspace,
    small_config: Callable[..., Config],
    run_events: Callable[..., list[Event]],
) -> None:
    config = small_config(
        {
            "model": {
                "pretrained": "auto",
                "weights_file": "weights/lab.safetensors",
                "use_cbam": False,
                "attention_pooling": False,
            },
            "training": {"recipe": "probe"},
        }
    )
    events = run_events(config)
    manifest = read_manifest(checkpoint_files(workspace, "run", "best"))
    assert manifest.weights is not None and manifest.weights.sha256 == added["sha256"]
    assert manifest.weights.seen == ["VinDr-Mammo", "EMBED"]
    assert "weights.no_derivatives" in [event.code for event in events if isinstance(event, Log)]


def test_a_changed_file_is_not_what_its_description_says(added: dict[str, Any], workspace: Workspace) -> None:
    path = workspace.root / "weights" / "lab.safetensors"
    save_file(weights_of("tiny_cnn", seed=8), path)
    with pytest.raises(WeightsInvalid, match="hashes"):
        build_model(TINY, 3, weights_file=path)


def test_packed_weights_are_the_same_elsewhere(
    added: dict[str, Any], workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "stick" / "pack.zip"
    assert run(["weights", "pack", str(packed), "--workspace", str(workspace.root)]) == 0
    other = Workspace.open(tmp_path / "other")
    assert run(["weights", "add", str(packed), "--workspace", str(other.root)]) == 0
    assert run(["weights", "list", "--workspace", str(other.root), "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out.splitlines()[-1])["weights"]
    assert (listed["sha256"], listed["licence"]) == (added["sha256"], "CC BY-NC-ND 4.0")
    assert_has(other.root / "weights" / "lab.safetensors", weights_of("tiny_cnn"))


@pytest.mark.parametrize("change", ["weights", "name", "no pack"])
def test_a_pack_that_was_tampered_with_is_refused(
    added: dict[str, Any], workspace: Workspace, tmp_path: Path, change: str
) -> None:
    description = (workspace.root / "weights" / "lab.json").read_text(encoding="utf-8")
    content = (workspace.root / "weights" / "lab.safetensors").read_bytes()
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as packed:
        if change == "name":
            description = description.replace('"name": "lab"', '"name": "../lab"')
        if change != "no pack":
            packed.writestr("lab.json", description)
        packed.writestr("lab.safetensors", content[:-1] + b"x" if change == "weights" else content)
    other = Workspace.open(tmp_path / "other")
    assert run(["weights", "add", str(tmp_path / "pack.zip"), "--workspace", str(other.root)]) == 2
    assert not list((other.root / "weights").glob("*.safetensors"))


def test_without_a_network_it_can_not_be_known_what_fits(workspace: Workspace, tmp_path: Path) -> None:
    save_file(weights_of("tiny_cnn"), tmp_path / "w.safetensors")
    assert run(["weights", "add", str(tmp_path / "w.safetensors"), "--workspace", str(workspace.root)]) == 2


@pytest.mark.full
@pytest.mark.parametrize("name", ["test_vit", "test_convnext"])
def test_a_network_of_timm_is_trained_exported_and_explained_as_any_other(
    name: str, workspace: Workspace, small_config: Callable[..., Config], run_events: Callable[..., list[Event]]
) -> None:
    model = {"architecture": f"timm:{name}", "pretrained": "none", "use_cbam": False, "attention_pooling": False}
    config = small_config({"data": {"image_size": 64}, "model": model, "training": {"epochs": 1, "export_onnx": True}})
    (exported,) = [event for event in run_events(config) if isinstance(event, ExportComplete)]
    assert exported.max_difference is not None and exported.max_difference < 1e-4
    loaded = load_checkpoint(checkpoint_files(workspace, "run", "best"))
    assert loaded.manifest.architecture == f"timm:{name}"
    heat, _ = heat_maps(loaded.model, torch.randn(2, 3, 64, 64), torch.tensor([0, 1]))
    assert heat.shape == (2, 64, 64) and np.isfinite(heat).all()
