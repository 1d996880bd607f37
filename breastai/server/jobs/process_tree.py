"""A process and everything it starts: how it is begun so that it can be ended whole, on every system."""

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any

import psutil


def spawn_options() -> dict[str, Any]:
    """Return the arguments for subprocess creation that make the child the head of a group of its own.

    Signals from the terminal (Ctrl+C) then reach the server alone, which asks the worker to save.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def ask_for_trace(pid: int) -> bool:
    """Ask a worker to write where it stands to its log; return whether this system has a way to."""
    if sys.platform == "win32":
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGUSR1)
        return True
    return False


def kill_group(pid: int, started: float) -> None:
    """Kill the group that `pid` heads, also when `pid` itself is gone. `started`: its start, seconds since 1970."""
    if sys.platform == "win32":
        for process in descendants(pid, started):
            with contextlib.suppress(psutil.Error):
                process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def descendants(pid: int, started: float) -> list[psutil.Process]:
    """Return the process `pid` and all it started, by the parents each process names.

    Windows keeps a process's parent id when the parent is gone, so loaders that outlive their worker are found; a
    process older than `started` only happens to name a reused id.
    """
    children: dict[int, list[psutil.Process]] = {}
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["ppid", "create_time"]):
        if (process.info["create_time"] or 0.0) < started - 1:
            continue
        children.setdefault(process.info["ppid"], []).append(process)
        if process.pid == pid:
            found.append(process)
    pending = [pid]
    while pending:
        for child in children.pop(pending.pop(), []):
            found.append(child)
            pending.append(child.pid)
    return found
