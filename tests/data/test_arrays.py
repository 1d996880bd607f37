"""Images and labels in the arrays of an .npz file: each row its own image, and what is none is refused or listed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from breastai.data.decoders import array_images
from breastai.data.decoders.array_images import array_content, array_file, array_names, read_array, row_name
from breastai.data.decoders.decoder_table import decode, read_image
from breastai.data.sources.array_cases import describe_arrays, read_arrays
from breastai.domain.errors import ClassesDiffer, ImageUnreadable, LabelsInvalid, PathNotFound, TooFewClasses

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (6, 8, 9), dtype=np.uint8)
LABELS = np.array([[0], [1], [0], [1], [1], [0]])


def archive(tmp_path: Path, **arrays: Any) -> Path:
    np.savez(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (8, 9, 3)])
def test_a_row_is_an_image_of_one_channel_or_of_three(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = GENERATOR.integers(0, 256, (3, *shape), dtype=np.uint8)
    place = archive(tmp_path, train_images=images)
    for row in range(3):
        path = place / row_name("train_images", row)
        assert array_file(path) == place
        shown = decode(array_content(path, place, "x"), "x.png")
        assert np.array_equal(np.squeeze(shown), np.squeeze(images[row]))
        assert np.array_equal(read_image(path), shown)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 8, 9, 2), np.uint8),
        np.zeros((2, 8, 9, 4), np.uint8),
        np.zeros((2, 8), np.uint8),
        np.zeros((2, 3, 8, 9, 3), np.uint8),
        np.zeros((2, 8, 9), np.uint16),
        np.zeros((2, 8, 9)),
    ],
)
def test_what_is_no_image_of_eight_bits_is_refused(tmp_path: Path, images: Any) -> None:
    place = archive(tmp_path, train_images=images)
    with pytest.raises(ImageUnreadable):
        array_content(place / "train_images/00001", place, "x")


@pytest.mark.parametrize("name", ["train_images/00006", "gone/00000"])
def test_a_row_or_an_array_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    place = archive(tmp_path, train_images=IMAGES)
    with pytest.raises(ImageUnreadable):
        array_content(place / name, place, "x")


def test_only_a_row_of_an_archive_that_is_there_lies_in_one(tmp_path: Path) -> None:
    place = archive(tmp_path, train_images=IMAGES)
    for path in (place / "x/00001a", place / "00001", tmp_path / "b.npz/x/00001", tmp_path / "a.zip/x/00001", place):
        assert array_file(path) is None
    assert row_name("x", 12) == "x/00012" and row_name("x", 123456) == "x/123456"


@pytest.mark.parametrize(("excess", "refused"), [(0, False), (1, True)])
def test_an_array_is_as_large_as_it_may_be_and_no_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, excess: int, refused: bool
) -> None:
    place = archive(tmp_path, train_images=IMAGES)
    monkeypatch.setattr(array_images, "MOST_ARRAY_BYTES", array_names(place)["train_images"] - excess)
    if refused:
        with pytest.raises(ValueError, match="holds more"):
            read_array(place, "train_images")
    else:
        found = read_array(place, "train_images")
        assert np.array_equal(found, IMAGES) and not found.flags.writeable


def test_arrays_of_the_parts_are_cases_in_their_order(tmp_path: Path) -> None:
    place = archive(
        tmp_path, train_images=IMAGES, train_labels=LABELS, test_images=IMAGES[:2], test_labels=LABELS[:2], x=LABELS
    )
    description = describe_arrays(place)
    assert [(each.images, each.labels, each.part) for each in description.arrays] == [
        ("train_images", "train_labels", "train"),
        ("test_images", "test_labels", "test"),
    ]
    table = read_arrays(description, tmp_path)
    assert list(table.files) == [f"train_images/{row:05}" for row in range(6)] + [
        f"test_images/{row:05}" for row in range(2)
    ]
    assert [table.class_names[label] for label in table.labels] == [str(value) for value in [*LABELS.ravel(), 0, 1]]
    assert {name: len(part) for name, part in table.by_part().items()} == {"train": 6, "test": 2}
    with pytest.raises(ClassesDiffer):
        read_arrays(description, tmp_path, ["0", "2"])
    assert list(read_arrays(description, tmp_path, ["1", "0"]).class_names) == ["1", "0"]
    place.unlink()
    with pytest.raises(PathNotFound):
        read_arrays(description, tmp_path)


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": IMAGES, "labels": LABELS},
        {"train_images": IMAGES},
        {"train_images": IMAGES, "test_labels": LABELS},
    ],
)
def test_an_archive_without_images_and_labels_of_a_part_is_none(tmp_path: Path, arrays: dict[str, Any]) -> None:
    with pytest.raises(LabelsInvalid):
        describe_arrays(archive(tmp_path, **arrays))
    (tmp_path / "b.npz").write_bytes(b"no archive")
    with pytest.raises(LabelsInvalid):
        describe_arrays(tmp_path / "b.npz")


@pytest.mark.parametrize("labels", [LABELS[:5], np.zeros((6, 2)), np.zeros((5, 1))])
def test_there_is_one_label_for_each_image(tmp_path: Path, labels: Any) -> None:
    description = describe_arrays(archive(tmp_path, train_images=IMAGES, train_labels=labels))
    with pytest.raises(LabelsInvalid):
        read_arrays(description, tmp_path)


def test_one_class_is_enough_only_where_any_are_taken(tmp_path: Path) -> None:
    description = describe_arrays(archive(tmp_path, train_images=IMAGES, train_labels=LABELS * 0))
    with pytest.raises(TooFewClasses):
        read_arrays(description, tmp_path)
    assert len(read_arrays(description, tmp_path, ())) == 6
