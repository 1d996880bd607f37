"""Examples for the help of each command, by its name; a test runs them through the command line's own reader."""

from collections.abc import Mapping

import typer
from typer.models import CommandInfo

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "train": (
        "breastai train data --preset quick",
        "breastai train data --set 'evaluation.patient_id=^(P[0-9]+)_' --epochs 20",
    ),
    "resume": ("breastai resume", "breastai resume --list"),
    "tune": ("breastai tune --data data --preset quick --trials 20",),
    "crossval": (
        "breastai crossval --data data --preset quick --folds 5",
        "breastai crossval --resume latest",
    ),
    "evaluate": (
        "breastai evaluate latest --data data --split test",
        "breastai evaluate --predictions other-model.csv --report",
    ),
    "adapt": ("breastai adapt latest --data other_site --local-sample 20",),
    "compare": ("breastai compare RUN_A RUN_B --data data --split test",),
    "readers": ("breastai readers readers.csv",),
    "plan": (
        "breastai plan validation --prevalence 0.2 --auc 0.85",
        "breastai plan development --prevalence 0.2 --auc 0.85 --parameters 12",
    ),
    "audit": ("breastai audit data", "breastai audit data --fail-on error --json"),
    "doubts": ("breastai doubts data",),
    "report": ("breastai report latest --pdf", "breastai report latest --format docx"),
    "predict": (
        "breastai predict latest images/ --csv",
        "breastai predict exports/onnx/MODEL.onnx image.png",
    ),
    "explain": ("breastai explain latest image.png",),
    "watch": (
        "breastai watch arriving answers --model exports/onnx/MODEL.onnx",
        "breastai watch arriving answers --dicom objects",
        "breastai drift answers",
    ),
    "drift": ("breastai drift answers --first-weeks 4", "breastai drift answers --html drift.html"),
    "export": ("breastai export latest --format onnx", "breastai export RUN_A --with RUN_B"),
    "verify": ("breastai verify exports/onnx/MODEL.onnx",),
    "serve": ("breastai serve", "breastai serve --port 8800"),
    "review": ("breastai review exports/onnx/MODEL.onnx",),
    "bench": ("breastai bench",),
    "deidentify": ("breastai deidentify dicom clean",),
    "doctor": ("breastai doctor", "breastai doctor --data data"),
    "settings": ("breastai settings", "breastai settings epochs"),
    "runs": ("breastai runs", "breastai runs --prune", "breastai runs --prune --yes"),
    "sample-data": ("breastai sample-data data",),
    "backup": ("breastai backup", "breastai backup --list"),
    "data inspect": (
        "breastai data inspect data",
        "breastai data inspect labels.csv --file image_id --label diagnosis",
    ),
    "data add": (
        "breastai data add mine data",
        "breastai data add mine scans --table labels.csv --file image_id --label birads --map 1-3=benign --map 4-5=malignant",
    ),
    "data list": ("breastai data list",),
    "data show": ("breastai data show mine",),
    "data remove": ("breastai data remove mine",),
    "data exclude": ("breastai data exclude mine benign/0007.png --note 'a phantom'",),
    "data relabel": ("breastai data relabel mine benign/0007.png malignant --note 'histology of March'",),
    "data restore": ("breastai data restore mine benign/0007.png",),
    "weights add": ("breastai weights add own.safetensors --architecture resnet50 --license MIT --seen none",),
    "weights list": ("breastai weights list",),
    "weights pack": ("breastai weights pack stick.zip", "breastai weights pack stick.zip --fetched"),
}


def command_name(command: CommandInfo) -> str:
    """Return what a user types to run a command."""
    return command.name or (command.callback.__name__.replace("_", "-") if command.callback else "")


def add_examples(app: typer.Typer, group: str = "") -> None:
    """Put its examples at the end of each command's help; those of a group's, such as data, too."""
    for each in app.registered_groups:
        if each.typer_instance is not None:
            add_examples(each.typer_instance, f"{each.typer_instance.info.name} ")
    for command in app.registered_commands:
        name = group + command_name(command)
        if name in EXAMPLES:
            command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in EXAMPLES[name])
