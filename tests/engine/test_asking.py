"""Checkpoints asked about images handed over: the trainer's answers, and maps that lie on the picture."""

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from breastai.data.decoders.decoder_table import read_image
from breastai.data.preprocessing.breast_region import Region
from breastai.domain.errors import CheckpointNotFound
from breastai.domain.events import ExportComplete, HeatMap, ImageAnswer, ImagesAnswered, Prediction
from breastai.domain.jobs import AskCheckpoints, AskExports, Explain, HandedImage, Predict
from breastai.engine.inference.checkpoint_answers import ask_checkpoints, drawn_map
from breastai.engine.inference.evaluation_job import predict
from breastai.engine.inference.heat_maps import explain
from breastai.predictor.uploaded_images import ask_exports
from breastai.storage.workspace import Workspace

from ..data.test_dicom import content, dataset


@pytest.fixture(scope="module")
def images(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[HandedImage]:
    """The same picture as PNG, JPEG and DICOM."""
    png = sorted(sample_data.glob("val/*/*.png"))[0]
    pixels = read_image(png)[:, :, 0]
    files = [png, *(tmp_path_factory.mktemp("kinds") / name for name in ("a.jpg", "a.dcm"))]
    Image.fromarray(pixels).save(files[1], quality=95)
    files[2].write_bytes(content(dataset(pixels)))
    return [HandedImage(image=f"i{number}", name=file.name, path=str(file)) for number, file in enumerate(files)]


def test_a_checkpoint_and_its_export_answer_as_predict_and_explain_do(
    trained: Workspace, exported: ExportComplete, images: list[HandedImage]
) -> None:
    models = ["run/best", exported.path]
    root = str(trained.root)
    *answers, end = [
        event
        for event in ask_checkpoints(
            AskCheckpoints(workspace=root, images=images, models=models, heat_maps=True), trained
        )
        if isinstance(event, ImageAnswer | ImagesAnswered)
    ]
    assert end == ImagesAnswered(count=3, failed=0)
    paths = [image.path for image in images]
    predicted = [
        each
        for each in predict(Predict(workspace=root, checkpoint="run/best", images=paths), trained)
        if isinstance(each, Prediction)
    ]
    explained = [
        each
        for each in explain(Explain(workspace=root, checkpoint="run/best", images=paths), trained)
        if isinstance(each, HeatMap)
    ]
    for answer, usual, heat in zip(answers, predicted, explained, strict=True):
        assert isinstance(answer, ImageAnswer)
        by_checkpoint, by_export = answer.answers
        for said in (by_checkpoint, by_export):
            assert said.prediction.probabilities == pytest.approx(usual.probabilities, abs=1e-4)
            assert said.prediction.called == usual.called
            assert said.prediction.processing == usual.processing
        assert by_checkpoint.prediction.label == heat.explained_class
        assert by_checkpoint.heat_map is not None and by_export.heat_map is None


def test_an_export_answers_in_the_light_worker_as_beside_a_checkpoint(
    trained: Workspace, exported: ExportComplete, images: list[HandedImage]
) -> None:
    models = [exported.path]
    light = list(ask_exports(AskExports(workspace=str(trained.root), images=images, models=models), trained))
    assert [event.type for event in light] == ["image_answer"] * 3 + ["images_answered"]


def test_a_checkpoint_that_is_not_there_is_named(trained: Workspace, images: list[HandedImage]) -> None:
    with pytest.raises(CheckpointNotFound):
        list(ask_checkpoints(AskCheckpoints(workspace=str(trained.root), images=images, models=["no/best"]), trained))


def test_a_map_lies_where_its_region_does_and_is_clear_where_it_is_cold() -> None:
    heat = np.zeros((100, 50), np.float32)
    heat[80:, :10] = 1
    uri = drawn_map(heat, Region(top=100, left=200, height=100, width=50), (400, 300))
    content = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
    drawn = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    assert drawn.shape == (256, 192, 4)
    hot = np.argwhere(drawn[:, :, 3] > 128)
    assert hot.min(axis=0) / [256, 192] == pytest.approx([180 / 400, 200 / 300], abs=0.01)
    assert hot.max(axis=0) / [256, 192] == pytest.approx([200 / 400, 210 / 300], abs=0.01)
    assert (drawn[:100, :, 3] == 0).all()
