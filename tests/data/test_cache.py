"""The cache: equal pixels with and without it, whatever happens to its files."""

import hashlib
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from breastai.data.decoders.decoder_table import decode
from breastai.data.preprocessing import cache_store
from breastai.data.preprocessing.image_cache import Prepared, prepare
from breastai.data.preprocessing.preprocess import preprocess
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.class_folders import scan
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import ImageUnreadable, UnreadableClass

SETTINGS = PreprocessingSettings()
SIZE = 48


@pytest.fixture
def folder(tmp_path: Path) -> CaseTable:
    """Four grey images and two in colour."""
    rng = np.random.default_rng(1)
    for name in ("benign", "malignant"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number, shape in enumerate([(40, 60), (60, 40), (50, 50, 3)]):
            content = cv2.imencode(".png", rng.integers(0, 256, shape, dtype=np.uint8))[1].tobytes()
            (tmp_path / "images" / name / f"é {number}.png").write_bytes(content)
    return scan(tmp_path / "images")


def prepared(folder: CaseTable, root: Path, **changes: object) -> Prepared:
    arguments = {"preprocessing": SETTINGS, "image_size": SIZE, "workers": 2, "cache_root": root} | changes
    return prepare(folder, **arguments)  # type: ignore[arg-type]


def entries(root: Path) -> list[Path]:
    return sorted(root.rglob("*.pixels"))


def assert_true_to_the_files(made: Prepared) -> None:
    assert len(made) == len(made.folder)
    for index in range(len(made)):
        content = made.folder.path(index).read_bytes()
        expected = preprocess(decode(content, ""), SETTINGS, SIZE)
        assert np.array_equal(made.image(index), expected)
        assert made.hashes[index] == hashlib.sha256(content).hexdigest()


def test_images_come_out_as_preprocessing_gives_them_cold_and_warm(folder: CaseTable, tmp_path: Path) -> None:
    for _ in range(2):
        made = prepared(folder, tmp_path / "cache")
        assert_true_to_the_files(made)
        assert made.original_sizes == ((40, 60), (60, 40), (50, 50)) * 2
        assert made.cache_note is None
    assert len(entries(tmp_path / "cache")) == 6
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_a_warm_cache_decodes_nothing(folder: CaseTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(folder, tmp_path / "cache")
    monkeypatch.setattr(cache_store, "prepare_image", None)
    made = prepared(folder, tmp_path / "cache")
    assert made.image(0).shape == (SIZE, SIZE, 3)


def test_progress_counts_to_the_number_of_images(folder: CaseTable, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    prepared(folder, tmp_path / "cache", on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(number, 6) for number in range(1, 7)]


def test_every_setting_and_size_has_entries_of_its_own(folder: CaseTable, tmp_path: Path) -> None:
    variants = [{"resize": "pad"}, {"clahe": False}, {"clahe_clip_limit": 3.0}, {"clahe_grid": 4}]
    for number, variant in enumerate(variants, start=1):
        prepared(folder, tmp_path / "cache", preprocessing=PreprocessingSettings.model_validate(variant))
        assert len(entries(tmp_path / "cache")) == 6 * number
    prepared(folder, tmp_path / "cache", image_size=64)
    assert len(entries(tmp_path / "cache")) == 30


def test_a_changed_file_is_prepared_again(folder: CaseTable, tmp_path: Path) -> None:
    prepared(folder, tmp_path / "cache")
    folder.path(0).write_bytes(cv2.imencode(".png", np.full((9, 9), 77, np.uint8))[1].tobytes())
    assert_true_to_the_files(prepared(folder, tmp_path / "cache"))


@pytest.mark.parametrize("damage", ["empty", "short", "long", "zeros", "pixel", "gone"])
@pytest.mark.parametrize("moment", ["before", "while in use"])
def test_a_damaged_entry_is_made_again(folder: CaseTable, tmp_path: Path, damage: str, moment: str) -> None:
    made = prepared(folder, tmp_path / "cache")
    for entry in entries(tmp_path / "cache"):
        content = entry.read_bytes()
        match damage:
            case "empty":
                entry.write_bytes(b"")
            case "short":
                entry.write_bytes(content[:-1])
            case "long":
                entry.write_bytes(content + b"x")
            case "zeros":
                entry.write_bytes(bytes(len(content)))
            case "pixel":
                entry.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            case "gone":
                entry.unlink()
    if moment == "before":
        made = prepared(folder, tmp_path / "cache")
    assert_true_to_the_files(made)
    # Mended for good, and not only for this reading.
    for entry in entries(tmp_path / "cache"):
        assert len(entry.read_bytes()) in (28 + SIZE * SIZE, 28 + 3 * SIZE * SIZE)
    assert len(entries(tmp_path / "cache")) == 6


def test_a_file_that_changes_while_in_use_is_an_error_and_not_another_image(folder: CaseTable, tmp_path: Path) -> None:
    made = prepared(folder, tmp_path / "cache")
    for entry in entries(tmp_path / "cache"):
        entry.unlink()
    folder.path(2).write_bytes(folder.path(0).read_bytes())
    with pytest.raises(ImageUnreadable, match="changed"):
        made.image(2)


def test_an_image_is_the_callers_to_change(folder: CaseTable, tmp_path: Path) -> None:
    not_a_folder = tmp_path / "file"
    not_a_folder.write_bytes(b"")
    for root in (tmp_path / "cache", not_a_folder):
        made = prepared(folder, root)
        for index in range(len(made)):
            made.image(index)[:] = 0
        assert_true_to_the_files(made)


def test_unreadable_files_are_left_out_with_the_reason(folder: CaseTable, tmp_path: Path) -> None:
    folder.path(1).write_bytes(b"")
    folder.path(3).write_text("not an image")
    for _ in range(2):
        made = prepared(folder, tmp_path / "cache")
        assert [item.file for item in made.skipped] == [folder.files[1], folder.files[3]]
        assert "0 bytes" in str(made.skipped[0].reason)
        assert "text" in str(made.skipped[1].reason)
        assert made.folder.files == tuple(folder.files[index] for index in (0, 2, 4, 5))
        assert_true_to_the_files(made)


def test_a_class_without_a_readable_image_is_an_error(folder: CaseTable, tmp_path: Path) -> None:
    for index in (3, 4, 5):
        folder.path(index).write_bytes(b"")
    with pytest.raises(UnreadableClass) as caught:
        prepared(folder, tmp_path / "cache")
    assert (caught.value.class_name, caught.value.skipped) == ("malignant", 3)
    assert "0 bytes" in str(caught.value.reason)


def test_identical_files_share_an_entry(folder: CaseTable, tmp_path: Path) -> None:
    for index in range(1, 6):
        folder.path(index).write_bytes(folder.path(0).read_bytes())
    made = prepared(folder, tmp_path / "cache")
    assert len(set(made.hashes)) == 1
    assert len(entries(tmp_path / "cache")) == 1
    assert_true_to_the_files(made)


def test_a_cache_that_cannot_be_written_leaves_the_images_in_memory_and_says_so(
    folder: CaseTable, tmp_path: Path
) -> None:
    not_a_folder = tmp_path / "file"
    not_a_folder.write_bytes(b"")
    made = prepared(folder, not_a_folder)
    assert made.cache_note is not None
    assert str(not_a_folder) in str(made.cache_note)
    assert_true_to_the_files(made)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("memory_share", [0.25, 0.0])
def test_a_full_disk_is_no_end(
    folder: CaseTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory_share: float
) -> None:
    def open_on_a_full_disk(path: Path, mode: str = "wb") -> object:
        return Path("/dev/full").open(mode)

    monkeypatch.setattr(cache_store, "open_private", open_on_a_full_disk)
    monkeypatch.setattr(cache_store, "_MEMORY_SHARE", memory_share)
    made = prepared(folder, tmp_path / "cache")
    assert made.cache_note is not None
    assert "full" in str(made.cache_note)
    assert_true_to_the_files(made)


def test_the_limit_removes_what_was_unused_the_longest_and_nothing_of_this_set(
    folder: CaseTable, tmp_path: Path
) -> None:
    root = tmp_path / "cache"
    for age, image_size in ((3000, 40), (2000, 56), (1000, 64)):
        before = set(entries(root))
        prepared(folder, root, image_size=image_size)
        for entry in set(entries(root)) - before:
            stamp = entry.stat().st_mtime - age
            os.utime(entry, (stamp, stamp))
    prepared(folder, root, image_size=40)  # the oldest is used again
    sizes = {size: 4 * (28 + size * size) + 2 * (28 + 3 * size * size) for size in (40, 48, 56, 64)}
    limit = sizes[40] + sizes[48] + sizes[64]
    made = prepared(folder, root, limit_gb=limit / 2**30)
    assert made.cache_note is None
    assert sum(entry.stat().st_size for entry in entries(root)) == limit
    assert_true_to_the_files(made)
    left = {entry.stat().st_size for entry in entries(root)}
    assert 28 + 56 * 56 not in left


def test_a_set_larger_than_the_limit_is_kept_and_told(folder: CaseTable, tmp_path: Path) -> None:
    prepared(folder, tmp_path / "cache", image_size=64)
    made = prepared(folder, tmp_path / "cache", limit_gb=0)
    assert made.cache_note is not None
    assert "limit" in str(made.cache_note)
    assert len(entries(tmp_path / "cache")) == 6


def test_the_cache_is_listed_only_where_something_was_written_or_the_limit_fell(
    folder: CaseTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "cache"
    prepared(folder, root, limit_gb=2)
    listed: list[str] = []
    files_below = cache_store._files_below

    def listing(place: str) -> Iterator[os.DirEntry[str]]:
        listed.append(place)
        yield from files_below(place)

    monkeypatch.setattr(cache_store, "_files_below", listing)
    assert_true_to_the_files(prepared(folder, root, limit_gb=2))
    prepared(folder, root, limit_gb=3)
    assert listed == []
    prepared(folder, root, limit_gb=1)
    assert listed[0] == str(root)
    listed.clear()
    entries(root)[0].unlink()
    prepared(folder, root, limit_gb=1)
    assert listed[0] == str(root)


def test_what_a_killed_run_left_behind_is_removed_in_time(folder: CaseTable, tmp_path: Path) -> None:
    root = tmp_path / "cache"
    root.mkdir()
    (root / "old.tmp").write_bytes(b"x")
    (root / "new.tmp").write_bytes(b"x")
    os.utime(root / "old.tmp", (1, 1))
    prepared(folder, root)
    assert not (root / "old.tmp").exists()
    assert (root / "new.tmp").exists()


def test_two_runs_may_prepare_at_once(folder: CaseTable, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: prepared(folder, tmp_path / "cache"), range(4)))
    for made in runs:
        assert made.cache_note is None
        assert_true_to_the_files(made)
    assert len(entries(tmp_path / "cache")) == 6
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_an_error_in_the_progress_report_ends_the_preparation(folder: CaseTable, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared(folder, tmp_path / "cache", on_progress=stop)
    assert_true_to_the_files(prepared(folder, tmp_path / "cache"))


@pytest.mark.skipif(sys.platform != "linux", reason="the cache folder is elsewhere on other systems")
def test_the_default_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_store.default_cache_root() == tmp_path / "breastai" / "images"
