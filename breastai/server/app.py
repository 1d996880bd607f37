"""The composition root: workspace, sockets, services and page put together; signals; orderly shutdown."""

import asyncio
import gc
import http
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from breastai.domain.config import Config
from breastai.domain.errors import BreastAIError
from breastai.domain.server_settings import ServerSettings
from breastai.domain.settings_schema import config_schema
from breastai.server.access.admission import Admission
from breastai.server.access.allowed_paths import DataRoots
from breastai.server.access.connection_rules import (
    MOST_CONNECTIONS,
    MOST_MESSAGE_BYTES,
    WILDCARDS,
    Access,
    allowed_hosts,
    is_public,
    is_public_at_a_door,
    origin_of,
    wants_websocket,
)
from breastai.server.access.rate_limit import RateLimit
from breastai.server.access.security import Security, make_security
from breastai.server.background_tasks import back_up_on_schedule, go_on_with_interrupted, keep_worker_warm
from breastai.server.connections import static_files
from breastai.server.connections.open_connections import OpenConnections
from breastai.server.connections.sockets import BACKLOG, Listening, listen
from breastai.server.connections.throttled_connection import throttled_connection
from breastai.server.entry_points import Door, EntryPoint, load_entry_point
from breastai.server.jobs.supervisor import WORKER_COMMAND, Deadlines, Supervisor
from breastai.server.logs.audit_log import AUDIT, tell
from breastai.server.logs.server_log import LOG, kept_out_of_logs, logging_to
from breastai.server.requests.connection import serve_connection
from breastai.server.services import Services, workspace_config
from breastai.storage.lease import ServerLease
from breastai.storage.workspace import Workspace

SHUTDOWN_WITHIN_S = 60.0
_AUDIT_FILES_KEPT = 10
# Of those who knock at once, so many are let in between two looks at the other sockets.
_ACCEPTED_AT_ONCE = 8


@dataclass(frozen=True)
class Options:
    """What the owner chose at start. Of `settings` count those that say who may connect; the others are given apart.

    `worker_command` is changed by tests alone. `warm_worker`: keep a worker ready while a page is open.
    """

    workspace: Workspace
    host: str = "localhost"
    port: int = 8765
    rest_port: int | None = None
    data_roots: Sequence[str] = ()
    settings: ServerSettings = field(default_factory=ServerSettings)
    worker_command: Sequence[str] = WORKER_COMMAND
    deadlines: Deadlines = field(default_factory=Deadlines)
    frontend: Path = field(default_factory=static_files.frontend_dir)
    warm_worker: bool = False

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        settings: ServerSettings,
        host: str | None = None,
        port: int | None = None,
        data_roots: Sequence[str] = (),
        rest_port: int | None = None,
    ) -> "Options":
        """Return the options of a command line over those of a configuration."""
        return cls(
            workspace=workspace,
            host=settings.host if host is None else host,
            port=settings.port if port is None else port,
            rest_port=settings.rest_port if rest_port is None else rest_port,
            data_roots=[*settings.data_roots, *data_roots],
            settings=settings,
            warm_worker=settings.warm_worker,
        )


@dataclass(frozen=True)
class RunningServer:
    """A server that listens."""

    services: Services
    host: str
    port: int
    protection: Security
    doorway: OpenConnections
    rest_port: int | None = None
    public_url: str | None = None

    @property
    def page_url(self) -> str:
        """The page's address: behind a proxy, the one that others type."""
        return self.public_url or self._url(self.port)

    @property
    def rest_url(self) -> str | None:
        """The REST door's address, None where there is none."""
        return None if self.rest_port is None else self._url(self.rest_port)

    def _url(self, port: int) -> str:
        name = "localhost" if self.host in WILDCARDS else self.host
        return f"{self.protection.scheme}://{f'[{name}]' if ':' in name else name}:{port}/"

    @property
    def entry_url(self) -> str:
        """The page's address with what lets it in: for the owner's eyes alone. A fragment is sent to no server."""
        return self.page_url + (f"#token={self.protection.token}" if self.protection.token_required else "")


def _configuration(workspace: Workspace) -> Config:
    """Return the workspace's configuration as it is at the start; the defaults where it has a fault."""
    try:
        return workspace_config(workspace)
    except BreastAIError:
        return Config()


