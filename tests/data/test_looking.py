"""The jobs of the light worker."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from breastai.data.decoders.decoder_table import decode
from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.data.preprocessing.thumbnails import data_uri
from breastai.data.preview_jobs import list_images, preview_image
from breastai.domain.config import Config
from breastai.domain.errors import BreastAIError
from breastai.domain.event_messages import encode_event
from breastai.domain.events import ImagePreview, ImagesList
from breastai.domain.jobs import ListImages, PreviewImage
from breastai.storage.workspace import Workspace

from .test_headers import picture

CONFIG = Config.model_validate({"data": {"image_size": 64}})


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("looking")
    write_sample_data(root / "data", per_class=10, seed=1)
    (root / "data/train/benign/z<b>.png").write_text("no image")
    (root / "secret.png").write_bytes(b"x")
    (root / "secret.txt").write_bytes(b"x")
    return Workspace.open(root)


def listed(workspace: Workspace, **fields: Any) -> ImagesList:
    job = ListImages(workspace=str(workspace.root), config=CONFIG, split=fields.pop("split", "train"), **fields)
    (event,) = list_images(job, workspace)
    assert isinstance(event, ImagesList)
    return event


def preview(workspace: Workspace, config: Config = CONFIG, **fields: Any) -> ImagePreview:
    job = PreviewImage(workspace=str(workspace.root), config=config, split="train", **fields)
    (event,) = preview_image(job, workspace)
    assert isinstance(event, ImagePreview)
    return event


def pixels(uri: str) -> np.ndarray:
    return decode(base64.b64decode(uri.partition(",")[2]), "picture.jpg")


def test_pages_of_a_class_are_its_images_in_order_and_what_can_not_be_read_says_why(workspace: Workspace) -> None:
    whole = listed(workspace, limit=60, class_name="benign")
    assert {entry.class_name for entry in whole.images} == {"benign"}
    pages = [listed(workspace, class_name="benign", first=first, limit=3).images for first in range(0, whole.total, 3)]
    assert [entry for page in pages for entry in page] == whole.images
    (odd,) = [entry for entry in whole.images if entry.picture is None]
    assert (odd.file, str(odd.problem)) == ("benign/z<b>.png", "its content is text, not an image")


def test_a_thumbnail_keeps_its_proportions_and_a_page_of_them_fits_a_message(workspace: Workspace) -> None:
    found = listed(workspace, limit=60)
    entry = next(entry for entry in found.images if entry.picture is not None)
    height, width = pixels(entry.picture).shape[:2]
    assert max(height, width) == 128
    assert width / height == pytest.approx(entry.width / entry.height, abs=0.02)
    assert len(encode_event(found)) < 2**19


def test_a_preview_shows_what_the_network_sees_and_follows_the_settings(workspace: Workspace) -> None:
    file = listed(workspace).images[1].file
    found = preview(workspace, file=file, augmented=3, seed=5)
    assert pixels(found.preprocessed).shape[:2] == (64, 64)
    assert len(set(found.augmented)) == 3
    assert preview(workspace, file=file, augmented=3, seed=5) == found
    plain = Config.model_validate(
        {"data": {"image_size": 64}, "preprocessing": {"clahe": False}, "augmentation": {"enabled": False}}
    )
    without = preview(workspace, plain, file=file, augmented=1)
    assert without.preprocessed != found.preprocessed
    assert without.original == found.original
    assert np.array_equal(pixels(without.augmented[0]), pixels(without.preprocessed))


def test_without_a_name_the_first_image_is_shown(workspace: Workspace) -> None:
    assert preview(workspace).file == listed(workspace).images[0].file


@pytest.mark.parametrize(
    "file", ["../../secret.png", "/etc/passwd", "benign/nothing.png", "../../secret.txt", "benign"]
)
def test_only_an_image_of_the_folder_is_shown(workspace: Workspace, file: str) -> None:
    with pytest.raises(BreastAIError):
        preview(workspace, file=file)


def test_a_picture_is_never_enlarged() -> None:
    assert pixels(data_uri(np.full((5, 9, 3), 200, np.uint8), 100)).shape[:2] == (5, 9)


def test_a_dicom_image_is_listed_and_previewed_with_the_breast_and_view_its_header_names(tmp_path: Path) -> None:
    picture(tmp_path / "data/train/benign/a.dcm", ImageLaterality="L", ViewPosition="MLO")
    picture(tmp_path / "data/train/malignant/b.dcm", seed=1)
    workspace = Workspace.open(tmp_path)
    with_header, without = listed(workspace).images
    assert (with_header.laterality, with_header.view) == ("L", "MLO")
    assert (without.laterality, without.view) == (None, None)
    found = preview(workspace, file="benign/a.dcm")
    assert (found.laterality, found.view) == ("L", "MLO")
