"""The configuration: defaults, bounds, and what wins over what."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastai.domain.catalog import ARCHITECTURES, PRESETS
from breastai.domain.config import (
    Config,
    DicomHeader,
    FilenamePattern,
    FolderLevel,
    PatientTable,
    Settings,
    assignment,
    overlay,
    parse_config,
    preset,
    read_config_file,
)
from breastai.domain.errors import ConfigInvalid, ConfigUnreadable
from breastai.domain.settings_schema import BASIC, config_schema, setting_rows
from breastai.domain.text import Text
from breastai.texts.renderer import render


def problems_of(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        parse_config(values)
    return str(caught.value)


def test_the_file_in_the_project_means_the_defaults(project_root: Path) -> None:
    values = json.loads((project_root / "config.json").read_text(encoding="utf-8"))
    assert set(values) == set(Config.model_fields)
    assert parse_config(values) == Config()


def test_the_promised_defaults_are_kept() -> None:
    config = Config()
    assert (config.data.image_size, config.data.batch_size, config.data.num_workers) == (512, 4, 4)
    assert (config.data.pin_memory, config.data.val_split) == (False, 0.2)
    assert (config.model.architecture, config.model.dropout_rate) == ("efficientnetv2_s", 0.4)
    assert (config.model.use_cbam, config.model.cbam_reduction, config.model.num_classes) == (True, 16, None)
    training = config.training
    assert (training.epochs, training.learning_rate, training.weight_decay) == (50, 0.0003, 0.001)
    assert (training.optimizer, training.scheduler, training.gradient_clip) == ("adamw", "cosine", 1.0)
    assert training.label_smoothing == 0.1
    stopping = training.early_stopping
    assert (stopping.patience, stopping.min_delta, stopping.monitor) == (10, 0.001, "val_loss")
    assert (config.system.num_threads, config.system.seed) == (8, 42)
    assert config.evaluation.patient_id is None


def every_field(model: type[Settings], place: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Settings):
            found += every_field(info.annotation, f"{place}{name}.")
        else:
            found.append((f"{place}{name}", info))
    return found


def test_the_schema_tells_what_each_setting_is_in_the_words_of_the_catalogue() -> None:
    schema = config_schema()
    for place, _ in every_field(Config):
        found: Any = schema
        for part in place.split("."):
            found = found["properties"][part]
            reference = found.get("$ref", "")
            found = schema["$defs"][reference.rpartition("/")[2]] if reference else found
        told = render(Text(f"setting.{place}.help"))
        assert found["description"].startswith(told) and told != f"setting.{place}.help", place
        assert found["title"] == render(Text(f"setting.{place}.label")), place
    cbam = schema["$defs"]["ModelSettings"]["properties"]["cbam_position"]
    assert cbam["description"].endswith("\nlast: last feature map\neach_stage: after each stage")


def numeric_bounds() -> list[tuple[str, float]]:
    """Return each bounded setting with a value just outside each of its bounds."""
    cases = []
    for place, info in every_field(Config):
        for item in info.metadata:
            for name, step in (("ge", -1), ("le", 1), ("gt", 0), ("lt", 0)):
                bound = getattr(item, name, None)
                if bound is not None:
                    cases.append((place, bound + step))
    return cases


@pytest.mark.parametrize(("place", "value"), numeric_bounds())
def test_a_value_outside_its_bounds_is_refused_with_the_place_and_the_range(place: str, value: float) -> None:
    message = problems_of(assignment(f"{place}={value}"))
    assert f"{place}: expected a " in message
    assert f"got {value}" in message
    assert " from " in message or " above " in message or " to " in message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"training": {"epochs": -1}}, "training.epochs: expected a whole number from 1 to 10000, got -1"),
        ({"training": {"epochs": 2.5}}, "training.epochs: expected a whole number from 1 to 10000, got 2.5"),
        (
            {"training": {"learning_rate": "fast"}},
            "training.learning_rate: expected a number above 0 to 10, got 'fast'",
        ),
        ({"data": {"image_size": 7}}, "data.image_size: expected a whole number from 32 to 2048, got 7"),
        ({"model": {"num_classes": 1}}, "model.num_classes: expected a whole number from 2 to 1000, got 1"),
        ({"training": {"epoch": 3}}, "training.epoch: unknown key"),
        ({"trainning": {}}, "trainning: unknown key"),
        ({"model": {"architecture": "vgg"}}, "model.architecture: expected one of tf_efficientnet_lite0"),
        ({"training": {"optimizer": "lion"}}, "training.optimizer: expected 'adamw', 'adam' or 'sgd', got 'lion'"),
        ({"training": {"early_stopping": {"monitor": "f1"}}}, "training.early_stopping.monitor: expected one of val_"),
        ({"training": {"learning_rate": float("nan")}}, "training.learning_rate: expected a number"),
        ({"data": 3}, "data: expected an object {...}, got 3"),
    ],
)
def test_a_fault_is_told_with_its_place_what_was_expected_and_what_came(values: dict[str, Any], expected: str) -> None:
    assert expected in problems_of(values)


def test_the_network_for_tests_is_read_and_not_offered() -> None:
    assert parse_config({"model": {"architecture": "tiny_cnn"}}).model.architecture == "tiny_cnn"
    assert "tiny_cnn" not in problems_of({"model": {"architecture": "vgg"}})


def test_all_faults_are_told_at_once() -> None:
    message = problems_of({"data": {"batch_size": 0}, "training": {"epochs": 0}, "x": 1})
    assert "data.batch_size" in message and "training.epochs" in message and "x: unknown key" in message


@pytest.mark.parametrize(
    ("given_rule", "rule"),
    [
        ("^(P\\d+)_", FilenamePattern(pattern="^(P\\d+)_")),
        ({"pattern": "x(.)"}, FilenamePattern(pattern="x(.)")),
        ({"folder": 1}, FolderLevel(folder=1)),
        ({"csv": "patients.csv"}, PatientTable(csv="patients.csv")),
        ({"dicom": "patient_id"}, DicomHeader(dicom="patient_id")),
        (None, None),
    ],
)
def test_a_patient_rule_has_four_shapes(given_rule: Any, rule: Any) -> None:
    assert parse_config({"evaluation": {"patient_id": given_rule}}).evaluation.patient_id == rule


@pytest.mark.parametrize("rule", [{"folder": 1, "csv": "x"}, {"folder": 0}, 3, {}, {"name": "x"}, {"dicom": "name"}])
def test_another_patient_rule_is_refused(rule: Any) -> None:
    assert "evaluation.patient_id" in problems_of({"evaluation": {"patient_id": rule}})


def test_one_patient_rule_replaces_another_instead_of_mixing_with_it() -> None:
    values = overlay({"evaluation": {"patient_id": {"folder": 1}}}, {"evaluation": {"patient_id": {"csv": "x.csv"}}})
    assert parse_config(values).evaluation.patient_id == PatientTable(csv="x.csv")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("xyz", max_size=5),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
trees = st.dictionaries(st.sampled_from("abcd"), json_values, max_size=4)


@given(trees, trees)
def test_overlaying_keeps_the_base_as_it_was_and_lets_the_layer_win(
    base: dict[str, Any], layer: dict[str, Any]
) -> None:
    before = json.dumps(base, sort_keys=True)
    result = overlay(base, layer)
    assert json.dumps(base, sort_keys=True) == before
    assert result.keys() == base.keys() | layer.keys()
    for key, value in layer.items():
        if not isinstance(value, dict):
            assert result[key] == value
    assert overlay(result, layer) == result


@given(trees)
def test_overlaying_nothing_changes_nothing(base: dict[str, Any]) -> None:
    assert overlay(base, {}) == base == overlay({}, base)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_sound_configuration(name: str) -> None:
    assert parse_config(preset(name)).model.architecture in ARCHITECTURES


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigInvalid, match="expected one of probe, quick, balanced, full, got 'fast'"):
        preset("fast")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("training.epochs=5", {"training": {"epochs": 5}}),
        ("model.use_cbam=false", {"model": {"use_cbam": False}}),
        ("data.val_dir=null", {"data": {"val_dir": None}}),
        ("data.train_dir=my data/a=b", {"data": {"train_dir": "my data/a=b"}}),
        ('evaluation.patient_id={"folder": 1}', {"evaluation": {"patient_id": {"folder": 1}}}),
        ("model.architecture=resnet50", {"model": {"architecture": "resnet50"}}),
        ("training.learning_rate=1e-3", {"training": {"learning_rate": 0.001}}),
    ],
)
def test_an_assignments_value_is_json_or_else_text(text: str, values: dict[str, Any]) -> None:
    assert assignment(text) == values


@pytest.mark.parametrize("text", ["training.epochs", "=5", " =5", ""])
def test_an_assignment_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"--set: expected section\.key=value"):
        assignment(text)


@pytest.mark.parametrize("content", ["{", "[1]", "// note\n{}", "", '{"a": 1,}', "[" * 100_000])
def test_a_file_that_is_no_json_object_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigUnreadable, match=r"config\.json"):
        read_config_file(file)


def test_a_file_saved_by_a_windows_editor_is_read(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"data": {"train_dir": "Données/é"}}', encoding="utf-8-sig")
    assert read_config_file(file) == {"data": {"train_dir": "Données/é"}}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnreadable, match="no such file"):
        read_config_file(tmp_path / "none.json")


def test_an_ordinal_loss_needs_the_order_of_the_classes() -> None:
    with pytest.raises(ConfigInvalid, match="ordered_classes"):
        parse_config({"training": {"loss": "ordinal"}})
    ordered = parse_config({"training": {"loss": "ordinal"}, "evaluation": {"ordered_classes": ["low", "high"]}})
    assert ordered.evaluation.ordered_classes == ["low", "high"]


def test_the_schema_marks_the_basic_settings_which_all_exist():
    assert {row.path for row in setting_rows("en")} >= BASIC
    evaluation = config_schema()["$defs"]["EvaluationSettings"]["properties"]
    assert evaluation["patient_id"]["basic"] is True and "basic" not in evaluation["tta"]
