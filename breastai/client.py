"""The server from Python, asynchronously; blocking_client.py wraps it for programs without an event loop.

    async with Client() as client:
        async for event in client.train({"data_path": "data", "epochs": 5}):
            print(event.type)

Errors come as the exceptions of breastai.domain.errors. A run goes on in the server when its client leaves.
"""

import asyncio
import contextlib
import itertools
import os
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

import breastai
from breastai.client_messages import Answers, describe_method, ends_study, methods, with_parts
from breastai.client_messages import build_request as build_request
from breastai.client_messages import error_from_event as error_from_event
from breastai.client_messages import with_token as with_token
from breastai.domain import events, requests
from breastai.domain.errors import (
    AccessRefused,
    BreastAIError,
    ConnectionLost,
    RefusedByServer,
    RequestTimedOut,
    ServerUnreachable,
)
from breastai.domain.event_messages import decode_any_event, decode_event
from breastai.domain.events import Event

DEFAULT_URL = "ws://localhost:8765"
_MOST_MESSAGE_BYTES = 2**24
_RUN_ENDS = ("training_complete", "training_stopped")
# A run that failed is told as an error and then as stopped; this long the second is waited for.
_STOP_AFTER_ERROR_S = 30.0

AnEvent = TypeVar("AnEvent", bound=Event)
Box = tuple[int, int, int, int]


