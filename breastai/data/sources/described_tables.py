"""The tables of a description: read, their rows filtered, and each row tied to the images it speaks of."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from breastai.data.named_files import file_key, match_files
from breastai.data.sources.case_table import Skipped
from breastai.data.sources.image_listing import reason_against_target
from breastai.data.user_tables import Row, TableUnreadable, UserTable, read_table
from breastai.domain.case_fields import in_words_of
from breastai.domain.dataset_description import Join, LabelsTable, RowFilter, number_in
from breastai.domain.errors import LabelsInvalid, PathNotFound
from breastai.domain.text import Text
from breastai.domain.text_patterns import finder_of

# The rows of one table that speak of an image, by its file.
RowsOf = Mapping[str, Sequence[Row]]
# What an image says of a role, by its file; None of the role file: its path is compared.
ImageSide = Callable[[str], str | None] | None

_NO_IMAGE = Text("reason.row_without_image")


@dataclass(frozen=True)
class DescribedTable:
    """A table as it was read: where its columns are, by name in lower case, and its rows."""

    described: LabelsTable
    table: UserTable

    @cached_property
    def places(self) -> Mapping[str, int]:
        return self.table.places()

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.table.rows

    def cell(self, row: Row, column: str) -> str:
        """Return what a row says in a column, "" where there is no such column."""
        place = self.places.get(column.lower())
        return "" if place is None else row.cell(place)


def read_described_table(described: LabelsTable, root: Path) -> DescribedTable:
    """Return a table of a description; raise PathNotFound, and LabelsInvalid where it can't be read, lacks a column
    or is a link to what may not be read.
    """
    path = root / described.file
    if not path.is_file():
        raise PathNotFound(path.as_posix())
    out = reason_against_target(Path(os.path.realpath(path)), Path(os.path.realpath(root)))
    if out is not None:
        raise LabelsInvalid(path.name, out)
    try:
        table = read_table(path, described.sheet, described.columns)
    except TableUnreadable as fault:
        raise LabelsInvalid(path.name, fault.reason) from None
    found = DescribedTable(described, table)
    require_columns([found], [*(join.column for join in described.join), *(item.column for item in described.filters)])
    return found


def require_columns(tables: Sequence[DescribedTable], needed: Sequence[str]) -> None:
    """Raise LabelsInvalid where no table has a column that a description names, or one has it twice and it differs."""
    name = Path(tables[0].described.file).name
    there = list(dict.fromkeys(column for table in tables for column in table.table.columns if column))
    known = {column for table in tables for column in table.places}
    missing = [column for column in dict.fromkeys(needed) if column.lower() not in known]
    if missing:
        raise LabelsInvalid(name, Text("reason.lacks_columns", {"missing": missing, "columns": there or ["-"]}))
    for table in tables:
        fault = table.table.contradiction(needed)
        if fault is not None:
            raise LabelsInvalid(Path(table.described.file).name, fault)


def passes(table: DescribedTable, row: Row, filters: Sequence[RowFilter]) -> bool:
    """Return whether a row counts by the filters of its table."""
    return all(_passes(table.cell(row, item.column), item) for item in filters)


def _passes(cell: str, item: RowFilter) -> bool:
    if item.one_of and not any(_same(cell, value) for value in item.one_of):
        return False
    return not any(_same(cell, value) for value in item.none_of)


def _same(cell: str, value: str) -> bool:
    if cell.casefold() == value.strip().casefold():
        return True
    number = number_in(cell)
    return number is not None and number == number_in(value)


@dataclass(frozen=True)
class JoinedRows:
    """The rows of a table that speak of each image; images whose rows were all filtered away; rows without an image."""

    rows: RowsOf
    filtered: frozenset[str]
    skipped: tuple[Skipped, ...]


def join_rows(table: DescribedTable, files: Sequence[str], sides: Sequence[ImageSide]) -> JoinedRows:
    """Return which rows speak of which of `files`; raise LabelsInvalid where two of an image may not.

    `sides`: for each join what an image says.
    """
    joins = table.described.join
    by_key = _rows_by_key(table)
    if not table.described.several_rows:
        _refuse_repeated(table, by_key)
    named = _keys_of_files(files, joins, sides, list(by_key))
    kept = {key: [row for row in rows if passes(table, row, table.described.filters)] for key, rows in by_key.items()}
    used = set(named.values())
    return JoinedRows(
        rows={file: kept[key] for file, key in named.items() if kept[key]},
        filtered=frozenset(file for file, key in named.items() if not kept[key]),
        skipped=tuple(
            Skipped(_named(table, rows[0]), _NO_IMAGE) for key, rows in kept.items() if rows and key not in used
        ),
    )


def _named(table: DescribedTable, row: Row) -> str:
    """Return what a row calls the images that it speaks of."""
    words = []
    for join in table.described.join:
        cell = table.cell(row, join.column)
        said = cell if join.pattern is None else finder_of(join.pattern)(cell)
        if said is not None:
            words.append(file_key(said) if join.role == "file" else in_words_of(join.role, said))
    return " ".join(word for word in words if word)


_Key = tuple[str, ...]


def _rows_by_key(table: DescribedTable) -> dict[_Key, list[Row]]:
    """Return the rows by what their joining columns say; rows in which one says nothing are none."""
    patterns = [None if join.pattern is None else finder_of(join.pattern) for join in table.described.join]
    found: dict[_Key, list[Row]] = defaultdict(list)
    for row in table.rows:
        key = []
        for join, pattern in zip(table.described.join, patterns, strict=True):
            cell = table.cell(row, join.column)
            said = pattern(cell) if pattern is not None else cell
            key.append(_compared(join, said) if said else None)
        if all(key):
            found[tuple(part for part in key if part)].append(row)
    return found


def _refuse_repeated(table: DescribedTable, by_key: Mapping[_Key, Sequence[Row]]) -> None:
    for rows in by_key.values():
        if len(rows) > 1:
            code = "row_repeats_file_row" if rows[0].cells == rows[1].cells else "row_says_otherwise_row"
            params = {"number": rows[1].number, "file": _named(table, rows[0]), "before": rows[0].number}
            raise LabelsInvalid(Path(table.described.file).name, Text(f"reason.{code}", params))


def _keys_of_files(
    files: Sequence[str],
    joins: Sequence[Join],
    sides: Sequence[ImageSide],
    keys: Sequence[_Key],
) -> dict[str, _Key]:
    """Return the key of the rows that speak of each file."""
    if len(joins) == 1 and sides[0] is None:
        by_name = {key[0]: key for key in keys}
        return {file: by_name[name] for file, name in match_files(files, list(by_name)).items()}
    if len(joins) == 1 and joins[0].role == "file":
        said = {file: each for file in files if (each := _said(file, joins[0], sides[0]))}
        by_name = {key[0]: key for key in keys}
        means = match_files(list(dict.fromkeys(said.values())), list(by_name))
        return {file: by_name[means[each]] for file, each in said.items() if each in means}
    known = set(keys)
    said_of = {
        file: tuple(_said(file, join, side) or "" for join, side in zip(joins, sides, strict=True)) for file in files
    }
    # Spreadsheets lose the leading zeros of 007; where 07 is there as well neither is meant.
    lost = _once({key: _without_zeros(key) for key in known})
    plain = _once({key: _without_zeros(key) for key in set(said_of.values())})
    found = {file: key for file, key in said_of.items() if key in known}
    taken = set(found.values())
    for file, key in said_of.items():
        meant = lost.get(_without_zeros(key)) if plain.get(_without_zeros(key)) == key else None
        if file not in found and meant is not None and meant not in taken:
            found[file] = meant
    return found


def _without_zeros(key: _Key) -> _Key:
    return tuple(part.lstrip("0") or part[:1] if part.isdigit() else part for part in key)


def _once(plain: Mapping[_Key, _Key]) -> dict[_Key, _Key]:
    """Return by what they are without zeros the keys that are so alone."""
    counts = Counter(plain.values())
    return {bare: key for key, bare in plain.items() if counts[bare] == 1}


def _said(file: str, join: Join, side: ImageSide) -> str | None:
    said = file if side is None else side(file)
    return None if said is None else _compared(join, said)


def _compared(join: Join, said: str) -> str | None:
    """Return what a column or an image says as both are compared: a path as it is, all else in any case."""
    if join.role == "file":
        return file_key(said)
    word = in_words_of(join.role, said)
    return None if word is None else word.casefold()
