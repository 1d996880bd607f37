"""BreastAI: train breast-image classifiers on an ordinary computer. Research software, not a medical device."""

from typing import Any

__version__ = "4.0.0"

# Version 3's names for scripts, and the clients; imported when first used, so that `import breastai` stays light.
_LAZY = {
    "MedicalProductionConfig": "breastai.scripting",
    "BreastAITrainingSystem": "breastai.scripting",
    "TrainingBroadcaster": "breastai.scripting",
    "TrainingStateManager": "breastai.scripting",
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
