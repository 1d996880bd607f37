"""Names as they are shown: a file, class, column or run is called by anybody, and every medium has signs that it obeys."""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import quote

Medium = Literal["terminal", "log", "csv", "header", "markup"]

# Control characters, line and paragraph separators, and what turns the direction of reading or is not seen at all.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_OBEYED_IN_A_TEXT = re.compile(_OBEYED.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))  # but for tab and line break
# What a spreadsheet takes for the beginning of a formula, wide forms too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# And after what parts cells in other languages' spreadsheets, where quotation marks within a row close nothing.
_FORMULA_WITHIN = re.compile("([;\t\r\n])(?=[\"']*[-=+@\uff1d\uff0b\uff0d\uff20])")
_KEPT_FROM_ONE = re.compile("([;\t\r\n])'(?=[\"']*[-=+@\uff1d\uff0b\uff0d\uff20])")
_TAG = re.compile(r"(\\*)\[")
_PLAIN = re.compile(r"[^A-Za-z0-9._-]")


def show_name(name: str, medium: Medium) -> str:
    """Return a name as it may be written into a medium: seen as it is, and obeyed by nothing.

    `header`: the parameters of a Content-Disposition (RFC 6266). `csv`: a cell.
    """
    return _MEDIA[medium](name)


def read_cell(cell: str) -> str:
    """Return what a cell of ours says: without the apostrophes that kept a spreadsheet from taking it for a formula."""
    whole = cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell
    return _KEPT_FROM_ONE.sub(r"\1", whole)


def show_text(text: str) -> str:
    """Return a text of several lines, which names may be part of, for the terminal."""
    return _OBEYED_IN_A_TEXT.sub(_escaped, text)


def _visible(name: str) -> str:
    return _OBEYED.sub(_escaped, name)


def _escaped(sign: re.Match[str]) -> str:
    code = ord(sign[0])
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(sign[0])
    return known or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def _cell(name: str) -> str:
    safe = _FORMULA_WITHIN.sub(r"\1'", name)
    return f"'{safe}" if name.startswith(_FORMULA) else safe


def _disposition(name: str) -> str:
    plain = _PLAIN.sub("_", name)[-150:]
    return f'filename="{plain}"' if plain == name else f"filename=\"{plain}\"; filename*=UTF-8''{_quoted(name)}"


def _quoted(name: str) -> str:
    return quote(_visible(name)[-150:].encode("utf-8", "replace"), safe="")


def _markup(name: str) -> str:
    return _TAG.sub(lambda tag: f"{tag[1] * 2}\\[", _visible(name))


_MEDIA: Mapping[Medium, Callable[[str], str]] = {
    "terminal": _visible,
    "log": _visible,
    "csv": _cell,
    "header": _disposition,
    "markup": _markup,
}


def escape_record(record: logging.LogRecord) -> logging.LogRecord:
    """Return a record whose message is one line, and whose traceback's lines can't be taken for lines of the log."""
    message = show_name(record.getMessage(), "log")
    if record.exc_info and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    if record.exc_text:
        message += "".join(f"\n    | {show_name(line, 'log')}" for line in record.exc_text.splitlines())
    record.msg, record.args, record.exc_info, record.exc_text = message, None, None, None
    return record
