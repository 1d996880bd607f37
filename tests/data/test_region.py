"""The breast region: found among labels and noise, cropped, mirrored, and mapped back to the original."""

import cv2
import numpy as np
import pytest

from breastai.data.preprocessing.breast_region import _MARGIN, Region, _box, _bright, breast_region
from breastai.data.preprocessing.preprocess import on_original, preprocess, preprocess_image
from breastai.domain.config import PreprocessingSettings

HEIGHT, WIDTH = 600, 400
CROP = PreprocessingSettings(breast_region="crop", flip_left=True, clahe=False)


def mammogram(left: bool, label: bool = True, seed: int = 0) -> np.ndarray:
    """A half ellipse of tissue at the chest wall, a dim noisy background, and a bright label beside it."""
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 3, (HEIGHT, WIDTH)).astype(np.uint8)
    tissue = np.zeros_like(image)
    cv2.ellipse(tissue, (0 if left else WIDTH - 1, 300), (180, 220), 0, 0, 360, 1, -1)
    image[tissue == 1] = generator.integers(70, 200, int(tissue.sum()))
    if label:
        column = 330 if left else 20
        image[30:70, column : column + 50] = 255
    return image


@pytest.mark.parametrize("left", [True, False])
def test_the_box_holds_the_breast_and_not_the_label(left: bool) -> None:
    box, beside = breast_region(mammogram(left))
    assert box.flipped is left
    assert abs(box.top - 80) <= 10 and abs(box.top + box.height - 520) <= 10
    assert abs(box.width - 181) <= 12
    assert (box.left == 0) is left
    assert beside is not None and not beside.any()


def test_what_is_bright_beside_the_breast_inside_its_box_is_blackened() -> None:
    image = mammogram(left=False, label=False)
    image[100:120, 225:245] = 255  # in the corner of the box, off the breast
    shown, region = preprocess_image(image, CROP.model_copy(update={"flip_left": False}), 440)
    assert region.left < 225
    assert shown[:30, :40].max() < 20
    assert (
        np.abs(shown.astype(int).mean() - preprocess_image(mammogram(left=False, label=False), CROP, 440)[0].mean()) < 1
    )


def test_a_left_breast_and_its_mirror_image_look_the_same_afterwards() -> None:
    right = mammogram(left=False)
    mirrored = np.ascontiguousarray(right[:, ::-1])
    difference = preprocess(mirrored, CROP, 64).astype(int) - preprocess(right, CROP, 64)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("image", [np.zeros((64, 64), np.uint8), np.full((64, 64), 200, np.uint8)])
def test_an_image_without_a_breast_on_a_background_stays_whole(image: np.ndarray) -> None:
    assert preprocess_image(image, CROP, 64)[1] == Region(0, 0, 64, 64)


def test_images_are_left_alone_unless_the_settings_ask() -> None:
    image = mammogram(left=True)
    plain = PreprocessingSettings(clahe=False)
    assert preprocess_image(image, plain, 64)[1] == Region(0, 0, HEIGHT, WIDTH)
    only_flipped, region = preprocess_image(image, PreprocessingSettings(clahe=False, flip_left=True), 64)
    assert region == Region(0, 0, HEIGHT, WIDTH, flipped=True)
    assert np.abs(only_flipped[:, ::-1].astype(int) - preprocess(image, plain, 64)).max() <= 1


@pytest.mark.parametrize("resize", ["stretch", "pad"])
@pytest.mark.parametrize("left", [True, False])
def test_a_map_comes_back_to_where_it_was_in_the_original(resize: str, left: bool) -> None:
    image = mammogram(left, label=False)
    row, column = 200, 60 if left else 340
    image[row - 8 : row + 8, column - 8 : column + 8] = 255
    settings = PreprocessingSettings.model_validate(CROP.model_dump() | {"resize": resize})
    shown, region = preprocess_image(image, settings, 128)
    heat = on_original((shown[:, :, 0] > 230).astype(np.float32), region, settings)
    assert heat.shape == (region.height, region.width)
    rows, columns = np.nonzero(heat > 0.5)
    assert abs(rows.mean() + region.top - row) < 6
    assert abs(columns.mean() + region.left - column) < 6


