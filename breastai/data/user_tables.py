"""Tables that users write: a CSV of any common kind, words parted by blanks, a sheet; rows counted as a spreadsheet does."""

import codecs
import contextlib
import csv
import io
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breastai.data import workbook_process
from breastai.data.named_files import file_key, has_image_ending
from breastai.data.workbook_process import MOST_CELLS, cell_text
from breastai.domain.class_words import has_word_for_class
from breastai.domain.data_locations import SHEET_ENDINGS
from breastai.domain.faults import describe_fault
from breastai.domain.json_depth import is_too_deep
from breastai.domain.text import Text
from breastai.texts.shown_name import read_cell

MAX_TABLE_BYTES = 2**28
JSON_LINES = ".jsonl"
UNNAMED = "column {}"
_MOST_TITLES = 10
_MOST_WORKBOOK_S = 60.0
_TOO_LARGE = Text("reason.table_too_large", {"millions": MOST_CELLS // 1_000_000})
_MOST_LINES_LOOKED_AT, _MOST_WORDS = 1000, 12
_SEPARATORS = ",;\t|"
# By the mark a file begins with.
_ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Of Chinese, Russian, Japanese, Korean, Arabic and Polish spreadsheets, which do not say which they are in.
_OLDER_ENCODINGS = ("gb18030", "cp1251", "cp932", "cp949", "cp1256", "cp1250")
# Spreadsheets say with a line before the header what parts the columns.
_SEP_LINE = re.compile(r"\ufeff?\"?sep=(.)\"?[ \t;,]*\r?\n", re.IGNORECASE)
# Three letters with accents on end are no word of a Western language: the text is in another encoding.
_NO_WORD = re.compile(r"[\u00c0-\u00ff]{3}")


class TableUnreadable(Exception):
    """A table that can't be read: `reason` says why."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
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
        """Return where each column is, by its name in lower case; of several of one name where the first is."""
        return {name.lower(): place for place, name in reversed(list(enumerate(self.columns)))}

    def contradiction(self, columns: Iterable[str]) -> Text | None:
        """Return how several columns of the same name, one of `columns`, say different things; None where none do."""
        for name in dict.fromkeys(column.lower() for column in columns):
            first, *others = [place for place, column in enumerate(self.columns) if column.lower() == name] or [-1]
            rows = self.rows if others else ()
            row = next((row for row in rows if any(row.cell(first) != row.cell(other) for other in others)), None)
            if row is not None:
                return Text("reason.column_twice", {"column": self.columns[first], "row": row.number})
        return None

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


def read_table(path: Path, sheet: str | None = None, columns: Sequence[str] = ()) -> UserTable:
    """Return the table in a file: a CSV, words parted by blanks, or a `sheet` of a workbook, by default its first.

    A CSV is separated by commas, semicolons, tabs or bars, in UTF-8, UTF-16 or, where its words are plain, Windows' Western
    encoding or one in which it says classes; a first line such as sep=; counts as none, and neither do empty columns at the end. `columns`: the names of its
    columns, of a table that begins without; of another whose first row names an image they are column 1, column 2 and so
    on. Raises TableUnreadable. A table without rows has no columns.
    """
    content = _content(path)
    if path.suffix.lower() in SHEET_ENDINGS:
        rows = _sheet_rows(content, sheet)
    elif path.suffix.lower() == JSON_LINES:
        rows = _object_rows(_decoded(content))
    else:
        rows = list(_rows(_decoded(content), bool(columns)))
    _require_room(len(rows), max((len(row.cells) for row in rows), default=0))
    if columns:
        return UserTable(tuple(columns), tuple(rows))
    rows = _without_empty_columns(_with_names(_without_titles(rows)))
    return UserTable(rows[0].cells, tuple(rows[1:])) if rows else UserTable((), ())


def _require_room(rows: int, columns: int) -> None:
    """Raise TableUnreadable of a table that would have more cells than any may, each row being as long as the longest."""
    if rows * columns > MOST_CELLS:
        raise TableUnreadable(_TOO_LARGE)


def _without_titles(rows: list[Row]) -> list[Row]:
    """Return rows from the names of the columns on: what stands above them alone in its row is a title."""
    filled = [sum(map(bool, row.cells)) for row in rows[: _MOST_TITLES + 1]]
    titles = next((number for number, count in enumerate(filled) if count > 1), 0)
    return _below_merged_cells(rows[titles:])


def _below_merged_cells(rows: list[Row]) -> list[Row]:
    """Return rows from the second on, where the first has gaps or repeats as merged cells leave them, the second the names."""
    if len(rows) < 3:
        return rows
    upper, names = rows[0].cells, rows[1].cells
    gaps = len(upper) - len(set(filter(None, upper)))  # cells that were merged are empty, or all say the same
    width = len(names)
    words = all(any(sign.isalpha() for sign in cell) and not has_image_ending(cell) for cell in names if cell)
    below = [{row.cell(place) for row in rows[2:]} for place in range(width)]
    unique = all(cell not in below[place] for place, cell in enumerate(names) if cell)
    if not (upper and upper[0] and gaps and words and unique and len(set(names)) == width == sum(map(bool, names))):
        return rows
    return rows[1:] if len(set(filter(None, upper))) < width else rows


def _with_names(rows: list[Row]) -> list[Row]:
    """Return rows with numbers for names of columns before them where the first names an image: it is no header."""
    if not rows or not any(map(has_image_ending, rows[0].cells)):
        return rows
    names = tuple(UNNAMED.format(place + 1) for place in range(max(len(row.cells) for row in rows)))
    return [Row(0, names), *rows]


def _without_empty_columns(rows: list[Row]) -> list[Row]:
    """Return rows without the columns at their end that have neither a name nor a value, as spreadsheets leave them."""
    if not rows or not rows[0].cells or rows[0].cells[-1]:
        return rows
    width = 1 + max(place for row in rows for place, cell in enumerate(row.cells) if cell)
    return [Row(row.number, row.cells[:width]) for row in rows]


def plain_name(name: str) -> str:
    """Return the letters and digits of a name, in lower case and without accents: "File Name" and file_name are the same."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", name.casefold()) if sign.isalnum())


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise TableUnreadable(Text("reason.at_most_mib", {"most_mib": MAX_TABLE_BYTES >> 20}))
        return path.read_bytes()
    except OSError as error:
        raise TableUnreadable(Text("fault.other", {"message": error.strerror or str(error)})) from None


