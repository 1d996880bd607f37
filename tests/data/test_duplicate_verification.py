"""How far two images agree, counted where the answer is known: moved, enlarged, inverted, half another's, cut off."""

from typing import Any

import cv2
import numpy as np
import pytest

from breastai.data.duplicates import duplicate_verification as verification
from breastai.data.duplicates.duplicate_verification import Agreement, Seen, compare
from breastai.data.duplicates.image_features import INVERTED, MIRRORED, features_of

PASSES = Agreement(features=8, tiles=6, correlation=0.3, share=0.6, overlap=0.5, difference=0.25)
SWEEP = Agreement(features=12, tiles=12, correlation=0.45, share=0.0, overlap=0.5, difference=0.25)


@pytest.mark.parametrize("passing", [PASSES, SWEEP])
@pytest.mark.parametrize(
    ("field", "step"),
    [
        ("features", -1),
        ("tiles", -1),
        ("overlap", -0.01),
        ("difference", 0.01),
        ("share", -0.01),
        ("correlation", -0.01),
    ],
)
def test_each_limit_is_reached_by_what_equals_it_and_missed_by_what_falls_short(
    passing: Agreement, field: str, step: float
) -> None:
    assert passing.is_duplicate
    short = passing._replace(**{field: getattr(passing, field) + step})
    free = "correlation" if passing is PASSES else "share"
    assert short.is_duplicate == (field == free)


def grain(seed: int = 0, height: int = 180, width: int = 180, level: float = 110.0) -> Any:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(height, width)), (0, 0), 1.3)
    return np.clip(level + 90 * noise, 20, 240).astype(np.uint8)


def side(image: Any) -> Any:
    return verification._Side(image.astype(np.float32), np.ones(image.shape, dtype=np.bool_))


def agreement(fine: Any, coarse: Any, matrix: Any, variant: int = 0) -> Agreement:
    return verification._agreement(side(fine), side(coarse), np.asarray(matrix, dtype=np.float64), 9, variant)


def test_an_image_agrees_with_itself_in_every_tile() -> None:
    found = agreement(grain(), grain(), [[1, 0, 0], [0, 1, 0]])
    assert found == Agreement(9, 15 * 15, pytest.approx(1), 1.0, 1.0, 0.0)


