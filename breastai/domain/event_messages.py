"""Events as text: encode, decode, and nothing that touches a socket."""

import json
from typing import Any

from pydantic import ValidationError

from breastai.domain.errors import BreastAIError
from breastai.domain.events import ENVELOPE, Error, Event, TrainingUpdate, UnknownEvent, event_adapter
from breastai.domain.v3_events import spread_metrics


def event_values(event: Event) -> dict[str, Any]:
    """Return the event as plain values: every field of its own, and those of the envelope that are set.

    An epoch's metrics have version 3's names too.
    """
    values = event.model_dump(mode="json")
    if isinstance(event, TrainingUpdate):
        values = spread_metrics(values)
    for name in ENVELOPE:
        if values[name] is None:
            del values[name]
    return {"type": values.pop("type"), **values}


def encode_event(event: Event) -> str:
    """Return the event as one line of JSON."""
    return json.dumps(event_values(event), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode_event(text: str | bytes) -> Event:
    """Return the event in `text`; raise pydantic's ValidationError, since only our own programs write events."""
    return event_adapter().validate_json(text)


def decode_any_event(text: str | bytes) -> Event:
    """Return the event in `text`, an UnknownEvent where only a later version knows it; raise pydantic's ValidationError.

    Of what this version can't check nothing is left out, so that whoever waits for an event hears that it has come.
    """
    try:
        return decode_event(text)
    except ValidationError:
        return UnknownEvent.model_validate_json(text)


def error_event(error: BreastAIError, request_id: str | int | None = None, session_id: str | None = None) -> Error:
    """Return the event that tells a client of `error`."""
    return Error(
        code=error.code,
        message=str(error),
        params=error.params,
        setting=error.about or None,
        request_id=request_id,
        session_id=session_id,
    )
