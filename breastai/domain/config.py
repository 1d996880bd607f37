"""The configuration: every setting with its bounds, default and description, and what wins over what."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from breastai.domain.catalog import ARCHITECTURES, OFFERED_ARCHITECTURES, PRESETS
from breastai.domain.crossval_settings import CrossvalSettings
from breastai.domain.data_locations import checked_place
from breastai.domain.errors import ConfigInvalid, ConfigUnreadable
from breastai.domain.list_entries import SettingDifference
from breastai.domain.metric_catalog import MONITORS
from breastai.domain.patient_settings import DicomHeader, FilenamePattern, FolderLevel, PatientIdRule, PatientTable
from breastai.domain.records import PatientScore
from breastai.domain.search_space import TuningSettings, faults_of
from breastai.domain.server_settings import ServerSettings
from breastai.domain.settings import Settings
from breastai.domain.system_settings import SystemSettings
from breastai.domain.tracking_settings import TrackingSettings
from breastai.domain.validation_errors import SeveralFaults, describe_problems

Probability = Annotated[float, Field(ge=0, le=1)]


class DataSettings(Settings):
    """Where the images lie and how they are dealt out."""

    train_dir: str = Field(
        "data/train",
        min_length=1,
        description="Folder with one sub-folder for each class, relative to the workspace, or an address of shared storage such as s3://bucket/folder.",
    )
    val_dir: str | None = Field(
        "data/val",
        description="Validation images; when the folder is missing, a part of the training images is set aside.",
    )
    pool_val: bool = Field(
        False,
        description="Take the images of the val folder for training too, and set a part of all of them aside for validation; cross-validation does.",
    )
    test_dir: str | None = Field("data/test", description="Test images, never looked at in training; optional.")
    image_size: int = Field(512, ge=32, le=2048, description="Side of the square image the network sees, in pixels.")
    batch_size: int = Field(4, ge=1, le=1024, description="Images in one step.")
    num_workers: int = Field(
        4,
        ge=0,
        le=64,
        description="Processes or threads that prepare images; more than the machine has cores means all its cores.",
    )
    pin_memory: bool = Field(False, description="Page-locked memory for transfers; of use with a GPU only.")
    val_split: float = Field(
        0.2,
        gt=0,
        lt=0.9,
        description="Share of the training images set aside for validation when there is no val folder.",
    )
    on_leak: Literal["auto", "group", "exclude", "continue", "ask"] = Field(
        "auto",
        description="Near-duplicates and patients on both sides: group keeps near-duplicates on one side and leaves out training images whose near-duplicate or patient is in a given val or test folder, or whose near-duplicate has another label; exclude moreover keeps one image of each group; continue changes nothing, and says so; ask stops when there are any; auto does as group, but stops and asks when more than a tenth of the images are near-duplicates, when one group is huge, or when more than a tenth of the training images would be left out.",
    )
    split_file: str | None = Field(
        None, description="A saved split (split.json of a run) to use again, relative to the workspace."
    )
    split_only: bool = Field(
        False, description="Open only the images that split_file names; others in the folders are as if not there."
    )

    masks: Literal["leave_out", "keep"] = Field(
        "leave_out",
        description="Masks, regions and crops beside images, told by name, folder, DICOM header or two grey values alone: leave_out takes no notice of them; keep takes every file as an image.",
    )
    accept_classes: bool = Field(
        False,
        description="Take the folders as classes though there are more than ten of them, or they are called by numbers of patients or studies.",
    )

    @field_validator("train_dir", "val_dir", "test_dir")
    @classmethod
    def _a_folder_or_an_address(cls, value: str | None) -> str | None:
        return None if value is None else checked_place(value)


class PreprocessingSettings(Settings):
    """What is done to every image, in training and afterwards alike."""

    resize: Literal["stretch", "pad"] = Field(
        "stretch", description="stretch fills the square; pad keeps the proportions and adds black borders."
    )
    frames: Literal["middle", "each"] = Field(
        "middle",
        description="Files of several images: middle takes the middle frame of a DICOM file and the largest page of any other; each takes every one as a case of its own, and a split never parts them.",
    )
    bit_depth: Annotated[int, Field(ge=8, le=32)] | Literal["image"] | None = Field(
        None,
        description="How many bits the values of 16-bit PNG and TIFF files use, and of DICOM files without a window whose BitsStored is all of BitsAllocated; null is found from the training set; image takes each image's own range.",
    )
    breast_region: Literal["keep", "crop"] = Field(
        "keep",
        description="Mammograms: crop keeps the breast alone, without background, labels and stickers; keep leaves images as they are.",
    )
    flip_left: bool = Field(
        False, description="Mammograms: mirror left breasts (chest wall on the left), so that all look the same way."
    )
    clahe: bool = Field(True, description="Contrast Limited Adaptive Histogram Equalisation, on lightness.")
    clahe_clip_limit: float = Field(2.0, gt=0, le=40, description="Contrast limit of CLAHE; higher is stronger.")
    clahe_grid: int = Field(8, ge=1, le=64, description="Tiles along each side for CLAHE.")
    normalization: Literal["weights", "imagenet"] = Field(
        "weights", description="Mean and standard deviation: those the pretrained weights expect, or ImageNet's."
    )


def of_a_model(preprocessing: Any) -> Any:
    """Return the preprocessing that a model keeps; one from before there was a bit depth takes each image's own range."""
    if isinstance(preprocessing, Mapping) and "bit_depth" not in preprocessing:
        return {**preprocessing, "bit_depth": "image"}
    return preprocessing


