"""The lease of a run or study: one process holds it, everyone may see who, and seeing takes no lock.

Whoever writes to a run (training, resuming, deleting, restoring, dismissing) takes its lease; whoever only reads (lists,
backups, reports) asks for the holder. On Linux the holder puts a lock of the open file description (fcntl(2), F_OFD_SETLK) on run.lock beside the one that
keeps others out, and F_OFD_GETLK asks for it: the kernel answers, nothing is taken, and a holder that was killed is gone
at once, also in another container or over NFS. Elsewhere, and where a file system knows no such locks, a record beside
names the holding process by number and start, so that a number that was given out again is nobody's.
"""

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout
from pydantic import ValidationError

from breastai.domain.errors import RunLocked, WorkspaceInUse
from breastai.domain.stored import StoredDocument
from breastai.storage.private_files import open_private, private_folder
from breastai.storage.workspace import Workspace, naming_full_disk

# How long taking waits for the holder before: one that is killed is gone at once, one that ends closes its files first.
WAIT_S = 2.0
LOCK = "run.lock"
HOLDER = "run.holder.json"
# struct flock of 64-bit Linux: type, whence, start, length (0: to the end), process.
_FLOCK = "hhqqi4x"


class Holder(StoredDocument):
    """The process that holds a run. `started`: seconds since the epoch, as the system tells it."""

    host: str
    pid: int
    started: float


SERVER_LOCK = "server.lock"
SERVER_HOLDER = "server.holder.json"

# A holder of whom nothing is known but that it holds.
UNKNOWN = Holder(host="", pid=0, started=0.0)


@dataclass(frozen=True)
class Lease:
    """The leases of a workspace's runs and studies; a study's is that of its own folder."""

    workspace: Workspace

    @contextlib.contextmanager
    def take(self, run_id: str, wait_s: float | None = None) -> Iterator[None]:
        """Hold a run for this process alone while the block runs; a crash lets go of it too.

        Waits for a holder that is about to end, `wait_s` or else WAIT_S; then raises RunLocked.
        """
        folder = self.workspace.run_dir(run_id)
        lock = FileLock(folder / LOCK, mode=0o600)
        try:
            with naming_full_disk(folder / LOCK):
                private_folder(folder)
                lock.acquire(timeout=WAIT_S if wait_s is None else wait_s)
        except Timeout:
            raise RunLocked(run_id) from None
        try:
            with _shown_as_held(folder):
                yield
        finally:
            lock.release()

    def holder(self, run_id: str) -> Holder | None:
        """Return who holds a run, None when nobody does. Takes no lock, waits for nobody and writes nothing."""
        folder = self.workspace.run_dir(run_id)
        record = _read_record(folder / HOLDER)
        try:
            is_held = _is_described(folder / LOCK)
        except FileNotFoundError:
            return None
        except OSError:  # this system, or this file system, can't say
            return record if record is not None and _is_alive(record) else None
        return (record or UNKNOWN) if is_held else None


@dataclass(frozen=True)
class ServerLease:
    """Which server serves a workspace: two would each begin the jobs that wait, and train side by side without a word."""

    workspace: Workspace

    @contextlib.contextmanager
    def take(self, wait_s: float | None = None) -> Iterator[None]:
        """Hold the workspace for the server of this process while the block runs; raise WorkspaceInUse."""
        folder = self.workspace.logs_dir
        lock = FileLock(folder / SERVER_LOCK, mode=0o600)
        try:
            with naming_full_disk(folder / SERVER_LOCK):
                lock.acquire(timeout=WAIT_S if wait_s is None else wait_s)
        except Timeout:
            holder = _read_record(folder / SERVER_HOLDER) or UNKNOWN
            raise WorkspaceInUse(str(self.workspace.root), holder.host, holder.pid) from None
        try:
            with contextlib.suppress(OSError), open_private(folder / SERVER_HOLDER, "w", encoding="utf-8") as file:
                file.write(_this_process().model_dump_json() + "\n")
            yield
        finally:
            with contextlib.suppress(OSError):
                (folder / SERVER_HOLDER).unlink(missing_ok=True)
            lock.release()


@contextlib.contextmanager
def _shown_as_held(folder: Path) -> Iterator[None]:
    """Let others see that this process holds the run of `folder`, whose run.lock it has; until the block ends.

    What can't be written, as on a full disk, keeps nobody from working.
    """
    record = folder / HOLDER
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            held.enter_context(_description_lock(folder / LOCK))
        with contextlib.suppress(OSError), open_private(record, "w", encoding="utf-8") as file:
            file.write(_this_process().model_dump_json() + "\n")
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                record.unlink(missing_ok=True)


# --- by the kernel -------------------------------------------------------------------------------


@contextlib.contextmanager
def _description_lock(lock: Path) -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    import fcntl

    descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        # On NFS the lock that keeps others out is one of this kind already, and answers for it.
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        yield
    finally:
        os.close(descriptor)


def _is_described(lock: Path) -> bool:
    """Ask the kernel; raise OSError where it can't say, FileNotFoundError where nobody ever held the run."""
    descriptor = os.open(lock, os.O_RDONLY)
    try:
        if sys.platform != "linux":
            raise OSError("this system has no locks of open file descriptions")
        import fcntl

        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        found: tuple[Any, ...] = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))
        return bool(found[0] != fcntl.F_UNLCK)
    finally:
        os.close(descriptor)


# --- by a record ---------------------------------------------------------------------------------


def _this_process() -> Holder:
    return Holder(host=socket.gethostname(), pid=os.getpid(), started=psutil.Process().create_time())


def _read_record(record: Path) -> Holder | None:
    try:
        return Holder.model_validate_json(record.read_bytes())
    except (OSError, ValidationError, ValueError):
        return None  # none, or torn by a power failure


def _is_alive(holder: Holder) -> bool:
    """Return whether the process that a record names is alive. One of another machine is believed to be."""
    if holder.host != socket.gethostname():
        return True
    try:
        return bool(abs(psutil.Process(holder.pid).create_time() - holder.started) < 1.0)
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False
