"""The answers a model carries: replayed by any copy, and a copy that answers otherwise is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from breastai.cli import run
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import ModelUnreadable, ReferencesDiffer
from breastai.predictor.model_output import Answer
from breastai.predictor.onnx_model import OnnxModel
from breastai.predictor.reference_answers import compare_references, digest, reference_images, references_for

from .test_onnx_model import METADATA, SIDE, brightness_model

SETTINGS = PreprocessingSettings(clahe=False)


def model_with_references(path: Path, **changes: Any) -> Path:
    """Write a model that carries its own answers, some of what it says of them changed."""
    plain = OnnxModel.open(brightness_model(path))
    images = reference_images(SETTINGS, SIDE, count=3)
    references = references_for(images, plain.answer(images), 1e-4).model_dump() | changes
    return brightness_model(path, METADATA | {"references": references})


def test_a_seed_draws_the_same_phantoms_each_time_and_others_for_another_seed() -> None:
    first, again = (reference_images(SETTINGS, 32, count=3) for _ in range(2))
    assert digest(first) == digest(again)
    assert digest(first) != digest(reference_images(SETTINGS, 32, count=3, seed=8))
    assert len(np.unique(first)) > 50


def test_a_model_that_answers_as_before_is_verified(tmp_path: Path) -> None:
    found = OnnxModel.open(model_with_references(tmp_path / "m.onnx")).verify()
    assert (found.count, found.changed, found.same_images) == (3, 0, True)
    assert found.difference <= 1e-6


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"probabilities": [[0.2, 0.8]] * 3}, "the phantoms are the same to the bit"),
        ({"seed": 8, "allowed_difference": 1e-9}, "the phantoms drawn here differ"),
    ],
)
def test_a_model_that_answers_otherwise_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    model = OnnxModel.open(model_with_references(tmp_path / "m.onnx", **changes))
    with pytest.raises(ReferencesDiffer, match=reason):
        model.verify()


def test_a_model_without_references_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="no reference answers"):
        OnnxModel.open(brightness_model(tmp_path / "m.onnx")).verify()


def test_a_tie_within_the_allowed_difference_is_no_changed_decision() -> None:
    images = np.zeros((2, 4, 4, 3), np.uint8)
    references = references_for(images, Answer(np.array([[0.5, 0.50001], [0.4, 0.6]])), 1e-3)
    assert compare_references(references, images, Answer(np.array([[0.50001, 0.5], [0.4, 0.6]]))).agrees
    other = compare_references(references, images, Answer(np.array([[0.5, 0.5], [0.6, 0.4]])))
    assert other.changed == 1
    assert not compare_references(references, images, Answer(np.full((2, 2), np.nan))).agrees


def test_a_novelty_that_is_another_is_no_agreement() -> None:
    images = np.zeros((2, 4, 4, 3), np.uint8)
    said = np.array([[0.5, 0.5], [0.4, 0.6]])
    references = references_for(images, Answer(said, np.array([1.0, 2.0])), 1e-3)
    assert compare_references(references, images, Answer(said, np.array([1.0, 2.0005]))).agrees
    for other in (np.array([1.0, 2.1]), np.array([np.nan, 2.0]), None):
        assert not compare_references(references, images, Answer(said, other)).agrees


def test_the_command_tells_it_and_ends_with_a_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = model_with_references(tmp_path / "good.onnx")
    assert run(["verify", str(good), "--json", "--workspace", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["type"], told["references"], told["same_images"]) == ("verified", 3, True)
    bad = model_with_references(tmp_path / "bad.onnx", probabilities=[[0.2, 0.8]] * 3)
    assert run(["verify", str(bad), "--workspace", str(tmp_path)]) == 1
    assert "does not answer as it did" in capsys.readouterr().err
