"""How long the server takes to listen, what it weighs idle, and how fast it answers ping while a real run trains.

    python benchmarks/ping_latency.py --data ../shared/data/busi --seconds 60

Prints one JSON object. The run goes through a real server and worker; pings come from a second connection. After
`--seconds` of it a stop is asked for, and how long that takes is measured too.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect

_DEADLINE_S = 3600.0


async def start_server(workspace: str, data: str) -> tuple[Process, int, float]:
    """Return the server's process, its port, and the seconds from its start until it listened."""
    began = time.perf_counter()
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "breastai.server", "--port", "0", "--workspace", workspace, "--data-root", data),
        stdout=PIPE,
    )
    assert server.stdout is not None
    line = (await server.stdout.readline()).decode()
    return server, int(line.split("http://localhost:")[1].split("/")[0]), time.perf_counter() - began


async def ping_until(done: asyncio.Event, socket: ClientConnection, every_s: float) -> list[float]:
    """Return the milliseconds each ping took, one after another, until `done`."""
    took: list[float] = []
    while not done.is_set():
        began = time.perf_counter()
        await socket.send('{"type": "ping", "request_id": 1}')
        while '"pong"' not in str(await socket.recv())[:20]:
            pass
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(every_s)
    return took


async def train_a_while(socket: ClientConnection, data: str, preset: str, seconds: float) -> dict[str, Any]:
    """Start a run, stop it after `seconds` unless it ended before, and return how that went."""
    request = {"type": "start_training", "preset": preset, "config": {"data_path": data, "data": {"on_leak": "group"}}}
    await socket.send(json.dumps(request))
    events = 0
    stop_asked: float | None = None
    began = time.perf_counter()
    while True:
        try:
            async with asyncio.timeout(None if stop_asked else max(began + seconds - time.perf_counter(), 0)):
                event = json.loads(await socket.recv())
        except TimeoutError:
            stop_asked = time.perf_counter()
            await socket.send('{"type": "stop_training"}')
            continue
        events += event["type"] in ("progress_update", "training_update")
        if event["type"] in ("training_complete", "training_stopped", "error"):
            now = time.perf_counter()
            return {
                "outcome": event["type"],
                "message": event.get("message"),
                "progress_events": events,
                "run_s": round(now - began, 1),
                "stop_s": round(now - stop_asked, 2) if stop_asked else None,
            }


def quantile(values: list[float], share: float) -> float:
    return round(sorted(values)[min(int(len(values) * share), len(values) - 1)], 2)


async def measure(data: str, preset: str, seconds: float, every_s: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as workspace:
        server, port, listen_s = await start_server(workspace, data)
        try:
            process = psutil.Process(server.pid)
            await asyncio.sleep(1)
            idle = process.memory_info().rss
            async with connect(f"ws://localhost:{port}") as first, connect(f"ws://localhost:{port}") as second:
                done = asyncio.Event()
                pinging = asyncio.create_task(ping_until(done, second, every_s))
                run = await train_a_while(first, data, preset, seconds)
                done.set()
                took = await pinging
            return {
                "listen_s": round(listen_s, 3),
                "idle_rss_mib": round(idle / 2**20, 1),
                "rss_after_run_mib": round(process.memory_info().rss / 2**20, 1),
                "server_cpu_s": round(sum(process.cpu_times()[:2]), 2),
                **run,
                "pings": len(took),
                "ping_ms": {"p50": quantile(took, 0.5), "p99": quantile(took, 0.99), "max": round(max(took), 2)},
                "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
            }
        finally:
            server.terminate()
            await server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder that holds train/")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--seconds", type=float, default=60.0, help="of training, before the stop")
    parser.add_argument("--every-s", type=float, default=0.01, help="pause between two pings")
    arguments = parser.parse_args()
    work = measure(str(Path(arguments.data).resolve()), arguments.preset, arguments.seconds, arguments.every_s)
    print(json.dumps(asyncio.run(asyncio.wait_for(work, _DEADLINE_S)), indent=1))


if __name__ == "__main__":
    main()
