"""A model of lesion crops, from training to a prediction with a box."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from breastai.domain.config import Config
from breastai.domain.events import Event, HeatMap, ImageAnswer, Log, Prediction
from breastai.domain.jobs import AskCheckpoints, Explain, HandedImage, Predict
from breastai.engine.inference.checkpoint_answers import ask_checkpoints
from breastai.engine.inference.evaluation_job import predict
from breastai.engine.inference.heat_maps import explain
from breastai.storage.checkpoints import find_checkpoint, read_manifest
from breastai.storage.workspace import Workspace


def test_a_box_given_or_marked_by_a_mask_shows_the_same_crop_to_the_model(
    run_events: Callable[..., list[Event]], small_config: Callable[..., Config], workspace: Workspace, sample_data: Path
) -> None:
    crop = {"lesion_crop": "marked", "lesion_margin": 0.1}
    events = run_events(small_config({"training": {"epochs": 1}, "preprocessing": crop}))
    assert any(isinstance(event, Log) and event.code == "data.unmarked" for event in events)
    assert read_manifest(find_checkpoint(workspace, "run/best")).config.preprocessing.lesion_crop == "marked"
    image = workspace.root / "image.png"
    shutil.copy(next((sample_data / "test" / "malignant").iterdir()), image)

    def answer(boxes: list[tuple[int, int, int, int] | None]) -> Prediction:
        job = Predict(workspace=str(workspace.root), checkpoint="run/best", images=[str(image)], boxes=boxes)
        return next(event for event in predict(job, workspace) if isinstance(event, Prediction))

    whole, given = answer([]), answer([(20, 16, 24, 20)])
    assert whole.processing is not None and whole.processing.crop is None
    assert any("none is marked" in str(note) for note in whole.notes)
    assert given.processing is not None and given.processing.crop == (18, 12, 28, 28) and not given.notes
    mask = np.zeros(cv2.imread(str(image), 0).shape, np.uint8)
    mask[16:36, 20:44] = 255
    cv2.imwrite(str(image.with_name("image_mask.png")), mask)
    marked = answer([])
    assert marked.probabilities == pytest.approx(given.probabilities) and marked.processing == given.processing
    assert marked.probabilities != pytest.approx(whole.probabilities, abs=1e-9)
    asked = HandedImage(image="i1", name="x.png", path=str(image), box=(20, 16, 24, 20))
    job = AskCheckpoints(workspace=str(workspace.root), images=[asked], models=["run/best"], heat_maps=True)
    said = next(event for event in ask_checkpoints(job, workspace) if isinstance(event, ImageAnswer)).answers[0]
    assert said.prediction.probabilities == pytest.approx(given.probabilities) and said.heat_map is not None
    explained = Explain(workspace=str(workspace.root), checkpoint="run/best", images=[str(image)], boxes=[asked.box])
    drawn = next(event for event in explain(explained, workspace) if isinstance(event, HeatMap))
    assert drawn.probabilities == pytest.approx(given.probabilities, abs=1e-4)
    outside = answer([(2000, 0, 5, 5)])
    assert outside.error is not None and "outside" in outside.error
