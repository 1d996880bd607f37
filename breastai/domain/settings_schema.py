"""The settings as a JSON schema, each with its label and help from the English catalogue."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic_core import to_jsonable_python

from breastai.domain.config import Config
from breastai.domain.schema_text import bounds_signs
from breastai.domain.settings import Settings
from breastai.domain.text import Text
from breastai.texts.catalogue import ENGLISH, find_template, texts_below

# What whoever trains for the first time may want to set; the rest is for those who look for it.
BASIC = frozenset(
    {
        "data.image_size",
        "data.batch_size",
        "data.val_split",
        "data.on_leak",
        "preprocessing.resize",
        "preprocessing.breast_region",
        "preprocessing.lesion_crop",
        "augmentation.enabled",
        "model.architecture",
        "model.pretrained",
        "training.recipe",
        "training.epochs",
        "training.learning_rate",
        "training.early_stopping.enabled",
        "training.early_stopping.patience",
        "training.early_stopping.monitor",
        "training.export_onnx",
        "evaluation.target_class",
        "evaluation.target_sensitivity",
        "evaluation.patient_id",
        "crossval.folds",
        "system.seed",
        "system.download_weights",
        "storage.backup_after_run",
    }
)


@cache
def config_schema() -> dict[str, Any]:
    """Return the schema of the configuration; what a setting is stands in the catalogue alone, by its path.

    Those in BASIC are marked so.
    """
    schema = Config.model_json_schema()
    _describe(Config, schema, schema["$defs"], "")
    return schema


def setting_help(path: str, language: str = ENGLISH) -> str:
    """Return what a setting is, and on a line of its own what each of its values is."""
    options = (f"{value}: {text}" for value, text in texts_below(f"option.{path}", language).items())
    return "\n".join([str(find_template(f"setting.{path}.help", language)), *options])


def _describe(group: type[Settings], schema: dict[str, Any], definitions: Mapping[str, Any], place: str) -> None:
    for name, field in group.model_fields.items():
        path = f"{place}{name}"
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Settings):
            _describe(kind, definitions[kind.__name__], definitions, f"{path}.")
        else:
            label = str(Text(f"setting.{path}.label"))
            schema["properties"][name] |= {"title": label, "description": setting_help(path)}
            if path in BASIC:
                schema["properties"][name]["basic"] = True


@dataclass(frozen=True)
class SettingRow:
    """A setting: its path, default, bounds in signs that need no language, and what it does."""

    path: str
    default: Any
    bounds: str
    help: str


def setting_rows(language: str) -> Iterator[SettingRow]:
    """Yield every setting, in the order of the configuration."""
    schema = Config.model_json_schema()
    yield from _rows(Config, schema, schema["$defs"], "", language)


def _rows(
    group: type[Settings], schema: dict[str, Any], definitions: Mapping[str, Any], place: str, language: str
) -> Iterator[SettingRow]:
    for name, field in group.model_fields.items():
        path, kind = f"{place}{name}", field.annotation
        if isinstance(kind, type) and issubclass(kind, Settings):
            yield from _rows(kind, definitions[kind.__name__], definitions, f"{path}.", language)
        else:
            default = to_jsonable_python(field.get_default(call_default_factory=True))
            bounds = bounds_signs(schema["properties"][field.alias or name])
            yield SettingRow(path, default, bounds, setting_help(path, language))
