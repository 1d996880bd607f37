"""The epochs of a run as columns, bounded so that no event outgrows a WebSocket message."""

from collections.abc import Sequence
from typing import Any

from breastai.domain.events import ENVELOPE, TrainingUpdate

# A WebSocket client's default limit is 1 MiB; 200 epochs of columns stay far below it.
MOST_EPOCHS = 200

# Left out of the columns: matrices and figures per class, which get_history has.
_NOT_COLUMNS = {*ENVELOPE, "type", "val_confusion_matrix", "val_per_class", "is_best", "epochs"}


def columns(updates: Sequence[TrainingUpdate]) -> dict[str, list[Any]]:
    """Return one list for each figure, over the last MOST_EPOCHS epochs."""
    names = [name for name in TrainingUpdate.model_fields if name not in _NOT_COLUMNS]
    return {name: [getattr(update, name) for update in updates[-MOST_EPOCHS:]] for name in names}


def thin_history(updates: Sequence[TrainingUpdate], most: int = MOST_EPOCHS) -> list[TrainingUpdate]:
    """Return at most `most` of the epochs, evenly chosen, the first and the last among them."""
    if len(updates) <= most:
        return list(updates)
    last = len(updates) - 1
    return [updates[round(place * last / (most - 1))] for place in range(most)]


def final_metrics(update: TrainingUpdate) -> dict[str, Any]:
    """Return the validation figures of an epoch, their names without val_."""
    values = update.model_dump(mode="json")
    return {name.removeprefix("val_"): value for name, value in values.items() if name.startswith("val_")}