class Client:
    """One connection to a server; use it as an asynchronous context manager.

    `timeout_s` is the deadline of ordinary answers, `job_timeout_s` that of jobs, and `reconnect_s` how long a lost
    connection is tried again while a run is followed. `token`: the server's, where it asks for one; by default what the
    environment variable BREASTAI_TOKEN holds. `certificate`: the PEM file of a server's own certificate, which is then
    the only one trusted.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        session_id: str = "default",
        timeout_s: float = 30.0,
        job_timeout_s: float = 24 * 3600.0,
        reconnect_s: float = 60.0,
        token: str | None = None,
        certificate: Path | str | None = None,
    ) -> None:
        self.url, self.session_id = url, session_id
        self._token = os.environ.get("BREASTAI_TOKEN") if token is None else token
        self._tls: dict[str, Any] = (
            {} if certificate is None else {"ssl": ssl.create_default_context(cafile=certificate)}
        )
        self.welcome: events.ConnectionEstablished | None = None
        self._timeout_s, self._job_timeout_s, self._reconnect_s = timeout_s, job_timeout_s, reconnect_s
        self._connection: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._left = False
        self._numbers = itertools.count(1)
        self._pending: dict[str, tuple[requests.Request, asyncio.Future[Event]]] = {}
        self._followers: set[asyncio.Queue[Event | None]] = set()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> events.ConnectionEstablished:
        """Connect and return the server's welcome; raise ServerUnreachable."""
        await self._disconnect()
        self._left = False
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await connect(
                    with_token(self.url, self._token), max_size=_MOST_MESSAGE_BYTES, proxy=None, **self._tls
                )
                try:
                    welcome = decode_event(await connection.recv())
                except BaseException:
                    await connection.close()
                    raise
        except TimeoutError:
            raise ServerUnreachable(self.url, f"no answer within {self._timeout_s:g} s") from None
        except (ValidationError, TypeError):
            raise ServerUnreachable(self.url, "what answers there is no BreastAI server") from None
        except InvalidStatus as error:
            if error.response.status_code in (403, 429):
                raise AccessRefused(self.url, error.response.body.decode("utf-8", "replace")[:500].strip()) from None
            raise ServerUnreachable(self.url, str(error)) from None
        except (OSError, InvalidHandshake, InvalidURI, ConnectionClosed) as error:
            raise ServerUnreachable(self.url, str(error) or type(error).__name__) from None
        if not isinstance(welcome, events.ConnectionEstablished):
            await connection.close()
            raise ServerUnreachable(self.url, "what answers there is no BreastAI server")
        self.welcome, self._connection, self._reader = welcome, connection, asyncio.create_task(self._read(connection))
        return welcome

    async def close(self) -> None:
        """Leave the server; what runs there goes on."""
        self._left = True
        await self._disconnect()
        for follower in self._followers:
            follower.put_nowait(None)

    async def _disconnect(self) -> None:
        connection, reader = self._connection, self._reader
        self._connection = self._reader = None
        if connection is not None:
            await connection.close()
        if reader is not None:
            await reader

    # --- requests --------------------------------------------------------------------------------

    async def request(self, request: requests.Request | str, *, timeout_s: float | None = None, **fields: Any) -> Event:
        """Send a request, a model or its type with fields, and return the event that answers it.

        Raises the error the server answers with, RequestTimedOut, or ConnectionLost.
        """
        message = build_request(request, fields)
        number = f"{id(self):x}-{next(self._numbers)}"
        update: dict[str, Any] = {"request_id": number}
        if "session_id" not in message.model_fields_set:
            update["session_id"] = self.session_id
        message = message.model_copy(update=update)
        deadline_s = self._timeout_s if timeout_s is None else timeout_s
        answer: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._pending[number] = (message, answer)
        try:
            async with asyncio.timeout(deadline_s):
                if self._connection is None:
                    raise ConnectionLost(self.url)
                await self._connection.send(message.model_dump_json(by_alias=True))
                return await answer
        except ConnectionClosed:
            raise ConnectionLost(self.url) from None
        except TimeoutError:
            raise RequestTimedOut(str(getattr(message, "type", "")), deadline_s) from None
        finally:
            del self._pending[number]

    async def train(
        self, config: Mapping[str, Any] | None = None, *, preset: str | None = None, epochs: int | None = None
    ) -> AsyncGenerator[Event, None]:
        """Train a new run and yield its events to the last; raise the run's error when it fails.

        `config` is partial, in sections or in version 3's flat names, and overlays the server's config.json.
        """
        fields = {"config": dict(config or {}), "preset": preset, "epochs": epochs}
        async for event in self._follow_request(build_request("start_training", fields)):
            yield event

    async def resume(self, checkpoint: str, *, epochs: int | None = None) -> AsyncGenerator[Event, None]:
        """Go on with a run and yield its events to the last."""
        async for event in self._follow_request(
            build_request("resume_training", {"checkpoint": checkpoint, "epochs": epochs})
        ):
            yield event

    async def crossval(
        self, config: Mapping[str, Any] | None = None, *, preset: str | None = None, epochs: int | None = None
    ) -> AsyncGenerator[Event, None]:
        """Cross-validate and yield the study's events to the last; after a lost connection the study as it is then."""
        fields = {"config": config or {}, "preset": preset, "epochs": epochs}
        async for event in self._follow_study(build_request("start_crossval", fields)):
            yield event

    async def tune(
        self, config: Mapping[str, Any] | None = None, *, preset: str | None = None
    ) -> AsyncGenerator[Event, None]:
        """Search for better settings and yield the study's events to the last, as `crossval` does."""
        async for event in self._follow_study(
            build_request("start_tuning", {"config": config or {}, "preset": preset})
        ):
            yield event

    async def stop(self) -> Event:
        """Stop the running job after its batch and save; asked again meanwhile, it ends at once."""
        return await self.request("stop_training", timeout_s=max(self._timeout_s, 300.0))

    async def export(self, format: str = "onnx", checkpoint: str | None = None) -> events.ExportComplete:
        """Export a checkpoint, by default the session's current model."""
        request = requests.ExportModel(format=format, checkpoint=checkpoint)
        return await self._ask(request, events.ExportComplete, self._job_timeout_s)

    async def evaluate(
        self, data: str, *, checkpoint: str | None = None, split: str | None = None
    ) -> events.Evaluation:
        """Judge a checkpoint, by default the session's current model, on class folders the server may read."""
        request = build_request("evaluate_model", {"data": data, "checkpoint": checkpoint, "split": split})
        return await self._ask(request, events.Evaluation, self._job_timeout_s)

    async def predict(
        self, images: Sequence[str], *, checkpoint: str | None = None, boxes: Sequence[Box | None] = ()
    ) -> Answers[events.Prediction]:
        """Return an answer for each of the images, files or folders the server may read; by default of its current model."""
        fields = {"images": list(images), "checkpoint": checkpoint, "boxes": list(boxes)}
        return cast(Answers[events.Prediction], await self._ask_by_type("predict_images", **fields))

    async def explain(
        self, images: Sequence[str], *, checkpoint: str | None = None, target_class: str | None = None
    ) -> Answers[events.HeatMap]:
        """Return a heat map for each of the images, files or folders the server may read."""
        fields = {"images": list(images), "checkpoint": checkpoint, "target_class": target_class}
        return cast(Answers[events.HeatMap], await self._ask_by_type("explain_images", **fields))

    async def compare(
        self, first: str, second: str, *, data: str | None = None, split: str | None = None
    ) -> events.Comparison:
        """Compare two checkpoints on labelled images, or two CSV files of predictions the server may read."""
        fields = {"first": first, "second": second, "data": data, "split": split}
        return await self._ask(build_request("compare_models", fields), events.Comparison, self._job_timeout_s)

    async def audit(self, data: str) -> events.AuditDone:
        """Return what is wrong with the images of a folder the server may read."""
        return await self._ask(build_request("audit_data", {"data": data}), events.AuditDone, self._job_timeout_s)

    async def report(
        self, run_id: str | None = None, *, language: str = "en", pdf: bool = False, docx: bool = False
    ) -> events.ReportCreated:
        """Write the report of a run, by default that of the session's current model."""
        request = build_request("create_report", {"run_id": run_id, "language": language, "pdf": pdf, "docx": docx})
        return await self._ask(request, events.ReportCreated, self._job_timeout_s)

    async def status(self, *, run_id: str | None = None, last_seq: int | None = None) -> events.Status:
        """Return the session as it is."""
        return await self._ask(requests.GetStatus(run_id=run_id, last_seq=last_seq), events.Status)

    async def history(self, run_id: str | None = None, *, first: int = 1, last: int | None = None) -> events.History:
        """Return epochs of a run, at most 200 at a time."""
        return await self._ask(
            build_request("get_history", {"run_id": run_id, "from": first, "to": last}), events.History
        )

    async def checkpoints(self) -> list[events.CheckpointEntry]:
        """Return all checkpoints, newest first."""
        return (await self._ask(requests.ListCheckpoints(), events.CheckpointsList)).checkpoints

    async def load_checkpoint(self, checkpoint: str) -> events.CheckpointLoaded:
        """Verify a checkpoint and make it the session's current model."""
        return await self._ask(requests.LoadCheckpoint(checkpoint=checkpoint), events.CheckpointLoaded)

    async def delete_checkpoint(self, checkpoint: str) -> events.CheckpointDeleted:
        return await self._ask(requests.DeleteCheckpoint(checkpoint=checkpoint), events.CheckpointDeleted)

    async def diagnostics(self) -> events.SystemDiagnostics:
        """Return processor, memory, disk and versions of the server's machine."""
        return await self._ask(requests.GetSystemDiagnostics(), events.SystemDiagnostics)

    async def backup(self) -> events.BackupCreated:
        return await self._ask(requests.CreateBackup(), events.BackupCreated, self._job_timeout_s)

    async def config(self) -> dict[str, Any]:
        """Return the server's configuration, defaults filled in."""
        return (await self._ask(requests.GetConfig(), events.ConfigShown)).config

    async def save_config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Lay `config` over the server's config.json and return the whole."""
        return (await self._ask(requests.SaveConfig(config=dict(config)), events.ConfigSaved)).config

    async def ping(self) -> events.Pong:
        return await self._ask(requests.Ping(), events.Pong)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Return any request as a method by its type: `await client.list_runs(search="pilot")` gives its answer.

        What is told of each image comes as a list, whose `complete` is the answer.
        """
        if name not in requests.REQUESTS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return describe_method(name, self._ask_by_type)

    def __dir__(self) -> list[str]:
        return methods([*super().__dir__()])

    async def _ask_by_type(self, kind: str, **fields: Any) -> Any:
        model = requests.REQUESTS[kind]
        request = build_request(kind, fields)
        timeout_s = self._job_timeout_s if any(answer.ends_a_job for answer in model.answers) else None
        if model.told_each is None:
            return await self._ask(request, model.answers, timeout_s)
        with self._hearing() as told:
            answer = await self._ask(request, model.answers, timeout_s)
            return with_parts(answer, told, model.told_each)

    @contextlib.contextmanager
    def _hearing(self) -> Iterator[asyncio.Queue[Event | None]]:
        """Yield a queue that every event is put into meanwhile; None where the connection was lost."""
        arrivals: asyncio.Queue[Event | None] = asyncio.Queue()
        self._followers.add(arrivals)
        try:
            yield arrivals
        finally:
            self._followers.discard(arrivals)

    async def _ask(
        self, request: requests.Request, kind: type[AnEvent] | tuple[type[AnEvent], ...], timeout_s: float | None = None
    ) -> AnEvent:
        answer = await self.request(request, timeout_s=timeout_s)
        if isinstance(answer, events.UnknownEvent):
            reason = f"{answer.type} is of a later version than this client, {breastai.__version__}: update it"
            raise RefusedByServer("client.outdated", reason)
        if not isinstance(answer, kind):
            reason = f"expected {' or '.join(request.answered_by)}, got {answer.type}"
            raise RefusedByServer("client.unexpected", reason)
        return answer

    # --- following a run -------------------------------------------------------------------------

    async def _follow_request(self, request: requests.Request) -> AsyncGenerator[Event, None]:
        with self._hearing() as arrivals:
            started = await self.request(request, timeout_s=self._job_timeout_s)
            if started.run_id is None:
                raise RefusedByServer("client.unexpected", "the run has no id")
            async for event in self._run_events(arrivals, started.run_id):
                yield event

    async def _follow_study(self, request: requests.Request) -> AsyncGenerator[Event, None]:
        """Yield the events of a study's session to its end; what was missed meanwhile comes as the study itself."""
        with self._hearing() as arrivals:
            started = await self._ask(request, events.StudyStarted, self._job_timeout_s)
            yield started
            while True:
                event = await arrivals.get()
                if event is None:
                    await self._reconnect(None, 0)
                    # Its answer comes to the followers, as every event does.
                    await self._ask(requests.GetStudy(study_id=started.study.study_id), events.StudyShown)
                elif event.session_id == started.session_id and event.type not in ("study_started", "status"):
                    yield event
                    if isinstance(event, events.Error):
                        raise error_from_event(event)
                    if ends_study(event):
                        return

    async def _run_events(self, arrivals: asyncio.Queue[Event | None], run_id: str) -> AsyncGenerator[Event, None]:
        """Yield the events of a run, each once and in order, over as many connections as it takes."""
        last_seq = 0
        # The request whose answer is followed by what was missed. Events that come before it are told again after it.
        catching_up: str | None = None
        failure: BreastAIError | None = None
        while True:
            try:
                async with asyncio.timeout(_STOP_AFTER_ERROR_S if failure else None):
                    event = await arrivals.get()
            except TimeoutError:
                break
            if event is None:
                catching_up = await self._reconnect(run_id, last_seq)
            elif isinstance(event, events.Status):
                # A server that could not keep up with this client skips events and tells the state instead.
                if event.request_id is None and event.snapshot.run_id == run_id:
                    catching_up = str((await self.status(run_id=run_id, last_seq=last_seq)).request_id)
                elif str(event.request_id) == catching_up:
                    catching_up = None
            elif catching_up is None and event.run_id == run_id and (event.seq is None or event.seq > last_seq):
                last_seq = event.seq or last_seq
                yield event
                if isinstance(event, events.Error):
                    failure = error_from_event(event)
                elif event.type in _RUN_ENDS:
                    break
        if failure is not None:
            raise failure

    async def _reconnect(self, run_id: str | None, last_seq: int) -> str:
        """Connect again and ask for what was missed of a run, if any; return the request's id.

        Raises ConnectionLost when the run can't be followed further.
        """
        pause_s = 0.2
        try:
            async with asyncio.timeout(self._reconnect_s):
                while not self._left:
                    try:
                        async with self._connecting:
                            if self._connection is None:
                                await self.connect()
                        status = await self.status(run_id=run_id, last_seq=last_seq if run_id else None)
                        break
                    except (ServerUnreachable, ConnectionLost):
                        await asyncio.sleep(pause_s)
                        pause_s = min(2 * pause_s, 5.0)
                else:
                    raise ConnectionLost(self.url)
        except TimeoutError:
            raise ConnectionLost(self.url) from None
        gone = run_id is not None and (
            status.snapshot.run_id != run_id or (status.snapshot.state == "idle" and not status.missed)
        )
        if gone:  # the server was started anew
            raise ConnectionLost(self.url)
        return str(status.request_id)

    async def _read(self, connection: ClientConnection) -> None:
        try:
            async for text in connection:
                try:
                    event = decode_any_event(text)
                except ValidationError:  # no event at all
                    continue
                self._deliver(event)
        except ConnectionClosed:
            pass
        finally:
            for _, answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(ConnectionLost(self.url))
            if self._connection is connection:
                self._connection = None
                for follower in self._followers:
                    follower.put_nowait(None)

    def _deliver(self, event: Event) -> None:
        for follower in self._followers:
            follower.put_nowait(event)
        request, answer = self._pending.get(str(event.request_id), (None, None))
        if request is None or answer is None or answer.done():
            return
        if isinstance(event, events.Error):
            answer.set_exception(error_from_event(event))
        elif event.type in request.answered_by or isinstance(event, events.UnknownEvent):
            answer.set_result(event)  # the server gives a request's id to its answer alone
