"""The C library's memory: kept for the next step instead of handed back and cleared anew, and in large pages."""

import ctypes
import functools
import sys
from contextlib import suppress
from pathlib import Path

# From malloc.h of the GNU C library, and mman.h of Linux.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_MADV_HUGEPAGE = 14
_TOP_PAD_BYTES = 64 * 2**20
_MOST_KEPT_BYTES = 2**31 - 1  # of what mallopt can be told
_AHEAD_BYTES = _MOST_KEPT_BYTES - 2 * _TOP_PAD_BYTES
_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@functools.cache
def keep_freed_memory() -> bool:
    """Make malloc keep what is freed; return whether this C library could be told so.

    A training step frees and asks for hundreds of megabytes; by default each large piece goes back to the system,
    which clears every page of it before it is used again.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    wishes = {_MMAP_MAX: 0, _TRIM_THRESHOLD: _MOST_KEPT_BYTES, _TOP_PAD: _TOP_PAD_BYTES}
    taken = [library.mallopt(option, value) for option, value in wishes.items()]
    if all(taken) and not _addresses_are_limited():
        with suppress(OSError, ValueError):
            _use_large_pages(library)
    return all(taken)


def _addresses_are_limited() -> bool:
    import resource

    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def _use_large_pages(library: ctypes.CDLL) -> None:
    """Have what malloc will hand out come in pages of 2 MiB, where the system gives them to those who ask.

    A step reads and writes activation maps of tens of megabytes: with pages of 4 KiB a tenth of its time goes to
    finding them. The heap is first made as large as it may become, in addresses alone; memory is taken when touched.
    """
    if "[madvise]" not in _PAGES.read_text():
        return
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]
    library.free(library.malloc(_AHEAD_BYTES))
    start, end = _heap()
    library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_HUGEPAGE)


def _heap() -> tuple[int, int]:
    """Return where malloc's own memory begins and ends; raise ValueError when it has none."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith("[heap]"):
            start, _, end = line.split(maxsplit=1)[0].partition("-")
            return int(start, 16), int(end, 16)
    raise ValueError("no heap")
