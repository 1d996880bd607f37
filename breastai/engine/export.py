"""Writing a checkpoint in other formats, each proved to give the checkpoint's answers before it gets its name."""

import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic_core import to_jsonable_python
from torch import Tensor, nn

import breastai
from breastai.clinical.decision import shift
from breastai.data.decode import read_image
from breastai.data.phantoms import phantom
from breastai.data.preprocess import preprocess
from breastai.domain.catalog import EXPORT_FORMATS, RESEARCH_USE
from breastai.domain.decision import Calibration
from breastai.domain.errors import BreastAIError, ConfigInvalid, ExportFailed, ExportMismatch
from breastai.domain.events import Event, ExportComplete, ProgressUpdate
from breastai.domain.jobs import Export
from breastai.engine.checkpoint_io import Loaded, load_checkpoint, save_tensors
from breastai.engine.judging import checkpoint_of
from breastai.engine.models import Classifier, build_model
from breastai.predictor.onnx_model import METADATA_KEY, OnnxModel
from breastai.storage.workspace import Workspace, replace_durably, sync_file

ALLOWED_DIFFERENCE = 1e-4  # of a probability
_COMPARED_IMAGES = 16
_PHANTOM_SEED = 7


class ExportedGraph(nn.Module):
    """What an exported model computes: RGB images 0..255, float32 (N, 3, S, S), to calibrated probabilities (N, C)."""

    scale: Tensor
    offset: Tensor
    shift: Tensor

    def __init__(self, model: Classifier, mean: list[float], std: list[float], calibration: Calibration) -> None:
        super().__init__()
        self.model = model
        shape = (1, -1, 1, 1)
        self.register_buffer("scale", torch.tensor([1 / (255 * value) for value in std]).view(shape))
        self.register_buffer("offset", torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).view(shape))
        self.register_buffer("shift", torch.tensor(shift(calibration), dtype=torch.float32))
        self.temperature = calibration.temperature

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images * self.scale + self.offset)
        return ((logits.log_softmax(1) + self.shift) / self.temperature).softmax(1)


def export(job: Export, workspace: Workspace) -> Iterator[Event]:
    """Export a checkpoint; raise ExportMismatch, and leave nothing behind, when the answers are not the same."""
    if job.format not in EXPORT_FORMATS:
        raise ConfigInvalid([f"format: expected one of {', '.join(EXPORT_FORMATS)}, got {job.format!r}"])
    yield ProgressUpdate(stage="exporting", message="Loading the checkpoint")
    loaded = load_checkpoint(checkpoint_of(workspace, job.checkpoint))
    images, compared = comparison_images(loaded, workspace)
    form = EXPORT_FORMATS[job.format]
    stem = f"{loaded.manifest.run_id}_{loaded.manifest.kind}"
    target = workspace.exports_dir / form.folder / f"{stem}{form.suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    yield ProgressUpdate(stage="exporting", message=f"Writing {job.format}")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
        written = Path(folder) / target.name
        difference = _WRITERS[job.format](loaded, written, images)
        for path in sorted(Path(folder).iterdir(), key=lambda path: path == written):
            sync_file(path)
            replace_durably(path, target.parent / path.name)
    yield ExportComplete(
        format=job.format,
        path=workspace.relative(target),
        size=round(target.stat().st_size / 1e6, 2),
        size_mb=round(target.stat().st_size / 1e6, 2),
        checkpoint=loaded.files.name,
        max_difference=difference,
        compared=compared,
    )


