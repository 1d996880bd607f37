"""The C library's memory: kept for the next step instead of handed back and cleared anew."""

import ctypes
import sys

# From malloc.h of the GNU C library.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_TOP_PAD_BYTES = 64 * 2**20


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
    wishes = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: _TOP_PAD_BYTES}
    taken = [library.mallopt(option, value) for option, value in wishes.items()]
    return all(taken)
