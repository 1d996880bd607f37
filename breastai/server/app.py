"""The composition root: workspace, sockets, services and page put together; signals; orderly shutdown."""

import asyncio
import http
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from breastai.server import static
from breastai.server.access import MOST_CONNECTIONS, MOST_MESSAGE_BYTES, WILDCARDS, Access, allowed_hosts, is_loopback
from breastai.server.connection import serve_connection
from breastai.server.data_roots import DataRoots
from breastai.server.server_log import LOG, logging_to
from breastai.server.services import Services
from breastai.server.sockets import Listening, listen
from breastai.server.supervisor import WORKER_COMMAND, Deadlines, Supervisor
from breastai.storage.workspace import Workspace

SHUTDOWN_WITHIN_S = 60.0


@dataclass(frozen=True)
class Options:
    """What the owner chose at start. `worker_command` is changed by tests alone."""

    workspace: Workspace
    host: str = "localhost"
    port: int = 8765
    data_roots: Sequence[str] = ()
    worker_command: Sequence[str] = WORKER_COMMAND
    deadlines: Deadlines = field(default_factory=Deadlines)
    frontend: Path = field(default_factory=static.frontend_dir)


@dataclass(frozen=True)
class RunningServer:
    """A server that listens."""

    services: Services
    host: str
    port: int

    @property
    def page_url(self) -> str:
        name = "localhost" if self.host in WILDCARDS else self.host
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}/"


@asynccontextmanager
async def running_server(options: Options) -> AsyncIterator[RunningServer]:
    """Listen while the block runs; then have the job save, close the connections and the log."""
    listening = listen(options.host, options.port)
    async with AsyncExitStack() as stack:
        stack.callback(_close_sockets, listening)
        stack.enter_context(logging_to(options.workspace.logs_dir / "server.log"))
        services = Services.build(
            options.workspace,
            DataRoots.of(options.workspace, list(options.data_roots)),
            Supervisor(options.worker_command, options.deadlines),
        )
        stack.callback(services.hub.close)
        access = Access(allowed_hosts(options.host), listening.port)
        front_door = partial(_answer_http, access, services, static.static_table(options.frontend))
        for listener in listening.sockets:
            server = await serve(
                partial(serve_connection, services),
                sock=listener,
                process_request=front_door,
                max_size=MOST_MESSAGE_BYTES,
                compression=None,  # on one machine it costs time and saves nothing
                server_header="BreastAI",
                open_timeout=10,
                close_timeout=5,
            )
            stack.push_async_callback(_close_server, server)
        stack.push_async_callback(services.runner.close, SHUTDOWN_WITHIN_S)
        if options.host != "localhost" and not is_loopback(options.host):
            LOG.warning("listening on %s: anyone who reaches this address can use the server", options.host)
        LOG.info("listening on %s, port %d, workspace %s", options.host, listening.port, options.workspace.root)
        yield RunningServer(services, options.host, listening.port)
        LOG.info("stopping")


async def run_until_signal(options: Options, announce: Callable[[RunningServer], None]) -> None:
    """Serve until SIGINT or SIGTERM; a second one kills the running job instead of waiting for it."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    async with running_server(options) as server:

        def on_signal(*_: object) -> None:
            if stop.is_set():
                server.services.runner.kill()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, on_signal)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal))
        announce(server)
        await stop.wait()


async def _answer_http(
    access: Access,
    services: Services,
    table: Mapping[str, static.StaticFile],
    connection: ServerConnection,
    request: Request,
) -> Response | None:
    """Refuse a request, answer it as plain HTTP, or return None for a WebSocket that may open."""
    peer = str(connection.remote_address[0]) if connection.remote_address else ""
    reason = access.refusal(request.headers, peer)
    if reason is not None:
        LOG.warning("refused %s: %s", peer, reason)
        return static.text_response(http.HTTPStatus.FORBIDDEN, f"Refused: {reason}.\n")
    if "websocket" not in ",".join(request.headers.get_all("Upgrade")).lower():
        return await static.answer(table, request, services.workspace)
    if len(services.hub) >= MOST_CONNECTIONS:
        LOG.warning("refused %s: %d connections are open", peer, len(services.hub))
        return static.text_response(http.HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.\n")
    if urlsplit(request.path).path != "/":
        return static.text_response(http.HTTPStatus.NOT_FOUND, "The WebSocket is at /.\n")
    return None


async def _close_server(server: Server) -> None:
    server.close()
    await server.wait_closed()


def _close_sockets(listening: Listening) -> None:
    for listener in listening.sockets:
        listener.close()
