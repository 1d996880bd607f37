"""`doctor`: what of this computer and workspace stands in the way, and what to do about it."""

from typing import TYPE_CHECKING, Annotated

import typer

from breastai.commands.language import say
from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output
from breastai.domain.text import Text

if TYPE_CHECKING:
    from breastai.environment_check import Finding

# The checks whose names are no part of a key as they stand.
_CHECKS = {
    "config.json": "configuration",
    "OpenCV": "opencv",
    "training packages": "training_packages",
    "packaged weights": "packaged_weights",
}


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DIR", help="Say too whether a training could begin on these images."),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Check this computer and the workspace. Exit status 1 when a check finds an error. Uses no network."""
    from breastai.commands.data_check import examine_data
    from breastai.environment_check import examine

    with open_output(as_json) as output:
        output.wait_for(Text("progress.examining"))
        findings = [*examine(workspace), *([] if data is None else examine_data(workspace, data))]
        marks = {status: say(f"cli.doctor.{status}") for status in ("ok", "warning", "error")}
        width = max(map(len, marks.values()))
        lines = [f"{marks[each.status]:<{width}}  {_line(each, each.finding)}" for each in findings]
        advice = [f"  {_line(each, each.advice)}" for each in findings if each.advice is not None]
        text = "\n".join([*lines, *(["", say("cli.doctor.todo"), *advice] if advice else [])])
        output.result({"type": "doctor", "checks": [_values(each) for each in findings]}, text)
    return int(any(each.status == "error" for each in findings))


def _line(found: "Finding", text: Text) -> str:
    check = say(f"doctor.check.{_CHECKS.get(found.check, found.check)}")
    return say("cli.doctor.line", check=check, text=text)


def _values(found: "Finding") -> dict[str, str]:
    """Return what a check found for programs: words in English."""
    words = {"finding": str(found.finding), "advice": "" if found.advice is None else str(found.advice)}
    return {"check": found.check, "status": found.status, **words}
