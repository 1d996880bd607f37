"""Pretrained weights: from a local file, an installed package or the model hub."""

import importlib.util
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from breastai.domain.catalog import OFFERED_ARCHITECTURES, Architecture
from breastai.domain.config import ModelSettings
from breastai.domain.errors import WeightsMismatch, WeightsUnavailable
from breastai.domain.text import Text
from breastai.domain.weights_record import WeightsRecord
from breastai.engine.network.weight_files import add_weights, fill, read_tensors
from breastai.storage.private_files import file_sha256
from breastai.storage.weights_folder import verified_description
from breastai.storage.workspace import Workspace

_HUB_TIMEOUT_S = 3
_HUB_FILE = "model.safetensors"

Source = Literal["file", "package", "hub", "none"]


@dataclass(frozen=True)
class Pretrained:
    """Which weights a network begins with.

    `record`: what is known of a file of them.
    """

    source: Source
    detail: Text | str
    record: WeightsRecord | None = None


def load_pretrained(
    backbone: nn.Module, architecture: Architecture, settings: ModelSettings, weights_file: Path | None, download: bool
) -> Pretrained:
    """Fill `backbone` with pretrained weights as `settings.pretrained` asks; say what was used.

    Raise WeightsUnavailable when they can't be had, WeightsMismatch when a file does not fit.
    """
    if settings.pretrained == "none":
        return Pretrained("none", Text("reason.random_initial_weights_configured"))
    if weights_file is not None:
        return _from_file(backbone, architecture, weights_file)
    if architecture.package is not None and (packaged := _packaged_file(architecture.package)) is not None:
        values = torch.load(packaged, map_location="cpu", weights_only=True)
        fill(backbone, _renamed_by_order(values, architecture), packaged.name, architecture)
        named = architecture.package.replace("_", "-")
        return Pretrained("package", Text("reason.imagenet_weights_package", {"package": named}))
    try:
        values = load_file(_from_hub(architecture, download))
    except (OSError, ValueError, RuntimeError) as error:
        reason = (
            Text("reason.model_hub_gave_nothing", {"error": type(error).__name__})
            if download
            else Text("reason.downloads_switched_off")
        )
        raise WeightsUnavailable(architecture.name, reason) from None
    fill(backbone, values, architecture.timm_name, architecture)
    return Pretrained("hub", architecture.timm_name)


def keep_fetched(workspace: Workspace) -> None:
    """Keep in a workspace the weights of the catalogue that lie in the hub's cache on this machine; fetch nothing."""
    import timm.models

    for architecture in OFFERED_ARCHITECTURES.values():
        try:
            path = _from_hub(architecture, download=False)
        except (OSError, ValueError):
            continue
        licence = getattr(timm.models.get_pretrained_cfg(architecture.timm_name), "license", None)
        add_weights(workspace, Path(path), architecture.name, architecture, licence, list(architecture.pretrained_on))


def _packaged_file(package: str) -> Path | None:
    """Return the weights in an installed package, None without it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return None
    return next(iter(sorted((Path(found.origin).parent / "models").glob("*.pth"))), None)


def _renamed_by_order(values: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """Return the packaged tensors under timm's names: the two lists agree in order and shape, not in names."""
    import timm

    names = timm.create_model(architecture.timm_name, pretrained=False).state_dict()
    if [value.shape for value in values.values()] != [value.shape for value in names.values()]:
        raise WeightsMismatch(str(architecture.package), architecture.name, Text("reason.tensors_have_other_shapes"))
    return dict(zip(names, values.values(), strict=True))


def _from_file(backbone: nn.Module, architecture: Architecture, path: Path) -> Pretrained:
    """Fill a network from a file; where a description lies beside it, only if that is what it was."""
    content = read_tensors(path)
    description = verified_description(path)
    fill(backbone, content, path.name, architecture)
    if description is not None:
        return Pretrained("file", description.name, record=description.record())
    record = WeightsRecord(name=path.stem, architecture=architecture.name, sha256=file_sha256(path, own=False))
    return Pretrained("file", path.name, record=record)


def _from_hub(architecture: Architecture, download: bool) -> str:
    """Return the local path of the hub's weights, fetched if they are not there and may be."""
    import timm.models
    from huggingface_hub import hf_hub_download

    config = timm.models.get_pretrained_cfg(architecture.timm_name)
    if config is None or not config.hf_hub_id:
        raise ValueError(f"timm knows no weights for {architecture.timm_name}")
    try:
        return str(hf_hub_download(config.hf_hub_id, _HUB_FILE, local_files_only=True))
    except (OSError, ValueError):
        if not download:
            raise
    _reach_hub()
    return str(hf_hub_download(config.hf_hub_id, _HUB_FILE, etag_timeout=_HUB_TIMEOUT_S))


def _reach_hub() -> None:
    """Raise OSError where the hub can't be reached in a few seconds: its own library asks again and again, for 23 s.

    Through a proxy nobody knows before asking.
    """
    from huggingface_hub.constants import ENDPOINT

    address = urlsplit(ENDPOINT)
    if address.hostname is None or address.scheme in getproxies():
        return
    port = address.port or (80 if address.scheme == "http" else 443)
    reached: Queue[OSError | None] = Queue()

    def connect() -> None:
        try:
            socket.create_connection((str(address.hostname), port), _HUB_TIMEOUT_S).close()
            reached.put(None)
        except OSError as error:
            reached.put(error)

    # In a thread: looking up a name is the system's, and has no deadline.
    Thread(target=connect, name="hub", daemon=True).start()
    try:
        problem = reached.get(timeout=_HUB_TIMEOUT_S)
    except Empty:
        raise TimeoutError(address.hostname) from None
    if problem is not None:
        raise problem
