"""Votes for duplicates counted one by one, and thumbnails: borders, sizes and what is kept of them."""

from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breastai.data.duplicates import duplicate_candidates as module
from breastai.data.duplicates.duplicate_candidates import LEAST_VOTES, MOST_CANDIDATES, Candidate, candidates
from breastai.data.duplicates.grey_thumbnails import (
    THUMBNAIL_SIDE,
    as_arrays,
    comparable_thumbnail,
    read_with_thumbnails,
    thumbnail,
    without_padding,
)
from breastai.data.duplicates.image_features import INVERTED, MIRRORED, Features

SCALES, TURNS = module._SCALES, module._TURNS


def search(places: list[list[tuple[float, float]]]) -> Any:
    """Return a search whose images have features of some sizes and angles alone."""
    made = object.__new__(module._Search)
    made._features = [None] * len(places)
    made._owners = np.repeat(np.arange(len(places), dtype=np.int32), [len(each) for each in places])
    made._places = np.array([[0, 0, size, angle] for each in places for size, angle in each], dtype=np.float32)
    return made


def parts_of(ballot: int, count: int) -> tuple[int, int, int, int, int]:
    rest, turn = divmod(ballot, TURNS)
    rest, scale = divmod(rest, SCALES)
    pair, variant = divmod(rest, 4)
    return (*divmod(pair, count), variant, scale - SCALES // 2, turn)


@pytest.mark.parametrize("variant", [0, MIRRORED, INVERTED, MIRRORED | INVERTED])
@pytest.mark.parametrize("turn", [0, 90, 200, 359])
@pytest.mark.parametrize("zoom", [0.25, 1.0, 2.0])
def test_a_ballot_names_both_images_and_how_the_first_becomes_the_second(variant: int, turn: int, zoom: float) -> None:
    own = 40.0
    changed = 180 - own if variant & MIRRORED else own
    changed += 180 if variant & INVERTED else 0
    there = (changed + turn) % 360
    made = search([[(4.0, own)], [(1.0, 0.0)], [(4.0 * zoom, there)]])
    (ballot,) = made._ballots(np.array([0]), np.array([2]), variant)
    expected = (0, 2, variant, round(np.log2(zoom)), round(turn / 30) % TURNS)
    assert parts_of(int(ballot), 3) == expected
    # Asked by the other image, it is the same vote.
    if variant in (0, MIRRORED):
        other = search([[(4.0, own)], [(1.0, 0.0)], [(4.0 * zoom, there)]])
        (same,) = other._ballots(np.array([2]), np.array([0]), variant)
        found = parts_of(int(same), 3)
        assert found[:4] == expected[:4] and (found[4] - expected[4]) % TURNS in (0, 1, TURNS - 1)


def test_a_scale_beyond_all_is_counted_with_the_last() -> None:
    made = search([[(1.0, 0.0)], [(2.0**12, 0.0)], [(2.0**-12, 0.0)]])
    larger, smaller = (parts_of(int(made._ballots(np.array([0]), np.array([n]), 0)[0]), 3)[3] for n in (1, 2))
    assert (larger, smaller) == (SCALES // 2, -(SCALES // 2))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, SCALES - 1), st.integers(0, TURNS - 1)), max_size=40))
def test_votes_are_those_of_a_bin_and_of_its_neighbours_in_scale_and_turn(votes: list[tuple[int, int, int]]) -> None:
    ballots = np.array([(pair * SCALES + scale) * TURNS + turn for pair, scale, turn in votes], dtype=np.int64)
    bins, totals = module._counted(ballots)
    counts = Counter(ballots.tolist())
    expected = {}
    for each, own in counts.items():
        turned = each - TURNS + 1 if each % TURNS == TURNS - 1 else each + 1
        total = own + counts[turned] + counts[each + TURNS]
        if total >= LEAST_VOTES:
            expected[each] = total
    assert dict(zip(bins.tolist(), totals.tolist(), strict=True)) == expected


def test_a_pair_is_elected_once_by_its_most_votes_and_an_image_has_so_many_candidates_at_most() -> None:
    count = MOST_CANDIDATES + 3
    bins, votes = [], []
    for other in range(1, count):
        for variant, weight in ((0, 10 + other), (1, 5)):
            bins.append((other * 4 + variant) * SCALES * TURNS + 7)
            votes.append(weight)
    found = module._elected(np.array(bins), np.array(votes), count)
    most = sorted(range(1, count), reverse=True)[:MOST_CANDIDATES]
    assert found[:MOST_CANDIDATES] == [Candidate(0, other, 0, 10 + other) for other in most]
    # What the first image has no place for is still one of the other's first few.
    assert {(each.first, each.second) for each in found} == {(0, other) for other in range(1, count)}


def described(seeds: list[int], strongest: int = 60) -> list[Features]:
    """Return features of images; those of one seed are the same."""
    found = []
    for seed in seeds:
        generator = np.random.default_rng(seed)
        places = np.column_stack(
            [generator.random((strongest, 2)) * 128, np.full(strongest, 4.0), generator.random(strongest) * 360]
        )
        raw = generator.random((strongest, 128)) ** 6
        descriptors = (raw / np.linalg.norm(raw, axis=1, keepdims=True) * 400).clip(0, 255).astype(np.uint8)
        found.append(Features(places.astype(np.float32), descriptors))
    return found


def test_the_same_features_are_candidates_with_a_vote_for_each_that_asks_and_others_are_none() -> None:
    found = candidates(described([1, 2, 3, 1, 4, 3]), threads=1)
    assert [(each.first, each.second, each.variant) for each in found] == [(0, 3, 0), (2, 5, 0)]
    # Fifty features of either image ask; each finds its own.
    assert all(each.votes == 100 for each in found)
    shares: list[float] = []
    assert candidates(described([1, 1]), 3, shares.append) and shares == [0.25, 0.5, 0.75, 1.0]
    assert candidates(described([1])) == [] == candidates([])


def test_the_nearest_cells_are_those_of_the_largest_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 7)
    generator = np.random.default_rng(0)
    made = object.__new__(module._Search)
    made._centres = generator.normal(size=(5, 8)).astype(np.float32)
    short = generator.normal(size=(30, 8)).astype(np.float32)
    lengths = np.linalg.norm(short, axis=1, keepdims=True), np.linalg.norm(made._centres, axis=1, keepdims=True)
    short, made._centres = short / lengths[0], made._centres / lengths[1]
    expected = np.argsort(-(short @ made._centres.T), axis=1)
    assert np.array_equal(made._nearest_cells(short, 3), expected[:, :3])
    assert made._nearest_cells(short, 9).shape == (30, 5)


# --- thumbnails ---


def noise(height: int, width: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(60, 250, (height, width)).astype(np.uint8)


@pytest.mark.parametrize("level", [0, 40, 255])
@pytest.mark.parametrize(("top", "bottom", "left", "right"), [(9, 0, 0, 0), (0, 7, 0, 0), (0, 0, 5, 6), (3, 4, 5, 6)])
def test_an_even_border_of_any_level_is_taken_off(level: int, top: int, bottom: int, left: int, right: int) -> None:
    inner = noise(70, 60)
    image = cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_CONSTANT, value=level)
    found = thumbnail(image)
    # One side alone is a border where the other side is one too, of whatever is left of it.
    if (top or bottom) and (left or right):
        assert np.array_equal(found, inner)
    else:
        assert min(found.shape) >= 60


@pytest.mark.parametrize(("spread", "trimmed"), [(12, True), (13, False)])
def test_a_border_may_vary_by_a_few_levels(spread: int, trimmed: bool) -> None:
    inner = noise(40, 40)
    image = cv2.copyMakeBorder(inner, 5, 5, 5, 5, cv2.BORDER_CONSTANT, value=30)
    image[:5, ::2] += np.uint8(spread)
    image[:5, 1::4] += np.uint8(spread)
    image[0, :] = 30
    assert (thumbnail(image).shape == (40, 40)) is trimmed


@pytest.mark.parametrize(("height", "rows"), [(60, 60), (24, 24), (23, 95)])
def test_a_border_is_kept_where_less_than_a_quarter_would_be_left(height: int, rows: int) -> None:
    image = np.zeros((95, 95), np.uint8)
    image[10 : 10 + height, 10:85] = noise(height, 75)
    assert thumbnail(image).shape == (rows, 75)
    assert thumbnail(np.zeros((50, 40), np.uint8)).shape == (50, 40)


@pytest.mark.parametrize(("height", "width"), [(300, 200), (200, 301), (96, 50), (128, 128), (500, 2)])
def test_a_larger_image_keeps_its_proportions_in_a_black_square(height: int, width: int) -> None:
    small = thumbnail(noise(height, width))
    assert small.shape == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    factor = min(1, THUMBNAIL_SIDE / max(height, width))
    shown = without_padding(small)
    assert shown.shape == (max(1, round(height * factor)), max(1, round(width * factor)))
    assert abs(float(shown.mean()) - 154.5) < 6
    assert comparable_thumbnail(small).shape == shown.shape


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(95, 50, (96, 51)), (40, 20, (96, 48)), (96, 40, (96, 40)), (1, 50, (2, 96))]
)
def test_a_small_thumbnail_is_enlarged_to_be_compared(height: int, width: int, expected: tuple[int, int]) -> None:
    assert comparable_thumbnail(noise(height, width)).shape == expected


