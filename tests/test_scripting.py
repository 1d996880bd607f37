"""Version 3's names: what listens gets the events, and nothing blocks the loop."""

import asyncio
import json
import sys
import threading
import types
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from breastai import BreastAITrainingSystem, MedicalProductionConfig, TrainingBroadcaster, TrainingStateManager
from breastai.domain.errors import ConfigInvalid, ConfigUnreadable, LossNotFinite, NoClassFolders, NoCurrentModel
from breastai.domain.event_messages import error_event
from breastai.domain.events import (
    Event,
    ExportComplete,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
)
from breastai.domain.jobs import AnyJob, Export, Train
from breastai.server.app import Options, running_server
from breastai.storage.workspace import Workspace

NOBODY = "ws://localhost:9"
STARTED = TrainingStarted(architecture="resnet50", epochs=3, class_names=["a", "b"], config={}, run_id="R", seq=1)
COMPLETE = TrainingComplete(
    final_metrics={"accuracy": 0.5},
    history={},
    checkpoint="R/best",
    best_epoch=1,
    epochs_run=2,
    stopped_early=False,
    duration_s=1.0,
    run_id="R",
    seq=2,
)
EXPORTED = ExportComplete(format="onnx", path="exports/onnx/R.onnx", size=1, size_mb=1, checkpoint="R/best")
Perform = Callable[[AnyJob, Callable[[], bool]], Iterator[Event]]


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[AnyJob]:
    """The jobs asked of a stand-in for the worker, which trains and exports at once."""
    asked: list[AnyJob] = []

    def perform(job: AnyJob, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        asked.append(job)
        yield from ([EXPORTED] if isinstance(job, Export) else [STARTED, COMPLETE])

    put_in_place(monkeypatch, perform)
    return asked


def put_in_place(monkeypatch: pytest.MonkeyPatch, perform: Perform) -> None:
    module = types.ModuleType("breastai.worker")
    module.perform = perform  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "breastai.worker", module)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for class_name in ("benign", "malignant"):
        folder = tmp_path / "data/train" / class_name
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def play(story: Callable[[], Awaitable[Any]]) -> Any:
    async def perform() -> Any:
        async with asyncio.timeout(60):
            return await story()

    return asyncio.run(perform())


async def system_with(url: str, config: Any = None) -> BreastAITrainingSystem:
    broadcaster = TrainingBroadcaster(url)
    await broadcaster.connect()
    return BreastAITrainingSystem(MedicalProductionConfig(config), TrainingStateManager(broadcaster))


async def begun(system: BreastAITrainingSystem) -> None:
    """Wait until the system's run has begun; the state is told of each event on the loop."""
    begun = asyncio.Event()
    apply = system.state.apply

    async def watched(event: Event) -> None:
        await apply(event)
        begun.set()

    system.state.apply = watched  # type: ignore[method-assign]
    await begun.wait()


def test_the_configuration_is_a_file_a_dictionary_or_the_workspaces_own(place: Path) -> None:
    assert MedicalProductionConfig().config.training.epochs == 50
    assert MedicalProductionConfig({"epochs": 3, "model": {"dropout_rate": 0.1}}).config.training.epochs == 3
    (place / "config.json").write_text('{"training": {"epochs": 4}}')
    assert MedicalProductionConfig().config.training.epochs == 4
    assert MedicalProductionConfig("config.json").config.training.epochs == 4
    with pytest.raises(ConfigUnreadable):
        MedicalProductionConfig("none.json")
    with pytest.raises(ConfigInvalid, match="epoch: unknown key"):
        MedicalProductionConfig({"epoch": 3})


def test_without_a_listener_everything_goes_on(place: Path, jobs: list[AnyJob]) -> None:
    async def story() -> None:
        broadcaster = TrainingBroadcaster(NOBODY)
        assert await broadcaster.connect() is False
        state = TrainingStateManager(broadcaster)
        system = BreastAITrainingSystem(MedicalProductionConfig(), state)
        assert await system.setup_training() == {"benign": 1, "malignant": 1}
        assert await system.start_training(epochs=2) == COMPLETE
        assert (state.run_id, state.checkpoint, state.final_metrics) == ("R", "R/best", {"accuracy": 0.5})
        assert await system.export_model("onnx") == Path("exports/onnx/R.onnx")
        await broadcaster.close()

    play(story)
    train, export = jobs
    assert isinstance(train, Train) and train.config.training.epochs == 2
    assert train.workspace == str(place.resolve())
    assert isinstance(export, Export) and (export.checkpoint, export.format) == ("R/best", "onnx")


