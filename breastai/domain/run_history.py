"""The epochs of a run as columns, bounded so that no event outgrows a WebSocket message."""

from collections.abc import Sequence
from typing import Any

from breastai.domain.events import TrainingUpdate

# A WebSocket client's default limit is 1 MiB; 200 epochs of columns stay far below it.
MOST_EPOCHS = 200

# Beside the metrics; matrices and what there is by class get_history has.
_COLUMNS = ("learning_rate", "images_per_second", "epoch_s", "eta_s")


def columns(updates: Sequence[TrainingUpdate]) -> dict[str, list[Any]]:
    """Return one list for each number, over the last MOST_EPOCHS epochs; a metric that an epoch has not is None there."""
    shown = updates[-MOST_EPOCHS:]
    metrics = dict.fromkeys(name for update in shown for name in update.metrics)
    return {name: [update.number(name) for update in shown] for name in ("epoch", *metrics, *_COLUMNS)}


def thin_history(updates: Sequence[TrainingUpdate], most: int = MOST_EPOCHS) -> list[TrainingUpdate]:
    """Return at most `most` of the epochs, evenly chosen, the first and the last among them."""
    if len(updates) <= most:
        return list(updates)
    last = len(updates) - 1
    return [updates[round(place * last / (most - 1))] for place in range(most)]


def final_metrics(update: TrainingUpdate) -> dict[str, Any]:
    """Return what an epoch showed on validation, without val_: numbers, confusion_matrix and per_class."""
    measured = {name: value for name, value in update.metrics.items() if name.startswith("val_")}
    tables = {"val_confusion_matrix": update.val_confusion_matrix, "val_per_class": update.val_per_class}
    return {name.removeprefix("val_"): value for name, value in (measured | tables).items()}
