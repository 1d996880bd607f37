"""The words of a report in English and French, and what the records say in English put into French."""

import json
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from breastai.clinical.report.report_blocks import Inline, Quoted
from breastai.domain.records import Finding
from breastai.domain.sentences import in_french

LANGUAGES = ("en", "fr")
_MONTHS = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
}


def texts(language: str) -> dict[str, str]:
    """Return every text by its key."""
    place = LANGUAGES.index(language)
    return {key: pair[place] for key, pair in _table()["texts"].items()}


def finding_text(finding: Finding, language: str) -> Inline:
    """Return what was found, in the language; in English where no words are known."""
    if language == "en":
        return finding.message
    template = _table()["findings_fr"].get(finding.code)
    if template is None:
        return Quoted(finding.message)
    try:
        return str(template.format(**finding.params))
    except (KeyError, ValueError, TypeError):
        return Quoted(finding.message)


def translate_sentence(text: str, language: str) -> Inline:
    """Return a sentence of a record in the language; in English where no words are known."""
    if language == "en" or not text:
        return text
    french = in_french(text)
    return Quoted(text) if french is None else french


def moment(text: str, language: str) -> str:
    """Return a time of a record, ISO 8601, as it is read in the language; as it stands where it is none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = "" if when.tzinfo is None else f" {when.tzname()}"
    month = _MONTHS[language][when.month - 1]
    joined = " à" if language == "fr" else ","
    day = "1er" if language == "fr" and when.day == 1 else str(when.day)
    return f"{day} {month} {when.year}{joined} {when:%H:%M}{zone}"


@cache
def _table() -> Any:
    """Return the tables of templates/texts.json: a text by its key is [English, French]."""
    path = files("breastai.clinical") / "templates" / "texts.json"
    return json.loads(path.read_text(encoding="utf-8"))
