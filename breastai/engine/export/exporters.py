"""Writing a checkpoint in other formats, each proved to give the checkpoint's answers before it gets its name."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from breastai.domain.catalog import EXPORT_FORMATS, ExportFormat
from breastai.domain.decision_rule import NoveltyLimit
from breastai.domain.errors import (
    BreastAIError,
    ConfigInvalid,
    ExportFailed,
    ExportLosesAccuracy,
    ExportMismatch,
)
from breastai.domain.events import Event, ExportComplete, Log, ProgressUpdate
from breastai.domain.faults import describe_mismatch
from breastai.domain.jobs import Export
from breastai.domain.records import PairedFigure
from breastai.domain.text import Text
from breastai.engine.export.exported_graph import as_input, checkpoint_answer, compare, exported_graph, metadata
from breastai.engine.export.onnx_file import (
    answer_of,
    describe,
    quiet_exporter,
    reason_of,
    write_float16,
    write_float32,
)
from breastai.engine.export.quantize import SCOPES, cost, excessive, quantize
from breastai.engine.export.split_images import SplitImages, split_images
from breastai.engine.inference.evaluation_job import checkpoint_of
from breastai.engine.network.checkpoint_io import Loaded, load_checkpoint, save_tensors
from breastai.engine.network.models import build_model
from breastai.predictor.model_output import Answer
from breastai.predictor.onnx_model import OnnxModel
from breastai.predictor.reference_answers import reference_images, references_for
from breastai.predictor.unit_answers import decide_units
from breastai.storage.private_files import private_folder
from breastai.storage.workspace import Workspace, replace_durably, sync_file

_COMPARED_IMAGES = 16
_UNIT_IMAGES = 3
# Of integer models, whose single images differ by more: they are judged by what their figures lose.
_INTEGER_UNITS = 0.25
_CALIBRATION_IMAGES = 64
# Another processor may round an integer model elsewhere: what its replay may differ by.
_INTEGER_REPLAY_DIFFERENCE = 0.02
_INTEGER_REPLAY_NOVELTY = 0.2
# How far a novelty may be from the checkpoint's, relative: here at the export, on another processor, in half precision.
EXPORTED_NOVELTY = 1e-4
REPLAYED_NOVELTY = 1e-3
_HALF_NOVELTY = 0.05


@dataclass(frozen=True)
class Source:
    """What an export is made from: the checkpoint, images to compare on, and the phantoms whose answers it carries."""

    loaded: Loaded
    workspace: Workspace
    form: ExportFormat
    images: np.ndarray
    compared: Text | str
    phantoms: np.ndarray


def export_at_end(checkpoint: str, workspace: Workspace) -> Iterator[Event]:
    """Export the best epoch of a run that has reached its end to ONNX; a failure is told, and the run stays complete."""
    try:
        yield from export(Export(workspace=str(workspace.root), checkpoint=checkpoint, format="onnx"), workspace)
    except (BreastAIError, ModuleNotFoundError) as error:
        yield Log(
            level="warning",
            code="export.failed",
            message=f"The run is complete, but its best epoch could not be exported to ONNX: {error}",
            params={"reason": error.text if isinstance(error, BreastAIError) else str(error)},
        )


@dataclass(frozen=True)
class Written:
    """How far the written model is from the checkpoint, and on what they were compared."""

    difference: float
    compared: Text | str
    figures: dict[str, PairedFigure] = field(default_factory=dict)


def export(job: Export, workspace: Workspace) -> Iterator[Event]:
    """Export a checkpoint; raise ExportMismatch, and leave nothing behind, when the answers are not the same."""
    if job.format not in EXPORT_FORMATS:
        raise ConfigInvalid(
            [describe_mismatch("format", Text("expected.one_of", {"options": list(EXPORT_FORMATS)}), repr(job.format))]
        )
    yield ProgressUpdate(stage="exporting", text=Text("progress.loading_checkpoint"))
    loaded = load_checkpoint(checkpoint_of(workspace, job.checkpoint))
    source = source_of(loaded, workspace, EXPORT_FORMATS[job.format])
    form = source.form
    rule = loaded.manifest.unit_rule
    if rule is not None and not form.answers_units:
        yield Log.of("warning", Text("log.export.by_image", {"unit": Text(f"unit.{rule.unit}")}))
    target = workspace.exports_dir / form.folder / f"{loaded.manifest.run_id}_{loaded.manifest.kind}{form.suffix}"
    private_folder(target.parent)
    yield ProgressUpdate(stage="exporting", text=Text("progress.writing_format", {"format": job.format}))
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
        written = Path(folder) / target.name
        found = _WRITERS[job.format](source, written)
        for path in sorted(Path(folder).iterdir(), key=lambda path: path == written):
            sync_file(path)
            replace_durably(path, target.parent / path.name)
    yield ExportComplete(
        format=job.format,
        path=workspace.relative(target),
        size=round(target.stat().st_size / 1e6, 2),
        size_mb=round(target.stat().st_size / 1e6, 2),
        checkpoint=loaded.files.name,
        max_difference=found.difference,
        compared=found.compared,
        figures=found.figures,
    )


def source_of(loaded: Loaded, workspace: Workspace, form: ExportFormat) -> Source:
    """Gather what an export needs; phantoms stand in for validation images that are gone."""
    phantoms = reference_images(loaded.manifest.config.preprocessing, loaded.manifest.image_size)
    images = split_images(loaded, workspace, "val", _COMPARED_IMAGES).images
    compared = Text("reason.validation_images_phantoms", {"images": len(images), "phantoms": len(phantoms)})
    if not len(images):
        compared = Text("reason.phantoms_validation_images_gone", {"phantoms": len(phantoms)})
    return Source(loaded, workspace, form, np.concatenate([images, phantoms]), compared, phantoms)


def _described(
    source: Source,
    answer: Answer,
    allowed: float,
    allowed_novelty: float = 0.0,
    limit: NoveltyLimit | None = None,
) -> dict[str, object]:
    """Return the model's description; `answer` is for all images, the phantoms' last. No limit: no novelty is told."""
    form = source.form
    said = answer.last(len(source.phantoms))
    if limit is None:
        references = references_for(source.phantoms, Answer(said.probabilities), allowed)
    else:
        references = references_for(source.phantoms, said, allowed, allowed_novelty)
    return metadata(source.loaded, form.name, references, limit, form.answers_units)


def _write_float32(source: Source, path: Path) -> Answer:
    """Write the float32 ONNX model, described; return the checkpoint's answer on the compared images."""
    expected = checkpoint_answer(source.loaded, source.images)
    # Two images: a batch of one would be taken for fixed.
    limit = source.loaded.manifest.decision.novelty
    graph = exported_graph(source.loaded)
    write_float32(graph, as_input(source.images[:2]), path, graph.outputs)
    describe(path, _described(source, expected, 1e-4, REPLAYED_NOVELTY, limit))
    return expected


