"""With the packaged weights nothing asks the network for anything."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

# Runs first in every Python process: a file is told each address that a socket connects to, sends to, or looks up.
WATCH = """
import os, sys
_log = os.open(os.environ["BREASTAI_TEST_WATCH"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def _hook(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"):
        at = arguments[0] if event.startswith("socket.get") else arguments[1]
        os.write(_log, f"{event} {at!r}\\n".encode())
sys.addaudithook(_hook)
"""


@pytest.fixture
def watched(tmp_path: Path) -> dict[str, str]:
    """The environment of processes whose sockets are watched, also those they start."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    paths = [str(tmp_path / "watch"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "HF_HOME": str(tmp_path / "hub"),
        "PYTHONPATH": os.pathsep.join(paths),
        "BREASTAI_TEST_WATCH": str(tmp_path / "seen"),
    }


def seen(environment: dict[str, str]) -> list[str]:
    path = Path(environment["BREASTAI_TEST_WATCH"])
    return path.read_text().splitlines() if path.exists() else []


def test_the_watch_sees_a_connection_that_is_tried(watched: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        program = f"import socket; socket.create_connection(('127.0.0.1', {port})).close()"
        subprocess.run([sys.executable, "-c", program], env=watched, check=True, timeout=60)
    assert any(f"socket.connect ('127.0.0.1', {port})" in line for line in seen(watched))


def test_training_with_the_packaged_weights_opens_no_connection(tmp_path: Path, watched: dict[str, str]) -> None:
    pytest.importorskip("torch")
    program = [sys.executable, "-m", "breastai"]

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*program, *arguments], env=watched, cwd=tmp_path, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("sample-data", "data", "--per-class", "12")
    small = [f"--set={key}" for key in ("data.image_size=32", "training.epochs=1", "system.autotune=false")]
    events = run("train", "--data", "data", "--preset", "quick", *small, "--json").splitlines()
    kinds = [json.loads(line)["type"] for line in events]
    assert kinds[-1] == "training_complete"
    assert '"package"' in next(line for line in events if '"model_loaded"' in line)
    assert seen(watched) == []
