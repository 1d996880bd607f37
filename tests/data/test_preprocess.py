"""Resize and CLAHE, for every shape an image may have."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastai.data.preprocessing.preprocess import preprocess
from breastai.domain.config import PreprocessingSettings

PLAIN = PreprocessingSettings(clahe=False)
PAD = PreprocessingSettings(clahe=False, resize="pad")


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    channels=st.sampled_from([1, 3]),
    image_size=st.integers(32, 80),
    resize=st.sampled_from(["stretch", "pad"]),
    grid=st.integers(1, 64),
)
def test_any_image_becomes_a_square_of_three_channels(
    height: int, width: int, channels: int, image_size: int, resize: str, grid: int
) -> None:
    settings = PreprocessingSettings.model_validate({"resize": resize, "clahe_grid": grid})
    image = noise(height, width, channels)
    before = image.copy()
    square = preprocess(image, settings, image_size)
    assert square.shape == (image_size, image_size, 3)
    assert square.dtype == np.uint8
    assert np.array_equal(image, before)
    if channels == 1:
        assert np.array_equal(square[:, :, 0], square[:, :, 1])
        assert np.array_equal(square[:, :, 0], square[:, :, 2])


@pytest.mark.parametrize("shape", [(1, 50), (50, 1), (1, 1), (1, 3000)])
@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_a_strip_of_one_pixel_can_be_used(shape: tuple[int, int], resize: str) -> None:
    settings = PreprocessingSettings.model_validate({"resize": resize})
    for image in (noise(*shape), noise(*shape, 1), noise(*shape, 3)):
        assert preprocess(image, settings, 224).shape == (224, 224, 3)


def test_an_image_of_the_right_size_without_clahe_stays_as_it_is() -> None:
    image = noise(64, 64, 3)
    assert np.array_equal(preprocess(image, PLAIN, 64), image)
    assert np.array_equal(preprocess(image, PAD, 64), image)


def test_padding_keeps_the_proportions_and_adds_black_on_both_sides() -> None:
    square = preprocess(np.full((50, 100, 1), 200, np.uint8), PAD, 64)
    assert (square[:16] == 0).all()
    assert (square[48:] == 0).all()
    assert (square[16:48] == 200).all()


def test_black_borders_stay_black_under_clahe() -> None:
    square = preprocess(noise(50, 100, 3), PreprocessingSettings(resize="pad"), 64)
    assert (square[:16] == 0).all()
    assert (square[48:] == 0).all()


def test_shrinking_averages() -> None:
    board = (np.indices((128, 128)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.abs(preprocess(board, PLAIN, 32).astype(int) - 127.5).max() <= 1


def test_clahe_is_opencvs_own_on_the_grey_plane() -> None:
    image = noise(64, 64)
    expected = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(4, 4)).apply(image)
    settings = PreprocessingSettings(clahe_clip_limit=3.0, clahe_grid=4)
    assert np.array_equal(preprocess(image, settings, 64)[:, :, 1], expected)


def test_clahe_changes_the_lightness_of_colour_and_keeps_the_hue() -> None:
    gradient = np.linspace(60, 120, 64).astype(np.uint8)
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :, 0] = gradient  # dark to middling red
    square = preprocess(image, PreprocessingSettings(), 64)
    before, after = (cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(int) for pixels in (image, square))
    assert np.ptp(after[:, :, 0]) > np.ptp(before[:, :, 0])
    assert (square[:, :, 0] >= square[:, :, 1]).all()
    assert (square[:, :, 0] >= square[:, :, 2]).all()


def test_a_grey_image_gives_the_same_square_whether_it_has_an_axis_for_the_channel_or_not() -> None:
    image = noise(40, 70)
    settings = PreprocessingSettings()
    assert np.array_equal(preprocess(image, settings, 48), preprocess(image[:, :, np.newaxis], settings, 48))
