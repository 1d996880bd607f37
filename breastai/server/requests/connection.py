"""One connection's life: the welcome, reading requests, a task for each, and the answers."""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Sequence
from functools import partial

from websockets.exceptions import ConnectionClosed

from breastai import __version__
from breastai.domain import catalog
from breastai.domain.config import Config
from breastai.domain.errors import BreastAIError, InternalError, TooManyRequests
from breastai.domain.event_messages import encode_event, error_event
from breastai.domain.events import ConnectionEstablished, DisconnectAck, Error, Pong
from breastai.domain.metric_catalog import EPOCH_CLASS_METRICS, EPOCH_METRICS, MONITORS
from breastai.domain.request_messages import decode_request, request_id_of
from breastai.domain.requests import MOST_IMAGE_BYTES, MOST_IMAGES_ASKED, Request
from breastai.domain.settings_schema import config_schema
from breastai.domain.site_records import TOLD_OF_SITES
from breastai.domain.text import Text
from breastai.server.access.connection_rules import asks_for_version_3
from breastai.server.connections.broadcast import Client, SocketClient, Version3Client
from breastai.server.connections.throttled_connection import ThrottledConnection
from breastai.server.jobs.job_runner import SERVER_LOG
from breastai.server.logs.audit_log import request_fields, tell
from breastai.server.logs.server_log import LOG
from breastai.server.requests import (  # noqa: F401 - they register their handlers
    comparison_requests,
    data_requests,
    document_requests,
    export_requests,
    folder_requests,
    job_requests,
    prediction_requests,
    question_requests,
    queue_requests,
    run_requests,
    study_requests,
)
from breastai.server.requests.request_registry import HANDLERS, as_of_now
from breastai.server.restore_session import restore
from breastai.server.services import Services, workspace_config
from breastai.storage.interrupted_runs import interrupted_runs
from breastai.storage.system_faults import as_system_fault

MOST_REQUESTS_AT_ONCE = 32
_ANSWER_WITHIN_S = 600.0
# Who had to wait for a turn keeps it until the answer is sent, but no longer.
_TURN_AT_MOST_S = 1.0
_FINISH_WITHIN_S = 60.0


async def serve_connection(services: Services, connection: ThrottledConnection) -> None:
    """Welcome a client and answer its requests until it goes."""
    old = connection.request is not None and asks_for_version_3(connection.request.path)
    client = (Version3Client if old else SocketClient)(connection, connection.allowance)
    services.turns.welcome(client.allowance)
    try:
        await _serve(services, client, connection)
    finally:
        services.turns.goodbye(client.allowance)


async def _serve(services: Services, client: Client, connection: ThrottledConnection) -> None:
    looks = Counter[str]()
    tell("connected", client.peer, origin=connection.request.headers.get("Origin") if connection.request else None)
    tasks: set[asyncio.Task[None]] = set()
    await services.greetings.join(client, partial(_greet, services))
    try:
        async for message in connection:
            if services.turns.is_closing:  # what a flood left to be read holds up no end
                break
            async with services.turns.of(client.allowance) as waited:
                if len(tasks) >= MOST_REQUESTS_AT_ONCE:
                    looks["refused"] += 1
                    _refuse(services, client, message, TooManyRequests(MOST_REQUESTS_AT_ONCE))
                    continue
                try:
                    request = decode_request(message)
                except BreastAIError as error:
                    looks["refused"] += 1
                    _refuse(services, client, message, error)
                    continue
                if request.looks_only:
                    looks[request_fields(request)["asked"]] += 1
                task = asyncio.create_task(answer(services, client, request), name=f"request-{type(request).__name__}")
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                if waited:
                    await asyncio.wait([task], timeout=_TURN_AT_MOST_S)
    except ConnectionClosed:
        pass
    finally:
        services.hub.discard(client)
        tell("left", client.peer, looked=dict(looks) or None)
        # What was asked for is finished, though nobody hears of it.
        if tasks:
            await asyncio.wait(tasks, timeout=_FINISH_WITHIN_S)
        for task in tasks:
            task.cancel()
        await asyncio.to_thread(services.handed.drop, client)


