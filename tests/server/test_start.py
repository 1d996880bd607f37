"""The server as a process: what it imports, how it begins and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest
from websockets.sync.client import connect

HEAVY = ("torch", "numpy", "cv2", "onnxruntime", "typer", "rich", "PIL", "scipy", "sklearn")


def start(workspace, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "breastai.server", "--workspace", str(workspace.root), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def port_of(server: subprocess.Popen[str]) -> int:
    line = server.stdout.readline()
    assert "http://localhost:" in line, server.stderr.read()
    return int(line.split("http://localhost:")[1].split("/")[0])


@pytest.mark.parametrize("module", ["breastai.server.app", "breastai.server.__main__"])
def test_importing_the_server_imports_nothing_heavy(module):
    program = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"


def test_a_taken_port_ends_with_status_2_and_says_what_to_do(workspace):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = start(workspace, "--port", str(listener.getsockname()[1]))
        with server:
            _, error = server.communicate(timeout=60)
    assert server.returncode == 2
    assert "--port" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_ends_with_status_2(workspace, port):
    with start(workspace, "--port", port) as server:
        server.communicate(timeout=60)
    assert server.returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent on POSIX only")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_connections_and_ends_with_status_0(workspace, number):
    with start(workspace, "--port", "0") as server:
        with connect(f"ws://localhost:{port_of(server)}") as client:
            assert json.loads(client.recv(timeout=30))["type"] == "connection_established"
            server.send_signal(number)
            assert server.wait(30) == 0
        assert server.stderr.read() == ""


# A server whose worker is the puppet, in a process of its own that can be killed.
SERVER = """
import asyncio, sys
from breastai.server.app import Options, run_until_signal
from breastai.storage.workspace import Workspace
options = Options(workspace=Workspace.open(sys.argv[1]), port=0, worker_command=(sys.executable, *sys.argv[2:]))
asyncio.run(run_until_signal(options, lambda server: print(server.page_url, flush=True)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_when_the_server_is_killed_the_workers_input_ends_and_it_lives_on_to_save(workspace, project_root):
    puppet = str(project_root / "tests" / "server" / "puppet_worker.py")
    with socket.create_server(("127.0.0.1", 0)) as strings:
        strings.settimeout(30)
        command = [sys.executable, "-c", SERVER, str(workspace.root), puppet, str(strings.getsockname()[1])]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
            connect(f"ws://localhost:{port_of(server)}") as client,
        ):
            client.send('{"type": "start_training"}')
            worker, _ = strings.accept()
            with worker, worker.makefile("rwb") as lines:
                process = psutil.Process(json.loads(lines.readline())["pid"])
                assert json.loads(lines.readline())["stdin"]["kind"] == "train"
                os.kill(server.pid, signal.SIGKILL)
                assert json.loads(lines.readline()) == {"stdin": None}
                assert process.is_running()
                # It may still complain: its log is a file of its own.
                lines.write(b'{"complain": "saved"}\n{"exit": 0}\n')
                lines.flush()
                psutil.wait_procs([process], 30)
    [log] = workspace.logs_dir.glob("*/worker.log")
    assert "saved" in log.read_text()
