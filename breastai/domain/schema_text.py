"""Types, bounds and defaults of fields as text, for the documents that are made from models."""

import json
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python


def default_text(info: FieldInfo) -> str:
    """Return a field's default as JSON in backquotes, or "required"."""
    if info.is_required():
        return "required"
    return f"`{json.dumps(to_jsonable_python(info.get_default(call_default_factory=True)))}`"


def type_text(schema: dict[str, Any]) -> str:
    """Return a JSON schema as a few words: "whole number from 1 to 10000, or null"."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(type_text(choice) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {type_text(schema.get('items', {}))}"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"object of {type_text(values)}" if isinstance(values, dict) and values else "object"
    names = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "null": "null",
    }
    return names.get(schema.get("type", ""), "anything") + _bounds_text(schema)


def _bounds_text(schema: dict[str, Any]) -> str:
    low = f" from {schema['minimum']}" if "minimum" in schema else ""
    low = f" above {schema['exclusiveMinimum']}" if "exclusiveMinimum" in schema else low
    high = f" to {schema['maximum']}" if "maximum" in schema else ""
    high = f" to below {schema['exclusiveMaximum']}" if "exclusiveMaximum" in schema else high
    longest = f", at most {schema['maxLength']} characters" if "maxLength" in schema else ""
    return low + high + longest


def bounds_signs(schema: dict[str, Any]) -> str:
    """Return a JSON schema in signs that need no language: `int 1…10000 | null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(bounds_signs(choice) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"[{bounds_signs(schema.get('items', {}))}]"
    names = {"string": "text", "integer": "int", "number": "float", "boolean": "true | false", "object": "{…}"}
    kind = str(schema.get("type", "any"))
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return names.get(kind, kind)
    below = "<" if "exclusiveMinimum" in schema else "≤"
    above = "<" if "exclusiveMaximum" in schema else "≤"
    left = "" if low is None else f"{low} {below} "
    return f"{left}{names.get(kind, kind)}{'' if high is None else f' {above} {high}'}"


def escape_cell(text: str) -> str:
    """Return `text` as it may stand in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")
