"""What the clients send and get: requests from names and fields, errors from events, answers with what came before them."""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from breastai.domain import events, requests
from breastai.domain.errors import BreastAIError, RefusedByServer, RequestInvalid, RequestUnknown, all_errors
from breastai.domain.events import Event
from breastai.domain.text import read_param
from breastai.domain.validation_errors import describe_problems

AnEvent = TypeVar("AnEvent", bound=Event)
_ENVELOPE = ("type", "session_id", "request_id")


class Answers(list[AnEvent]):
    """What was said of each image, in order. `complete`: the event that ended it; job_queued for one that waits.

    `units`: what was said of each breast, exam or patient, by a model that decides of these.
    """

    def __init__(self, parts: Iterable[AnEvent], complete: Event, units: Iterable[events.UnitPrediction] = ()) -> None:
        super().__init__(parts)
        self.complete = complete
        self.units = list(units)


def with_parts(answer: Event, heard: "asyncio.Queue[Event | None]", kind: type[Event]) -> Answers[Event]:
    """Return what of the events heard was told of each image before an answer."""
    if isinstance(answer, events.JobQueued):  # what was heard is of another job
        return Answers([], answer)
    heard_all = [heard.get_nowait() for _ in range(heard.qsize())]
    told = [each for each in heard_all if each is not None and each.session_id == answer.session_id]
    units = [each for each in told if isinstance(each, events.UnitPrediction)]
    return Answers((each for each in told if isinstance(each, kind)), answer, units)


def ends_study(event: Event) -> bool:
    """Return whether a study is over with this event."""
    if isinstance(event, events.StudyShown):
        return event.study is None or event.study.state != "running"
    return event.ends_a_job


def error_from_event(event: events.Error) -> BreastAIError:
    """Return the exception that the server or a worker told of."""
    kind = all_errors().get(event.code)
    if kind is not None:
        try:
            return kind(**{name: read_param(value) for name, value in event.params.items()})
        except TypeError:  # another version gave it other parameters
            pass
    return RefusedByServer(event.code, event.message)


def with_token(url: str, token: str | None) -> str:
    """Return the address to connect to; `url` itself, which errors name, is given without a token."""
    return f"{url}{'&' if '?' in url else '?'}token={quote(token, safe='')}" if token else url


def build_request(request: requests.Request | str, fields: Mapping[str, Any]) -> requests.Request:
    """Return the request; `request` may be its type, with `fields`. Raises RequestUnknown and RequestInvalid."""
    if isinstance(request, requests.Request):
        return request
    if request not in requests.REQUESTS:
        raise RequestUnknown(request, sorted(requests.REQUESTS))
    model = requests.REQUESTS[request]
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        raise RequestInvalid(describe_problems(error, model)) from None


def describe_method(kind: str, ask: Callable[..., Any]) -> Callable[..., Any]:
    """Return `ask` with the name, the fields and the words of a request, as help() and a notebook's completion show them."""
    model = requests.REQUESTS[kind]

    def method(**fields: Any) -> Any:
        return ask(kind, **fields)

    method.__name__ = method.__qualname__ = kind
    method.__doc__ = f"{model.__doc__}\n\nAnswered by {' or '.join(model.answered_by)}."
    method.__signature__ = inspect.Signature(list(_parameters(model)))  # type: ignore[attr-defined]
    return method


def _parameters(model: type[requests.Request]) -> Iterable[inspect.Parameter]:
    for name, info in model.model_fields.items():
        if name not in _ENVELOPE:
            default = inspect.Parameter.empty if info.is_required() else info.get_default(call_default_factory=True)
            yield inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=info.annotation or Any
            )


def methods(own: Sequence[str]) -> list[str]:
    """Return the names of a client's methods: its own and one for each request."""
    return sorted({*own, *requests.REQUESTS})
