"""What every export computes and says of itself: the graph from images to probabilities and novelty, and its description."""

import hashlib
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import breastai
from breastai.clinical.apply_decision_rule import shift
from breastai.clinical.out_of_distribution import Gaussian, OutOfDistribution
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.decision_rule import Calibration, NoveltyLimit
from breastai.domain.errors import ExportMismatch
from breastai.domain.unit_rule import UnitRule
from breastai.engine.export.unit_layer import UnitLayer
from breastai.engine.image_statistics import image_statistics
from breastai.engine.network.checkpoint_io import Loaded
from breastai.engine.network.models import Classifier
from breastai.predictor.model_output import Answer, join_outputs, novelty_difference
from breastai.predictor.onnx_model import EVIDENCE_NAME, NOVELTY_NAME, OUTPUT_NAME, UNIT_NAME, WEIGHTS_NAME
from breastai.predictor.reference_answers import References
from breastai.storage.checkpoints import Manifest

_BATCH = 4
_UNIT_OUTPUT = (
    "outputs unit_probabilities, float32, (1, classes), calibrated: all images of the batch as one breast, exam or patient;"
    " unit_weights, float32, (N,): the share of each; unit_evidence: what pooling needs of each image"
)


class GaussianLayer(nn.Module):
    """`Gaussian.distance` in torch: rows (N, D) to the distance of each, (N,), in float32.

    Products are summed up element by element: converters take a matrix product for a layer whose weights to round.
    """

    mean: Tensor
    scale: Tensor
    directions: Tensor
    deviations: Tensor

    def __init__(self, gaussian: Gaussian) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(gaussian.mean))
        self.register_buffer("scale", torch.from_numpy(gaussian.scale))
        self.register_buffer("directions", torch.from_numpy(gaussian.directions))
        self.register_buffer("deviations", torch.from_numpy(gaussian.variances).sqrt())
        self.rest_deviation = math.sqrt(gaussian.rest)

    def forward(self, rows: Tensor) -> Tensor:
        centred = (rows - self.mean) / self.scale
        along = (centred.unsqueeze(1) * self.directions).sum(2)  # (N, 1, D) * (K, D) -> (N, K)
        across = centred - (along.unsqueeze(2) * self.directions).sum(1)  # -> (N, D)
        # Deviations before squares: the squares of a small one would leave float32.
        squares = (along / self.deviations).square().sum(1) + (across / self.rest_deviation).square().sum(1)
        return (squares / rows.shape[1]).sqrt()


class NoveltyLayer(nn.Module):
    """`Novelty.of` in torch: features (N, D) and image statistics (N, E) to how unlike the validation images each is, (N,)."""

    def __init__(self, novelty: OutOfDistribution) -> None:
        super().__init__()
        self.features = GaussianLayer(novelty.features)
        self.statistics = None if novelty.statistics is None else GaussianLayer(novelty.statistics)
        self.parts = novelty.limit.parts

    def forward(self, features: Tensor, statistics: Tensor | None) -> Tensor:
        length = features.square().sum(1, keepdim=True).sqrt().clamp_min(torch.finfo(torch.float32).tiny)
        distance: Tensor = self.features(features / length)
        if self.statistics is None or statistics is None:
            return distance
        return torch.maximum(distance / self.parts[0], self.statistics(statistics) / self.parts[1])


class ExportedGraph(nn.Module):
    """What an exported model computes: RGB images 0..255, float32 (N, 3, S, S), to calibrated probabilities (N, C).

    `tta`: the mean of the log-probabilities for the image and its mirror image, as in evaluation. With `novelty` the
    second output is the novelty (N,), of the image itself. With `units` the last three are what `UnitLayer` returns, of all
    images as one unit.
    """

    scale: Tensor
    offset: Tensor
    shift: Tensor

    def __init__(
        self,
        model: Classifier,
        mean: list[float],
        std: list[float],
        calibration: Calibration,
        tta: bool = False,
        novelty: OutOfDistribution | None = None,
        units: UnitLayer | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.units = units
        shape = (1, -1, 1, 1)
        self.register_buffer("scale", torch.tensor([1 / (255 * value) for value in std]).view(shape))
        self.register_buffer("offset", torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).view(shape))
        self.register_buffer("shift", torch.tensor(shift(calibration), dtype=torch.float32))
        self.temperature = calibration.temperature
        self.tta = tta
        self.novelty = None if novelty is None else NoveltyLayer(novelty)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what it returns."""
        of_units = () if self.units is None else (EVIDENCE_NAME, UNIT_NAME, WEIGHTS_NAME)
        return (OUTPUT_NAME, *(() if self.novelty is None else (NOVELTY_NAME,)), *of_units)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        # First: what comes before the first layer stays in float32 when a copy is rounded.
        known = self.novelty is not None and self.novelty.statistics is not None
        statistics = image_statistics(images) if known else None
        inputs = images * self.scale + self.offset
        features = self.model.features(inputs)
        logarithms: Tensor = self.model.head_logits(features).log_softmax(1)
        if self.tta:
            # The mean of two logarithms needs its softmax anew.
            logarithms = ((logarithms + self.model(inputs.flip(3)).log_softmax(1)) / 2).log_softmax(1)
        probabilities = ((logarithms + self.shift) / self.temperature).softmax(1)
        # Last: what follows the classifier stays in float32 when a copy is rounded.
        found = (probabilities,) if self.novelty is None else (probabilities, self.novelty(features, statistics))
        if self.units is not None:
            found = (*found, *self.units(logarithms, features))
        return found[0] if len(found) == 1 else found


def exported_graph(loaded: Loaded, novelty: bool = True, units: bool = True) -> ExportedGraph:
    """Return the graph of a checkpoint; novelty and units are left out where there are none or they are not wanted."""
    manifest = loaded.manifest
    calibration, tta = manifest.decision.calibration, manifest.config.evaluation.tta
    known = loaded.novelty if novelty else None
    rule = manifest.unit_rule if units else None
    layer = None if rule is None else UnitLayer(rule, manifest.class_names, loaded.attention)
    return ExportedGraph(loaded.model, manifest.mean, manifest.std, calibration, tta, known, layer).eval()


def as_input(images: np.ndarray) -> Tensor:
    """Return uint8 (N, S, S, 3) as the exported graph's input, float32 (N, 3, S, S) in 0..255."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous()


