"""Hundreds of thousands of patches: how long until the first epoch begins, audit and cache included, in how much memory.

The patches are made of quarters of those of a folder, so that no two are twins, as PATIENT/0 and PATIENT/1. Target: 300,000 patches of 50 x 50 in under five minutes and 3 GiB.

    python benchmarks/many_patches.py FOLDER --from shared/data/idc [--patches 300000] [--patients 279] [--audit]
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import psutil

SIDE = 50
SETTINGS = (
    *("model.architecture=tiny_cnn", "model.pretrained=none", "data.image_size=50", "data.on_leak=continue"),
    *("evaluation.target_class=malignant", "system.autotune=false", "storage.backup_after_run=false"),
)


def mosaics(patches: list[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Yield `count` patches, uint8 (SIDE, SIDE, 3), each of four quarters of others: copies alone would all be twins."""
    generator = np.random.default_rng(0)
    half = SIDE // 2
    for _ in range(count):
        made = np.empty((SIDE, SIDE, 3), np.uint8)
        for top in (0, half):
            for left in (0, half):
                chosen = patches[int(generator.integers(len(patches)))]
                y, x = generator.integers(half + 1, size=2)
                quarter = np.rot90(chosen[y : y + half, x : x + half], int(generator.integers(4)))
                made[top : top + half, left : left + half] = quarter
        yield made


def draw(folder: Path, source: Path, count: int, patients: int) -> None:
    """Write the patches, a third of each patient's as class 1."""
    files = sorted(file for file in source.rglob("*") if file.suffix.lower() in (".png", ".jpg"))
    read = [
        cv2.resize(np.asarray(cv2.imread(str(file))), (SIDE, SIDE)) for file in files[:: max(1, len(files) // 2000)]
    ]
    for number, patch in enumerate(mosaics(read, count)):
        patient, label = 8000 + number % patients, int(number // patients % 3 == 0)
        name = f"{patient}_idx5_x{number % 5000}_y{number // 5000}_class{label}.png"
        target = folder / str(patient) / str(label) / name
        if number < 2 * 3 * patients:
            target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), patch)


def usage(process: psutil.Process) -> tuple[float, float]:
    """Return the resident memory of a process and its children, GiB, and the seconds of a processor they have taken."""
    size_bytes, seconds = 0.0, 0.0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0, 0.0
    for each in family:
        try:
            size_bytes += each.memory_info().rss
            times = each.cpu_times()
            seconds += times.user + times.system
            if each.pid == process.pid:  # and of children that have ended
                seconds += times.children_user + times.children_system
        except psutil.NoSuchProcess:
            continue
    return size_bytes / 2**30, seconds


@contextmanager
def watched(process: "subprocess.Popen[str]") -> Iterator[list[float]]:
    """Yield the most memory (GiB) and processor time (seconds) of a process and all it started, kept up to date."""
    family, over, seen = psutil.Process(process.pid), threading.Event(), [0.0, 0.0]

    def look() -> None:
        while not over.wait(0.5):
            size, seconds = usage(family)
            seen[:] = max(seen[0], size), max(seen[1], seconds)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


def watch(command: list[str], until: str | None = None, most_s: float = 3600.0) -> None:
    """Run a command that tells events, and print when each stage begins: seconds, of a processor too, and peak memory.

    Ends it at the stage `until`, or after so long.
    """
    began, told = time.monotonic(), {"prediction"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, watched(process) as seen:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line) if line.startswith("{") else {"type": "text"}
            stage = event.get("stage") or event["type"]
            if stage not in told:
                told.add(stage)
                print(f"{time.monotonic() - began:7.1f} s  {seen[1]:7.1f} s  {seen[0]:5.2f} GiB  {stage}", flush=True)
            if stage == until or event["type"] == "error" or time.monotonic() - began > most_s:
                process.terminate()
                break
        process.wait()
    print(f"{time.monotonic() - began:7.1f} s  {seen[1]:7.1f} s  {seen[0]:5.2f} GiB  end", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--patches", type=int, default=300_000)
    parser.add_argument("--patients", type=int, default=279)
    parser.add_argument("--most-s", type=float, default=900)
    parser.add_argument("--audit", action="store_true", help="an audit first, by itself")
    parser.add_argument("--whole-epoch", action="store_true")
    chosen = parser.parse_args()
    images = chosen.folder / "patches"
    if not images.is_dir():
        draw(images, chosen.source, chosen.patches, chosen.patients)
    workspace = chosen.folder / "workspace"
    workspace.mkdir(exist_ok=True)
    settings = [item for each in SETTINGS for item in ("--set", each)]
    breastai, place = [sys.executable, "-m", "breastai"], ["--workspace", str(workspace), "--json"]
    if chosen.audit:
        watch([*breastai, "audit", str(images), *place], most_s=chosen.most_s)
    train = ["train", "--data", str(images), "--epochs", "1", *settings]
    watch([*breastai, *train, *place], None if chosen.whole_epoch else "training", chosen.most_s)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