class AugmentationSettings(Settings):
    """Random changes to training images, one draw for each image and epoch."""

    enabled: bool = Field(True, description="Master switch: off leaves training images as they are.")
    horizontal_flip: Probability = Field(0.5, description="Probability of a left-right flip.")
    vertical_flip: Probability = Field(
        0.0, description="Probability of an up-down flip; in ultrasound depth runs downwards, so 0 there."
    )
    rotation: float = Field(10.0, ge=0, le=180, description="Largest rotation either way, in degrees.")
    scale: float = Field(0.1, ge=0, le=0.9, description="Largest relative change of size either way.")
    shift: float = Field(0.05, ge=0, le=0.5, description="Largest shift either way, as a share of the side.")
    brightness: float = Field(0.15, ge=0, le=1, description="Largest relative change of brightness either way.")
    contrast: float = Field(0.15, ge=0, le=1, description="Largest relative change of contrast either way.")
    noise: float = Field(
        0.02,
        ge=0,
        le=0.5,
        description="Largest standard deviation of added Gaussian noise, as a share of the grey range.",
    )
    random_erasing: Probability = Field(0.0, description="Probability that a random rectangle is blanked.")


class ModelSettings(Settings):
    """Which network, and what is added to it."""

    architecture: str = Field("efficientnetv2_s", description="Network, one of the catalog.")
    num_classes: int | None = Field(
        None, ge=2, le=1000, description="Number of classes; null takes it from the folders."
    )
    dropout_rate: float = Field(0.4, ge=0, lt=1, description="Dropout before the classifier.")
    use_cbam: bool = Field(True, description="Convolutional Block Attention Module.")
    cbam_reduction: int = Field(16, ge=1, le=256, description="Reduction ratio of CBAM's channel attention.")
    cbam_kernel_size: Literal[3, 5, 7] = Field(
        7, description="Kernel of CBAM's spatial attention, in cells of the feature map."
    )
    cbam_channel: bool = Field(True, description="Channel attention of CBAM.")
    cbam_spatial: bool = Field(True, description="Spatial attention of CBAM.")
    cbam_position: Literal["last", "each_stage"] = Field(
        "last", description="CBAM on the last feature map only, or after each stage."
    )
    attention_pooling: bool = Field(
        True, description="Pool the last feature map with learned weights in place of a plain mean."
    )
    pretrained: Literal["auto", "required", "none"] = Field(
        "auto",
        description="auto takes pretrained weights where they can be had; required fails without them; none trains from scratch.",
    )
    weights_file: str | None = Field(
        None, description="Local safetensors file with pretrained weights, relative to the workspace."
    )

    @field_validator("architecture")
    @classmethod
    def _known_architecture(cls, value: str) -> str:
        if value not in ARCHITECTURES:
            raise ValueError(f"expected one of {', '.join(OFFERED_ARCHITECTURES)}")
        return value


