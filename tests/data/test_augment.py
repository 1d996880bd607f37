"""Augmentation: within its bounds, the same for the same random state, nothing when switched off."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastai.data.preprocessing import augment as augmentation
from breastai.data.preprocessing.augment import augment
from breastai.domain.config import AugmentationSettings

OFF = {
    "horizontal_flip": 0,
    "vertical_flip": 0,
    "rotation": 0,
    "scale": 0,
    "shift": 0,
    "brightness": 0,
    "contrast": 0,
    "noise": 0,
    "random_erasing": 0,
}
ALL = AugmentationSettings(random_erasing=1, vertical_flip=0.5, noise=0.1)


def settings(**changes: float) -> AugmentationSettings:
    return AugmentationSettings.model_validate(OFF | changes)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(side: int = 48, channels: int = 3) -> np.ndarray:
    return np.ascontiguousarray(
        np.broadcast_to(rng(9).integers(0, 256, (side, side, channels), np.uint8), (side, side, 3))
    )


def smooth(side: int = 64) -> np.ndarray:
    """A grey image of slow changes, all different under flips."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    plane = (60 + 60 * np.sin(3 * rows + 1) + 80 * columns * rows).astype(np.uint8)
    return np.repeat(plane[:, :, np.newaxis], 3, axis=2)


@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_is_changed_when_switched_off_or_all_zero(channels: int) -> None:
    image = noise(channels=channels)
    assert np.array_equal(augment(image, AugmentationSettings(enabled=False), rng()), image)
    assert np.array_equal(augment(image, settings(), rng()), image)


