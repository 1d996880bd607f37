"""The store of embeddings: equal rows with and without it, whatever happens to its files."""

import hashlib
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from breastai.data.preprocessing import embedding_store
from breastai.data.preprocessing.embedding_store import (
    EmbeddingStore,
    default_embeddings_root,
    drop_oldest,
    open_store,
)

WIDTH = 7


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def rows(*numbers: int) -> np.ndarray:
    return np.array([np.arange(WIDTH) + 100 * number for number in numbers], dtype=np.float32)


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return open_store(tmp_path / "embeddings", "network", WIDTH)


def segments(store: EmbeddingStore) -> list[Path]:
    return sorted(store.folder.glob("*.rows"))


def test_rows_come_back_in_the_order_asked_for(store: EmbeddingStore) -> None:
    assert store.write([key(1), key(2)], rows(1, 2))
    assert store.write([key(3)], rows(3))
    found, known = store.read([key(3), key(9), key(1), key(3)])
    assert known.tolist() == [True, False, True, True]
    assert np.array_equal(found[[0, 2, 3]], rows(3, 1, 3))
    assert not found[1].any()


def test_a_damaged_row_is_not_known_and_can_be_written_again(store: EmbeddingStore) -> None:
    store.write([key(1), key(2)], rows(1, 2))
    path = segments(store)[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # of the second row
    path.write_bytes(content)
    assert store.read([key(1), key(2)])[1].tolist() == [True, False]
    store.write([key(2)], rows(2))
    found, known = store.read([key(1), key(2)])
    assert known.all() and np.array_equal(found, rows(1, 2))


@pytest.mark.parametrize("length", [0, 5, 20, -3])
def test_a_truncated_segment_counts_for_nothing(store: EmbeddingStore, length: int) -> None:
    store.write([key(1)], rows(1))
    path = segments(store)[0]
    path.write_bytes(path.read_bytes()[:length])
    assert not store.read([key(1)])[1].any()


def test_rows_of_another_width_are_not_taken_for_these(store: EmbeddingStore) -> None:
    store.write([key(1)], rows(1))
    assert not EmbeddingStore(store.folder, WIDTH + 1).read([key(1)])[1].any()


def test_many_small_segments_become_one(store: EmbeddingStore) -> None:
    for number in range(20):
        store.write([key(number)], rows(number))
    assert len(segments(store)) < 16
    found, known = store.read([key(number) for number in range(20)])
    assert known.all() and np.array_equal(found, rows(*range(20)))


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_nobody_else_may_read_it(store: EmbeddingStore) -> None:
    store.write([key(1)], rows(1))
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (store.folder, segments(store)[0])}
    assert list(modes.values()) == [0o700, 0o600]


def test_what_was_unused_the_longest_goes_first_and_what_is_in_use_stays(tmp_path: Path) -> None:
    root = tmp_path / "embeddings"
    old, used, kept = (open_store(root, name, WIDTH) for name in ("old", "used", "kept"))
    for age, each in enumerate((kept, old, used)):
        each.write([key(1)], rows(1))
        past = time.time() - 1000 + age
        os.utime(segments(each)[0], (past, past))
    assert used.read([key(1)])[1].all()  # which marks it as used
    size = segments(old)[0].stat().st_size
    drop_oldest(root, kept.folder, 2 * size)
    assert [bool(segments(each)) for each in (old, used, kept)] == [False, True, True]
    drop_oldest(root, kept.folder, 0)
    assert [bool(segments(each)) for each in (old, used, kept)] == [False, False, True]


def test_a_writer_killed_at_any_moment_leaves_whole_segments_alone(store: EmbeddingStore) -> None:
    script = (
        "import numpy as np, hashlib\n"
        "from pathlib import Path\n"
        "from breastai.data.preprocessing.embedding_store import open_store\n"
        f"store = open_store(Path({str(store.folder.parent)!r}), 'network', {WIDTH})\n"
        "for number in range(10**6):\n"
        "    key = hashlib.sha256(str(number).encode()).hexdigest()\n"
        f"    store.write([key], (np.arange({WIDTH}) + 100.0 * number).astype(np.float32)[None])\n"
        "    print(number, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == 25:
                writer.kill()
                break
    found, known = store.read([key(number) for number in range(26)])
    assert known.all() and np.array_equal(found, rows(*range(26)))


def test_a_disk_that_refuses_is_no_error(store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(embedding_store, "private_folder", refuse)
    assert not store.write([key(1)], rows(1))


@pytest.mark.parametrize(("age_s", "gone"), [(10, False), (3 * 24 * 3600, True)])
def test_what_a_killed_writer_left_is_removed_in_time_and_other_files_never(
    tmp_path: Path, age_s: int, gone: bool
) -> None:
    left, other = tmp_path / "key/a.tmp", tmp_path / "key/notes.txt"
    left.parent.mkdir()
    for path in (left, other):
        path.write_bytes(b"x" * 100)
        os.utime(path, (time.time() - age_s, time.time() - age_s))
    drop_oldest(tmp_path, None, 0)
    assert left.exists() is not gone and other.exists()


def test_segments_go_only_until_the_limit_is_kept(tmp_path: Path) -> None:
    for number in range(4):
        file = tmp_path / f"{number}/a.rows"
        file.parent.mkdir()
        file.write_bytes(b"x" * 100)
        os.utime(file, (1000 + number, 1000 + number))
    for limit, left in ((400, {"0", "1", "2", "3"}), (399, {"1", "2", "3"}), (200, {"2", "3"}), (150, {"3"})):
        drop_oldest(tmp_path, None, limit, ".rows")
        assert {path.name for path in tmp_path.iterdir()} == left
    drop_oldest(tmp_path, tmp_path / "3", 0, ".rows")
    assert (tmp_path / "3/a.rows").exists()


def test_embeddings_lie_in_the_user_s_own_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_embeddings_root() == tmp_path / "breastai" / "embeddings"


def test_a_segment_that_served_a_row_was_used_and_one_that_did_not_was_not(store: EmbeddingStore) -> None:
    for number in (1, 2):
        store.write([key(number)], rows(number))
    for path in segments(store):
        os.utime(path, (1000, 1000))
    store.read([key(1)])
    assert sorted(path.stat().st_mtime > 1000 for path in segments(store)) == [False, True]
    store.read([key(9)])
    assert sorted(path.stat().st_mtime > 1000 for path in segments(store)) == [False, True]


def test_of_an_image_written_twice_the_newest_row_counts_also_once_segments_are_joined(
    store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_store, "_MANY", 3)
    for age, number in ((1000, 4), (2000, 5)):
        store.write([key(1), key(10 + number)], rows(number, number))
        newest = max(segments(store), key=lambda path: path.stat().st_mtime)
        os.utime(newest, (age, age))
    assert np.array_equal(store.read([key(1)])[0], rows(5))
    store.write([key(2)], rows(2))
    assert len(segments(store)) == 1
    found, known = store.read([key(1), key(14), key(15), key(2)])
    assert known.all() and np.array_equal(found[1:], rows(4, 5, 2))
