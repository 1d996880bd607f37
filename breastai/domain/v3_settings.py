"""Version 3's flat configuration names, and what each is called here. The one place that knows them."""

from collections.abc import Callable, Mapping
from typing import Any

from breastai.domain.config import Config, overlay
from breastai.domain.data_locations import names_case_list
from breastai.domain.errors import ConfigInvalid
from breastai.domain.near_names import leaf_paths, near_path
from breastai.domain.text import Text


def _as_it_is(value: Any) -> Any:
    return value


def _flip_probability(value: Any) -> Any:
    return {True: 0.5, False: 0.0}[value] if isinstance(value, bool) else value


_SCHEDULERS = {
    "cosineannealingwarmrestarts": "cosine",
    "cosine_annealing_warm_restarts": "cosine",
    "onecycle": "one_cycle",
    "onecyclelr": "one_cycle",
    "reducelronplateau": "plateau",
    "reduce_on_plateau": "plateau",
}


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _scheduler(value: Any) -> Any:
    return _SCHEDULERS.get(_lower(value), _lower(value)) if isinstance(value, str) else value


FLAT_NAMES: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "model_name": ("model.architecture", _as_it_is),
    "num_classes": ("model.num_classes", _as_it_is),
    "dropout_rate": ("model.dropout_rate", _as_it_is),
    "use_cbam": ("model.use_cbam", _as_it_is),
    "epochs": ("training.epochs", _as_it_is),
    "learning_rate": ("training.learning_rate", _as_it_is),
    "weight_decay": ("training.weight_decay", _as_it_is),
    "label_smoothing": ("training.label_smoothing", _as_it_is),
    "optimizer": ("training.optimizer", _lower),
    "scheduler": ("training.scheduler", _scheduler),
    "use_focal_loss": ("training.use_focal_loss", _as_it_is),
    "focal_loss_alpha": ("training.focal_loss_alpha", _as_it_is),
    "focal_loss_gamma": ("training.focal_loss_gamma", _as_it_is),
    "use_ema": ("training.use_ema", _as_it_is),
    "ema_decay": ("training.ema_decay", _as_it_is),
    "gradient_accumulation_steps": ("training.gradient_accumulation_steps", _as_it_is),
    "gradient_clip": ("training.gradient_clip", _as_it_is),
    "progressive_unfreezing_phase1": ("training.unfreezing.phase1", _as_it_is),
    "progressive_unfreezing_phase2": ("training.unfreezing.phase2", _as_it_is),
    "progressive_unfreezing_phase3": ("training.unfreezing.phase3", _as_it_is),
    "use_tta": ("evaluation.tta", _as_it_is),
    "batch_size": ("data.batch_size", _as_it_is),
    "num_workers": ("data.num_workers", _as_it_is),
    "image_size": ("data.image_size", _as_it_is),
    "val_split": ("data.val_split", _as_it_is),
    "horizontal_flip": ("augmentation.horizontal_flip", _flip_probability),
    "vertical_flip": ("augmentation.vertical_flip", _flip_probability),
    "rotation": ("augmentation.rotation", _as_it_is),
    "brightness": ("augmentation.brightness", _as_it_is),
    "contrast": ("augmentation.contrast", _as_it_is),
}


def nest_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a partial configuration whose flat names of version 3 are put in their sections.

    Sections pass as they are. `data_path` (the folder that holds train/) becomes the three folders below it, or the
    table or description that it is. Any
    other key is unknown: ConfigInvalid.
    """
    sections: dict[str, Any] = {key: value for key, value in values.items() if key in Config.model_fields}
    flat: dict[str, Any] = {}
    unknown: list[Text | str] = []
    for key, value in values.items():
        if key in sections:
            continue
        if key == "data_path":
            flat = overlay(flat, data_folders(str(value)))
        elif key in FLAT_NAMES:
            place, convert = FLAT_NAMES[key]
            branch: Any = convert(value)
            for part in reversed(place.split(".")):
                branch = {part: branch}
            flat = overlay(flat, branch)
        else:
            unknown.append(_unknown(key))
    if unknown:
        raise ConfigInvalid(unknown)
    return overlay(flat, sections)


def _unknown(key: str) -> Text:
    near = near_path(key, [*FLAT_NAMES, *leaf_paths(Config)])
    if near is None:
        return Text("problem.unknown_key", {"name": key})
    return Text("problem.unknown_key_near", {"name": key, "near": FLAT_NAMES[near][0] if near in FLAT_NAMES else near})


def data_folders(root: str) -> dict[str, Any]:
    """Return the partial configuration for a folder that holds train/ and perhaps val/ and test/, or for a list of cases."""
    base = root.replace("\\", "/").rstrip("/") or "."
    if names_case_list(base):
        return described_layer(base)
    return {"data": {"train_dir": f"{base}/train", "val_dir": f"{base}/val", "test_dir": f"{base}/test"}}


def whole_of(places: tuple[str, str | None, str | None]) -> str | None:
    """Return the X of X/train, X/val and X/test; None of any other three places."""
    whole = places[0].removesuffix("/train")
    return whole if whole and places == tuple(f"{whole}/{part}" for part in ("train", "val", "test")) else None


def described_layer(place: str) -> dict[str, Any]:
    """Return the partial configuration for a place that gives the parts itself: a description, a table, a known layout."""
    return {"data": {"train_dir": place, "val_dir": None, "test_dir": None}}
