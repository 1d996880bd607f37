"""A text in a language: its template with the parameters filled in, by the language's rules for plurals and figures.

A template names a parameter as {name}, or with a format as {name:integer}, {share:percent.1}. Words that agree with a
figure have both forms: {images} image{images?|s} {images?is|are} left. What is put in is never a template itself, and
the words of a value (a class, a file, a tag) stand as they are.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent

from breastai.texts.catalogue import ENGLISH, Template, find_template
from breastai.texts.shown_name import show_name

UNKNOWN = "—"
_FIELD = re.compile(r"\{(\w+)(?::(\w+)(?:\.(\d))?)?\}")
_FORMS = re.compile(r"\{(\w+)\?([^{}|]*)\|([^{}|]*)\}")


class CodedText(Protocol):
    """What `render` puts into words: breastai.domain.text.Text."""

    @property
    def code(self) -> str: ...

    @property
    def params(self) -> Mapping[str, Any]: ...


def render(text: CodedText, language: str = ENGLISH) -> str:
    """Return the text in the language; in English where it has no words there, as its code where it has none at all."""
    template = find_template(text.code, language)
    return text.code if template is None else fill_template(template, text.params, language)


def fill_template(template: Template, params: Mapping[str, Any], language: str = ENGLISH) -> str:
    """Return the template with its parameters; one that is missing stays as it is written there."""

    def fill(field: re.Match[str]) -> str:
        name, form, digits = field.groups()
        return write_value(params[name], language, form, digits) if name in params else field[0]

    return _FIELD.sub(fill, choose_forms(_plural_form(template, params, language), params, language))


def choose_forms(template: str, params: Mapping[str, Any], language: str = ENGLISH) -> str:
    """Return the template with the form of each {name?one|several} that agrees with its figure, all else as it was.

    Which figures take the first is the language's rule: 0 and 1.5 do in French, not in English. What is no figure takes
    the second.
    """

    def choose(forms: re.Match[str]) -> str:
        name, one, several = forms.groups()
        return one if _plural_category(params.get(name), language) == "one" else several

    return _FORMS.sub(choose, template)


def write_value(value: Any, language: str = ENGLISH, form: str | None = None, digits: str | None = None) -> str:
    """Return a parameter as text: a figure as the language writes it, a list joined, words as they are."""
    if value is None or value == "" or value == []:
        return UNKNOWN
    if isinstance(value, str):
        return _write_time(value, form, language) if form in ("date", "datetime") else show_name(value, "terminal")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _write_number(value, form, None if digits is None else int(digits), language)
    if isinstance(value, list | tuple):
        parts = [write_value(each, language) for each in value]
        if form == "lines":
            return str(find_template("list.lines", language)).join(parts)
        if form in ("and", "or"):
            return format_list(parts, "standard" if form == "and" else "or", locale(language))
        return ", ".join(parts)
    return render(value, language) if hasattr(value, "code") else str(value)


@cache
def locale(language: str) -> Locale:
    """Return the language's rules: those its catalogue names as language.locale, else English ones."""
    named = find_template("language.locale", language)
    try:
        return Locale.parse(str(named), sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale(ENGLISH)


def _plural_form(template: Template, params: Mapping[str, Any], language: str) -> str:
    if isinstance(template, str):
        return template
    return template.get(_plural_category(params.get(template["plural"]), language), template["other"])


def _plural_category(count: Any, language: str) -> str:
    return locale(language).plural_form(abs(count)) if isinstance(count, int | float) else "other"


def _write_number(value: float, form: str | None, digits: int | None, language: str) -> str:
    rules = locale(language)
    if form == "integer":
        return format_decimal(value, format="#,##0", locale=rules)
    if form == "number":
        return format_decimal(value, format=f"#,##0.{'#' * (1 if digits is None else digits)}", locale=rules)
    if form == "fixed":
        return format_decimal(value, format=f"#,##0.{'0' * (3 if digits is None else digits)}", locale=rules)
    if form == "percent":
        pattern = rules.percent_formats[None].pattern.replace("0", f"0.{'#' * digits}" if digits else "0")
        return format_percent(value, format=pattern, locale=rules)
    return format_decimal(value, format="0.######", locale=rules)


def _with_first_day(text: str, day: int, language: str) -> str:
    """Return a date whose first of the month is written as the catalogue has it: 1er mars, where CLDR says 1 mars."""
    return (
        re.sub(r"(?<!\d)1(?!\d)", str(find_template("date.first_day", language)), text, count=1) if day == 1 else text
    )


def _write_time(text: str, form: str, language: str) -> str:
    """Return a moment, ISO 8601, as the language writes it; as it stands where it is none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    if form == "date":
        return _with_first_day(format_date(when, "long", locale=locale(language)), when.day, language)
    moment = format_datetime(when, "d MMMM y, HH:mm", locale=locale(language))
    moment = _with_first_day(moment, when.day, language)
    return moment if when.tzname() is None else f"{moment} {when.tzname()}"
