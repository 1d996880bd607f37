"""Image statistics: what they measure, and that they tell kinds of images apart without a network."""

import numpy as np
import pytest
import torch

from breastai.engine.image_statistics import COUNT, SCALES, image_statistics


def of(image: np.ndarray) -> np.ndarray:
    """The statistics of one image, uint8 (S, S, 3)."""
    found: np.ndarray = image_statistics(torch.from_numpy(image[None].transpose(0, 3, 1, 2).copy()).float())[0].numpy()
    return found


def test_they_are_those_that_numpy_computes() -> None:
    image = np.random.default_rng(0).integers(0, 256, (37, 37, 3), dtype=np.uint8)
    red, green, blue = (image[..., channel].astype(float) / 255 for channel in range(3))
    light = (red + green + blue) / 3
    expected = [light.mean(), light.std(), (light < 46 / 765).mean(), (light > 719 / 765).mean()]
    expected += [(red - green).mean(), abs(red - green).mean(), (green - blue).mean(), abs(green - blue).mean()]
    for _ in range(SCALES):
        even = len(light) // 2
        blocks = light[: 2 * even, : 2 * even].reshape(even, 2, even, 2)
        light = blocks.mean(axis=(1, 3))
        away = blocks - light[:, None, :, None]
        expected += [np.log(abs(away).mean() + 1e-3), np.log(np.sqrt((away**2).mean()) + 2e-3)]
    assert of(image) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert len(expected) == COUNT


@pytest.mark.parametrize("side", [32, 64])
def test_a_flat_image_has_finite_statistics(side: int) -> None:
    for level in (0, 128, 255):
        assert np.isfinite(of(np.full((side, side, 3), level, np.uint8))).all()
