"""`doctor`: what of this computer and workspace stands in the way, and what to do about it."""

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output

_MARKS = {"ok": "ok     ", "warning": "WARNING", "error": "ERROR  "}


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(workspace: WorkspaceOption = CURRENT_FOLDER, as_json: JsonOption = False) -> int:
    """Check this computer and the workspace. Exit status 1 when a check finds an error. Uses no network."""
    from breastai.environment_check import examine

    with open_output(as_json) as output:
        findings = examine(workspace)
        lines = [f"{_MARKS[each.status]}  {each.check}: {each.finding}" for each in findings]
        advice = [f"  {each.check}: {each.advice}" for each in findings if each.advice]
        text = "\n".join([*lines, *(["", "What to do:", *advice] if advice else [])])
        output.result({"type": "doctor", "checks": [each.model_dump() for each in findings]}, text)
    return int(any(each.status == "error" for each in findings))
