"""A restored configuration keeps its owner's settings wherever they reach beyond the workspace."""

import json
from pathlib import Path

import pytest

from breastai.domain.config import Config, overlay, parse_config
from breastai.storage.held_back import hold_back, hold_back_dataset, own_settings
from breastai.storage.workspace import Workspace

BEYOND = [
    ("system.cluster", {"system": {"cluster": "ray://evil.example:10001", "processes": 4}}),
    ("system.download_weights", {"system": {"download_weights": False}}),
    ("data.train_dir", {"data": {"train_dir": "file:///etc"}}),
    ("data.train_dir", {"data_path": "s3://evil/images"}),
    ("data.val_dir", {"data": {"val_dir": "../others"}}),
    ("data.split_file", {"data": {"split_file": "/etc/split.json"}}),
    ("model.weights_file", {"model": {"weights_file": "~/w.safetensors"}}),
    ("evaluation.patient_id", {"evaluation": {"patient_id": {"csv": "/etc/p.csv"}}}),
    ("tracking.mlflow", {"tracking": {"mlflow": "https://evil.example"}}),
    ("storage.resume_interrupted", {"storage": {"resume_interrupted": True}}),
    ("server", {"server": {"data_roots": ["/"], "host": "0.0.0.0"}}),
]
OWN = {
    "data": {"train_dir": "s3://mine/images/train", "val_dir": None},
    "tracking": {"mlflow": "https://mlflow.hospital.example"},
    "system": {"cluster": "local", "processes": 2},
    "server": {"data_roots": ["/images"]},
    "evaluation": {"patient_id": {"csv": "/records/patients.csv"}},
}


def restored(values: dict, own: dict, root: Path) -> tuple[dict, list[str]]:
    content, held = hold_back(json.dumps(values).encode(), own, Workspace.open(root), "config.json")
    assert content is not None
    return json.loads(content), [each.setting for each in held]


def effective(values: dict, setting: str) -> object:
    found: object = parse_config(values).model_dump(mode="json")
    for part in setting.split("."):
        found = found[part]  # type: ignore[index]
    return found


@pytest.mark.parametrize("own", [{}, OWN], ids=["defaults", "own"])
@pytest.mark.parametrize(("setting", "values"), BEYOND)
def test_what_reaches_beyond_the_workspace_stays_the_owners_and_is_told(
    tmp_path: Path, setting: str, values: dict, own: dict
) -> None:
    found, told = restored(overlay({"training": {"epochs": 9}}, values), own, tmp_path)
    assert setting in told
    assert effective(found, setting) == effective(own, setting)
    assert effective(found, "training.epochs") == 9


def test_what_the_owner_has_stays_where_the_file_says_nothing_of_it(tmp_path: Path) -> None:
    found, told = restored({"training": {"epochs": 9}}, OWN, tmp_path)
    assert told == []
    assert parse_config(found) == parse_config(overlay(OWN, {"training": {"epochs": 9}}))


def test_all_else_comes_back_as_it_was(tmp_path: Path) -> None:
    values = {"data": {"train_dir": "data/train", "split_file": "split.json"}, "training": {"epochs": 9}}
    assert restored(values, {}, tmp_path) == (values, [])
    whole = Config().model_dump(mode="json")
    assert restored(whole, {}, tmp_path) == (whole, [])
    own = parse_config(OWN).model_dump(mode="json")
    assert restored(own, OWN, tmp_path) == (own, [])


def test_an_unknown_setting_carries_nothing_past(tmp_path: Path) -> None:
    values = {"unknown": 1, "data_path": "file:///etc", "system": {"cluster": "auto"}, "server": {"host": "0.0.0.0"}}
    found, told = restored(values, {}, tmp_path)
    assert found == {"unknown": 1, "system": {}} and {"system.cluster", "server"} <= set(told)


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"\xff", b'"x"'])
def test_what_is_no_configuration_is_told_and_not_put_back(tmp_path: Path, content: bytes) -> None:
    found, (told,) = hold_back(content, OWN, Workspace.open(tmp_path), "config.json")
    assert found is None and (told.file, told.setting) == ("config.json", "")


def test_values_of_other_kinds_are_held_back_too(tmp_path: Path) -> None:
    values = {"data": {"train_dir": ["/etc"]}, "tracking": "x", "evaluation": {"patient_id": {"csv": 1}}, "server": 3}
    found, told = restored(values, OWN, tmp_path)
    assert {"data.train_dir", "evaluation.patient_id", "server"} <= set(told)
    assert found["data"]["train_dir"] == "s3://mine/images/train" and found["tracking"] == OWN["tracking"]


def test_secrets_in_what_was_asked_are_not_told(tmp_path: Path) -> None:
    values = {"data": {"train_dir": "s3://key:hidden@evil/x"}, "tracking": {"mlflow": "https://u:hidden@evil.example"}}
    _, held = hold_back(json.dumps(values).encode(), {}, Workspace.open(tmp_path), "config.json")
    assert held and not any("hidden" in each.asked for each in held)


def test_a_configuration_that_cannot_be_read_has_nothing_of_its_owner(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    assert own_settings(tmp_path / "config.json") == own_settings(tmp_path / "absent.json") == {}


@pytest.mark.parametrize("asked", ["s3://evil/images", "/etc", "../others", "~/private", 7])
@pytest.mark.parametrize("own", [None, "/images/mine"])
def test_a_data_set_that_would_lie_beyond_the_workspace_is_not_put_back(
    tmp_path: Path, asked: object, own: str | None
) -> None:
    workspace, file = Workspace.open(tmp_path), tmp_path / "datasets/mine.json"
    if own is not None:
        file.parent.mkdir()
        file.write_text(json.dumps({"name": "mine", "root": own}))
    content, held = hold_back_dataset(json.dumps({"root": asked}).encode(), file, workspace, "datasets/mine.json")
    assert content is None and [(each.setting, each.asked) for each in held] == [("root", json.dumps(asked))]
    assert held[0].kept == ("" if own is None else json.dumps(own))
    for fine in ("images", *([own] if own else [])):
        known = json.dumps({"root": fine}).encode()
        assert hold_back_dataset(known, file, workspace, "datasets/mine.json") == (known, [])
