"""`verify`: whether an exported model still answers as it did when it was exported. Needs no torch."""

from pathlib import Path
from typing import Annotated

import typer

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
    kind = f"ensemble of {len(told.members)} {told.architecture}" if told.members else told.architecture
    point = told.decision.operating_point
    rule = f"{point.class_name} is called from a probability of {point.threshold:.3f}.\n" if point else ""
    if told.decision_fitted_on is not None:
        rule += f"Its decision rule was fitted on {told.decision_fitted_on}.\n"
    text = (
        f"{model} ({told.format}, {kind}, from {told.checkpoint}) answers as it did at its export: "
        f"{found.count} references, largest difference {found.difference:.1e} (allowed {found.allowed:g}).\n{rule}{told.notice}"
    )
    with open_output(as_json) as output:
        output.result(values, text)
    return 0
