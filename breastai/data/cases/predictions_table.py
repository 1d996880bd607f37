"""A table of predictions: a CSV of labels and probabilities of any model, read with every fault named by its cell."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from breastai.data.named_files import file_key, match_files
from breastai.data.user_tables import TableUnreadable, read_table
from breastai.domain.errors import PathNotFound, PredictionsInvalid
from breastai.domain.faults import describe_mismatch
from breastai.domain.text import Text

_PREFIX = "p_"
_LISTED_PROBLEMS = 10
_ROWS_TOLD = 5000
# Fewer rows that do not sum to 1 may be slips.
_FEW_ROWS = 3
# Probabilities written with few digits do not quite sum to 1.
_SUM_TOLERANCE = 0.02
# Columns of `breastai predict --csv` that describe an answer, and are no subgroups.
_OF_AN_ANSWER = frozenset(
    {"decision", "predicted", "target_class", "threshold", "called", "refer", "refer_reason", "plausible", "processing", "novelty", "novelty_limit", "error"}
)  # fmt: skip
# Tables written by `breastai predict --csv` before 4.1 called the answer label.
_OLD_ANSWERS = frozenset({"called", "refer", "processing", "label"})
_LABELS_ARE_ANSWERS = Text(
    "problem.expected_alone",
    {"name": Text("place.column", {"column": "label"}), "expected": Text("expected.true_class")},
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

    def subset(self, chosen: npt.NDArray[np.bool_]) -> "Predictions":
        """Return the predictions of the cases that are `chosen` (N,)."""
        places = np.flatnonzero(chosen).tolist()

        def of(cells: Sequence[str]) -> tuple[str, ...]:
            return tuple(cells[place] for place in places)

        return replace(
            self,
            labels=self.labels[chosen],
            probabilities=self.probabilities[chosen],
            files=None if self.files is None else of(self.files),
            patients=None if self.patients is None else of(self.patients),
            subgroups={name: of(cells) for name, cells in self.subgroups.items()},
        )


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
    faults: list[Text | str] = []
    head = _row(1)
    if "label" not in columns:
        came = ", ".join(header) or Text("came.none")
        faults.append(describe_mismatch(head, Text("expected.label_column"), came))
    if len(class_columns) < 2:
        faults.append(describe_mismatch(head, Text("expected.probability_columns"), len(class_columns)))
    if len(columns) < len(header):
        twice = next(name for name in header if [other.lower() for other in header].count(name.lower()) > 1)
        faults.append(describe_mismatch(head, Text("expected.columns_once"), Text("came.twice", {"column": twice})))
    if faults:
        raise PredictionsInvalid(path.name, faults)
    if not rows:
        raise PredictionsInvalid(path.name, [describe_mismatch(_row(2), Text("expected.prediction"), Text("came.end"))])
    class_names = [name[len(_PREFIX) :] for name in class_columns]
    number_of = {name.lower(): number for number, name in enumerate(class_names)}
    places = [columns[name.lower()] for name in class_columns]
    labels = np.zeros(len(rows), dtype=np.int64)
    probabilities = np.zeros((len(rows), len(class_names)))
    for index, (line, cells) in enumerate(rows):
        if on_progress is not None and index % _ROWS_TOLD == 0:
            on_progress(index, len(rows))
        if len(cells) != len(header):
            faults.append(describe_mismatch(_row(line), Text("expected.cells", {"count": len(header)}), len(cells)))
            continue
        label = cells[columns["label"]]
        if label.lower() not in number_of:
            wanted = Text("expected.one_of", {"options": class_names})
            faults.append(describe_mismatch(_cell(line, "label"), wanted, repr(label)))
        labels[index] = number_of.get(label.lower(), 0)
        faults += _read_probabilities(line, cells, class_columns, places, probabilities[index])
    if not faults and "file" in columns:
        faults = _repeated(rows, columns)
    elif faults and (scale := _scale(rows, places)) is not None:
        faults.insert(0, scale)
    if faults:
        more = len(faults) - _LISTED_PROBLEMS
        raise PredictionsInvalid(
            path.name, [*faults[:_LISTED_PROBLEMS], *([Text("problem.and_more", {"count": more})] if more > 0 else [])]
        )
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    if columns.keys() >= _OLD_ANSWERS and "decision" not in columns and (labels == probabilities.argmax(axis=1)).all():
        raise PredictionsInvalid(path.name, [_LABELS_ARE_ANSWERS])

    def column(name: str) -> tuple[str, ...]:
        return tuple(cells[columns[name.lower()]] for _, cells in rows)

    known = {"label", "file", "patient_id", *_OF_AN_ANSWER, *(name.lower() for name in class_columns)}
    patients = column("patient_id") if "patient_id" in columns else None
    if patients is not None and "" in patients:
        line = rows[patients.index("")][0]
        raise PredictionsInvalid(
            path.name, [describe_mismatch(_cell(line, "patient_id"), Text("expected.patient"), Text("came.nothing"))]
        )
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

    By the column file where both have it, as a labels table names its images, else as they stand. Raises PredictionsInvalid when they are not the same
    cases.
    """
    if first.class_names != second.class_names:
        if sorted(first.class_names) != sorted(second.class_names):
            wanted = Text("expected.classes", {"class_names": list(first.class_names)})
            raise PredictionsInvalid(second.name, [describe_mismatch(_row(1), wanted, ", ".join(second.class_names))])
        second = _reordered(second, first.class_names)
    order: Sequence[int] = range(len(second))
    if first.files is not None and second.files is not None:
        place = {file_key(file): number for number, file in enumerate(second.files)}
        means = match_files(first.files, list(place))
        missing = [file for file in first.files if file not in means]
        if missing or len(place) != len(first.files) or len(set(means.values())) != len(first.files):
            got = Text("came.missing", {"file": missing[0]}) if missing else Text("came.files", {"count": len(place)})
            wanted = Text("expected.files_of", {"count": len(first), "table": first.name})
            raise PredictionsInvalid(
                second.name, [describe_mismatch(Text("place.column", {"column": "file"}), wanted, got)]
            )
        order = [place[means[file]] for file in first.files]
    elif len(first) != len(second):
        wanted = Text("expected.predictions_as_in", {"count": len(first), "table": first.name})
        raise PredictionsInvalid(second.name, [describe_mismatch(Text("place.table"), wanted, len(second))])
    chosen = np.asarray(order, dtype=np.int64)
    differing = np.flatnonzero(first.labels != second.labels[chosen])
    if len(differing):
        row, name = int(differing[0]), second.class_names
        wanted = Text("expected.label_as_in", {"label": name[first.labels[row]], "table": first.name})
        place_of = Text("place.case", {"case": row + 1, "column": "label"})
        raise PredictionsInvalid(second.name, [describe_mismatch(place_of, wanted, name[second.labels[chosen[row]]])])
    return Predictions(
        second.name,
        second.class_names,
        first.labels,
        second.probabilities[chosen],
        first.files,
        first.patients,
        first.subgroups,
    )


