"""`verify`: whether an exported model still answers as it did when it was exported. Needs no torch."""

from pathlib import Path
from typing import Annotated

import typer

from breastai.commands.format_text import number
from breastai.commands.language import say
from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output


def register(app: typer.Typer) -> None:
    app.command()(verify)


def verify(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An exported .onnx file.")],
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Ask an exported model for the reference answers it carries; a copy that answers otherwise is refused."""
    from breastai.predictor.onnx_model import OnnxModel
    from breastai.storage.workspace import Workspace

    path = Path(model).expanduser()
    opened_model = OnnxModel.open(path if path.exists() else Workspace.open(workspace).resolve(model))
    found = opened_model.verify()
    told = opened_model.metadata
    values = {
        "type": "verified",
        "model": model,
        "format": told.format,
        "architecture": told.architecture,
        "members": [member.checkpoint for member in told.members],
        "checkpoint": told.checkpoint,
        "checkpoint_sha256": told.checkpoint_sha256,
        "references": found.count,
        "max_difference": found.difference,
        "allowed_difference": found.allowed,
        "same_images": found.same_images,
    }
    kind = told.architecture
    if told.members:
        kind = say("cli.verify.ensemble", count=len(told.members), architecture=told.architecture)
    lines = [
        say(
            "cli.verify",
            model=model,
            format=told.format,
            kind=kind,
            checkpoint=told.checkpoint,
            count=found.count,
            difference=f"{found.difference:.1e}",
            allowed=f"{found.allowed:g}",
        )
    ]
    point = told.decision.operating_point
    if point is not None:
        lines.append(say("cli.verify.point", name=point.class_name, threshold=number(point.threshold)))
    if told.decision_fitted_on is not None:
        lines.append(say("cli.verify.fitted", images=told.decision_fitted_on))
    with open_output(as_json) as output:
        output.result(values, "\n".join([*lines, say("page.research_use")]))
    return 0