@torch.inference_mode()
def checkpoint_answer(loaded: Loaded, images: np.ndarray) -> Answer:
    """Return the checkpoint's own answer, float32: probabilities (N, C), and novelty (N,) where it keeps one."""
    graph = exported_graph(loaded)
    parts: list[Answer] = []
    for start in range(0, len(images), _BATCH):
        found = graph(as_input(images[start : start + _BATCH]))
        outputs = dict(zip(graph.outputs, found if isinstance(found, tuple) else (found,), strict=True))
        named = [outputs.get(name) for name in (OUTPUT_NAME, NOVELTY_NAME, EVIDENCE_NAME)]
        parts.append(Answer(*(None if output is None else output.numpy() for output in named)))  # type: ignore[arg-type]
    return join_outputs(parts)


def compare(expected: Answer, found: Answer, allowed: float = 1e-4, allowed_novelty: float | None = None) -> float:
    """Return the worst difference of a probability; raise ExportMismatch when it is too large or a decision changed.

    `allowed_novelty`: how far novelties may be apart, relative; None: they are not looked at.
    """
    difference = float(np.abs(expected.probabilities - found.probabilities).max())
    changed = int((expected.probabilities.argmax(1) != found.probabilities.argmax(1)).sum())
    apart = None if allowed_novelty is None else novelty_difference(expected, found)
    if apart is not None and allowed_novelty is not None and not apart <= allowed_novelty:
        raise ExportMismatch(float(f"{apart:.3g}"), allowed_novelty, changed)
    if not difference <= allowed or changed:  # not <=: a NaN is a mismatch
        raise ExportMismatch(float(f"{difference:.3g}"), allowed, changed)
    return difference


def metadata(
    loaded: Loaded, form: str, references: References, limit: NoveltyLimit | None = None, units: bool = False
) -> dict[str, Any]:
    """Return what an exported file says of itself; `limit`: of the novelty, `units`: of these, where its graph tells them."""
    manifest = loaded.manifest
    unit_rule = _moved_with(limit, manifest) if units else None
    adapted = manifest.adapted_from
    fitted = "validation images" if adapted is None else "local sample that adapted the model"
    return {
        "notice": RESEARCH_USE,
        "metadata_format": 1,
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
        "novelty": f"a second output, float32, (N,): how unlike the {fitted}" if limit else None,
        "unit_output": _UNIT_OUTPUT if unit_rule is not None else None,
        "unit_rule": None if unit_rule is None else unit_rule.model_dump(mode="json"),
        "decision": manifest.decision.model_copy(update={"novelty": limit}).model_dump(mode="json"),
        "checkpoint": loaded.files.name,
        "checkpoint_sha256": manifest.sha256,
        "data_sha256": data_sha256(loaded),
        "epoch": manifest.epoch,
        "metrics": {name: value for name, value in manifest.metrics.items() if isinstance(value, int | float)},
        "split": str(manifest.split.description),
        "pretrained": manifest.pretrained,
        "weights": None if manifest.weights is None else manifest.weights.model_dump(mode="json"),
        "adapted_from": None if adapted is None else adapted.without_hashes().model_dump(mode="json"),
        "references": references.model_dump(mode="json"),
    }


def _moved_with(limit: NoveltyLimit | None, manifest: Manifest) -> UnitRule | None:
    """Return the rule of units, its limit of novelty moved as that of images is in a rounded graph."""
    rule, own = manifest.unit_rule, manifest.decision.novelty
    if rule is None or rule.decision.novelty is None:
        return rule
    of_units = rule.decision.novelty
    moved = None
    if limit is not None and own is not None:
        moved = of_units.model_copy(update={"limit": of_units.limit * limit.limit / own.limit})
    return rule.model_copy(update={"decision": rule.decision.model_copy(update={"novelty": moved})})


def data_sha256(loaded: Loaded) -> str:
    """Return one hash of all images the model learnt from and was chosen by: of their own hashes, in order."""
    split = loaded.manifest.split
    parts = [f"{part} {digest}" for part in ("train", "val") for digest in sorted(getattr(split, f"{part}_sha256"))]
    adapted = loaded.manifest.adapted_from
    parts += [] if adapted is None else [f"sample {digest}" for digest in sorted(adapted.used_sha256)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
