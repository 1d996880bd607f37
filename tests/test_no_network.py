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

    run("sample-data", "data", "--per-class", "6")
    small = [f"--set={key}" for key in ("data.image_size=32", "training.epochs=1", "system.autotune=false")]
    events = run("train", "--data", "data", "--preset", "quick", *small, "--json").splitlines()
    kinds = [json.loads(line)["type"] for line in events]
    assert kinds[-1] == "training_complete"
    assert '"package"' in next(line for line in events if '"model_loaded"' in line)
    assert seen(watched) == []


# What Python's audit hooks can't see: ONNX Runtime asks for its makers' server in a native thread. Before it does, it
# makes itself a store in the user's cache, which is how a test without strace can tell.
MODEL = """
import onnx, onnxruntime
from onnx import TensorProto, helper
values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
"""


def telemetry_of(program: str, tmp_path: Path, name: str) -> list[str]:
    """Run a program and return the files that it left in the user's cache."""
    cache = tmp_path / name
    cache.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    environment |= {"XDG_CACHE_HOME": str(cache), "LOCALAPPDATA": str(cache), "HOME": str(cache)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=120)
    return [path.name for path in cache.rglob("*") if path.is_file() and "onnxruntime" in path.as_posix()]


def test_onnx_runtime_tells_nobody_anything(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    if not telemetry_of(MODEL, tmp_path, "alone"):
        pytest.skip("this ONNX Runtime keeps no store of what it would tell")
    assert telemetry_of("import breastai\n" + MODEL, tmp_path, "with us") == []


def test_whatever_imports_onnx_runtime_switches_its_telemetry_off_before(project_root: Path) -> None:
    import breastai  # noqa: F401

    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"  # breastai/__init__.py comes before every module of ours
    outside = [*(project_root / "examples").rglob("*.py"), *(project_root / "benchmarks").rglob("*.py")]
    for path in outside:
        text = path.read_text(encoding="utf-8")
        before, imports, _ = text.partition("import onnxruntime")
        assert not imports or "ORT_DISABLE_TELEMETRY" in before or "breastai" in before, path
