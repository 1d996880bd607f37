"""Why a worker ended without saying so: crashed, killed, or out of memory, the last only on proof."""

import re
import signal
from pathlib import Path

from breastai.domain.errors import BreastAIError, OutOfMemory, WorkerCrashed, WorkerFaulted, WorkerKilled
from breastai.storage.control_groups import control_groups

_TAIL_BYTES = 16 * 1024
# What Python, the C++ library and torch print when an allocation fails.
_MEMORY_ERROR = re.compile(
    r"^(?:MemoryError\b.*|.*std::bad_alloc.*|.*DefaultCPUAllocator: .*memory.*|.*\bOutOfMemoryError\b.*|.*CUDA out of memory.*)$",
    re.MULTILINE,
)
# Signals that a program's own fault raises. Python's faulthandler writes where, in the worker's log.
_FAULTS = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS")
_WINDOWS_FAULTS = {
    0xC0000005: "access violation",
    0xC000001D: "illegal instruction",
    0xC0000409: "abort",
    0xC00000FD: "stack overflow",
}
_PLACE = re.compile(
    r'Current thread 0x[0-9a-f]+[^\n]*most recent call first\):\n\s*File "([^"\n]+)", line (\d+) in (\S+)'
)
_SIGKILL = 9  # Windows has no name for it
_WINDOWS_NO_MEMORY = (0xC0000017, 0xC000012D)


def classify_exit(exit_status: int, oom_kills: int, log_tail: str, log: str) -> BreastAIError:
    """Return what an exit without a terminal event means.

    `exit_status`: negative is the signal, as subprocess has it. `oom_kills`: how many processes of this control group
    the kernel killed for memory while the worker ran. `log_tail`: the end of what the worker wrote to stderr.
    """
    if exit_status == -_SIGKILL and oom_kills > 0:
        return OutOfMemory("the operating system ended the worker process to free memory")
    name = _signal_name(-exit_status) if exit_status < 0 else _WINDOWS_FAULTS.get(exit_status & 0xFFFFFFFF)
    if exit_status < 0 and name not in _FAULTS:
        return WorkerKilled(str(name))
    found = _MEMORY_ERROR.search(log_tail) if name in (None, "SIGABRT") else None
    if exit_status & 0xFFFFFFFF in _WINDOWS_NO_MEMORY or (exit_status != 0 and found):
        return OutOfMemory(found.group().strip()[:200] if found else "the system refused an allocation")
    if name is not None:
        return WorkerFaulted(name, _place(log_tail), log)
    return WorkerCrashed(exit_status, log)


def _place(log_tail: str) -> str:
    """Return the innermost Python line of the thread that crashed, from the last trace in the log."""
    found = None
    for found in _PLACE.finditer(log_tail):  # noqa: B007 - the last one counts
        pass
    if found is None:
        return "no place known"
    path = Path(found[1].replace("\\", "/"))
    return f"{'/'.join(path.parts[-2:])}, line {found[2]}, {found[3]}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def read_tail(path: Path, start: int) -> str:
    """Return the end of a log, no earlier than byte `start`; empty when there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(min(start, size), size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def count_oom_kills() -> int:
    """Return how many processes of this process's control group the kernel has killed for memory; 0 when unknown."""
    for path in _counter_files():
        try:
            content = path.read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        found = re.search(r"^oom_kill (\d+)$", content, re.MULTILINE)
        if found:
            return int(found.group(1))
    return 0


def _counter_files() -> list[Path]:
    """Return where the counter may be, of the innermost group first."""
    names = {1: "memory.oom_control", 2: "memory.events"}
    return [group.folder / names[group.version] for group in control_groups("memory")]