def _decoded(content: bytes) -> str:
    """Return the text in a file; raise TableUnreadable where its encoding can't be told, naming the row."""
    encoding = next((name for mark, name in _ENCODINGS if content.startswith(mark)), None)
    if encoding is None and content[1:2] == b"\0" and content[3:4] == b"\0":
        encoding = "utf-16-le"
    try:
        return content.decode(encoding or "utf-8").lstrip("\ufeff")  # tables put together begin with more than one mark
    except UnicodeDecodeError as error:
        if encoding is not None:
            raise TableUnreadable(Text("reason.expected_utf_8")) from None
        row = content.count(b"\n", 0, error.start) + 1
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        text = None
    if text is None or _NO_WORD.search(text):
        found = _in_another_script(content)
        if found is not None:
            return found
        raise TableUnreadable(describe_fault(Text("place.row", {"row": row}), Text("reason.expected_utf_8")))
    return text


def _in_another_script(content: bytes) -> str | None:
    """Return the text in the one of the older encodings in which it has words for classes; None where none or several do."""
    texts = []
    for encoding in _OLDER_ENCODINGS:
        with contextlib.suppress(UnicodeDecodeError):
            text = content.decode(encoding)
            texts += [text] if has_word_for_class(text) else []
    return texts[0] if len(texts) == 1 else None


def _rows(text: str, without_header: bool) -> Iterator[Row]:
    number = 0
    found = _SEP_LINE.match(text)
    separator: str | None = None
    if found is not None:
        separator, text, number = found[1], text[found.end() :], 1
    if separator is None:
        separator = _separator(text, without_header)
        if separator is None:
            yield from _words(text)
            return
    _require_room(1, text.count(separator))
    _require_closed(text, separator, number)
    reader = _reader(text, separator)
    try:
        for cells in reader:
            number += 1
            stripped = tuple(read_cell(cell.strip()) for cell in cells)
            if any(stripped):
                yield Row(number, stripped)
    except csv.Error as error:
        raise TableUnreadable(
            describe_fault(Text("place.row", {"row": number + 1}), Text("fault.other", {"message": str(error)}))
        ) from None


