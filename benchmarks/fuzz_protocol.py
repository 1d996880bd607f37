"""What hostile clients cost a well-behaved one, and what they leave behind in the server.

    python benchmarks/fuzz_protocol.py --messages 10000 --half-open 200 --slow 20

A server in a process of its own runs a job (a training of `--data`, or a worker that tells of an epoch every tenth of a
second). Meanwhile: malformed, oversized, truncated and made-up messages over many connections that come and go,
openings that are never finished, clients that ask and never read. One client pings throughout. Prints one JSON object:
the pings before, during and after, and the server's memory, open files, threads and connections before and after.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

# A worker that tells of epochs until it is stopped: what the server does with them is the same as for a training.
WORKER = """
import json, select, sys
job = json.loads(sys.stdin.readline())
def say(**values):
    values |= {"session_id": job["session_id"], "run_id": job["run_id"]}
    print(json.dumps(values), flush=True)
say(type="training_started", seq=1, architecture="resnet50", epochs=10000, class_names=["benign", "malignant"], config={})
number = 0
while not select.select([sys.stdin], [], [], 0.1)[0]:
    number += 1
    say(type="log", seq=number + 1, level="info", message=f"epoch {number}")
say(type="training_stopped", seq=number + 2, reason="user")
"""
SERVER = """
import asyncio, sys
from breastai.server.app import Options, run_until_signal
from breastai.storage.workspace import Workspace
workspace, data, *worker = sys.argv[1:]
options = Options(workspace=Workspace.open(workspace), port=0, data_roots=[data] if data else [])
if worker:
    options = Options(workspace=options.workspace, port=0, worker_command=worker)
