"""Sets of prepared images: what is said of each image belongs to it, and only the classes and part judged are taken."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from breastai.data.cases.image_set import ImageSet, labelled_images, matched_cases, validation_images
from breastai.data.preprocessing.preprocess import preprocess_image
from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ClassesUnmatched, DataNotFound, NoImages, PartNotFound
from breastai.storage.checkpoints import SplitRecord

NAMES = ["benign", "malignant"]


def write(folder: Path, classes: dict[str, int]) -> Path:
    """Write so many images a class, each of its own noise."""
    grey = 20
    for name, count in classes.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image = np.random.default_rng(grey).integers(0, grey, (24, 30), np.uint8)
            cv2.imwrite(str(folder / name / f"{number}.png"), image)
            grey += 10
    return folder


def config(**data: object) -> Config:
    return parse_config({"data": {"image_size": 32, "num_workers": 0, "test_dir": None, **data}})


def test_each_image_of_a_set_has_its_own_pixels_label_name_and_hash(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", {"benign": 3, "malignant": 2})
    images, skipped, match = labelled_images(folder, NAMES, config())
    assert len(images) == 5 and skipped == () and match.is_plain and images.image_size == 32
    assert images.files == ["benign/0.png", "benign/1.png", "benign/2.png", "malignant/0.png", "malignant/1.png"]
    assert images.labels.tolist() == [0, 0, 0, 1, 1] and images.counts() == {"benign": 3, "malignant": 2}
    chosen = images.subset(np.array([4, 1]))
    assert chosen.files == ["malignant/1.png", "benign/1.png"] and chosen.labels.tolist() == [1, 0]
    assert chosen.class_of_each == ["malignant", "benign"] and chosen.counts() == {"benign": 1, "malignant": 1}
    assert chosen.hashes == [images.hashes[4], images.hashes[1]]
    assert chosen.entry_keys == [images.entry_keys[4], images.entry_keys[1]] and len(set(images.entry_keys)) == 5
    assert chosen.preprocessing_key == images.preprocessing_key
    for place, name in enumerate(chosen.files):
        pixels = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(chosen.image(place), preprocess_image(pixels, config().preprocessing, 32)[0])


def test_images_of_classes_of_other_names_are_numbered_by_the_classes_judged(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", {"1 Malignant": 2, "Benign": 3, "blank": 1})
    images, _, match = labelled_images(folder, NAMES, config(), class_map={"blank": []})
    assert images.class_of_each == ["malignant"] * 2 + ["benign"] * 3 and images.labels.tolist() == [1, 1, 0, 0, 0]
    assert match.left_out == {"blank": 1} and match.renamed == {"1 malignant": "malignant"}
    with pytest.raises(ClassesUnmatched):
        matched_cases(write(tmp_path / "b", {"here": 1, "there": 1}), NAMES, config())


def test_a_class_left_out_by_a_map_leaves_no_image_where_it_is_the_only_one(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", {"x": 2})
    with pytest.raises((NoImages, ClassesUnmatched)):
        matched_cases(folder, NAMES, config(), class_map={"x": []})


def test_of_parts_that_a_table_gives_the_one_asked_for_is_taken(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", {"benign": 3, "malignant": 3})
    rows = [
        f"{name}/{number}.png,{name},{part}" for name in NAMES for number, part in enumerate(("train", "val", "test"))
    ]
    (folder / "labels.csv").write_text("\n".join(["file,label,split", *rows]) + "\n", encoding="utf-8")
    for part in ("train", "val", "test"):
        table, _ = matched_cases(folder / "labels.csv", NAMES, config(), part=part)
        number = ("train", "val", "test").index(part)
        assert list(table.files) == [f"benign/{number}.png", f"malignant/{number}.png"]
    assert len(matched_cases(folder / "labels.csv", NAMES, config())[0]) == 6
    for name in ("train", "val"):
        (folder / "labels.csv").write_text(
            "\n".join(["file,label,split", *(row for row in rows if name in row)]) + "\n"
        )
        with pytest.raises(PartNotFound, match="no part test"):
            matched_cases(folder / "labels.csv", NAMES, config(), part="test")


def test_a_run_is_judged_on_the_very_images_it_validated_on_and_those_gone_are_named(tmp_path: Path) -> None:
    train, val = (
        write(tmp_path / "train", {"benign": 2, "malignant": 2}),
        write(tmp_path / "val", {"benign": 3, "malignant": 2}),
    )
    settings = config(train_dir=str(train), val_dir=str(val))
    known, _, _ = labelled_images(val, NAMES, settings)
    split = SplitRecord(
        train=[], train_sha256=[], val=[*known.files[:4], "benign/9.png"], val_sha256=[*known.hashes[:4], "0" * 64],
        description="",
    )  # fmt: skip
    found, gone = validation_images(settings, split, tmp_path)
    assert isinstance(found, ImageSet) and found.files == known.files[:4]
    assert [each.file for each in gone] == ["benign/9.png"]
    changed = split.model_copy(update={"val_sha256": ["0" * 64] * 5})
    with pytest.raises(DataNotFound):
        validation_images(settings, changed, tmp_path)
