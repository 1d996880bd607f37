"""A process and all it started."""

import subprocess
import sys
import time

import psutil

from breastai.server.jobs.process_tree import descendants, kill_group, spawn_options

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


def family() -> tuple[subprocess.Popen[str], psutil.Process]:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **spawn_options()
    )
    return parent, psutil.Process(int(parent.stdout.readline()))


def test_killing_the_group_ends_child_and_grandchild():
    started = time.time()
    parent, child = family()
    with parent:
        kill_group(parent.pid, started)
        assert parent.wait(10) != 0
        gone, _ = psutil.wait_procs([child], 10)
        assert gone
    kill_group(parent.pid, started)  # again does no harm


def test_descendants_are_found_by_their_parents():
    started = time.time()
    parent, child = family()
    with parent:
        assert {process.pid for process in descendants(parent.pid, started)} == {parent.pid, child.pid}
        # Older processes only happen to have the number.
        assert descendants(parent.pid, time.time() + 3600) == []
        kill_group(parent.pid, started)
