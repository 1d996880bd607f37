"""Tables that users write: a CSV of any common kind, its rows counted as a spreadsheet does, and the files they name."""

import codecs
import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from breastai.domain.faults import describe_fault
from breastai.domain.text import Text

MAX_TABLE_BYTES = 2**28
_SEPARATORS = ",;\t"
# By the mark a file begins with; without one it is UTF-8.
_ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class TableUnreadable(Exception):
    """A table that can't be read: `reason` says why."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Row:
    """A row that is not empty: its `number`, the header being row 1, and its cells without space around them."""

    number: int
    cells: tuple[str, ...]

    def cell(self, place: int) -> str:
        """Return the cell at `place`; "" where the row is too short."""
        return self.cells[place] if place < len(self.cells) else ""


@dataclass(frozen=True)
class UserTable:
    """A table: the names of its `columns`, and its rows."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def places(self) -> dict[str, int]:
        """Return where each column is, by its name in lower case."""
        return {name.lower(): place for place, name in enumerate(self.columns)}

    def by_file(self, place: int) -> tuple[dict[str, Row], list[tuple[Row, Row]]]:
        """Return the row of each file in column `place`, by `file_key`, and each further row of a file with its first.

        A row without a file is none.
        """
        first: dict[str, Row] = {}
        repeated: list[tuple[Row, Row]] = []
        for row in self.rows:
            key = file_key(row.cell(place))
            if not key:
                continue
            before = first.setdefault(key, row)
            if before is not row:
                repeated.append((row, before))
        return first, repeated


def read_table(path: Path) -> UserTable:
    """Return the table in a CSV separated by commas, semicolons or tabs, in UTF-8 or marked UTF-16.

    Raises TableUnreadable. A table without rows has no columns.
    """
    try:
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise TableUnreadable(Text("reason.at_most_mib", {"most_mib": MAX_TABLE_BYTES >> 20}))
        content = path.read_bytes()
    except OSError as error:
        raise TableUnreadable(Text("fault.other", {"message": error.strerror or str(error)})) from None
    encoding = next((name for mark, name in _ENCODINGS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise TableUnreadable(Text("reason.expected_utf_8")) from None
    rows = list(_rows(text))
    return UserTable(rows[0].cells, tuple(rows[1:])) if rows else UserTable((), ())


def _rows(text: str) -> Iterator[Row]:
    separator = max(_SEPARATORS, key=text.lstrip().partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            stripped = tuple(cell.strip() for cell in cells)
            if any(stripped):
                yield Row(number, stripped)
    except csv.Error as error:
        raise TableUnreadable(
            describe_fault(Text("place.row", {"row": number + 1}), Text("fault.other", {"message": str(error)}))
        ) from None


def file_key(file: str) -> str:
    """Return `file` as tables and systems may write it: forward slashes, composed accents."""
    return unicodedata.normalize("NFC", file.replace("\\", "/")).removeprefix("./")


def match_files(files: Sequence[str], named: Sequence[str]) -> dict[str, str]:
    """Return for each of `files` which of the `named`, by `file_key`, means it: its path, or a name that occurs once.

    A file that none means is left out.
    """
    known = set(named)
    in_table = Counter(PurePosixPath(key).name for key in named)
    in_folder = Counter(PurePosixPath(file_key(file)).name for file in files)
    by_name = {PurePosixPath(key).name: key for key in named}
    found: dict[str, str] = {}
    for file in files:
        key = file_key(file)
        name = PurePosixPath(key).name
        if key in known:
            found[file] = key
        elif in_table[name] == 1 and in_folder[name] == 1:
            found[file] = by_name[name]
    return found
