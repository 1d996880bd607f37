"""Exports: the same answers, what they say of themselves, and refusal when they differ."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from breastai.clinical.apply_decision_rule import calibrate
from breastai.clinical.out_of_distribution import OutOfDistribution
from breastai.domain.catalog import EXPORT_FORMATS, RESEARCH_USE, ExportFormat
from breastai.domain.config import Config
from breastai.domain.errors import ConfigInvalid, ExportLosesAccuracy, ExportMismatch
from breastai.domain.events import Event, ExportComplete, Log
from breastai.domain.jobs import Export
from breastai.engine.export import exporters as export_module
from breastai.engine.export.exported_graph import as_input, checkpoint_answer, compare
from breastai.engine.export.exporters import export, source_of
from breastai.engine.inference.evaluation_job import AnsweringCheckpoint
from breastai.engine.network.checkpoint_io import load_checkpoint, pack_novelty, save_tensors
from breastai.engine.network.evaluation import forward
from breastai.engine.network.models import normalize
from breastai.engine.network.runtime import choose_runtime
from breastai.predictor.model_output import Answer
from breastai.predictor.onnx_model import OnnxModel
from breastai.predictor.reference_answers import reference_images
from breastai.storage.checkpoints import CheckpointFiles, find_checkpoint
from breastai.storage.workspace import Workspace


@pytest.fixture(scope="module")
def told(trained: Workspace, exported: ExportComplete) -> dict[str, ExportComplete]:
    """What was said of the export in each format; float32 first, from which others are made."""
    return {name: exported if name == "onnx" else export_as(trained, name) for name in EXPORT_FORMATS}


def test_a_run_stays_complete_when_its_export_fails(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(job: Export, workspace: Workspace) -> list[ExportComplete]:
        raise ExportMismatch(0.5, 1e-4, 3)

    monkeypatch.setattr(export_module, "export", refuse)
    (told,) = export_module.export_at_end("run/best", trained)
    assert isinstance(told, Log)
    assert (told.level, told.code) == ("warning", "export.failed")


def export_as(workspace: Workspace, form: str) -> ExportComplete:
    last = list(export(Export(workspace=str(workspace.root), checkpoint="run/best", format=form), workspace))[-1]
    assert isinstance(last, ExportComplete)
    return last


def files(workspace: Workspace) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in workspace.exports_dir.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", EXPORT_FORMATS.values(), ids=lambda form: form.name)
def test_every_format_of_the_catalog_is_written(
    trained: Workspace, told: dict[str, ExportComplete], form: ExportFormat
) -> None:
    done = told[form.name]
    assert (trained.root / done.path).is_file()
    assert done.path == f"exports/{form.folder}/run_best{form.suffix}"
    assert done.max_difference is not None
    assert form.allowed_difference is None or done.max_difference <= form.allowed_difference
    assert bool(done.figures) == (form.allowed_difference is None)


@pytest.mark.parametrize("name", ["onnx", "onnx-int8", "onnx-fp16"])
def test_an_exported_model_carries_references_that_it_reproduces(
    trained: Workspace, told: dict[str, ExportComplete], name: str
) -> None:
    model = OnnxModel.open(trained.root / told[name].path)
    found = model.verify()
    assert (found.count, found.same_images) == (16, True)
    assert model.metadata.format == name
    assert model.metadata.decision.operating_point is not None
    # Eight validation images: too few for plausible classes, and the file says of which.
    assert model.metadata.decision.conformal is None
    assert model.metadata.decision.too_few == ("benign", "malignant", "normal")


@pytest.mark.parametrize(("name", "apart"), [("onnx", 1e-4), ("onnx-fp16", 0.05), ("onnx-int8", 0.5)])
def test_an_exported_model_tells_the_checkpoint_s_novelty(
    trained: Workspace, told: dict[str, ExportComplete], name: str, apart: float
) -> None:
    model = OnnxModel.open(trained.root / told[name].path)
    loaded = load_checkpoint(find_checkpoint(trained, "run/best"))
    limit, own = model.decision.novelty, loaded.manifest.decision.novelty
    assert limit is not None and own is not None
    noise = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    found, expected = model.answer(noise).novelty, checkpoint_answer(loaded, noise).novelty
    assert found is not None and expected is not None
    # A rounded model's novelties and its limit move together.
    np.testing.assert_allclose(found / limit.limit, expected / own.limit, rtol=apart)


def test_a_checkpoint_whose_novelty_knows_no_image_statistics_still_opens_and_answers(
    trained: Workspace, tmp_path: Path
) -> None:
    loaded = load_checkpoint(find_checkpoint(trained, "run/best"))
    images = reference_images(loaded.manifest.config.preprocessing, 32, 4)
    rule, known = loaded.manifest.decision, loaded.novelty
    assert known is not None and known.statistics is not None and rule.novelty is not None
    limit = rule.novelty.model_copy(update={"parts": ()})
    kept = pack_novelty(OutOfDistribution(known.features, limit))
    assert set(kept) == {f"novelty.{name}" for name in ("mean", "directions", "variances", "rest")}
    save_tensors(loaded.model.state_dict() | kept, tmp_path / "before.safetensors")
    digest = hashlib.sha256((tmp_path / "before.safetensors").read_bytes()).hexdigest()
    text = loaded.manifest.model_copy(
        update={
            "decision": rule.model_copy(update={"novelty": limit}),
            "sha256": digest,
            "weights_file": "before.safetensors",
        }
    ).model_dump_json()
    assert '"parts":[]' in text
    (tmp_path / "before.json").write_text(text.replace(',"parts":[]', ""))
    before = load_checkpoint(CheckpointFiles("before", tmp_path / "before.safetensors", tmp_path / "before.json"))
    assert before.novelty is not None and before.novelty.statistics is None
    found = AnsweringCheckpoint(before, choose_runtime(before.manifest.config.system, use_amp=False)).answer(images)
    np.testing.assert_allclose(found.novelty, checkpoint_answer(before, images).novelty, rtol=1e-4)


def test_predictions_by_a_checkpoint_and_by_its_export_have_the_same_novelty(
    trained: Workspace, told: dict[str, ExportComplete]
) -> None:
    loaded = load_checkpoint(find_checkpoint(trained, "run/best"))
    checkpoint = AnsweringCheckpoint(loaded, choose_runtime(loaded.manifest.config.system, use_amp=False))
    exported = OnnxModel.open(trained.root / told["onnx"].path)
    colours = np.random.default_rng(0).integers(0, 256, (6, 1, 1, 3), np.uint8).repeat(32, 1).repeat(32, 2)
    for images in (reference_images(exported.preprocessing, 32, 4), colours):
        np.testing.assert_allclose(checkpoint.answer(images).novelty, exported.answer(images).novelty, rtol=1e-3)


@pytest.mark.full
def test_a_checkpoint_of_before_novelty_is_exported_without_it(trained: Workspace) -> None:
    loaded = load_checkpoint(find_checkpoint(trained, "run/best"))
    before = dataclasses.replace(
        loaded,
        novelty=None,
        manifest=loaded.manifest.model_copy(
            update={"decision": loaded.manifest.decision.model_copy(update={"novelty": None})}
        ),
    )
    path = trained.root / "before.onnx"
    export_module._write_onnx(source_of(before, trained, EXPORT_FORMATS["onnx"]), path)
    model = OnnxModel.open(path)
    assert [node.name for node in model.session.get_outputs()] == ["probabilities"]
    assert model.answer(np.zeros((1, 32, 32, 3), np.uint8)).novelty is None
    path.unlink()


@pytest.mark.full
def test_rounded_weights_make_smaller_files(
    small_config: Callable[..., Config], run_events: Any, workspace: Workspace
) -> None:
    run_events(small_config({"model": {"architecture": "tf_efficientnet_lite0"}, "training": {"epochs": 1}}))
    size = {form: export_as(workspace, form).size_mb for form in ("onnx", "onnx-fp16", "onnx-int8")}
    assert size["onnx-fp16"] < 0.6 * size["onnx"]
    assert size["onnx-int8"] < 0.4 * size["onnx"]


def test_an_exported_program_runs_without_our_code_and_says_what_it_is(
    trained: Workspace, told: dict[str, ExportComplete]
) -> None:
    extra = {"breastai.json": ""}
    program = torch.export.load(trained.root / told["torch-export"].path, extra_files=extra).module()
    loaded = load_checkpoint(find_checkpoint(trained, "run/best"))
    images = source_of(loaded, trained, EXPORT_FORMATS["torch-export"]).images[:5]
    with torch.inference_mode():
        found = program(as_input(images)).numpy()
    np.testing.assert_allclose(found, checkpoint_answer(loaded, images).probabilities, atol=1e-4)
    assert json.loads(extra["breastai.json"])["notice"] == RESEARCH_USE


def test_an_onnx_file_answers_as_its_checkpoint_and_says_what_it_is(
    trained: Workspace, told: dict[str, ExportComplete]
) -> None:
    path = trained.root / told["onnx"].path
    loaded = load_checkpoint(find_checkpoint(trained, "run/best"))
    source = source_of(loaded, trained, EXPORT_FORMATS["onnx"])
    assert str(source.compared) == f"{len(loaded.manifest.split.val)} validation images and 16 phantoms"
    for batch in (1, 3, 16):
        found = OnnxModel.open(path).answer(source.images[:batch])
        expected = checkpoint_answer(loaded, source.images[:batch])
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-4)
        assert found.novelty is not None and loaded.novelty is not None
        np.testing.assert_allclose(found.novelty, expected.novelty, rtol=1e-4)
    file = onnx.load(path)
    assert (file.ir_version, [domain.version for domain in file.opset_import]) == (8, [17])
    stored = {entry.key: entry.value for entry in file.metadata_props}
    assert stored["notice"] == RESEARCH_USE
    assert json.loads(stored["class_names"]) == ["benign", "malignant", "normal"]
    described = json.loads(stored["breastai"])
    assert described["checkpoint_sha256"] == loaded.manifest.sha256
    assert described["preprocessing"] == loaded.manifest.config.preprocessing.model_dump(mode="json")


def test_phantoms_stand_in_when_the_validation_images_are_gone(trained: Workspace) -> None:
    loaded = load_checkpoint(find_checkpoint(trained, "run/best"))
    gone = loaded.manifest.split.model_copy(update={"val": ["benign/gone.png"]})
    manifest = loaded.manifest.model_copy(update={"split": gone})
    found = source_of(type(loaded)(loaded.model, manifest, loaded.files), trained, EXPORT_FORMATS["onnx"])
    assert "the validation images are gone" in str(found.compared)
    assert found.images.shape == (16, 32, 32, 3)


@pytest.mark.full
def test_a_model_that_asks_the_mirror_image_too_does_so_in_its_export(
    workspace: Workspace, small_config: Callable[..., Config], run_events: Callable[..., list[Event]]
) -> None:
    run_events(small_config({"training": {"epochs": 1}, "evaluation": {"tta": True}}))
    model = OnnxModel.open(workspace.root / export_as(workspace, "onnx").path)
    loaded = load_checkpoint(find_checkpoint(workspace, "run/best"))
    manifest = loaded.manifest
    images = reference_images(manifest.config.preprocessing, manifest.image_size, count=5, seed=99)
    inputs = normalize(torch.from_numpy(images), tuple(manifest.mean), tuple(manifest.std))
    judged, _ = forward(loaded.model.eval(), inputs, tta=True)
    answers = calibrate(manifest.decision.calibration, judged.double().softmax(1).numpy())
    np.testing.assert_allclose(model.predict(images), answers, atol=1e-5)
    np.testing.assert_allclose(model.predict(images), model.predict(images[:, :, ::-1].copy()), atol=1e-5)
    single, _ = forward(loaded.model, inputs, tta=False)
    assert (judged.softmax(1) - single.softmax(1)).abs().max() > 1e-4


def test_an_export_that_disagrees_is_refused_and_leaves_nothing(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = export_module.checkpoint_answer
    before = files(trained)
    answers = iter([0.0, 0.01])
    monkeypatch.setattr(
        export_module, "checkpoint_answer", lambda *given: Answer(right(*given).probabilities + next(answers))
    )
    with pytest.raises(ExportMismatch, match=r"0\.01"):
        export_as(trained, "pytorch")
    assert files(trained) == before


def test_a_changed_decision_is_a_mismatch_however_small_the_difference() -> None:
    one, other = np.array([[0.500001, 0.499999]]), np.array([[0.499999, 0.500001]])
    with pytest.raises(ExportMismatch, match="decisions changed: 1"):
        compare(Answer(one), Answer(other))


def test_a_nan_is_a_mismatch() -> None:
    with pytest.raises(ExportMismatch):
        compare(Answer(np.array([[0.5, 0.5]])), Answer(np.array([[np.nan, 0.5]])))


def test_an_unknown_format_is_refused_by_name(trained: Workspace) -> None:
    with pytest.raises(ConfigInvalid, match="expected one of onnx, onnx-int8"):
        export_as(trained, "pickle")


def test_the_pytorch_export_is_safetensors_with_a_readable_description(
    trained: Workspace, told: dict[str, ExportComplete]
) -> None:
    path = trained.root / told["pytorch"].path
    loaded = load_checkpoint(find_checkpoint(trained, "run/best"))
    written = load_file(path)
    assert all(torch.equal(written[name], value) for name, value in loaded.model.state_dict().items())
    assert json.loads(Path(path.with_suffix(".json")).read_text(encoding="utf-8"))["notice"] == RESEARCH_USE


def test_an_int8_model_that_loses_too_much_is_refused_with_the_figures(
    trained: Workspace, told: dict[str, ExportComplete], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(trained)
    monkeypatch.setattr(export_module, "excessive", lambda figures: ["auc_roc.malignant 0.900 -> 0.600"])
    monkeypatch.setattr(export_module, "SCOPES", export_module.SCOPES[:1])
    with pytest.raises(ExportLosesAccuracy, match=r"validation images: auc_roc\.malignant 0\.900 -> 0\.600"):
        export_as(trained, "onnx-int8")
    assert files(trained) == before
