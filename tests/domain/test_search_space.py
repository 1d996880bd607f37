"""The search space: only settings that leave trials comparable, only values a run could have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastai.domain.config import Config, overlay, parse_config
from breastai.domain.errors import ConfigInvalid
from breastai.domain.search_space import DEFAULT_SPACE, Dimension, faults_of, layer


def fault_of(**dimension: Any) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        parse_config({"tuning": {"space": [dimension]}})
    return str(caught.value)


def test_the_default_space_passes_its_own_check() -> None:
    sections = {name: type(info.default) for name, info in Config.model_fields.items()}
    assert faults_of(DEFAULT_SPACE, sections) == []


@pytest.mark.parametrize("dimension", DEFAULT_SPACE, ids=lambda dimension: dimension.setting)
def test_the_default_space_holds_the_default_configuration(dimension: Dimension) -> None:
    value: Any = Config()
    for key in dimension.setting.split("."):
        value = getattr(value, key)
    assert dimension.with_value(value) == dimension


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        ({"setting": "training.learning_rate"}, "expected either low and high, or choices"),
        ({"setting": "training.learning_rate", "low": 1e-4}, "expected low and high, low being the smaller"),
        ({"setting": "training.learning_rate", "low": 1e-3, "high": 1e-4}, "low being the smaller"),
        ({"setting": "training.learning_rate", "low": 0, "high": 1, "log": True}, "expected a low above 0"),
        ({"setting": "training.learning_rate", "low": 1e-4, "high": 20}, "expected a number above 0 to 10, got 20"),
        ({"setting": "training.optimizer", "low": 0, "high": 1}, "training.optimizer: expected 'adamw'"),
        ({"setting": "training.use_ema", "low": 0, "high": 1}, "training.use_ema is no number: expected choices"),
        ({"setting": "training.use_ema", "choices": [True, True]}, "expected choices that are all different"),
        ({"setting": "training.rate", "low": 0, "high": 1}, "training.rate: unknown key"),
        ({"setting": "Training", "low": 0, "high": 1}, "expected a text that matches"),
    ],
)
def test_a_dimension_no_run_could_have_is_refused_with_what_was_expected(
    dimension: dict[str, Any], expected: str
) -> None:
    assert expected in fault_of(**dimension)


@pytest.mark.parametrize(
    "setting",
    [
        "training.epochs",
        "training.early_stopping.patience",
        "training.export_onnx",
        "model.weights_file",
        "data.val_split",
        "evaluation.target_sensitivity",
        "system.seed",
        "server.port",
        "tuning.trials",
    ],
)
def test_what_would_change_how_trials_are_judged_can_not_be_tuned(setting: str) -> None:
    assert f"{setting} can't be tuned" in fault_of(setting=setting, low=1, high=2)


def test_a_setting_stands_there_once() -> None:
    space = [{"setting": "model.dropout_rate", "low": 0, "high": 0.5}] * 2
    with pytest.raises(ConfigInvalid, match=r"model\.dropout_rate stands there twice"):
        parse_config({"tuning": {"space": space}})


def test_a_dimension_is_widened_to_hold_what_the_configuration_has() -> None:
    rate = Dimension(setting="training.learning_rate", low=1e-4, high=1e-3, log=True)
    assert (rate.with_value(1e-5).low, rate.with_value(0.1).high) == (1e-5, 0.1)
    with pytest.raises(ValueError, match="logarithmic"):
        rate.with_value(0.0)
    choice = Dimension(setting="training.optimizer", choices=["adamw", "adam"])
    assert choice.with_value("sgd").choices == ["adamw", "adam", "sgd"]
    assert choice.with_value("adam") == choice
    with pytest.raises(ValueError, match="no number"):
        rate.with_value("fast")


@given(st.floats(1e-5, 1e-3), st.floats(0, 0.9), st.booleans())
def test_settings_by_path_become_the_layer_that_sets_exactly_them(rate: float, dropout: float, ema: bool) -> None:
    values = {"training.learning_rate": rate, "model.dropout_rate": dropout, "training.use_ema": ema}
    config = parse_config(overlay({}, layer(values)))
    assert (config.training.learning_rate, config.model.dropout_rate, config.training.use_ema) == (rate, dropout, ema)
    untouched = config.model_copy(update={"training": Config().training, "model": Config().model})
    assert untouched == Config()