def _separator(text: str, without_header: bool) -> str | None:
    """Return what parts the columns, by the first line that has any; None of words parted by blanks.

    Where no line names the columns there may be remarks above the rows: what most lines have counts.
    """
    lines = text.lstrip().splitlines()
    if without_header:
        filled = [line for line in lines[:_MOST_LINES_LOOKED_AT] if line.strip()]
        counts = {sign: sum(sign in line for line in filled) for sign in _SEPARATORS}
        most = max(counts, key=lambda sign: counts[sign])
        return most if 2 * counts[most] > len(filled) else None
    first = next((line for line in lines[:_MOST_TITLES] if any(map(line.count, _SEPARATORS))), "".join(lines[:1]))
    most = max(_SEPARATORS, key=first.count)
    return None if not first.count(most) and _is_list_of_words(text) else most


def _reader(text: str, separator: str, strict: bool = False) -> Iterator[list[str]]:
    rest = io.StringIO(text, newline="")
    return csv.reader(rest, delimiter=separator, skipinitialspace=separator != "\t", strict=strict)


def _require_closed(text: str, separator: str, number: int) -> None:
    """Raise TableUnreadable where a quotation mark is never closed: all rows after it would be one cell."""
    if '"' not in text:
        return
    try:
        for _ in _reader(text, separator, strict=True):
            number += 1
    except csv.Error as error:
        if "end of data" in str(error):  # others are read all the same
            fault = describe_fault(Text("place.row", {"row": number + 1}), Text("reason.quote_not_closed"))
            raise TableUnreadable(fault) from None


def _is_list_of_words(text: str) -> bool:
    """Return whether each line of a text has as many words as the others, as in lists of files and classes."""
    counts = {len(line.split()) for line in text.splitlines()[:_MOST_LINES_LOOKED_AT] if line.strip()}
    return len(counts) == 1 and 2 <= counts.pop() <= _MOST_WORDS and len(text.splitlines()) > 2


def _words(text: str) -> Iterator[Row]:
    """Yield rows of words parted by blanks, as in lists made for a printer."""
    _require_room(1, text.count(" ") + text.count("\t"))
    for number, line in enumerate(text.splitlines(), 1):
        if words := tuple(line.split()):
            yield Row(number, words)


def _object_rows(text: str) -> list[Row]:
    """Return the rows of a table of which each line is a JSON object: first the names of all columns, then their values."""
    objects: dict[int, dict[str, object]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            if is_too_deep(found):
                raise RecursionError("nested too deep")
        except (ValueError, RecursionError) as error:
            place = Text("place.row", {"row": number})
            raise TableUnreadable(describe_fault(place, Text("fault.other", {"message": str(error)}))) from None
        if isinstance(found, dict):
            objects[number] = dict(_flat(found))
    columns = tuple(dict.fromkeys(key for found in objects.values() for key in found))
    _require_room(len(objects), len(columns))
    rows = [
        Row(number, tuple(cell_text("" if found.get(key) is None else found[key]) for key in columns))
        for number, found in objects.items()
    ]
    return [Row(0, columns), *rows] if objects else []


def _flat(found: dict[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    """Yield what stands in an object by its keys, inside another by both: annotation.label."""
    for key, value in found.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def sheet_names(path: Path) -> list[str]:
    """Return the names of the sheets of a workbook, none of any other file; raise TableUnreadable."""
    if path.suffix.lower() not in SHEET_ENDINGS:
        return []
    return list(_of_workbook(_content(path), {"names": True, "sheet": None})["sheets"])


def _sheet_rows(content: bytes, sheet: str | None) -> list[Row]:
    """Return the rows of a sheet, numbers and dates as a CSV would have them: 4, not 4.0."""
    found = _of_workbook(content, {"names": False, "sheet": sheet})
    if "rows" not in found:
        raise TableUnreadable(Text("reason.no_such_sheet", {"sheet": str(sheet), "sheets": found["sheets"]}))
    rows = (Row(number, tuple(cells)) for number, cells in enumerate(found["rows"], 1))
    return [row for row in rows if any(row.cells)]


def _of_workbook(content: bytes, wanted: dict[str, object]) -> dict[str, Any]:
    """Return what the process that reads workbooks says of one; raise TableUnreadable."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", workbook_process.__file__],
            input=json.dumps(wanted).encode() + b"\n" + content,
            capture_output=True,
            timeout=_MOST_WORKBOOK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TableUnreadable(_TOO_LARGE) from None
    if done.returncode:
        raise TableUnreadable(_TOO_LARGE)
    found: dict[str, Any] = json.loads(done.stdout)
    if "fault" in found:
        raise TableUnreadable(Text("fault.other", {"message": found["fault"]}))
    return found
