"""What a result looks like: the tables of the command line, as text in a terminal and as HTML in a notebook."""

import io
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from breastai.commands.display import Display
from breastai.domain.events import Event

_NUMBERS = "text-align:right;padding:0 0.8em"
_WORDS = "text-align:left;padding:0 0.8em"
# Of text for people; long enough for a table of figures with their intervals.
_WIDTH = 120
_PLAIN: dict[str, Any] = {"highlight": False, "soft_wrap": True, "markup": False, "emoji": False}


def result_text(event: Event, workspace: Path) -> str:
    """Return what the command line prints of an event."""
    stream = io.StringIO()
    console = Console(file=stream, width=_WIDTH, force_jupyter=False, force_terminal=False, **_PLAIN)
    _show(event, workspace, console)
    return stream.getvalue().strip("\n")


def result_html(event: Event, workspace: Path) -> str:
    """Return the same as HTML."""
    parts = _Parts()
    _show(event, workspace, parts)
    return "\n".join(_html(parts.shown))


def html_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already."""
    styles = [_WORDS] * len(headings)
    return _whole_table("", [escape(heading) for heading in headings], rows, styles)


class _Parts(Console):
    """Keeps what is printed, in place of printing it."""

    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), force_jupyter=False, force_terminal=False, **_PLAIN)
        self.shown: list[Text | Table] = []

    def print(self, *objects: Any, **options: Any) -> None:
        self.shown += [each for each in objects if isinstance(each, Text | Table)]


def _show(event: Event, workspace: Path, console: Console) -> None:
    with Display(console, console) as display:
        display.work_in(workspace)
        display.event(event)


def _html(parts: Iterable[Text | Table]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Table):
            yield _table(part)
        elif part.plain.strip():
            yield f'<div style="white-space:pre-wrap">{escape(part.plain.strip(chr(10)))}</div>'


def _table(table: Table) -> str:
    styles = [_NUMBERS if column.justify == "right" else _WORDS for column in table.columns]
    heads = [_cell(column.header) for column in table.columns]
    rows = zip(*([_cell(cell) for cell in column.cells] for column in table.columns), strict=True)
    return _whole_table(_cell(table.title or ""), heads, rows, styles)


def _whole_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], styles: Sequence[str]) -> str:
    above = f'<caption style="{_WORDS}">{caption}</caption>' if caption else ""
    body = "".join(_row("td", row, styles) for row in rows)
    return f"<table>{above}<thead>{_row('th', heads, styles)}</thead><tbody>{body}</tbody></table>"


def _row(tag: str, cells: Sequence[str], styles: Sequence[str]) -> str:
    inside = "".join(f'<{tag} style="{style}">{cell}</{tag}>' for cell, style in zip(cells, styles, strict=True))
    return f"<tr>{inside}</tr>"


def _cell(cell: Any) -> str:
    return escape(cell.plain if isinstance(cell, Text) else str(cell))