def test_an_image_of_one_channel_of_three_or_without_an_axis_for_them_has_one_thumbnail() -> None:
    grey = noise(50, 60)
    for image in (grey, grey[:, :, None], np.repeat(grey[:, :, None], 3, axis=2)):
        assert np.array_equal(thumbnail(image), grey)
    assert comparable_thumbnail(np.zeros((120, 120), np.uint8)).shape == (1, 1)


def test_thumbnails_of_several_sizes_are_kept_and_read_again(tmp_path: Path) -> None:
    kept = [noise(30, 20), noise(10, 50, 1), noise(128, 128, 2)]
    for some in (kept, kept[:2], kept[:1]):
        np.savez(tmp_path / "a.npz", extra=np.arange(3), **as_arrays(some))
        found = read_with_thumbnails(tmp_path / "a.npz", ["extra"])
        assert found is not None and found[0][0].tolist() == [0, 1, 2]
        assert all(np.array_equal(one, other) for one, other in zip(found[1], some, strict=True))
    np.savez(tmp_path / "old.npz", extra=np.arange(3), thumbnails=np.stack([kept[2]] * 2))
    found = read_with_thumbnails(tmp_path / "old.npz", ["extra"])
    assert found is not None and [each.shape for each in found[1]] == [(128, 128)] * 2
    for wrong in (np.zeros((2, 5), np.uint8), np.zeros((2, 5, 5)), np.zeros((2, 64, 64), np.uint8)):
        np.savez(tmp_path / "wrong.npz", extra=np.arange(3), thumbnails=wrong)
        found = read_with_thumbnails(tmp_path / "wrong.npz", ["extra"])
        assert found is None or found[1] == []
    assert as_arrays([])["thumbnails"].shape == (0, 0, 0)
    assert read_with_thumbnails(tmp_path / "gone.npz", ["extra"]) is None
