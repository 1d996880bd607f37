"""A run killed -9 at random moments comes to the weights of one that was not; benchmarks/kill_anywhere.py does it 100 times."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra train")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks its workers")
def test_a_run_killed_anywhere_comes_to_the_same_weights_bit_for_bit(project_root: Path, tmp_path: Path) -> None:
    script = project_root / "benchmarks" / "kill_anywhere.py"
    command = [sys.executable, str(script), "3", "--what", "worker", "--seed", "2", "--keep", str(tmp_path / "place")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "worker: 3 kills" in done.stdout and " 0 faults" in done.stdout
