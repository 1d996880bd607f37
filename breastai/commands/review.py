"""`review`: a page for asking an exported model and reviewing its answers."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from breastai.commands.language import say
from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output

if TYPE_CHECKING:
    from breastai.storage.workspace import Workspace


def register(app: typer.Typer) -> None:
    app.command()(review)


def review(
    model: Annotated[str, typer.Argument(metavar="MODEL.onnx", help="An exported model.")],
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address; others need the token.")] = "localhost",
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 8767,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Serve a page for asking a model about images and judging its answers (needs breastai[gradio]; no torch)."""
    from breastai.commands.effective_config import workspace_config
    from breastai.commands.run_job import require_packages
    from breastai.commands.stop_signals import stop_on_signals
    from breastai.server.entry_points import load_entry_point
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    path = _model_file(place, model)
    require_packages(("gradio",), "gradio")
    settings = workspace_config(place).server
    with open_output(as_json) as output, stop_on_signals() as stop_requested:

        def announce(page: Any) -> None:
            url = page.entry_url if sys.stdout.isatty() else page.url
            output.result(
                {"type": "serving", "url": page.url, "port": page.port},
                say("cli.review", url=url),
            )

        load_entry_point("gradio")(path, place, settings, host, port, announce, stop_requested)
    return 0


def _model_file(workspace: "Workspace", model: str) -> Path:
    path = Path(model).expanduser()
    return path if path.exists() else workspace.resolve(model)