def comparison_images(loaded: Loaded, workspace: Workspace) -> tuple[np.ndarray, str]:
    """Return up to 16 preprocessed images, uint8 (N, S, S, 3), to compare two models on, and what they are.

    Validation images of the run, or phantoms when those are gone.
    """
    manifest = loaded.manifest
    data = manifest.config.data
    folders = [workspace.resolve(name) for name in (data.val_dir, data.train_dir) if name]
    images: list[np.ndarray] = []
    for file in manifest.split.val[:: max(1, len(manifest.split.val) // _COMPARED_IMAGES)][:_COMPARED_IMAGES]:
        path = next((folder / file for folder in folders if (folder / file).is_file()), None)
        try:
            if path is not None:
                images.append(preprocess(read_image(path), manifest.config.preprocessing, manifest.image_size))
        except BreastAIError:
            continue
    if images:
        return np.stack(images), f"{len(images)} validation images"
    generator = np.random.default_rng(_PHANTOM_SEED)
    kinds = ("benign", "malignant", "normal")
    drawn = [phantom(kinds[number % 3], generator, 256)[..., None] for number in range(_COMPARED_IMAGES)]
    phantoms = [preprocess(image, manifest.config.preprocessing, manifest.image_size) for image in drawn]
    return np.stack(phantoms), f"{len(phantoms)} phantoms (the validation images are gone)"


def exported_graph(loaded: Loaded) -> ExportedGraph:
    manifest = loaded.manifest
    return ExportedGraph(loaded.model, manifest.mean, manifest.std, manifest.decision.calibration).eval()


def as_input(images: np.ndarray) -> Tensor:
    """Return uint8 (N, S, S, 3) as the exported graph's input, float32 (N, 3, S, S) in 0..255."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous()


@torch.inference_mode()
def checkpoint_probabilities(loaded: Loaded, images: np.ndarray) -> np.ndarray:
    """Return the checkpoint's own probabilities, float32 (N, C)."""
    graph = exported_graph(loaded)
    answers = [graph(as_input(images[start : start + 4])).numpy() for start in range(0, len(images), 4)]
    return np.concatenate(answers)


def compare(expected: np.ndarray, found: np.ndarray) -> float:
    """Return the worst difference of a probability; raise ExportMismatch when it is too large or a decision changed."""
    difference = float(np.abs(expected - found).max())
    changed = int((expected.argmax(1) != found.argmax(1)).sum())
    if not difference <= ALLOWED_DIFFERENCE or changed:  # not <=: a NaN is a mismatch
        raise ExportMismatch(difference, ALLOWED_DIFFERENCE, changed)
    return difference


def metadata(loaded: Loaded) -> dict[str, Any]:
    """Return what an exported file says of itself."""
    manifest = loaded.manifest
    return {
        "notice": RESEARCH_USE,
        "breastai": breastai.__version__,
        "architecture": manifest.architecture,
        "class_names": manifest.class_names,
        "image_size": manifest.image_size,
        "preprocessing": manifest.config.preprocessing.model_dump(mode="json"),
        "input": "RGB, 0 to 255, float32, (N, 3, image_size, image_size); normalisation is part of the model",
        "output": "calibrated probabilities, float32, (N, classes)",
        "mean": manifest.mean,
        "std": manifest.std,
        "decision": to_jsonable_python(manifest.decision),
        "checkpoint": loaded.files.name,
        "checkpoint_sha256": manifest.sha256,
        "epoch": manifest.epoch,
        "metrics": {name: value for name, value in manifest.metrics.items() if isinstance(value, int | float)},
        "split": manifest.split.description,
        "pretrained": manifest.pretrained,
    }


def _write_onnx(loaded: Loaded, path: Path, images: np.ndarray) -> float:
    import onnx

    graph = exported_graph(loaded)
    program = onnx_program(
        graph, as_input(np.repeat(images[:1], 2, axis=0))
    )  # two: a batch of one would be taken for fixed
    program.save(path, include_initializers=True, external_data=False)
    model = onnx.load(path)
    described = {
        METADATA_KEY: json.dumps(metadata(loaded), ensure_ascii=False),
        "notice": RESEARCH_USE,
        "class_names": json.dumps(loaded.manifest.class_names, ensure_ascii=False),
    }
    onnx.helper.set_model_props(model, described)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    exported = OnnxModel.open(path)
    # One at a time and several at once: the batch is dynamic.
    singly = np.concatenate([exported.predict(images[number : number + 1]) for number in range(min(3, len(images)))])
    found = np.concatenate([singly, exported.predict(images[len(singly) :])]) if len(images) > 3 else singly
    return compare(checkpoint_probabilities(loaded, images), found)


def onnx_program(graph: nn.Module, example: Tensor) -> Any:
    """Return torch's ONNX program of `graph`, its batch dynamic; raise ExportFailed."""
    batch = torch.export.Dim("batch", min=1)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own deprecations are not the user's affair
            return torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                input_names=["images"],
                output_names=["probabilities"],
                dynamic_shapes={"images": {0: batch}},
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever its layers raise
        raise ExportFailed(
            "onnx", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        ) from error
    finally:
        logger.setLevel(level)


def _write_pytorch(loaded: Loaded, path: Path, images: np.ndarray) -> float:
    """Write the weights and a readable description, and prove them by building the network anew."""
    save_tensors(loaded.model.state_dict(), path)
    described = metadata(loaded) | {"model": loaded.manifest.config.model.model_dump(mode="json")}
    path.with_suffix(".json").write_text(json.dumps(described, indent=1, ensure_ascii=False), encoding="utf-8")
    from safetensors.torch import load_file

    settings = loaded.manifest.config.model.model_copy(update={"pretrained": "none"})
    again = build_model(settings, len(loaded.manifest.class_names)).model.eval()
    again.load_state_dict(load_file(path))
    found = checkpoint_probabilities(Loaded(again, loaded.manifest, loaded.files), images)
    return compare(checkpoint_probabilities(loaded, images), found)


_WRITERS: Mapping[str, Callable[[Loaded, Path, np.ndarray], float]] = {
    "onnx": _write_onnx,
    "pytorch": _write_pytorch,
}