def _row(number: int) -> Text:
    return Text("place.row", {"row": number})


def _cell(row: int, column: str) -> Text:
    return Text("place.cell", {"row": row, "column": column})


def _reordered(table: Predictions, class_names: tuple[str, ...]) -> Predictions:
    order = [table.class_names.index(name) for name in class_names]
    labels = np.array([order.index(int(label)) for label in table.labels], dtype=np.int64)
    probabilities = table.probabilities[:, order]
    return Predictions(table.name, class_names, labels, probabilities, table.files, table.patients, table.subgroups)


def _repeated(rows: Sequence[tuple[int, list[str]]], columns: Mapping[str, int]) -> list[Text | str]:
    """Return a fault for each row without a file, or whose file stands in a row before it: it would count twice."""
    faults: list[Text | str] = []
    first: dict[str, tuple[int, list[str]]] = {}
    for line, cells in rows:
        file = cells[columns["file"]]
        if not file:
            faults.append(describe_mismatch(_cell(line, "file"), Text("expected.file"), Text("came.nothing")))
            continue
        before, other = first.setdefault(file_key(file), (line, cells))
        if before == line:
            continue
        came = Text("came.as_in_row", {"file": file, "row": before})
        for column in ("label", "patient_id"):
            here, there = ((row[columns[column]] if column in columns else "") for row in (cells, other))
            if here.lower() != there.lower():
                came = Text("came.with_other", {"came": came, "column": column, "here": here, "there": there})
        faults.append(describe_mismatch(_cell(line, "file"), Text("expected.files_once"), came))
    return faults


def _read_probabilities(
    line: int, cells: Sequence[str], names: Sequence[str], places: Sequence[int], into: npt.NDArray[np.float64]
) -> list[Text | str]:
    faults: list[Text | str] = []
    for number, (name, place) in enumerate(zip(names, places, strict=True)):
        value = _number(cells[place])
        if not 0 <= value <= 1:
            faults.append(describe_mismatch(_cell(line, name), Text("expected.probability"), repr(cells[place])))
        into[number] = value
    total = float(into.sum())
    if not faults and abs(total - 1) > _SUM_TOLERANCE:
        faults.append(describe_mismatch(_row(line), Text("expected.sum"), float(f"{total:.3g}")))
    return faults


def _number(cell: str) -> float:
    """Return the number in a cell, 0.915 of 0.915, 0,915 and 91.5 %; NaN of any other."""
    text = "".join(cell.split()).replace(",", ".")
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return math.nan


def _scale(rows: Sequence[tuple[int, list[str]]], places: Sequence[int]) -> Text | None:
    """Return what numbers seem to be that are no probabilities: percentages, or scores of a network; None where neither."""
    found = [[_number(cells[place]) for place in places] for _, cells in rows if len(cells) > max(places)]
    values = np.array(found, dtype=np.float64).reshape(-1, len(places))
    if not len(values) or not np.isfinite(values).all():
        return None
    if (values >= 0).all() and (np.abs(values.sum(axis=1) - 100) <= 100 * _SUM_TOLERANCE).all():
        return Text("problem.percentages")
    few = len(values) < _FEW_ROWS
    return (
        Text("problem.scores") if not few and (np.abs(values.sum(axis=1) - 1) > _SUM_TOLERANCE).mean() > 0.5 else None
    )


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header, and each row that is not empty with its number."""
    if not path.is_file():
        raise PathNotFound(path.name)
    try:
        table = read_table(path)
    except TableUnreadable as fault:
        raise PredictionsInvalid(path.name, [fault.reason]) from None
    if not table.columns:
        raise PredictionsInvalid(
            path.name, [describe_mismatch(_row(1), Text("expected.names"), Text("came.empty_file"))]
        )
    return list(table.columns), [(row.number, list(row.cells)) for row in table.rows]
