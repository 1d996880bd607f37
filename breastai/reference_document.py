"""The reference: commands, settings, views and messages, made from the code.

`python -m breastai.reference_document > docs/reference.md` writes it. Views are read from the page, so it is made in a
checkout, not from a wheel.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from typer.main import get_command

from breastai.cli import app
from breastai.domain.case_fields import RULES, Role
from breastai.domain.config import Config
from breastai.domain.dataset_description import ArrayPart, DatasetDescription, Join, LabelsTable, RowFilter, Subgroup
from breastai.domain.requests import REQUESTS
from breastai.domain.schema_text import default_text, escape_cell, type_text
from breastai.domain.settings_schema import setting_help
from breastai.texts.catalogue import ENGLISH, find_template

_PAGE = Path(__file__).resolve().parent.parent / "frontend" / "index.html"
_INTRODUCTION = """\
# Reference

This file is made from the code; do not edit it. To make it again:
`python -m breastai.reference_document > docs/reference.md`. [The guide](guide.md) explains the terms and the order of
the steps, [the protocol](protocol.md) every message, [REST](rest.md) the same over HTTP.
"""
_COMMANDS = """\
## Commands

`breastai COMMAND --help` shows the same in a terminal. Exit status: 0 done, 1 failed, 2 bad input, 130 stopped.
`breastai --lang LANGUAGE COMMAND` prints in another language than that of `LC_ALL`, `LC_MESSAGES` or `LANG`.
"""
_SETTINGS = """\
## Settings

A setting is given in `config.json`, on the page, or on the command line as `--set section.name=value`. The later in
that list wins; a preset stands between the defaults and `config.json`.
"""
_VIEWS = """\
## Views of the page

Each view has its own address: `index.html#name`.
"""
_DATASETS = """\
## Descriptions of data sets

`datasets/NAME.json` in the workspace says how a data set is read; `--data NAME` uses it. Unknown keys are refused where a
person writes one. A field is found by a rule, told by its key: `{{"column": "Pathology"}}` (or the column's name alone),
`{{"folder": -1}}`, `{{"path": "^(P[0-9]+)_"}}`, `{{"header": "laterality"}}`, `{{"constant": "site A"}}`, `{{"columns": ["x", "y",
"w", "h"]}}` for a box. Roles of fields: {roles}. [An example](extend.md).
"""
_MESSAGES = """\
## Requests

Scripts send these over the WebSocket, one JSON object each. [The protocol](protocol.md) gives fields and answers.
"""

# Of the views that carry no text about themselves.
_PURPOSES = {
    "training": "Choose images and a preset, start a run or a cross-validation, and watch it.",
    "runs": "Past and running runs and studies: find, compare, tag, delete.",
    "checkpoints": "Saved epochs: verify, resume, export, delete.",
    "evaluation": "Judge a checkpoint on labelled images; figures with intervals, and the report.",
    "log": "What the server and its jobs have said.",
    "system": "Processor, memory, disk and versions; backups.",
}


def reference_document() -> str:
    """Return docs/reference.md."""
    parts = [_INTRODUCTION, _COMMANDS, *_command_sections(), _SETTINGS, *_settings_sections(), _VIEWS, _views_table()]
    return "\n".join([*parts, *_dataset_sections(), _MESSAGES, _requests_table()])


# --- descriptions of data sets -----------------------------------------------------------------


def _dataset_sections() -> Iterator[str]:
    roles = ", ".join(f"`{role}`" for role in get_args(Role))
    yield _DATASETS.format(roles=roles)
    models: tuple[type[BaseModel], ...] = (DatasetDescription, LabelsTable, Join, RowFilter, Subgroup, ArrayPart)
    for model in (*models, *RULES.values()):
        schema = model.model_json_schema()
        rows = [
            f"| `{name}` | {escape_cell(type_text(schema['properties'][name]))} | {default_text(info)} | "
            f"{escape_cell(info.description or '')} |"
            for name, info in model.model_fields.items()
        ]
        first = (model.__doc__ or "").strip().partition("\n")[0]
        yield "\n".join(
            [f"### {model.__name__}\n\n{first}\n", "| key | type | default | meaning |", "|---|---|---|---|", *rows, ""]
        )


# --- commands ----------------------------------------------------------------------------------


def _command_sections() -> Iterator[str]:
    group: Any = get_command(app)  # Typer carries its own copy of click, whose types it does not publish
    for name, command in group.commands.items():
        if not command.hidden:
            yield _command_section(name, command)


def _command_section(name: str, command: Any) -> str:
    context = command.make_context(f"breastai {name}", [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    head = f"### breastai {name}\n\n{_one_line(command.help)}\n\n`breastai {name} {usage}`\n"
    rows = [_parameter_row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
    return "\n".join([head, "| option | default | meaning |", "|---|---|---|", *rows, ""]) if rows else head


def _parameter_row(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name.upper()}`"
    default = "required" if parameter.required else _default_of(parameter)
    return f"| {names} | {default} | {escape_cell(_one_line(getattr(parameter, 'help', None)))} |"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _default_of(parameter: Any) -> str:
    value = parameter.default
    if value is None or callable(value) or value in ([], (), ""):
        return ""
    return f"`{value}`"


# --- settings ----------------------------------------------------------------------------------


def _settings_sections() -> Iterator[str]:
    for section, info in Config.model_fields.items():
        model: Any = info.annotation
        head = f"### {section}\n\n{_one_line(model.__doc__)}\n"
        rows = _setting_rows(section, model)
        yield "\n".join([head, "| setting | type | default | meaning |", "|---|---|---|---|", *rows, ""])


def _setting_rows(place: str, model: type[BaseModel]) -> Iterator[str]:
    properties = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _setting_rows(f"{place}.{name}", kind)
        else:
            told = setting_help(f"{place}.{name}").replace("\n", " · ")
            cells = (type_text(properties[field.alias or name]), default_text(field), told)
            yield f"| `{place}.{name}` | {' | '.join(escape_cell(cell) for cell in cells)} |"


# --- views and requests -------------------------------------------------------------------------


def _views_table() -> str:
    page = _PAGE.read_text(encoding="utf-8")
    names = re.findall(r'<a href="#([\w-]+)" data-view=', page)
    rows = [
        f"| `#{name}` | {_template(f'nav.{name}')} | {escape_cell(_PURPOSES.get(name) or _template(f'{name}.help'))} |"
        for name in names
    ]
    return "\n".join(["| address | view | what it is for |", "|---|---|---|", *rows, ""])


def _template(key: str) -> str:
    found = find_template(key, ENGLISH)
    return found if isinstance(found, str) else ""


def _requests_table() -> str:
    rows = [
        f"| [`{kind}`](protocol.md#{kind}) | {escape_cell(_one_line(model.__doc__))} |"
        for kind, model in REQUESTS.items()
    ]
    return "\n".join(["| request | what it does |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    print(reference_document(), end="")
