"""The journal: one append-only events.jsonl per run, from which the run can be replayed."""

import contextlib
import errno
import itertools
import json
import os
import re
from collections import deque
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import ValidationError

from breastai.domain.errors import DiskFull
from breastai.domain.event_messages import decode_event, encode_event
from breastai.domain.events import Event, ProgressUpdate
from breastai.domain.v3_events import collect_metrics, spread_metrics
from breastai.storage.private_files import open_own, open_private, private_folder
from breastai.storage.workspace import naming_full_disk

AnEvent = TypeVar("AnEvent", bound=Event)

# The type comes first in a line, so that of a long journal only what is looked for has to be read as an event.
_KIND = re.compile(rb'\{"type":"(\w+)"')
_SEQ = re.compile(rb'"seq":(\d{1,15})\b')
_BLOCK_BYTES = 2**16
# What a hostile or damaged file may cost: longer lines and longer journals are no run's, and are passed over.
MOST_LINE_BYTES = 4 * 2**20
MOST_JOURNAL_BYTES = 256 * 2**20
# The last word of a journal is looked for in its end alone: every page that connects asks.
_END_BYTES = 2 * MOST_LINE_BYTES
_MOST_TRIED = 100
_MOST_LINES = 1_000_000
_READ_BYTES = 2**20
# By the pattern, not line by line: a file can be all line breaks.
_LINE = re.compile(rb"^\{[^\n]*\n", re.MULTILINE)
# Progress takes numbers but is not kept, so after a kill nobody knows the last number a client saw. A resumed run
# leaves more numbers out than progress can have used: at twice a second, those of half a day within one epoch.
RESUME_GAP = 100_000
_MOST_WAITING = 10_000


class Journal:
    """Numbers the events of a run and appends them to its file; numbering goes on after a resume."""

    def __init__(self, path: Path, run_id: str, session_id: str, opened: bool = True) -> None:
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._run_id, self._session_id = run_id, session_id
        self._path, self._name = path, f"{path.parent.name}/{path.name}"
        self._file: IO[bytes] | None = None
        self._seq = 0
        if opened:
            self.open()

    def open(self) -> None:
        """Begin to write, unless it has; before, the run has left no trace on disk."""
        if self._file is not None:
            return
        with naming_full_disk(self._path):
            private_folder(self._path.parent)
            if last := mend(self._path):
                self._seq = max(self._seq, last + RESUME_GAP)
            self._file = open_private(self._path, "ab", buffering=0)

    def stamp(self, event: AnEvent) -> AnEvent:
        """Return the event with run, number and time, written down. Progress is numbered but not kept.

        Nor is anything before the journal is open. With the disk full it waits to be written: see `behind`.
        """
        self._seq += 1
        stamped = event.model_copy(
            update={
                "session_id": self._session_id,
                "run_id": self._run_id,
                "seq": self._seq,
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            }
        )
        if self._file is not None and not isinstance(event, ProgressUpdate):
            self._waiting.append(encode_event(stamped).encode() + b"\n")
            self.catch_up()
        return stamped

    @property
    def behind(self) -> bool:
        """Whether a full disk keeps events from being written; they wait in memory, in their order."""
        return bool(self._waiting)

    def catch_up(self) -> bool:
        """Write what waits; return whether nothing is left waiting."""
        while self._waiting:
            try:
                self._append(self._waiting[0])
            except DiskFull:
                return False
            self._waiting.popleft()
        return True

    def _append(self, line: bytes) -> None:
        assert self._file is not None, "nothing waits before the journal is open"
        start = os.fstat(self._file.fileno()).st_size  # not tell(): after a failed write that lies beyond the end
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(errno.ENOSPC, "short write")
        except OSError as error:
            self._file.truncate(start)  # a torn line would hide the next one
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(self._name) from None
            raise

    def sync(self) -> None:
        """Make what was written durable."""
        if self._file is not None:
            with naming_full_disk(Path(self._name)):
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Make what was written durable, and close. What a full disk still keeps from being written is lost."""
        if self._file is None or self._file.closed:
            return
        try:
            self.catch_up()
            with contextlib.suppress(DiskFull):
                self.sync()
        finally:
            self._file.close()


def mend(path: Path) -> int:
    """Cut off a last line that a crash left torn; return the number of the last event, 0 without any."""
    if not path.exists():
        return 0
    with open_private(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        whole = _end_of_lines(file, size)
        if whole != size:
            file.truncate(whole)
    last = 0
    for event in read_events(path):
        last = max(last, event.seq or 0)
    return last


def _end_of_lines(file: IO[bytes], size: int) -> int:
    """Return where the last whole line of a file ends, 0 without one."""
    place = size
    while place > 0:
        start = max(0, place - _BLOCK_BYTES)
        file.seek(start)
        found = file.read(place - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        place = start
    return 0


def journal_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a journal that begin as JSON does, with their line breaks; the last may lack it, torn by a crash.

    Lines longer than 4 MiB are passed over without being held, and what follows a million lines is not read; nothing
    comes of a file that is not there, or that has more than 256 MiB.
    """
    return itertools.islice(_lines(path), _MOST_LINES)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        file = open_own(path)
    except FileNotFoundError:
        return
    with file:
        if os.fstat(file.fileno()).st_size > MOST_JOURNAL_BYTES:
            return
        rest, too_long = b"", False
        while block := file.read(_READ_BYTES):
            whole, found, after = block.rpartition(b"\n")
            if not found:
                rest = b"" if too_long else rest + block
            else:
                if too_long:  # its end
                    whole, rest, too_long = whole.partition(b"\n")[2], b"", False
                for match in _LINE.finditer(rest + whole + found):
                    if len(match[0]) <= MOST_LINE_BYTES:
                        yield match[0]
                rest = after
            if len(rest) > MOST_LINE_BYTES:
                rest, too_long = b"", True
        if rest.startswith(b"{") and not too_long:
            yield rest


