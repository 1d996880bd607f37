"""Version 3's names of an epoch's metrics, and all of a client's events as version 3's page reads them.

An epoch's metrics are fields of the event itself for every script, val_accuracy and so on. The rest is for clients that
ask for it alone (`?version=3` in the address): percent, `batch_progress` as an event, `latest` for `last`.
"""

from collections.abc import Mapping
from typing import Any

from breastai.domain.text import Text

_PREFIXES = ("train_", "val_")
# What is no number was a field of its own then, and is one.
_TABLES = frozenset({"val_confusion_matrix", "val_per_class"})


def collect_metrics(values: Any) -> Any:
    """Return an epoch's values with its metrics in `metrics`, where they stand beside it or in its place."""
    if not isinstance(values, Mapping):
        return values
    flat = {name for name in values if str(name).startswith(_PREFIXES)} - _TABLES
    if not flat:
        return values
    rest = {name: value for name, value in values.items() if name not in flat}
    return {"metrics": {name: values[name] for name in values if name in flat}} | rest


def spread_metrics(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an epoch's values with each metric as a field of its own too."""
    return {**values, **values["metrics"]}


# What that page shows with so many digits: it breaks at what is no number.
_EPOCH_NUMBERS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_f1_macro", "learning_rate")
_LAST, _LATEST = "_last.safetensors", "_latest.safetensors"


class Version3Events:
    """One client's events, each turned into those that version 3's page can read. It knows what was listed to it."""

    def __init__(self) -> None:
        self._listed: dict[str, Any] = {"type": "checkpoints_list", "checkpoints": []}

    def translate(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what is sent in place of an event, in its order."""
        match event["type"]:
            case "training_update":
                return _epoch(event)
            case "progress_update":
                return _progress(event)
            case "checkpoint_saved":
                if event["accuracy"] is None:
                    return [_log("info", Text("v3.saved_before_epoch", {"checkpoint": event["checkpoint"]}))]
                return [_checkpoint(event)]
            case "checkpoints_list":
                return self._list(event)
            case "checkpoint_deleted":
                left = [entry for entry in self._listed["checkpoints"] if entry["checkpoint"] != event["checkpoint"]]
                self._listed = {**self._listed, "checkpoints": left}
                return [dict(event), self._listed]
            case "export_complete":
                return [dict(event), _log("warning", Text("v3.export_differs"))]
        return [dict(event)]

    def _list(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        sound = [entry for entry in event["checkpoints"] if entry["problem"] is None and entry["accuracy"] is not None]
        self._listed = {"type": event["type"], "checkpoints": [_checkpoint(entry) for entry in sound]}
        left_out = len(event["checkpoints"]) - len(sound)
        shown = {**event, **self._listed}
        return [shown, _log("info", Text("v3.checkpoints_left_out", {"n": left_out}))] if left_out else [shown]


def _epoch(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    undefined = [name for name in _EPOCH_NUMBERS if event.get(name) is None]
    if undefined:
        text = Text("v3.undefined", {"epoch": event["epoch"], "names": ", ".join(undefined)})
        return [_log("warning", text)]
    percents = {name: 100 * event[name] for name in ("train_accuracy", "val_accuracy")}
    return [{**event, **percents}]


def _progress(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    batch = event["batch_progress"]
    if batch is None or batch["current_loss"] is None or batch["current_accuracy"] is None:
        return [dict(event)]
    shown = {"type": "batch_progress", **batch, "current_accuracy": 100 * batch["current_accuracy"]}
    return [dict(event), shown]


def _checkpoint(values: Mapping[str, Any]) -> dict[str, Any]:
    name = values["filename"]
    latest = name.removesuffix(_LAST) + _LATEST if name.endswith(_LAST) else name
    return {**values, "filename": latest, "accuracy": 100 * values["accuracy"]}


def _log(level: str, text: Text) -> dict[str, Any]:
    return {"type": "log", "level": level, "message": str(text)}