asyncio.run(run_until_signal(options, lambda server: print(server.port, flush=True)))
"""
KINDS = ("ping", "get_history", "load_checkpoint", "save_config", "audit_data", "no_such_request", "")


def hostile_message(chance: random.Random) -> str | bytes:
    """Return a message that is malformed, truncated, oversized or of the wrong kind."""
    values: Any = {
        "type": chance.choice(KINDS),
        chance.choice(("session_id", "run_id", "checkpoint", "data", "x")): chance.choice(
            (None, -1, 1e308, "../..", "\0", "\ud800", [], {}, {"a": {"b": []}}, "x" * chance.randrange(2000))
        ),
    }
    text = json.dumps(values)
    return chance.choice(
        (
            text,
            text[: chance.randrange(len(text))],
            text.replace('"', "'"),
            "[" * chance.randrange(1, 50_000),
            "{" + ",".join(f'"{number}": 1' for number in range(chance.randrange(2000))) + "}",
            chance.randbytes(chance.randrange(200)),
            "9" * chance.randrange(1, 6000),
            "",
        )
    )


async def fuzz(url: str, messages: int, seed: int) -> Counter[str]:
    """Send `messages`, over a connection that is dropped in various ways and made anew; count what came back."""
    chance, seen = random.Random(seed), Counter[str]()
    left = messages
    while left:
        try:
            async with connect(url, max_size=None) as client:
                for _ in range(min(left, chance.randrange(1, 200))):
                    left -= 1
                    if chance.random() < 0.002:
                        await client.send("x" * (2**20 + 1))  # closes the connection
                        seen["oversized"] += 1
                        break
                    await client.send(hostile_message(chance))
                    async with asyncio.timeout(60):
                        while True:
                            event = json.loads(await client.recv())
                            if event["type"] not in ("connection_established", "status", "log", "training_started"):
                                break
                    seen[event["type"]] += 1
                if chance.random() < 0.3:
                    client.transport.write(chance.randbytes(40))  # frames that break the protocol
                if chance.random() < 0.3:
                    client.transport.abort()
        except (WebSocketException, OSError, TimeoutError) as error:
            seen[type(error).__name__] += 1
    return seen


async def half_open(port: int, count: int, done: asyncio.Event) -> int:
    """Keep `count` connections that never finish their opening, made anew when they are ended; return how many were."""
    made = 0

    async def one(number: int) -> None:
        nonlocal made
        while not done.is_set():
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                made += 1
                writer.write((b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01")[number % 3])
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(20):
                        while not done.is_set() and not reader.at_eof():
                            with contextlib.suppress(TimeoutError):
                                async with asyncio.timeout(0.5):
                                    await reader.read(100)
                writer.transport.abort()
            await asyncio.sleep(0.2)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))
    return made


async def never_read(port: int, done: asyncio.Event) -> int:
    """Ask for the configuration and read nothing, again and again; return how often the connection was ended."""
    ended = 0
    loop = asyncio.get_running_loop()
    question = b'{"type": "get_config"}'
    frame = bytes([0x81, 0x80 | len(question), 0, 0, 0, 0]) + question
    while not done.is_set():
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        opening = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        opening += "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        try:
            await loop.sock_sendall(raw, opening.encode())
            while not done.is_set():
                async with asyncio.timeout(1):
                    await loop.sock_sendall(raw, frame)
                await asyncio.sleep(0.001)
        except OSError as error:
            ended += not isinstance(error, TimeoutError)
        finally:
            raw.close()
    return ended


class Pinging:
    """A well-behaved client in a process of its own, so that what is measured is the server and not the attack."""

    def __init__(self, url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._done, self._begun, self._answers = context.Event(), context.Event(), context.Queue()
        arguments = (url, self._done, self._begun, self._answers)
        self._process = context.Process(target=_ping, args=arguments, daemon=True)
        self._process.start()

    async def begun(self) -> "Pinging":
        await asyncio.to_thread(self._begun.wait, 120)
        return self

    async def end(self) -> list[float]:
        """Return the milliseconds each ping took."""
        self._done.set()
        took: list[float] = await asyncio.to_thread(self._answers.get, True, 120)
        return took


def _ping(url: str, done: Any, begun: Any, answers: Any) -> None:
    answers.put(asyncio.run(_ping_until(url, done, begun)))


async def _ping_until(url: str, done: Any, begun: Any, every_s: float = 0.02) -> list[float]:
    took: list[float] = []
    async with connect(url, max_size=None) as client:
        begun.set()
        while not done.is_set():
            began = time.perf_counter()
            await client.send('{"type": "ping", "request_id": 1}')
            while '"pong"' not in str(await client.recv())[:20]:
                pass
            took.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(every_s)
    return took


def quantiles(took: list[float]) -> dict[str, float]:
    ordered = sorted(took)
    at = {share: ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.99, 0.999)}
    return {
        "pings": len(took),
        **{f"p{100 * share:g}": round(ms, 2) for share, ms in at.items()},
        "max": round(ordered[-1], 2),
    }


def weighed(process: psutil.Process) -> dict[str, float]:
    """Return what the server holds."""
    return {
        "rss_mib": round(process.memory_info().rss / 2**20, 1),
        "open_files": process.num_fds() if os.name != "nt" else process.num_handles(),
        "threads": process.num_threads(),
        "connections": len(process.net_connections()),
    }


async def start_server(workspace: str, data: str | None) -> tuple[Process, int]:
    worker = [] if data else [sys.executable, "-c", WORKER]
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, workspace, data or "", *worker, stdout=PIPE
    )
    assert server.stdout is not None
    return server, int(await server.stdout.readline())


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    data: str | None = arguments.data
    with tempfile.TemporaryDirectory() as workspace:
        server, port = await start_server(workspace, data)
        try:
            return await attack(arguments, data, port, psutil.Process(server.pid), Path(workspace))
        finally:
            server.terminate()
            await server.wait()


async def attack(
    arguments: argparse.Namespace, data: str | None, port: int, process: psutil.Process, workspace: Path
) -> dict[str, Any]:
    url = f"ws://127.0.0.1:{port}"
    async with connect(url, max_size=None) as owner:
        config = {"data_path": data, "data": {"on_leak": "group"}} if data else {}
        await owner.send(json.dumps({"type": "start_training", "preset": "quick", "config": config}))
        event: dict[str, Any] = {}
        while event.get("type") != "training_started":
            event = json.loads(await owner.recv())
            assert event["type"] != "error", event
    quiet = await pings_for(url, arguments.quiet_s)
    # Once over all, so that what is made once (caches, threads) is there before it is weighed.
    await fuzz(url, 200, seed=0)
    await asyncio.sleep(2)
    before, cpu_before, began = weighed(process), sum(process.cpu_times()[:2]), time.perf_counter()
    done = asyncio.Event()
    pinging = await Pinging(url).begun()
    openings = asyncio.create_task(half_open(port, arguments.half_open, done))
    deaf = [asyncio.create_task(never_read(port, done)) for _ in range(arguments.slow)]
    each = arguments.messages // arguments.connections
    fuzzers = [fuzz(url, each, seed) for seed in range(1, arguments.connections + 1)]
    seen = sum(await asyncio.gather(*fuzzers), Counter[str]())
    seconds = time.perf_counter() - began
    cpu = sum(process.cpu_times()[:2]) - cpu_before
    at_its_worst = weighed(process)
    done.set()
    during, made, ended = await pinging.end(), await openings, sum(await asyncio.gather(*deaf))
    await asyncio.sleep(arguments.settle_s)
    after_pings = await pings_for(url, arguments.quiet_s)
    after = weighed(process)
    async with connect(url, max_size=None) as client:
        snapshot = json.loads(await client.recv())["snapshot"]
    return {
        "messages": each * arguments.connections,
        "answered": dict(seen.most_common()),
        "seconds": round(seconds, 1),
        "server_cpu_share": round(cpu / seconds, 3),
        "half_open_made": made,
        "deaf_clients_ended": ended,
        "ping_ms_before": quantiles(quiet),
        "ping_ms_during": quantiles(during),
        "ping_ms_after": quantiles(after_pings),
        "server_before": before,
        "server_at_its_worst": at_its_worst,
        "server_after": after,
        "run": snapshot["state"],
        "log_bytes": sum(path.stat().st_size for path in (workspace / "logs").glob("*.log*")),
    }


async def pings_for(url: str, seconds: float) -> list[float]:
    pinging = await Pinging(url).begun()
    await asyncio.sleep(seconds)
    return await pinging.end()


def main() -> None:
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # of connections that we broke ourselves
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=20, help="that send them")
    parser.add_argument("--half-open", type=int, default=200)
    parser.add_argument("--slow", type=int, default=20, help="clients that ask and never read")
    parser.add_argument("--quiet-s", type=float, default=5.0, help="of pings before and after")
    parser.add_argument("--settle-s", type=float, default=12.0, help="before what is left is weighed")
    parser.add_argument(
        "--data", type=os.path.abspath, help="train on this folder meanwhile, in place of a worker that only talks"
    )
    print(json.dumps(asyncio.run(measure(parser.parse_args())), indent=1))


if __name__ == "__main__":
    main()
