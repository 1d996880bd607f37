"""The clients, against a real server whose worker plays a script."""

import asyncio
import inspect
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from breastai.blocking_client import BlockingClient
from breastai.client import Client, build_request, error_from_event
from breastai.domain.errors import (
    CheckpointNotFound,
    ConfigInvalid,
    ConnectionLost,
    LossNotFinite,
    NoCurrentModel,
    NothingToStop,
    RefusedByServer,
    RequestInvalid,
    RequestTimedOut,
    RequestUnknown,
    ServerUnreachable,
    SessionBusy,
    all_errors,
)
from breastai.domain.event_messages import encode_event, error_event, event_values
from breastai.domain.events import (
    ConnectionEstablished,
    Error,
    Event,
    ExplanationsComplete,
    ExportComplete,
    HeatMap,
    Prediction,
    PredictionsComplete,
    Snapshot,
    StudyMemberChanged,
    StudyStarted,
    StudyStopped,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
    TrainingUpdate,
    UnknownEvent,
)
from breastai.domain.metric_catalog import MONITORS
from breastai.domain.requests import REQUESTS, Ping
from breastai.domain.study import Study, StudyKind, StudyMember
from breastai.server.app import Options, RunningServer, running_server
from breastai.storage.lease import Lease
from breastai.storage.workspace import Workspace

WITHIN_S = 60.0
WORKER = """
import json, os, sys
folder = sys.argv[1]
line = sys.stdin.readline()
job = json.loads(line)
if not os.path.exists(f"{folder}/{job['kind']}.jsonl"):  # what needs no network is done for real
    from breastai.worker import job_adapter, perform
    for event in perform(job_adapter().validate_json(line)):
        print(event.model_dump_json(), flush=True)
    sys.exit()
number = 0
for line in open(f"{folder}/{job['kind']}.jsonl", encoding="utf-8"):
    if line.startswith("until stopped"):
        sys.stdin.readline()
    elif line.startswith("at the gate"):
        open(f"{folder}/gate").read()
    else:
        values = json.loads(line)
        if job["kind"] in ("train", "resume"):
            number += 1
            values |= {"run_id": job["run_id"], "seq": number}
        print(json.dumps(values | {"session_id": job["session_id"]}), flush=True)
"""

STARTED = TrainingStarted(architecture="resnet50", epochs=3, class_names=["benign", "malignant"], config={})
COMPLETE = TrainingComplete(
    final_metrics={}, history={}, checkpoint="R/best", best_epoch=1, epochs_run=2, stopped_early=False, duration_s=1.0
)
FAILED = (error_event(LossNotFinite(3, 3, 12.5)), TrainingStopped(reason="error", checkpoint="R/last"))


def epoch(number: int) -> TrainingUpdate:
    values: dict[str, Any] = dict.fromkeys(
        (name for name, info in TrainingUpdate.model_fields.items() if info.is_required()), None
    )
    values |= {
        "metrics": dict.fromkeys(MONITORS),
        "epoch": number,
        "epochs": 3,
        "learning_rate": 0.1,
        "epoch_s": 1.0,
        "is_best": True,
    }
    return TrainingUpdate(**values | {"val_confusion_matrix": [[1]], "val_per_class": {}})


