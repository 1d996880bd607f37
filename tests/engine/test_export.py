"""Exports: the same answers, what they say of themselves, and refusal when they differ."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from breastai.domain.catalog import EXPORT_FORMATS, RESEARCH_USE
from breastai.domain.config import Config
from breastai.domain.errors import ConfigInvalid, ExportMismatch
from breastai.domain.events import Event, ExportComplete
from breastai.domain.jobs import Export
from breastai.engine import export as export_module
from breastai.engine.checkpoint_io import load_checkpoint
from breastai.engine.export import checkpoint_probabilities, compare, comparison_images, export
from breastai.predictor.onnx_model import OnnxModel
from breastai.storage.checkpoints import find_checkpoint
from breastai.storage.workspace import Workspace


@pytest.fixture
def trained(
    run_events: Callable[..., list[Event]], small_config: Callable[..., Config], workspace: Workspace
) -> Workspace:
    run_events(small_config({"training": {"epochs": 1}}))
    return workspace


def exported(workspace: Workspace, form: str) -> ExportComplete:
    last = list(export(Export(workspace=str(workspace.root), checkpoint="run/best", format=form), workspace))[-1]
    assert isinstance(last, ExportComplete)
    return last


def test_every_format_of_the_catalog_is_written(trained: Workspace) -> None:
    for form in EXPORT_FORMATS.values():
        told = exported(trained, form.name)
        assert (trained.root / told.path).is_file()
        assert told.path == f"exports/{form.folder}/run_best{form.suffix}"
        assert told.max_difference is not None
        assert told.max_difference <= 1e-4


def test_an_onnx_file_answers_as_its_checkpoint_and_says_what_it_is(trained: Workspace) -> None:
    path = trained.root / exported(trained, "onnx").path
    loaded = load_checkpoint(find_checkpoint(trained, "run/best"))
    images, compared = comparison_images(loaded, trained)
    assert "validation images" in compared
    found = OnnxModel.open(path).predict(images)
    np.testing.assert_allclose(found, checkpoint_probabilities(loaded, images), atol=1e-4)
    stored = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert stored["notice"] == RESEARCH_USE
    assert json.loads(stored["class_names"]) == ["benign", "malignant", "normal"]
    described = json.loads(stored["breastai"])
    assert described["checkpoint_sha256"] == loaded.manifest.sha256
    assert described["preprocessing"] == loaded.manifest.config.preprocessing.model_dump(mode="json")


def test_phantoms_stand_in_when_the_validation_images_are_gone(trained: Workspace) -> None:
    loaded = load_checkpoint(find_checkpoint(trained, "run/best"))
    gone = loaded.manifest.split.model_copy(update={"val": ["benign/gone.png"]})
    manifest = loaded.manifest.model_copy(update={"split": gone})
    images, compared = comparison_images(type(loaded)(loaded.model, manifest, loaded.files), trained)
    assert "phantoms" in compared
    assert images.shape == (16, 32, 32, 3)


def test_an_export_that_disagrees_is_refused_and_leaves_nothing(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = export_module.checkpoint_probabilities
    monkeypatch.setattr(export_module, "checkpoint_probabilities", lambda *given: right(*given) + 0.01)
    with pytest.raises(ExportMismatch, match=r"0\.01"):
        exported(trained, "onnx")
    assert not [path for path in trained.exports_dir.rglob("*") if path.is_file()]


def test_a_changed_decision_is_a_mismatch_however_small_the_difference() -> None:
    one, other = np.array([[0.500001, 0.499999]]), np.array([[0.499999, 0.500001]])
    with pytest.raises(ExportMismatch, match="1 decisions changed"):
        compare(one, other)


def test_a_nan_is_a_mismatch() -> None:
    with pytest.raises(ExportMismatch):
        compare(np.array([[0.5, 0.5]]), np.array([[np.nan, 0.5]]))


def test_an_unknown_format_is_refused_by_name(trained: Workspace) -> None:
    with pytest.raises(ConfigInvalid, match="expected one of onnx, pytorch"):
        exported(trained, "pickle")


def test_the_pytorch_export_is_safetensors_with_a_readable_description(trained: Workspace) -> None:
    path = trained.root / exported(trained, "pytorch").path
    loaded = load_checkpoint(find_checkpoint(trained, "run/best"))
    written = load_file(path)
    assert all(torch.equal(written[name], value) for name, value in loaded.model.state_dict().items())
    assert json.loads(Path(path.with_suffix(".json")).read_text(encoding="utf-8"))["notice"] == RESEARCH_USE
