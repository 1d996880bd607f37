"""Lists of findings in words without names of columns, as MIAS and DMID come with: image, view, tissue, finding, B or M, circle."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from breastai.data.sources.recognition.folder_copies import one_of_copies
from breastai.data.sources.recognition.recogniser import (
    CLASS_LETTERS,
    NORMAL_BENIGN_MALIGNANT,
    Reading,
    Recogniser,
    describe,
)
from breastai.data.sources.recognition.survey import Survey
from breastai.data.user_tables import Row, TableUnreadable, read_table
from breastai.domain.class_words import meaning_of
from breastai.domain.text import Text

_MOST_WORDS, _LEAST_ROWS, _MOST_BYTES = 12, 4, 1 << 20
_LEAST_SHARE = 0.9
_VIEW = r"(?i)(CC|MLO|ML|LM|XCCL)"
_VIEW_WORD = re.compile(r"(?i)(?:[RL][\W_]*)?(?:CC|MLO|ML|LM|XCCL)(?:[\W_]*[RL](?:T|IGHT|EFT)?)?")
_WITH_SIDE = re.compile(r"(?i)(?:CC|MLO|ML|LM|XCCL)[\W_]*[RL](?:T|IGHT|EFT)?")
_SIDE_WORD = re.compile(r"(?i)[RL](?:T|IGHT|EFT)?")
_TISSUE_WORD = re.compile(r"(?i)[FGD]|[A-D]|[1-4]|I{1,3}|IV")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# The kinds of findings by their abbreviations, and none.
_FINDINGS = frozenset({"calc", "circ", "spic", "misc", "arch", "asym", "mass", "norm", "normal"})
_NO_FINDING = frozenset({"norm", "normal"})
_PARTING = re.compile(r"[+/&,;]+")


@dataclass(frozen=True)
class _Columns:
    """Where what stands in each row, from 0 on; -1 where it stands nowhere."""

    finding: int
    severity: int
    view: int = -1
    side: int = -1
    tissue: int = -1
    circle: int = -1

    def names(self) -> tuple[str, ...]:
        """Return names of the columns up to the last that is known."""
        named = {0: "image", self.finding: "abnormality", self.severity: "severity"}
        named |= {self.view: "view", self.side: "side", self.tissue: "tissue"}
        if self.circle > 0:
            named |= {self.circle + place: name for place, name in enumerate(("x", "y", "radius"))}
        named.pop(-1, None)
        return tuple(named.get(place, f"column {place + 1}") for place in range(max(named) + 1))


def _finding_list(survey: Survey) -> Reading | None:
    stems = {PurePosixPath(file).stem.casefold() for file in survey.images}
    for file in survey.tables:
        rows = _rows_of_images(survey, file, stems)
        columns = _columns(rows)
        if columns is None or len({row.cells[0].casefold() for row in rows}) < len(stems) / 2:
            continue
        return _reading(survey, file, rows, columns)
    return None


def _rows_of_images(survey: Survey, file: str, stems: set[str]) -> list[Row]:
    """Return the rows of a small table that begin with the name of an image."""
    path = survey.place / file
    try:
        if path.stat().st_size > _MOST_BYTES:
            return []
        rows = read_table(path, columns=[f"column {place + 1}" for place in range(_MOST_WORDS)]).rows
    except (OSError, TableUnreadable):
        return []
    return [row for row in rows if {row.cell(0).casefold(), PurePosixPath(row.cell(0)).stem.casefold()} & stems]


def _columns(rows: Sequence[Row]) -> _Columns | None:
    """Return which column says what; None unless one holds kinds of findings and one behind it how they are judged."""
    width = max((len(row.cells) for row in rows), default=0)
    values = [Counter(cell for row in rows if (cell := row.cell(place))) for place in range(width)]
    finding = next((place for place in range(1, width) if _holds(values[place], _is_finding)), None)
    if finding is None or len(rows) < _LEAST_ROWS:
        return None
    severity = next((place for place in range(finding + 1, width) if _holds(values[place], _is_class)), None)
    if severity is None or len({_class_of(value) for value in values[severity]}) < 2:
        return None
    before = [place for place in range(1, finding) if values[place]]
    view = next((place for place in before if _holds(values[place], _VIEW_WORD.fullmatch)), -1)
    side = next((place for place in before if place != view and _holds(values[place], _SIDE_WORD.fullmatch)), -1)
    rest = [place for place in before if place not in (view, side)]
    tissue = next((place for place in rest if _holds(values[place], _TISSUE_WORD.fullmatch)), -1)
    behind = [place for place in range(severity + 1, width) if values[place]]
    numbers = len(behind) == 3 and all(_holds(values[place], _NUMBER.fullmatch) for place in behind)
    if set(rest) - {tissue} or (behind and not numbers):
        return None  # a column that nothing here knows: the table is read by its names
    return _Columns(finding, severity, view, side, tissue, behind[0] if numbers else -1)


def _holds(values: Counter[str], is_one: Callable[[str], object]) -> bool:
    """Return whether nearly all values, and at least one, are what `is_one` says."""
    known = sum(count for value, count in values.items() if is_one(value))
    return known > 0 and known >= _LEAST_SHARE * values.total()


def _is_finding(value: str) -> bool:
    return all(part.strip().casefold() in _FINDINGS for part in _PARTING.split(value))


def _is_class(value: str) -> bool:
    return _class_of(value) is not None


def _class_of(value: str) -> str | None:
    plain = value.casefold()
    if plain in CLASS_LETTERS:
        return CLASS_LETTERS[plain]
    return plain if plain in NORMAL_BENIGN_MALIGNANT and meaning_of(plain) != "silent" else None


def _reading(survey: Survey, file: str, rows: Sequence[Row], columns: _Columns) -> Reading:
    found = {row.cell(columns.finding) for row in rows}
    severities = {row.cell(columns.severity) for row in rows} - {""}
    class_map = {value: name for value in sorted(severities) if (name := _class_of(value)) is not None}
    class_map |= {value: "normal" for value in sorted(found) if value.casefold() in _NO_FINDING}
    fields: dict[str, object] = {"label": {"column": "severity", "otherwise": "abnormality"}}
    doubts = [Text("doubt.list_of_findings", {"table": file, "columns": list(columns.names())})]
    views = {row.cell(columns.view) for row in rows} if columns.view > 0 else set()
    if columns.view > 0:
        fields["view"] = {"column": "view", "pattern": _VIEW}
    if columns.side > 0:
        fields["breast"] = {"column": "side", "pattern": "(?i)^(R|L)"}
    elif views and all(map(_WITH_SIDE.fullmatch, views)):
        fields["breast"] = {"column": "view", "pattern": r"(?i)(?:CC|MLO|ML|LM|XCCL)[\W_]*(R|L)"}
    if columns.tissue > 0:
        fields["density"] = {"column": "tissue"}
    if columns.circle > 0:
        fields["box"] = {"columns": ["x", "y", "radius"], "form": "circle"}
        doubts.append(Text("doubt.circles_from_top"))
    several = _said_several(rows, columns)
    if several:
        doubts.append(Text("doubt.worst_of_rows", {"count": several}))
    copies = one_of_copies(survey)
    if copies is not None:
        doubts.append(copies.doubt)
    table = {
        "file": file,
        "columns": columns.names(),
        "join": [{"role": "file", "column": "image"}],
        "filters": [{"column": "abnormality", "one_of": sorted(found)}],
        "several_rows": True,
    }
    doubts.append(Text("doubt.patients_unknown"))
    return Reading(
        0.85,
        describe(
            survey,
            "finding_list",
            tables=[table],
            fields=fields,
            images={} if copies is None else {"include": copies.include},
            class_map=class_map,
            class_names=[name for name in NORMAL_BENIGN_MALIGNANT if name in class_map.values()],
        ),
        tuple(doubts),
    )


def _said_several(rows: Sequence[Row], columns: _Columns) -> int:
    """Return of how many images several rows say different classes."""
    said: dict[str, set[str | None]] = defaultdict(set)
    for row in rows:
        said[row.cells[0].casefold()].add(_class_of(row.cell(columns.severity)))
    return sum(len(classes - {None}) > 1 for classes in said.values())


FINDING_LIST = Recogniser("finding_list", _finding_list)
