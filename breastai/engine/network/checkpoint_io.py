"""Networks and training state to and from checkpoints: tensors in safetensors, all else in the manifest's JSON."""

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from breastai.clinical.out_of_distribution import Gaussian, OutOfDistribution
from breastai.domain.decision_rule import NoveltyLimit
from breastai.domain.errors import CheckpointDamaged
from breastai.domain.text import Text
from breastai.engine.network.attention_pooling import AttentionPooling
from breastai.engine.network.models import Classifier, build_model
from breastai.storage.checkpoints import CheckpointFiles, Manifest, verify_checkpoint

_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
_WINDOWS_DISK_FULL = (39, 112)
# Before the names of tensors that are not the network's but of how unlike the validation images an image is.
_NOVELTY = "novelty."
_STATISTICS = "novelty.statistics."
# And of those that weigh the images of a breast, an exam or a patient.
_ATTENTION = "unit_attention."


@dataclass(frozen=True)
class Loaded:
    """A network from a checkpoint, in evaluation mode, with what its manifest says of it.

    `novelty`: None in checkpoints of versions or of cases too few to tell which images are unlike the known ones.
    `attention`: what pools the images of a unit, where its rule does so by attention.
    """

    model: Classifier
    manifest: Manifest
    files: CheckpointFiles
    novelty: OutOfDistribution | None = None
    attention: AttentionPooling | None = None


def load_checkpoint(files: CheckpointFiles) -> Loaded:
    """Return the network of a checkpoint, its hash verified first; raise CheckpointDamaged."""
    manifest = verify_checkpoint(files)
    settings = manifest.config.model.model_copy(update={"pretrained": "none"})
    model = build_model(settings, len(manifest.class_names), image_size=manifest.image_size).model
    load_weights(model, files)
    model.eval()
    limit = manifest.decision.novelty
    novelty = None if limit is None else _unpack_novelty(files, limit)
    return Loaded(model, manifest, files, novelty, _unpack_attention(files, manifest, model))


def load_weights(model: nn.Module, files: CheckpointFiles) -> None:
    """Fill `model` from the weights of a verified checkpoint; raise CheckpointDamaged when they do not fit."""
    values = {
        name: value for name, value in load_file(files.weights).items() if not name.startswith((_NOVELTY, _ATTENTION))
    }
    try:
        model.load_state_dict(values)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise CheckpointDamaged(files.name, Text("reason.weights_do_not_fit", {"first": first})) from None


def pack_novelty(novelty: OutOfDistribution | None) -> dict[str, Tensor]:
    """Return the tensors that a checkpoint keeps of it, to lie beside its weights."""
    if novelty is None:
        return {}
    packed = _packed(_NOVELTY, novelty.features)
    del packed[f"{_NOVELTY}scale"]  # ones: features have length 1
    return packed if novelty.statistics is None else packed | _packed(_STATISTICS, novelty.statistics)


def pack_attention(attention: AttentionPooling | None) -> dict[str, Tensor]:
    """Return the tensors that a checkpoint keeps of it, to lie beside its weights."""
    return {} if attention is None else {_ATTENTION + name: value for name, value in attention.state_dict().items()}


def _unpack_attention(files: CheckpointFiles, manifest: Manifest, model: Classifier) -> AttentionPooling | None:
    if manifest.unit_rule is None or manifest.unit_rule.pooling.rule != "attention":
        return None
    attention = AttentionPooling(model.head.in_features, len(manifest.class_names))
    try:
        with safe_open(files.weights, "pt") as opened:
            attention.load_state_dict({name: opened.get_tensor(_ATTENTION + name) for name in attention.state_dict()})
    except (SafetensorError, RuntimeError):
        raise CheckpointDamaged(files.name, Text("reason.manifest_promises_attention_weights")) from None
    return attention.eval()


def _packed(before: str, gaussian: Gaussian) -> dict[str, Tensor]:
    parts = {name: torch.from_numpy(getattr(gaussian, name)) for name in ("mean", "scale", "directions", "variances")}
    return {before + name: tensor for name, tensor in parts.items()} | {f"{before}rest": torch.tensor([gaussian.rest])}


def _unpack_novelty(files: CheckpointFiles, limit: NoveltyLimit) -> OutOfDistribution:
    try:
        with safe_open(files.weights, "numpy") as opened:
            mean, directions, variances, rest = (
                opened.get_tensor(_NOVELTY + name) for name in ("mean", "directions", "variances", "rest")
            )
            features = Gaussian(mean, np.ones_like(mean), directions, variances, float(rest[0]))
            if not limit.parts:
                return OutOfDistribution(features, limit)
            mean, scale, directions, variances, rest = (
                opened.get_tensor(_STATISTICS + name) for name in ("mean", "scale", "directions", "variances", "rest")
            )
    except SafetensorError:
        raise CheckpointDamaged(files.name, Text("reason.manifest_promises_novelty_weights")) from None
    return OutOfDistribution(features, limit, Gaussian(mean, scale, directions, variances, float(rest[0])))


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write named tensors; those sharing memory or not contiguous are copied first. Raises OSError."""
    try:
        save_file({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, path)
    except SafetensorError as error:  # it hides the system's reason in its text
        found = _SYSTEM_ERROR.search(str(error))
        if found is None:
            raise
        number = errno.ENOSPC if os.name == "nt" and int(found[1]) in _WINDOWS_DISK_FULL else int(found[1])
        raise OSError(number, os.strerror(number), str(path)) from error


def load_tensors(path: Path) -> dict[str, Tensor]:
    return load_file(path)


def pack_optimizer(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the optimiser's state as named tensors and plain values."""
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for number, values in state["state"].items():
        for key, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{number}.{key}"] = value
            elif value is not None:
                plain.setdefault(str(number), {})[key] = value
    groups = [{key: value for key, value in group.items() if _is_plain(value)} for group in state["param_groups"]]
    return tensors, {"state": plain, "param_groups": groups}


def unpack_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    """Give the optimiser back the state `pack_optimizer` took from one of the same shape."""
    state: dict[int, dict[str, Any]] = {int(number): dict(values) for number, values in plain["state"].items()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = laid_out_as(parameters[int(number)], value)
    current = optimizer.state_dict()["param_groups"]
    groups = [{**now, **then} for now, then in zip(current, plain["param_groups"], strict=True)]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """Return `value` in the parameter's memory layout and on its device; one of another shape as it is."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def versions() -> dict[str, str]:
    """Return the versions of what decides a run's numbers."""
    import cv2
    import numpy
    import timm

    import breastai

    return {
        "breastai": breastai.__version__,
        "torch": torch.__version__,
        "timm": timm.__version__,
        "numpy": numpy.__version__,
        "opencv": cv2.__version__,
    }
