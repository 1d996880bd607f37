"""Local features and static tiles, by what is known of them: mirrored, inverted, masked, common to many images."""

from typing import Any

import cv2
import numpy as np
import pytest

from breastai.data.duplicates import near_duplicates
from breastai.data.duplicates.image_features import (
    INVERTED,
    MIRRORED,
    MOST_KEYPOINTS,
    PERMUTATIONS,
    VARIANTS,
    Features,
    features_of,
    tissue,
    unit_vectors,
)
from breastai.data.duplicates.near_duplicates import Duplicates, compares_patients_alone, find_duplicates, joined_groups
from breastai.data.duplicates.static_tiles import find_static_tiles, show_telling


def scene(seed: int = 0, side: int = 128) -> Any:
    """Return structure of several sizes, nowhere dark."""
    generator = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(generator.normal(size=(side, side)), (0, 0), size) * 60 * size for size in (1.2, 3)]
    return np.clip(130 + sum(layers), 30, 250).astype(np.uint8)


def everywhere(image: Any) -> Any:
    return np.ones(image.shape, dtype=np.bool_)


def test_tissue_is_what_is_brighter_than_the_dark_and_two_pixels_from_it() -> None:
    image = np.full((20, 20), 13, np.uint8)
    assert tissue(image).all()  # an edge of the image is no edge of tissue
    image[10, 10] = 12
    found = tissue(image)
    assert not found[8:13, 8:13].any() and found.sum() == 400 - 25
    assert not tissue(np.full((20, 20), 12, np.uint8)).any()


