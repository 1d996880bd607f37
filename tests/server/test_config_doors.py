"""Every way in for a configuration: none opens an address, a folder or a cluster that a request may not name."""

import json

import pytest

from breastai.domain import jobs
from breastai.domain.config import Config, overlay, parse_config
from breastai.domain.errors import InputError, TrackerNotAllowed
from breastai.domain.events import TrainingStarted
from breastai.server.access.allowed_paths import DataRoots
from breastai.storage.journal import Journal

BEYOND = [
    ({"system": {"cluster": "ray://evil.example:10001"}}, "cluster.not_allowed"),
    ({"data": {"train_dir": "file:///etc"}}, "store.not_allowed"),
    ({"data": {"val_dir": "s3://evil/val"}}, "store.not_allowed"),
    ({"data": {"train_dir": "/etc"}}, "data.outside_roots"),
    ({"data": {"split_file": "../split.json"}}, "data.outside_roots"),
    ({"model": {"weights_file": "/etc/w.safetensors"}}, "data.outside_roots"),
    ({"evaluation": {"patient_id": {"csv": "../p.csv"}}}, "data.outside_roots"),
    ({"tracking": {"mlflow": "https://evil.example"}}, "tracking.not_allowed"),
    ({"tracking": {"mlflow": "../elsewhere"}}, "data.outside_roots"),
]


def interrupted(workspace, values, run_id="run-1"):
    journal = Journal(workspace.journal_file(run_id), run_id, "default")
    config = parse_config(values).model_dump(mode="json")
    journal.stamp(TrainingStarted(architecture="resnet50", epochs=5, class_names=["a", "b"], config=config))
    journal.close()


@pytest.mark.parametrize(("values", "code"), BEYOND)
def test_no_request_saves_starts_or_goes_on_with_it(play, workspace, values, code):
    interrupted(workspace, values)

    async def story(stage):
        script = await stage.connect()
        for whole in (False, True):
            assert (await script.ask("save_config", config=values, whole=whole))["code"] == code
        assert (await script.ask("save_config", config=values, name="night"))["code"] == code
        assert not workspace.config_file.exists() and not workspace.configs_dir.exists()
        await script.send("start_training", config=values)
        assert (await script.until("error"))["code"] == code
        await script.send("resume_training", checkpoint="run-1")
        assert (await script.until("error"))["code"] == code
        assert stage.workers_begun == 0

    play(story)


@pytest.mark.parametrize(("values", "code"), BEYOND)
def test_nothing_goes_on_by_itself_with_it_when_the_server_starts(play, workspace, values, code):
    workspace.config_file.write_text(json.dumps({"storage": {"resume_interrupted": True}}))
    interrupted(workspace, values)
    interrupted(workspace, {}, "run-2")

    async def story(stage):
        puppet = await stage.worker()
        assert puppet.job["run_id"] == "run-2" and stage.workers_begun == 0, "no other was begun"

    play(story)


@pytest.mark.parametrize(("values", "code"), BEYOND)
def test_no_job_that_waited_begins_with_it(workspace, values, code):
    config = parse_config(values)
    job = jobs.Train(workspace=str(workspace.root), session_id="default", run_id="r", config=config)
    with pytest.raises(InputError) as caught:
        DataRoots.of(workspace, []).check_job(job)
    assert caught.value.code == code


@pytest.mark.parametrize(("values", "code"), BEYOND)
def test_what_the_owner_wrote_there_stays_when_other_settings_are_saved(play, workspace, values, code):
    workspace.config_file.write_text(json.dumps(values))

    async def story(stage):
        script = await stage.connect()
        saved = await script.ask("save_config", config={"training": {"epochs": 7}})
        assert saved["type"] == "config_saved", saved
        whole = overlay(parse_config(values).model_dump(mode="json"), {"training": {"epochs": 8}})
        assert (await script.ask("save_config", config=whole, whole=True))["type"] == "config_saved"
        kept = json.loads(workspace.config_file.read_text())
        assert kept == parse_config(overlay(values, {"training": {"epochs": 8}})).model_dump(mode="json")

    play(story)


def test_runs_are_told_to_the_tracker_of_the_owner_and_of_the_environment_alone(workspace, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    owners = parse_config({"tracking": {"mlflow": "https://mlflow.hospital.example"}})
    roots = DataRoots.of(workspace, []).with_configured(owners)
    roots.check_run(owners)
    for address in ("https://mlflow.hospital.example.evil.example", "https://mlflow.hospital.example/x"):
        with pytest.raises(TrackerNotAllowed):
            roots.check_run(parse_config({"tracking": {"mlflow": address}}))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://other.example")
    DataRoots.of(workspace, []).with_configured(Config()).check_run(
        parse_config({"tracking": {"mlflow": "https://other.example"}})
    )


def test_a_model_is_judged_whatever_its_run_was_told_to(workspace):
    """An evaluation tells no tracker: where its run was followed is no reason to refuse it."""
    DataRoots.of(workspace, []).check_config(parse_config({"tracking": {"mlflow": "https://elsewhere.example"}}))
