"""The blocks a report is made of, whatever it is rendered to: text with numbers that know where they come from."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from breastai.texts.number_format import fixed_text, percent_text, short_text
from breastai.texts.renderer import choose_forms

Kind = Literal["integer", "figure", "percent", "plain", "tenth"]
NO_NUMBER = "—"


@dataclass(frozen=True)
class Quantity:
    """A number of the document: `path` leads to `value` in its JSON."""

    path: tuple[str | int, ...]
    value: float | int | None
    kind: Kind = "figure"


@dataclass(frozen=True)
class Quoted:
    """Words in English, whatever the report's language."""

    text: str


Inline = str | Quantity | Quoted
Inlines = tuple[Inline, ...]


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    text: Inlines
    role: Literal["plain", "notice", "warning", "caption"] = "plain"


@dataclass(frozen=True)
class Table:
    """`blank`: the rows that have no answer and are left visibly so; `widths`: shares of the page, by column, or none.

    Raises ValueError where a row or the widths have not a place for each column, or the widths don't fill the page.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Inlines, ...], ...]
    caption: str
    blank: frozenset[int] = frozenset()
    widths: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        columns = len(self.head)
        if any(len(row) != columns for row in self.rows) or (self.widths and len(self.widths) != columns):
            raise ValueError(f"a table of {columns} columns has a row or widths for others: {self.caption}")
        if self.widths and not math.isclose(sum(self.widths), 1):
            raise ValueError(f"the widths {self.widths} don't fill the page: {self.caption}")


@dataclass(frozen=True)
class Chart:
    png: bytes
    caption: str


@dataclass(frozen=True)
class Charts:
    """Charts side by side."""

    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Step:
    """A box of the flow diagram, and what leaves beside it."""

    text: Inlines
    leaving: tuple[Inlines, ...] = ()


@dataclass(frozen=True)
class Flow:
    steps: tuple[Step, ...]
    caption: str


@dataclass(frozen=True)
class Picture:
    """`uri`: a small JPEG as a data URI, or None when the image is not at hand."""

    uri: str | None
    caption: Inlines


@dataclass(frozen=True)
class Pictures:
    pictures: tuple[Picture, ...]
    alt: str


@dataclass(frozen=True)
class Bullets:
    items: tuple[Inlines, ...]


@dataclass(frozen=True)
class PageBreak:
    """On paper, a new page."""


Block = Heading | Paragraph | Table | Charts | Flow | Pictures | Bullets | PageBreak


def at(document: Mapping[str, Any], *path: str | int, kind: Kind = "figure") -> Quantity:
    """Return the number at `path` of the document's JSON."""
    value: Any = document
    for key in path:
        value = value[key]
    return Quantity(path, value, kind)


def fill(template: str, language: str, **values: Inline | Sequence[Inline]) -> Inlines:
    """Return a template's text with {names} replaced by quantities or words, and words in the form of their figure."""
    figures = {name: value.value for name, value in values.items() if isinstance(value, Quantity)}
    parts: list[Inline] = []
    for place, piece in enumerate(re.split(r"\{(\w+)\}", choose_forms(template, figures, language))):
        if place % 2 == 0:
            parts += [piece] if piece else []
            continue
        value = values[piece]
        parts += [value] if isinstance(value, str | Quantity | Quoted) else list(value)
    return tuple(parts)


def interval(document: Mapping[str, Any], words: Mapping[str, str], *path: str | int) -> Inlines:
    """Return the interval of the figure at `path`, or why there is none; what is to be known of it besides follows it."""
    low, high, flag = (at(document, *path, key) for key in ("low", "high", "flag"))
    reason = words[f"interval.{flag.value}"] if flag.value else ""
    if low.value is None:
        return (reason or NO_NUMBER,)
    key = "interval.least" if high.value is None else "interval"
    bounds = fill(words[key], words["language"], low=low, high=high)
    return (*bounds, f", {reason}") if reason else bounds


def format_quantity(quantity: Quantity, language: str) -> str:
    """Return a number as it is read in the language; an unknown one is a dash."""
    value = quantity.value
    if value is None:
        return NO_NUMBER
    if quantity.kind == "integer":
        return f"{round(value):,}".replace(",", "\u202f")
    if quantity.kind == "percent":
        return percent_text(value, 1, language)
    if quantity.kind == "plain":
        return _with_minus(short_text(value, language))
    return _with_minus(fixed_text(value, 1 if quantity.kind == "tenth" else 3, language))


def _with_minus(number: str) -> str:
    """Return a number with the sign of print in place of a hyphen, at which a line may break."""
    return number.replace("-", "\N{MINUS SIGN}")


def plain(text: Inlines, language: str) -> str:
    """Return the text without any markup."""
    return "".join(format_quantity(part, language) if isinstance(part, Quantity) else _words(part) for part in text)


def _words(part: str | Quoted) -> str:
    return part.text if isinstance(part, Quoted) else part
