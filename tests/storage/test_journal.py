"""The journal of a run."""

import errno
from pathlib import Path

import pytest

from breastai.domain.events import Log, ProgressUpdate
from breastai.storage.journal import Journal, read_events


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