def read_events(path: Path, after_seq: int = 0) -> Iterator[Event]:
    """Yield the events in `path` whose number is above `after_seq`; lines that can't be read are passed over."""
    for line in journal_lines(path):
        try:
            event = decode_event(line)
        except (ValidationError, ValueError):
            continue
        if (event.seq or 0) > after_seq:
            yield event


def count_unread(path: Path) -> int:
    """Return how many whole lines of a journal this version can't read: of a later version, or damaged."""
    unread = 0
    for line in journal_lines(path):
        try:
            decode_event(line)
        except (ValidationError, ValueError):
            unread += line.endswith(b"\n")
    return unread


def last_event(path: Path) -> Event | None:
    """Return the last event in a journal that can be read, without reading the rest; None when there is none.

    It is looked for in the last 8 MiB, and in the last hundred lines that begin as JSON does.
    """
    for line in itertools.islice(_lines_backwards(path, most_bytes=_END_BYTES, torn=True), _MOST_TRIED):
        with contextlib.suppress(ValidationError, ValueError):
            return decode_event(line)
    return None


def lines_between(path: Path, after_seq: int, before_seq: int, most: int | None = None) -> tuple[list[str], bool]:
    """Return the lines whose numbers lie between the two, as they stand, and whether earlier ones were left out.

    Of more than `most` the latest; read from the end, so that a few lines of a long journal cost little. Torn or
    foreign lines are passed over.
    """
    found: deque[str] = deque()
    for line in itertools.islice(_lines_backwards(path), _MOST_LINES):
        number = _SEQ.search(line)
        if number is None or int(number[1]) >= before_seq:
            continue
        if int(number[1]) <= after_seq:
            break
        try:
            json.loads(line)
        except (ValueError, RecursionError):
            continue
        if most is not None and len(found) >= most:
            return list(found), True
        found.appendleft(line.decode(errors="replace"))
    return list(found), False


def _lines_backwards(path: Path, most_bytes: int = MOST_JOURNAL_BYTES, torn: bool = False) -> Iterator[bytes]:
    """Yield the whole lines in the last `most_bytes` of a file that begin as JSON does, the last one first.

    With `torn` what follows the last line break counts as a line too. Lines longer than 4 MiB are passed over; without
    a file there is none.
    """
    try:
        file = open_own(path)
    except FileNotFoundError:
        return
    with file:
        end = place = file.seek(0, os.SEEK_END)
        first = max(0, end - most_bytes)
        pieces: list[bytes] = []  # of the line whose beginning lies further up, in reverse
        held, whole = 0, torn
        while place > first:
            start = max(first, place - _BLOCK_BYTES)
            file.seek(start)
            block = file.read(place - start)
            place = start
            top, bottom = block.find(b"\n") + 1, block.rfind(b"\n") + 1
            if bottom:
                if whole and held + len(block) - bottom <= MOST_LINE_BYTES:
                    line = b"".join((block[bottom:], *reversed(pieces)))
                    if line.startswith(b"{"):
                        yield line
                yield from (line[:-1] for line in reversed(_LINE.findall(block, top, bottom)))
                pieces, held, whole = [], 0, True
            before = block[: top - 1] if bottom else block
            held += len(before)
            if held > MOST_LINE_BYTES:
                pieces = []
            else:
                pieces.append(before)
        line = b"".join(reversed(pieces))
        if whole and held <= MOST_LINE_BYTES and first == 0 and line.startswith(b"{"):
            yield line


def latest_events(path: Path, kinds: Collection[str]) -> tuple[int, list[Event]]:
    """Return the number of the last event, and the last event of each of `kinds` in order, reading no other as such."""
    lines: dict[str, bytes] = {}
    last = b""
    for line in journal_lines(path):
        kind = _KIND.match(line)
        if kind is None or not line.endswith(b"\n"):
            continue
        last = line
        if kind[1].decode() in kinds:
            lines[kind[1].decode()] = line
    found: list[Event] = []
    for line in lines.values():
        with contextlib.suppress(ValidationError, ValueError):
            found.append(decode_event(line))
    number = 0
    with contextlib.suppress(ValidationError, ValueError):
        number = decode_event(last).seq or 0
    return number, sorted(found, key=lambda event: event.seq or 0)


def read_epochs(path: Path) -> dict[int, dict[str, Any]]:
    """Return the training_update events by epoch, as plain values; an epoch that was run again is as it was last."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return {}
    return _read_epochs(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=4)
def _read_epochs(path: Path, size: int, modified: int) -> dict[int, dict[str, Any]]:
    """Read them; a long run is asked for page by page, and its journal need not be read for each."""
    found: dict[int, dict[str, Any]] = {}
    for line in journal_lines(path):
        kind = _KIND.match(line)
        if kind is None or kind[1] != b"training_update":
            continue
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            values = collect_metrics(json.loads(line))
            found[int(values["epoch"])] = spread_metrics(values)
    return dict(sorted(found.items()))
