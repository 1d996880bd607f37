"""BreastAI: train breast-image classifiers on an ordinary computer. Research software, not a medical device."""

import os
from typing import Any

# ONNX Runtime tells its makers of the machine and of each model, in a thread that Python does not see, unless this is set
# before it is first imported; its own disable_telemetry_events() comes too late. Processes that we start inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "4.0.0"

# What scripts and notebooks use: the steps of a study, the clients, version 3's names. Imported when first used, so that
# `import breastai` stays light.
_LAZY = {
    **dict.fromkeys(
        ("audit", "crossval", "evaluate", "export", "report", "resume", "train"), "breastai.notebook.study_calls"
    ),
    "load": "breastai.notebook.loaded_model",
    "set_language": "breastai.commands.language",
    "MedicalProductionConfig": "breastai.v3_api",
    "BreastAITrainingSystem": "breastai.v3_api",
    "TrainingBroadcaster": "breastai.v3_api",
    "TrainingStateManager": "breastai.v3_api",
    "Client": "breastai.client",
    "BlockingClient": "breastai.blocking_client",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
