"""What the server does unasked, and what it offers: interrupted runs, scheduled backups."""

import asyncio
import contextlib
import json
import os
import sys

import pytest

from breastai.domain.config import Config
from breastai.domain.events import Log, TrainingStarted, TrainingStopped
from breastai.server import background_tasks
from breastai.server.jobs import preview_worker
from breastai.storage.backup_archive import backup_is_due, create_backup, list_backups
from breastai.storage.journal import Journal
from breastai.storage.lease import Lease

STARTED = TrainingStarted(
    architecture="resnet50", epochs=5, class_names=["benign", "malignant"], config=Config().model_dump(mode="json")
)


def interrupt(workspace, run_id, *more):
    journal = Journal(workspace.journal_file(run_id), run_id, "default")
    for event in (STARTED, *more):
        journal.stamp(event)
    journal.close()


def configure(workspace, **storage):
    workspace.config_file.write_text(json.dumps({"storage": storage}))


def test_interrupted_runs_are_offered_and_gone_on_with_by_name(play, workspace):
    interrupt(workspace, "run-1", Log(level="info", message="x"))

    async def story(stage):
        script = await stage.connect()
        (offered,) = stage.welcome["interrupted"]
        assert (offered["run_id"], offered["cause"]) == ("run-1", "crash")
        assert stage.workers_begun == 0
        await script.send("resume_training", checkpoint="run-1")
        puppet = await stage.worker()
        assert (puppet.job["kind"], puppet.job["run_id"]) == ("resume", "run-1")

    play(story)


def test_a_run_that_its_user_leaves_is_offered_to_nobody_any_more(play, workspace):
    interrupt(workspace, "run-1")

    async def story(stage):
        script, other = await stage.connect(), await stage.connect()
        assert (await script.ask("dismiss_run", run_id="run-1"))["runs"] == []
        assert (await other.until("interrupted_runs"))["runs"] == []
        assert (await script.ask("list_interrupted"))["runs"] == []

    play(story)


def test_by_setting_the_server_goes_on_by_itself_one_run_after_another_but_not_where_an_error_was(play, workspace):
    configure(workspace, resume_interrupted=True)
    interrupt(workspace, "run-1")
    interrupt(workspace, "run-2", TrainingStopped(reason="error", message="no"))
    interrupt(workspace, "run-3", TrainingStopped(reason="server_gone"))

    async def story(stage):
        resumed = []
        for _ in range(2):
            puppet = await stage.worker()
            resumed.append(puppet.job["run_id"])
            puppet.start_run()
            puppet.complete()
            await puppet.ended()
        assert resumed == ["run-1", "run-3"]

    play(story)


def test_a_run_whose_worker_still_saves_is_waited_for(play, workspace, monkeypatch):
    monkeypatch.setattr(background_tasks, "SAVING_LOOK_S", 0.01)
    configure(workspace, resume_interrupted=True)
    interrupt(workspace, "run-1")

    async def story(stage):
        script = await stage.connect()
        assert stage.welcome["interrupted"] == []
        assert stage.workers_begun == 0
        held.close()
        assert (await stage.worker()).job["run_id"] == "run-1"
        await script.ask("ping")

    with contextlib.ExitStack() as held:
        held.enter_context(Lease(workspace).take("run-1"))
        play(story)


HANGS = (sys.executable, "-c", "import signal; signal.pause()")


def test_a_backup_made_to_last_holds_up_neither_the_server_nor_its_end(play, workspace, monkeypatch):
    monkeypatch.setattr(preview_worker, "_END_WITHIN_S", 0.2)
    name = create_backup(workspace).path.name

    async def story(stage):
        script = await stage.connect()
        for kind in ("verify_backup", "restore_backup"):
            await script.send(kind, name=name)
        await script.send("create_backup")
        assert (await script.ask("ping"))["type"] == "pong"
        while stage.services.archivist.worker_pid is None:  # noqa: ASYNC110 - nothing tells of its start
            await asyncio.sleep(0.01)

    play(story, worker_command=HANGS)


def test_backups_are_listed_verified_and_restored_by_request(play, workspace):
    configure(workspace, keep_last=3)

    async def story(stage):
        script = await stage.connect()
        made = await script.ask("create_backup")
        name = made["path"].removeprefix("backups/")
        (entry,) = (await script.ask("list_backups"))["backups"]
        assert (entry["name"], entry["kind"]) == (name, "project")
        assert (await script.ask("verify_backup", name=name))["files"] == made["files"]
        configure(workspace, keep_last=5)
        assert (await script.ask("restore_backup", name=name))["files"] == ["config.json"]
        assert json.loads(workspace.config_file.read_text()) == {"storage": {"keep_last": 3}}
        # What was there before can be had back.
        newest = (await script.ask("list_backups"))["backups"][0]["name"]
        await script.ask("restore_backup", name=newest)
        assert json.loads(workspace.config_file.read_text()) == {"storage": {"keep_last": 5}}
        for kind in ("verify_backup", "restore_backup"):
            assert (await script.ask(kind, name="../config.json"))["code"] == "backup.not_found"

    play(story)


def test_the_project_is_backed_up_when_its_time_has_come(play, workspace):
    configure(workspace, backup_every_hours=1)

    async def story(stage):
        script = await stage.connect()
        while not list_backups(stage.workspace):
            await script.ask("ping")

    play(story)


@pytest.mark.parametrize(("age_s", "due"), [(10, False), (3500, False), (3700, True), (-86_400, True)])
def test_a_backup_from_the_future_tells_nothing_of_when_the_last_one_was(workspace, age_s, due):
    assert backup_is_due(workspace, 1)
    path = create_backup(workspace).path
    then = path.stat().st_mtime - age_s
    os.utime(path, (then, then))
    assert backup_is_due(workspace, 1) is due
