"""Pixels: what is counted of them is exact, however many there are."""

import numpy as np
import pytest

from breastai.data import pixels
from breastai.data.pixels import grey_histogram


@pytest.mark.parametrize("shape", [(1, 1), (50, 50), (301, 97)])
def test_a_histogram_counts_every_pixel_whatever_is_counted_at_once(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    expected = np.bincount(plane.ravel(), minlength=256)
    assert np.array_equal(grey_histogram(plane), expected)
    monkeypatch.setattr(pixels, "_VALUES_AT_ONCE", 1000)
    assert np.array_equal(grey_histogram(plane), expected)


def test_more_pixels_of_one_grey_than_a_float_counts_are_counted() -> None:
    plane = np.full((4097, 4099), 7, dtype=np.uint8)  # 2**24 and some
    assert grey_histogram(plane)[7] == plane.size > 2**24
