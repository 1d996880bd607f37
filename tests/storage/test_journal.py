"""The journal of a run."""

import errno
import json
import os
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from breastai.domain.events import Log, ProgressUpdate
from breastai.storage.journal import (
    MOST_JOURNAL_BYTES,
    MOST_LINE_BYTES,
    Journal,
    last_event,
    latest_events,
    lines_between,
    mend,
    read_epochs,
    read_events,
)


def line(number: int) -> Log:
    return Log(level="info", message=f"line {number}")


def test_events_come_back_in_order_with_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "run" / "events.jsonl"
    journal = Journal(path, "run", "default")
    told = [journal.stamp(line(number)) for number in range(3)]
    journal.close()
    assert list(read_events(path)) == told
    assert [event.seq for event in read_events(path, after_seq=1)] == [2, 3]
    assert all(event.run_id == "run" and event.time for event in told)


def test_a_resumed_run_uses_no_number_twice_whatever_progress_used(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path, "run", "default")
    journal.stamp(line(0))
    used = [journal.stamp(ProgressUpdate(stage="training", message="")).seq or 0 for _ in range(1000)]
    journal.close()
    journal = Journal(path, "run", "default")
    assert (journal.stamp(line(1)).seq or 0) > max(used)
    journal.close()


def test_progress_is_numbered_but_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path, "run", "default")
    journal.stamp(ProgressUpdate(stage="training", message=""))
    assert journal.stamp(line(0)).seq == 2
    journal.close()
    assert [event.seq for event in read_events(path)] == [2]


def test_a_torn_last_line_is_cut_off_before_more_is_written(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path, "run", "default")
    journal.stamp(line(0))
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"type":"log","lev')
    assert len(list(read_events(path))) == 1
    journal = Journal(path, "run", "default")
    journal.stamp(line(1))
    journal.close()
    assert [event.message for event in read_events(path) if isinstance(event, Log)] == ["line 0", "line 1"]


def test_what_a_full_disk_keeps_from_being_written_follows_in_its_order_without_a_torn_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run" / "events.jsonl"
    journal = Journal(path, "run", "default")
    journal.stamp(line(0))
    real = journal._file

    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        def write(self, content: bytes) -> int:
            real.write(content[:5])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal, "_file", Full())
    assert journal.stamp(line(1)).seq == 2
    assert journal.behind and not journal.catch_up()
    assert [event.message for event in read_events(path) if isinstance(event, Log)] == ["line 0"]
    monkeypatch.setattr(journal, "_file", real)
    journal.stamp(line(2))
    journal.close()
    assert [event.message for event in read_events(path) if isinstance(event, Log)] == ["line 0", "line 1", "line 2"]


def test_a_missing_journal_has_no_events(tmp_path: Path) -> None:
    assert list(read_events(tmp_path / "nothing.jsonl")) == []


# --- what a hostile or damaged file may cost ---


def _with_an_endless_line(tmp_path: Path, size_bytes: int) -> tuple[Path, Journal]:
    """Return a journal whose second line has so many bytes, between two events."""
    path = tmp_path / "run" / "events.jsonl"
    journal = Journal(path, "run", "default")
    journal.stamp(Log(level="info", message="before"))
    with path.open("ab") as file:
        file.write(b'{"type":"log","message":"' + b"a" * size_bytes + b'"}\n')
    return path, journal


def _peak(work: Callable[[], object]) -> int:
    """Return how much memory a piece of work took at most, in bytes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_endless_line_is_passed_over_and_never_held(tmp_path: Path) -> None:
    size = 8 * MOST_LINE_BYTES
    path, journal = _with_an_endless_line(tmp_path, size)
    assert _peak(lambda: last_event(path)) < size // 2
    assert last_event(path) is None, "what comes before lies too far from the end for a look at a welcome"
    journal.stamp(Log(level="info", message="after"))
    journal.close()
    for work in (
        lambda: last_event(path),
        lambda: list(read_events(path)),
        lambda: lines_between(path, 0, 10),
        lambda: latest_events(path, ("log",)),
        lambda: read_epochs(path),
        lambda: mend(path),
    ):
        assert _peak(work) < size // 2
    found = last_event(path)
    assert isinstance(found, Log) and found.message == "after"
    assert [event.message for event in read_events(path) if isinstance(event, Log)] == ["before", "after"]
    assert [json.loads(line)["message"] for line in lines_between(path, 0, 10)[0]] == ["before", "after"]
    assert mend(path) == 2


def test_a_line_without_an_end_is_cut_off_as_any_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "run" / "events.jsonl"
    journal = Journal(path, "run", "default")
    journal.stamp(Log(level="info", message="whole"))
    journal.close()
    before = path.read_bytes()
    path.write_bytes(before + b"x" * 3 * 2**16)
    assert mend(path) == 1 and path.read_bytes() == before


def test_nothing_is_read_of_a_journal_that_no_run_could_have_written(tmp_path: Path) -> None:
    path = tmp_path / "run" / "events.jsonl"
    journal = Journal(path, "run", "default")
    journal.stamp(Log(level="info", message="a"))
    journal.close()
    os.truncate(path, MOST_JOURNAL_BYTES + 1)  # a hole: it takes no room
    assert list(read_events(path)) == [] and latest_events(path, ("log",)) == (0, [])


def test_the_last_word_is_found_over_the_ends_of_blocks(tmp_path: Path) -> None:
    """Read backwards in blocks, lines of any length come as they stand: the same as read forwards."""
    rng = random.Random(0)
    for number in range(60):
        path = tmp_path / f"{number}.jsonl"
        lengths = [rng.choice((0, 1, 50, 2**16 - 1, 2**16, 2**16 + 1, 200_000)) for _ in range(rng.randrange(6))]
        lines = [b'{"type":"log","seq":%d,"p":"%s"}' % (place + 1, b"a" * n) for place, n in enumerate(lengths)]
        path.write_bytes(b"".join(line + b"\n" for line in lines) + rng.choice((b"", b"{", b"x" * 70_000)))
        assert lines_between(path, 0, 100)[0] == [line.decode() for line in lines]


def test_epochs_of_a_journal_from_before_have_their_metrics_as_data_too(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    before = {
        "type": "training_update",
        "epoch": 1,
        "train_loss": 0.5,
        "val_auc_roc": None,
        "val_confusion_matrix": [[1]],
    }
    path.write_text(json.dumps(before, separators=(",", ":")) + "\n", encoding="utf-8")
    (found,) = read_epochs(path).values()
    assert found == {**before, "metrics": {"train_loss": 0.5, "val_auc_roc": None}}
