"""Patient candidates: among very many images a patient's copies are found, whichever way they are turned, and only those."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from breastai.data.duplicates import near_duplicates, patient_candidates
from breastai.data.duplicates.grey_thumbnails import thumbnail
from breastai.data.duplicates.near_duplicates import find_duplicates

Image = Any
COPIES: dict[str, Callable[[Image], Image]] = {
    "jpeg": lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 0),
    "brighter": lambda image: np.clip(image * 1.2 + 10, 0, 255).astype(np.uint8),
    "turned": lambda image: np.rot90(image).copy(),
    "upside down": lambda image: image[::-1, ::-1].copy(),
    "mirrored": lambda image: image[:, ::-1].copy(),
    "mirrored and turned": lambda image: np.rot90(image[:, ::-1]).copy(),
    "inverted": lambda image: 255 - image,
    "larger": lambda image: cv2.resize(image, (70, 70), interpolation=cv2.INTER_CUBIC),
}


def patch(seed: int) -> Image:
    """Return a patch of 50 x 50 with structure both coarse and fine."""
    generator = np.random.default_rng(seed)
    coarse = cv2.resize(generator.normal(size=(8, 8)), (50, 50), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(generator.normal(size=(50, 50)), (0, 0), 0.8)
    return np.clip(128 + 35 * coarse + 40 * fine, 0, 255).astype(np.uint8)


@pytest.fixture
def very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few images that count as very many."""
    monkeypatch.setattr(near_duplicates, "MOST_COMPARED", 10)


@pytest.mark.usefixtures("very_many")
@pytest.mark.parametrize("change", COPIES)
def test_a_copy_within_a_patient_is_found_and_one_of_another_patient_is_not(change: str) -> None:
    images = [patch(seed) for seed in range(40)]
    images += [COPIES[change](images[0]), COPIES[change](images[1])]
    patients = [f"P{number % 4}" for number in range(40)] + ["P0", "P2"]  # of the copies the first is of its patient
    found = find_duplicates(
        [thumbnail(image) for image in images], [str(number) for number in range(42)], patients=patients
    )
    assert found.groups == ((0, 40),)


@pytest.mark.usefixtures("very_many")
def test_where_a_patient_is_unknown_all_are_compared_however_many_they_are() -> None:
    images = [patch(seed) for seed in range(12)]
    images.append(COPIES["jpeg"](images[0]))
    small, hashes = [thumbnail(image) for image in images], [str(number) for number in range(13)]
    known: list[str | None] = [f"P{number}" for number in range(13)]
    assert find_duplicates(small, hashes, patients=known).groups == ()
    assert find_duplicates(small, hashes, patients=[None, *known[1:]]).groups == ((0, 12),)


def test_identical_files_of_two_patients_are_a_pair_among_very_many_too(very_many: None) -> None:
    small = [thumbnail(patch(0)) for _ in range(2)] + [thumbnail(patch(seed)) for seed in range(1, 11)]
    found = find_duplicates(small, ["same", "same", *map(str, range(10))], patients=[f"P{n}" for n in range(12)])
    assert found.groups == ((0, 1),) and found.pairs[0].identical


def test_a_patient_of_very_many_images_is_compared_in_windows_with_the_same_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = [patch(seed) for seed in range(400)]
    images += [COPIES[change](images[place]) for place, change in enumerate(COPIES)]
    small, patients = [thumbnail(image) for image in images], ["P1"] * len(images)
    every = patient_candidates.patient_candidates(small, patients)
    monkeypatch.setattr(patient_candidates, "_ALL_COMPARED", 100)
    monkeypatch.setattr(patient_candidates, "_WINDOW", 40)
    monkeypatch.setattr(patient_candidates, "_BLOCK", 16)
    windows = patient_candidates.patient_candidates(small, patients)
    planted = {(place, 400 + place) for place in range(len(COPIES))}
    assert planted <= {each[:2] for each in every}
    assert sorted(windows) == sorted(every)


def test_images_that_show_nothing_are_no_candidates_and_no_image_is_in_more_than_a_few_pairs() -> None:
    level = np.full((50, 50), 90, dtype=np.uint8)
    assert patient_candidates.patient_candidates([level] * 5, ["P1"] * 5) == []
    alike = [thumbnail(COPIES["brighter"](patch(3))) for _ in range(30)]
    found = patient_candidates.patient_candidates(alike, ["P1"] * 30)
    counts = np.bincount([number for each in found for number in each[:2]])
    assert counts.max() == 8 and len({each[:2] for each in found}) == len(found)


def test_of_many_copies_of_one_image_each_is_compared_with_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = [thumbnail(COPIES["brighter"](patch(3))) for _ in range(200)]
    pairs = list(patient_candidates._pairs(patient_candidates._grids(copies, np.arange(200))))
    assert len(pairs) <= 200 * patient_candidates._MOST_ALIKE < 200 * 199 / 2
    found = find_duplicates(copies, [str(number) for number in range(200)], patients=["P1"] * 200)
    monkeypatch.setattr(near_duplicates, "MOST_COMPARED", 10)
    again = find_duplicates(copies, [str(number) for number in range(200)], patients=["P1"] * 200)
    assert again.groups == found.groups == (tuple(range(200)),)
