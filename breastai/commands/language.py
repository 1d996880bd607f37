"""The language of the command line: as `--lang` or the environment says, and its texts by their keys."""

import os
from collections.abc import Mapping
from typing import Any

from breastai.domain.errors import BreastAIError, all_errors
from breastai.domain.events import Error, Log
from breastai.domain.text import Text, read_param
from breastai.texts.catalogue import ENGLISH, find_template, system_language
from breastai.texts.renderer import fill_template, render

_chosen: list[str] = []


def set_language(language: str) -> None:
    """Speak this language from now on."""
    _chosen[:] = [language]


def follow_system_language() -> None:
    """Speak the system's language from now on, unless one was chosen."""
    if not _chosen:
        set_language(system_language(os.environ))


def current_language() -> str:
    """Return the language that commands speak."""
    return _chosen[0] if _chosen else ENGLISH


def say(key: str, **values: Any) -> str:
    """Return the text of a key in the user's language; `values` are strings, numbers and Texts."""
    return render(Text(key, values), current_language())


def words(text: Text | str) -> str:
    """Return a text in the user's language; words that a record kept stand as they are."""
    return render(text, current_language()) if isinstance(text, Text) else text


def error_text(error: BreastAIError | Error) -> str:
    """Return what an error says in the user's language, and the option of the command line that mends it."""
    message = error.message if isinstance(error, Error) else str(error)
    text = translate(message, f"error.{error.code}", error.params)
    option = all_errors().get(error.code, BreastAIError).option
    return say("cli.error.option", text=text, option=fill_template(option, error.params)) if option else text


def log_text(event: Log) -> str:
    """Return what a line of the log says in the user's language."""
    area = "log" if find_template(f"log.{event.code}", ENGLISH) is not None else "error"
    return translate(event.message, f"{area}.{event.code}", {**event.params, "message": event.message})


def translate(message: str, key: str, params: Mapping[str, Any]) -> str:
    """Return the text of a key in the user's language, in place of its English `message`; that where there is none."""
    template = find_template(key, current_language())
    if template is None or current_language() == ENGLISH:
        return message
    values = {name: read_param(value) for name, value in params.items()}
    return fill_template(template, values, current_language())
