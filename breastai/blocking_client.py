"""The server from Python, for programs without an event loop: each call waits for its answer.

with BlockingClient() as client:
    for event in client.train({"data_path": "data", "epochs": 5}):
        print(event.type)
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from breastai.client import DEFAULT_URL, Box, Client
from breastai.client_messages import Answers, describe_method, methods
from breastai.domain import events, requests
from breastai.domain.events import Event

Result = TypeVar("Result")


class BlockingClient:
    """A Client whose loop runs in a thread of its own; use it as a context manager."""

    def __init__(self, url: str = DEFAULT_URL, **options: Any) -> None:
        self._client = Client(url, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="breastai-client", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._wait(self._client.connect())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._wait(self._client.close())
        finally:
            self._end()

    @property
    def welcome(self) -> events.ConnectionEstablished | None:
        return self._client.welcome

    def request(self, request: requests.Request | str, *, timeout_s: float | None = None, **fields: Any) -> Event:
        return self._wait(self._client.request(request, timeout_s=timeout_s, **fields))

    def train(
        self, config: Mapping[str, Any] | None = None, *, preset: str | None = None, epochs: int | None = None
    ) -> Iterator[Event]:
        return self._iterate(lambda: self._client.train(config, preset=preset, epochs=epochs))

    def resume(self, checkpoint: str, *, epochs: int | None = None) -> Iterator[Event]:
        return self._iterate(lambda: self._client.resume(checkpoint, epochs=epochs))

    def crossval(
        self, config: Mapping[str, Any] | None = None, *, preset: str | None = None, epochs: int | None = None
    ) -> Iterator[Event]:
        return self._iterate(lambda: self._client.crossval(config, preset=preset, epochs=epochs))

    def tune(self, config: Mapping[str, Any] | None = None, *, preset: str | None = None) -> Iterator[Event]:
        return self._iterate(lambda: self._client.tune(config, preset=preset))

    def stop(self) -> Event:
        return self._wait(self._client.stop())

    def export(self, format: str = "onnx", checkpoint: str | None = None) -> events.ExportComplete:
        return self._wait(self._client.export(format, checkpoint))

    def evaluate(self, data: str, *, checkpoint: str | None = None, split: str | None = None) -> events.Evaluation:
        return self._wait(self._client.evaluate(data, checkpoint=checkpoint, split=split))

    def predict(
        self, images: Sequence[str], *, checkpoint: str | None = None, boxes: Sequence[Box | None] = ()
    ) -> Answers[events.Prediction]:
        return self._wait(self._client.predict(images, checkpoint=checkpoint, boxes=boxes))

    def explain(
        self, images: Sequence[str], *, checkpoint: str | None = None, target_class: str | None = None
    ) -> Answers[events.HeatMap]:
        return self._wait(self._client.explain(images, checkpoint=checkpoint, target_class=target_class))

    def compare(
        self, first: str, second: str, *, data: str | None = None, split: str | None = None
    ) -> events.Comparison:
        return self._wait(self._client.compare(first, second, data=data, split=split))

    def audit(self, data: str) -> events.AuditDone:
        return self._wait(self._client.audit(data))

    def report(
        self, run_id: str | None = None, *, language: str = "en", pdf: bool = False, docx: bool = False
    ) -> events.ReportCreated:
        return self._wait(self._client.report(run_id, language=language, pdf=pdf, docx=docx))

    def status(self) -> events.Status:
        return self._wait(self._client.status())

    def history(self, run_id: str | None = None, *, first: int = 1, last: int | None = None) -> events.History:
        return self._wait(self._client.history(run_id, first=first, last=last))

    def checkpoints(self) -> list[events.CheckpointEntry]:
        return self._wait(self._client.checkpoints())

    def load_checkpoint(self, checkpoint: str) -> events.CheckpointLoaded:
        return self._wait(self._client.load_checkpoint(checkpoint))

    def delete_checkpoint(self, checkpoint: str) -> events.CheckpointDeleted:
        return self._wait(self._client.delete_checkpoint(checkpoint))

    def diagnostics(self) -> events.SystemDiagnostics:
        return self._wait(self._client.diagnostics())

    def backup(self) -> events.BackupCreated:
        return self._wait(self._client.backup())

    def config(self) -> dict[str, Any]:
        return self._wait(self._client.config())

    def save_config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return self._wait(self._client.save_config(config))

    def ping(self) -> events.Pong:
        return self._wait(self._client.ping())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return any request as a method by its type, as of Client."""
        if name not in requests.REQUESTS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return describe_method(name, lambda kind, **fields: self._wait(getattr(self._client, kind)(**fields)))

    def __dir__(self) -> list[str]:
        return methods([*super().__dir__()])

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _iterate(self, begin: Callable[[], AsyncGenerator[Event, None]]) -> Iterator[Event]:
        arrivals = begin()
        try:
            while True:
                try:
                    event = self._wait(_next(arrivals))
                except StopAsyncIteration:
                    return
                yield event
        finally:
            self._wait(_close(arrivals))

    def _end(self) -> None:
        self._wait(self._loop.shutdown_asyncgens())
        self._wait(self._loop.shutdown_default_executor())  # it looked up the host's name
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(arrivals: AsyncGenerator[Event, None]) -> Event:
    return await anext(arrivals)


async def _close(arrivals: AsyncGenerator[Event, None]) -> None:
    await arrivals.aclose()
