"""The protocol as a document, made from the models of requests, events and errors.

`python -m breastai.domain.protocol_document > docs/protocol.md` writes it; `--asyncapi` gives an AsyncAPI document.
"""

import json
import re
import sys
from typing import Any

from pydantic import BaseModel

from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.errors import BreastAIError, all_errors
from breastai.domain.events import ENVELOPE, EVENTS, TERMINAL, Event, event_adapter
from breastai.domain.page_types import event_parts
from breastai.domain.requests import REQUESTS, Request, request_adapter
from breastai.domain.schema_text import default_text, escape_cell, type_text
from breastai.domain.v3_settings import FLAT_NAMES
from breastai.texts.catalogue import ENGLISH, find_template

_FIELD_FORMAT = re.compile(r"(?<=\w):\w+(\.\d)?\}")
_ASYNCAPI_VERSION = "3.0.0"
_ADDRESS = "localhost:8765"

_INTRODUCTION = f"""\
# The protocol

This file is made from the models in `breastai/domain/`; do not edit it. To make it again:
`python -m breastai.domain.protocol_document > docs/protocol.md`.

The server listens at `ws://{_ADDRESS}` (`--host` and `--port` change that). Each message is one JSON object with a
`type`. Clients send requests, the server sends events. {RESEARCH_USE}

- The first event on a connection is `connection_established`. It brings the catalog, the configuration with its JSON
  schema, and the session as it is, so that a page can draw itself from nothing.
- A request may carry a `request_id`; the event that answers it carries it too. A request that can't be honoured is
  answered by `error`, whose `message` says what to do and whose `code` and `params` are for programs.
- The events of a run go to every client. Each carries `run_id` and `seq`, its number in the run. A client that comes
  back sends `get_status` with `run_id` and the `last_seq` it has, and gets what it missed.
- A run ends with `training_complete` or `training_stopped`. One that fails sends `error` first and then
  `training_stopped` with reason `error`. Other jobs end with their result, `job_stopped` or `error`.
- Figures are fractions of 1. A figure that is undefined is `null`, never 0. In a `confusion_matrix` rows are true and
  columns predicted classes. Epochs and batches count from 1. Paths are relative to the workspace, with forward slashes.
- Who may connect: programs that send no `Origin`, the page the server itself serves, and the page opened as a file.
  Everything else is refused with status 403. Image folders lie in the workspace or under a `--data-root`.
"""


_VERSION_3_PAGE = f"""\
### Its page and its inference script

Version 3's page connects to `ws://{_ADDRESS}/?version=3`: write that in its one `new WebSocket(...)`, with
`&token=TOKEN` when it is opened as a file. Its connection is then told of

- accuracies in percent, and progress within an epoch as `batch_progress` too;
- `RUN_latest.safetensors` for a run's last checkpoint, and the list of checkpoints anew after each deletion;
- checkpoints without an accuracy, and epochs with an undefined figure, by a line of its log: the page breaks at what is
  no number.

Its `inference_onnx.py` opens our ONNX files and is **wrong without an error**: it sends normalised values where the
model takes grey levels from 0 to 255 and normalises them itself, and takes the probabilities for logits. It also prepares
images in its own way and has its class names from `config.json`. Use `breastai predict`, or `examples/predict.py`.
"""


def protocol_document() -> str:
    """Return docs/protocol.md."""
    parts = [_INTRODUCTION, "## Requests\n", *_envelope_section(Request)]
    parts += [_request_section(kind, model) for kind, model in REQUESTS.items()]
    parts += ["## Events\n", *_envelope_section(Event)]
    parts += [f"A job's last event is one of {_listed(TERMINAL)}.\n"]
    parts += [_event_section(kind, model) for kind, model in EVENTS.items()]
    parts += ["## Parts of events\n", *[_part_section(part) for part in event_parts()]]
    parts += [_flat_names_section(), _errors_section()]
    return "\n".join(parts)


