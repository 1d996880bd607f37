"""The ledger of a watched folder: one line for each file, appended whole, so that each is answered once whatever is killed."""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from breastai.domain.errors import WatchInUse
from breastai.domain.watch_records import Attempt, LedgerLine, WatchedAnswer
from breastai.storage.private_files import open_private, private_folder, read_own
from breastai.storage.workspace import atomic_write, naming_full_disk

LEDGER = "ledger.jsonl"
ANSWERS = "answers"
MOST_ATTEMPTS = 5
_LOCK = "watch.lock"
_ATTEMPT = "attempt.json"
_FRAME = re.compile(r"#\d+$")
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


class WatchLedger:
    """What has been answered in a folder, held by one process at a time. `unread`: lines that could not be read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines, self.unread = read_ledger(folder)
        self._known = {(line.file, line.sha256) for line in self.lines}
        self._states = {_FRAME.sub("", line.file): (line.size_bytes, line.changed_ns) for line in self.lines}
        # What a kill left half answered has the lines of some of its frames only.
        if (begun := self._begun()) is not None:
            self._states.pop(begun.file, None)

    @classmethod
    @contextlib.contextmanager
    def hold(cls, folder: Path) -> Iterator["WatchLedger"]:
        """Yield the ledger of a folder, made where there is none; raise WatchInUse where another process holds it."""
        private_folder(folder)
        lock = FileLock(folder / _LOCK, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise WatchInUse(folder.as_posix()) from None
        try:
            _drop_torn_line(folder / LEDGER)
            yield cls(folder)
        finally:
            lock.release()

    def knows(self, file: str, sha256: str) -> bool:
        """Return whether a file, or a frame of it, of this content has its line."""
        return (file, sha256) in self._known

    def is_as_it_was(self, file: str, size_bytes: int, changed_ns: int) -> bool:
        """Return whether a file was answered in this state, without reading it."""
        return self._states.get(file) == (size_bytes, changed_ns)

    def attempt(self, file: str, sha256: str) -> int:
        """Note that a file is about to be read; return how often that was begun without an end, this time included."""
        before = self._begun()
        times = before.times + 1 if before is not None and (before.file, before.sha256) == (file, sha256) else 1
        attempt = Attempt(file=file, sha256=sha256, times=times)
        atomic_write(self.folder / _ATTEMPT, attempt.model_dump_json().encode())
        return times

    def _begun(self) -> Attempt | None:
        """Return what was begun and has no end yet."""
        with contextlib.suppress(OSError, ValidationError):
            return Attempt.model_validate_json(read_own(self.folder / _ATTEMPT))
        return None

    def write_answer(self, answer: WatchedAnswer) -> str:
        """Write an answer to a file of its own, the same each time; return its name below the folder."""
        file = answer.prediction.file
        number = hashlib.sha256(f"{file}\n{answer.sha256}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
        name = f"{ANSWERS}/{_ODD.sub('_', Path(file).name)[:80]}-{number}.json"
        atomic_write(self.folder / name, answer.model_dump_json(indent=1).encode())
        return name

    def append(self, line: LedgerLine) -> None:
        """Write a line, durably; its file is answered from now on."""
        path = self.folder / LEDGER
        with naming_full_disk(path), open_private(path, "ab", buffering=0) as ledger:
            ledger.write(line.model_dump_json(exclude_none=True).encode() + b"\n")
            os.fsync(ledger.fileno())
        self.lines.append(line)
        self._known.add((line.file, line.sha256))

    def finish(self, file: str, size_bytes: int, changed_ns: int) -> None:
        """Take a file, with all its frames, for answered in this state."""
        self._states[file] = (size_bytes, changed_ns)
        if (begun := self._begun()) is not None and begun.file == file:
            (self.folder / _ATTEMPT).unlink(missing_ok=True)


def read_ledger(folder: Path) -> tuple[list[LedgerLine], int]:
    """Return the lines of a folder's ledger, and how many could not be read; raise FormatTooNew."""
    path = folder / LEDGER
    if not path.exists():
        return [], 0
    lines, unread = [], 0
    for text in read_own(path).splitlines():
        try:
            lines.append(LedgerLine.model_validate_json(text).check_format(path.as_posix()))
        except ValidationError:
            unread += 1
    return lines, unread


def _drop_torn_line(path: Path) -> None:
    """Cut off a line that a kill or a full disk left unfinished; its file is answered again."""
    if not path.exists():
        return
    content = read_own(path)
    end = content.rfind(b"\n") + 1
    if end < len(content):
        os.truncate(path, end)
