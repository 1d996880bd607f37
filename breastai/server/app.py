"""The composition root: workspace, sockets, services and page put together; signals; orderly shutdown."""

import asyncio
import gc
import http
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from breastai.domain.server_settings import ServerSettings
from breastai.server import static
from breastai.server.access import (
    MOST_CONNECTIONS,
    MOST_MESSAGE_BYTES,
    WILDCARDS,
    Access,
    allowed_hosts,
    is_public,
    wants_websocket,
)
from breastai.server.audit_log import AUDIT, tell
from breastai.server.connection import serve_connection
from breastai.server.data_roots import DataRoots
from breastai.server.doorway import Doorway
from breastai.server.intake import metered
from breastai.server.protection import Protection, protect
from breastai.server.refusals import MOST_IN_A_WINDOW, WINDOW_S, Refusals
from breastai.server.server_log import LOG, kept_out_of_logs, logging_to
from breastai.server.services import Services
from breastai.server.sockets import BACKLOG, Listening, listen
from breastai.server.supervisor import WORKER_COMMAND, Deadlines, Supervisor
from breastai.server.upkeep import back_up_on_schedule, go_on_with_interrupted
from breastai.storage.workspace import Workspace

SHUTDOWN_WITHIN_S = 60.0
_AUDIT_FILES_KEPT = 10
# Of those who knock at once, so many are let in between two looks at the other sockets.
_ACCEPTED_AT_ONCE = 8


@dataclass(frozen=True)
class Options:
    """What the owner chose at start. Of `settings` count those that say who may connect; the others are given apart.

    `worker_command` is changed by tests alone.
    """

    workspace: Workspace
    host: str = "localhost"
    port: int = 8765
    data_roots: Sequence[str] = ()
    settings: ServerSettings = field(default_factory=ServerSettings)
    worker_command: Sequence[str] = WORKER_COMMAND
    deadlines: Deadlines = field(default_factory=Deadlines)
    frontend: Path = field(default_factory=static.frontend_dir)

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        settings: ServerSettings,
        host: str | None = None,
        port: int | None = None,
        data_roots: Sequence[str] = (),
    ) -> "Options":
        """Return the options of a command line over those of a configuration."""
        return cls(
            workspace=workspace,
            host=settings.host if host is None else host,
            port=settings.port if port is None else port,
            data_roots=[*settings.data_roots, *data_roots],
            settings=settings,
        )


@dataclass(frozen=True)
class RunningServer:
    """A server that listens."""

    services: Services
    host: str
    port: int
    protection: Protection
    doorway: Doorway

    @property
    def page_url(self) -> str:
        name = "localhost" if self.host in WILDCARDS else self.host
        return f"{self.protection.scheme}://{f'[{name}]' if ':' in name else name}:{self.port}/"

    @property
    def entry_url(self) -> str:
        """The page's address with what lets it in: for the owner's eyes alone. A fragment is sent to no server."""
        return self.page_url + (f"#token={self.protection.token}" if self.protection.token_required else "")


