"""Requests as text: bounds, decode, and nothing that touches a socket."""

import json
from typing import Any

from pydantic import ValidationError

from breastai.domain.errors import RequestInvalid, RequestUnknown
from breastai.domain.faults import describe_mismatch
from breastai.domain.json_depth import MOST_LEVELS, is_too_deep
from breastai.domain.requests import REQUESTS, Request
from breastai.domain.text import Text
from breastai.domain.validation_errors import describe_problems

# Bounds on what a message may be made of, so that none takes longer than some milliseconds to be refused.
MOST_COMMAS = 10_000
MOST_KEYS = 100
MOST_DIGITS = 400


def decode_request(text: str | bytes, known_kind: str | None = None) -> Request:
    """Return the request in `text`; raise RequestInvalid or RequestUnknown, which name the fault.

    `known_kind`: what it asks for, where that is known from elsewhere and need not be said again.
    """
    if (commas := _commas(text)) > MOST_COMMAS:
        raise _unusable(Text("expected.commas_to", {"limit": MOST_COMMAS}), commas)
    try:
        values = _parsed(text)
    except (ValueError, RecursionError):
        raise _unusable(Text("expected.json_object"), Text("came.something_else")) from None
    if is_too_deep(values):
        raise _unusable(Text("expected.shallow_json", {"levels": MOST_LEVELS}), Text("came.something_deeper"))
    if not _can_be_sent_back(text, values):
        raise _unusable(Text("expected.unicode"), Text("came.half_of_pair"))
    if not isinstance(values, dict):
        raise _unusable(Text("expected.json_object"), type(values).__name__)
    if len(values) > MOST_KEYS:
        raise _unusable(Text("expected.keys_to", {"limit": MOST_KEYS}), len(values))
    kind = values.get("type") if known_kind is None else values.setdefault("type", known_kind)
    if known_kind not in (None, kind):
        raise RequestInvalid(
            [describe_mismatch("type", Text("expected.or_nothing", {"value": repr(known_kind)}), repr(str(kind)[:100]))]
        )
    if not isinstance(kind, str) or kind not in REQUESTS:
        raise RequestUnknown(str(kind)[:100], sorted(REQUESTS))
    try:
        return REQUESTS[kind].model_validate(values)
    except ValidationError as error:
        raise RequestInvalid(describe_problems(error, REQUESTS[kind])) from None


def _unusable(expected: Text, came: Text | str | int) -> RequestInvalid:
    return RequestInvalid([describe_mismatch(Text("place.message"), expected, came)])


def request_id_of(text: str | bytes) -> str | int | None:
    """Return the request_id in a message that could not be decoded, so that its error can be matched."""
    if _commas(text) > MOST_COMMAS:
        return None
    try:
        value = _parsed(text)["request_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    sound = isinstance(value, str | int) and not isinstance(value, bool) and len(str(value)) <= 200
    return value if sound and _can_be_sent_back(text, value) else None


def _commas(text: str | bytes) -> int:
    return text.count(",") if isinstance(text, str) else text.count(b",")


def _parsed(text: str | bytes) -> Any:
    return json.loads(text, parse_int=_whole_number)


def _whole_number(digits: str) -> int:
    """Numbers without end take time that grows with the square of their length."""
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _can_be_sent_back(text: str | bytes, values: Any) -> bool:
    """Return whether what JSON's escapes in `text` made of `values` are characters that a text may hold."""
    if isinstance(text, str) and "\\u" not in text:
        return True
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True
