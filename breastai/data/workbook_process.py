"""The process that reads a workbook: of its own, within bounds, since a few KiB can claim rows and columns for gigabytes.

Run as a script: it takes a line of JSON, what is wanted, and then the bytes of the workbook on stdin, and answers with a
line of JSON. A library that ends the whole process where it finds no memory ends this one alone.
"""

import contextlib
import io
import json
import sys
from collections.abc import Sequence
from typing import Any

# What it may take of the address space, where the system can bound it; and how many cells a sheet may have.
MOST_BYTES = 2 << 30
MOST_CELLS = 1 << 26
NO_ROOM = 3


def main() -> None:
    """Answer what is asked on stdin: the names of the sheets, or the rows of one; end with NO_ROOM where there is none."""
    _bound_memory()
    wanted = json.loads(sys.stdin.buffer.readline())
    try:
        answer = _answer(sys.stdin.buffer.read(), wanted)
        sys.stdout.write(json.dumps(answer))
    except MemoryError:
        sys.exit(NO_ROOM)


def _bound_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        bound = MOST_BYTES if most == resource.RLIM_INFINITY else min(MOST_BYTES, most)
        resource.setrlimit(resource.RLIMIT_AS, (bound, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(content: bytes, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the `sheets` of a workbook, the `rows` of one, or the `fault` in the library's words."""
    from python_calamine import CalamineWorkbook

    sheet: str | None = wanted["sheet"]
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        if wanted["names"] or (sheet is not None and sheet not in book.sheet_names):
            return {"sheets": book.sheet_names}
        found = book.get_sheet_by_name(sheet or book.sheet_names[0])
        if found.total_height * found.total_width > MOST_CELLS:
            sys.exit(NO_ROOM)
        table = _with_merged_cells(found.to_python(skip_empty_area=False), found.merged_cell_ranges or [])
    except (MemoryError, SystemExit):
        raise
    except BaseException as error:  # of a damaged file the library raises its own, and one that is no Exception
        return {"fault": str(error) or type(error).__name__}
    return {"rows": [[cell_text(cell) for cell in cells] for cells in table]}


def _with_merged_cells(
    table: list[list[Any]], ranges: Sequence[tuple[tuple[int, int], tuple[int, int]]]
) -> list[list[Any]]:
    """Return rows in which each cell below one that was merged with it says the same: a patient of several images."""
    for (top, left), (bottom, _) in ranges:
        for row in table[top + 1 : bottom + 1] if top < len(table) and left < len(table[top]) else ():
            if left < len(row) and row[left] == "":
                row[left] = table[top][left]
    return table


def cell_text(cell: object) -> str:
    """Return a number or a date as a CSV would have it: 4, not 4.0."""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).strip()


if __name__ == "__main__":
    main()
