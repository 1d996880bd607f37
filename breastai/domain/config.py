"""The configuration: every setting with its bounds and default, and what wins over what."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from breastai.domain.catalog import OFFERED_ARCHITECTURES, OWN_ARCHITECTURE, PRESETS, find_architecture
from breastai.domain.crossval_settings import CrossvalSettings
from breastai.domain.data_locations import checked_place
from breastai.domain.errors import ConfigInvalid, ConfigUnreadable
from breastai.domain.faults import UnusableSetting, describe_mismatch
from breastai.domain.json_depth import MOST_LEVELS, is_too_deep
from breastai.domain.list_entries import SettingDifference
from breastai.domain.metric_catalog import MONITORS
from breastai.domain.patient_settings import (
    DicomHeader,
    FilenamePattern,
    FolderLevel,
    PatientIdRule,
    PatientTable,
    PoolingRule,
    UnitSetting,
)
from breastai.domain.records import PatientScore
from breastai.domain.search_space import TuningSettings, faults_of
from breastai.domain.server_settings import ServerSettings
from breastai.domain.settings import Settings
from breastai.domain.system_settings import SystemSettings
from breastai.domain.text import Text
from breastai.domain.tracking_settings import TrackingSettings
from breastai.domain.validation_errors import SeveralFaults, describe_problems

Probability = Annotated[float, Field(ge=0, le=1)]


class DataSettings(Settings):
    """Where the images lie and how they are dealt out."""

    train_dir: str = Field("data/train", min_length=1)
    val_dir: str | None = "data/val"
    pool_val: bool = False
    test_dir: str | None = "data/test"
    image_size: int = Field(512, ge=32, le=2048)
    batch_size: int = Field(4, ge=1, le=1024)
    num_workers: int = Field(4, ge=0, le=64)
    pin_memory: bool = False
    val_split: float = Field(0.2, gt=0, lt=0.9)
    calibration_split: Annotated[float, Field(ge=0, lt=0.9)] | Literal["auto"] = "auto"
    on_leak: Literal["auto", "group", "exclude", "continue", "ask"] = "auto"
    split_file: str | None = None
    split_only: bool = False

    masks: Literal["leave_out", "keep"] = "leave_out"
    accept_classes: bool = False

    @field_validator("train_dir", "val_dir", "test_dir")
    @classmethod
    def _a_folder_or_an_address(cls, value: str | None) -> str | None:
        return None if value is None else checked_place(value)


class PreprocessingSettings(Settings):
    """What is done to every image, in training and afterwards alike."""

    resize: Literal["stretch", "pad"] = "stretch"
    frames: Literal["middle", "each"] = "middle"
    bit_depth: Annotated[int, Field(ge=8, le=32)] | Literal["image"] | None = None
    breast_region: Literal["keep", "crop"] = "keep"
    flip_left: bool = False
    lesion_crop: Literal["off", "marked"] = "off"
    lesion_margin: float = Field(0.25, ge=0, le=5)
    unmarked: Literal["whole", "refuse"] = "whole"
    clahe: bool = True
    clahe_clip_limit: float = Field(2.0, gt=0, le=40)
    clahe_grid: int = Field(8, ge=1, le=64)
    normalization: Literal["weights", "imagenet"] = "weights"


def of_a_model(preprocessing: Any) -> Any:
    """Return the preprocessing that a model keeps; one from before there was a bit depth takes each image's own range."""
    if isinstance(preprocessing, Mapping) and "bit_depth" not in preprocessing:
        return {**preprocessing, "bit_depth": "image"}
    return preprocessing


class AugmentationSettings(Settings):
    """Random changes to training images, one draw for each image and epoch."""

    enabled: bool = True
    horizontal_flip: Probability = 0.5
    vertical_flip: Probability = 0.0
    rotation: float = Field(10.0, ge=0, le=180)
    scale: float = Field(0.1, ge=0, le=0.9)
    shift: float = Field(0.05, ge=0, le=0.5)
    brightness: float = Field(0.15, ge=0, le=1)
    contrast: float = Field(0.15, ge=0, le=1)
    noise: float = Field(0.02, ge=0, le=0.5)
    random_erasing: Probability = 0.0


class ModelSettings(Settings):
    """Which network, and what is added to it."""

    architecture: str = "efficientnetv2_s"
    num_classes: int | None = Field(None, ge=2, le=1000)
    dropout_rate: float = Field(0.4, ge=0, lt=1)
    use_cbam: bool = True
    cbam_reduction: int = Field(16, ge=1, le=256)
    cbam_kernel_size: Literal[3, 5, 7] = 7
    cbam_channel: bool = True
    cbam_spatial: bool = True
    cbam_position: Literal["last", "each_stage"] = "last"
    attention_pooling: bool = True
    pretrained: Literal["auto", "required", "none"] = "auto"
    weights_file: str | None = None

    @field_validator("architecture")
    @classmethod
    def _known_architecture(cls, value: str) -> str:
        if find_architecture(value) is None:
            raise UnusableSetting("expected.one_of", options=[*OFFERED_ARCHITECTURES, f"{OWN_ARCHITECTURE}NAME"])
        return value


