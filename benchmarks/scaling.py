"""How fast one run is by one process and by several on this machine.

    python benchmarks/scaling.py --images 510 --batch 16 --side 224 --processes 1 2

Each count of processes is a real run under torchrun, with made-up images, two epochs of which the second is counted
(the first fills caches). Each process has one thread, so that one and two processes differ in nothing else. What a
step takes beyond an equal share of the computing is the exchange: gradients, statistics, waiting for one another.
Beside it stands what the model of docs/scaling.md says the exchange takes, from the latency and the bandwidth of two
processes that do nothing but exchange; it puts the numbers of other machines into that. Run it on a quiet machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from breastai.data.phantoms.phantom_dataset import write_sample_data

_PARAMETERS = 3.6e6  # Lite0 with what is added to it
_GRADIENT_BYTES = 4 * _PARAMETERS
_SMALL_EXCHANGES = 4 * 49 + 10  # of a step: four for each of its batch norms, and about ten besides


def images_per_second(data: Path, processes: int, batch: int, side: int) -> float:
    """Return the training images a second of the second epoch, told by the run itself."""
    settings = {
        "data.image_size": side,
        "data.batch_size": batch,
        "data.num_workers": 1,
        "model.architecture": "tf_efficientnet_lite0",
        "training.use_amp": False,
        "training.epochs": 2,
        "system.num_threads": 1,
        "system.autotune": False,  # the joined kernels are of one process alone: PyTorch's own on both sides
        "storage.backup_after_run": False,
    }
    with tempfile.TemporaryDirectory() as workspace:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command += ["-m", "breastai.commands.distributed", "--json", "--workspace", workspace, "--data", str(data)]
        command += ["--set", "data.on_leak=group"]
        command += [part for name, value in settings.items() for part in ("--set", f"{name}={json.dumps(value)}")]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    updates = [json.loads(line) for line in done.stdout.splitlines() if '"training_update"' in line]
    if done.returncode or len(updates) != 2:
        sys.exit(f"The run of {processes} processes failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return float(updates[-1]["images_per_second"])


def exchange() -> tuple[float, float]:
    """Return the seconds of one small exchange between two processes, and the bytes a second of large ones."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__]
    done = subprocess.run(
        [*command, "--exchange"], capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    latency_s, gradient_s = json.loads(done.stdout.splitlines()[-1])
    return latency_s, _GRADIENT_BYTES / gradient_s


def exchange_here() -> None:
    """Be one of those two processes; the first one prints the seconds of a small exchange and of a gradient's."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo")
    seconds = []
    for size, times in ((200, 2000), (int(_PARAMETERS), 20)):
        values = torch.zeros(size)
        for _ in range(5):
            dist.all_reduce(values)
        began = time.perf_counter()
        for _ in range(times):
            dist.all_reduce(values)
        seconds.append((time.perf_counter() - began) / times)
    if dist.get_rank() == 0:
        print(json.dumps(seconds))
    dist.destroy_process_group()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--images", type=int, default=96)
    options.add_argument("--batch", type=int, default=16, help="images of all processes together")
    options.add_argument("--side", type=int, default=128)
    options.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    options.add_argument("--exchange", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.exchange:
        exchange_here()
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_sample_data(data, per_class=asked.images // 3, seed=1, image_size=asked.side)
        speeds = {count: images_per_second(data, count, asked.batch, asked.side) for count in asked.processes}
    alone = speeds[min(speeds)]
    image_s = 1 / alone
    for count, speed in speeds.items():
        step_s = asked.batch / speed
        exchange_s = step_s - image_s * -(-asked.batch // count)
        print(
            f"{count} processes: {speed:7.1f} images/s, {speed / alone:.2f} times one; a step {1000 * step_s:.0f} ms, "
            f"of which beyond computing {1000 * exchange_s:.0f} ms"
        )
    latency_s, bandwidth = exchange()
    print(
        f"Two processes that only exchange: {1e6 * latency_s:.0f} µs for a small one, {bandwidth / 1e9:.2f} GB/s. The model: "
        f"{1000 * (_SMALL_EXCHANGES * latency_s + _GRADIENT_BYTES / bandwidth):.0f} ms a step beyond computing."
    )
    print(f"The gradient of Lite0 has {_GRADIENT_BYTES / 1e6:.1f} MB; this load: {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