@given(seed=st.integers(0, 2**31), side=st.sampled_from([1, 2, 32, 47]), channels=st.sampled_from([1, 3]))
def test_the_same_random_state_gives_the_same_image(seed: int, side: int, channels: int) -> None:
    image = noise(side, channels)
    before = image.copy()
    first, second = (augment(image, ALL, rng(seed)) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(image, before)
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    if channels == 1:
        assert np.array_equal(first[:, :, 0], first[:, :, 2])


def test_one_generator_gives_other_images_in_turn() -> None:
    generator = rng()
    assert not np.array_equal(augment(noise(), ALL, generator), augment(noise(), ALL, generator))


def test_every_call_takes_the_same_number_of_random_values() -> None:
    states = []
    for chosen in (ALL, settings(), settings(horizontal_flip=1), AugmentationSettings()):
        generator = rng(3)
        augment(noise(), chosen, generator)
        states.append(generator.random())
    assert len(set(states)) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_flip_alone_is_exact(channels: int) -> None:
    image = noise(channels=channels)
    assert np.array_equal(augment(image, settings(horizontal_flip=1), rng()), image[:, ::-1])
    assert np.array_equal(augment(image, settings(vertical_flip=1), rng()), image[::-1])
    assert np.array_equal(augment(image, settings(horizontal_flip=1, vertical_flip=1), rng()), image[::-1, ::-1])


def test_half_of_the_images_are_flipped_at_one_half() -> None:
    generator, image = rng(), smooth()
    flipped = sum(
        np.array_equal(augment(image, settings(horizontal_flip=0.5), generator), image[:, ::-1]) for _ in range(400)
    )
    assert 150 < flipped < 250


@given(seed=st.integers(0, 2**31), bound=st.floats(0.01, 0.3))
def test_brightness_stays_within_its_bound(seed: int, bound: float) -> None:
    image = np.full((32, 32, 3), 100, np.uint8)
    changed = augment(image, settings(brightness=bound), rng(seed))
    assert np.abs(changed.astype(float) - 100).max() <= 100 * bound + 0.5


@given(seed=st.integers(0, 2**31), bound=st.floats(0.01, 0.3))
def test_contrast_keeps_the_mean_and_stays_within_its_bound(seed: int, bound: float) -> None:
    image = (smooth() // 2 + 60).astype(np.uint8)
    changed = augment(image, settings(contrast=bound), rng(seed))
    assert abs(changed.mean() - image.mean()) < 0.6
    assert abs(changed.std() / image.std() - 1) <= bound + 0.03


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_has_no_mean_and_stays_within_its_bound(seed: int, channels: int) -> None:
    image = np.full((64, 64, 3), 128, np.uint8)
    if channels == 3:
        image[:, :, 0] += 1
    difference = augment(image, settings(noise=0.1), rng(seed)).astype(float) - image
    assert 0 < difference.std() < 0.1 * 255 * 1.1
    assert abs(difference.mean()) < 2


def test_noise_differs_from_call_to_call() -> None:
    generator, image = rng(), np.full((64, 64, 3), 128, np.uint8)
    first, second = (augment(image, settings(noise=0.1), generator).astype(float)[:, :, 0] - 128 for _ in range(2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1


def test_an_image_larger_than_the_stock_of_noise_is_served() -> None:
    image = np.full((1600, 1600, 3), 128, np.uint8)
    assert augment(image, settings(noise=0.1), rng()).std() > 0


@pytest.mark.parametrize("seed", range(8))
def test_the_warp_is_the_one_described(seed: int) -> None:
    """Undoing rotation, scale and shift by OpenCV's own rotation matrix brings the middle back."""
    image = cv2.GaussianBlur(noise(128), (0, 0), 4)
    warped = augment(image, settings(rotation=20, scale=0.2, shift=0.05), rng(seed))
    draws = rng(seed).random(15)
    angle, scale = (2 * draws[2] - 1) * 20, 1 + (2 * draws[3] - 1) * 0.2
    # OpenCV counts angles anticlockwise, with rows running down.
    matrix = cv2.getRotationMatrix2D((63.5, 63.5), -angle, scale)
    matrix[:, 2] += (2 * draws[4:6] - 1) * 0.05 * 128
    back = cv2.warpAffine(warped, matrix, (128, 128), flags=cv2.WARP_INVERSE_MAP)
    difference = back[48:80, 48:80].astype(float) - image[48:80, 48:80]
    assert np.abs(difference).mean() < 2


def test_what_a_shift_uncovers_is_mirrored_and_not_black() -> None:
    image = np.full((64, 64, 3), 200, np.uint8)
    assert (augment(image, settings(rotation=45, shift=0.5, scale=0.5), rng()) == 200).all()


@pytest.mark.parametrize("seed", range(10))
def test_erasing_blanks_one_rectangle_of_bounded_size(seed: int) -> None:
    image = noise(64)
    changed = augment(image, settings(random_erasing=1), rng(seed))
    rows, columns = np.nonzero((changed != image).any(axis=2))
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    assert 0.01 < (bottom - top) * (right - left) / 64**2 < 0.25
    assert len(np.unique(changed[top:bottom, left:right].reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize(
    "chosen", [ALL, settings(brightness=0.3, contrast=0.3), settings(random_erasing=1), settings(noise=0.1)]
)
def test_a_grey_image_is_changed_as_one_of_three_channels_is(
    chosen: AugmentationSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = noise(channels=1)
    as_grey = [augment(image, chosen, rng(seed)) for seed in range(12)]
    monkeypatch.setattr(augmentation, "_is_grey", lambda image: False)
    for seed, expected in enumerate(as_grey):
        assert np.abs(augment(image, chosen, rng(seed)).astype(int) - expected).max() <= 1
        assert (expected == expected[:, :, :1]).all()


@pytest.mark.parametrize("row", [0, 1, 37, 47])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_pixel_of_colour_makes_an_image_no_grey_one(row: int, channel: int) -> None:
    image = np.repeat(noise(channels=1)[:, :, :1], 3, axis=2)[:48]
    assert augmentation._is_grey(image)
    image[row, 5, channel] ^= 1
    assert not augmentation._is_grey(image)


def test_noise_is_taken_from_anywhere_in_the_stock_and_to_its_end() -> None:
    stock = augmentation._noise_stock()
    assert np.array_equal(augmentation._noise(4, 6, 0.0).ravel(), stock[:24])
    assert np.array_equal(augmentation._noise(4, 6, 1 - 1e-12).ravel(), stock[-24:])
    middle = augmentation._noise(4, 6, 0.5).ravel()
    assert np.array_equal(middle, stock[(start := (len(stock) - 23) // 2) : start + 24])
    assert abs(float(stock.mean())) < 0.01 and float(stock.std()) == pytest.approx(1, abs=0.01)


def test_an_erased_rectangle_has_the_mean_and_lies_anywhere_it_fits() -> None:
    plane = noise(channels=3)
    side = plane.shape[0]
    sizes, corners = [], set()
    generator = rng(4)
    for _ in range(400):
        draws = generator.random(3)
        rows, columns = np.nonzero((augmentation._erased(plane, draws) != plane).any(axis=2))
        box = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
        sizes.append((box[1] - box[0], box[3] - box[2]))
        corners |= {("top", box[0] == 0), ("bottom", box[1] == side), ("left", box[2] == 0), ("right", box[3] == side)}
    shares = np.array([height * width / side**2 for height, width in sizes])
    ratios = np.array([height / width for height, width in sizes])
    assert 0.01 < shares.min() < 0.04 and 0.17 < shares.max() < 0.23
    assert 0.2 < ratios.min() < 0.4 and 2.5 < ratios.max() < 4.5
    assert len(corners) == 8
    erased = augmentation._erased(plane, np.array([0.5, 0.5, 0.0]))
    assert np.abs(erased[0, 0] - plane.mean(axis=(0, 1))).max() <= 0.5


@pytest.mark.parametrize("channels", [None, 3])
def test_brightness_scales_and_contrast_spreads_about_the_mean_whatever_the_channels(channels: int | None) -> None:
    generator = rng(4)
    plane = generator.integers(60, 120, (40, 30) if channels is None else (40, 30, 3), dtype=np.uint8)
    for light, spread in ((0.0, 0.0), (1.0, 0.25), (0.3, 0.9), (0.5, 1.0), (1.0, 0.5)):
        found = augmentation._relit(plane, settings(brightness=0.2, contrast=0.3), np.array([light, spread, 0.0, 0.0]))
        gain, stretch = 1 + 0.2 * (2 * light - 1), 1 + 0.3 * (2 * spread - 1)
        expected = gain * (plane.mean() + stretch * (plane - plane.mean()))
        assert np.abs(found - expected).max() <= 0.51
    noisy = augmentation._relit(plane, settings(noise=0.1), np.array([0.5, 0.5, 0.5, 0.2])).astype(float) - plane
    assert noisy.std() == pytest.approx(0.5 * 0.1 * 255, rel=0.1) and abs(noisy.mean()) < 1.5
    if channels is not None:
        assert np.array_equal(noisy[:, :, 0], noisy[:, :, 2])  # grey noise


@pytest.mark.parametrize("draws", [(0.0, 0.0, 0.0), (1.0, 1.0, 0.999999), (0.5, 0.5, 0.5)])
def test_a_rectangle_is_erased_of_the_area_and_shape_that_are_drawn(draws: tuple[float, float, float]) -> None:
    plane = rng(5).integers(0, 200, (100, 80), dtype=np.uint8)
    found = augmentation._erased(plane, np.array(draws))
    mean = round(float(plane.mean()))
    least, most = augmentation._ERASED_AREA
    area = (least + draws[0] * (most - least)) * plane.size
    low, high = np.log(augmentation._ERASED_RATIO)
    ratio = np.exp(low + draws[1] * (high - low))
    rows, columns = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
    changed = np.argwhere(found != plane)
    top, left = changed.min(axis=0)
    assert found[top : top + rows, left : left + columns].tolist() == np.full((rows, columns), mean).tolist()
    bottom, right = changed.max(axis=0)
    assert rows - 2 <= bottom - top + 1 <= rows and columns - 2 <= right - left + 1 <= columns
    if draws[2] == 0:
        assert top <= 1 and left <= 1
    if draws[2] > 0.9:
        assert bottom >= 98 and right >= 78
