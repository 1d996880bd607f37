"""The examples: what stands in examples/ runs, and answers as BreastAI does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breastai.clinical.apply_decision_rule import decide
from breastai.data.decoders.decoder_table import read_image
from breastai.predictor.onnx_model import OnnxModel

from .predictor.test_onnx_model import METADATA, SIDE, brightness_model


@pytest.mark.parametrize("clahe", [True, False])
def test_the_python_example_gives_the_same_probabilities(project_root: Path, tmp_path: Path, clahe: bool) -> None:
    preprocessing = {"resize": "stretch", "clahe": clahe, "clahe_grid": 4, "clahe_clip_limit": 2.0}
    path = brightness_model(tmp_path / "m.onnx", METADATA | {"preprocessing": preprocessing, "notice": "Research."})
    model = OnnxModel.open(path)
    image = np.random.default_rng(0).integers(0, 90, (3 * SIDE, 5 * SIDE), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    expected = model.predict(model.preprocess(read_image(tmp_path / "a.png"))[None])[0]
    command = [sys.executable, str(project_root / "examples/predict.py"), str(path), str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said = json.loads(done.stdout)
    assert said["probabilities"] == pytest.approx(dict(zip(["dark", "bright"], expected.tolist(), strict=True)))
    (verdict,) = decide(model.decision, expected[None].astype(float), model.class_names)
    assert (said["decision"], said["refer"]) == (verdict.answer, verdict.refer)
    assert done.stderr == "Research.\n"


def test_the_browser_example_is_short_and_takes_nothing_from_another_host(project_root: Path) -> None:
    folder = project_root / "examples/browser"
    assert len((folder / "predict.js").read_text().splitlines()) <= 24
    for name in ("index.html", "predict.js"):
        assert "http" not in (folder / name).read_text()