def _take_float32(source: Source, path: Path) -> Answer:
    """Give `path` the float32 model that others are made from: the one exported before, when it answers as it should."""
    before = path.parent.parent / path.name.replace(path.suffix, EXPORT_FORMATS["onnx"].suffix)
    try:
        exported = OnnxModel.open(before)
        expected = checkpoint_answer(source.loaded, source.images)
        if exported.metadata.checkpoint_sha256 == source.loaded.manifest.sha256:
            compare(expected, answer_of(exported, source.images), allowed_novelty=EXPORTED_NOVELTY)
            shutil.copyfile(before, path)
            return expected
    except BreastAIError:
        pass  # none, or not this one: it is written anew
    return _write_float32(source, path)


def _write_onnx(source: Source, path: Path) -> Written:
    expected = _write_float32(source, path)
    exported = OnnxModel.open(path)
    difference = compare(expected, answer_of(exported, source.images), allowed_novelty=EXPORTED_NOVELTY)
    difference = max(difference, _compare_unit(expected, exported, source.images))
    exported.verify()
    return Written(difference, source.compared)


def _compare_unit(expected: Answer, exported: OnnxModel, images: np.ndarray, allowed: float = 1e-4) -> float:
    """Return the worst difference of a unit's probability from that of the answers `expected` for `images`.

    Units are of one to three of the first images; raise ExportMismatch.
    """
    rule = exported.unit_rule
    if rule is None:
        return 0.0
    worst, count = 0.0, min(len(images), 3 * _UNIT_IMAGES)
    for size in range(1, _UNIT_IMAGES + 1):
        for start in range(0, count - size + 1, size):
            chosen = slice(start, start + size)
            one = expected.part(chosen)
            ours = decide_units(rule, one, np.zeros(size, np.int64), exported.class_names).probabilities[0]
            worst = max(worst, float(np.abs(ours - exported.answer_unit(images[chosen])[0]).max()))
    if not worst <= allowed:
        raise ExportMismatch(float(f"{worst:.3g}"), allowed, 0)
    return worst


def _float32_beside(source: Source, path: Path) -> Path:
    return path.with_name(path.name.removesuffix(source.form.suffix) + ".float32")


def _write_fp16(source: Source, path: Path) -> Written:
    allowed = source.form.allowed_difference or 0.0
    exact = _float32_beside(source, path)
    expected = _take_float32(source, exact)
    write_float16(exact, path)
    exact.unlink()
    limit = source.loaded.manifest.decision.novelty
    describe(path, _described(source, expected, allowed, _HALF_NOVELTY, limit))
    exported = OnnxModel.open(path)
    difference = compare(expected, answer_of(exported, source.images), allowed, _HALF_NOVELTY)
    difference = max(difference, _compare_unit(expected, exported, source.images, allowed))
    exported.verify()
    return Written(difference, source.compared)