def test_a_plain_listener_gets_every_event_as_json(place: Path, jobs: list[AnyJob]) -> None:
    received: list[str] = []

    async def listener(connection: ServerConnection) -> None:
        async for text in connection:
            received.append(json.loads(text)["type"])  # noqa: PERF401 - seen while it comes

    async def story() -> None:
        async with serve(listener, "localhost", 0) as server:
            system = await system_with(f"ws://localhost:{server.sockets[0].getsockname()[1]}")
            assert system.state.broadcaster.connected
            await system.start_training()
            await system.state.broadcaster.close()

    play(story)
    assert received == ["training_started", "training_complete"]


def test_a_listener_that_leaves_does_not_end_the_run(place: Path, jobs: list[AnyJob]) -> None:
    async def leaver(connection: ServerConnection) -> None:
        await connection.send("not json")  # greeted at once, so that connect() does not wait
        await connection.recv()

    async def story() -> Event:
        async with serve(leaver, "localhost", 0) as server:
            system = await system_with(f"ws://localhost:{server.sockets[0].getsockname()[1]}")
            for connection in server.connections:
                connection.transport.abort()
            return await system.start_training()

    assert play(story) == COMPLETE


def test_a_breastai_server_takes_the_work_so_that_its_pages_see_it(place: Path, jobs: list[AnyJob]) -> None:
    worker = place / "worker.py"
    worker.write_text(
        "import json, sys\n"
        "job = json.loads(sys.stdin.readline())\n"
        f"lines = {[STARTED.model_dump_json(), COMPLETE.model_dump_json()]!r}\n"
        "for line in lines if job['kind'] == 'train' else []:\n"
        "    print(json.dumps(json.loads(line) | {'run_id': job['run_id'], 'session_id': 'default'}), flush=True)\n"
        f"if job['kind'] == 'export': print({EXPORTED.model_dump_json()!r}, flush=True)\n"
    )

    async def story() -> None:
        options = Options(workspace=Workspace.open(place), port=0, worker_command=(sys.executable, str(worker)))
        async with running_server(options) as server:
            system = await system_with(f"ws://localhost:{server.port}", {"epochs": 3})
            ended = await system.start_training()
            assert isinstance(ended, TrainingComplete)
            assert system.state.run_id == ended.run_id != "R"
            assert server.services.sessions.get("default").run_id == ended.run_id
            await system.state.broadcaster.close()

    play(story)
    assert jobs == []


def test_images_the_server_may_not_read_are_trained_on_here(
    place: Path, jobs: list[AnyJob], tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> Event:
        elsewhere = Workspace.open(tmp_path_factory.mktemp("elsewhere"))
        async with running_server(Options(workspace=elsewhere, port=0)) as server:
            system = await system_with(f"ws://localhost:{server.port}")
            ended = await system.start_training()
            await system.state.broadcaster.close()
            return ended

    assert play(story) == COMPLETE
    assert len(jobs) == 1
    assert "It runs here instead" in caplog.text


def test_a_failed_run_raises_its_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = error_event(LossNotFinite(3, 3, 12.5))
    put_in_place(monkeypatch, lambda job, stop: iter([STARTED, failure, TrainingStopped(reason="error")]))

    async def story() -> None:
        await (await system_with(NOBODY)).start_training()

    with pytest.raises(LossNotFinite):
        play(story)


def test_setting_up_finds_what_is_wrong_with_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/train").mkdir(parents=True)

    async def story() -> None:
        await (await system_with(NOBODY)).setup_training()

    with pytest.raises(NoClassFolders):
        play(story)


def test_there_is_nothing_to_export_before_a_training(place: Path, jobs: list[AnyJob]) -> None:
    async def story() -> None:
        await (await system_with(NOBODY)).export_model()

    with pytest.raises(NoCurrentModel):
        play(story)


def test_the_loop_goes_on_while_a_run_computes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def busy(job: AnyJob, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        yield STARTED
        assert released.wait(30)  # only a loop that goes on can release it
        yield COMPLETE

    put_in_place(monkeypatch, busy)

    async def story() -> Event:
        system = await system_with(NOBODY)
        run = asyncio.create_task(system.start_training())
        await begun(system)
        released.set()
        return await run

    assert play(story) == COMPLETE


def test_cancelling_stops_the_run_and_waits_until_it_has_saved(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = threading.Event()

    def patient(job: AnyJob, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        yield STARTED
        while not stop_requested():
            pass
        saved.set()
        yield TrainingStopped(reason="user")

    put_in_place(monkeypatch, patient)

    async def story() -> None:
        system = await system_with(NOBODY)
        run = asyncio.create_task(system.start_training())
        await begun(system)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert saved.is_set()

    play(story)
