"""What a run meets on this machine, looked up before it starts."""

import json
from pathlib import Path

import pytest

from breastai.data.cases import pre_flight as module
from breastai.data.cases.pre_flight import minutes_range, pre_flight, weights_of
from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.catalog import ARCHITECTURES, architecture_of
from breastai.domain.config import parse_config
from breastai.domain.events import BenchMeasured
from breastai.domain.jobs import PreFlight
from breastai.storage.estimates import keep_estimate
from breastai.storage.workspace import Workspace


def told(workspace: Workspace, **model: object):
    folders = {"train_dir": "data/train", "val_dir": None, "test_dir": None, "image_size": 64}
    config = parse_config({"data": folders, "model": model, "training": {"epochs": 10}})
    (event,) = pre_flight(PreFlight(workspace=str(workspace.root), config=config), workspace)
    return event


def test_images_patients_and_weights_are_told_and_minutes_once_they_were_measured(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    write_sample_data(workspace.root / "data", per_class=8)
    found = told(workspace, architecture="resnet50")
    assert sum(found.classes.values()) + found.validation > 0
    assert (found.weights, found.minutes_low, found.memory_gb) == ("to_fetch", None, None)
    keep_estimate(
        workspace,
        BenchMeasured(
            architecture="resnet50", image_size=128, batch_size=16, dtype="float32", threads=1,
            train_images_per_second=2.0, evaluate_images_per_second=6.0, matrix_gflops=1.0, peak_share=0.1,
            loader_wait_share=0.0, peak_memory_gb=2.5, training_images=1, validation_images=1, epochs=1, estimated_s=1.0,
        ),
    )  # fmt: skip
    # A quarter of the pixels takes a quarter of the time.
    images = 10 * (sum(found.classes.values()) + found.validation / 3)
    measured = told(workspace, architecture="resnet50")
    assert measured.minutes_low == pytest.approx(images / 8 / 60 * 0.6, abs=0.06)
    assert measured.minutes_high == pytest.approx(images / 8 / 60 * 1.5, abs=0.06)


def test_weights_are_found_where_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    resnet = ARCHITECTURES["resnet50"]
    usual = parse_config({"model": {"architecture": "resnet50"}})
    assert weights_of(usual, resnet) == "to_fetch"
    assert weights_of(parse_config({"system": {"download_weights": False}}), resnet) == "missing"
    assert weights_of(parse_config({"model": {"pretrained": "none"}}), resnet) == "none"
    kept = tmp_path / f"models--timm--{resnet.timm_name}" / "snapshots" / "abc" / "model.safetensors"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert weights_of(usual, resnet) == "here"


def test_a_file_of_weights_that_is_not_there_is_told_of_at_its_setting(workspace: Workspace) -> None:
    write_sample_data(workspace.root / "data", per_class=8, image_size=32)
    found = told(workspace, weights_file="weights/tower.safetensors")
    assert found.weights == "missing"
    (advice,) = [text for text in found.advice if text.code == "advice.weights_file"]
    assert advice.params == {"path": "weights/tower.safetensors", "setting": "model.weights_file"}
    (workspace.root / "weights").mkdir()
    (workspace.root / "weights" / "tower.safetensors").touch()
    found = told(workspace, weights_file="weights/tower.safetensors")
    assert found.weights == "here" and not [text for text in found.advice if text.code == "advice.weights_file"]


def test_weights_of_a_network_of_timm_named_without_a_tag_are_found_under_any(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    config = parse_config({"model": {"architecture": "timm:resnet26"}})
    kept = tmp_path / "models--timm--resnet26d.bt_in1k" / "snapshots" / "abc" / "model.safetensors"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert weights_of(config, architecture_of("timm:resnet26")) == "to_fetch"  # another network's
    (tmp_path / "models--timm--resnet26d.bt_in1k").rename(tmp_path / "models--timm--resnet26.bt_in1k")
    assert weights_of(config, architecture_of("timm:resnet26")) == "here"


def test_who_could_begin_with_weights_is_told_so(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "weights_of", lambda config, architecture: "missing")
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: object())
    write_sample_data(workspace.root / "data", per_class=8)
    codes = [advice.code for advice in told(workspace, architecture="resnet50").advice]
    assert codes == ["advice.patients", "advice.weights_missing", "advice.few"]


def test_nothing_measured_gives_no_minutes() -> None:
    assert minutes_range(parse_config({}), 100, 20, []) == (None, None)


def test_some_images_are_told_with_the_patients_that_the_rule_finds(workspace: Workspace) -> None:
    write_sample_data(workspace.root / "data", per_class=8)
    folders = {"train_dir": "data/train", "val_dir": None, "test_dir": None}
    config = parse_config({"data": folders, "evaluation": {"patient_id": "^(P[0-9]+)_"}})
    (event,) = pre_flight(PreFlight(workspace=str(workspace.root), config=config), workspace)
    assert event.patients is not None and len(event.patient_examples) == 3
    assert len({example.patient for example in event.patient_examples}) == 3
    assert all(Path(example.file).name.startswith(f"{example.patient}_") for example in event.patient_examples)
    assert told(workspace).patient_examples == []


def test_an_advice_names_the_setting_that_it_is_about(workspace: Workspace) -> None:
    write_sample_data(workspace.root / "data", per_class=8)
    advice = {each.code: each.params for each in told(workspace).advice}
    assert "setting" not in advice["advice.few"]
    assert advice["advice.patients"]["setting"] == "evaluation.patient_id"
    config = parse_config({"evaluation": {"patient_id": json.loads(str(advice["advice.patients"]["rule"]))}})
    assert config.evaluation.patient_id is not None
    found = [*module._weights_advice(ARCHITECTURES["resnet50"], "to_fetch"), *module._advice({"benign": 100}, 500.0)]
    assert {str(advice.params["setting"]) for advice in found} <= {"model.architecture", "training.epochs"}


def test_a_preset_is_proposed_where_no_configuration_says_what_is_wanted(workspace: Workspace) -> None:
    write_sample_data(workspace.root / "data", per_class=8)
    assert told(workspace).preset == "probe"
    workspace.config_file.write_text("{}", encoding="utf-8")
    assert told(workspace).preset is None
