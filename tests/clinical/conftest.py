"""Simulated test sets, shared by the tests of figures and intervals."""

from typing import Any

import numpy as np
import pytest


@pytest.fixture
def draw_cases() -> Any:
    """Return a function that draws labels (N,) and probabilities (N, C) of a model that knows something."""

    def draw(n: int, seed: int, classes: int = 3, skill: float = 1.2) -> tuple[Any, Any]:
        generator = np.random.default_rng(seed)
        labels = generator.integers(0, classes, n)
        logits = generator.normal(size=(n, classes)) + skill * np.eye(classes)[labels]
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return labels, probabilities

    return draw