class EarlyStoppingSettings(Settings):
    """When to stop before the last epoch."""

    enabled: bool = Field(True, description="Stop when the monitored figure no longer improves.")
    patience: int = Field(10, ge=1, le=1000, description="Epochs without improvement before stopping.")
    min_delta: float = Field(0.001, ge=0, le=1, description="Smallest change that counts as an improvement.")
    monitor: str = Field("val_f1_weighted", description="Figure to watch; it also decides which epoch is the best.")

    @field_validator("monitor")
    @classmethod
    def _known_monitor(cls, value: str) -> str:
        if value not in MONITORS:
            raise ValueError(f"expected one of {', '.join(MONITORS)}")
        return value


class UnfreezingSettings(Settings):
    """Gradual unfreezing; all zero trains every layer from the start."""

    phase1: int = Field(
        0, ge=0, le=1000, description="Epochs in which only the classifier and the attention are trained."
    )
    phase2: int = Field(
        0, ge=0, le=1000, description="Then epochs in which the last third of the backbone is trained too."
    )
    phase3: int = Field(
        0, ge=0, le=1000, description="Then epochs in which the last two thirds are trained; afterwards everything is."
    )


class TrainingSettings(Settings):
    """How the network learns."""

    recipe: Literal["plain", "fine_tune"] = Field(
        "plain",
        description="plain trains the whole network throughout; fine_tune trains the classifier on the frozen network's "
        "features first, then all layers, earlier ones more slowly, on images that grow.",
    )
    epochs: int = Field(50, ge=1, le=10_000, description="Passes over the training images.")
    learning_rate: float = Field(0.0003, gt=0, le=10, description="Highest learning rate of the schedule.")
    weight_decay: float = Field(0.001, ge=0, le=1, description="Weight decay (L2).")
    optimizer: Literal["adamw", "adam", "sgd"] = Field("adamw", description="Optimiser.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD.")
    scheduler: Literal["cosine", "cosine_warmup", "one_cycle", "plateau", "none"] = Field(
        "cosine", description="Learning-rate schedule; cosine restarts every cosine_t0 epochs."
    )
    cosine_t0: int = Field(10, ge=1, le=10_000, description="Epochs of the first cosine cycle (T_0).")
    cosine_t_mult: int = Field(
        2, ge=1, le=10, description="Each cycle is this many times as long as the one before (T_mult)."
    )
    warmup_epochs: float = Field(1.0, ge=0, le=1000, description="Epochs of rising learning rate with cosine_warmup.")
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="plateau multiplies the learning rate by this.")
    plateau_patience: int = Field(3, ge=0, le=1000, description="plateau waits this many epochs without improvement.")
    gradient_clip: float = Field(
        1.0, ge=0, le=1000, description="Largest norm of the gradient; 0 switches clipping off."
    )
    gradient_accumulation_steps: int = Field(
        1, ge=1, le=1024, description="Batches summed up before a step of the optimiser."
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Keep less in memory and compute it again: the same figures, up to a third slower, for batches that would not fit.",
    )
    batch_norm: Literal["auto", "batch", "pretrained"] = Field(
        "auto",
        description="Statistics of batch normalisation while training: each batch's own, or those of the pretrained weights throughout, which is faster; auto keeps the pretrained ones with fine_tune and where a batch has fewer than 8 images.",
    )
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="Share of the target spread over the other classes.")
    weighted_sampler: bool = Field(
        True, description="Draw rare classes more often, so that each class is seen equally often."
    )
    use_class_weights: bool = Field(False, description="Weigh the loss by the inverse class frequency.")
    use_focal_loss: bool = Field(False, description="Focal loss in place of cross-entropy.")
    focal_loss_alpha: list[Annotated[float, Field(ge=0, le=1000)]] | None = Field(
        None, description="Focal loss: one weight for each class; null means 1."
    )
    focal_loss_gamma: float = Field(2.0, ge=0, le=10, description="Focal loss: how strongly easy cases are discounted.")
    use_ema: bool = Field(False, description="Evaluate and keep an exponential moving average of the weights.")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="Decay of that average at each step.")
    mixup_alpha: float = Field(0.0, ge=0, le=10, description="Mixup: parameter of the beta distribution; 0 is off.")
    unfreezing: UnfreezingSettings = UnfreezingSettings()
    use_amp: bool | Literal["auto"] = Field(
        "auto",
        description="Train in bf16 (CPU, CUDA) or half precision; auto uses it where the processor is fast at it.",
    )
    early_stopping: EarlyStoppingSettings = EarlyStoppingSettings()
    export_onnx: bool = Field(False, description="Export the best epoch to ONNX when the run has reached its end.")


