"""Version 3's names for scripts: a configuration, a broadcaster, a state and a training system over the same engine.

`TrainingBroadcaster` looks for who listens at its URL. A BreastAI server there takes the work itself, so that every
page connected to it follows the run, and its workspace gets the checkpoints. Any other WebSocket server is sent each
event as a line of JSON. With none, or when the server can't take the work (busy, or images it may not read), the run
goes on in this process, in a thread, and leaves the same journal.
"""

import asyncio
import contextlib
import json
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from breastai.client import DEFAULT_URL, Client, error_from_event, with_token
from breastai.commands.effective_config import file_values
from breastai.commands.run_job import require_training_packages
from breastai.domain import events
from breastai.domain.config import Config, overlay, parse_config
from breastai.domain.errors import (
    BreastAIError,
    ClientError,
    DataOutsideRoots,
    NoCurrentModel,
    SessionBusy,
)
from breastai.domain.event_messages import encode_event
from breastai.domain.events import Event
from breastai.domain.jobs import AnyJob, Export, Train
from breastai.domain.v3_settings import nest_settings
from breastai.storage.workspace import Workspace

LOG = logging.getLogger("breastai")
_CONNECT_TIMEOUT_S = 3.0
# A BreastAI server greets at once; a plain one may say nothing.
_GREETING_TIMEOUT_S = 1.0


class MedicalProductionConfig:
    """The settings of a training: a JSON file or a dictionary, in sections or in flat names, over the defaults.

    Without an argument, the workspace's config.json. `values` holds what was given, `config` the whole.
    """

    def __init__(self, source: str | Path | Mapping[str, Any] | None = None, *, workspace: str | Path = ".") -> None:
        self.workspace = Workspace.open(workspace)
        if isinstance(source, Mapping):
            self.values = nest_settings(source)
        else:
            self.values = file_values(self.workspace, None if source is None else Path(source))
        self.config: Config = parse_config(self.values)

    def with_epochs(self, epochs: int | None) -> dict[str, Any]:
        """Return the values with another number of epochs; raise ConfigInvalid."""
        values = self.values if epochs is None else overlay(self.values, {"training": {"epochs": epochs}})
        parse_config(values)
        return values


class TrainingBroadcaster:
    """Whoever listens at `url`, if anyone."""

    def __init__(self, url: str = DEFAULT_URL) -> None:
        self.url = url
        self.client: Client | None = None
        self._listener: ClientConnection | None = None

    @property
    def connected(self) -> bool:
        return self.client is not None or self._listener is not None

    async def connect(self) -> bool:
        """Look for a listener; return whether there is one. Without one everything goes on."""
        await self.close()
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                connection = await connect(with_token(self.url, os.environ.get("BREASTAI_TOKEN")), proxy=None)
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
            LOG.info("nobody listens at %s (%s); the run is not shown elsewhere", self.url, error)
            return False
        if not await _is_our_server(connection):
            self._listener = connection
            return True
        await connection.close()
        client = Client(self.url)
        with contextlib.suppress(ClientError):
            await client.connect()
            self.client = client
        return self.connected

    async def send(self, event: Event) -> None:
        """Send an event to a plain listener. One that left is forgotten; the run goes on."""
        if self._listener is None:
            return
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await self._listener.send(encode_event(event))
        except (ConnectionClosed, TimeoutError):
            LOG.warning("the listener at %s is gone; the run goes on without it", self.url)
            self._listener = None

    async def close(self) -> None:
        listener, client = self._listener, self.client
        self._listener = self.client = None
        if listener is not None:
            await listener.close()
        if client is not None:
            await client.close()


class TrainingStateManager:
    """The state of the latest run, folded from its events, which are passed on to the broadcaster."""

    def __init__(self, broadcaster: TrainingBroadcaster | None = None) -> None:
        self.broadcaster = broadcaster or TrainingBroadcaster("")
        self.run_id: str | None = None
        self.checkpoint: str | None = None
        self.final_metrics: dict[str, Any] = {}
        self.history: list[events.TrainingUpdate] = []

    async def apply(self, event: Event) -> None:
        """Take in an event and pass it on."""
        if isinstance(event, events.TrainingStarted):
            self.run_id, self.checkpoint, self.final_metrics, self.history = event.run_id, None, {}, []
        elif isinstance(event, events.TrainingUpdate):
            self.history.append(event)
        elif isinstance(event, events.TrainingComplete):
            self.checkpoint, self.final_metrics = event.checkpoint, event.final_metrics
        elif isinstance(event, events.TrainingStopped):
            self.checkpoint = self.checkpoint or event.checkpoint
        await self.broadcaster.send(event)


