"""Where a command's events go: lines of JSON or CSV for programs, or text for people."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TextIO

from breastai.commands.language import error_text, say
from breastai.domain.errors import BreastAIError
from breastai.domain.event_messages import encode_event, error_event
from breastai.domain.events import Event
from breastai.domain.text import Text
from breastai.texts.shown_name import show_text


class Output(Protocol):
    """What a command tells its user."""

    def work_in(self, workspace: Path) -> None:
        """Take the workspace that the paths in events are relative to."""

    def wait_for(self, text: Text) -> None:
        """Tell people what takes a while before the first event comes."""

    def event(self, event: Event) -> None:
        """Tell of an event."""

    def result(self, values: dict[str, Any], text: str) -> None:
        """Tell of a result that is no event: `values` for programs, `text` for people."""


class ForwardedOutput:
    """An output that hands everything to another: the base of those that look on."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def work_in(self, workspace: Path) -> None:
        self._output.work_in(workspace)

    def wait_for(self, text: Text) -> None:
        self._output.wait_for(text)

    def event(self, event: Event) -> None:
        self._output.event(event)

    def result(self, values: dict[str, Any], text: str) -> None:
        self._output.result(values, text)


class JsonLines:
    """One JSON object per line, written at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def work_in(self, workspace: Path) -> None:
        """Nothing to do: for scripts paths stay relative to the workspace."""

    def wait_for(self, text: Text) -> None:
        """Nothing to do: programs wait in silence."""

    def event(self, event: Event) -> None:
        self._write(encode_event(event))

    def result(self, values: dict[str, Any], text: str) -> None:
        self._write(json.dumps(values, ensure_ascii=False, allow_nan=False))

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


@contextlib.contextmanager
def open_output(as_json: bool, as_csv: bool = False, by_unit: bool = False) -> Iterator[Output]:
    """Yield where this command's events go, for as long as it runs. `by_unit`: of CSV, a row a breast, exam or patient."""
    if as_csv:
        from breastai.commands.predictions_csv import CsvRows, UnitRows

        with claim_stdout() as stream:
            yield UnitRows(stream) if by_unit else CsvRows(stream)
    elif as_json:
        with claim_stdout() as stream:
            yield JsonLines(stream)
    else:
        from breastai.commands.display import Display

        with Display() as display:
            yield display


@contextlib.contextmanager
def claim_stdout() -> Iterator[TextIO]:
    """Yield a private stdout; meanwhile whatever libraries print, from C too, goes to stderr."""
    public = sys.stdout
    public.flush()
    try:
        descriptor = public.fileno()
    except (OSError, ValueError):  # a stand-in without a descriptor, as under a test
        with contextlib.redirect_stdout(sys.stderr):
            yield public
        return
    private = os.dup(descriptor)
    os.dup2(2, descriptor)
    try:
        with os.fdopen(os.dup(private), "w", encoding="utf-8", newline="\n") as stream:
            yield stream
    finally:
        with contextlib.suppress(OSError):
            public.flush()
        os.dup2(private, descriptor)
        os.close(private)


def show_failure(error: BreastAIError, as_json: bool) -> None:
    """Tell of an error: an event on stdout for programs, a line on stderr for people."""
    if as_json:
        sys.stdout.flush()
        line = (encode_event(error_event(error)) + "\n").encode()
        with contextlib.suppress(AttributeError):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            return
        sys.stdout.write(line.decode())
    else:
        sys.stderr.write(show_text(say("cli.error", text=error_text(error))) + "\n")
