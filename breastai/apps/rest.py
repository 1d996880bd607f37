"""REST: the requests of the WebSocket protocol over plain HTTP, in the server's own process, by FastAPI and uvicorn."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import python_multipart  # noqa: F401 - read forms; missing, it is told of here and not at the first upload
import uvicorn
from fastapi import FastAPI, Header, Query
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from breastai import __version__
from breastai.apps import http_uploads, openapi
from breastai.apps.event_stream import MOST_LISTENERS, Listeners
from breastai.apps.http_guard import Guard, Looks, problem
from breastai.apps.http_requests import Ask, Asks
from breastai.apps.http_server import END_WITHIN_S, http_config
from breastai.apps.http_status import status_of
from breastai.apps.prometheus import CONTENT_TYPE, exposition
from breastai.domain.errors import BreastAIError, InternalError, RequestInvalid
from breastai.domain.event_messages import error_event, event_values
from breastai.domain.faults import describe_fault
from breastai.domain.request_messages import decode_request
from breastai.domain.requests import MOST_IMAGES_ASKED, REQUESTS, AskImages
from breastai.domain.text import Text
from breastai.server.diagnostics import measure
from breastai.server.entry_points import EntryPoint
from breastai.server.jobs.job_runner import SERVER_LOG
from breastai.server.jobs.uploads import Uploads
from breastai.server.logs.audit_log import request_fields
from breastai.server.logs.server_log import LOG
from breastai.server.services import Services

DEFAULT_WAIT_S = 30.0
LONGEST_WAIT_S = 600.0
_LAST_EVENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99}):(\d{1,18})")

Wait = Annotated[
    float,
    Query(
        ge=0,
        le=LONGEST_WAIT_S,
        description="How long to wait for the answer, in seconds; then 202 says where to come back.",
    ),
]

Pictures = Annotated[bool, Query(description="With the image and its heat map as data URIs.")]


@asynccontextmanager
async def open_door(step: EntryPoint) -> AsyncIterator[None]:
    """Answer HTTP on the sockets of `step` while the block runs; then end streams and finish what was asked."""
    rest = Rest(step.services)
    guarded = Guard(rest.app, step.gate, {"/predict": http_uploads.MOST_UPLOAD_BYTES})
    server = _Server(http_config(guarded, step.tls, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=list(step.listening.sockets)), name="rest")
    try:
        begun = asyncio.create_task(server.ready.wait(), name="rest-begins")
        await asyncio.wait([serving, begun], return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if serving.done():
            serving.result()
        yield
    finally:
        server.should_exit = True
        await rest.close(END_WITHIN_S)
        await asyncio.wait([serving])


class _Server(uvicorn.Server):
    """Signals are the composition root's to answer. `ready`: it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Rest:
    """The application, and what it keeps between requests."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._asks, self._listeners, self._looks = Asks(services), Listeners(services), Looks()
        self._removals: set[asyncio.Task[None]] = set()
        self._room = http_uploads.UploadRoom()
        self.app = FastAPI(
            title="BreastAI",
            version=__version__,
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        self.app.add_exception_handler(BreastAIError, _refused)
        self.app.add_exception_handler(RequestValidationError, _misasked)
        self.app.add_exception_handler(HTTPException, _plain_problem)
        self.app.add_exception_handler(Exception, _fault)
        for kind, model in REQUESTS.items():
            self.app.add_api_route(
                f"/requests/{kind}",
                self._twin(kind),
                methods=["POST"],
                operation_id=kind,
                summary=kind.replace("_", " "),
                description=" ".join((model.__doc__ or "").split()),
                response_class=JSONResponse,
                response_model=None,
                responses=openapi.answers(model.answered_by),
                openapi_extra=openapi.request_body(kind),
            )
        self._add_the_rest()
        document = openapi.openapi_document(self.app)
        page = openapi.openapi_page(document)
        self.app.add_route("/openapi.json", lambda request: JSONResponse(document))
        self.app.add_route("/health", lambda request: JSONResponse({"status": "ok", "version": __version__}))
        policy = {"Content-Security-Policy": openapi.PAGE_POLICY}
        self.app.add_route("/", lambda request: HTMLResponse(page, headers=policy))

    def _add_the_rest(self) -> None:
        """Add what has no twin: uploads, answers to come back for, the stream of events, metrics."""
        self.app.add_api_route(
            "/predict",
            self._predict,
            methods=["POST"],
            operation_id="predict",
            summary="classify images that are sent along",
            description="Exported models answer also while a job runs; checkpoints need the worker. The images are "
            "removed with the answer.",
            response_class=JSONResponse,
            response_model=None,
            responses=openapi.answers(AskImages.answered_by, is_job=True),
            openapi_extra=openapi.upload_body(http_uploads.FIELD, MOST_IMAGES_ASKED),
        )
        self.app.add_api_route(
            "/answers/{ask_id}",
            self._come_back,
            methods=["GET"],
            operation_id="answer",
            summary="come back for an answer",
            response_class=JSONResponse,
            response_model=None,
            responses=openapi.answers(tuple({name for model in REQUESTS.values() for name in model.answered_by})),
        )
        self.app.add_api_route(
            "/events",
            self._events,
            methods=["GET"],
            operation_id="events",
            summary="what happens, as Server-Sent Events",
            response_class=StreamingResponse,
            response_model=None,
            responses={200: {"description": "A stream.", "content": {"text/event-stream": {}}}, **openapi.refusals()},
        )
        self.app.add_api_route(
            "/metrics",
            self._metrics,
            methods=["GET"],
            operation_id="metrics",
            summary="figures for Prometheus",
            response_class=PlainTextResponse,
            response_model=None,
            responses={
                200: {"description": "Text exposition format.", "content": {"text/plain": {}}},
                **openapi.refusals(),
            },
        )

    async def close(self, wait_s: float) -> None:
        """End the streams and let what was asked for finish."""
        self._listeners.close()
        await self._asks.close(wait_s)
        if self._removals:
            await asyncio.wait(self._removals)
        self._looks.tell()

    def _twin(self, kind: str) -> Callable[..., Awaitable[Response]]:
        """Return the endpoint of one request."""

        async def endpoint(http_request: HttpRequest, wait: Wait = DEFAULT_WAIT_S) -> Response:
            request = decode_request(await http_request.body() or b"{}", kind)
            if request.looks_only:
                self._looks.note(_address(http_request), request_fields(request)["asked"])
            ask = await self._asks.begin(_peer(http_request), request)
            return await self._told(ask, wait, http_request)

        return endpoint

    async def _predict(
        self, http_request: HttpRequest, wait: Wait = DEFAULT_WAIT_S, pictures: Pictures = False
    ) -> Response:
        owner, handed = object(), self._services.handed
        try:
            with self._room.hold(http_request):
                async with http_uploads.whole_form(http_request) as form:
                    request = http_uploads.question(form)
                    await http_uploads.hand_over(handed, owner, http_uploads.files_of(form))
            ask = await self._asks.begin(_peer(http_request), request, owner)
        except BaseException:
            await asyncio.to_thread(handed.drop, owner)
            raise
        ask.with_pictures = pictures
        removal = asyncio.create_task(_remove_after(ask, handed, owner), name="rest-upload")
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)
        return await self._told(ask, wait, http_request)

    async def _come_back(self, http_request: HttpRequest, ask_id: str, wait: Wait = DEFAULT_WAIT_S) -> Response:
        ask = self._asks.get(ask_id)
        if ask is None:
            return problem(404, "answer.not_found", "No such answer: it was never promised, or is too old.")
        self._looks.note(_address(http_request), "answer")
        return await self._told(ask, wait, http_request)

    async def _told(self, ask: Ask, wait_s: float, http_request: HttpRequest) -> Response:
        """Return the answer, or where to come back for it."""
        if not await ask.answered_within(wait_s):
            self._asks.keep(ask)
            location = f"/answers/{ask.id}"
            content = {"id": ask.id, "request": ask.kind, "location": location}
            # Relative to what was asked: a proxy may have this door under a path.
            way_back = "../" * (http_request.url.path.count("/") - 1) + location.removeprefix("/")
            return JSONResponse(content, 202, {"Location": way_back, "Retry-After": "1"})
        answer = ask.answer
        if answer is None:
            return problem(503, "server.stopping", "The server is stopping; ask again when it is back.")
        if answer["type"] == "error":
            return _error(answer)
        return JSONResponse({"answer": answer, "events": ask.events})

    async def _events(
        self,
        http_request: HttpRequest,
        session_id: Annotated[
            str | None, Query(min_length=1, max_length=100, description="Of this session alone.")
        ] = None,
        last_event_id: Annotated[
            str | None,
            Header(max_length=200, description="RUN:NUMBER of the last event heard; what came since is told first."),
        ] = None,
    ) -> Response:
        found = _LAST_EVENT.fullmatch(last_event_id) if last_event_id else None
        if self._listeners.is_full:
            raise HTTPException(429, f"{MOST_LISTENERS} streams of events are open. Close one, then ask again.")
        self._services.sessions.get(session_id or "default")
        self._looks.note(_address(http_request), "events")
        after = (found[1], int(found[2])) if found else None
        stream = self._listeners.stream(_peer(http_request), session_id, after)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def _metrics(self, http_request: HttpRequest) -> Response:
        self._looks.note(_address(http_request), "metrics")
        services = self._services
        pid = services.supervisor.worker_pid
        machine = await asyncio.to_thread(measure, services.workspace, services.started, pid)
        return Response(exposition(services, machine), media_type=CONTENT_TYPE)


async def _remove_after(ask: Ask, handed: Uploads, owner: object) -> None:
    """Remove images that were sent along and never came to be asked about."""
    try:
        await ask.over()
    finally:
        await asyncio.to_thread(handed.drop, owner)


def _peer(request: HttpRequest) -> str:
    return f"{request.client.host}:{request.client.port}" if request.client else ""


def _address(request: HttpRequest) -> str:
    return request.client.host if request.client else ""


async def _refused(request: HttpRequest, error: Exception) -> Response:
    assert isinstance(error, BreastAIError)
    return _error(event_values(error_event(error)))


async def _misasked(request: HttpRequest, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        describe_fault(str(fault["loc"][-1]), Text("fault.other", {"message": fault["msg"]}))
        for fault in error.errors()
    ]
    return _error(event_values(error_event(RequestInvalid(problems))))


async def _plain_problem(request: HttpRequest, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, "http", str(error.detail), error.headers)


async def _fault(request: HttpRequest, error: Exception) -> Response:
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _error(event_values(error_event(InternalError(type(error).__name__, SERVER_LOG))))


def _error(event: dict[str, Any]) -> Response:
    status = status_of(event["code"])
    return JSONResponse(event, status, {"Retry-After": "1"} if status == 429 else None)