def matched(one: Features, other: Features, variant: int, width: int) -> float:
    """Return the median likeness of features at the same place of an image and of its changed copy."""
    places, asked = one.places.copy(), unit_vectors(one.descriptors[:, PERMUTATIONS[variant]])
    if variant & MIRRORED:
        places[:, 0] = width - 1 - places[:, 0]
    apart = np.linalg.norm(places[:, None, :2] - other.places[None, :, :2], axis=2)
    near = apart.argmin(axis=1)
    kept = apart.min(axis=1) < 0.5
    assert kept.sum() > 30
    likeness = (asked * unit_vectors(other.descriptors)[near]).sum(axis=1)
    return float(np.median(likeness[kept]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_descriptor_of_the_mirrored_or_inverted_image_is_a_permutation_of_the_descriptor(variant: int) -> None:
    image = scene()
    changed = np.ascontiguousarray(image[:, ::-1] if variant & MIRRORED else image)
    changed = 255 - changed if variant & INVERTED else changed
    one, other = features_of(image, everywhere(image)), features_of(changed, everywhere(image))
    likeness = {
        asked: matched(one, other, asked, image.shape[1]) if asked & MIRRORED == variant & MIRRORED else 0
        for asked in VARIANTS
    }
    assert likeness[variant] > 0.97 and max(likeness, key=lambda asked: likeness[asked]) == variant
    assert sorted(PERMUTATIONS[variant].tolist()) == list(range(128))


def test_features_are_few_of_one_length_and_of_tissue_that_tells_something() -> None:
    image = scene(1)
    image[:, :40] = 0
    telling = everywhere(image)
    telling[80:] = False
    found = features_of(image, telling)
    assert 10 < len(found.places) <= MOST_KEYPOINTS == 120 and found.places.shape[1] == 4
    x, y = found.places[:, 0], found.places[:, 1]
    assert x.min() > 41 and y.max() < 81
    lengths = np.linalg.norm(found.descriptors.astype(float), axis=1)
    assert np.abs(lengths - 400).max() < 15
    assert len(features_of(scene(2, 400), everywhere(scene(2, 400))).places) == MOST_KEYPOINTS
    flat = np.full((128, 128), 90, np.uint8)
    for none in (features_of(flat, everywhere(flat)), features_of(image, ~everywhere(image))):
        assert none.places.shape == (0, 4) and none.descriptors.shape == (0, 128)


def test_features_change_little_with_gain_and_contrast() -> None:
    image = scene(3)
    slope = np.clip(image * np.linspace(0.6, 1.3, 128)[:, None], 20, 255).astype(np.uint8)
    assert matched(features_of(image, everywhere(image)), features_of(slope, everywhere(image)), 0, 128) > 0.93


def test_bright_text_that_tells_nothing_drowns_nothing_beside_it() -> None:
    image = scene(4)
    panel, telling = image.copy(), everywhere(image)
    panel[:, 64:] = np.where(np.arange(64)[None, :] % 8 < 4, 255, 30)
    telling[:, 64:] = False
    plain, beside = (features_of(each, telling) for each in (image, panel))
    assert matched(plain, beside, 0, 128) > 0.99


def test_unit_vectors_have_length_one_or_nought() -> None:
    vectors = unit_vectors(np.array([[3, 4, 0], [0, 0, 0]], np.uint8))
    np.testing.assert_allclose(vectors, [[0.6, 0.8, 0], [0, 0, 0]], atol=1e-6)


# --- tiles that many images have ---


def noise(seed: int) -> Any:
    return np.random.default_rng(seed).integers(60, 200, (128, 128)).astype(np.uint8)


def with_tile(image: Any, row: int, column: int, tile: Any) -> Any:
    """Put three by three tiles into an image, those around `row` and `column`."""
    image[8 * row - 8 : 8 * row + 16, 8 * column - 8 : 8 * column + 16] = tile
    return image


TILE = np.random.default_rng(99).integers(0, 256, (24, 24)).astype(np.uint8)


@pytest.mark.parametrize(
    ("images", "with_it", "static"),
    [(30, 30, True), (29, 29, False), (40, 4, True), (40, 3, False), (100, 5, True), (100, 4, False)],
)
def test_a_tile_that_enough_other_images_have_in_the_same_place_is_static(
    images: int, with_it: int, static: bool
) -> None:
    drawn = [noise(seed) for seed in range(images)]
    drawn = [with_tile(image, 3, 10, TILE) if number < with_it else image for number, image in enumerate(drawn)]
    found = find_static_tiles(drawn)
    assert found.shape == (images, 16, 16) and found.dtype == np.bool_
    expected = np.zeros((images, 16, 16), dtype=np.bool_)
    expected[:with_it, 2:5, 9:12] = static
    assert np.array_equal(found, expected)


def test_copies_of_an_image_and_tiles_without_structure_are_not_static() -> None:
    copies = [noise(0)] * 5 + [noise(seed) for seed in range(1, 40)]
    assert not find_static_tiles(copies).any()
    flat = [np.full((128, 128), 90, np.uint8) for _ in range(40)]
    assert not find_static_tiles(flat).any()


def test_images_of_any_size_have_tiles_and_where_none_is_static_an_image_tells_something() -> None:
    drawn = [
        cv2.resize(with_tile(noise(seed), 3, 10, TILE), (256, 128), interpolation=cv2.INTER_NEAREST)
        for seed in range(70)
    ]
    found = find_static_tiles(drawn)
    assert found[:, 2:5, 9:12].all() and found.sum() == 9 * 70
    telling = show_telling(found[0], drawn[0])
    expected = np.ones((128, 256), dtype=np.bool_)
    expected[16:40, 144:192] = False
    assert np.array_equal(telling, expected)


# --- groups ---


def test_images_of_a_group_have_one_number_and_each_other_its_own() -> None:
    assert Duplicates((), ((1, 3), (2, 5))).group_numbers(6).tolist() == [0, 1, 2, 1, 3, 2]
    assert Duplicates((), ()).group_numbers(3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("count", "known", "alone"), [(4, True, True), (3, True, False), (4, False, False)])
def test_only_of_very_many_images_of_known_patients_those_of_a_patient_are_compared(
    monkeypatch: pytest.MonkeyPatch, count: int, known: bool, alone: bool
) -> None:
    monkeypatch.setattr(near_duplicates, "MOST_COMPARED", 3)
    patients = [*["P"] * (count - 1), "P" if known else None]
    assert compares_patients_alone(patients) == alone


def test_an_image_with_next_to_no_contrast_has_no_features(monkeypatch: pytest.MonkeyPatch) -> None:
    static = np.zeros((16, 16), dtype=np.bool_)
    image = scene(5)
    faint = (128 + (image.astype(float) - image.mean()) / image.std() * 1.5).round().astype(np.uint8)
    assert faint.std() < 2 and len(near_duplicates._seen(faint, static).features.places) == 0
    assert len(near_duplicates._seen(image, static).features.places) > 10
    assert near_duplicates._seen(image, static).image is image


def test_the_work_is_told_as_it_goes_on_from_looking_to_judging(monkeypatch: pytest.MonkeyPatch) -> None:
    images = [scene(seed) for seed in range(4) for _ in range(2)]
    hashes = [str(number) for number in range(8)]
    monkeypatch.setattr(near_duplicates, "_ROUND", 1)
    shares: list[float] = []
    found = find_duplicates(images, hashes, threads=1, progress=shares.append)
    assert found.groups == ((0, 1), (2, 3), (4, 5), (6, 7))
    # Looking is half, votes are a fifth by four variants, judging the rest, a round for each candidate.
    assert shares[:4] == pytest.approx([0.55, 0.6, 0.65, 0.7])
    assert shares[4:] == pytest.approx([0.7 + 0.3 * each / len(shares[4:]) for each in range(len(shares[4:]))])
    monkeypatch.setattr(near_duplicates, "MOST_COMPARED", 3)
    shares.clear()
    find_duplicates(images, hashes, patients=["P", "P", *["Q"] * 6], threads=1, progress=shares.append)
    assert shares[:2] == pytest.approx([0.5 * 2 / 8, 0.5]) and shares[2] == pytest.approx(0.7)


def test_pairs_that_join_make_one_group_of_all() -> None:
    def pair(first: int, second: int) -> near_duplicates.NearDuplicate:
        return near_duplicates.NearDuplicate(first, second, 1.0, 1.0, identical=True)

    assert joined_groups([pair(4, 5), pair(3, 4), pair(0, 5), pair(1, 2)], 7) == ((0, 3, 4, 5), (1, 2))
    assert joined_groups([], 3) == ()
