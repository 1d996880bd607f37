"""What hundreds of connected pages cost the server, and whether each receives every epoch.

    python benchmarks/many_dashboards.py --dashboards 500 --epochs 60 --every-s 1

A server in a process of its own, a worker that tells of progress twice a second and of an epoch every `--every-s`, and
dashboards in a third process, each of which pings every 20 s as the page does. Prints one JSON object.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from typing import Any

import psutil
from websockets.asyncio.client import connect

WORKER = """
import json, sys, time
every_s, epochs = float(sys.argv[1]), int(sys.argv[2])
parts = max(1, int(2 * every_s))  # a training tells of its progress at most twice a second
job = json.loads(sys.stdin.readline())
seq = 0
def say(**values):
    global seq
    seq += 1
    print(json.dumps(values | {"session_id": job["session_id"], "run_id": job["run_id"], "seq": seq}), flush=True)
say(type="training_started", architecture="resnet50", epochs=epochs, class_names=["benign", "malignant", "normal"], config={})
figures = {"sensitivity": 0.9, "specificity": 0.9, "precision": 0.9, "f1": 0.9, "auc_roc": 0.9, "support": 100}
names = sys.argv[3].split(",")
for epoch in range(1, epochs + 1):
    for part in range(parts):
        time.sleep(every_s / parts)
        say(type="progress_update", stage="training", message=f"Epoch {epoch}", epoch=epoch)
    say(type="training_update", epoch=epoch, epochs=epochs, learning_rate=0.001, images_per_second=10.0, epoch_s=1.0,
        eta_s=None, is_best=False, val_confusion_matrix=[[90, 5, 5]] * 3, metrics=dict.fromkeys(names, 0.5),
        val_per_class={name: figures for name in ("benign", "malignant", "normal")})
say(type="training_complete", final_metrics={}, history={}, checkpoint="R/best", best_epoch=1, epochs_run=epochs,
    stopped_early=False, duration_s=1.0)
"""
SERVER = """
import asyncio, sys
from breastai.server.app import Options, run_until_signal
from breastai.storage.workspace import Workspace
options = Options(workspace=Workspace.open(sys.argv[1]), port=0, worker_command=sys.argv[2:])
asyncio.run(run_until_signal(options, lambda server: print(server.port, flush=True)))
"""


async def dashboard(url: str, ready: asyncio.Semaphore) -> tuple[set[int], int]:
    """Return the epochs that one dashboard received, and how many messages in all."""
    epochs: set[int] = set()
    messages = 0
    async with connect(url, max_size=None, open_timeout=120) as client:
        await client.recv()
        ready.release()
        beating = asyncio.create_task(heartbeat(client))
        async for text in client:
            messages += 1
            head = str(text)[:40]
            if '"training_update"' in head:
                epochs.add(json.loads(text)["epoch"])
            elif '"training_complete"' in head or '"error"' in head:
                break
        beating.cancel()
    return epochs, messages


async def heartbeat(client: Any) -> None:
    while True:
        await asyncio.sleep(20)
        await client.send('{"type": "ping"}')


def dashboards(url: str, count: int, all_ready: Any, answers: Any) -> None:
    """Run `count` dashboards in this process, and put how they fared on `answers`."""

    async def run() -> list[tuple[set[int], int]]:
        ready = asyncio.Semaphore(0)
        tasks = []
        for number in range(count):
            tasks.append(asyncio.create_task(dashboard(url, ready)))
            if number % 20 == 19:
                await asyncio.sleep(0.05)
        for _ in range(count):
            await ready.acquire()
        all_ready.set()
        return await asyncio.gather(*tasks)

    answers.put([(sorted(epochs), messages) for epochs, messages in asyncio.run(run())])


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    from breastai.domain.metric_catalog import MONITORS

    names = ",".join(MONITORS)
    worker = [sys.executable, "-c", WORKER, str(arguments.every_s), str(arguments.epochs), names]
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as workspace:
        server = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, workspace, *worker, stdout=PIPE)
        try:
            assert server.stdout is not None
            port = int(await server.stdout.readline())
            url = f"ws://127.0.0.1:{port}"
            all_ready, answers = context.Event(), context.Queue()
            watching = context.Process(
                target=dashboards, args=(url, arguments.dashboards, all_ready, answers), daemon=True
            )
            watching.start()
            await asyncio.to_thread(all_ready.wait, 300)
            assert all_ready.is_set()
            process = psutil.Process(server.pid)
            async with connect(url, max_size=None) as owner:
                idle_from = sum(process.cpu_times()[:2])
                await asyncio.sleep(arguments.idle_s)
                idle = (sum(process.cpu_times()[:2]) - idle_from) / arguments.idle_s
                began, cpu = time.perf_counter(), sum(process.cpu_times()[:2])
                await owner.send('{"type": "start_training"}')
                got = await asyncio.to_thread(answers.get, True, 3600)
                seconds = time.perf_counter() - began
                share = (sum(process.cpu_times()[:2]) - cpu) / seconds
            wanted = list(range(1, arguments.epochs + 1))
            return {
                "dashboards": len(got),
                "with_every_epoch": sum(epochs == wanted for epochs, _ in got),
                "messages_each": max(messages for _, messages in got),
                "seconds": round(seconds, 1),
                "server_core_share": round(share, 4),
                "server_core_share_idle": round(idle, 4),
                "server_rss_mib": round(process.memory_info().rss / 2**20, 1),
            }
        finally:
            server.terminate()
            await server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dashboards", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--every-s", type=float, default=5.0, help="seconds of an epoch")
    parser.add_argument("--idle-s", type=float, default=20.0, help="of looking at the server before the run")
    print(json.dumps(asyncio.run(measure(parser.parse_args())), indent=1))


if __name__ == "__main__":
    main()