class Stage:
    """A server in a workspace; `plays` says what its worker tells, `open_gate` lets it go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace.open(folder / "workspace")
        for class_name in ("benign", "malignant"):
            (self.workspace.root / "data/train" / class_name).mkdir(parents=True)
        (folder / "worker.py").write_text(WORKER)
        os.mkfifo(folder / "gate")

    def plays(self, kind: str, *lines: Event | str) -> None:
        text = "\n".join(line if isinstance(line, str) else encode_event(line) for line in lines)
        (self.folder / f"{kind}.jsonl").write_text(text + "\n", encoding="utf-8")

    def has_checkpoint(self) -> None:
        """Put what counts as R/best into the workspace; none of these tests reads it."""
        folder = self.workspace.checkpoint_dir("R")
        folder.mkdir()
        for suffix in (".safetensors", ".json"):
            (folder / f"best{suffix}").write_bytes(b"{}")

    async def open_gate(self) -> None:
        def write() -> None:
            with (self.folder / "gate").open("w") as gate:
                gate.write("go")

        await asyncio.to_thread(write)

    @asynccontextmanager
    async def server(self, port: int = 0) -> AsyncIterator[RunningServer]:
        command = (sys.executable, str(self.folder / "worker.py"), str(self.folder))
        async with running_server(Options(workspace=self.workspace, port=port, worker_command=command)) as server:
            yield server


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def play(stage: Stage, story: Callable[[Client, RunningServer], Awaitable[None]]) -> None:
    """Run a story with a client of a running server, within a deadline."""

    async def perform() -> None:
        async with (
            asyncio.timeout(WITHIN_S),
            stage.server() as server,
            Client(f"ws://localhost:{server.port}") as client,
        ):
            await story(client, server)

    asyncio.run(perform())


def cut_connections(server: RunningServer) -> None:
    """Break every connection as a failing network does."""
    for client in server.services.hub._clients:
        client.connection.transport.abort()


def kinds(events: list[Event]) -> list[str]:
    return [event.type for event in events]


# --- a run ---------------------------------------------------------------------------------------


def test_training_yields_the_events_of_the_run_to_its_end(stage: Stage) -> None:
    stage.plays("train", STARTED, epoch(1), epoch(2), COMPLETE)

    async def story(client: Client, server: RunningServer) -> None:
        events = [event async for event in client.train({"epochs": 3})]
        assert kinds(events) == ["training_started", "training_update", "training_update", "training_complete"]
        assert [event.seq for event in events] == [1, 2, 3, 4]

    play(stage, story)


def test_every_request_is_a_method_of_the_clients_by_its_type(stage: Stage) -> None:
    async def story(client: Client, server: RunningServer) -> None:
        for kind, model in REQUESTS.items():
            assert callable(getattr(client, kind)), kind
            assert model.answers
        assert (await client.list_runs(search="none")).runs == []
        assert (await client.get_queue()).entries == []
        with pytest.raises(RequestInvalid, match="limit"):
            await client.list_runs(limit=0)
        with pytest.raises(AttributeError, match="make_coffee"):
            await client.make_coffee()

    play(stage, story)


def test_a_failed_run_raises_its_error_after_its_last_event(stage: Stage) -> None:
    stage.plays("train", STARTED, *FAILED)

    async def story(client: Client, server: RunningServer) -> None:
        events = []
        with pytest.raises(LossNotFinite) as caught:
            async for event in client.train():
                events.append(event)  # noqa: PERF401 - those before the error are wanted
        assert caught.value.params == {"epoch": 3, "rollbacks": 3, "rate_percent": 12.5}
        assert kinds(events) == ["training_started", "error", "training_stopped"]

    play(stage, story)


def test_a_refused_start_raises_the_servers_error(stage: Stage) -> None:
    async def story(client: Client, server: RunningServer) -> None:
        with pytest.raises(ConfigInvalid, match=r"training\.epochs: expected a whole number from 1 to 10000"):
            await anext(client.train({"training": {"epochs": -1}}))
        with pytest.raises(RequestInvalid, match="epochs"):
            await anext(client.train(epochs=0))

    play(stage, story)


def test_a_second_run_is_refused_while_one_goes_on_and_stop_ends_the_first(stage: Stage) -> None:
    stage.plays("train", STARTED, "until stopped", TrainingStopped(reason="user", checkpoint="R/last"))

    async def story(client: Client, server: RunningServer) -> None:
        run = client.train()
        assert isinstance(await anext(run), TrainingStarted)
        with pytest.raises(SessionBusy):
            await anext(client.train())
        stopped = await client.stop()
        assert isinstance(stopped, TrainingStopped)
        assert kinds([event async for event in run]) == ["training_stopped"]
        with pytest.raises(NothingToStop):
            await client.stop()

    play(stage, story)


def test_a_broken_connection_loses_no_event_and_repeats_none(stage: Stage) -> None:
    stage.plays("train", STARTED, epoch(1), "at the gate", epoch(2), epoch(3), COMPLETE)

    async def story(client: Client, server: RunningServer) -> None:
        events = []
        async for event in client.train():
            events.append(event)
            if isinstance(event, TrainingUpdate) and event.epoch == 1:
                cut_connections(server)
                await stage.open_gate()
        assert [event.seq for event in events] == [1, 2, 3, 4, 5]
        assert kinds(events)[-1] == "training_complete"

    play(stage, story)


def test_a_server_that_is_gone_for_good_ends_the_loop(stage: Stage) -> None:
    stage.plays("train", STARTED, "until stopped", TrainingStopped(reason="server_gone"))

    async def story() -> None:
        async with asyncio.timeout(WITHIN_S):
            async with stage.server() as server:
                client = Client(f"ws://localhost:{server.port}", reconnect_s=0.1)
                await client.connect()
                run = client.train()
                await anext(run)
            ending = []
            with pytest.raises(ConnectionLost):
                async for event in run:
                    ending.append(event)  # noqa: PERF401 - it may or may not have been told in time
                if kinds(ending) == ["training_stopped"]:
                    raise ConnectionLost(client.url)
            await client.close()

    asyncio.run(story())


def test_closing_the_client_ends_its_loop_while_the_run_goes_on(stage: Stage) -> None:
    stage.plays("train", STARTED, "until stopped", TrainingStopped(reason="user"))

    async def story(client: Client, server: RunningServer) -> None:
        run = client.train()
        await anext(run)
        await client.close()
        with pytest.raises(ConnectionLost):
            await anext(run)
        async with Client(client.url) as other:
            assert (await other.status()).snapshot.state == "running"

    play(stage, story)


# --- requests ------------------------------------------------------------------------------------


def test_each_request_gets_its_own_answer_whatever_the_order(stage: Stage) -> None:
    async def story(client: Client, server: RunningServer) -> None:
        answers = await asyncio.gather(*(client.request("ping", timestamp=number) for number in range(20)))
        assert [answer.timestamp for answer in answers] == list(range(20))  # type: ignore[attr-defined]

    play(stage, story)


def test_what_the_server_keeps_in_files_is_asked_for_by_name(stage: Stage) -> None:
    async def story(client: Client, server: RunningServer) -> None:
        assert client.welcome is not None and "tf_efficientnet_lite0" in json.dumps(client.welcome.catalog)
        assert await client.checkpoints() == []
        assert (await client.save_config({"training": {"epochs": 7}}))["training"]["epochs"] == 7
        assert (await client.config())["training"]["epochs"] == 7
        assert (await client.diagnostics()).cpu_count >= 1
        assert (stage.workspace.root / (await client.backup()).path).is_file()
        assert (await client.status()).snapshot.state == "idle"
        assert (await client.ping()).timestamp is None
        for request in (client.load_checkpoint("R/best"), client.delete_checkpoint("R/best")):
            with pytest.raises(CheckpointNotFound):
                await request
        with pytest.raises(NoCurrentModel):
            await client.export()

    play(stage, story)


def test_a_null_setting_reaches_the_server_as_null(stage: Stage) -> None:
    async def story(client: Client, server: RunningServer) -> None:
        await client.save_config({"model": {"num_classes": 3}})
        assert (await client.save_config({"model": {"num_classes": None}}))["model"]["num_classes"] is None

    play(stage, story)


def test_a_request_that_is_none_is_refused_before_it_is_sent() -> None:
    with pytest.raises(RequestUnknown, match="does not know the request shutdown"):
        build_request("shutdown", {})
    with pytest.raises(RequestInvalid, match="checkpoint: missing"):
        build_request("load_checkpoint", {})
    assert build_request(Ping(timestamp=1), {}) == Ping(timestamp=1)


@pytest.mark.parametrize("code", ["data.no_class_folders", "run.locked", "worker.killed"])
def test_an_error_event_becomes_the_exception_it_was_made_from(code: str) -> None:
    kind = all_errors()[code]
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    error = kind(**dict.fromkeys(names, "x"))
    rebuilt = error_from_event(error_event(error))
    assert type(rebuilt) is kind and str(rebuilt) == str(error)


@pytest.mark.parametrize(
    "event",
    [Error(code="new.code", message="News."), Error(code="run.locked", message="News.", params={"other": 1})],
)
def test_an_error_of_another_version_is_still_raised_with_its_message(event: Error) -> None:
    error = error_from_event(event)
    assert isinstance(error, RefusedByServer) and "News." in str(error)


# --- who answers, and when -----------------------------------------------------------------------


def test_without_a_server_the_message_says_how_to_start_one() -> None:
    async def story() -> None:
        async with Client("ws://localhost:9"):
            raise AssertionError("connected to nothing")

    with pytest.raises(ServerUnreachable, match=r"python -m breastai\.server"):
        asyncio.run(story())


@pytest.mark.parametrize("greeting", ["hello", '{"type": "pong"}', None])
def test_a_server_of_another_kind_is_not_taken_for_ours(greeting: str | None) -> None:
    async def handler(connection: ServerConnection) -> None:
        if greeting is not None:
            await connection.send(greeting)
        await connection.wait_closed()

    async def story() -> None:
        async with serve(handler, "localhost", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(ServerUnreachable):
                await Client(f"ws://localhost:{port}", timeout_s=0.3).connect()

    asyncio.run(story())


WELCOME = ConnectionEstablished(
    version="9.0.0",
    research_use="",
    catalog={},
    config={},
    config_schema={},
    snapshot=Snapshot(session_id="default", state="idle"),
)


async def answered_with(answer: dict[str, Any], ask: Callable[[Client], Awaitable[Any]]) -> Any:
    """Ask a server of a later version, whose welcome holds a key more and whose every answer is `answer`."""

    async def handler(connection: ServerConnection) -> None:
        await connection.send(json.dumps(event_values(WELCOME) | {"a_new_key": {"deep": [1]}}))
        async for message in connection:
            await connection.send(json.dumps(answer | {"request_id": json.loads(message)["request_id"]}))

    async with serve(handler, "localhost", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Client(f"ws://localhost:{port}", timeout_s=WITHIN_S) as client:
            return await asyncio.wait_for(ask(client), WITHIN_S)


def test_an_answer_with_a_field_of_a_later_version_is_an_answer() -> None:
    pong = asyncio.run(answered_with({"type": "pong", "timestamp": 1.0, "load": 0.5}, Client.ping))
    assert pong.timestamp == 1.0
    assert event_values(pong)["load"] == 0.5


def test_an_answer_that_only_a_later_version_knows_is_told_and_not_waited_for() -> None:
    answer = {"type": "pong_with_load", "load": 0.5}
    with pytest.raises(RefusedByServer, match="pong_with_load is of a later version"):
        asyncio.run(answered_with(answer, Client.ping))
    got = asyncio.run(answered_with(answer, lambda client: client.request("ping")))
    assert isinstance(got, UnknownEvent)
    assert event_values(got)["load"] == 0.5


def test_an_answer_with_a_value_that_only_a_later_version_knows_is_told() -> None:
    answer = {"type": "pong", "timestamp": {"seconds": 1}}
    with pytest.raises(RefusedByServer, match="pong is of a later version"):
        asyncio.run(answered_with(answer, Client.ping))


def test_an_answer_that_does_not_come_ends_at_the_deadline(stage: Stage) -> None:
    stage.plays("train", "at the gate", STARTED, COMPLETE)

    async def story(client: Client, server: RunningServer) -> None:
        with pytest.raises(RequestTimedOut, match="start_training within 0"):
            await client.request("start_training", timeout_s=0.05)
        await stage.open_gate()

    play(stage, story)


# --- images, studies -----------------------------------------------------------------------------

PREDICTED = [
    Prediction(file=f"{name}.png", label="benign", probabilities={"benign": 0.75, "malignant": 0.25}) for name in "ab"
]


def test_what_is_said_of_each_image_comes_back_in_order(stage: Stage) -> None:
    stage.has_checkpoint()
    stage.plays("predict", *PREDICTED, PredictionsComplete(count=2, failed=0))
    heat = HeatMap(file="a.png", explained_class="benign", probabilities=None, path="maps/a.png")
    stage.plays("explain", heat, ExplanationsComplete(count=1, failed=0, folder="maps"))
    image = stage.workspace.root / "data/train/benign/a.png"
    image.write_bytes(b"")

    async def story(client: Client, server: RunningServer) -> None:
        wanted = [str(image)]
        said = await client.predict(wanted, checkpoint="R/best")
        assert [each.file for each in said] == ["a.png", "b.png"]
        assert isinstance(said.complete, PredictionsComplete) and said.complete.count == 2
        assert [each.file for each in await client.predict_images(images=wanted, checkpoint="R/best")] == [
            "a.png",
            "b.png",
        ]
        maps = await client.explain(wanted, checkpoint="R/best")
        assert [each.path for each in maps] == ["maps/a.png"]

    play(stage, story)


def study_events(study_id: str, kind: StudyKind) -> list[Event]:
    member = StudyMember(run_id="F1", epochs=1)
    study = Study(study_id=study_id, kind=kind, created="2026-11-30", config={}, members=[member])
    changed = StudyMemberChanged(study_id=study_id, member=member.model_copy(update={"state": "running"}))
    return [StudyStarted(study=study), changed, StudyStopped(study_id=study_id, kind=kind, reason="user")]


@pytest.mark.parametrize(("method", "kind", "job"), [("crossval", "crossval", "crossval"), ("tune", "tuning", "tune")])
def test_a_study_yields_its_events_to_the_last(stage: Stage, method: str, kind: StudyKind, job: str) -> None:
    stage.plays(job, *study_events("S", kind))

    async def story(client: Client, server: RunningServer) -> None:
        heard = [event async for event in getattr(client, method)({"epochs": 1})]
        assert kinds(heard) == ["study_started", "study_member", "study_stopped"]

    play(stage, story)


def test_a_study_whose_connection_broke_is_told_as_it_is_then(stage: Stage) -> None:
    begun, changed, stopped = study_events("S", "crossval")
    stage.plays("crossval", begun, changed, "at the gate", stopped)

    async def story(client: Client, server: RunningServer) -> None:
        heard = []
        folder = stage.workspace.run_dir("S")
        folder.mkdir(parents=True)
        assert isinstance(begun, StudyStarted)
        (folder / "study.json").write_text(begun.study.model_dump_json())
        with Lease(stage.workspace).take("S"):
            async for event in client.crossval():
                heard.append(event.type)
                if event.type == "study_member":
                    assert client._connection is not None
                    client._connection.transport.abort()
                elif event.type == "study":
                    await stage.open_gate()
        assert heard == ["study_started", "study_member", "study", "study_stopped"]

    play(stage, story)


def test_a_study_that_fails_raises_its_error(stage: Stage) -> None:
    stage.plays("crossval", study_events("S", "crossval")[0], error_event(LossNotFinite(3, 3, 12.5)))

    async def story(client: Client, server: RunningServer) -> None:
        with pytest.raises(LossNotFinite):
            _ = [event async for event in client.crossval()]

    play(stage, story)


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_as_a_method_says_what_it_takes(kind: str) -> None:
    client = Client()
    assert kind in dir(client)
    method = client.__getattr__(kind)
    model = REQUESTS[kind]
    own = set(model.model_fields) - {"type", "session_id", "request_id"}
    assert set(inspect.signature(method).parameters) == own
    assert str(model.__doc__) in str(method.__doc__)


# --- blocking ------------------------------------------------------------------------------------


def test_the_blocking_client_does_the_same_without_an_event_loop(stage: Stage) -> None:
    stage.plays("train", STARTED, epoch(1), COMPLETE)
    stage.plays(
        "export", ExportComplete(format="onnx", path="exports/onnx/x.onnx", size=1, size_mb=1, checkpoint="R/best")
    )
    stage.has_checkpoint()
    stage.plays("predict", *PREDICTED, PredictionsComplete(count=2, failed=0))
    stage.plays("crossval", *study_events("S", "crossval"))

    def script(port: int) -> None:
        with BlockingClient(f"ws://localhost:{port}") as client:
            assert client.welcome is not None
            assert kinds(list(client.train())) == ["training_started", "training_update", "training_complete"]
            assert client.ping().timestamp is None
            assert "predict_images" in dir(client)
            assert client.get_queue().entries == []
            assert [each.file for each in client.predict(["data"], checkpoint="R/best")] == ["a.png", "b.png"]
            assert kinds(list(client.crossval())) == ["study_started", "study_member", "study_stopped"]
            assert client.status().snapshot.current_model == "R/best"
            with pytest.raises(CheckpointNotFound):
                client.export("onnx", "none/best")
            for event in client.train():
                assert isinstance(event, TrainingStarted)
                break

    async def perform() -> None:
        async with asyncio.timeout(WITHIN_S), stage.server() as server:
            await asyncio.to_thread(script, server.port)

    asyncio.run(perform())


def test_the_blocking_client_leaves_no_thread_when_it_finds_no_server() -> None:
    import threading

    before = threading.active_count()
    with pytest.raises(ServerUnreachable), BlockingClient("ws://localhost:9"):
        pass
    assert threading.active_count() == before
