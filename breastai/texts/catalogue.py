"""The catalogue of texts: which languages there are, and a template by its key."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
ENGLISH = "en"
_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
# A text; or several by the plural category of the language, chosen by the parameter that "plural" names.
Template = str | dict[str, str]


@cache
def languages() -> tuple[str, ...]:
    """Return the languages that have a file, English first."""
    found = sorted(path.stem for path in FOLDER.glob("*.json"))
    return (ENGLISH, *(language for language in found if language != ENGLISH))


@cache
def read_catalogue(language: str) -> Mapping[str, Template]:
    """Return every template of a language by its key; nothing for a language without a file."""
    if language not in languages():
        return {}
    texts: Mapping[str, Template] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return texts


def find_template(key: str, language: str) -> Template | None:
    """Return the template of `key`, in English where the language has none; None where there is none at all."""
    found = read_catalogue(language).get(key)
    return read_catalogue(ENGLISH).get(key) if found is None else found


def choose_language(*wished: str | None) -> str:
    """Return the first of the tags (fr, fr-CA, fr_FR.UTF-8) whose language has a file, else English."""
    for tag in wished:
        primary = (tag or "").replace("_", "-").partition(".")[0].partition("-")[0].lower()
        if primary in languages():
            return primary
    return ENGLISH


def system_language(environment: Mapping[str, str]) -> str:
    """Return the language of the first locale variable that is set, as gettext reads them; English where none is."""
    return choose_language(next((environment[name] for name in _LOCALE_VARIABLES if environment.get(name)), None))


def texts_below(area: str, language: str) -> dict[str, str]:
    """Return the texts of an area without plurals by their keys without its name; in English where there is no other."""
    both = {**read_catalogue(ENGLISH), **read_catalogue(language)}
    prefix = f"{area}."
    return {key.removeprefix(prefix): str(text) for key, text in both.items() if key.startswith(prefix)}
