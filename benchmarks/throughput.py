"""Training throughput against peers, taking turns in one run: the plain recipe, fastai, Ultralytics, timm's script, and ours.

    python benchmarks/throughput.py --data DIR [--timm PATH/train.py] [--rounds 3] [--models NAME ...]

Of one network, the same images, size, batch and threads, from random weights, loader included. fastai and Ultralytics are
installed in an environment of their own, `.venv-peers`, which finds torch in ours; Ultralytics is AGPL, and no part of ours.
timm's script is no part of its package: give the path of train.py from its repository.
*breastai* takes batch norm's statistics from each batch, as the peers do; *breastai kept* keeps the pretrained ones,
as fine_tune and small batches do. Prints what machine this is, one JSON line for each measurement, then a table of medians
(lowest to highest) and ratios.
"""

import argparse
import functools
import json
import os
import re
import statistics
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from breastai.engine.acceleration.hardware import processor_name

HERE = Path(__file__).resolve().parent
# Image size, batch size, steps of the slow ones.
CASES = {
    "tf_efficientnet_lite0": (224, 16, 10),
    "efficientnet_b0": (224, 16, 10),
    "efficientnet_b4": (380, 4, 8),
    "efficientnetv2_s": (512, 4, 7),
}
TIMM_NAMES = {"efficientnetv2_s": "tf_efficientnetv2_s"}
TIMEOUT_S = 400


def run(command: list[str]) -> str:
    finished = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_S, env={**os.environ, "OMP_NUM_THREADS": "2"}
    )
    return finished.stdout + finished.stderr


def ours(model: str, data: Path, threads: int, batch_norm: str) -> float | None:
    size, batch, _ = CASES[model]
    command = [sys.executable, "-m", "breastai", "bench", model, "--data", str(data), "--json", "--workspace", "/tmp"]
    # The same network as the peers train: without what we put on it.
    command += ["--set", "model.use_cbam=false", "--set", "model.attention_pooling=false"]
    command += ["--set", f"training.batch_norm={batch_norm}", "--set", f"system.num_threads={threads}"]
    command += ["--image-size", str(size), "--batch-size", str(batch)]
    output = run(command)
    for name in ("peak_share", "loader_wait_share", "peak_memory_gb", "matrix_gflops", "evaluate_images_per_second"):
        print(json.dumps({"model": model, "batch_norm": batch_norm, name: _last(output, name)}), flush=True)
    return _last(output, "train_images_per_second")


def peers_python(folder: Path) -> Path:
    """Return the interpreter of the peers' own environment, made where it is missing; torch is that of ours."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
        own = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
        Path(own, "breastai.pth").write_text(f"{sysconfig.get_path('purelib')}\n{HERE.parent}\n", encoding="utf-8")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "fastai", "ultralytics"], check=True)
    return python


def peer(python: Path, script: str, model: str, data: Path, threads: int) -> float | None:
    size, batch, steps = CASES[model]
    command = [str(python), str(HERE / script), "--data", str(data), "--architecture", model]
    command += ["--image-size", str(size), "--batch-size", str(batch), "--steps", str(steps), "--threads", str(threads)]
    return _last(run(command), "images_per_second")


def timm(script: Path, model: str, data: Path, best: bool) -> float | None:
    size, batch, _ = CASES[model]
    command = [sys.executable, str(script), "--data-dir", str(data), "--train-split", "train", "--val-split", "val"]
    command += [
        "--model",
        TIMM_NAMES.get(model, model),
        "--num-classes",
        "3",
        "--img-size",
        str(size),
        "-b",
        str(batch),
    ]
    command += [
        "--device",
        "cpu",
        "-j",
        "2",
        "--epochs",
        "1",
        "--log-interval",
        "1",
        "--opt",
        "adamw",
        "--output",
        "/tmp/timm-out",
    ]
    if best:
        command += ["--amp", "--amp-dtype", "bfloat16", "--channels-last"]
    speeds: list[float] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found = re.search(r"Time: [\d.]+s, +([\d.]+)/s", line)
            speeds += [float(found[1])] if found else []
            if len(speeds) >= 9:
                break
        process.kill()
    return statistics.median(speeds[3:]) if len(speeds) > 3 else None


def _last(output: str, name: str) -> float | None:
    values = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    found = [value[name] for value in values if name in value]
    if not found:
        print(output[-2000:], file=sys.stderr)
        return None
    return float(found[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--timm", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="+", default=list(CASES))
    parser.add_argument("--peers", type=Path, default=HERE.parent / ".venv-peers", help="the peers' environment")
    given = parser.parse_args()
    peers = peers_python(given.peers)
    print(json.dumps({"processor": processor_name(), "threads": given.threads, "load": os.getloadavg()}), flush=True)
    for model in given.models:
        speeds: dict[str, list[float]] = {}
        for _ in range(given.rounds):
            ways = {
                who: functools.partial(peer, Path(python), f"peer_{who}.py", model, given.data, given.threads)
                for who, python in (("plain", sys.executable), ("fastai", peers), ("ultralytics", peers))
            }
            if given.timm:
                ways["timm"] = functools.partial(timm, given.timm, model, given.data, best=False)
                ways["timm best"] = functools.partial(timm, given.timm, model, given.data, best=True)
            ways["breastai"] = functools.partial(ours, model, given.data, given.threads, "batch")
            ways["breastai kept"] = functools.partial(ours, model, given.data, given.threads, "pretrained")
            for name, measure in ways.items():
                speed = measure()
                print(json.dumps({"model": model, "who": name, "images_per_second": speed}), flush=True)
                speeds.setdefault(name, []).extend([speed] if speed is not None else [])
        medians = {name: statistics.median(values) for name, values in speeds.items() if values}
        for name, median in medians.items():
            spread = f"{min(speeds[name]):.2f} to {max(speeds[name]):.2f}"
            print(
                f"{model:24} {name:14} {median:7.2f} ({spread})   ours is {medians['breastai'] / median:.2f}x, "
                f"with kept statistics {medians['breastai kept'] / median:.2f}x",
                flush=True,
            )


if __name__ == "__main__":
    main()
