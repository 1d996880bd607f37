"""The REST door described: an OpenAPI document made from the messages, and a page that lists what it says."""

import base64
import hashlib
import html
import json
from collections.abc import Iterator
from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from breastai import __version__
from breastai.apps.http_status import ERROR_STATUSES
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.events import ENVELOPE, EVENTS
from breastai.domain.requests import REQUESTS

_REF = "#/components/schemas/{model}"
JSON = "application/json"
# A job can be stopped before it answers.
STOPS = ("job_stopped", "training_stopped", "study_stopped")
ANSWERS_OF_JOBS = {"job_queued", "bench", "audit", "images_answered"}
TOLD = (
    "Every request of the WebSocket protocol is a POST to /requests/TYPE with the request's fields as JSON, answered by "
    "the same events. Errors have the shape of the error event."
)


def request_body(kind: str) -> dict[str, Any]:
    """Return the part of an operation that says what body the request `kind` takes."""
    needed = any(info.is_required() for info in REQUESTS[kind].model_fields.values())
    schema = {"$ref": _REF.format(model=REQUESTS[kind].__name__)}
    return {"requestBody": {"required": needed, "content": {JSON: {"schema": schema}}}}


def upload_body(field: str, most: int) -> dict[str, Any]:
    """Return the same for images sent as a form."""
    name = {"type": "string", "minLength": 1, "maxLength": 300}
    properties = {
        field: {"type": "array", "minItems": 1, "maxItems": most, "items": {"type": "string", "format": "binary"}},
        "model": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "items": name,
            "description": "A checkpoint (RUN/best) or an exported .onnx file as list_exports has it; given twice, both.",
        },
        "heat_maps": {"type": "boolean", "default": False, "description": "Of checkpoints."},
        "keep": {"type": "boolean", "default": False, "description": "Keep copies in the workspace."},
        "box": {
            "type": "array",
            "items": {"type": "string", "pattern": r"^(\d+,\d+,\d+,\d+)?$"},
            "description": "For a model of lesion crops: x,y,width,height of the lesion in each image, in their order; "
            "empty where none is marked.",
        },
        "session_id": {"type": "string", "minLength": 1, "maxLength": 100, "default": "default"},
    }
    schema = {"type": "object", "properties": properties, "required": [field, "model"], "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def answers(answered_by: tuple[str, ...], is_job: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return what may come back to a request that these events answer, by status."""
    if is_job or ANSWERS_OF_JOBS.intersection(answered_by):
        answered_by = tuple(dict.fromkeys((*answered_by, *STOPS)))
    choices = [{"$ref": _REF.format(model=EVENTS[name].__name__)} for name in answered_by]
    answered = {
        "type": "object",
        "properties": {
            "answer": choices[0] if len(choices) == 1 else {"anyOf": choices},
            "events": {"type": "array", "items": {"type": "object"}},
        },
        "required": ["answer", "events"],
    }
    return {
        200: _content("The event that answers, and those that came with it.", answered),
        202: _content("No answer yet: come back to `location`.", {"$ref": _REF.format(model="Pending")}),
        **refusals(),
    }


def refusals(*more: int) -> dict[int | str, dict[str, Any]]:
    """Return the errors that may come back, by status."""
    schema = {"$ref": _REF.format(model="Error")}
    return {status: _content("An error event.", schema) for status in (*ERROR_STATUSES, 408, 413, *more)}


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the door's application."""
    document: dict[str, Any] = get_openapi(
        title="BreastAI", version=__version__, description=f"{RESEARCH_USE} {TOLD}", routes=app.routes
    )
    document["components"] = {
        "schemas": _schemas(),
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    }
    document["security"] = [{}, {"token": []}]
    document["servers"] = [{"url": "./"}]  # beside this document, also behind a proxy under a path
    # FastAPI adds its own shape of a refusal, which none of ours has.
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"]["422"] = refusals()[422]
    return document


def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    for models, mode in ((list(REQUESTS.values()), "validation"), (list(EVENTS.values()), "serialization")):
        _, found = models_json_schema([(model, cast(Any, mode)) for model in models], ref_template=_REF)
        schemas |= found["$defs"]
    for model in REQUESTS.values():
        _without_type(schemas[model.__name__])
    for event in EVENTS.values():  # fields of the envelope that are not set are left out
        schema = schemas[event.__name__]
        schema["required"] = [name for name in schema.get("required", []) if name not in ENVELOPE]
    schemas["Pending"] = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "request": {"type": "string"},
            "location": {"type": "string", "description": "Where to ask again, below this door's address."},
        },
        "required": ["id", "request", "location"],
    }
    return schemas


def _without_type(schema: dict[str, Any]) -> None:
    """The address says which request it is."""
    schema["properties"].pop("type", None)


# --- the page -----------------------------------------------------------------------------------

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1c2430; background: #fff; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: #f2f4f7; padding: .75rem; overflow-x: auto; }
details { border: 1px solid #ccd3dc; border-radius: .4rem; margin: .4rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; } summary b { display: inline-block; min-width: 3.5rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .2rem .6rem .2rem 0;
       vertical-align: top; border-top: 1px solid #e3e7ec; }
@media (prefers-color-scheme: dark) { body { color: #e6eaf0; background: #14181f; } pre { background: #1e242d; }
       details, td, th { border-color: #39424e; } a { color: #8ab4ff; } }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def openapi_page(document: dict[str, Any]) -> str:
    """Return the operations of an OpenAPI document as a page that needs no script and nothing from elsewhere."""
    body = "".join(
        _operation(document, path, method.upper(), operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    about = html.escape(document["info"]["description"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>BreastAI: REST</title>'
        '<meta name="viewport" content="width=device-width"><style>' + _STYLE + "</style></head><body><main>"
        f'<h1>BreastAI: REST</h1><p>{about}</p><p>The same for programs: <a href="openapi.json">openapi.json</a>. '
        "Where a token is asked for: <code>Authorization: Bearer TOKEN</code>.</p>" + body + "</main></body></html>\n"
    )


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    text = html.escape(operation.get("description") or operation.get("summary", ""))
    rows = "".join(_rows(document, operation))
    table = f"<table><tr><th>field</th><th>type</th><th>meaning</th></tr>{rows}</table>" if rows else ""
    summary = html.escape(operation.get("summary", ""))
    return (
        f'<details id="{html.escape(operation.get("operationId", ""))}"><summary><b>{method}</b> '
        f"<code>{html.escape(path)}</code> {summary}</summary><p>{text}</p>{table}</details>"
    )


def _rows(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", []):
        where = f"{parameter['name']} ({parameter['in']})"
        yield _row(where, parameter["schema"], bool(parameter.get("required")), parameter.get("description", ""))
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for name, field in schema["properties"].items():
            yield _row(name, field, name in schema.get("required", []), field.get("description", ""))


def _row(name: str, schema: dict[str, Any], required: bool, meaning: str) -> str:
    need = "" if required else f" = {json.dumps(schema['default'])}" if "default" in schema else ", optional"
    return (
        f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(_type(schema) + need)}</td>"
        f"<td>{html.escape(meaning)}</td></tr>"
    )


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(_type(choice) for choice in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))