async def answer(services: Services, client: Client, request: Request) -> None:
    """Run a request's handler and send its answer, or the error it met."""
    outcome = "accepted"
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            event = await HANDLERS[type(request)](services, client, request)
        if event is None:
            return
        if isinstance(event, Error):  # a light worker's
            outcome = event.code
        event = event.model_copy(update={"session_id": request.session_id})
        if isinstance(event, Pong):
            services.hub.send(client, event.model_copy(update={"request_id": request.request_id}))
            return
        async with services.turns.answering(client.allowance):
            event = as_of_now(services, event)
            if event.told_to == "all":
                services.hub.broadcast(event, [(client, request.request_id)])
            else:
                services.hub.send(client, event.model_copy(update={"request_id": request.request_id}))
        if isinstance(event, DisconnectAck):
            await client.close()
    except BreastAIError as error:
        outcome = error.code
        services.hub.send(client, error_event(error, request.request_id, request.session_id))
    except ConnectionClosed:
        outcome = "left"
    except Exception as error:
        fault = as_system_fault(error, services.workspace) or InternalError(type(error).__name__, SERVER_LOG)
        outcome = fault.code
        LOG.exception("%s failed", type(request).__name__)
        services.hub.send(client, error_event(fault, request.request_id, request.session_id))
    finally:
        if not request.looks_only:
            tell("asked", client.peer, answer=outcome, **request_fields(request))


def _refuse(services: Services, client: Client, message: str | bytes, error: BreastAIError) -> None:
    services.hub.send(client, error_event(error, request_id_of(message)))


async def _greet(services: Services, clients: Sequence[Client]) -> None:
    """Register clients and send them their first message, with nothing in between that could be missed."""
    welcome = await _welcome(services)
    text = encode_event(welcome.model_copy(update={"snapshot": services.sessions.get("default").snapshot()}))
    for client in clients:
        services.hub.join(client)
    services.hub.send_text(clients, text)


async def _welcome(services: Services) -> ConnectionEstablished:
    """Return the first message, its snapshot still to be set. A bad config.json is told of, and the defaults shown."""
    await restore(services)
    problem: Text | None = None
    try:
        config = await asyncio.to_thread(workspace_config, services.workspace)
    except BreastAIError as error:
        config, problem = Config(), error.text
    try:
        interrupted = await asyncio.to_thread(interrupted_runs, services.workspace)
    except OSError as error:
        LOG.warning("interrupted runs can't be listed: %s", error)
        interrupted = []
    return ConnectionEstablished(
        session_id="default",
        version=__version__,
        research_use=catalog.RESEARCH_USE,
        catalog=_CATALOG,
        config=config.model_dump(mode="json"),
        config_schema=config_schema(),
        config_error=problem,
        preset=None if services.workspace.config_file.exists() else "quick",
        token_required=services.token_required,
        interrupted=interrupted,
        snapshot=services.sessions.get("default").snapshot(),
    )


# What an epoch has beside numbers.
_TABLES = {"confusion_matrix": "matrix", "per_class": "per_class"}
_CATALOG = {
    "architectures": [dataclasses.asdict(row) for row in catalog.OFFERED_ARCHITECTURES.values()],
    "metrics": [{"name": row.name, "direction": row.direction, "kind": "number"} for row in EPOCH_METRICS.values()]
    + [{"name": name, "direction": None, "kind": kind} for name, kind in _TABLES.items()],
    "per_class_metrics": list(EPOCH_CLASS_METRICS),
    "monitors": dict(MONITORS),
    "export_formats": [dataclasses.asdict(row) for row in catalog.EXPORT_FORMATS.values()],
    "presets": dict(catalog.PRESETS),
    "image_suffixes": list(catalog.IMAGE_SUFFIXES),
    "told_of_sites": list(TOLD_OF_SITES),
    "asking": {"most_images": MOST_IMAGES_ASKED, "most_image_bytes": MOST_IMAGE_BYTES},
}
