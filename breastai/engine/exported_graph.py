"""What every export computes and says of itself: the graph from images to calibrated probabilities, and its description."""

import hashlib
from typing import Any

import numpy as np
import torch
from pydantic_core import to_jsonable_python
from torch import Tensor, nn

import breastai
from breastai.clinical.decision import shift
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.decision import Calibration
from breastai.domain.errors import ExportMismatch
from breastai.engine.checkpoint_io import Loaded
from breastai.engine.models import Classifier
from breastai.predictor.references import References

_BATCH = 4


class ExportedGraph(nn.Module):
    """What an exported model computes: RGB images 0..255, float32 (N, 3, S, S), to calibrated probabilities (N, C).

    `tta`: the mean of the log-probabilities for the image and its mirror image, as in evaluation.
    """

    scale: Tensor
    offset: Tensor
    shift: Tensor

    def __init__(
        self, model: Classifier, mean: list[float], std: list[float], calibration: Calibration, tta: bool = False
    ) -> None:
        super().__init__()
        self.model = model
        shape = (1, -1, 1, 1)
        self.register_buffer("scale", torch.tensor([1 / (255 * value) for value in std]).view(shape))
        self.register_buffer("offset", torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).view(shape))
        self.register_buffer("shift", torch.tensor(shift(calibration), dtype=torch.float32))
        self.temperature = calibration.temperature
        self.tta = tta

    def forward(self, images: Tensor) -> Tensor:
        inputs = images * self.scale + self.offset
        logarithms: Tensor = self.model(inputs).log_softmax(1)
        if self.tta:
            # The mean of two logarithms needs its softmax anew.
            logarithms = ((logarithms + self.model(inputs.flip(3)).log_softmax(1)) / 2).log_softmax(1)
        return ((logarithms + self.shift) / self.temperature).softmax(1)


def exported_graph(loaded: Loaded) -> ExportedGraph:
    manifest = loaded.manifest
    calibration, tta = manifest.decision.calibration, manifest.config.evaluation.tta
    return ExportedGraph(loaded.model, manifest.mean, manifest.std, calibration, tta).eval()


def as_input(images: np.ndarray) -> Tensor:
    """Return uint8 (N, S, S, 3) as the exported graph's input, float32 (N, 3, S, S) in 0..255."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous()


@torch.inference_mode()
def checkpoint_probabilities(loaded: Loaded, images: np.ndarray) -> np.ndarray:
    """Return the checkpoint's own probabilities, float32 (N, C)."""
    graph = exported_graph(loaded)
    answers = [graph(as_input(images[start : start + _BATCH])).numpy() for start in range(0, len(images), _BATCH)]
    return np.concatenate(answers)


def compare(expected: np.ndarray, found: np.ndarray, allowed: float = 1e-4) -> float:
    """Return the worst difference of a probability; raise ExportMismatch when it is too large or a decision changed."""
    difference = float(np.abs(expected - found).max())
    changed = int((expected.argmax(1) != found.argmax(1)).sum())
    if not difference <= allowed or changed:  # not <=: a NaN is a mismatch
        raise ExportMismatch(float(f"{difference:.3g}"), allowed, changed)
    return difference


def metadata(loaded: Loaded, form: str, references: References) -> dict[str, Any]:
    """Return what an exported file says of itself."""
    manifest = loaded.manifest
    return {
        "notice": RESEARCH_USE,
        "breastai": breastai.__version__,
        "format": form,
        "architecture": manifest.architecture,
        "class_names": manifest.class_names,
        "image_size": manifest.image_size,
        "preprocessing": manifest.config.preprocessing.model_dump(mode="json"),
        "input": "RGB, 0 to 255, float32, (N, 3, image_size, image_size); normalisation is part of the model",
        "output": "calibrated probabilities, float32, (N, classes)",
        "mean": manifest.mean,
        "std": manifest.std,
        "tta": manifest.config.evaluation.tta,
        "decision": to_jsonable_python(manifest.decision),
        "checkpoint": loaded.files.name,
        "checkpoint_sha256": manifest.sha256,
        "data_sha256": data_sha256(loaded),
        "epoch": manifest.epoch,
        "metrics": {name: value for name, value in manifest.metrics.items() if isinstance(value, int | float)},
        "split": manifest.split.description,
        "pretrained": manifest.pretrained,
        "references": references.model_dump(mode="json"),
    }


def data_sha256(loaded: Loaded) -> str:
    """Return one hash of all images the model learnt from and was chosen by: of their own hashes, in order."""
    split = loaded.manifest.split
    parts = (f"{part} {digest}" for part in ("train", "val") for digest in sorted(getattr(split, f"{part}_sha256")))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
