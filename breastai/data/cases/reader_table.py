"""A table of readings: who read which case with which test, what they said, what is true; every fault named by its cell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from breastai.data.named_files import file_key
from breastai.data.user_tables import Row, TableUnreadable, UserTable, read_table
from breastai.domain.class_words import canonical_class, class_in_question, yes_or_no
from breastai.domain.errors import PathNotFound, ReadersInvalid, TargetClassUnknown
from breastai.domain.faults import describe_mismatch
from breastai.domain.reader_records import ONE_TEST
from breastai.domain.text import Text

# By what it holds, each name that a column of it may have.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "reader": ("reader", "reader_id", "radiologist"),
    "case": ("file", "case", "case_id", "image"),
    "patient": ("patient_id", "patient"),
    "test": ("test", "modality", "treatment"),
    "score": ("score", "rating"),
    "call": ("call", "answer"),
    "truth": ("label", "truth"),
}
_NEEDED = ("reader", "case", "truth")
_LISTED_PROBLEMS = 10
_POSITIVE, _NEGATIVE = ("positive", "positif", "positiv"), ("negative", "negatif", "negativ")


@dataclass(frozen=True, eq=False)
class Readings:
    """All readings of N cases by R readers with T tests: `scores` and `calls` (T, R, N), each None where not given.

    A higher score speaks more for `target_class`; a call is that it is there. `positive` (N,): what is true.
    """

    name: str
    target_class: str
    readers: tuple[str, ...]
    tests: tuple[str, ...]
    cases: tuple[str, ...]
    positive: npt.NDArray[np.bool_]
    patients: tuple[str, ...] | None
    scores: npt.NDArray[np.float64] | None
    calls: npt.NDArray[np.bool_] | None

    def __len__(self) -> int:
        return len(self.cases)


def read_readings(path: Path, target_class: str | None = None) -> Readings:
    """Return the readings in a CSV with a row for each; raise ReadersInvalid or TargetClassUnknown.

    Columns: COLUMNS; a reader, a case, its truth, and a score, a call or both. Every reader reads every case with every
    test, since the covariances are those of the cases that all have in common.
    """
    table = _table(path)
    places = _places(path, table)
    rows = table.rows
    truths = list(dict.fromkeys(canonical_class(cell) for row in rows if (cell := row.cell(places["truth"]))))
    target = _target(path, target_class, truths)
    readers, tests, cases = (
        tuple(dict.fromkeys(filter(None, (_key(row, places, what) for row in rows))))
        for what in ("reader", "test", "case")
    )
    faults: list[Text | str] = []
    shape = (len(tests), len(readers), len(cases))
    scores, calls = np.full(shape, math.nan), np.full(shape, math.nan)
    positive, patients = np.full(len(cases), math.nan), [""] * len(cases)
    rows_of: dict[tuple[int, int, int], int] = {}
    numbers = [{name: number for number, name in enumerate(names)} for names in (tests, readers, cases)]
    for row in rows:
        empty = [what for what in ("reader", "case", "truth", "test", "patient") if not _said(row, places, what)]
        if empty:
            faults += [
                describe_mismatch(_cell(row, table, places[what]), Text("expected.value"), Text("came.nothing"))
                for what in empty
            ]
            continue
        place = (
            numbers[0][_key(row, places, "test")],
            numbers[1][_key(row, places, "reader")],
            numbers[2][_key(row, places, "case")],
        )
        before = rows_of.setdefault(place, row.number)
        if before != row.number:
            came = Text("came.as_in_row", {"file": row.cell(places["case"]), "row": before})
            faults.append(
                describe_mismatch(Text("place.row", {"row": row.number}), Text("expected.reading_once"), came)
            )
        faults += _fill(row, table, places, (target, *truths), place, scores, calls)
        truth = row.cell(places["truth"])
        case = place[2]
        said = float(canonical_class(truth) == target)
        if not math.isnan(positive[case]) and positive[case] != said:
            faults.append(describe_mismatch(_cell(row, table, places["truth"]), Text("expected.one_truth"), truth))
        positive[case] = said
        if "patient" in places:
            patient = row.cell(places["patient"])
            if patients[case] not in ("", patient):
                faults.append(
                    describe_mismatch(_cell(row, table, places["patient"]), Text("expected.one_patient"), patient)
                )
            patients[case] = patient
    if not faults:
        faults = _missing(rows_of, readers, tests, cases)
    if faults:
        _refuse(path, faults)
    return Readings(
        name=path.name,
        target_class=target,
        readers=readers,
        tests=tests,
        cases=cases,
        positive=positive == 1,
        patients=tuple(patients) if "patient" in places else None,
        scores=scores if "score" in places else None,
        calls=calls == 1 if "call" in places else None,
    )


def _table(path: Path) -> UserTable:
    if not path.is_file():
        raise PathNotFound(path.name)
    try:
        return read_table(path)
    except TableUnreadable as fault:
        raise ReadersInvalid(path.name, [fault.reason]) from None


def _places(path: Path, table: UserTable) -> dict[str, int]:
    """Return where each kind of column is; raise ReadersInvalid where a needed one is missing."""
    at = table.places()
    places = {
        what: at[found[0]] for what, names in COLUMNS.items() if (found := [name for name in names if name in at])
    }
    head = Text("place.row", {"row": 1})
    came = ", ".join(table.columns) or Text("came.none")
    missing = [" / ".join(COLUMNS[what]) for what in _NEEDED if what not in places]
    if not {"score", "call"} & places.keys():
        missing.append(" / ".join(COLUMNS["score"] + COLUMNS["call"]))
    if missing:
        _refuse(path, [describe_mismatch(head, Text("expected.column_of", {"names": each}), came) for each in missing])
    if (fault := table.contradiction(table.columns[place] for place in places.values())) is not None:
        _refuse(path, [fault])
    if not table.rows:
        _refuse(path, [describe_mismatch(Text("place.row", {"row": 2}), Text("expected.reading"), Text("came.end"))])
    return places


def _key(row: Row, places: Mapping[str, int], what: str) -> str:
    """Return the name in a cell, as all rows write it; that of the only test where there is no column."""
    return file_key(row.cell(places[what])) if what in places else ONE_TEST


def _said(row: Row, places: Mapping[str, int], what: str) -> bool:
    return what not in places or row.cell(places[what]) != ""


def _cell(row: Row, table: UserTable, place: int) -> Text:
    return Text("place.cell", {"row": row.number, "column": table.columns[place]})


def _target(path: Path, wished: str | None, names: Sequence[str]) -> str:
    """Return the class, of the `names` of those that are true, whose presence is read for; raise TargetClassUnknown and ReadersInvalid."""
    if wished is not None and canonical_class(wished) in names:
        return canonical_class(wished)
    if wished is None:
        # 1 and 2 are no yes and no.
        said = next((name for name in names if _yes_or_no(name)), None) if None not in map(_yes_or_no, names) else None
        found = said or class_in_question(names).answer
        if found is not None:
            return found
        _refuse(path, [Text("problem.readers_target", {"class_names": list(names)})])
    raise TargetClassUnknown(wished or "", list(names))


def _yes_or_no(word: str) -> bool | None:
    return True if word in _POSITIVE else False if word in _NEGATIVE else yes_or_no(word)


def _is_called(cell: str, target: str, names: Sequence[str]) -> bool | None:
    """Return whether a cell calls the target class: by yes or no, or by a class; None of one that says neither."""
    word = canonical_class(cell)
    if word == target:
        return True
    said = _yes_or_no(word)
    if said is not None and _yes_or_no(target) is not False:
        return said
    return False if word in names else None


def _fill(
    row: Row,
    table: UserTable,
    places: Mapping[str, int],
    classes: Sequence[str],
    place: tuple[int, int, int],
    scores: npt.NDArray[np.float64],
    calls: npt.NDArray[np.float64],
) -> list[Text | str]:
    """Put what a reader said into the arrays; return what is wrong with it. `classes`: the target class first."""
    faults: list[Text | str] = []
    if "score" in places:
        cell = row.cell(places["score"])
        try:
            scores[place] = float(cell.replace(",", "."))
        except ValueError:
            scores[place] = math.nan
        if not math.isfinite(scores[place]):
            faults.append(
                describe_mismatch(_cell(row, table, places["score"]), Text("expected.finite_number"), repr(cell))
            )
    if "call" in places:
        cell = row.cell(places["call"])
        said = _is_called(cell, classes[0], classes)
        if said is None:
            options = [*dict.fromkeys(classes), "yes", "no"]
            wanted = Text("expected.one_of", {"options": options}) if cell else Text("expected.value")
            came = repr(cell) if cell else Text("came.nothing")
            faults.append(describe_mismatch(_cell(row, table, places["call"]), wanted, came))
        calls[place] = float(bool(said))
    return faults


def _missing(
    rows_of: Mapping[tuple[int, int, int], int], readers: Sequence[str], tests: Sequence[str], cases: Sequence[str]
) -> list[Text | str]:
    """Return a fault for each reading that others have and one lacks."""
    if len(rows_of) == len(readers) * len(tests) * len(cases):
        return []
    return [
        Text(
            "problem.no_reading" if len(tests) > 1 else "problem.not_read",
            {"reader": reader, "test": test, "case": case},
        )
        for j, reader in enumerate(readers)
        for i, test in enumerate(tests)
        for k, case in enumerate(cases)
        if (i, j, k) not in rows_of
    ]


def _refuse(path: Path, faults: Sequence[Text | str]) -> None:
    more = len(faults) - _LISTED_PROBLEMS
    rest = [Text("problem.and_more", {"count": more})] if more > 0 else []
    raise ReadersInvalid(path.name, [*faults[:_LISTED_PROBLEMS], *rest])
