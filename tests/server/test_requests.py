"""Requests that need only files, over real sockets."""

import asyncio
import json

import pytest

from breastai.domain.requests import REQUESTS, Request
from breastai.server.requests import connection
from breastai.server.requests.connection import HANDLERS


def test_every_request_has_exactly_one_handler():
    assert set(HANDLERS) == set(REQUESTS.values()) == set(Request.__subclasses__())


def test_the_welcome_has_all_a_page_needs(play):
    async def story(stage):
        await stage.connect()
        welcome = stage.welcome
        offered = {row["name"] for row in welcome["catalog"]["architectures"]}
        assert offered > {"resnet50", "tf_efficientnet_lite0"}
        assert "tiny_cnn" not in offered
        assert welcome["config_schema"]["properties"].keys() == welcome["config"].keys()
        assert welcome["snapshot"]["state"] == "idle"
        assert welcome["config_error"] is None
        assert "not a medical device" in welcome["research_use"]

    play(story)


def test_a_bad_config_file_is_told_of_and_the_defaults_are_shown(play, workspace):
    workspace.config_file.write_text('{"training": {"epochs": -1}}')

    async def story(stage):
        script = await stage.connect()
        assert "training.epochs" in str(stage.welcome["config_error"])
        assert stage.welcome["config"]["training"]["epochs"] == 50
        assert (await script.ask("get_config"))["code"] == "config.invalid"

    play(story)


@pytest.mark.parametrize(
    ("message", "code", "named"),
    [
        ("no json", "request.invalid", "JSON"),
        ("[1]", "request.invalid", "list"),
        ("[" * 100_000, "request.invalid", "JSON"),
        (b"\xff\xfe", "request.invalid", "JSON"),
        ('{"type": "fly"}', "request.unknown", "fly"),
        ('{"type": ["ping"]}', "request.unknown", "ping"),
        ('{"type": "ping", "speed": 1}', "request.invalid", "speed"),
        ('{"type": "start_training", "epochs": -1}', "request.invalid", "from 1 to 10000"),
        ('{"type": "get_history", "run_id": "../.."}', "request.invalid", "run_id"),
    ],
)
def test_a_message_that_is_no_request_gets_an_error_that_names_the_fault(play, message, code, named):
    async def story(stage):
        script = await stage.connect()
        await script.socket.send(message)
        error = await script.until("error")
        assert error["code"] == code
        assert named in error["message"]
        assert (await script.ask("ping"))["type"] == "pong"

    play(story)


def test_the_request_id_of_a_bad_request_is_echoed_too(play):
    async def story(stage):
        script = await stage.connect()
        assert (await script.ask("fly"))["code"] == "request.unknown"
        assert (await script.ask("ping", speed=1))["code"] == "request.invalid"

    play(story)


@pytest.mark.parametrize("kind", ["load_checkpoint", "delete_checkpoint", "resume_training"])
@pytest.mark.parametrize("name", ["none/best", "../../etc/passwd", "/etc/passwd", "a\\..\\b", "checkpoints/\x00"])
def test_a_checkpoint_that_is_not_there_is_named(play, kind, name):
    async def story(stage):
        script = await stage.connect()
        assert (await script.ask(kind, checkpoint=name))["code"] == "checkpoint.not_found"
        assert (await script.ask("list_checkpoints"))["checkpoints"] == []

    play(story)


