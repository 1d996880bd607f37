"""Memory kept, and large pages asked for, in a process of its own: what malloc is told once holds for good."""

import subprocess
import sys

import pytest

from breastai.engine.acceleration import allocator

_PROBE = """
import resource, sys
from breastai.engine.acceleration.allocator import _heap, keep_freed_memory
if len(sys.argv) > 1:
    resource.setrlimit(resource.RLIMIT_AS, (2**34, 2**34))
kept = keep_freed_memory()
start, end = _heap()
flags = ""
inside = False
for line in open("/proc/self/smaps"):
    first = line.split()[0]
    if "-" in first and not first.endswith(":"):
        inside = line.rstrip().endswith("[heap]")
    elif inside and line.startswith("VmFlags:"):
        flags += line
print(kept, end - start > 2**30, " hg" in flags)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux and the GNU C library alone")
@pytest.mark.parametrize("limited", [False, True])
def test_the_heap_comes_in_large_pages_unless_addresses_are_limited(limited: bool) -> None:
    asked = [sys.executable, "-c", _PROBE, *(["limited"] if limited else [])]
    finished = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
    kept, reserved, large = finished.stdout.split()
    given = "[madvise]" in allocator._PAGES.read_text()
    assert kept == "True"
    assert (reserved, large) == (str(given and not limited), str(given and not limited))
