"""What a run meets on this machine, looked up before it starts: images, weights, minutes, memory, and wiser choices."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from breastai.data.cases.data_overview import describe
from breastai.domain.catalog import OFFERED_ARCHITECTURES, Architecture, architecture_of, proposed_preset
from breastai.domain.config import Config
from breastai.domain.events import DataDescribed, Event, PreFlightChecked
from breastai.domain.jobs import PreFlight
from breastai.domain.text import Text
from breastai.storage.past_speeds import past_memory_gb, past_speeds
from breastai.storage.workspace import Workspace

Weights = Literal["here", "to_fetch", "missing", "none"]
# How far a run of other images may take from those measured, and how soon it may stop early.
_SHORTER, _LONGER = 0.6, 1.5
# What an image that is only judged takes of one that is learnt from.
FORWARD_SHARE = 1 / 3
_LONG_MIN = 240
_FEW_IMAGES = 30


def pre_flight(job: PreFlight, workspace: Workspace) -> Iterator[Event]:
    """Tell what a run of the configuration meets; raise what looking at its images raises.

    An advice that a setting follows from names it, as `setting`.
    """
    config = job.config
    found = describe(config, workspace.root)
    architecture = architecture_of(config.model.architecture)
    training, validation = sum(found.counts["train"].values()), sum(found.counts.get("val", {}).values())
    speeds = past_speeds(workspace, architecture.name, config.data.image_size)
    low, high = minutes_range(config, training, validation, speeds)
    missing = _missing_weights_file(config, workspace)
    weights: Weights = "missing" if missing else weights_of(config, architecture)
    yield PreFlightChecked(
        data=config.data.train_dir,
        architecture=architecture.name,
        classes=found.counts["train"],
        validation=validation,
        patients=found.patients,
        patient_examples=found.patient_examples,
        weights=weights,
        minutes_low=low,
        minutes_high=high,
        memory_gb=past_memory_gb(workspace, architecture.name, config.data.image_size, config.data.batch_size),
        preset=None if workspace.config_file.exists() else proposed_preset(found.images),
        advice=[
            *_patient_rules(found),
            *(missing or _weights_advice(architecture, weights)),
            *_advice(found.counts["train"], high),
        ],
    )


def minutes_range(
    config: Config, training: int, validation: int, speeds: list[float]
) -> tuple[float | None, float | None]:
    """Return between how many minutes and how many a run takes, from images a second measured here; None without any."""
    if not speeds:
        return None, None
    images = config.training.epochs * (training + validation * FORWARD_SHARE)
    low, high = images / max(speeds) * _SHORTER / 60, images / min(speeds) * _LONGER / 60
    return round(low, 1), round(high, 1)


def weights_of(config: Config, architecture: Architecture) -> Weights:
    """Return whether a network's pretrained weights are here, as engine.network.weights would find them."""
    if config.model.pretrained == "none":
        return "none"
    if config.model.weights_file is not None:
        return "here"
    if _is_installed(architecture):
        return "here"
    if _is_in_hub_folder(architecture.timm_name):
        return "here"
    return "to_fetch" if config.system.download_weights else "missing"


def _missing_weights_file(config: Config, workspace: Workspace) -> list[Text]:
    """Return what to say of a file of weights that the run would look for in vain."""
    name = config.model.weights_file
    if config.model.pretrained == "none" or name is None or workspace.resolve(name).is_file():
        return []
    return [Text("advice.weights_file", {"path": name, "setting": "model.weights_file"})]


def _is_installed(architecture: Architecture) -> bool:
    return architecture.package is not None and importlib.util.find_spec(architecture.package) is not None


def _is_in_hub_folder(timm_name: str) -> bool:
    """Return whether the hub's weights of a network were fetched; of a name without a tag, those of any tag."""
    names = [timm_name] if "." in timm_name else [timm_name, f"{timm_name}.*"]
    return any(any(_hub_folder().glob(f"models--timm--{name}/snapshots/*/model.safetensors")) for name in names)


def _hub_folder() -> Path:
    """Return where huggingface_hub keeps what it fetched."""
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    return Path(os.environ.get("HF_HUB_CACHE", f"{home}/hub")).expanduser()


def _patient_rules(found: DataDescribed) -> Iterator[Text]:
    """Yield the rule that tells patients apart where none is given and the images offer one; `rule` is its JSON."""
    for warning in found.warnings:
        if warning.code == "patients_offered":
            params = {"patients": warning.params["patients"], "rule": warning.params["setting"]}
            yield Text("advice.patients", {**params, "setting": "evaluation.patient_id"})


def _weights_advice(architecture: Architecture, weights: Weights) -> Iterator[Text]:
    """Yield that another network has its weights here, where those of this one are not; of none at all nobody asked."""
    installed = any(map(_is_installed, OFFERED_ARCHITECTURES.values()))
    if weights in ("to_fetch", "missing") and installed and architecture.package is None:
        yield Text(f"advice.weights_{weights}", {"architecture": architecture.name, "setting": "model.architecture"})


def _advice(counts: dict[str, int], high: float | None) -> Iterator[Text]:
    if high is not None and high > _LONG_MIN:
        yield Text("advice.long", {"setting": "training.epochs"})
    name, fewest = min(counts.items(), key=lambda item: item[1])
    if fewest < _FEW_IMAGES:
        yield Text("advice.few", {"class_name": name, "n": fewest})
