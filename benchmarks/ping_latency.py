"""How long the server takes to listen, what it weighs idle, and how fast it answers ping while a real run trains.

    python benchmarks/ping_latency.py --data ../shared/data/busi --seconds 60

Prints one JSON object. The run goes through a real server and worker; pings come from a second connection. After
`--seconds` of it a stop is asked for, and how long that takes is measured too. `--dashboards 300 --backups --like WORKSPACE`
does so beside 300 pages, in a process of their own, and a backup of the project that is made, verified and restored again
and again, in a copy of a workspace that has runs.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect

_DEADLINE_S = 3600.0
# The first backup, which is restored again and again, stays.
_CONFIG = '{"storage": {"backups_kept": 1000}}'


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


def run_dashboards(port: int, count: int) -> None:
    """Read what a server tells `count` pages, each of which pings every 20 s as the page does, until this is ended."""

    async def dashboard(number: int) -> None:
        async with connect(f"ws://localhost:{port}", max_size=None, open_timeout=120) as client:

            async def ping() -> None:
                await asyncio.sleep(20 * number / count)
                while True:
                    await client.send('{"type": "ping"}')
                    await asyncio.sleep(20)

            pinging = asyncio.create_task(ping())
            async for _ in client:
                pass
            pinging.cancel()

    async def all_of_them() -> None:
        await asyncio.gather(*(dashboard(number) for number in range(count)))

    asyncio.run(all_of_them())


async def back_up_until(done: asyncio.Event, port: int, ready: asyncio.Event) -> dict[str, int]:
    """Make and verify backups of the project, and restore one made before the run, until `done`.

    Sets `ready` once that one is made; returns how many answers of each kind came. A backup that holds the run in progress
    could not be restored.
    """
    answers: dict[str, int] = {}
    async with connect(f"ws://localhost:{port}", max_size=None) as socket:

        async def ask(**request: Any) -> dict[str, Any]:
            await socket.send(json.dumps({**request, "request_id": "backup"}))
            while (event := json.loads(await socket.recv())).get("request_id") != "backup":
                pass
            kind = event.get("code") or event["type"]
            answers[kind] = answers.get(kind, 0) + 1
            found: dict[str, Any] = event
            return found

        before = await ask(type="create_backup")
        ready.set()
        while not done.is_set():
            made = await ask(type="create_backup")
            await ask(type="verify_backup", name=Path(made["path"]).name)
            await ask(type="restore_backup", name=Path(before["path"]).name)
    return answers


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


def prepare(workspace: str, given: argparse.Namespace) -> None:
    if given.like:
        shutil.copytree(given.like, workspace, dirs_exist_ok=True)
    if given.backups:
        Path(workspace, "config.json").write_text(_CONFIG, encoding="utf-8")


async def measure(given: argparse.Namespace) -> dict[str, Any]:
    data = given.data
    with tempfile.TemporaryDirectory() as workspace:
        prepare(workspace, given)
        server, port, listen_s = await start_server(workspace, data)
        try:
            process = psutil.Process(server.pid)
            await asyncio.sleep(1)
            idle = process.memory_info().rss
            async with connect(f"ws://localhost:{port}") as first, connect(f"ws://localhost:{port}") as second:
                done = asyncio.Event()
                pages = multiprocessing.Process(target=run_dashboards, args=(port, given.dashboards), daemon=True)
                if given.dashboards:
                    pages.start()
                    await asyncio.sleep(10)
                upkeep = None
                if given.backups:
                    ready = asyncio.Event()
                    upkeep = asyncio.create_task(back_up_until(done, port, ready))
                    await ready.wait()
                pinging = asyncio.create_task(ping_until(done, second, given.every_s))
                run = await train_a_while(first, data, given.preset, given.seconds)
                done.set()
                took = await pinging
                run["backups"] = None if upkeep is None else await upkeep
                if given.dashboards:
                    pages.terminate()
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
    parser.add_argument("--data", required=True, type=os.path.abspath, help="folder that holds train/")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--seconds", type=float, default=60.0, help="of training, before the stop")
    parser.add_argument("--every-s", type=float, default=0.01, help="pause between two pings")
    parser.add_argument("--dashboards", type=int, default=0, help="pages connected besides")
    parser.add_argument("--backups", action="store_true", help="make, verify and restore backups meanwhile")
    parser.add_argument("--like", help="a workspace that the measured one is a copy of")
    work = measure(parser.parse_args())
    print(json.dumps(asyncio.run(asyncio.wait_for(work, _DEADLINE_S)), indent=1))


if __name__ == "__main__":
    main()
