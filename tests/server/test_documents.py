"""Texts over real sockets: configurations are checked, named and written; logs and records can only be read."""

import json

import pytest


def test_a_configuration_is_checked_without_being_written(play, workspace):
    async def story(stage):
        script = await stage.connect()
        checked = await script.ask("check_config", config={"training": {"epochs": 0}, "data": {"colour": 1}})
        assert checked["problems"] == [
            "data.colour: unknown key",
            "training.epochs: expected a whole number from 1 to 10000, got 0",
        ]
        assert (await script.ask("check_config", config={"training": {"epochs": 3}}, preset="quick"))["problems"] == []
        assert (await script.ask("check_config", config={}, preset="none"))["problems"][0].startswith("preset: ")
        # What config.json says counts too, unless the configuration stands alone.
        workspace.config_file.write_text('{"training": {"epochs": -1}}')
        assert len((await script.ask("check_config", config={}))["problems"]) == 1
        assert (await script.ask("check_config", config={}, whole=True))["problems"] == []
        assert workspace.config_file.read_text() == '{"training": {"epochs": -1}}'

    play(story)


def test_a_whole_configuration_replaces_the_file_but_for_its_server_section(play, workspace):
    workspace.config_file.write_text('{"training": {"momentum": 0.5}, "server": {"port": 9000}}')

    async def story(stage):
        script = await stage.connect()
        await script.ask("save_config", config={"training": {"epochs": 7}}, whole=True)
        saved = json.loads(workspace.config_file.read_text())
        assert (saved["training"]["epochs"], saved["training"]["momentum"], saved["server"]["port"]) == (7, 0.9, 9000)
        refused = await script.ask("save_config", config={"server": {"port": 1234}}, whole=True)
        assert refused["code"] == "config.invalid"

    play(story)


def test_a_named_configuration_is_kept_as_it_was_written_listed_and_deleted(play, workspace):
    async def story(stage):
        script, other = await stage.connect(), await stage.connect()
        before = (await script.ask("get_config"))["config"]
        saved = await script.ask("save_config", config={"training": {"epochs": 7}}, name="night")
        assert (saved["path"], saved["name"]) == ("configs/night.json", "night")
        assert (await other.until("config_saved"))["name"] == "night"
        assert (await script.ask("get_config"))["config"] == before
        shown = await script.ask("get_document", kind="named_config", name="night")
        assert json.loads(shown["text"]) == {"training": {"epochs": 7}}
        assert shown["editable"]
        listed = (await script.ask("list_documents"))["documents"]
        assert [entry["name"] for entry in listed if entry["kind"] == "named_config"] == ["night"]
        assert (await script.ask("delete_config", name="night"))["name"] == "night"
        assert (await script.ask("delete_config", name="night"))["code"] == "document.not_found"
        assert list(workspace.configs_dir.iterdir()) == []

    play(story)


@pytest.mark.parametrize(
    ("name", "config", "code"),
    [
        ("../config", {}, "request.invalid"),
        ("a/b", {}, "request.invalid"),
        ("nul", {}, "name.invalid"),
        ("night", {"training": {"epochs": 0}}, "config.invalid"),
        ("night", {"server": {"port": 80}}, "config.invalid"),
    ],
)
def test_a_bad_name_or_configuration_writes_nothing(play, workspace, name, config, code):
    async def story(stage):
        script = await stage.connect()
        assert (await script.ask("save_config", config=config, name=name))["code"] == code
        assert not workspace.configs_dir.exists()
        assert not workspace.config_file.exists()

    play(story)


def test_texts_are_found_by_name_alone_and_never_outside_the_workspace(play, workspace, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text('{"secret": 1}')
    run = workspace.run_dir("run-1")
    run.mkdir()
    workspace.journal_file("run-1").write_text("{}\n")
    (run / "worker.log").write_text("loud\n")
    (run / "evaluations").mkdir()
    (run / "evaluations/test-1.json").write_text("{}")
    checkpoint = workspace.checkpoint_dir("run-1")
    checkpoint.mkdir()
    (checkpoint / "best.json").write_text('{"epoch": 1}')
    (checkpoint / "last.json").symlink_to(secret)

    async def story(stage):
        script = await stage.connect()
        documents = (await script.ask("list_documents"))["documents"]
        listed = {(entry["kind"], entry["name"]) for entry in documents if entry["kind"] != "server_log"}
        assert listed == {
            ("journal", "run-1"), ("worker_log", "run-1"), ("evaluation", "run-1/test-1"), ("manifest", "run-1/best"),
        }  # fmt: skip
        shown = await script.ask("get_document", kind="manifest", name="run-1/best")
        assert (shown["text"], shown["size"], shown["cut"], shown["editable"]) == ('{"epoch": 1}', 12, False, False)
        for kind, name in (("manifest", "run-1/last"), ("manifest", "../config"), ("journal", "/etc/passwd")):
            assert (await script.ask("get_document", kind=kind, name=name))["code"] == "document.not_found"
        assert (await script.ask("get_document", kind="secret", name="x"))["code"] == "request.invalid"
        # Without a file the defaults hold.
        assert (await script.ask("get_document", kind="config", name="config.json"))["text"] == "{}\n"

    play(story)


def test_of_a_long_text_the_end_is_shown_from_the_beginning_of_a_line(play, workspace):
    run = workspace.run_dir("run-1")
    run.mkdir()
    lines = [f"é line {number}\n" for number in range(40_000)]
    (run / "worker.log").write_text("".join(lines), encoding="utf-8")

    async def story(stage):
        script = await stage.connect()
        shown = await script.ask("get_document", kind="worker_log", name="run-1")
        assert shown["cut"]
        assert shown["size"] == sum(len(line.encode()) for line in lines)
        count = shown["text"].count("\n")
        assert 10_000 < count < 40_000
        assert shown["text"] == "".join(lines[-count:])

    play(story)
