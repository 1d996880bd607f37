"""Version 3's names of an epoch's metrics, which scripts read: fields of the event itself, val_accuracy and so on."""

from collections.abc import Mapping
from typing import Any

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