class EarlyStoppingSettings(Settings):
    """When to stop before the last epoch."""

    enabled: bool = True
    patience: int = Field(10, ge=1, le=1000)
    min_delta: float = Field(0.001, ge=0, le=1)
    monitor: str = "val_loss"

    @field_validator("monitor")
    @classmethod
    def _known_monitor(cls, value: str) -> str:
        if value not in MONITORS:
            raise UnusableSetting("expected.one_of", options=list(MONITORS))
        return value


class UnfreezingSettings(Settings):
    """Gradual unfreezing; all zero trains every layer from the start."""

    phase1: int = Field(0, ge=0, le=1000)
    phase2: int = Field(0, ge=0, le=1000)
    phase3: int = Field(0, ge=0, le=1000)


class TrainingSettings(Settings):
    """How the network learns."""

    recipe: Literal["plain", "fine_tune", "probe"] = "plain"
    epochs: int = Field(50, ge=1, le=10_000)
    learning_rate: float = Field(0.0003, gt=0, le=10)
    weight_decay: float = Field(0.001, ge=0, le=1)
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    momentum: float = Field(0.9, ge=0, lt=1)
    scheduler: Literal["cosine", "cosine_warmup", "one_cycle", "plateau", "none"] = "cosine"
    cosine_t0: int = Field(10, ge=1, le=10_000)
    cosine_t_mult: int = Field(2, ge=1, le=10)
    warmup_epochs: float = Field(1.0, ge=0, le=1000)
    plateau_factor: float = Field(0.5, gt=0, lt=1)
    plateau_patience: int = Field(3, ge=0, le=1000)
    gradient_clip: float = Field(1.0, ge=0, le=1000)
    gradient_accumulation_steps: int = Field(1, ge=1, le=1024)
    gradient_checkpointing: bool = False
    batch_norm: Literal["auto", "batch", "pretrained"] = "auto"
    loss: Literal["auto", "cross_entropy", "ordinal"] = "auto"
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    weighted_sampler: bool = True
    use_class_weights: bool = False
    use_focal_loss: bool = False
    focal_loss_alpha: list[Annotated[float, Field(ge=0, le=1000)]] | None = None
    focal_loss_gamma: float = Field(2.0, ge=0, le=10)
    use_ema: bool = False
    ema_decay: float = Field(0.999, ge=0, lt=1)
    mixup_alpha: float = Field(0.0, ge=0, le=10)
    unfreezing: UnfreezingSettings = UnfreezingSettings()
    use_amp: bool | Literal["auto"] = "auto"
    early_stopping: EarlyStoppingSettings = EarlyStoppingSettings()
    export_onnx: bool = False

    @model_validator(mode="before")
    @classmethod
    def _a_probe_takes_one_pass(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("recipe") == "probe":
            return {**values, "epochs": 1}
        return values


class EvaluationSettings(Settings):
    """How the model is judged."""

    target_class: str | None = None
    ordered_classes: list[str] | None = Field(None, min_length=2, max_length=1000)
    target_sensitivity: float = Field(0.95, gt=0, lt=1)
    referral_error_rate: float = Field(0.1, gt=0, lt=1)
    tta: bool = False
    patient_score: PatientScore = "largest"
    decision_unit: UnitSetting = "auto"
    pooling: PoolingRule = "mean"
    patient_id: PatientIdRule | None = None

    @field_validator("target_class", mode="before")
    @classmethod
    def _a_name(cls, value: Any) -> Any:
        """Return a class that is called by a number, which JSON takes for one, as its name."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("patient_id", mode="before")
    @classmethod
    def _one_of_the_rules(cls, value: Any) -> Any:
        """Return the rule as a model; a plain string is a pattern."""
        if isinstance(value, str):
            return FilenamePattern(pattern=value)
        if isinstance(value, Mapping) and "dicom" in value and value.keys() <= {"dicom", "pattern"}:
            return DicomHeader.model_validate(value)
        if isinstance(value, Mapping) and len(value) == 1:
            rules: dict[str, type[Settings]] = {
                "pattern": FilenamePattern,
                "folder": FolderLevel,
                "csv": PatientTable,
            }
            rule = rules.get(next(iter(value)))
            if rule is not None:
                return rule.model_validate(value)
        if value is None or isinstance(value, Settings):
            return value
        raise UnusableSetting(
            "expected.patient_rule",
            pattern='"^(P\\d+)_"',
            folder='{"folder": 1}',
            csv='{"csv": "patients.csv"}',
            dicom='{"dicom": "patient_id"}',
        )


class StorageSettings(Settings):
    """What is kept on disk, and what happens after an interruption."""

    keep_best: int = Field(1, ge=1, le=20)
    keep_last: int = Field(2, ge=1, le=10)
    backup_after_run: bool = True
    backups_kept: int = Field(5, ge=1, le=1000)
    backup_every_hours: float = Field(0, ge=0, le=8760)
    resume_interrupted: bool = False
    disk_budget_gb: float | None = Field(None, gt=0, le=1_000_000)


class Config(Settings):
    """All settings."""

    data: DataSettings = DataSettings()
    preprocessing: PreprocessingSettings = PreprocessingSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = Field(EvaluationSettings(), validate_default=True)
    tuning: TuningSettings = TuningSettings()
    crossval: CrossvalSettings = CrossvalSettings()
    system: SystemSettings = SystemSettings()
    storage: StorageSettings = StorageSettings()
    tracking: TrackingSettings = TrackingSettings()
    server: ServerSettings = ServerSettings()

    @field_validator("evaluation")
    @classmethod
    def _orders_what_an_ordinal_loss_needs(cls, value: EvaluationSettings, info: ValidationInfo) -> EvaluationSettings:
        training = info.data.get("training")
        if training is not None and training.loss == "ordinal" and value.ordered_classes is None:
            raise UnusableSetting("expected.ordered_classes")
        return value

    @field_validator("training")
    @classmethod
    def _a_probe_needs_a_network_as_it_was_pretrained(
        cls, value: TrainingSettings, info: ValidationInfo
    ) -> TrainingSettings:
        model = info.data.get("model")
        if value.recipe == "probe" and model is not None and (model.use_cbam or model.attention_pooling):
            raise UnusableSetting("expected.probe_network")
        if value.recipe == "probe" and value.loss == "ordinal":
            raise UnusableSetting("expected.probe_loss")
        return value

    @field_validator("tuning")
    @classmethod
    def _can_be_tuned(cls, value: TuningSettings) -> TuningSettings:
        faults = faults_of(value.space, {name: type(info.default) for name, info in cls.model_fields.items()})
        if faults:
            raise SeveralFaults("space", faults)
        return value


def parse_config(values: Mapping[str, Any]) -> Config:
    """Return the configuration `values` describe, defaults filled in; raise ConfigInvalid naming every fault."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigInvalid(describe_problems(error, Config)) from None


def overlay(base: Mapping[str, Any], *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with each layer laid over it, later layers winning; nested dicts are merged, all else replaced."""
    result = dict(base)
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            both_nested = isinstance(below, Mapping) and isinstance(value, Mapping)
            # A patient rule is one of three shapes: merging two of them would make none.
            result[key] = overlay(below, value) if both_nested and key != "patient_id" else value  # type: ignore[arg-type]
    return result


def read_config_file(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path` as it stands; raise ConfigUnreadable."""
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigUnreadable(str(path), "no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigUnreadable(str(path), str(error)) from None
    if is_too_deep(values):
        raise ConfigUnreadable(str(path), f"expected lists and objects at most {MOST_LEVELS} deep, got more")
    if not isinstance(values, dict):
        raise ConfigUnreadable(str(path), f"expected an object {{...}}, got {type(values).__name__}")
    return values


def settings_that_differ(configs: Sequence[Mapping[str, Any]]) -> list[SettingDifference]:
    """Return, by path, each setting whose value is not the same in all `configs`; what one lacks is None there."""
    flat = [_flattened(config) for config in configs]
    paths = dict.fromkeys(path for values in flat for path in values)
    rows = [(path, [values.get(path) for values in flat]) for path in paths]
    return [
        SettingDifference(path=path, values=list(row)) for path, row in rows if any(row[0] != value for value in row)
    ]


def _flattened(values: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and key != "patient_id":
            found |= _flattened(value, f"{place}{key}.")
        else:
            found[place + key] = value
    return found


def preset(name: str) -> dict[str, Any]:
    """Return the partial configuration of a preset; raise ConfigInvalid for an unknown name."""
    if name not in PRESETS:
        raise ConfigInvalid(
            [describe_mismatch("preset", Text("expected.one_of", {"options": list(PRESETS)}), repr(name))]
        )
    return dict(PRESETS[name])


def assignment(text: str) -> dict[str, Any]:
    """Return the partial configuration of one `section.key=value`; the value is JSON, or else a string."""
    place, equals, raw = text.partition("=")
    if not equals or not place.strip():
        raise ConfigInvalid([describe_mismatch("--set", Text("expected.assignment"), repr(text))])
    try:
        value = json.loads(raw)
    except ValueError:
        value = raw
    return nest(place.strip(), value)


def nest(path: str, value: Any) -> dict[str, Any]:
    """Return the partial configuration in which `value` stands at section.key."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return {**value}
