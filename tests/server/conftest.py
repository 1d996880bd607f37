"""A stage for the server's tests: a real server on a free port, real clients, and workers whose strings we hold."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from breastai.domain.event_messages import encode_event
from breastai.domain.events import TrainingComplete, TrainingStarted, TrainingStopped, TrainingUpdate
from breastai.domain.metric_catalog import MONITORS
from breastai.server.app import Options, RunningServer, running_server
from breastai.server.jobs.supervisor import Deadlines
from breastai.storage.workspace import Workspace

WITHIN_S = 30.0
PUPPET = Path(__file__).with_name("puppet_worker.py")
CLASS_FIGURES = {"sensitivity": 1.0, "specificity": 0.5, "precision": 1.0, "f1": 1.0, "auc_roc": None, "support": 3}


class Puppet:
    """The far end of a worker's strings."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.seq = 0
        self.job: dict[str, Any] = {}

    async def told(self, key: str) -> Any:
        """Return the next thing the worker tells of, which must be `key`."""
        line = await self._reader.readline()
        values = json.loads(line) if line else {}
        assert key in values, f"expected {key}, got {values}"
        return values[key]

    async def ended(self) -> bool:
        """Return True once the worker is gone, whatever it still tells before."""
        try:
            while await self._reader.readline():
                pass
        except ConnectionResetError:
            pass
        return True

    def order(self, **values: Any) -> None:
        self._writer.write(json.dumps(values).encode() + b"\n")

    def emit(self, event: Any, stamp: bool = True) -> None:
        """Have the worker send an event, numbered as one of its run."""
        if stamp:
            self.seq += 1
            event = event.model_copy(
                update={"run_id": self.job["run_id"], "seq": self.seq, "session_id": self.job["session_id"]}
            )
        self.order(say=encode_event(event))

    def start_run(self) -> None:
        self.emit(TrainingStarted(architecture="resnet50", epochs=3, class_names=["benign", "malignant"], config={}))

    def epoch(self, number: int) -> None:
        self.emit(update(number))

    def complete(self) -> None:
        self.emit(
            TrainingComplete(
                final_metrics={"accuracy": 0.5},
                history={"epoch": [1]},
                checkpoint=f"{self.job['run_id']}/best",
                best_epoch=1,
                epochs_run=1,
                stopped_early=False,
                duration_s=1.0,
            )
        )
        self.order(exit=0)

    def stopped(self) -> None:
        self.emit(TrainingStopped(reason="user", epoch=1, checkpoint=f"{self.job['run_id']}/last"))
        self.order(exit=0)

    def close(self) -> None:
        self._writer.close()


def update(number: int) -> TrainingUpdate:
    numbers = dict.fromkeys(MONITORS, 0.5)
    return TrainingUpdate.model_validate(
        {
            **numbers,
            "epoch": number,
            "epochs": 3,
            "val_confusion_matrix": [[1, 0], [0, 1]],
            "val_per_class": {"benign": CLASS_FIGURES},
            "learning_rate": 0.1,
            "images_per_second": 10.0,
            "epoch_s": 1.0,
            "eta_s": None,
            "is_best": True,
        }
    )


class Script:
    """A client as a script would be: JSON over a WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.asked = 0

    async def next(self) -> dict[str, Any]:
        return json.loads(await self.socket.recv())

    async def until(self, *types: str, **fields: Any) -> dict[str, Any]:
        """Return the next event of one of these types, passing over others."""
        while True:
            event = await self.next()
            if event["type"] in types and all(event.get(key) == value for key, value in fields.items()):
                return event

    async def send(self, type: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": type, **fields}))

    async def ask(self, type: str, **fields: Any) -> dict[str, Any]:
        """Return the answer to a request, told by its request_id."""
        self.asked += 1
        request_id = f"ask-{self.asked}"
        await self.send(type, request_id=request_id, **fields)
        while True:
            event = await self.next()
            if event.get("request_id") == request_id:
                return event

    async def state(self, state: str) -> dict[str, Any]:
        """Return the snapshot once the session is told to be in `state`."""
        while True:
            snapshot = (await self.until("status"))["snapshot"]
            if snapshot["state"] == state:
                return snapshot


class Stage:
    """A running server, with its workspace."""

    def __init__(self, server: RunningServer, puppets: "asyncio.Queue[Puppet]") -> None:
        self.server = server
        self.services = server.services
        self.workspace = server.services.workspace
        self.port = server.port
        self._puppets = puppets
        self.sockets: list[ClientConnection] = []
        self.welcome: dict[str, Any] = {}
        self.leave_workers = False
        self.after: list[asyncio.Task[None]] = []  # what ends only when the server has

    @property
    def workers_begun(self) -> int:
        return self._puppets.qsize()

    async def connect(self, query: str = "", **options: Any) -> Script:
        """Return a client that has had its welcome."""
        socket = await connect(f"ws://127.0.0.1:{self.port}/{query}", max_size=None, **options)
        self.sockets.append(socket)
        script = Script(socket)
        self.welcome = await script.next()
        assert self.welcome["type"] == "connection_established"
        return script

    async def worker(self) -> Puppet:
        """Return the next worker the server starts, its job read."""
        puppet = await self._puppets.get()
        await puppet.told("pid")
        puppet.job = await puppet.told("stdin")
        return puppet

    async def training(self, script: Script, **fields: Any) -> Puppet:
        """Return the worker of a run that has begun."""
        await script.send("start_training", **fields)
        puppet = await self.worker()
        puppet.start_run()
        await script.until("training_started")
        return puppet


Story = Callable[[Stage], Awaitable[None]]


@pytest.fixture
def epoch_update() -> Callable[[int], TrainingUpdate]:
    return update


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def play(workspace: Workspace) -> Callable[..., None]:
    """Run a story against a real server, within a deadline."""

    async def perform(story: Story, options: dict[str, Any]) -> None:
        puppets: asyncio.Queue[Puppet] = asyncio.Queue()
        all_puppets: list[Puppet] = []

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            all_puppets.append(Puppet(reader, writer))
            puppets.put_nowait(all_puppets[-1])

        strings = await asyncio.start_server(begin, "127.0.0.1", 0)
        port = strings.sockets[0].getsockname()[1]
        usual = {
            "deadlines": Deadlines(stop_s=1000, exit_s=10, silence_s=1000),
            "worker_command": (sys.executable, str(PUPPET), str(port)),
        }
        try:
            async with (
                asyncio.timeout(WITHIN_S),
                running_server(Options(workspace=workspace, port=0, **usual | options)) as server,
            ):
                stage = Stage(server, puppets)
                try:
                    await story(stage)
                finally:
                    for socket in stage.sockets:
                        socket.transport.abort()
                    for puppet in [] if stage.leave_workers else all_puppets:
                        puppet.order(exit=0)
            async with asyncio.timeout(WITHIN_S):
                await asyncio.gather(*stage.after)
        finally:
            strings.close()
            for puppet in all_puppets:
                puppet.close()

    def run(story: Story, **options: Any) -> None:
        asyncio.run(perform(story, options))

    return run


@pytest.fixture
def epoch_of() -> Callable[[int], TrainingUpdate]:
    """Make the event of an epoch."""
    return update
