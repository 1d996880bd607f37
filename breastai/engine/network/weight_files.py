"""Files of pretrained weights: safetensors, or tensors that PyTorch pickled; read without running anything in them."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from breastai.domain.catalog import Architecture
from breastai.domain.errors import PathNotFound, WeightsInvalid, WeightsMismatch
from breastai.domain.text import Text
from breastai.domain.weights_record import WeightsDescription
from breastai.engine.network.feature_map import create_backbone
from breastai.engine.network.weight_names import NamedWeights, name_weights
from breastai.storage.private_files import file_sha256
from breastai.storage.weights_folder import keep_weights
from breastai.storage.workspace import Workspace

_PICKLED = (b"PK\x03\x04", b"\x80")  # a zip, as PyTorch writes them since 1.6, or a plain pickle


def read_tensors(path: Path) -> Mapping[str, Any]:
    """Return what a file of weights holds; raise PathNotFound or WeightsInvalid.

    Of a pickle only tensors and plain values are unpacked: anything that could run code is refused.
    """
    if not path.is_file():
        missing = PathNotFound(str(path))
        missing.about = "model.weights_file"
        raise missing
    with path.open("rb") as stream:
        start = stream.read(4)
    if not start.startswith(_PICKLED):
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise WeightsInvalid(str(path), Text("reason.not_safetensors_file", {"error": str(error)})) from None
    try:
        with warnings.catch_warnings(action="ignore"):  # of a protocol that is newer than usual
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of a broken file the unpickler stumbles over anything
        if type(error).__name__ == "UnpicklingError":
            raise WeightsInvalid(str(path), Text("reason.holds_code")) from None
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsInvalid(str(path), Text("reason.not_pytorch_file", {"error": said[:200]})) from None
    if not isinstance(content, Mapping):
        raise WeightsInvalid(str(path), Text("reason.holds_no_names", {"found": type(content).__name__}))
    return content


def fill(backbone: torch.nn.Module, content: Mapping[str, Any], path: str, architecture: Architecture) -> NamedWeights:
    """Load what a file holds into a network, under whatever names; raise WeightsMismatch. Nothing may be missing."""
    found = name_weights(backbone, content)
    if not found.fit:
        raise WeightsMismatch(path, architecture.name, found.reason(len(backbone.state_dict())))
    backbone.load_state_dict(found.values, strict=False)  # a counter of batches may be missing
    return found


def add_weights(
    workspace: Workspace, path: Path, name: str, architecture: Architecture, licence: str | None, seen: list[str]
) -> tuple[WeightsDescription, NamedWeights]:
    """Keep the tensors of a file that are a network's, under the network's names, and what is known of them.

    Raises ArchitectureUnknown, PathNotFound, WeightsInvalid, WeightsMismatch, NameInvalid or DiskFull.
    """
    backbone = create_backbone(architecture)
    found = fill(backbone, read_tensors(path), str(path), architecture)
    values = {key: value.detach().cpu().contiguous().clone() for key, value in backbone.state_dict().items()}
    described = {
        "name": name,
        "architecture": architecture.name,
        "licence": licence,
        "seen": seen,
        "source_file": path.name,
        "source_sha256": file_sha256(path, own=False),
        "tensors": len(found.values),
        "prefix": found.prefix,
        "unused": len(found.unused),
    }
    return keep_weights(workspace, name, lambda target: save_file(values, target), described), found
