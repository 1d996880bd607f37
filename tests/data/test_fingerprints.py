"""Fingerprints: thumbnails of every size come back as they were, those of before too, and of very many images there are none."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from breastai.data.cases import fingerprints
from breastai.data.cases.fingerprints import Fingerprints, find_overlap, read_fingerprints, thumbnails_of
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
