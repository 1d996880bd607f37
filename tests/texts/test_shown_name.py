"""Names that a terminal, a log, a spreadsheet, an HTTP header or rich would obey are shown, and obeyed by nothing."""

import csv
import io
import logging
import re
from email.message import Message
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text as RichText

from breastai.commands.display import Display
from breastai.commands.predictions_csv import CsvRows
from breastai.domain.errors import DataNotFound
from breastai.domain.events import Log, Prediction, PredictionsComplete
from breastai.domain.text import Text
from breastai.server.logs.server_log import LOG, logging_to
from breastai.texts.shown_name import read_cell, show_name, show_text

HOSTILE = (
    "a\x1b]0;title\x07.png",
    "a\x1b[2J.png",
    "a\nEpoch 9 of 9  accuracy 1.000",
    "a\r2026-01-01 ERROR forged",
    "gnp.\u202egnp.exe",
    "a\x9b2J",
    "a\u2028b",
    "zero\u200bwidth",
    "lone\udcff",
)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("medium", ["terminal", "log", "markup"])
def test_a_name_is_one_line_of_signs_that_are_seen(name: str, medium: str) -> None:
    shown = show_name(name, medium)  # type: ignore[arg-type]
    assert shown.isprintable() and shown != name
    assert show_name("bénin (2) 日本.png", "terminal") == "bénin (2) 日本.png"


@pytest.mark.parametrize("name", ["[/x]", "[bold]b", "a\\[/b]", "[link=http://evil]x[/link]", "[/", "]["])
def test_markup_in_a_name_is_shown_as_it_stands(name: str) -> None:
    assert RichText.from_markup(show_name(name, "markup")).plain == name


@pytest.mark.parametrize("name", ["=1+1", "+a", "-a.png", "@x", "\tx", "\uff1dx"])
def test_a_cell_is_no_formula_and_is_read_back_as_it_was(name: str) -> None:
    assert show_name(name, "csv") == f"'{name}" and read_cell(show_name(name, "csv")) == name
    assert read_cell("'quoted'") == "'quoted'" and show_name("a=1", "csv") == "a=1"


@pytest.mark.parametrize("name", ["a;=1+1", "a\t@x", 'a;"=1', "a\n+b", "=a;-b", "a;'=b", "a;''\uff1db"])
def test_no_part_of_a_cell_is_a_formula_where_semicolons_part_cells(name: str) -> None:
    """As in spreadsheets of France and Germany, which open our tables of commas all the same."""
    shown = show_name(name, "csv")
    assert not re.search('[;\t\n]["]*[-=+@\uff1d]', shown) and read_cell(shown) == name
    assert show_name("a; b-c=1 ;d", "csv") == "a; b-c=1 ;d" and read_cell("a;'b'") == "a;'b'"


@pytest.mark.parametrize("name", [*HOSTILE, 'a"; filename="b', "é 日本.onnx", "x" * 5000, "plain.onnx"])
def test_a_header_carries_any_name(name: str) -> None:
    shown = show_name(name, "header")
    assert shown.isascii() and shown.isprintable() and len(shown) < 1500
    message = Message()
    message["Content-Disposition"] = f"attachment; {shown}"
    assert message.get_filename()


def shown_on_a_terminal(*events: object) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system=None, soft_wrap=True, markup=False, emoji=False)
    with Display(console, console) as display:
        for event in events:
            display.event(event)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_says_nothing_to_the_terminal(name: str) -> None:
    answer = Prediction(file=name, label=name, decision=name, probabilities={name: 1.0, "[/x]": 0.0}, notes=[])
    shown = shown_on_a_terminal(answer, Log(level="info", code="x", message=f"about {name}"))
    assert shown.count("\n") <= 3 and "[/x]" in shown
    assert all(sign.isprintable() or sign == "\n" for sign in shown.replace("\x1b[?25l", "").replace("\x1b[?25h", ""))
    assert str(DataNotFound(name)).isprintable() and str(Text("error.data.not_found", {"path": name})).isprintable()
    assert show_text(f"first\n{name}").startswith("first\n")


def test_the_log_of_the_server_has_no_line_that_a_name_forged(tmp_path: Path) -> None:
    with logging_to(tmp_path / "server.log"):
        LOG.warning("%s is gone", "a\n2026-01-01 00:00:00,000 ERROR breastai.server forged\x1b[2J")
        try:
            raise ValueError("a\n2026-01-01 00:00:00,000 ERROR breastai.server forged too")
        except ValueError:
            LOG.exception("failed")
    lines = (tmp_path / "server.log").read_text().splitlines()
    assert [line for line in lines if line.startswith("2026-01-01")] == []
    assert "ValueError" in "".join(lines) and all(line.isprintable() for line in lines)
    assert logging.getLogger("breastai.server") is LOG


def test_no_cell_of_predictions_is_a_formula() -> None:
    stream = io.StringIO()
    rows = CsvRows(stream)
    rows.event(Prediction(file="=cmd|' /C calc'!A0", label="@b", decision="+c", probabilities={"@b": 1.0, "-d": 0.0}))
    rows.event(PredictionsComplete(count=1, failed=0))
    cells = [cell for row in csv.reader(io.StringIO(stream.getvalue())) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "-"))]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_table_on_a_terminal_shows_the_signs_that_it_would_obey(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    CsvRows(stream).event(Prediction(file="a\x1b[2J.png", label="b", decision="b", probabilities={"b": 1.0}))
    assert ("\x1b" in stream.getvalue()) is not is_terminal
