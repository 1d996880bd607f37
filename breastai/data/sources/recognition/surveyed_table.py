"""Tables as a survey sees them: their columns and rows, and which of their columns says what."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from breastai.data.user_tables import TableUnreadable, UserTable, plain_name, read_table, sheet_names
from breastai.domain.class_words import split_of

# Larger tables are not looked into: what says labels of images is smaller.
_MOST_BYTES = 64 << 20
_MOST_SHEETS = 10


@dataclass(frozen=True, eq=False)
class SurveyedTable:
    """A table in a place that is surveyed; of a workbook its first sheet, or another by the name of that `sheet`."""

    table: UserTable
    sheet: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return self.table.columns

    @cached_property
    def plain_columns(self) -> frozenset[str]:
        """The names of its columns, in letters and digits alone."""
        return frozenset(map(plain_name, self.columns))

    @cached_property
    def values(self) -> Mapping[str, Counter[str]]:
        """How often each value stands in each column; empty cells are none."""
        return {
            column: Counter(cell for row in self.table.rows if (cell := row.cell(place)))
            for place, column in reversed(list(enumerate(self.columns)))  # of several of one name the first
        }

    def column_named(self, *names: str) -> str | None:
        """Return the column called by the first of some names that one has, compared in letters and digits."""
        by_name = {plain_name(column): column for column in reversed(self.columns)}
        return next((by_name[plain] for name in names if (plain := plain_name(name)) in by_name), None)

    def rows_beginning(self, pattern: re.Pattern[str]) -> int:
        """Return how many rows begin with a cell that a pattern matches, the one with the columns' names included."""
        first = [cells[0] for cells in (self.columns, *(row.cells for row in self.table.rows)) if cells and cells[0]]
        return sum(pattern.fullmatch(cell.split()[0]) is not None for cell in first)


def together(tables: Mapping[str, SurveyedTable]) -> Iterator[tuple[tuple[str, ...], SurveyedTable]]:
    """Yield tables with their files, as one those of the same columns and name that lie in folders of their own.

    So do the tables of patients, one in the folder of each.
    """
    alike: dict[tuple[object, ...], list[str]] = {}
    for file, table in tables.items():
        path = PurePosixPath(file)
        in_folder = len(path.parts) > 1 and not split_of(path.parent.name)
        key = (path.name.lower(), table.columns) if in_folder else (file,)
        alike.setdefault(key, []).append(file)
    for files in alike.values():
        found = [tables[file] for file in files]
        rows = tuple(row for table in found for row in table.table.rows)
        one = found[0] if len(found) == 1 else SurveyedTable(UserTable(found[0].columns, rows))
        yield tuple(files), one


def read_further_sheets(path: Path) -> list[SurveyedTable]:
    """Return the tables in the sheets of a workbook after its first."""
    try:
        names = sheet_names(path)[1 : _MOST_SHEETS + 1] if path.stat().st_size <= _MOST_BYTES else []
    except (OSError, TableUnreadable):
        return []
    found = (read_surveyed(path, name) for name in names)
    return [table for table in found if table is not None]


def read_surveyed(path: Path, sheet: str | None = None) -> SurveyedTable | None:
    """Return the table in a file, None where it is none that can be read."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        table = read_table(path, sheet)
    except (OSError, TableUnreadable):
        return None
    return SurveyedTable(table, sheet) if table.columns else None
