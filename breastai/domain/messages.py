"""Requests and events as text: decode, encode, and nothing that touches a socket."""

import json
from typing import Any

from pydantic import ValidationError

from breastai.domain.errors import BreastAIError, RequestInvalid, RequestUnknown
from breastai.domain.events import ENVELOPE, EVENT, Error, Event
from breastai.domain.problems import describe_problems
from breastai.domain.requests import REQUEST, REQUESTS, Request


def decode_request(text: str | bytes) -> Request:
    """Return the request in `text`; raise RequestInvalid or RequestUnknown, which name the fault."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise RequestInvalid(["expected one JSON object as a message, got something else"]) from None
    if not _can_be_sent_back(text, values):
        raise RequestInvalid(["expected characters of Unicode, got half of a pair of \\u escapes"])
    if not isinstance(values, dict):
        raise RequestInvalid([f"expected one JSON object as a message, got {type(values).__name__}"])
    kind = values.get("type")
    if not isinstance(kind, str) or kind not in REQUESTS:
        raise RequestUnknown(str(kind)[:100], sorted(REQUESTS))
    try:
        return REQUEST.validate_python(values)
    except ValidationError as error:
        raise RequestInvalid(describe_problems(error, REQUESTS[kind], tag=kind)) from None


def request_id_of(text: str | bytes) -> str | int | None:
    """Return the request_id in a message that could not be decoded, so that its error can be matched."""
    try:
        value = json.loads(text)["request_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    sound = isinstance(value, str | int) and not isinstance(value, bool) and len(str(value)) <= 200
    return value if sound and _can_be_sent_back(text, value) else None


def _can_be_sent_back(text: str | bytes, values: Any) -> bool:
    """Return whether what JSON's escapes in `text` made of `values` are characters that a text may hold."""
    if isinstance(text, str) and "\\u" not in text:
        return True
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def event_values(event: Event) -> dict[str, Any]:
    """Return the event as plain values: every field of its own, and those of the envelope that are set."""
    values = event.model_dump(mode="json")
    for name in ENVELOPE:
        if values[name] is None:
            del values[name]
    return {"type": values.pop("type"), **values}


def encode_event(event: Event) -> str:
    """Return the event as one line of JSON."""
    return json.dumps(event_values(event), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode_event(text: str | bytes) -> Event:
    """Return the event in `text`; raise pydantic's ValidationError, since only our own programs write events."""
    return EVENT.validate_json(text)


def error_event(error: BreastAIError, request_id: str | int | None = None, session_id: str | None = None) -> Error:
    """Return the event that tells a client of `error`."""
    return Error(code=error.code, message=str(error), params=error.params, request_id=request_id, session_id=session_id)