class EvaluationSettings(Settings):
    """How the model is judged."""

    target_class: str | None = Field(
        None,
        description="Class in question, the disease looked for: the operating point and the sensitivity are its own. null takes it from the names of the classes; where they do not tell, a run asks for it.",
    )
    target_sensitivity: float = Field(
        0.95, gt=0, lt=1, description="Sensitivity the operating point aims at, chosen on validation images."
    )
    referral_error_rate: float = Field(
        0.1, gt=0, lt=1, description="Share of wrong answers allowed before a case is referred to a human."
    )
    tta: bool = Field(
        False, description="Test-time augmentation: average the answers for the image and its mirror image."
    )
    patient_score: PatientScore = Field(
        "largest",
        description="How a patient's images become one score: largest takes the image most probable to be of the target class, so that a patient is flagged when any image is; mean takes the mean of all.",
    )
    patient_id: PatientIdRule | None = Field(
        None,
        description='Where the patient of an image is found: {"pattern": "^(P\\\\d+)_"} on the file name, {"folder": 1}, {"csv": "patients.csv"}, or {"dicom": "patient_id"} in DICOM files, with a "pattern" where the header says more than the patient; null when unknown.',
    )

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
        raise ValueError(
            'expected null, a pattern such as "^(P\\d+)_", {"folder": 1}, {"csv": "patients.csv"} or '
            '{"dicom": "patient_id"}'
        )


class StorageSettings(Settings):
    """What is kept on disk, and what happens after an interruption."""

    keep_best: int = Field(
        1, ge=1, le=20, description="Weights of how many of a run's best epochs are kept, the best one included."
    )
    keep_last: int = Field(
        2,
        ge=1,
        le=10,
        description="How many resume points of a run are kept: should the newest be damaged, the one before is used.",
    )
    backup_after_run: bool = Field(
        True, description="Back up a run at its end: configuration, manifest, records and best weights; never images."
    )
    backups_kept: int = Field(5, ge=1, le=1000, description="Backups kept of each kind; older ones are deleted.")
    backup_every_hours: float = Field(
        0, ge=0, le=8760, description="Back up the whole project this often while the server runs; 0 is never."
    )
    resume_interrupted: bool = Field(
        False,
        description="When the server starts, go on by itself with runs that a crash or a reboot interrupted; otherwise it offers to.",
    )


class Config(Settings):
    """All settings."""

    data: DataSettings = DataSettings()
    preprocessing: PreprocessingSettings = PreprocessingSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    tuning: TuningSettings = TuningSettings()
    crossval: CrossvalSettings = CrossvalSettings()
    system: SystemSettings = SystemSettings()
    storage: StorageSettings = StorageSettings()
    tracking: TrackingSettings = TrackingSettings()
    server: ServerSettings = ServerSettings()

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
        raise ConfigInvalid([f"preset: expected one of {', '.join(PRESETS)}, got {name!r}"])
    return dict(PRESETS[name])


def assignment(text: str) -> dict[str, Any]:
    """Return the partial configuration of one `section.key=value`; the value is JSON, or else a string."""
    place, equals, raw = text.partition("=")
    if not equals or not place.strip():
        raise ConfigInvalid([f"--set: expected section.key=value, got {text!r}"])
    try:
        value = json.loads(raw)
    except ValueError:
        value = raw
    for key in reversed(place.strip().split(".")):
        value = {key: value}
    return value  # type: ignore[no-any-return]
