"""What a page asks in passing of images: what a place is read as, pages of a split, an image as it is and as it is seen."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from breastai.data.background import read_with_progress
from breastai.data.preview_jobs import inspect_dataset, list_images, preview_image
from breastai.domain.config import parse_config
from breastai.domain.errors import DataNotFound, ImageUnreadable
from breastai.domain.events import DatasetInspected, ImagePreview, ImagesList
from breastai.domain.jobs import InspectDataset, ListImages, PreviewImage
from breastai.storage.workspace import Workspace

CLASSES = ("benign", "malignant")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace with a training folder of three images a class, of 30 rows and 40 columns."""
    found = Workspace.open(tmp_path / "workspace")
    for label, name in enumerate(CLASSES):
        folder = found.root / "data" / "train" / name
        folder.mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng(10 * label + number).integers(30, 220, (30, 40), np.uint8)
            cv2.imwrite(str(folder / f"{number}.png"), pixels)
    return found


def config(**data: Any) -> Any:
    return parse_config(
        {"data": {"train_dir": "data/train", "val_dir": None, "test_dir": None, "image_size": 32} | data}
    )


def inspected(workspace: Workspace, **options: Any) -> DatasetInspected:
    *_, last = inspect_dataset(InspectDataset(workspace=str(workspace.root), path="data/train", **options), workspace)
    assert isinstance(last, DatasetInspected)
    return last


def test_a_place_is_inspected_with_as_many_pictures_of_each_class_as_are_asked_for(workspace: Workspace) -> None:
    found = inspected(workspace)
    assert found.inspection.classes == dict.fromkeys(CLASSES, 3) and found.pictures == []
    pictures = inspected(workspace, pictures=2).pictures
    assert [(each.class_name, each.file) for each in pictures] == [
        (name, f"{name}/{number}.png") for name in CLASSES for number in range(2)
    ]
    assert all((each.width, each.height) == (40, 30) and each.problem is None for each in pictures)
    assert all(str(each.picture).startswith("data:image/jpeg;base64,") for each in pictures)


def listed(workspace: Workspace, **options: Any) -> ImagesList:
    job = ListImages(workspace=str(workspace.root), config=config(), **({"split": "train"} | options))
    (found,) = list_images(job, workspace)
    assert isinstance(found, ImagesList)
    return found


def test_a_page_of_a_split_is_as_long_as_asked_of_one_class_or_all(workspace: Workspace) -> None:
    every = listed(workspace, first=0, limit=4)
    assert (every.total, len(every.images), every.class_names) == (6, 4, list(CLASSES))
    assert [each.file for each in listed(workspace, first=4, limit=9).images] == ["malignant/1.png", "malignant/2.png"]
    one = listed(workspace, class_name="malignant", first=1, limit=1)
    assert (one.total, [each.file for each in one.images]) == (3, ["malignant/1.png"])
    (workspace.root / "data/train/benign/0.png").write_bytes(b"no image")
    first, second, *_ = listed(workspace, first=0, limit=4).images
    assert first.problem is not None and first.picture is None and second.problem is None
    with pytest.raises(DataNotFound):
        listed(workspace, split="val")


def preview(workspace: Workspace, **options: Any) -> ImagePreview:
    job = PreviewImage(workspace=str(workspace.root), config=config(), **({"split": "train"} | options))
    (found,) = preview_image(job, workspace)
    assert isinstance(found, ImagePreview)
    return found


def test_an_image_is_shown_as_it_is_as_it_is_seen_and_as_it_is_augmented(workspace: Workspace) -> None:
    first = preview(workspace)
    assert (first.file, first.class_name, first.width, first.height, first.grey) == (
        "benign/0.png",
        "benign",
        40,
        30,
        True,
    )
    assert first.image_size == 32 and first.original != first.preprocessed
    found = preview(workspace, file="malignant/2.png", augmented=3, seed=5)
    assert (found.class_name, len(found.augmented), len(set(found.augmented))) == ("malignant", 3, 3)
    assert preview(workspace, file="malignant/2.png", augmented=2, seed=5).augmented == found.augmented[:2]
    assert preview(workspace, file="malignant/2.png", augmented=1, seed=6).augmented != found.augmented[:1]


@pytest.mark.parametrize("file", ["../../secret.png", "benign/gone.png", "benign/notes.txt"])
def test_no_file_is_shown_that_is_no_image_of_the_folder(workspace: Workspace, file: str) -> None:
    cv2.imwrite(str(workspace.root / "secret.png"), np.full((9, 9), 50, np.uint8))
    (workspace.root / "data/train/benign/notes.txt").write_text("x")
    with pytest.raises(ImageUnreadable):
        preview(workspace, file=file)


def test_how_many_images_are_read_is_told_of_all_where_that_is_known() -> None:
    def read(report: Any) -> str:
        report(3, 0)
        report(4, 9)
        return "done"

    steps, told = read_with_progress(read), []
    try:
        while True:
            told.append(next(steps))
    except StopIteration as end:
        assert end.value == "done"
    assert [(each.text.code, each.batch_progress.batch, each.batch_progress.total_batches) for each in told] == [
        ("progress.reading", 3, 0),
        ("progress.reading_of", 4, 9),
    ]