def _write_int8(source: Source, path: Path) -> Written:
    """Write the integer model of the widest scope that loses little enough; raise ExportLosesAccuracy when none does."""
    judged, calibration = _judging_images(source)
    exact_path = _float32_beside(source, path)
    _take_float32(source, exact_path)
    exact_model = OnnxModel.open(exact_path)
    exact = answer_of(exact_model, judged.images)
    manifest = source.loaded.manifest
    limit = manifest.decision.novelty
    losses: list[str] = []
    compared = f"{len(judged)} validation images"
    for scope in SCOPES:
        quantize(exact_path, path, source.loaded.model.backbone, calibration.images, scope)
        describe(
            path,
            metadata(source.loaded, source.form.name, references_for(source.phantoms, exact.last(1), 1.0), limit, True),
        )
        rounded_model = OnnxModel.open(path)
        rounded = answer_of(rounded_model, judged.images)
        figures = cost(
            judged.labels, exact.probabilities, rounded.probabilities, manifest.class_names, manifest.decision
        )
        losses = excessive(figures)
        if not losses:
            said = answer_of(rounded_model, source.phantoms)
            moved = None if limit is None else _moved(limit, exact, rounded)
            described = _described(source, said, _INTEGER_REPLAY_DIFFERENCE, _INTEGER_REPLAY_NOVELTY, moved)
            describe(path, described | {"quantized": scope.name})
            final = OnnxModel.open(path)
            final.verify()
            _compare_unit(exact, final, judged.images, _INTEGER_UNITS)
            exact_path.unlink()
            return Written(
                float(np.abs(exact.probabilities - rounded.probabilities).max()), f"{compared}; {scope.name}", figures
            )
    raise ExportLosesAccuracy(source.form.name, compared, losses)


def _moved(limit: NoveltyLimit, exact: Answer, rounded: Answer) -> NoveltyLimit:
    """Return the limit for a rounded model: rounding takes features away from the known ones, so it moves as they do.

    By their upper tail: below it the image statistics, which nothing rounds, may be the larger distance.
    """
    assert exact.novelty is not None and rounded.novelty is not None
    before, after = (float(np.quantile(each, limit.quantile)) for each in (exact.novelty, rounded.novelty))
    return limit.model_copy(update={"limit": limit.limit * after / before})


def _judging_images(source: Source) -> tuple[SplitImages, SplitImages]:
    """Return validation images to judge on, and training images to calibrate on; raise ExportFailed without them."""
    judged = split_images(source.loaded, source.workspace, "val", 1000)
    calibration = split_images(source.loaded, source.workspace, "train", _CALIBRATION_IMAGES)
    if not len(judged) or not len(calibration):
        gone = "validation" if not len(judged) else "training"
        reason = f"it is calibrated on training images and judged on validation images, and the {gone} images are gone"
        raise ExportFailed(source.form.name, reason)
    return judged, calibration


def _write_pytorch(source: Source, path: Path) -> Written:
    """Write the weights and a readable description, and prove them by building the network anew."""
    loaded = source.loaded
    expected = checkpoint_answer(loaded, source.images)
    save_tensors(loaded.model.state_dict(), path)
    described = _described(source, expected, 1e-4) | {"model": loaded.manifest.config.model.model_dump(mode="json")}
    described_in = path.with_suffix(str(source.form.description_suffix))
    described_in.write_text(json.dumps(described, indent=1, ensure_ascii=False), encoding="utf-8")
    from safetensors.torch import load_file

    settings = loaded.manifest.config.model.model_copy(update={"pretrained": "none"})
    again = build_model(settings, len(loaded.manifest.class_names)).model.eval()
    again.load_state_dict(load_file(path))
    found = checkpoint_answer(Loaded(again, loaded.manifest, loaded.files), source.images)
    return Written(compare(expected, found), source.compared)


def _write_torch_export(source: Source, path: Path) -> Written:
    """Write an ExportedProgram, which needs torch and none of our code; its description lies inside."""
    expected = checkpoint_answer(source.loaded, source.images)
    described = {"breastai.json": json.dumps(_described(source, expected, 1e-4), ensure_ascii=False)}
    batch = torch.export.Dim("batch", min=1)
    try:
        with quiet_exporter():
            example = (as_input(source.images[:2]),)
            program = torch.export.export(
                exported_graph(source.loaded, novelty=False, units=False), example, dynamic_shapes=({0: batch},)
            )
            torch.export.save(program, path, extra_files=described)
            again = torch.export.load(path).module()
    except BreastAIError:
        raise
    except Exception as error:  # torch.export raises whatever its layers raise
        raise ExportFailed(source.form.name, reason_of(error)) from error
    with torch.inference_mode():
        found = np.concatenate([again(as_input(part)).numpy() for part in np.split(source.images, [1, 4])])
    return Written(compare(expected, Answer(found)), source.compared)


_WRITERS: Mapping[str, Callable[[Source, Path], Written]] = {
    "onnx": _write_onnx,
    "onnx-int8": _write_int8,
    "onnx-fp16": _write_fp16,
    "pytorch": _write_pytorch,
    "torch-export": _write_torch_export,
}
