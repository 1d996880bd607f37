"""Where tuning looks for better settings: which may vary, between which bounds, and for how long it looks."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from breastai.domain.faults import UnusableSetting, place_below
from breastai.domain.settings import Settings
from breastai.domain.text import Text
from breastai.domain.validation_errors import describe_problems

Value = bool | int | float | str
_SECTIONS = ("preprocessing", "augmentation", "model", "training")
_BESIDE = ("data.image_size", "data.batch_size")
# What would change how long a trial lasts or by what it is judged; and a path, which only who starts it may choose.
_FIXED = (
    "training.epochs",
    "training.early_stopping.",
    "training.export_onnx",
    "model.num_classes",
    "model.weights_file",
)
_SETTING = r"^[a-z]+(\.[a-z_0-9]+)+$"


class Dimension(Settings):
    """A setting that tuning may change: between two bounds, or among some values."""

    setting: str = Field(
        max_length=100, pattern=_SETTING, description="Path of a setting, such as training.learning_rate."
    )
    low: int | float | None = Field(None, description="Smallest value; with high, for a setting that is a number.")
    high: int | float | None = Field(None, description="Largest value.")
    log: bool = Field(False, description="Search the order of magnitude: as many tries from 0.001 to 0.01 as to 0.1.")
    choices: list[Value] | None = Field(
        None, min_length=2, max_length=50, description="In place of the bounds: the values to try."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "Dimension":
        if (self.choices is None) == (self.low is None and self.high is None):
            raise UnusableSetting("expected.bounds_or_choices")
        if self.choices is not None:
            if self.log or len({repr(value) for value in self.choices}) < len(self.choices):
                raise UnusableSetting("expected.different_choices")
            return self
        if self.low is None or self.high is None or not self.low < self.high:
            raise UnusableSetting("expected.low_below_high")
        if self.log and self.low <= 0:
            raise UnusableSetting("expected.low_above_zero")
        return self

    @property
    def values(self) -> list[Value]:
        """The values at the ends of the range, or all there are."""
        if self.choices is not None:
            return list(self.choices)
        return [value for value in (self.low, self.high) if value is not None]

    def with_value(self, value: Value) -> "Dimension":
        """Return the dimension, made to hold `value`; raise ValueError where it can't."""
        if self.choices is not None:
            known = any(value == choice and type(value) is type(choice) for choice in self.choices)
            return self if known else self.model_copy(update={"choices": [*self.choices, value]})
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UnusableSetting("fault.no_number", value=repr(value))
        if self.log and value <= 0:
            raise UnusableSetting("fault.not_logarithmic", value=repr(value))
        low, high = self.low, self.high
        assert low is not None and high is not None
        return self.model_copy(update={"low": min(low, value), "high": max(high, value)})


DEFAULT_SPACE: tuple[Dimension, ...] = (
    Dimension(setting="training.learning_rate", low=3e-5, high=3e-3, log=True),
    Dimension(setting="training.weight_decay", low=1e-5, high=0.1, log=True),
    Dimension(setting="training.label_smoothing", low=0.0, high=0.2),
    Dimension(setting="training.mixup_alpha", low=0.0, high=0.4),
    Dimension(setting="model.dropout_rate", low=0.0, high=0.6),
    Dimension(setting="augmentation.rotation", low=0.0, high=30.0),
    Dimension(setting="augmentation.scale", low=0.0, high=0.3),
)


class TuningSettings(Settings):
    """How `breastai tune` looks for better settings."""

    trials: int = Field(20, ge=1, le=10_000)
    max_hours: float | None = Field(None, gt=0, le=10_000)
    epochs: int | None = Field(None, ge=1, le=10_000)
    random_trials: int = Field(6, ge=1, le=1000)
    pruning: bool = True
    whole_trials: int = Field(2, ge=1, le=1000)
    warmup_epochs: int = Field(2, ge=1, le=1000)
    space: list[Dimension] = Field(list(DEFAULT_SPACE), min_length=1, max_length=50)


def faults_of(space: Sequence[Dimension], sections: Mapping[str, type[BaseModel]]) -> list[Text]:
    """Return what keeps the settings of `space` from being tuned; `sections`: the configuration's models by name."""
    faults: list[Text] = []
    seen: set[str] = set()
    for dimension in space:
        if dimension.setting in seen:
            faults.append(Text("fault.twice", {"setting": dimension.setting}))
        seen.add(dimension.setting)
        faults += _faults(dimension, sections)
    return faults


def _faults(dimension: Dimension, sections: Mapping[str, type[BaseModel]]) -> list[Text]:
    section, *keys = dimension.setting.split(".")
    allowed = section in _SECTIONS or dimension.setting in _BESIDE
    if not allowed or dimension.setting.startswith(_FIXED):
        return [
            Text(
                "fault.not_tunable",
                {"setting": dimension.setting, "sections": list(_SECTIONS), "others": list(_BESIDE)},
            )
        ]
    model = sections[section]
    for value in dimension.values:
        try:
            model.model_validate(layer({".".join(keys): value}))
        except ValidationError as error:
            return [place_below(section, fault) for fault in describe_problems(error, model)]
    if dimension.choices is None:
        default: Any = model()
        for key in keys:
            default = getattr(default, key)
        if isinstance(default, bool) or not isinstance(default, int | float | None):
            return [Text("fault.choices_wanted", {"setting": dimension.setting})]
    return []


def layer(values: Mapping[str, Value]) -> dict[str, Any]:
    """Return settings by path as a partial configuration."""
    result: dict[str, Any] = {}
    for path, value in values.items():
        place = result
        *keys, last = path.split(".")
        for key in keys:
            place = place.setdefault(key, {})
        place[last] = value
    return result
