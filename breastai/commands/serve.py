"""`serve`: the WebSocket server and the page."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from breastai.commands.language import error_text, say
from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output

if TYPE_CHECKING:
    from breastai.server.app import RunningServer


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    host: Annotated[str | None, typer.Option("--host", metavar="HOST", help="Address [default: localhost].")] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port [default: 8765].")
    ] = None,
    rest_port: Annotated[
        int | None,
        typer.Option("--rest-port", metavar="PORT", min=0, max=65535, help="Port for REST too (needs breastai[rest])."),
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
    from breastai.commands.effective_config import workspace_config
    from breastai.domain.errors import InputError
    from breastai.domain.events import Log
    from breastai.domain.server_settings import ServerSettings
    from breastai.server.app import Options, run_until_signal
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    with open_output(as_json) as output:
        try:
            settings = workspace_config(place).server
        except InputError as error:  # the page is where it can be corrected
            output.event(Log(level="warning", message=say("cli.serving.defaults", error=error_text(error))))
            settings = ServerSettings()

        def announce(server: "RunningServer") -> None:
            values = {"type": "serving", "url": server.page_url, "port": server.port}
            if server.rest_url is not None:
                values |= {"rest_url": server.rest_url, "rest_port": server.rest_port}
            # A token belongs on the owner's screen, and not into a file that a service manager keeps of its programs.
            url = server.entry_url if sys.stdout.isatty() else server.page_url
            lines = [say("cli.serving", url=url)]
            if server.rest_url is not None:
                lines.append(say("cli.serving.rest", url=server.rest_url))
            output.result(values, "\n".join(lines))

        options = Options.of(place, settings, host, port, data_root or (), rest_port)
        asyncio.run(run_until_signal(options, announce))
    return 0
