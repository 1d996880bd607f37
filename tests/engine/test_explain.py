"""Heat maps: Captum's Grad-CAM and gradients, the right place for every family, and gone when the weights are random."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam, LayerGradientXActivation
from PIL import Image
from torch import nn

from breastai.data.phantoms.phantom_dataset import phantom
from breastai.domain.catalog import ARCHITECTURES
from breastai.domain.config import ModelSettings
from breastai.domain.events import ExplanationsComplete, HeatMap, Prediction
from breastai.domain.jobs import Explain, Predict
from breastai.engine.inference.evaluation_job import predict
from breastai.engine.inference.heat_maps import explain, heat_maps, overlay_name
from breastai.engine.network.models import Classifier, build_model, finer_stage
from breastai.storage.workspace import Workspace

SIDE = 128
# One of each family, the smallest of it.
FAMILIES = {row.family: row for row in sorted(ARCHITECTURES.values(), key=lambda row: -row.parameters_m)}


def classifier(name: str, **settings: Any) -> Classifier:
    torch.manual_seed(0)
    values = {"architecture": name, "pretrained": "none", "attention_pooling": False} | settings
    return build_model(ModelSettings.model_validate(values), 2).model.eval()


def cued(place: tuple[int, int]) -> torch.Tensor:
    """A flat image with a square of texture in one corner, (1, 3, S, S)."""
    generator = torch.Generator().manual_seed(1)
    image = torch.zeros(1, 3, SIDE, SIDE)
    row, column = (place[0] * SIDE // 2, place[1] * SIDE // 2)
    half = SIDE // 2
    image[:, :, row : row + half, column : column + half] = 3 * torch.randn(1, 3, half, half, generator=generator)
    return image


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_map_that_shines_where_the_cue_is(family: str) -> None:
    """The classifier is made to answer to what tells the cued cells of the feature map from the others."""
    model = classifier(FAMILIES[family].name, use_cbam=False)
    image = cued((0, 1))
    with torch.no_grad():
        features = model.backbone(image)[0]  # (channels, 4, 4)
        cue = torch.zeros(features.shape[1:], dtype=torch.bool)
        cue[: cue.shape[0] // 2, cue.shape[1] // 2 :] = True
        model.head.weight.zero_()
        model.head.weight[1] = nn.functional.normalize(features[:, cue].mean(1) - features[:, ~cue].mean(1), dim=0)
    maps, _ = heat_maps(model, image, torch.tensor([1]))
    assert maps.shape == (1, SIDE, SIDE) and maps.dtype == np.float32
    assert maps.max() <= 1 and maps.min() >= 0
    half = SIDE // 2
    quarters = {
        (row, column): float(maps[0, row * half : (row + 1) * half, column * half : (column + 1) * half].sum())
        for row in (0, 1)
        for column in (0, 1)
    }
    assert max(quarters, key=lambda place: quarters[place]) == (0, 1), quarters


@pytest.mark.parametrize("settings", [{}, {"use_cbam": False}, {"attention_pooling": True}])
def test_the_map_is_captums_grad_cam_by_the_gradients_of_the_finer_map(settings: dict[str, Any]) -> None:
    model = classifier("tf_efficientnet_lite0", **settings)
    torch.manual_seed(2)
    for parameter in model.parameters():  # attention begins as if it were not there
        parameter.data += 0.02 * torch.randn_like(parameter)
    images = torch.randn(2, 3, SIDE, SIDE)
    classes = torch.tensor([0, 1])
    found, logits = heat_maps(model, images, classes)
    coarse = LayerGradCam(model, model.backbone).attribute(images, target=classes, relu_attributions=True)
    finer = LayerGradientXActivation(model, model.backbone.get_submodule("blocks.4")).attribute(images, target=classes)
    finer = finer.sum(1, keepdim=True).relu()
    assert coarse.shape[2:] == (4, 4) and finer.shape[2:] == (8, 8)

    def to_one(maps: torch.Tensor) -> torch.Tensor:
        return maps / maps.amax(dim=(2, 3), keepdim=True).clamp_min(1e-30)

    enlarged = [
        nn.functional.interpolate(to_one(each), size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        for each in (coarse, finer)
    ]
    both = enlarged[0] * enlarged[1]
    expected = to_one(torch.where(both.amax(dim=(2, 3), keepdim=True) > 0, both, enlarged[0]))
    np.testing.assert_allclose(found, expected[:, 0].detach().numpy(), atol=2e-4)
    torch.testing.assert_close(logits, model(images).detach(), atol=1e-4, rtol=1e-4)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_finer_map_has_twice_the_resolution_of_the_last(family: str) -> None:
    model = classifier(FAMILIES[family].name)
    name = finer_stage(model.backbone)
    assert (name is None) == (family == "convnext")
    if name is None:
        return
    sides: list[int] = []
    model.backbone.get_submodule(name).register_forward_hook(lambda *call: sides.append(call[2].shape[2]))
    with torch.no_grad():
        last = model.backbone(torch.zeros(1, 3, SIDE, SIDE))
    assert sides == [2 * last.shape[2]]


def test_random_weights_destroy_the_map() -> None:
    model = classifier("tf_efficientnet_lite0", pretrained="auto", use_cbam=False)
    with torch.no_grad():
        model.head.weight.normal_(generator=torch.Generator().manual_seed(3))
    drawn = phantom("malignant", np.random.default_rng(0), 224).astype(np.float32)
    image = torch.from_numpy((drawn - 127.5) / 127.5).expand(1, 3, 224, 224).contiguous()
    trained, _ = heat_maps(model, image, torch.tensor([1]))
    again, _ = heat_maps(model, image, torch.tensor([1]))
    assert np.array_equal(trained, again)
    for module in model.backbone.modules():
        if isinstance(module, nn.Conv2d):
            module.reset_parameters()
    randomised, _ = heat_maps(model, image, torch.tensor([1]))
    correlation = np.corrcoef(trained.ravel(), randomised.ravel())[0, 1] if randomised.std() else 0.0
    assert abs(correlation) < 0.5


def test_images_are_explained_and_bad_ones_have_their_reason(trained: Workspace, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a é.png")
    (tmp_path / "bad.png").write_bytes(b"")
    job = Explain(workspace=str(trained.root), checkpoint="run/best", images=[str(tmp_path)])
    first, second, last = explain(job, trained)
    assert isinstance(first, HeatMap) and first.path is not None and first.probabilities is not None
    assert first.explained_class == max(first.probabilities, key=lambda name: first.probabilities[name])
    with Image.open(trained.root / first.path) as overlay:
        assert overlay.size == (60, 40)
    assert isinstance(second, HeatMap) and str(second.error) == "the file is empty (0 bytes)"
    assert last == ExplanationsComplete(count=2, failed=1, folder="exports/heat_maps/run_best")


def test_what_predict_tells_of_an_image_s_pages_and_depth_explain_tells_too(trained: Workspace, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pages = [Image.fromarray(generator.integers(0, 256, (40 + page, 60), np.uint8)) for page in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60)).save(tmp_path / "deep.png")
    job = Explain(workspace=str(trained.root), checkpoint="run/best", images=[str(tmp_path)])
    told = {Path(event.file).name: event.notes for event in explain(job, trained) if isinstance(event, HeatMap)}
    answers = predict(Predict(workspace=job.workspace, checkpoint=job.checkpoint, images=job.images), trained)
    assert told == {Path(event.file).name: event.notes for event in answers if isinstance(event, Prediction)}
    assert "3 pages" in str(told["pages.tif"][0]) and "bits" in str(told["deep.png"][0])


def test_names_of_overlays_are_safe_and_differ_for_equal_stems() -> None:
    names = {overlay_name(name) for name in ("a/x.png", "b/x.png", "a/../../x.png", "é/ü.png", ".png")}
    assert len(names) == 5
    assert all(json.dumps(name).isascii() and "/" not in name and not name.startswith(".") for name in names)
