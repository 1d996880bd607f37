"""Who holds a run: what the holder of run.lock leaves for others to see, and seeing it without taking any lock.

On Linux the holder puts a lock of the open file description (fcntl(2), F_OFD_SETLK) on run.lock beside the one that
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
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from breastai.storage.private_files import open_private

LOCK = "run.lock"
HOLDER = "run.holder.json"
# struct flock of 64-bit Linux: type, whence, start, length (0: to the end), process.
_FLOCK = "hhqqi4x"


class Holder(BaseModel):
    """The process that holds a run. `started`: seconds since the epoch, as the system tells it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    host: str
    pid: int
    started: float


@contextlib.contextmanager
def shown_as_held(folder: Path) -> Iterator[None]:
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


def is_held(folder: Path) -> bool:
    """Return whether a process holds the run of `folder`. Takes no lock and writes nothing."""
    try:
        return _is_described(folder / LOCK)
    except FileNotFoundError:
        return False
    except OSError:  # this system, or this file system, can't say
        return _is_recorded(folder / HOLDER)


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


def _is_recorded(record: Path) -> bool:
    """Return whether the process that a record names is alive. One of another machine is believed to be."""
    try:
        holder = Holder.model_validate_json(record.read_bytes())
    except (OSError, ValidationError, ValueError):
        return False  # none, or torn by a power failure
    if holder.host != socket.gethostname():
        return True
    try:
        return bool(abs(psutil.Process(holder.pid).create_time() - holder.started) < 1.0)
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False
