"""Phantoms: the physics they claim, and the sample data set on disk."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastai.data.decoders.decoder_table import read_image
from breastai.data.patients.patient_ids import patient_ids
from breastai.data.phantoms.phantom_breast import CLASS_NAMES, draw_patient, image_of
from breastai.data.phantoms.phantom_dataset import MARKER, SPLIT_NAMES, _views, phantom, write_sample_data
from breastai.data.phantoms.phantom_ultrasound import Scanner, scan_image, smooth_field
from breastai.data.sources.class_folders import scan
from breastai.domain.errors import FolderNotEmpty, RequestInvalid
from breastai.domain.patient_settings import FilenamePattern

SMALL = 48
EVEN = np.zeros((256, 256), np.float32)
# Everything between black and white, so that no value is cut off.
WIDE = Scanner(dynamic_range_db=120, noise_db=-200)

# The mean grey of 8 by 8 parts of the image of a patient, by class and seed.
GREYS = {
    (
        "benign",
        0,
    ): "7e868183989d948d7a787e6871897c659aa0876378a0989e96a4a4b0ae987b97798b909a807a8e9d5b4a566a7158505846403f5f6546464f4737345543474846",
    (
        "benign",
        2,
    ): "686062616879717a676e4c3f5c6e7c6e707f563f5f7c71666876726f727275645245433f46444a55392c363c353534342e23392c2b233036312d3330262c3025",
    (
        "malignant",
        0,
    ): "7e868185999d948d7a787f5e71877c659aa08548719d989e96a4a07682987b97798b8d67597a8e9d5b4a53374b58505846403c2c3e46464f473731241e474846",
    (
        "malignant",
        1,
    ): "637968616c7a687a675d6771786c795b8186798981786e757e827c7a7074847e82897e604b7893865b60564b3c556c684b5150472a34474f5858513828404a52",
    (
        "normal",
        1,
    ): "657573666e757671646d58726470757280827c8178817f757a7c7e84727e8686867d8c7a8a879092666464685d68737b5049504f5041444d5d535556414d4e52",
    (
        "normal",
        2,
    ): "69646856636972706374695e597176776d778576736e826d52626e625f656d6a4e433b41464c3e44382a31332b2e222934292f2e221a1d33321e3430322b2a1f",
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def decibels(image: np.ndarray) -> np.ndarray:
    return image.astype(float) / 255 * WIDE.dynamic_range_db


def test_speckle_has_rayleigh_statistics() -> None:
    envelope = 10 ** (decibels(scan_image(EVEN, EVEN, WIDE, rng())) / 20)
    # Mean over standard deviation of a Rayleigh distribution: sqrt(pi / (4 - pi)) = 1.91.
    assert envelope.mean() / envelope.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.06)


def test_compounding_smooths_the_speckle() -> None:
    one, four = (scan_image(EVEN, EVEN, Scanner(dynamic_range_db=120, looks=looks), rng()) for looks in (1, 4))
    assert four.std() < 0.7 * one.std()


def test_echo_strength_and_attenuation_appear_in_decibels() -> None:
    echo_db, attenuation_db = EVEN.copy(), EVEN.copy()
    echo_db[:, 128:] = -20
    attenuation_db[100:110, :128] = 1  # 10 dB in all
    shown = decibels(scan_image(echo_db, attenuation_db, WIDE, rng()))
    above, below, weak = shown[:90, :120].mean(), shown[120:, :120].mean(), shown[:, 136:].mean()
    assert above - weak == pytest.approx(20, abs=1)
    assert above - below == pytest.approx(10, abs=1)


def test_a_smooth_field_has_unit_variance_and_changes_slowly() -> None:
    field = smooth_field(rng(), (200, 100), 5)
    assert field.shape == (200, 100)
    assert field.std() == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(field, axis=0)).max() < 0.3


@pytest.mark.parametrize("class_name", CLASS_NAMES)
@pytest.mark.parametrize("image_size", [32, 65, 128])
def test_a_phantom_is_a_grey_image_of_the_size_asked_for(class_name: str, image_size: int) -> None:
    image = phantom(class_name, rng(), image_size)
    assert image.shape == (image_size, image_size)
    assert image.dtype == np.uint8
    assert 20 < image.mean() < 220
    assert image.std() > 10


def test_the_same_random_state_gives_the_same_phantom() -> None:
    assert np.array_equal(phantom("benign", rng(5), SMALL), phantom("benign", rng(5), SMALL))
    assert not np.array_equal(phantom("benign", rng(5), SMALL), phantom("benign", rng(6), SMALL))


@pytest.mark.parametrize(("class_name", "seed"), GREYS)
def test_a_seed_gives_the_images_that_figures_in_documents_were_measured_on(class_name: str, seed: int) -> None:
    generator = rng(seed)
    image = image_of(draw_patient(class_name, generator), generator, 64)
    parts = image.reshape(8, 8, 8, 8).mean(axis=(1, 3))
    expected = np.frombuffer(bytes.fromhex(GREYS[class_name, seed]), np.uint8).reshape(8, 8)
    assert np.abs(parts - expected).max() <= 1


def test_the_signs_differ_between_the_classes_and_overlap() -> None:
    generator = rng()
    lesions = {name: [draw_patient(name, generator).lesion for _ in range(300)] for name in CLASS_NAMES}
    assert set(lesions["normal"]) == {None}
    for sign in ("tallness", "irregularity", "behind_db"):
        benign, malignant = (np.array([getattr(lesion, sign) for lesion in lesions[name]]) for name in CLASS_NAMES[:2])
        assert (benign.mean() < malignant.mean()) == (sign != "behind_db")
        assert max(benign.min(), malignant.min()) < min(benign.max(), malignant.max())


def test_views_of_one_patient_are_more_alike_than_those_of_two() -> None:
    generator = rng(3)
    patients = [draw_patient("normal", generator) for _ in range(12)]
    means = np.array([[image_of(patient, generator, SMALL).mean() for _ in range(3)] for patient in patients])
    assert means.std(axis=1).mean() < 0.5 * means.mean(axis=1).std()


@given(st.integers(3, 300), st.integers(0, 100))
def test_patients_have_two_to_four_images_and_there_are_at_least_three(per_class: int, seed: int) -> None:
    views = list(_views(per_class, rng(seed)))
    assert sum(views) == per_class
    assert len(views) >= 3
    assert max(views) <= 4
    assert min(views) >= (2 if per_class >= 8 else 1)


def test_the_sample_data_has_three_splits_of_whole_patients(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    made = write_sample_data(tmp_path / "sample é", 20, 7, SMALL, lambda done, total: calls.append((done, total)))
    splits_of, classes_of = defaultdict(set), defaultdict(set)
    for name in SPLIT_NAMES:
        folder = scan(made.root / name)
        assert folder.class_names == CLASS_NAMES
        assert folder.counts() == made.counts[name]
        assert folder.skipped == ()
        patients = patient_ids(folder.files, FilenamePattern(pattern=r"^(P\d+)_"), tmp_path)
        assert patients is not None
        for patient, label in zip(patients, folder.labels, strict=True):
            splits_of[patient].add(name)
            classes_of[patient].add(label)
        assert read_image(folder.path(0)).shape == (SMALL, SMALL, 1)
    assert len(splits_of) == made.patients
    assert {len(names) for names in [*splits_of.values(), *classes_of.values()]} == {1}
    for label in CLASS_NAMES:
        numbers = [made.counts[name][label] for name in SPLIT_NAMES]
        assert sum(numbers) == 20
        assert 10 <= numbers[0] <= 14
        assert min(numbers[1:]) >= 2
    assert made.images == 60
    assert calls[-1] == (60, 60)


def test_the_number_of_a_patient_does_not_tell_the_class(tmp_path: Path) -> None:
    write_sample_data(tmp_path, 30, 1, 32)
    folder = scan(tmp_path / "train")
    ids = patient_ids(folder.files, FilenamePattern(pattern=r"^P(\d+)_"), tmp_path)
    assert ids is not None
    numbers = np.array([int(number) for number in ids])
    ranges = [(numbers[folder.labels == label].min(), numbers[folder.labels == label].max()) for label in range(3)]
    assert max(low for low, _ in ranges) < min(high for _, high in ranges)


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_sample_data(tmp_path / name, 3, seed, 32)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_an_earlier_sample_data_set_is_replaced_whole(tmp_path: Path) -> None:
    write_sample_data(tmp_path / "a", 12, 1, 32)
    write_sample_data(tmp_path / "a", 6, 2, 32)
    write_sample_data(tmp_path / "b", 6, 2, 32)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_set_left_half_way_can_be_written_again(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample_data(tmp_path / "a", 6, 2, 32, stop)
    write_sample_data(tmp_path / "a", 6, 2, 32)
    write_sample_data(tmp_path / "b", 6, 2, 32)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("marker", [None, "nonsense", "[]", '{"files": 3}', '{"files": ["other.png"]}'])
def test_a_folder_with_other_files_is_left_as_it_is(tmp_path: Path, marker: str | None) -> None:
    (tmp_path / "train" / "benign").mkdir(parents=True)
    (tmp_path / "train" / "benign" / "mine.png").write_bytes(b"precious")
    if marker is not None:
        (tmp_path / MARKER).write_text(marker)
    before = contents(tmp_path)
    with pytest.raises(FolderNotEmpty) as caught:
        write_sample_data(tmp_path, 3, 1, 32)
    assert str(tmp_path) in str(caught.value)
    assert contents(tmp_path) == before


def test_a_marker_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_bytes(b"x")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / MARKER).write_text(json.dumps({"files": ["../precious.txt"]}))
    write_sample_data(tmp_path / "a", 3, 1, 32)
    assert (tmp_path / "precious.txt").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(FolderNotEmpty):
        write_sample_data(tmp_path / "a", 3, 1, 32)


def test_too_few_images_for_three_splits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match="per_class"):
        write_sample_data(tmp_path / "a", 2)
    made = write_sample_data(tmp_path / "a", 3, 1, 32)
    assert all(set(made.counts[name].values()) == {1} for name in SPLIT_NAMES)
