"""`serve`: the WebSocket server and the page."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import opened

if TYPE_CHECKING:
    from breastai.server.app import RunningServer


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    host: Annotated[str | None, typer.Option("--host", metavar="HOST", help="Address [default: localhost].")] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port [default: 8765].")
    ] = None,
    data_root: Annotated[
        list[str] | None,
        typer.Option(
            "--data-root", metavar="DIR", help="Folder outside the workspace to read images from; repeatable."
        ),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Serve the page and the WebSocket protocol, as python -m breastai.server does."""
    from breastai.commands.configuration import workspace_config
    from breastai.domain.config import ServerSettings
    from breastai.domain.errors import InputError
    from breastai.domain.events import Log
    from breastai.server.app import Options, run_until_signal
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    with opened(as_json) as output:
        try:
            settings = workspace_config(place).server
        except InputError as error:  # the page is where it can be corrected
            output.event(Log(level="warning", message=f"{error} Until then the server uses its defaults."))
            settings = ServerSettings()

        def announce(server: "RunningServer") -> None:
            values = {"type": "serving", "url": server.page_url, "port": server.port}
            output.result(values, f"BreastAI is at {server.page_url} (Ctrl+C stops it)")

        options = Options(
            workspace=place,
            host=settings.host if host is None else host,
            port=settings.port if port is None else port,
            data_roots=[*settings.data_roots, *(data_root or ())],
        )
        asyncio.run(run_until_signal(options, announce))
    return 0