@pytest.mark.parametrize(("right", "down"), [(40, 0), (0, 60), (25, 10)])
def test_a_moved_image_overlaps_where_both_are(right: int, down: int) -> None:
    whole = grain(0, 240, 240)
    found = agreement(whole[:180, :180], whole[down : down + 180, right : right + 180], [[1, 0, -right], [0, 1, -down]])
    assert found.overlap == pytest.approx((180 - right) * (180 - down) / 180**2, abs=0.02)
    assert (found.correlation, found.share, found.difference) == (pytest.approx(1, abs=1e-3), 1.0, 0.0)
    assert found.tiles == ((180 - right + 4) // 12) * ((180 - down + 4) // 12)


def test_images_that_hardly_overlap_and_images_without_grain_are_not_compared() -> None:
    apart = agreement(grain(), grain(), [[1, 0, 120], [0, 1, 0]])
    assert apart == Agreement(9, 0, 0.0, 0.0, pytest.approx(1 / 3, abs=0.02), 0.0)
    flat = np.full((180, 180), 90, np.uint8)
    assert agreement(flat, flat, [[1, 0, 0], [0, 1, 0]]) == Agreement(9, 0, 0.0, 0.0, 1.0, 0.0)
    dark = np.zeros((180, 180), np.uint8)
    assert agreement(dark, grain(), [[1, 0, 0], [0, 1, 0]]).overlap == 0
    # A small part of the larger image is the whole of the smaller one.
    small = agreement(grain()[:90, :90], grain(), [[1, 0, 0], [0, 1, 0]])
    assert small.overlap == pytest.approx(1, abs=0.06) and small.share == 1


def test_a_finer_image_is_brought_to_the_coarser_grid() -> None:
    fine = cv2.GaussianBlur(grain(1, 360, 360), (0, 0), 1.5)
    fine = np.clip((fine.astype(np.float32) - 110) * 3 + 110, 20, 240).astype(np.uint8)
    coarse = cv2.resize(fine, (180, 180), interpolation=cv2.INTER_AREA)
    found = agreement(fine, coarse, [[0.5, 0, -0.25], [0, 0.5, -0.25]])
    assert found.overlap == pytest.approx(1, abs=0.02) and found.correlation > 0.97 and found.share == 1


def test_an_inverted_image_agrees_as_such_and_disagrees_else() -> None:
    straight = [[1, 0, 0], [0, 1, 0]]
    assert agreement(255 - grain(), grain(), straight, INVERTED).correlation == pytest.approx(1)
    against = agreement(255 - grain(), grain(), straight)
    assert against.correlation == pytest.approx(-1) and against.share == 0 and against.difference == 1


def test_what_differs_is_counted_by_its_largest_part_of_one_piece() -> None:
    image, other = grain(0), grain(1)
    mixed = image.copy()
    mixed[:, :60] = other[:, :60]
    mixed[:, 132:] = other[:, 132:]
    found = agreement(image, mixed, [[1, 0, 0], [0, 1, 0]])
    # Five columns of tiles on the left and four on the right are another's; some of its tiles agree by chance.
    assert 0.2 < found.difference <= 6 * 15 / 225
    assert found.share == pytest.approx(6 / 15, abs=0.08) and found.tiles == 225


def test_what_is_cut_off_at_white_tells_nothing() -> None:
    image = grain(0)
    burnt = image.copy()
    burnt[:96] = 255
    found = agreement(image, burnt, [[1, 0, 0], [0, 1, 0]])
    assert found.tiles == 15 * 7 and found.share >= 14 / 15


def test_a_tile_s_variances_are_those_of_its_pixels_inside() -> None:
    generator = np.random.default_rng(3)
    one, other = (generator.normal(size=(26, 40)).astype(np.float32) for _ in range(2))
    inside = generator.random((26, 40)) < 0.7
    count, (first, second, both) = verification._by_tile(inside, one, other)
    assert count.shape == (2, 3)
    for row in range(2):
        for column in range(3):
            tile = np.s_[row * 12 : row * 12 + 12, column * 12 : column * 12 + 12]
            expected = np.cov(one[tile][inside[tile]], other[tile][inside[tile]], bias=True)
            assert count[row, column] == inside[tile].sum()
            assert [first[row, column], second[row, column], both[row, column]] == pytest.approx(
                [expected[0, 0], expected[1, 1], expected[0, 1]], rel=1e-3
            )
    count, _ = verification._by_tile(np.ones((5, 30), np.bool_), np.ones((5, 30)), np.ones((5, 30)))
    assert count.tolist() == [[60, 60]]


def test_matches_that_turn_and_grow_alike_are_those_most_agree_with() -> None:
    """Columns: x, y, size, angle. Five turn by 350 and 10 degrees and grow little; others turn or grow otherwise."""
    start = np.array([[0, 0, 4, 0]] * 8, dtype=np.float32)
    turned = [350.0, 355.0, 0.0, 5.0, 10.0, 90.0, 0.0, 0.0]
    grown = [1.0, 1.1, 0.9, 1.0, 1.0, 1.0, 2.0, 0.4]
    end = np.array([[0, 0, 4 * size, turn] for size, turn in zip(grown, turned, strict=True)], dtype=np.float32)
    assert verification._coherent(start, end).tolist() == [True] * 5 + [False] * 3
    edge = np.array([[0, 0, 4, 0], [0, 0, 4, 29], [0, 0, 4, 31]], dtype=np.float32)
    assert (
        verification._coherent(start[:3], edge)[:2].all() and not verification._coherent(start[:2], edge[[0, 2]]).all()
    )
    wide = np.array([[0, 0, 4, 0], [0, 0, 4 * 2**0.72, 0]], dtype=np.float32)
    close = np.array([[0, 0, 4, 0], [0, 0, 4 * 2**0.68, 0]], dtype=np.float32)
    assert not verification._coherent(start[:2], wide).all() and verification._coherent(start[:2], close).all()


def seen(image: Any) -> Seen:
    everywhere = np.ones(image.shape, dtype=np.bool_)
    return Seen(image, features_of(image, everywhere), np.zeros((8, 8), dtype=np.bool_))


@pytest.fixture(scope="module")
def scene() -> Any:
    generator = np.random.default_rng(5)
    coarse = cv2.GaussianBlur(generator.normal(size=(256, 256)), (0, 0), 4) * 500
    return np.clip(
        120 + coarse + 60 * cv2.GaussianBlur(generator.normal(size=(256, 256)), (0, 0), 1.2), 20, 240
    ).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "variant"), [("same", 0), ("mirrored", MIRRORED), ("inverted", INVERTED), ("both", MIRRORED | INVERTED)]
)
def test_a_copy_agrees_in_the_way_it_was_changed_and_in_no_other(scene: Any, name: str, variant: int) -> None:
    changed = scene[:, ::-1] if variant & MIRRORED else scene
    changed = np.ascontiguousarray(255 - changed if variant & INVERTED else changed)
    for asked in (0, MIRRORED, INVERTED, MIRRORED | INVERTED):
        found = compare(seen(changed), seen(scene), asked)
        if asked == variant:
            assert found is not None and found.is_duplicate
            assert found.correlation > 0.9 and found.overlap > 0.9 and found.difference == 0 and found.features > 30
        else:
            assert found is None or not found.is_duplicate


@pytest.mark.parametrize("zoom", [0.6, 1.6])
def test_a_copy_of_another_size_agrees_whichever_is_the_finer(scene: Any, zoom: float) -> None:
    other = cv2.resize(scene, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)
    for first, second in ((scene, other), (other, scene)):
        found = compare(seen(first), seen(second), 0)
        assert found is not None and found.is_duplicate and found.overlap > 0.9 and found.correlation > 0.6


@pytest.mark.parametrize(("stretch", "alike"), [(1.3, True), (1.9, False)])
def test_a_copy_stretched_far_in_one_direction_is_no_copy(scene: Any, stretch: float, alike: bool) -> None:
    wide = cv2.resize(scene, None, fx=stretch, fy=1, interpolation=cv2.INTER_CUBIC)
    matched = verification._aligned(seen(scene), seen(wide), 0)
    assert (matched is not None) == alike
    if matched is not None:
        np.testing.assert_allclose(matched[0][:, :2], [[stretch, 0], [0, 1]], atol=0.03)


def test_an_alignment_a_pixel_wrong_is_put_right(scene: Any) -> None:
    straight = np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float64)
    for variant, fine in ((0, scene), (INVERTED, 255 - scene)):
        wrong = np.array([[1, 0, 1.5], [0, 1, -1.0]], dtype=np.float64)
        found = verification._refined(fine.astype(np.float32), scene.astype(np.float32), wrong, variant)
        assert found is not None
        np.testing.assert_allclose(found, straight, atol=0.05)
    nothing = np.zeros((64, 64), np.float32)
    assert verification._refined(nothing, nothing, straight, 0) is None


def test_few_features_are_no_alignment(scene: Any) -> None:
    few, whole = seen(scene), seen(scene)
    for count, found in ((7, False), (8, True)):
        part = few._replace(features=type(few.features)(few.features.places[:count], few.features.descriptors[:count]))
        assert (verification._aligned(part, whole, 0) is not None) == found
