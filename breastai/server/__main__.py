"""python -m breastai.server: reads the command line, serves, and says in one line where."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from breastai.domain.errors import BreastAIError
from breastai.domain.server_settings import ServerSettings
from breastai.domain.text import Text
from breastai.server.app import Options, RunningServer, run_until_signal
from breastai.server.services import workspace_config
from breastai.storage.private_files import keep_files_private
from breastai.storage.workspace import Workspace
from breastai.texts.catalogue import system_language
from breastai.texts.renderer import render


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit status."""
    keep_files_private()
    arguments = _parser().parse_args(argv)
    try:
        workspace = Workspace.open(arguments.workspace)
        settings = _server_settings(workspace)
        options = Options.of(
            workspace, settings, arguments.host, arguments.port, arguments.data_root, arguments.rest_port
        )
        asyncio.run(run_until_signal(options, _announce))
    except BreastAIError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    return 0


def _server_settings(workspace: Workspace) -> ServerSettings:
    """Return the server's settings. A bad config.json is told of, and does not keep the server from starting."""
    try:
        return workspace_config(workspace).server
    except BreastAIError as error:
        print(_say("cli.serving.defaults", error=str(error)), file=sys.stderr)
        return ServerSettings()


def _announce(server: RunningServer) -> None:
    # A token belongs on the owner's screen, and not into a file that a service manager keeps of its programs.
    url = server.entry_url if sys.stdout.isatty() else server.page_url
    print(_say("cli.serving", url=url), flush=True)
    if server.rest_url is not None:
        print(_say("cli.serving.rest", url=server.rest_url), flush=True)


def _say(key: str, **values: str) -> str:
    """Return a text in the language of the system."""
    return render(Text(key, values), system_language(os.environ))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m breastai.server", description="The BreastAI server and its page.")
    parser.add_argument("--host", help="address to listen on; localhost (the default) is this machine alone")
    parser.add_argument("--port", type=_port, help="port, 8765 by default; 0 lets the system choose")
    parser.add_argument("--rest-port", type=_port, help="port for REST too, which needs breastai[rest]; 0 as above")
    parser.add_argument("--workspace", default=".", metavar="DIR", help="the project's folder; by default this one")
    parser.add_argument(
        "--data-root",
        action="append",
        default=[],
        metavar="DIR",
        help="folder outside the workspace from which images may be read; may be given several times",
    )
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 65535, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
