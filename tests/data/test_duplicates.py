"""Duplicates: planted copies are found whatever was done to them, and images that merely look alike are left alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from breastai.clinical.known_patients import within_patients
from breastai.data.decoders.decoder_table import read_image
from breastai.data.duplicates import near_duplicates
from breastai.data.duplicates.grey_thumbnails import THUMBNAIL_SIDE, comparable_thumbnail, thumbnail
from breastai.data.duplicates.near_duplicates import NearDuplicate, duplicates_in, find_duplicates, joined_groups
from breastai.data.sources.class_folders import scan

Image = Any


def texture(seed: int, height: int = 150, width: int = 190) -> Image:
    """Return layers and speckle under a common fall of brightness: images that all look alike from afar."""
    generator = np.random.default_rng(seed)
    shape = (height, width)
    layers = cv2.GaussianBlur(generator.normal(size=shape), (0, 0), sigmaX=40, sigmaY=5) * 9
    speckle = cv2.GaussianBlur(generator.rayleigh(size=shape), (0, 0), 1.5)
    fall = np.linspace(1.4, 0.5, height)[:, None]
    return np.clip(55 * (speckle + layers) * fall, 0, 255).astype(np.uint8)


def jpeg(image: Image, quality: int = 40) -> Image:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def brightened(image: Image) -> Image:
    return np.clip(image * 1.3 + 15, 0, 255).astype(np.uint8)


def cropped(image: Image) -> Image:
    height, width = image.shape
    return image[int(height * 0.05) : int(height * 0.95), int(width * 0.05) : int(width * 0.95)]


def cropped_at_a_corner(image: Image) -> Image:
    height, width = image.shape
    return image[int(height * 0.05) :, int(width * 0.05) :]


def scaled(image: Image) -> Image:
    return cv2.resize(image, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)


CHANGES: dict[str, Callable[[Image], Image]] = {
    "jpeg": jpeg,
    "scaled": scaled,
    "cropped": cropped,
    "cropped at a corner": cropped_at_a_corner,
    "brightened": brightened,
    "flipped": lambda image: image[:, ::-1],
    "upside down": lambda image: image[::-1],
    "quarter turn": lambda image: np.rot90(image),
    "all at once": lambda image: jpeg(brightened(scaled(cropped_at_a_corner(image))[:, ::-1])),
}


def framed(image: Image, share: float) -> Image:
    """Return the image on a screen with a grey panel and text around it, wider by `share`."""
    height, width = image.shape
    rows, columns = round(height * share / 2), round(width * share / 2)
    screen = np.full((height + 2 * rows, width + 2 * columns), 40, dtype=np.uint8)
    for line in range(8, len(screen), 12):
        cv2.putText(screen, "12.5 MHz  Gain 48", (2, line), cv2.FONT_HERSHEY_SIMPLEX, 0.3, 200, 1)
    screen[rows : rows + height, columns : columns + width] = image
    return screen


def inner(image: Image, top: float, bottom: float, left: float, right: float) -> Image:
    height, width = image.shape
    return image[round(height * top) : round(height * bottom), round(width * left) : round(width * right)]


def sloped(image: Image) -> Image:
    return np.clip(image * np.linspace(1.6, 0.5, len(image))[:, None], 0, 255).astype(np.uint8)


def next_frame(image: Image) -> Image:
    noise = cv2.GaussianBlur(np.random.default_rng(9).normal(size=image.shape), (0, 0), 1) * 8
    return inner(np.clip(image * (1 + noise / 100), 0, 255).astype(np.uint8), 0, 1, 0.06, 1)


KINDS: dict[str, Callable[[Image], tuple[Image, Image]]] = {
    "cropped by 10 % all round": lambda image: (image, inner(image, 0.1, 0.9, 0.1, 0.9)),
    "cropped by 20 % of one side": lambda image: (image, inner(image, 0, 1, 0.2, 1)),
    "on a screen wider by 10 %": lambda image: (image, framed(image, 0.1)),
    "on a screen wider by 30 %": lambda image: (image, framed(image, 0.3)),
    "contrast equalised": lambda image: (image, cv2.createCLAHE(3.0, (8, 8)).apply(image)),
    "another gain over the depth": lambda image: (image, sloped(image)),
    "the next frame": lambda image: (inner(image, 0, 1, 0, 0.94), next_frame(image)),
    "a patch that overlaps by 90 %": lambda image: (inner(image, 0, 1, 0, 0.9), inner(image, 0, 1, 0.1, 1)),
    "inverted": lambda image: (image, 255 - image),
    "beside another on one screen": lambda image: (image, np.hstack([image, texture(99)])),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_of_every_kind_is_found_and_nothing_else(kind: str) -> None:
    pairs = [KINDS[kind](texture(seed)) for seed in range(12)]
    images = [np.ascontiguousarray(image) for one in (0, 1) for image in (pair[one] for pair in pairs)]
    if kind == "beside another on one screen":  # the other one is on all screens
        pairs = pairs[:1]
        images = [pairs[0][0], pairs[0][1], texture(50), texture(51)]
    found = find_duplicates([thumbnail(image) for image in images], names(len(images)))
    assert found.groups == tuple((number, number + len(pairs)) for number in range(len(pairs)))


def test_different_images_within_the_same_panel_are_no_duplicates_and_copies_within_it_are_found() -> None:
    screens = [framed(texture(seed), 0.3) for seed in range(34)]
    images = [*screens, texture(3), jpeg(screens[5])]
    assert find_duplicates([thumbnail(image) for image in images], names(36)).groups == ((3, 34), (5, 35))
    few = [*screens[:6], texture(3)]
    assert find_duplicates([thumbnail(image) for image in few], names(7)).groups == ((3, 6),)


def test_of_mammograms_neither_other_women_nor_the_other_breast_are_duplicates(shared_data: Path) -> None:
    folder = shared_data / "mias" / "train"
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    files = sorted(files, key=lambda file: file.rsplit("/")[-1])[:80]
    assert duplicates_in(folder, files).pairs == ()


def test_of_histology_patches_those_of_two_patients_are_no_duplicates(shared_data: Path) -> None:
    folder = shared_data / "idc" / "train"
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))[::8]
    patients = [file.rsplit("/")[-1].split("_")[0] for file in files]
    assert all(patients[pair.first] == patients[pair.second] for pair in duplicates_in(folder, files).pairs)


def test_the_same_lesion_in_other_frames_of_a_sweep_is_found(shared_data: Path) -> None:
    files = [
        "train/malignant/malignant (6).png",
        "val/malignant/malignant (8).png",
        "train/malignant/malignant (9).png",
    ]
    assert duplicates_in(shared_data / "busi", files).groups == ((0, 1, 2),)


def names(count: int) -> list[str]:
    return [f"hash {number}" for number in range(count)]


@pytest.mark.parametrize("change", CHANGES)
def test_a_planted_copy_is_found_and_nothing_else(change: str) -> None:
    originals = [texture(seed) for seed in range(40)]
    copies = [CHANGES[change](image) for image in originals]
    thumbnails = np.stack([thumbnail(np.ascontiguousarray(image)) for image in originals + copies])
    found = find_duplicates(thumbnails, names(80))
    assert found.groups == tuple((number, number + 40) for number in range(40))


@pytest.mark.standard
def test_of_real_images_nearly_all_planted_copies_are_found_and_few_images_are_grouped(shared_data: Path) -> None:
    folder = scan(shared_data / "busi" / "val")
    images = [read_image(folder.path(number)) for number in range(len(folder))]
    originals = [thumbnail(image) for image in images]
    greys = [image[:, :, 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    count = len(images)
    for change in ("cropped at a corner", "all at once"):
        copies = [thumbnail(np.ascontiguousarray(CHANGES[change](grey))) for grey in greys]
        found = find_duplicates(np.stack(originals + copies), names(2 * count))
        numbers = found.group_numbers(2 * count)
        assert (numbers[:count] == numbers[count:]).mean() >= 0.98, change
    for twins in find_duplicates(np.stack(originals), names(count)).pairs:
        one, other = (originals[number].astype(float).ravel() for number in (twins.first, twins.second))
        assert np.corrcoef(one, other)[0, 1] > 0.7


def test_the_known_twins_of_the_real_images_are_found_across_splits_and_classes(shared_data: Path) -> None:
    files = [
        "train/benign/benign (299).png",
        "val/benign/benign (233).png",
        "train/benign/benign (437).png",
        "val/normal/normal (34).png",
        "train/benign/benign (90).png",
    ]
    assert duplicates_in(shared_data / "busi", files).groups == ((0, 1), (2, 3))


def test_images_of_two_known_patients_are_a_pair_only_when_their_files_are_identical() -> None:
    image = texture(1)
    thumbnails = np.stack([thumbnail(copy) for copy in (image, jpeg(image), image, jpeg(image, 60))])
    hashes = ["a", "b", "a", "c"]
    assert find_duplicates(thumbnails, hashes).groups == ((0, 1, 2, 3),)
    assert find_duplicates(thumbnails, hashes, patients=["P1", "P2", "P3", None]).groups == ((0, 1, 2, 3),)
    known = find_duplicates(thumbnails, hashes, patients=["P1", "P2", "P3", "P4"])
    assert [(pair.first, pair.second, pair.identical) for pair in known.pairs] == [(0, 2, True)]
    assert find_duplicates(thumbnails, hashes, patients=["P1", "P1", "P1", "P4"]).groups == ((0, 1, 2),)


def copies_of(seeds: range, count: int) -> list[Image]:
    """Return thumbnails of `count` copies of each texture, the copies of one beside each other."""
    return [thumbnail(jpeg(texture(seed), 40 + 3 * copy)) for seed in seeds for copy in range(count)]


def test_images_that_others_join_already_are_not_compared_and_the_groups_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thumbnails = copies_of(range(5), 6)
    monkeypatch.setattr(near_duplicates, "_ROUND", 10**9)
    every = find_duplicates(thumbnails, names(30))
    monkeypatch.setattr(near_duplicates, "_ROUND", 1)
    needed = find_duplicates(thumbnails, names(30))
    assert needed.groups == every.groups == tuple(tuple(range(start, start + 6)) for start in range(0, 30, 6))
    assert len(needed.pairs) == 5 * 5 < len(every.pairs)


def test_a_pair_of_one_patient_is_judged_though_an_image_of_an_unknown_patient_joins_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(near_duplicates, "_ROUND", 1)
    for order in range(3):
        patients: list[str | None] = ["P1", "P1", "P1"]
        patients[order] = None
        found = find_duplicates(copies_of(range(1), 3), names(3), patients=patients)
        assert found.groups == ((0, 1, 2),)
        assert within_patients(found, patients).groups == (tuple({0, 1, 2} - {order}),)


def test_between_two_sets_every_pair_is_judged_and_none_within_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "_ROUND", 1)
    pairs = find_duplicates(copies_of(range(2), 4), names(8), between=2).pairs
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 2), (0, 3), (1, 2), (1, 3)]


def test_images_alike_from_afar_are_no_twins() -> None:
    thumbnails = np.stack([thumbnail(texture(seed)) for seed in range(80)])
    assert find_duplicates(thumbnails, names(80)).pairs == ()


def test_the_same_frame_around_different_images_makes_no_twins() -> None:
    generator = np.random.default_rng(0)
    frame = cv2.GaussianBlur(generator.integers(0, 255, (150, 190)).astype(np.uint8), (0, 0), 2)
    images = []
    for seed in range(40):
        image = frame.copy()
        image[30:110, 40:140] = texture(seed, 80, 100)
        images.append(image)
    images.append(jpeg(images[7]))
    found = find_duplicates(np.stack([thumbnail(image) for image in images]), names(41))
    assert found.groups == ((7, 40),)


def test_equal_files_are_twins_even_when_blank_and_blank_images_else_are_not() -> None:
    blank = np.zeros((3, THUMBNAIL_SIDE, THUMBNAIL_SIDE), dtype=np.uint8)
    found = find_duplicates(blank, ["a", "b", "a"])
    assert found.pairs == (NearDuplicate(0, 2, 1.0, 1.0, identical=True),)
    assert found.group_numbers(3).tolist() == [0, 1, 0]


def test_files_are_read_from_disk_and_what_can_not_be_read_has_no_twin(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), texture(1))
    cv2.imwrite(str(tmp_path / "b.png"), texture(2))
    cv2.imwrite(str(tmp_path / "c.jpg"), jpeg(texture(1)))
    (tmp_path / "d.png").write_bytes(b"no image")
    (tmp_path / "e.png").write_bytes(b"no image")
    assert duplicates_in(tmp_path, ["a.png", "b.png", "c.jpg", "d.png", "e.png", "gone.png"]).groups == ((0, 2),)


def test_no_image_and_one_image_have_no_twins() -> None:
    one = thumbnail(texture(0))[None]
    assert find_duplicates(one[:0], []).groups == ()
    assert find_duplicates(one, ["a"]).groups == ()


def test_twins_of_twins_are_one_group_and_threads_change_nothing() -> None:
    pairs = [NearDuplicate(a, b, 1.0, 1.0, identical=False) for a, b in ((4, 5), (1, 3), (3, 4), (0, 7))]
    assert joined_groups(pairs, 9) == ((0, 7), (1, 3, 4, 5))
    images = [texture(seed) for seed in range(12)]
    thumbnails = np.stack([thumbnail(image) for image in images + [jpeg(image) for image in images]])
    seen: list[float] = []
    assert find_duplicates(thumbnails, names(24), threads=1) == find_duplicates(
        thumbnails, names(24), threads=3, progress=seen.append
    )
    assert seen == sorted(seen) and all(0 <= share <= 1 for share in seen)


def test_a_thumbnail_is_grey_and_of_one_size_or_a_small_image_as_it_is() -> None:
    grey = texture(0)
    colour = np.stack([grey] * 3, axis=2)
    assert thumbnail(grey).shape == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    assert np.abs(thumbnail(colour).astype(int) - thumbnail(grey)).max() <= 1
    assert (thumbnail(grey[:, :, None]) == thumbnail(grey)).all()
    line = thumbnail(np.full((1, 50), 7, dtype=np.uint8))
    assert (
        line.shape == (1, 50)
        and comparable_thumbnail(line).shape == (2, 96)
        and set(comparable_thumbnail(line).ravel().tolist()) == {7}
    )
    patch = thumbnail(texture(0)[:50, :40])
    assert patch.shape == (50, 40) and patch.base is None and comparable_thumbnail(patch).shape == (96, 77)
