"""The journal: one append-only events.jsonl per run, from which the run can be replayed."""

import contextlib
import errno
import json
import os
import re
from collections import deque
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from breastai.domain.errors import DiskFull
from breastai.domain.events import Event, ProgressUpdate
from breastai.domain.messages import decode_event, encode_event
from breastai.storage.private_files import open_private, private_folder
from breastai.storage.workspace import naming_full_disk

AnEvent = TypeVar("AnEvent", bound=Event)

# The type comes first in a line, so that of a long journal only what is looked for has to be read as an event.
_KIND = re.compile(rb'\{"type":"(\w+)"')
_SEQ = re.compile(rb'"seq":(\d+)')
_BLOCK_BYTES = 2**16
# Progress takes numbers but is not kept, so after a kill nobody knows the last number a client saw. A resumed run
# leaves more numbers out than progress can have used: at twice a second, those of half a day within one epoch.
RESUME_GAP = 100_000
_MOST_WAITING = 10_000


class Journal:
    """Numbers the events of a run and appends them to its file; numbering goes on after a resume."""

    def __init__(self, path: Path, run_id: str, session_id: str) -> None:
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._run_id, self._session_id = run_id, session_id
        self._name = f"{path.parent.name}/{path.name}"
        with naming_full_disk(path):
            private_folder(path.parent)
            self._seq = mend(path)
            if self._seq:
                self._seq += RESUME_GAP
            self._file = open_private(path, "ab", buffering=0)

    def stamp(self, event: AnEvent) -> AnEvent:
        """Return the event with run, number and time, written down. Progress is numbered but not kept.

        With the disk full it waits to be written: see `behind`.
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
        if not isinstance(event, ProgressUpdate):
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
        with naming_full_disk(Path(self._name)):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Make what was written durable, and close. What a full disk still keeps from being written is lost."""
        if self._file.closed:
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
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    last = 0
    for event in read_events(path):
        last = max(last, event.seq or 0)
    return last


def read_events(path: Path, after_seq: int = 0) -> Iterator[Event]:
    """Yield the events in `path` whose number is above `after_seq`; lines that can't be read are passed over."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                event = decode_event(line)
            except (ValidationError, ValueError):
                continue
            if (event.seq or 0) > after_seq:
                yield event


def lines_between(path: Path, after_seq: int, before_seq: int, most: int | None = None) -> tuple[list[str], bool]:
    """Return the lines whose numbers lie between the two, as they stand, and whether earlier ones were left out.

    Of more than `most` the latest; read from the end, so that a few lines of a long journal cost little. Torn or
    foreign lines are passed over.
    """
    found: deque[str] = deque()
    for line in _lines_backwards(path):
        number = _SEQ.search(line)
        if number is None or int(number[1]) >= before_seq:
            continue
        if int(number[1]) <= after_seq:
            break
        try:
            json.loads(line)
        except ValueError:
            continue
        if most is not None and len(found) >= most:
            return list(found), True
        found.appendleft(line.decode(errors="replace"))
    return list(found), False


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a file, the last one first; nothing when there is no file."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        place = file.seek(0, os.SEEK_END)
        rest, whole = b"", False
        while place > 0:
            start = max(0, place - _BLOCK_BYTES)
            file.seek(start)
            rest, *lines = (file.read(place - start) + rest).split(b"\n")
            place = start
            # What follows the last line break is no whole line.
            yield from reversed(lines if whole else lines[:-1])
            whole = whole or bool(lines)
        if whole:
            yield rest


def latest_events(path: Path, kinds: Collection[str]) -> tuple[int, list[Event]]:
    """Return the number of the last event, and the last event of each of `kinds` in order, reading no other as such."""
    lines: dict[str, bytes] = {}
    last = b""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
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
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            kind = _KIND.match(line)
            if kind is None or kind[1] != b"training_update":
                continue
            with contextlib.suppress(ValueError, KeyError):
                values = json.loads(line)
                found[int(values["epoch"])] = values
    return dict(sorted(found.items()))
