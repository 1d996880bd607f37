"""A table of predictions: a CSV of labels and probabilities of any model, read with every fault named by its cell."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from breastai.data.user_tables import TableUnreadable, file_key, read_table
from breastai.domain.errors import DataNotFound, PredictionsInvalid

_PREFIX = "p_"
_LISTED_PROBLEMS = 10
_ROWS_TOLD = 5000
# Probabilities written with few digits do not quite sum to 1.
_SUM_TOLERANCE = 0.02
# Columns of `breastai predict --csv` that describe an answer, and are no subgroups.
_OF_AN_ANSWER = frozenset(
    {"decision", "predicted", "target_class", "threshold", "called", "refer", "refer_reason", "plausible", "processing", "novelty", "novelty_limit", "error"}
)  # fmt: skip
# Tables written by `breastai predict --csv` before 4.1 called the answer label.
_OLD_ANSWERS = frozenset({"called", "refer", "processing", "label"})
_LABELS_ARE_ANSWERS = (
    "column label: expected the true class, got the model's own answers as breastai predict wrote them; put the true "
    "class of each row there"
)


@dataclass(frozen=True, eq=False)
class Predictions:
    """N predictions: `labels` (N,) are numbers of `class_names`, `probabilities` (N, C); rows sum to 1.

    `subgroups`: every column of the table that has no other meaning.
    """

    name: str
    class_names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    files: tuple[str, ...] | None
    patients: tuple[str, ...] | None
    subgroups: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.labels)


def read_predictions(path: Path, on_progress: Callable[[int, int], None] | None = None) -> Predictions:
    """Return the predictions in a CSV with the columns label and p_CLASS for each class; raise PredictionsInvalid.

    `label` is the truth. Columns file and patient_id are optional; those that describe a model's answer are passed over,
    all others are subgroups. Separated by commas, semicolons or tabs. Rows
    are counted as a spreadsheet does: the header is row 1. Each file stands in one row. `on_progress` is told of rows
    read, of all.
    """
    header, rows = _cells(path)
    columns = {name.lower(): place for place, name in enumerate(header)}
    class_columns = [name for name in header if name.lower().startswith(_PREFIX) and len(name) > len(_PREFIX)]
    faults = []
    if "label" not in columns:
        expected = "a column label with the true class of each row, for predictions alone can't be judged"
        faults.append(f"row 1: expected {expected}, got {', '.join(header) or 'none'}")
    if len(class_columns) < 2:
        faults.append(f"row 1: expected a column p_CLASS for each of two classes or more, got {len(class_columns)}")
    if len(columns) < len(header):
        twice = next(name for name in header if [other.lower() for other in header].count(name.lower()) > 1)
        faults.append(f"row 1: expected each column once, got {twice} twice")
    if faults:
        raise PredictionsInvalid(path.name, faults)
    if not rows:
        raise PredictionsInvalid(path.name, ["row 2: expected a prediction, got the end of the file"])
    class_names = [name[len(_PREFIX) :] for name in class_columns]
    number_of = {name.lower(): number for number, name in enumerate(class_names)}
    places = [columns[name.lower()] for name in class_columns]
    labels = np.zeros(len(rows), dtype=np.int64)
    probabilities = np.zeros((len(rows), len(class_names)))
    for index, (line, cells) in enumerate(rows):
        if on_progress is not None and index % _ROWS_TOLD == 0:
            on_progress(index, len(rows))
        if len(cells) != len(header):
            faults.append(f"row {line}: expected {len(header)} cells, got {len(cells)}")
            continue
        label = cells[columns["label"]]
        if label.lower() not in number_of:
            faults.append(f"row {line}, column label: expected one of {', '.join(class_names)}, got {label!r}")
        labels[index] = number_of.get(label.lower(), 0)
        faults += _read_probabilities(line, cells, class_columns, places, probabilities[index])
    if not faults and "file" in columns:
        faults = _repeated(rows, columns)
    if faults:
        more = len(faults) - _LISTED_PROBLEMS
        raise PredictionsInvalid(path.name, faults[:_LISTED_PROBLEMS] + ([f"and {more} more"] if more > 0 else []))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    if columns.keys() >= _OLD_ANSWERS and "decision" not in columns and (labels == probabilities.argmax(axis=1)).all():
        raise PredictionsInvalid(path.name, [_LABELS_ARE_ANSWERS])

    def column(name: str) -> tuple[str, ...]:
        return tuple(cells[columns[name.lower()]] for _, cells in rows)

    known = {"label", "file", "patient_id", *_OF_AN_ANSWER, *(name.lower() for name in class_columns)}
    patients = column("patient_id") if "patient_id" in columns else None
    if patients is not None and "" in patients:
        line = rows[patients.index("")][0]
        raise PredictionsInvalid(path.name, [f"row {line}, column patient_id: expected a patient, got nothing"])
    return Predictions(
        name=path.name,
        class_names=tuple(class_names),
        labels=labels,
        probabilities=probabilities,
        files=column("file") if "file" in columns else None,
        patients=patients,
        subgroups={name: column(name) for name in header if name.lower() not in known and name},
    )


def match_predictions(first: Predictions, second: Predictions) -> Predictions:
    """Return `second` with its rows in the order of `first`, so that both speak of the same cases row by row.

    By the column file where both have it, else as they stand. Raises PredictionsInvalid when they are not the same
    cases.
    """
    if first.class_names != second.class_names:
        if sorted(first.class_names) != sorted(second.class_names):
            expected, got = (", ".join(each.class_names) for each in (first, second))
            raise PredictionsInvalid(second.name, [f"row 1: expected the classes {expected}, got {got}"])
        second = _reordered(second, first.class_names)
    order: Sequence[int] = range(len(second))
    if first.files is not None and second.files is not None:
        place = {file: number for number, file in enumerate(second.files)}
        missing = [file for file in first.files if file not in place]
        if missing or len(place) != len(first.files) or len(set(first.files)) != len(first.files):
            got = f"{missing[0]} missing" if missing else f"{len(place)} different files"
            raise PredictionsInvalid(
                second.name, [f"column file: expected the {len(first)} files of {first.name}, each once, got {got}"]
            )
        order = [place[file] for file in first.files]
    elif len(first) != len(second):
        raise PredictionsInvalid(
            second.name, [f"expected {len(first)} predictions as in {first.name}, got {len(second)}"]
        )
    chosen = np.asarray(order, dtype=np.int64)
    differing = np.flatnonzero(first.labels != second.labels[chosen])
    if len(differing):
        row, name = int(differing[0]), second.class_names
        expected, got = name[first.labels[row]], name[second.labels[chosen[row]]]
        raise PredictionsInvalid(
            second.name, [f"case {row + 1}, column label: expected {expected} as in {first.name}, got {got}"]
        )
    return Predictions(
        second.name,
        second.class_names,
        first.labels,
        second.probabilities[chosen],
        first.files,
        first.patients,
        first.subgroups,
    )


def _reordered(table: Predictions, class_names: tuple[str, ...]) -> Predictions:
    order = [table.class_names.index(name) for name in class_names]
    labels = np.array([order.index(int(label)) for label in table.labels], dtype=np.int64)
    probabilities = table.probabilities[:, order]
    return Predictions(table.name, class_names, labels, probabilities, table.files, table.patients, table.subgroups)


def _repeated(rows: Sequence[tuple[int, list[str]]], columns: Mapping[str, int]) -> list[str]:
    """Return a fault for each row without a file, or whose file stands in a row before it: it would count twice."""
    faults = []
    first: dict[str, tuple[int, list[str]]] = {}
    for line, cells in rows:
        file = cells[columns["file"]]
        if not file:
            faults.append(f"row {line}, column file: expected a file, got nothing")
            continue
        before, other = first.setdefault(file_key(file), (line, cells))
        if before == line:
            continue
        faults.append(f"row {line}, column file: expected each file once, got {file} as in row {before}")
        for column in ("label", "patient_id"):
            here, there = ((row[columns[column]] if column in columns else "") for row in (cells, other))
            if here.lower() != there.lower():
                faults[-1] += f", with {column} {here} here and {there} there"
    return faults


def _read_probabilities(
    line: int, cells: Sequence[str], names: Sequence[str], places: Sequence[int], into: npt.NDArray[np.float64]
) -> list[str]:
    faults = []
    for number, (name, place) in enumerate(zip(names, places, strict=True)):
        try:
            value = float(cells[place].replace(",", "."))
        except ValueError:
            value = math.nan
        if not 0 <= value <= 1:
            faults.append(f"row {line}, column {name}: expected a number from 0 to 1, got {cells[place]!r}")
        into[number] = value
    total = float(into.sum())
    if not faults and abs(total - 1) > _SUM_TOLERANCE:
        faults.append(f"row {line}: expected probabilities that sum to 1, got {total:.3g}")
    return faults


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header, and each row that is not empty with its number."""
    if not path.is_file():
        raise DataNotFound(path.name)
    try:
        table = read_table(path)
    except TableUnreadable as fault:
        raise PredictionsInvalid(path.name, [fault.reason]) from None
    if not table.columns:
        raise PredictionsInvalid(path.name, ["row 1: expected the names of the columns, got an empty file"])
    return list(table.columns), [(row.number, list(row.cells)) for row in table.rows]
