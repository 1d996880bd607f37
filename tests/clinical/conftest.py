"""Simulated test sets, shared by the tests of figures and intervals; charts left blank, for those of reports."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image


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


@pytest.fixture(scope="module")
def blank_charts() -> Iterator[None]:
    """Leave the charts of reports blank: drawing them is most of what a report takes, and has tests of its own."""
    from breastai.clinical.report import report_charts, report_subgroups

    buffer = io.BytesIO()
    Image.new("RGB", (42, 34), "white").save(buffer, format="png")
    with pytest.MonkeyPatch.context() as patch:
        for module in (report_charts, report_subgroups):
            patch.setattr(module, "png", lambda figure: buffer.getvalue())
        yield
