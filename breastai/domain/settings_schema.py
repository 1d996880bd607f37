"""The settings as a JSON schema, each with its label and help from the English catalogue."""

from collections.abc import Mapping
from typing import Any

from breastai.domain.config import Config
from breastai.domain.settings import Settings
from breastai.texts.catalogue import ENGLISH, Template, read_catalogue


def config_schema() -> dict[str, Any]:
    """Return the schema of the configuration; what a setting is stands in the catalogue alone, by its path."""
    schema = Config.model_json_schema()
    _describe(Config, schema, schema["$defs"], "", read_catalogue(ENGLISH))
    return schema


def _describe(
    group: type[Settings],
    schema: dict[str, Any],
    definitions: Mapping[str, Any],
    place: str,
    texts: Mapping[str, Template],
) -> None:
    for name, field in group.model_fields.items():
        path = f"{place}{name}"
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Settings):
            _describe(kind, definitions[kind.__name__], definitions, f"{path}.", texts)
            continue
        prefix = f"option.{path}."
        options = [f"{key.removeprefix(prefix)}: {text}" for key, text in texts.items() if key.startswith(prefix)]
        described = [str(texts[f"setting.{path}.help"]), *options]
        schema["properties"][name] |= {"title": texts[f"setting.{path}.label"], "description": "\n".join(described)}