@pytest.mark.parametrize("zoom", [1, 2, 3])
def test_the_box_is_the_breast_s_with_a_margin_of_a_hundredth_at_any_size(zoom: int) -> None:
    """Above the working size an image is made smaller and its box larger again."""
    image = np.kron(mammogram(left=False, label=False), np.ones((zoom, zoom), np.uint8))
    box, beside = breast_region(image)
    margin = 0.01 * HEIGHT * zoom
    assert (box.left + box.width, box.flipped) == (WIDTH * zoom, False)
    for found, edge in ((box.top, 80), (box.top + box.height, 521), (box.left, WIDTH - 181)):
        outwards = (found - edge * zoom) * (1 if edge == 521 else -1)
        assert margin - 6 * zoom <= outwards <= margin + 3 * zoom
    assert beside is not None and beside.shape == (box.height, box.width)


@pytest.mark.parametrize(("share", "found"), [(0.025, False), (0.036, True), (0.95, True), (0.985, False)])
def test_what_is_too_small_or_as_large_as_the_image_is_no_breast(share: float, found: bool) -> None:
    image = np.zeros((400, 400), np.uint8)
    side = round(400 * np.sqrt(share))
    image[400 - side :, :side] = np.random.default_rng(0).integers(100, 140, (side, side))
    box, beside = breast_region(image)
    assert (beside is not None) == found and (box == Region(0, 0, 400, 400)) == (not found)
    if found:
        assert box.flipped


def test_a_faint_breast_is_found_and_noise_of_a_few_levels_is_background() -> None:
    generator = np.random.default_rng(1)
    image = generator.integers(0, 4, (300, 300)).astype(np.uint8)
    assert breast_region(image)[1] is None
    image[100:250, :120] = generator.integers(9, 14, (150, 120))
    box, _ = breast_region(image)
    assert abs(box.top - 97) <= 6 and abs(box.width - 123) <= 6 and box.flipped


def test_a_colour_image_has_the_region_of_its_brightest_channel() -> None:
    grey = mammogram(left=True)
    colour = np.dstack([grey // 2, grey, grey // 3])
    expected, beside = breast_region(grey)
    found, others = breast_region(colour)
    assert found == expected and np.array_equal(others, beside)


@pytest.mark.parametrize(
    ("background", "level", "bright"), [(0, 5, True), (0, 4, False), (58, 61, True), (58, 60, False)]
)
def test_what_is_bright_is_so_against_a_background_between_two_levels(
    background: int, level: int, bright: bool
) -> None:
    """The foot of the dark peak is taken no lower than 4 and no higher than 60."""
    image = np.full((120, 120), background, np.uint8)
    image[40:80, 40:80] = level
    if background:
        image[:40] = np.random.default_rng(0).integers(90, 250, (40, 120))
    found = _bright(image)
    assert found.dtype == np.uint8 and found[50:70, 50:70].all() == bright == found[50:70, 50:70].any()


def test_thin_bridges_between_bright_things_are_cut() -> None:
    image = np.zeros((120, 120), np.uint8)
    image[20:100, 10:40] = image[20:100, 80:110] = 200
    for width, joined in ((2, False), (13, True)):
        bridged = image.copy()
        bridged[60 : 60 + width, 40:80] = 200
        assert bool(_bright(bridged)[60 : 60 + width, 60].any()) == joined


def test_a_box_is_that_of_the_component_with_a_margin_within_the_image() -> None:
    facts = np.array([10, 20, 30, 40, 1200], np.int32)  # left, top, width, height, area
    margin = round(_MARGIN * 600)
    found = _box(facts, (600, 400), (300, 200))
    assert found == Region(40 - margin, 20 - margin, 80 + 2 * margin, 60 + 2 * margin)
    corner = _box(np.array([0, 0, 200, 300, 1], np.int32), (600, 400), (300, 200))
    assert corner == Region(0, 0, 600, 400)
    assert _box(facts, (601, 401), (300, 200)).height >= found.height  # parts of pixels count as whole ones
