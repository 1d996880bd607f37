"""The settings as a JSON schema, each with its label and help from the English catalogue."""

from collections.abc import Mapping
from typing import Any

from breastai.domain.config import Config
from breastai.domain.settings import Settings
from breastai.domain.text import Text
from breastai.texts.catalogue import ENGLISH, read_catalogue


def config_schema() -> dict[str, Any]:
    """Return the schema of the configuration; what a setting is stands in the catalogue alone, by its path."""
    schema = Config.model_json_schema()
    _describe(Config, schema, schema["$defs"], "")
    return schema


def setting_help(path: str) -> str:
    """Return in English what a setting is, and on a line of its own what each of its values is."""
    prefix = f"option.{path}."
    options = (
        f"{key.removeprefix(prefix)}: {text}" for key, text in read_catalogue(ENGLISH).items() if key.startswith(prefix)
    )
    return "\n".join([str(Text(f"setting.{path}.help")), *options])


def _describe(group: type[Settings], schema: dict[str, Any], definitions: Mapping[str, Any], place: str) -> None:
    for name, field in group.model_fields.items():
        path = f"{place}{name}"
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Settings):
            _describe(kind, definitions[kind.__name__], definitions, f"{path}.")
        else:
            label = str(Text(f"setting.{path}.label"))
            schema["properties"][name] |= {"title": label, "description": setting_help(path)}
