"""What a run says of its time and memory before its epochs begin, beside what it took; a preset after the other.

    python benchmarks/estimates.py --data DIR [--presets quick balanced full] [--epochs N] [--images 0] [--set KEY=VALUE ...]

Each run is a command of its own in a new workspace, with the user's cache as it is. Said: each time the network was told
of as built, which is once more where an epoch over features came first; took: from then to the last epoch's end, by the
clock. Memory: of the command and all it started, the most seen by looks half a second apart. `--images` takes so many of
each class alone, where an epoch of all of them is too long to wait for. Run it on a quiet machine.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from many_patches import watched

from breastai.domain.catalog import IMAGE_SUFFIXES


def part_of(data: Path, target: Path, count: int) -> Path:
    """Copy the first images of each class folder; `data` where `count` is 0."""
    if not count:
        return data
    for folder in (path for path in data.rglob("*") if path.is_dir()):
        images = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        for image in images[:count]:
            copy = target / image.relative_to(data)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(image, copy)
    return target


def run(command: list[str]) -> tuple[list[tuple[float, dict[str, object]]], float]:
    """Run a command that tells events; return them with the seconds since its start, and the most memory, GiB."""
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, watched(process) as seen:
        assert process.stdout is not None
        told = ((time.monotonic() - began, line) for line in process.stdout)
        events = [(at, json.loads(line)) for at, line in told if line.startswith("{")]
    return events, seen[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--presets", nargs="+", default=["quick", "balanced", "full"])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--images", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = part_of(chosen.data, Path(folder) / "data", chosen.images)
        for preset in chosen.presets:
            command = [sys.executable, "-m", "breastai", "train", "--data", str(data), "--preset", preset, "--json"]
            command += ["--workspace", str(Path(folder, preset)), *(f"--set={each}" for each in chosen.settings)]
            command += [f"--epochs={chosen.epochs}"] if chosen.epochs else []
            events, memory = run(command)
            last = events[-1][1]
            if last["type"] != "training_complete":
                print(f"{preset}: {last}", file=sys.stderr)
                return 1
            end = max(at for at, event in events if event["type"] == "training_update")
            for at, event in events:
                if event["type"] == "model_loaded":
                    said, said_gb = event["expected_s"], event["peak_memory_gb"]
                    row = {"preset": preset, "said_s": said, "took_s": round(end - at, 1)}
                    print(json.dumps(row | {"said_gb": said_gb, "took_gb": round(memory, 2)}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