def test_saving_overlays_the_file_and_everyone_hears_of_it(play, workspace):
    workspace.config_file.write_text('{"training": {"momentum": 0.5}}')

    async def story(stage):
        script, other = await stage.connect(), await stage.connect()
        saved = await script.ask("save_config", config={"training": {"epochs": 7}})
        assert saved["path"] == "config.json"
        heard = await other.until("config_saved")
        assert "request_id" not in heard
        on_disk = json.loads(workspace.config_file.read_text())
        assert on_disk == heard["config"] == (await script.ask("get_config"))["config"]
        assert (on_disk["training"]["epochs"], on_disk["training"]["momentum"]) == (7, 0.5)

    play(story)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"training": {"learning_rate": "fast"}}, "training.learning_rate"),
        ({"server": {"data_roots": ["/"]}}, "server"),
        ({"server": {"host": "0.0.0.0"}}, "server"),
    ],
)
def test_a_configuration_that_may_not_be_saved_leaves_the_file_alone(play, workspace, config, named):
    workspace.config_file.write_text("{}")

    async def story(stage):
        script = await stage.connect()
        error = await script.ask("save_config", config=config)
        assert error["code"] == "config.invalid"
        assert named in error["message"]
        # All sections may be sent back as they are, as the page's editor does.
        whole = (await script.ask("get_config"))["config"]
        assert workspace.config_file.read_text() == "{}"
        assert (await script.ask("save_config", config=whole))["type"] == "config_saved"

    play(story)


def test_diagnostics_and_a_backup_answer_with_figures(play):
    async def story(stage):
        script = await stage.connect()
        figures = await script.ask("system_diagnostics")
        assert 0 < figures["memory_percent"] <= 100
        assert figures["versions"]["websockets"]
        assert figures["worker_memory_mb"] is None
        await stage.training(script)
        assert (await script.ask("system_diagnostics"))["worker_memory_mb"] > 0
        backup = await script.ask("create_backup")
        assert (stage.workspace.root / backup["path"]).is_file()

    play(story)


def test_diagnostics_tell_what_the_workspace_takes_beside_its_budget(play, workspace):
    workspace.config_file.write_text('{"storage": {"disk_budget_gb": 2.5}}')
    workspace.exports_dir.mkdir(exist_ok=True)
    (workspace.exports_dir / "m.onnx").write_bytes(bytes(30 * 2**20))

    async def story(stage):
        figures = await (await stage.connect()).ask("system_diagnostics")
        assert (figures["workspace_gb"], figures["workspace_spare_gb"], figures["disk_budget_gb"]) == (0.03, 0, 2.5)

    play(story)


def test_a_polite_goodbye_is_answered_and_closes(play):
    async def story(stage):
        script = await stage.connect()
        answer = await script.ask("disconnect", message="bye", timestamp=1.5)
        assert answer["type"] == "disconnect_ack"
        await asyncio.wait_for(script.socket.wait_closed(), 10)
        assert script.socket.close_code == 1000

    play(story)


def test_a_client_with_too_many_open_requests_is_refused_and_others_are_not(play, monkeypatch):
    monkeypatch.setattr(connection, "MOST_REQUESTS_AT_ONCE", 3)

    async def story(stage):
        greedy, other = await stage.connect(), await stage.connect()
        for number in range(10):
            await greedy.send("system_diagnostics", request_id=number)  # each takes a fifth of a second
        refused = await greedy.until("error")
        assert (refused["code"], refused["request_id"]) == ("request.too_many", 3)
        assert (await other.ask("ping"))["type"] == "pong"

    play(story)


def test_an_unforeseen_fault_is_told_without_its_details_and_logged_in_full(play, workspace, monkeypatch):
    def broken(*_):
        raise KeyError("a secret")

    monkeypatch.setattr("breastai.server.requests.request_registry.checkpoints.list_checkpoints", broken)

    async def story(stage):
        script = await stage.connect()
        error = await script.ask("list_checkpoints")
        assert error["code"] == "internal"
        assert "secret" not in error["message"]

    play(story)
    assert "a secret" in (workspace.logs_dir / "server.log").read_text()


def test_a_client_that_asks_for_version_3_is_told_of_a_run_in_its_words_and_others_are_not(play):
    async def story(stage):
        ours = await stage.connect()
        theirs = await stage.connect("?version=3")
        puppet = await stage.training(ours)
        puppet.epoch(1)
        assert (await ours.until("training_update"))["val_accuracy"] == 0.5
        assert (await theirs.until("training_update"))["val_accuracy"] == 50.0
        await theirs.send("list_checkpoints")
        assert (await theirs.until("checkpoints_list"))["checkpoints"] == []
        puppet.complete()
        await theirs.until("training_complete")

    play(story)
