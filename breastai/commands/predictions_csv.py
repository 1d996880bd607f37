"""Predictions as a table: a row of CSV for each image."""

import csv
import sys
from pathlib import Path
from typing import Any, TextIO

from breastai.commands.language import say
from breastai.domain.events import Error, Event, Log, Prediction, PredictionsComplete, Processing, UnitPrediction
from breastai.domain.text import Text
from breastai.texts.shown_name import show_name, show_text

_WHY = (
    "refer_reason",
    "plausible",
    "processing",
    "laterality",
    "view",
    "modality",
    "novelty",
    "novelty_limit",
    "error",
)
_NOVELTY = ("novelty", "novelty_limit")


class _Table:
    """CSV on a stream, for a spreadsheet; what is no row of it goes to people, on stderr."""

    def __init__(self, stream: TextIO) -> None:
        self._rows = csv.writer(stream, lineterminator="\n")
        self._stream = stream
        self._class_names: list[str] | None = None  # until the header is written

    def work_in(self, workspace: Path) -> None:
        """Nothing to do: paths stay relative to the workspace."""

    def wait_for(self, text: Text) -> None:
        """Nothing to do: a table's reader waits in silence."""

    def result(self, values: dict[str, Any], text: str) -> None:
        sys.stderr.write(f"{show_text(text)}\n")

    def _tell(self, event: Event) -> None:
        if isinstance(event, Error | Log):
            self.result({}, event.message)

    def _write(self, row: list[Any]) -> None:
        self._rows.writerow([self._cell(cell) if isinstance(cell, str) else cell for cell in row])

    def _cell(self, text: str) -> str:
        """Return a cell as it is; on a terminal, which obeys some signs, as it is shown."""
        cell = show_name(text, "csv")
        return show_name(cell, "terminal") if self._stream.isatty() else cell


class CsvRows(_Table):
    """A row of CSV for each prediction, with a header before the first.

    `decision` is the one answer, `predicted` the most probable class; no column is called label, which in a table to
    evaluate is the truth. `called`, `refer`: 1, 0 or empty where the model can't say. One column for each class.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._held: list[Prediction] = []  # until an answer names the classes

    def event(self, event: Event) -> None:
        if isinstance(event, Prediction):
            self._held.append(event)
            if event.probabilities is not None or self._class_names is not None:
                self._release(list(event.probabilities or ()))
        elif isinstance(event, PredictionsComplete):
            self._release([])
        else:
            self._tell(event)

    def _release(self, class_names: list[str]) -> None:
        if self._class_names is None:
            self._class_names = class_names
            chances = [f"p_{name}" for name in class_names]
            self._write(
                ["file", "decision", "predicted", *chances, "target_class", "threshold", "called", "refer", *_WHY]
            )
        for each in self._held:
            probabilities = each.probabilities or {}
            done = "" if each.processing is None else processing_text(each.processing)
            done = "; ".join(text for text in (done, *map(str, each.notes)) if text)
            self._write(
                [
                    each.file,
                    each.decision or each.label or "",
                    each.label or "",
                    *(probabilities.get(name, "") for name in self._class_names),
                    each.target_class or "",
                    "" if each.threshold is None else each.threshold,
                    *("" if value is None else int(value) for value in (each.called, each.refer)),
                    each.refer_reason or "",
                    " ".join(each.plausible),
                    done,
                    each.laterality or "",
                    each.view or "",
                    each.modality or "",
                    *("" if value is None else value for value in (each.novelty, each.novelty_limit)),
                    each.error or "",
                ]
            )
        self._held.clear()
        self._stream.flush()


class UnitRows(_Table):
    """A row of CSV for each breast, exam or patient, with a header before the first.

    `carried_by`: the image with the largest `share` in the answer. `unread`: images that could not be read.
    """

    def event(self, event: Event) -> None:
        if isinstance(event, UnitPrediction):
            self._answer(event)
        elif isinstance(event, Prediction) and event.error is not None:
            self.result({}, f"{event.file}: {event.error}")
        elif isinstance(event, PredictionsComplete) and self._class_names is None:
            self.result({}, say("cli.no_units"))
        else:
            self._tell(event)

    def _answer(self, said: UnitPrediction) -> None:
        if self._class_names is None:
            self._class_names = list(said.probabilities)
            chances = [f"p_{name}" for name in self._class_names]
            head = ["unit", "name", "images", "decision", "predicted", *chances, "target_class", "threshold", "called"]
            self._write(
                [*head, "refer", "refer_reason", "plausible", "pooling", "carried_by", "share", "unread", *_NOVELTY]
            )
        first = said.images[0]
        self._write(
            [
                said.unit,
                said.name,
                len(said.images),
                said.decision,
                said.label,
                *(said.probabilities[name] for name in self._class_names),
                said.target_class or "",
                "" if said.threshold is None else said.threshold,
                *("" if value is None else int(value) for value in (said.called, said.refer)),
                said.refer_reason or "",
                " ".join(said.plausible),
                said.pooling,
                first.file,
                first.share,
                said.failed,
                *("" if value is None else value for value in (said.novelty, said.novelty_limit)),
            ]
        )
        self._stream.flush()


def processing_text(done: Processing) -> str:
    """Say in words what was done to an image."""
    parts = [f"{done.width} x {done.height}, {'colour' if done.colour else 'grey'}"]
    if done.crop is not None:
        left, top, width, height = done.crop
        parts.append(f"cropped to {width} x {height} at {left}, {top}")
    if done.flipped:
        parts.append("mirrored")
    how = {"stretch": "stretched", "pad": "scaled, with black borders"}.get(done.resize, done.resize)
    parts.append(f"{how} to {done.image_size} x {done.image_size}")
    if done.clahe:
        parts.append("CLAHE")
    return "; ".join(parts)
