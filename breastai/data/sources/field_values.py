"""Values of a case by the rules of a description: from rows of tables, the file's path, its header; each in the words of its role."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from breastai.data.decoders.decoder_table import file_header
from breastai.data.sources.described_tables import DescribedTable, RowsOf
from breastai.domain.case_fields import (
    BoxRule,
    ColumnRule,
    ConstantRule,
    FieldRule,
    FolderRule,
    HeaderRule,
    MarkedRule,
    PathRule,
    columns_of,
)
from breastai.domain.class_words import is_marked
from breastai.domain.text_patterns import finder_of, rewriter_of

# How a value of an image is found: by its file below the root; "" or None where nothing is said.
Value = Callable[[str], str | None]

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_SAYS_NOTHING = frozenset({"", "nan", "none", "null", "n/a", "na", "-", "?"})


def value_of(rule: FieldRule, root: Path, tables: Sequence[DescribedTable], rows: Sequence[RowsOf]) -> Value:
    """Return what finds the value that a rule means for an image; `rows`: by table, the rows of each image."""
    find, clean = _finder(rule, root, tables, rows), _cleaner(rule)
    return lambda file: clean(find(file))


def _cleaner(rule: FieldRule) -> Callable[[str | None], str | None]:
    """Return what makes a value of what was found: the part that a pattern takes, what it stands for, or nothing."""
    pattern = None if rule.pattern is None else finder_of(rule.pattern)
    values = {key.casefold(): value for key, value in rule.values.items()}

    def clean(found: str | None) -> str | None:
        if found is not None and pattern is not None:
            found = pattern(found)
        if found is not None and values:
            found = values.get(found.strip().casefold(), found)
        return None if found is None or found.strip().casefold() in _SAYS_NOTHING else found.strip()

    return clean


def values_of(
    rule: FieldRule, root: Path, tables: Sequence[DescribedTable], rows: Sequence[RowsOf]
) -> Callable[[str], list[str]]:
    """Return what finds all that is said of an image by a rule: of several rows by each."""
    if isinstance(rule, MarkedRule):
        return _marked(rule, tables, rows)
    if not isinstance(rule, ColumnRule):
        single = value_of(rule, root, tables, rows)
        return lambda file: [found for found in (single(file),) if found]
    places = [place for column in columns_of(rule) for place in _places(column, tables, rows)]
    clean = _cleaner(rule)

    def values(file: str) -> list[str]:
        for of, place in places:
            found = [value for row in of.get(file, ()) if (value := clean(row.cell(place)))]
            if found:
                return found
        return []

    return values


def _finder(rule: FieldRule, root: Path, tables: Sequence[DescribedTable], rows: Sequence[RowsOf]) -> Value:
    match rule:
        case ColumnRule(column=column, otherwise=None):
            return _column(column, tables, rows)
        case ColumnRule(column=column, otherwise=other) if other is not None:
            first, second = _column(column, tables, rows), _column(other, tables, rows)
            return lambda file: first(file) or second(file)
        case BoxRule():
            return _box(rule, [_column(column, tables, rows) for column in rule.columns])
        case MarkedRule():
            marked = _marked(rule, tables, rows)
            return lambda file: next(iter(marked(file)), None)
        case FolderRule(folder=level):
            return lambda file: folder_of(file, level)
        case PathRule(path=path, expand=None):
            return finder_of(path)
        case PathRule(path=path, expand=template) if template is not None:
            return rewriter_of(path, template)
        case HeaderRule(header=name):
            return lambda file: _in_header(root / file, name)
        case ConstantRule(constant=constant):
            return lambda file: constant
    raise AssertionError(rule)


def folder_of(file: str, level: int) -> str | None:
    """Return folder `level` of a file's path, 1 the first, -1 that in which it lies; None where it lies less deep."""
    folders = file.split("/")[:-1]
    if len(folders) < abs(level):
        return None
    return folders[level - 1 if level > 0 else level]


def _column(name: str, tables: Sequence[DescribedTable], rows: Sequence[RowsOf]) -> Value:
    places = _places(name, tables, rows)

    def value(file: str) -> str | None:
        for of, place in places:
            for row in of.get(file, ()):
                if cell := row.cell(place):
                    return cell
        return None

    return value


def _places(name: str, tables: Sequence[DescribedTable], rows: Sequence[RowsOf]) -> list[tuple[RowsOf, int]]:
    """Return the rows of each table that has a column of this name, and where it is."""
    column = name.lower()
    return [(of, table.places[column]) for table, of in zip(tables, rows, strict=True) if column in table.places]


def _marked(rule: MarkedRule, tables: Sequence[DescribedTable], rows: Sequence[RowsOf]) -> Callable[[str], list[str]]:
    """Return what finds all that is marked in the rows of an image."""
    places = [(name, of, place) for column, name in rule.marked.items() for of, place in _places(column, tables, rows)]
    return lambda file: [name for name, of, place in places for row in of.get(file, ()) if is_marked(row.cell(place))]


def _box(rule: BoxRule, columns: Sequence[Value]) -> Value:
    def value(file: str) -> str | None:
        cells = [column(file) for column in columns]
        if any(cell is None for cell in cells):
            return None
        if len(cells) > 1:  # each is a number, perhaps with a decimal comma
            cells = [cell.replace(",", ".") for cell in cells if cell]
        numbers = [float(found) for cell in cells if cell for found in _NUMBER.findall(cell)]
        return box_text(numbers, rule)

    return value


def box_text(numbers: Sequence[float], rule: BoxRule) -> str | None:
    """Return a box as tables of cases have it: "x y width height" in pixels; None where numbers make none."""
    match rule.form, numbers:
        case "xywh", [x, y, width, height]:
            box = x, y, width, height
        case "xyxy", [x, y, right, lower]:
            box = x, y, right - x, lower - y
        case "circle", [x, y, radius]:
            box = x - radius, y - radius, 2 * radius, 2 * radius
        case "circle_from_bottom", [x, y, radius]:
            box = x - radius, (rule.height or 0) - y - radius, 2 * radius, 2 * radius
        case _:
            return None
    return " ".join(f"{number:g}" for number in box) if box[2] > 0 and box[3] > 0 else None


def _in_header(path: Path, name: str) -> str | None:
    header = file_header(path)
    found = {
        "patient_id": header.patient_id,
        "laterality": header.codes.laterality,
        "view": header.codes.view,
        "modality": header.codes.modality,
        "device": header.device,
        "series": header.series,
    }
    return found[name]