def asyncapi_document() -> dict[str, Any]:
    """Return the protocol as an AsyncAPI document, for tools that generate clients."""
    schemas: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for group, adapter, models in (("requests", request_adapter(), REQUESTS), ("events", event_adapter(), EVENTS)):
        mode = "validation" if group == "requests" else "serialization"
        schema = adapter.json_schema(ref_template="#/components/schemas/{model}", mode=mode)  # type: ignore[arg-type]
        schemas |= schema["$defs"]
        for kind, model in models.items():
            messages[f"{group}.{kind}"] = {
                "name": kind,
                "summary": _summary(model),
                "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
            }
    channel = "#/channels/session"
    return {
        "asyncapi": _ASYNCAPI_VERSION,
        "info": {"title": "BreastAI", "version": "4", "description": RESEARCH_USE},
        "defaultContentType": "application/json",
        "servers": {"local": {"host": _ADDRESS, "protocol": "ws"}},
        "channels": {
            "session": {
                "address": "/",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {kind: _operation(channel, kind, model) for kind, model in REQUESTS.items()}
        | {
            "events": {
                "action": "send",
                "channel": {"$ref": channel},
                "messages": [{"$ref": f"{channel}/messages/events.{kind}"} for kind in EVENTS],
            }
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def _operation(channel: str, kind: str, model: type[Request]) -> dict[str, Any]:
    replies = (*model.answered_by, "error")
    return {
        "action": "receive",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/requests.{kind}"}],
        "reply": {
            "channel": {"$ref": channel},
            "messages": [{"$ref": f"{channel}/messages/events.{reply}"} for reply in replies],
        },
    }


def _envelope_section(model: type[BaseModel]) -> list[str]:
    kind = "request may" if model is Request else "event may"
    return [f"Every {kind} carry:\n", _table(model, tuple(name for name in model.model_fields if name != "type"))]


def _request_section(kind: str, model: type[Request]) -> str:
    own = tuple(name for name in model.model_fields if name not in (*Request.model_fields, "type"))
    text = f"### {kind}\n\n{_summary(model)}\n\nAnswered by {_listed(model.answered_by)}.\n"
    return text + (f"\n{_table(model, own)}" if own else "")


def _event_section(kind: str, model: type[Event]) -> str:
    own = tuple(name for name in model.model_fields if name not in (*ENVELOPE, "type"))
    return f"### {kind}\n\n{_summary(model)}\n" + (f"\n{_table(model, own)}" if own else "")


def _part_section(model: type[BaseModel]) -> str:
    return f"### {model.__name__}\n\n{_summary(model)}\n\n{_table(model, tuple(model.model_fields))}"


def _flat_names_section() -> str:
    rows = [f"| {name} | {place} |" for name, (place, _) in FLAT_NAMES.items()]
    head = (
        "## Flat names of version 3\n\nIn `config` these may stand outside their sections. `data_path` is the folder "
        "that holds train/, val/ and test/.\n\n| name | setting |\n|---|---|"
    )
    return "\n".join([head, *rows, "", _VERSION_3_PAGE])


def _words(code: str) -> str:
    """Return what an error says in English, its parameters by their names."""
    template = find_template(f"error.{code}", ENGLISH)
    return _FIELD_FORMAT.sub("}", template if isinstance(template, str) else (template or {})["other"])


def _errors_section() -> str:
    rows = [
        f"| `{code}` | {', '.join(_params(kind)) or '-'} | {escape_cell(_words(code))} | {kind.exit_status} |"
        for code, kind in sorted(all_errors().items())
    ]
    head = (
        "## Errors\n\nThe exit status is the command line's.\n\n"
        "| code | params | message | exit status |\n|---|---|---|---|"
    )
    return "\n".join([head, *rows, ""])


def _params(kind: type[BreastAIError]) -> list[str]:
    return list(getattr(kind, "__dataclass_fields__", {}))


def _table(model: type[BaseModel], names: tuple[str, ...]) -> str:
    schema = model.model_json_schema(by_alias=True)
    schema = schema if "properties" in schema else schema["$defs"][model.__name__]  # a model that holds itself
    rows = []
    for name in names:
        info = model.model_fields[name]
        key = info.alias or name
        kind = escape_cell(type_text(schema["properties"][key]))
        rows.append(f"| {key} | {kind} | {default_text(info)} | {escape_cell(info.description or '')} |")
    return "\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows, ""])


def _summary(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    if sys.argv[1:] == ["--asyncapi"]:
        print(json.dumps(asyncapi_document(), indent=1, ensure_ascii=False))
    else:
        print(protocol_document(), end="")