@asynccontextmanager
async def running_server(options: Options) -> AsyncIterator[RunningServer]:
    """Listen while the block runs; then have the job save, close the connections and the log."""
    listening = listen(options.host, options.port)
    async with AsyncExitStack() as stack:
        stack.callback(_close_sockets, listening)
        stack.enter_context(logging_to(options.workspace.logs_dir / "server.log"))
        stack.enter_context(
            logging_to(
                options.workspace.logs_dir / "audit.log", {AUDIT: logging.INFO}, "%(message)s", _AUDIT_FILES_KEPT
            )
        )
        protection = protect(options.workspace, options.host, options.settings, options.frontend)
        stack.enter_context(kept_out_of_logs(protection.token))
        services = Services.build(
            options.workspace,
            DataRoots.of(options.workspace, list(options.data_roots)),
            Supervisor(options.worker_command, options.deadlines),
            protection.token_required,
        )
        stack.callback(services.hub.close)
        await asyncio.to_thread(services.handed.clear_abandoned)
        stack.callback(services.handed.close)
        access = Access(
            allowed_hosts(options.host),
            listening.port,
            protection.token,
            protection.token_required,
            protection.scheme,
        )
        doorway = Doorway()
        front_door = FrontDoor(access, services, static.static_table(options.frontend), doorway)
        for listener in listening.sockets:
            server = await serve(
                partial(serve_connection, services),
                sock=listener,
                ssl=protection.tls,
                create_connection=metered(services.turns, doorway.enter, doorway.leave),
                process_request=front_door.answer,
                max_size=MOST_MESSAGE_BYTES,
                compression=None,  # on one machine it costs time and saves nothing
                backlog=_ACCEPTED_AT_ONCE,
                server_header="BreastAI",
                open_timeout=10,
                close_timeout=5,
            )
            listener.listen(BACKLOG)  # asyncio took the number above for the system's queue too
            stack.push_async_callback(_close_server, server)
        stack.push_async_callback(services.runner.close, SHUTDOWN_WITHIN_S)
        stack.push_async_callback(services.light.close)
        LOG.info("listening on %s, port %d, workspace %s", options.host, listening.port, options.workspace.root)
        await services.queue.restore()
        for upkeep in (go_on_with_interrupted(services), back_up_on_schedule(services)):
            stack.push_async_callback(_end_task, asyncio.create_task(upkeep, name="upkeep"))
        yield RunningServer(services, options.host, listening.port, protection, doorway)
        LOG.info("stopping")


async def run_until_signal(options: Options, announce: Callable[[RunningServer], None]) -> None:
    """Serve until SIGINT or SIGTERM; a second one kills the running job instead of waiting for it."""
    # Threads that read files would otherwise keep the loop waiting 5 ms each.
    sys.setswitchinterval(0.0005)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    async with running_server(options) as server:
        # What is there for good need not be looked through for what nobody holds any more: some 50 ms each time.
        gc.collect()
        gc.freeze()

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


class FrontDoor:
    """What every request meets first: refused, answered as plain HTTP, or let through to be a WebSocket."""

    def __init__(
        self, access: Access, services: Services, table: Mapping[str, static.StaticFile], doorway: Doorway
    ) -> None:
        self._access, self._services, self._table, self._doorway = access, services, table, doorway
        self._refusals = Refusals()

    async def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the answer to a request, None for a WebSocket that may open."""
        self._doorway.asked(connection)
        peer = str(connection.remote_address[0]) if connection.remote_address else ""
        if self._refusals.locks_out(peer):
            wait = {"Retry-After": str(int(WINDOW_S))}
            return static.text_response(http.HTTPStatus.TOO_MANY_REQUESTS, "Refused too often. Wait.\n", **wait)
        reason = self._access.refusal(request.headers, request.path)
        if reason is not None:
            self._note(peer, reason)
            return static.text_response(http.HTTPStatus.FORBIDDEN, f"Refused: {reason}.\n")
        if not wants_websocket(request.headers):
            if not is_public(request.headers, request.path):
                tell("read", peer, asked=request.path.partition("?")[0])
            return await static.answer(self._table, request, self._services.workspace)
        if len(self._services.hub) >= MOST_CONNECTIONS:
            self._note(peer, f"{len(self._services.hub)} connections are open")
            return static.text_response(http.HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.\n")
        if request.path.partition("?")[0] != "/":
            return static.text_response(http.HTTPStatus.NOT_FOUND, "The WebSocket is at /.\n")
        return None

    def _note(self, peer: str, reason: str) -> None:
        """Tell the logs of a refusal, unless `peer` has filled its share of them."""
        count = self._refusals.note(peer)
        if count > MOST_IN_A_WINDOW:
            return
        last = count == MOST_IN_A_WINDOW
        more = f"; further ones within {WINDOW_S:g} s are not written" if last else ""
        LOG.warning("refused %s: %s%s", peer, reason, more)
        tell("refused", peer, reason=f"{reason}{more}")


async def _end_task(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


async def _close_server(server: Server) -> None:
    server.close()
    await server.wait_closed()


def _close_sockets(listening: Listening) -> None:
    for listener in listening.sockets:
        listener.close()
