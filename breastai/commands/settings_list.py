"""`settings`: every setting with its default, its bounds and what it does."""

import json
import textwrap
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output

if TYPE_CHECKING:
    from breastai.domain.settings_schema import SettingRow

_WIDEST = 120


def register(app: typer.Typer) -> None:
    app.command()(settings)


def settings(
    word: Annotated[
        str | None,
        typer.Argument(metavar="[WORD]", help="Only settings with this word in their name or text; epochs, training."),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """List every setting with its default, its bounds and what it does. Give one with --set NAME=VALUE."""
    from breastai.commands.effective_config import file_values
    from breastai.commands.language import current_language
    from breastai.domain.config import parse_config
    from breastai.domain.errors import SettingUnknown
    from breastai.domain.near_names import nearest_path
    from breastai.domain.settings_schema import setting_rows
    from breastai.storage.workspace import Workspace

    rows = list(setting_rows(current_language()))
    found = [row for row in rows if word is None or _matches(row, word.lower())]
    if not found:
        raise SettingUnknown(str(word), nearest_path(str(word), [row.path for row in rows]))
    own = parse_config(file_values(Workspace(workspace.expanduser().resolve()))).model_dump(mode="json")
    with open_output(as_json) as output:
        for row in found:
            value = _value_at(own, row.path)
            changed = value if value != row.default else None
            values = {"type": "setting", "name": row.path, "default": row.default, "bounds": row.bounds}
            output.result({**values, "value": value, "help": row.help}, _lines(row, changed))
    return 0


def _matches(row: "SettingRow", word: str) -> bool:
    return word in row.path.lower() or word in row.help.lower()


def _value_at(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = values[part]
    return values


def _lines(row: "SettingRow", changed: Any) -> str:
    width = min(get_terminal_size((_WIDEST, 0)).columns, _WIDEST)
    head = f"{row.path} = {json.dumps(row.default, ensure_ascii=False)}   {row.bounds}"
    if changed is not None:
        head += f"   config.json: {json.dumps(changed, ensure_ascii=False)}"
    told = [
        textwrap.fill(line, width, initial_indent="    ", subsequent_indent="    ") for line in row.help.split("\n")
    ]
    return "\n".join([head, *told])
