"""Who asked for what."""

import json

from breastai.domain.requests import REQUESTS, StartTraining
from breastai.server.logs.audit_log import request_fields


def lines(workspace) -> list[dict]:
    return [json.loads(line) for line in (workspace.logs_dir / "audit.log").read_text().splitlines()]


def test_what_a_client_asks_for_is_written_down_with_its_answer(play, workspace):
    async def story(stage):
        script = await stage.connect(origin=f"http://127.0.0.1:{stage.port}")
        for _ in range(3):
            await script.ask("ping")
        await script.ask("load_checkpoint", checkpoint="../../etc/passwd")
        await script.ask("save_config", config={"training": {"epochs": 3}, "model": {"dropout_rate": 0.1}})
        await script.send("nonsense")
        await script.next()
        await script.socket.close()
        watcher = await stage.connect()
        while len(stage.services.hub) > 1:
            await watcher.ask("ping")

    play(story)
    written = lines(workspace)
    connected = next(line for line in written if line["happened"] == "connected")
    mine = [line for line in written if line["peer"] == connected["peer"]]
    assert [line["happened"] for line in mine] == ["connected", "asked", "asked", "left"]
    assert connected["origin"].startswith("http://127.0.0.1:")
    _, load, save, left = mine
    assert (load["asked"], load["checkpoint"], load["answer"]) == (
        "load_checkpoint",
        "../../etc/passwd",
        "checkpoint.not_found",
    )
    assert (save["asked"], save["answer"]) == ("save_config", "accepted")
    assert save["settings"] == ["training.epochs", "model.dropout_rate"]
    assert left["looked"] == {"ping": 3, "refused": 1}


def test_every_request_is_written_or_counted_and_of_a_configuration_only_which_settings_it_sets():
    assert {request.looks_only for request in REQUESTS.values()} == {True, False}
    secret = {"data": {"train_dir": "Mme Dupont"}, "epochs": 3, "model": {"weights_file": "Mme Dupont"}}
    written = request_fields(StartTraining(config=secret, epochs=5, request_id="Mme Dupont"))
    assert "Dupont" not in json.dumps(written)
    assert written == {
        "asked": "start_training",
        "epochs": 5,
        "settings": ["data.train_dir", "epochs", "model.weights_file"],
    }


def test_a_flood_of_settings_is_a_short_line():
    written = request_fields(StartTraining(config={"k" * 900 + str(number): number for number in range(500)}))
    assert len(json.dumps(written)) < 20_000


def test_a_line_break_in_a_name_makes_no_line_of_its_own(play, workspace):
    async def story(stage):
        script = await stage.connect()
        await script.ask("load_checkpoint", checkpoint='x\n{"happened": "forged"}')

    play(story)
    assert not [line for line in lines(workspace) if line["happened"] == "forged"]
