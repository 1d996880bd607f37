"""`serve`: the WebSocket server and the page."""

from typing import Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    host: Annotated[str | None, typer.Option("--host", metavar="HOST", help="Address [default: localhost].")] = None,
    port: Annotated[int | None, typer.Option("--port", metavar="PORT", help="Port [default: 8765].")] = None,
    data_root: Annotated[
        list[str] | None,
        typer.Option(
            "--data-root", metavar="DIR", help="Folder outside the workspace to read images from; repeatable."
        ),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Serve the page and the WebSocket protocol. The same as python -m breastai.server."""
    from breastai.server.__main__ import main

    arguments = ["--workspace", str(workspace)]
    if host is not None:
        arguments += ["--host", host]
    if port is not None:
        arguments += ["--port", str(port)]
    for folder in data_root or ():
        arguments += ["--data-root", folder]
    return main(arguments) or 0