class BreastAITrainingSystem:
    """Trains and exports by a configuration. Nothing of it blocks the event loop."""

    def __init__(self, config: MedicalProductionConfig, state_manager: TrainingStateManager | None = None) -> None:
        self.config = config
        self.state = state_manager or TrainingStateManager()
        self._exports_by: Client | None = None

    async def setup_training(self) -> dict[str, int]:
        """Check that the training can begin; return the number of images of each class.

        Raises what is wrong with the folders, MissingExtra, or WorkspaceUnusable.
        """
        if self._server is None:
            require_training_packages()
        return await asyncio.to_thread(_count_images, self.config)

    async def start_training(self, epochs: int | None = None) -> events.TrainingComplete | events.TrainingStopped:
        """Train, and return how the run ended; raise the error when it failed. Cancelling stops the run and saves."""
        values = self.config.with_epochs(epochs)
        if self._server is not None:
            try:
                return await self._train_by(self._server, values)
            except (SessionBusy, DataOutsideRoots) as refusal:
                LOG.warning(
                    "the server at %s does not take the run: %s It runs here instead.", self._server.url, refusal
                )
        self._exports_by = None
        workspace = self.config.workspace
        job = Train(workspace=str(workspace.root), run_id=workspace.new_run_id(), config=parse_config(values))
        return _run_end(await self._run_here(job))

    async def export_model(self, format: str = "onnx") -> Path:
        """Export the trained model; return the file's path. Raises NoCurrentModel before a training."""
        checkpoint = self.state.checkpoint
        if checkpoint is None:
            raise NoCurrentModel
        if self._exports_by is not None:
            exported = await self._exports_by.export(format, checkpoint)
        else:
            job = Export(workspace=str(self.config.workspace.root), checkpoint=checkpoint, format=format)
            last = await self._run_here(job)
            if not isinstance(last, events.ExportComplete):
                raise RuntimeError(f"the export ended without a file: {last!r}")
            exported = last
        here = self.config.workspace.resolve(exported.path)
        return here if here.exists() else Path(exported.path)  # the server's workspace may be another

    @property
    def _server(self) -> Client | None:
        return self.state.broadcaster.client

    async def _train_by(
        self, server: Client, values: dict[str, Any]
    ) -> events.TrainingComplete | events.TrainingStopped:
        """Train in a BreastAI server; its folders are told as absolute paths, since its workspace may be another."""
        data = {
            name: str(self.config.workspace.resolve(folder))
            for name, folder in self.config.config.data.model_dump().items()
            if name.endswith("_dir") and folder is not None
        }
        last: Event | None = None
        # All settings are told: the server's own config.json must not shine through.
        settings = parse_config(overlay(values, {"data": data})).model_dump(mode="json", exclude={"server"})
        try:
            async with contextlib.aclosing(server.train(settings)) as arrivals:
                async for event in arrivals:
                    await self.state.apply(event)
                    last = event
        except asyncio.CancelledError:
            with contextlib.suppress(BreastAIError):
                await server.stop()
            raise
        self._exports_by = server
        return _run_end(last)

    async def _run_here(self, job: AnyJob) -> Event | None:
        require_training_packages()
        from breastai.worker import perform

        last: Event | None = None
        failure: events.Error | None = None
        async with contextlib.aclosing(_in_thread(lambda stop: perform(job, stop))) as arrivals:
            async for event in arrivals:
                await self.state.apply(event)
                last = event
                failure = event if isinstance(event, events.Error) else failure
        if failure is not None:
            raise error_from_event(failure)
        return last


def _run_end(last: Event | None) -> events.TrainingComplete | events.TrainingStopped:
    if not isinstance(last, events.TrainingComplete | events.TrainingStopped):
        raise RuntimeError(f"the run ended without saying how: {last!r}")
    return last


def _count_images(config: MedicalProductionConfig) -> dict[str, int]:
    from breastai.data.cases.run_folders import list_folders

    return list_folders(config.config, config.workspace.root).train.counts()


async def _is_our_server(connection: ClientConnection) -> bool:
    try:
        async with asyncio.timeout(_GREETING_TIMEOUT_S):
            greeting = json.loads(await connection.recv())
    except (TimeoutError, ConnectionClosed, ValueError):
        return False
    return isinstance(greeting, dict) and greeting.get("type") == "connection_established"


async def _in_thread(begin: Callable[[Callable[[], bool]], Iterator[Event]]) -> AsyncGenerator[Event, None]:
    """Yield what the generator `begin(stop_requested)` yields, run in a thread; leaving early asks it to stop and waits."""
    loop = asyncio.get_running_loop()
    arrivals: asyncio.Queue[Event | None] = asyncio.Queue()
    stop = threading.Event()

    def produce() -> None:
        try:
            for event in begin(stop.is_set):
                loop.call_soon_threadsafe(arrivals.put_nowait, event)
        finally:
            loop.call_soon_threadsafe(arrivals.put_nowait, None)

    work = asyncio.ensure_future(asyncio.to_thread(produce))
    try:
        while (event := await arrivals.get()) is not None:
            yield event
    finally:
        stop.set()
        await asyncio.shield(work)
