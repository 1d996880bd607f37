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
}


def command_name(command: CommandInfo) -> str:
    """Return what a user types to run a command."""
    return command.name or (command.callback.__name__.replace("_", "-") if command.callback else "")


def add_examples(app: typer.Typer) -> None:
    """Put its examples at the end of each command's help."""
    for command in app.registered_commands:
        name = command_name(command)
        if name in EXAMPLES:
            command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in EXAMPLES[name])
