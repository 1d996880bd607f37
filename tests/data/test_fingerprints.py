"""Fingerprints: thumbnails of every size come back as they were, those of before too, and of very many images there are none."""

import io
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from breastai.data.cases import fingerprints
from breastai.data.cases.fingerprints import (
    Fingerprints,
    find_overlap,
    fingerprints_of,
    read_fingerprints,
    thumbnails_of,
)
from breastai.data.cases.image_set import ImageSet, preprocess_folder
from breastai.data.duplicates.grey_thumbnails import comparable_thumbnail, thumbnail
from breastai.data.sources.class_folders import scan
from breastai.domain.config import Config
from breastai.storage.salt import salted_hash

from .test_duplicates import texture

SALT = b"0" * 32


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    """Two small images and a large one, of two classes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for place, side in (("a/1", 50), ("a/2", 70), ("b/3", 140)):
        file = tmp_path / "images" / f"{place}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), texture(side)[:side, :side])
    prepared = preprocess_folder(scan(tmp_path / "images"), Config(), None)
    return ImageSet(prepared, np.arange(len(prepared)))


def of(images: ImageSet) -> Fingerprints:
    hashes = [digest[::-1] for digest in images.hashes]  # the same pictures from other files
    return Fingerprints(hashes, ["train"] * 3, thumbnails_of(images), None, salted_hash(SALT, "fingerprints"))


def test_thumbnails_of_several_sizes_are_kept_and_found_again(images: ImageSet, tmp_path: Path) -> None:
    known = of(images)
    assert [small.shape for small in known.thumbnails] == [(50, 50), (68, 70), (128, 128)]
    known.save(tmp_path / "fingerprints.npz")
    again = read_fingerprints(tmp_path / "fingerprints.npz")
    assert again is not None and again.hashes == known.hashes
    assert all(np.array_equal(*pair) for pair in zip(again.thumbnails, known.thumbnails, strict=True))
    overlap = find_overlap(again, images, None, SALT)
    assert overlap.train.near_duplicates == 3 and "near_duplicates" not in overlap.unchecked


def test_fingerprints_written_before_are_read_their_small_images_enlarged_already(
    images: ImageSet, tmp_path: Path
) -> None:
    known, squares = of(images), np.zeros((3, 128, 128), dtype=np.uint8)
    for square, small in zip(squares, known.thumbnails, strict=True):
        shown = comparable_thumbnail(small)
        square[: shown.shape[0], : shown.shape[1]] = shown
    write_as_before(tmp_path / "f.npz", known, squares)
    again = read_fingerprints(tmp_path / "f.npz")
    assert again is not None
    for small, own in zip(again.thumbnails, known.thumbnails, strict=True):
        assert np.array_equal(comparable_thumbnail(small), comparable_thumbnail(own))
    assert find_overlap(again, images, None, SALT).train.near_duplicates == 3


def test_thumbnails_of_another_kind_are_said_to_be_of_no_use(images: ImageSet, tmp_path: Path) -> None:
    write_as_before(tmp_path / "f.npz", of(images), np.zeros((3, 64, 64), dtype=np.uint8))
    again = read_fingerprints(tmp_path / "f.npz")
    assert again is not None
    overlap = find_overlap(again, images, None, SALT)
    assert overlap.train.near_duplicates is None and overlap.unchecked[0] == "near_duplicates"


def test_of_very_many_images_no_thumbnails_are_kept_and_their_identical_files_are_found_all_the_same(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "MOST_COMPARED", 2)
    known = Fingerprints(images.hashes, ["train"] * 3, [], None, salted_hash(SALT, "fingerprints"))
    known.save(tmp_path / "f.npz")
    again = read_fingerprints(tmp_path / "f.npz")
    assert again is not None and list(again.thumbnails) == []
    overlap = find_overlap(again, images, None, SALT)
    assert overlap.train.identical == 3 and overlap.train.near_duplicates is None
    assert overlap.unchecked == ["many", "patients"]


def test_a_thumbnail_keeps_no_whole_image_in_memory() -> None:
    patch = np.ascontiguousarray(texture(0)[:80, :80])
    assert thumbnail(patch).base is None and not np.shares_memory(thumbnail(patch), patch)


def write_as_before(path: Path, known: Fingerprints, squares: np.ndarray) -> None:
    content = io.BytesIO()
    np.savez_compressed(
        content,
        hashes=np.array(known.hashes, dtype="S64"),
        parts=np.array(known.parts, dtype="S5"),
        thumbnails=squares,
        patients=np.array([], dtype="S16"),
        salt_mark=np.array(known.salt_mark, dtype="S16"),
    )
    path.write_bytes(content.getvalue())


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_model_s_fingerprints_are_of_all_images_that_chose_anything_with_their_patients(
    images: ImageSet, calibrated: bool
) -> None:
    parts = {
        "train": images.subset(np.array([0])),
        "val": images.subset(np.array([1])),
        "calibration": images.subset(np.array([2])),
    }
    if not calibrated:
        parts["calibration"] = None  # type: ignore[assignment]
    patients = {"train_patients": ["A"], "val_patients": ["B"], "calibration_patients": ["C"]}
    count = 3 if calibrated else 2
    seen = {images.hashes[0]: np.full((9, 9), 7, np.uint8)}
    found = fingerprints_of(SimpleNamespace(**parts, **patients), SALT, seen)  # type: ignore[arg-type]
    assert found.hashes == images.hashes[:count] and found.parts == ["train", "val", "val"][:count]
    assert found.patients == [salted_hash(SALT, name) for name in "ABC"[:count]]
    assert found.salt_mark == salted_hash(SALT, "fingerprints")
    assert (found.thumbnails[0] == 7).all() and len(found.thumbnails) == count == len(found)
    unknown = fingerprints_of(SimpleNamespace(**parts, **patients | {"val_patients": None}), SALT, {})  # type: ignore[arg-type]
    assert unknown.patients is None


def test_images_are_seen_before_by_their_files_and_their_patients_part_by_part(images: ImageSet) -> None:
    own = ["A", "B", "C"]
    known = Fingerprints(
        hashes=[images.hashes[0], "f" * 64, images.hashes[1], "e" * 64],
        parts=["train", "train", "val", "val"],
        thumbnails=[np.full((60, 60), 5, np.uint8)] * 4,
        patients=[salted_hash(SALT, name) for name in ("A", "B", "X", "C")],
        salt_mark=salted_hash(SALT, "fingerprints"),
    )
    found = find_overlap(known, images, own, SALT)
    assert (found.train.identical, found.train.of_patients, found.train.patients) == (1, 1, 1)  # B's, who is in train
    assert (found.val.identical, found.val.of_patients, found.val.patients) == (1, 1, 1)  # C's
    assert found.train.near_duplicates == found.val.near_duplicates == 0 and found.unchecked == []
    same = find_overlap(known, images, ["B", "B", "B"], SALT)
    assert (same.train.of_patients, same.train.patients) == (2, 1)  # all but the identical one
    without = find_overlap(known, images, None, SALT)
    assert without.unchecked == ["patients"] and without.train.of_patients is None
    other = find_overlap(known, images, own, b"1" * 32)
    assert other.unchecked == ["salt"] and other.train.patients is None and other.train.identical == 1


def test_a_file_that_can_not_be_read_any_more_has_a_black_thumbnail(images: ImageSet) -> None:
    folder = images.prepared.folder
    folder.path(1).write_bytes(b"no image")
    assert [small.shape for small in thumbnails_of(images)] == [(50, 50), (1, 1), (128, 128)]
    known = {images.hashes[1]: np.ones((4, 4), np.uint8)}
    assert [small.shape for small in thumbnails_of(images, known)] == [(50, 50), (4, 4), (128, 128)]
    assert [small.shape for small in thumbnails_of(images.subset(np.array([2, 0])))] == [(128, 128), (50, 50)]
