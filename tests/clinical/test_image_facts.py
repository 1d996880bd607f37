"""Facts of an image counted pixel by pixel, and shortcuts from the AUC on that it takes."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from breastai.clinical import image_facts
from breastai.clinical.image_facts import MARK_CELLS, NO_MARKS, ImageFacts, look_at
from breastai.clinical.image_findings import reading_faults
from breastai.clinical.intervals import Estimate
from breastai.clinical.shortcut_features import FEATURES, LEAST_AUC, _folded, find_shortcuts


def facts_of(pixels: Any) -> ImageFacts:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return look_at(buffer.getvalue(), "a.png")


def noise(height: int = 100, width: int = 80) -> Any:
    return np.random.default_rng(0).integers(20, 120, (height, width)).astype(np.uint8)


def test_size_contrast_and_the_rim_are_those_of_the_pixels() -> None:
    pixels = noise()
    found = facts_of(pixels)
    assert (found.height, found.width) == (100, 80) and found.contrast == pytest.approx(pixels.std())
    depth = 2  # three hundredths of the shorter side
    rim = np.concatenate(
        [part.ravel() for part in (pixels[:depth], pixels[-depth:], pixels[:, :depth], pixels[:, -depth:])]
    )
    assert found.rim == pytest.approx(rim.mean()) and found.black_rim == 0
    framed = pixels.copy()
    framed[:depth], framed[-depth:] = 7, 8
    assert facts_of(framed).black_rim == pytest.approx((2 * 80 + 8) / (4 * 80 + 4 * 100))
    assert facts_of(noise(10, 9)).rim > 0


@pytest.mark.parametrize(("beside", "two"), [(20, True), (21, False)])
def test_an_image_has_two_values_when_hardly_a_pixel_has_another(beside: int, two: bool) -> None:
    pixels = np.zeros((100, 100), np.uint8)
    pixels[:50] = 255
    pixels.ravel()[:beside] = np.arange(30, 30 + beside)
    assert facts_of(pixels).two_valued is two


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize(("rise", "coloured"), [(40, False), (41, True)])
def test_a_pixel_is_coloured_where_its_channels_differ_clearly(channel: int, rise: int, coloured: bool) -> None:
    pixels = np.full((40, 50, 3), 100, np.uint8)
    pixels[:10, :20, channel] += np.uint8(rise)
    assert facts_of(pixels).colour == pytest.approx(0.1 if coloured else 0)


@pytest.mark.parametrize(
    ("level", "around", "marked"),
    [(255, 90, True), (200, 60, True), (199, 60, False), (200, 89, True), (200, 90, False)],
)
def test_a_mark_is_nearly_white_and_rises_far_above_what_is_around_it(level: int, around: int, marked: bool) -> None:
    pixels = np.full((128, 128), around, np.uint8)
    pixels[40:42, 60:90] = level
    found = facts_of(pixels)
    assert found.mark_share == pytest.approx(60 / 128**2 if marked else 0)
    if level >= 200:
        cell = 128 // MARK_CELLS
        expected = np.zeros((MARK_CELLS, MARK_CELLS))
        expected[40 // cell : 41 // cell + 1, 60 // cell : 89 // cell + 1] = level - around
        assert np.array_equal(found.marks, expected)


def test_a_thick_bright_part_is_no_mark_and_in_a_stained_slide_nothing_is() -> None:
    pixels = np.full((128, 128), 60, np.uint8)
    pixels[40:90, 40:90] = 255
    assert facts_of(pixels).mark_share == 0
    thin = np.full((128, 128, 3), (200, 60, 140), np.uint8)
    thin[40:42, 60:90] = 255
    assert facts_of(thin).mark_share == 0 and np.array_equal(facts_of(thin).marks, NO_MARKS)
    few = np.full((128, 128, 3), 60, np.uint8)
    few[: round(128 * 0.29)] = (200, 60, 140)
    few[100:102, 60:90] = 255
    assert facts_of(few).mark_share > 0
    few[: round(128 * 0.32)] = (200, 60, 140)
    assert facts_of(few).mark_share == 0


@pytest.mark.parametrize("shape", [(MARK_CELLS * 3, MARK_CELLS * 5), (MARK_CELLS + 3, MARK_CELLS * 2 + 1), (5, 40)])
def test_each_cell_has_the_greatest_value_in_it(shape: tuple[int, int]) -> None:
    rise = np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)
    found = image_facts._strongest_by_cell(rise)
    assert found.shape == (MARK_CELLS, MARK_CELLS)
    if min(shape) >= MARK_CELLS:
        for row in range(MARK_CELLS):
            for column in range(MARK_CELLS):
                rows, columns = (
                    slice(at * side // MARK_CELLS, (at + 1) * side // MARK_CELLS)
                    for at, side in zip((row, column), shape, strict=True)
                )
                assert found[row, column] == rise[rows, columns].max()
    else:
        assert found.max() == rise.max()


# --- shortcuts ---


def facts(number: int, **fields: Any) -> ImageFacts:
    known: dict[str, Any] = {
        "content_hash": f"{number}", "pixel_hash": f"{number}", "file_size": 1000 + number % 7, "height": 100, "width": 100,
        "contrast": 20.0, "two_valued": False, "rim": 5.0, "black_rim": 0.0, "colour": 0.0, "mark_share": 0.0,
        "marks": NO_MARKS, "thumbnail": np.zeros((2, 2), np.uint8),
    }  # fmt: skip
    return ImageFacts(**known | fields)


def drawn(shift: float, count: int = 200) -> tuple[list[ImageFacts], Any]:
    """Return images of two classes whose rims differ by so many standard deviations."""
    generator = np.random.default_rng(1)
    labels = np.arange(count) % 2
    return [facts(n, rim=float(generator.normal() + shift * label)) for n, label in enumerate(labels)], labels


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("shift", "told"), [(0.0, False), (0.35, False), (0.9, True), (2.5, True)])
def test_a_feature_is_a_shortcut_where_its_interval_lies_above_chance_by_a_margin(
    shift: float, told: bool, sign: int
) -> None:
    images, labels = drawn(sign * shift)
    found = [each for each in find_shortcuts(images, labels, ["a", "b"], None) if each.feature == "border"]
    assert bool(found) is told
    if told:
        area = roc_auc_score(labels, [each.rim for each in images])
        assert found[0].auc.value == pytest.approx(max(area, 1 - area)) and found[0].class_name == "b"
        low, high = found[0].auc.low, found[0].auc.high
        assert low is not None and high is not None and LEAST_AUC <= low < found[0].auc.value < high  # type: ignore[operator]
        assert found[0].n == 200 and found[0].place is None


def test_of_three_classes_each_is_told_from_the_rest_the_strongest_first() -> None:
    generator = np.random.default_rng(1)
    labels = np.arange(300) % 3
    images = [
        facts(
            n, rim=float(generator.normal() + 3 * (label == 2)), colour=float(generator.normal() + 1.2 * (label == 0))
        )
        for n, label in enumerate(labels)
    ]
    found = [(each.feature, each.class_name) for each in find_shortcuts(images, labels, ["a", "b", "c"], None)]
    assert found[0] == ("border", "c") and ("colour", "a") in found
    values = [each.auc.value or 0 for each in find_shortcuts(images, labels, ["a", "b", "c"], None)]
    assert values == sorted(values, reverse=True)
    assert find_shortcuts(images, np.zeros(300, dtype=np.int64), ["a", "b", "c"], None) == []
    assert set(FEATURES) >= {"border", "colour"}


@pytest.mark.parametrize(("share", "told"), [(0.3, False), (1.0, True)])
def test_a_mark_at_a_fixed_place_must_stand_out_further(share: float, told: bool) -> None:
    generator = np.random.default_rng(2)
    labels = np.arange(200) % 2
    images = []
    for number, label in enumerate(labels):
        marks = NO_MARKS.copy()
        marks[3, 5] = 200 * (label == 1 and generator.random() < share)
        images.append(facts(number, marks=marks))
    found = [each for each in find_shortcuts(images, labels, ["a", "b"], None) if each.feature == "mark_at_place"]
    assert bool(found) is told and all(each.place == (3, 5) for each in found)


@pytest.mark.parametrize(
    ("estimate", "folded"),
    [
        (Estimate(0.2, 0.1, 0.4), (0.8, 0.6, 0.9)),
        (Estimate(0.7, 0.6, 0.8), (0.7, 0.6, 0.8)),
        (Estimate(0.5, 0.4, 0.6), (0.5, 0.4, 0.6)),
        (Estimate(0.3, None, None), (0.3, None, None)),
    ],
)
def test_a_feature_that_is_low_in_a_class_tells_as_much_as_a_high_one(estimate: Estimate, folded: Any) -> None:
    assert _folded(estimate)[:3] == pytest.approx(folded)


# --- findings ---


def told(depth: int | None, **images: ImageFacts) -> dict[str, tuple[list[str], Any]]:
    return {code: (list(files), params) for code, files, params in reading_faults(list(images.items()), depth)}


def test_depths_pages_and_colours_of_images_are_told_with_their_files() -> None:
    assert told(None, a=facts(1)) == {}
    found = told(12, a=facts(1, own_bits=12), b=facts(2, own_bits=16), c=facts(3, own_bits=8), d=facts(4))
    assert found["images.bit_depth"] == (["a", "b", "c"], {"count": 3, "depth": 12})
    assert found["images.bit_depth_differs"] == (["b", "c"], {"count": 2, "depth": 12, "listed": "8: 1, 16: 1"})
    paged = told(None, a=facts(1, pages=2), b=facts(2, pages=1))
    assert paged == {"images.several_pages": (["a"], {"count": 1})}
    tinted = told(None, a=facts(1, colour_space="ycbcr_as_rgb", device="X"), b=facts(2, colour_space="ycbcr_as_rgb"))
    files, params = tinted["colour.wrong_space"]
    assert files == ["a", "b"] and params["count"] == 2 and params["kinds"] == {"ycbcr_as_rgb": 2}
    assert "X 1" in params["by_device"] and "? 1" in params["by_device"]