@asynccontextmanager
async def running_server(options: Options) -> AsyncIterator[RunningServer]:
    """Listen while the block runs; then have the job save, close the connections and the log."""
    listening = listen(options.host, options.port)
    async with AsyncExitStack() as stack:
        stack.callback(_close_sockets, listening)
        stack.enter_context(ServerLease(options.workspace).take())
        stack.enter_context(logging_to(options.workspace.logs_dir / "server.log"))
        stack.enter_context(
            logging_to(
                options.workspace.logs_dir / "audit.log", {AUDIT: logging.INFO}, "%(message)s", _AUDIT_FILES_KEPT
            )
        )
        protection = make_security(options.workspace, options.host, options.settings, options.frontend)
        stack.enter_context(kept_out_of_logs(protection.token))
        services = Services.build(
            options.workspace,
            DataRoots.of(options.workspace, list(options.data_roots), options.settings.clusters).with_configured(
                _configuration(options.workspace)
            ),
            Supervisor(options.worker_command, options.deadlines),
            protection.token_required,
            options.settings,
        )
        stack.callback(services.hub.close)
        await asyncio.to_thread(services.handed.clear_abandoned)
        await asyncio.to_thread(services.dataset_uploads.clear_abandoned)
        stack.push_async_callback(asyncio.to_thread, services.handed.close)
        access = Access(
            allowed_hosts(options.host, options.settings.public_url),
            listening.port,
            protection.token,
            protection.token_required,
            protection.scheme,
            public_origin=options.settings.public_url and origin_of(options.settings.public_url),
        )
        await asyncio.to_thread(static_files.write_texts, options.frontend)
        await asyncio.to_thread(config_schema)  # made once, before a crowd asks for it
        refusals, doorway = RateLimit(), OpenConnections()
        front_door = FrontDoor(
            Admission(access, refusals), services, static_files.static_table(options.frontend), doorway
        )
        for listener in listening.sockets:
            server = await serve(
                partial(serve_connection, services),
                sock=listener,
                ssl=protection.tls,
                create_connection=throttled_connection(services.turns, doorway.enter, doorway.leave),
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
        rest_port = await _open_rest(stack, options, services, access, refusals, protection)
        stack.push_async_callback(services.runner.close, SHUTDOWN_WITHIN_S)
        stack.push_async_callback(services.supervisor.warm.end)
        stack.push_async_callback(services.light.close)
        stack.push_async_callback(services.archivist.close)
        LOG.info("listening on %s, port %d, workspace %s", options.host, listening.port, options.workspace.root)
        if services.data_roots.beyond:
            LOG.info(
                "runs may reach beyond this machine, as config.json says: %s", ", ".join(services.data_roots.beyond)
            )
        await services.queue.restore()
        upkeep = [go_on_with_interrupted(services), back_up_on_schedule(services)]
        if options.warm_worker:
            upkeep.append(keep_worker_warm(services))
        for each in upkeep:
            stack.push_async_callback(_end_task, asyncio.create_task(each, name="upkeep"))
        stack.callback(services.turns.close)
        yield RunningServer(
            services, options.host, listening.port, protection, doorway, rest_port, options.settings.public_url
        )
        LOG.info("stopping")


async def _open_rest(
    stack: AsyncExitStack,
    options: Options,
    services: Services,
    access: Access,
    refusals: RateLimit,
    protection: Security,
) -> int | None:
    """Open the REST door where one is asked for, until the stack closes; return its port. Raise MissingExtra."""
    if options.rest_port is None:
        return None
    open_door: Door = load_entry_point("rest")
    listening = listen(options.host, options.rest_port)
    stack.callback(_close_sockets, listening)
    rule = replace(access, port=listening.port, public=is_public_at_a_door)
    await stack.enter_async_context(
        open_door(EntryPoint(services, listening, rule, Admission(rule, refusals), protection.tls))
    )
    LOG.info("REST on port %d", listening.port)
    return listening.port


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
        self,
        gate: Admission,
        services: Services,
        table: Mapping[str, static_files.StaticFile],
        doorway: OpenConnections,
    ) -> None:
        self._gate, self._services, self._table, self._doorway = gate, services, table, doorway

    async def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the answer to a request, None for a WebSocket that may open."""
        self._doorway.note_request(connection)
        peer = str(connection.remote_address[0]) if connection.remote_address else ""
        refusal = self._gate.refusal(peer, request.headers, request.path)
        if refusal is not None:
            wait = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
            return static_files.text_response(refusal.status, refusal.text, **wait)
        if not wants_websocket(request.headers):
            if not is_public(request.headers, request.path):
                tell("read", peer, asked=request.path.partition("?")[0])
            return await static_files.answer(self._table, request, self._services.workspace)
        if len(self._services.hub) >= MOST_CONNECTIONS:
            self._gate.note(peer, f"{len(self._services.hub)} connections are open")
            return static_files.text_response(http.HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.\n")
        if request.path.partition("?")[0] != "/":
            return static_files.text_response(http.HTTPStatus.NOT_FOUND, "The WebSocket is at /.\n")
        return None


async def _end_task(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


async def _close_server(server: Server) -> None:
    server.close()
    await server.wait_closed()


def _close_sockets(listening: Listening) -> None:
    for listener in listening.sockets:
        listener.close()
