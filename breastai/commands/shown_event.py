"""An event as a terminal may show it: no name in it moves the cursor, ends a line or turns the direction of reading."""

from typing import Any, TypeVar

from pydantic import BaseModel

from breastai.domain.events import Event
from breastai.domain.text import Text
from breastai.texts.shown_name import show_name, show_text

AnEvent = TypeVar("AnEvent", bound=Event)
# A text of ours, perhaps of several lines; what is put into one was made visible then.
_TEXTS = frozenset({"message"})


def shown_event(event: AnEvent) -> AnEvent:
    """Return the event with the names in it as they may be shown; texts that are still codes stay as they are."""
    return event.model_copy(update=_fields(event))


def _fields(model: BaseModel) -> dict[str, Any]:
    return {name: _shown(name, getattr(model, name)) for name in type(model).model_fields}


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return show_text(value) if name in _TEXTS else show_name(value, "terminal")
    if isinstance(value, list | tuple):
        return type(value)(_shown(name, each) for each in value)
    if isinstance(value, dict):
        return {_shown("", key): _shown(name, each) for key, each in value.items()}
    if isinstance(value, BaseModel) and not isinstance(value, Text):
        return value.model_copy(update=_fields(value))
    return value
