"""The types of the wire for the page's scripts, frontend/js/wire.d.ts, made from the classes of the events.

`python -m breastai.domain.page_types > frontend/js/wire.d.ts` writes it; tsc then checks the page against it.
"""

import json
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from breastai.domain.events import ENVELOPE, EVENTS, Event

_HEAD = """\
/* Made from breastai/domain by python -m breastai.domain.page_types; changes here are lost. */

declare namespace Wire {
"""
_PLAIN = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    NoneType: "null",
    Any: "any",
    object: "unknown",
}
# Plain values in Python, of which the page knows more.
_REFINED = {
    "Event.request_id": "string",
    "Text.params": "Record<string, unknown>",
    "Snapshot.started": "TrainingStarted | null",
    "Snapshot.data": "DataLoaded | null",
    "Snapshot.model": "ModelLoaded | null",
    "Snapshot.progress": "ProgressUpdate | null",
    "Snapshot.update": "TrainingUpdate | null",
    "Snapshot.outcome": "Outcome | null",
    "History.epochs": "TrainingUpdate[]",
    "ConnectionEstablished.catalog": "Catalog",
    "ConnectionEstablished.config_schema": "JsonSchema",
    "ConfigShown.config_schema": "JsonSchema",
}


def page_types() -> str:
    """Return wire.d.ts: an interface for every event and each of its parts, and Events, which names them by type."""
    parts = [_interface(Event, Event.__name__, [_optional(name) for name in ENVELOPE])]
    parts += [_interface(model, f"{model.__name__} extends Event", list(_fields(model))) for model in EVENTS.values()]
    parts += [
        _interface(model, model.__name__, list(_fields(model)))
        for model in event_parts()
        if not issubclass(model, Event)
    ]
    table = "".join(f"    {kind}: {model.__name__};\n" for kind, model in EVENTS.items())
    parts.append(f"  interface Events {{\n{table}  }}\n")
    return _HEAD + "\n".join(parts) + "}\n"


def event_parts() -> list[type[BaseModel]]:
    """Return the models that events are made of, each once, by name."""
    found: dict[type[BaseModel], None] = {}

    def descend(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if annotation not in found:
                found[annotation] = None
                for info in annotation.model_fields.values():
                    descend(info.annotation)
            return
        for argument in get_args(annotation):
            descend(argument)

    for event in EVENTS.values():
        for info in event.model_fields.values():
            descend(info.annotation)
    return sorted(found, key=lambda model: model.__name__)


def _interface(model: type[BaseModel], head: str, fields: list[str]) -> str:
    summary = " ".join((model.__doc__ or "").split())
    note = f"  /** {summary} */\n" if summary else ""
    return f"{note}  interface {head} {{\n" + "".join(f"    {field};\n" for field in fields) + "  }\n"


def _optional(name: str) -> str:
    # What is not set is left out of the message; the page chooses texts as request_id.
    return f"{name}?: {_REFINED.get(f'Event.{name}') or _type_of(Event.model_fields[name].annotation).removesuffix(' | null')}"


def _fields(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if name in ENVELOPE and issubclass(model, Event):
            continue
        yield f"{info.alias or name}: {_REFINED.get(f'{model.__name__}.{name}') or _type_of(info.annotation)}"


def _type_of(annotation: Any) -> str:
    """Return the type in TypeScript; raise TypeError for one that nobody thought of."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_of(arguments[0])
    if origin is Literal:
        return " | ".join(json.dumps(value) for value in arguments)
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(_type_of(argument) for argument in arguments))
    if origin is dict:
        return f"Record<string, {_type_of(arguments[1])}>"
    if origin is tuple and Ellipsis not in arguments:
        return f"[{', '.join(map(_type_of, arguments))}]"
    if origin in (list, tuple):
        inner = _type_of(arguments[0])
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    raise TypeError(f"no type of TypeScript is known for {annotation!r}")


if __name__ == "__main__":
    print(page_types(), end="")
