"""How long until the validation AUC of malignant against the rest is good enough: ours, the plain recipe, fastai.

    python benchmarks/time_to_auc.py --data DIR [--target 0.92] [--seeds 1 2 3] [--who breastai plain fastai]
        [--fastai-python PATH] [--epochs 10] [--stop-at-target] [--cold]

DIR holds train/ and val/. All see the same images (ours with `data.on_leak=continue`), the same packaged Lite0 weights,
224 pixels, batches of 16 and two threads, and take turns seed by seed. A clock starts with each process, so imports,
the audit, reading the images and tuning count: all of it anew with `--cold`, which gives each run an empty cache folder.
One that does not get there counts with the time of its epochs.
Prints a JSON line for each run, then for each peer the median time, its ratio to ours, and the median of the best AUCs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
THREADS = 2


@dataclass(frozen=True)
class Outcome:
    """One run: `reached_s` is None when the target was not reached; `aucs` are those of its epochs."""

    reached_s: float | None
    total_s: float
    aucs: list[float]


def command(who: str, asked: argparse.Namespace, seed: int, workspace: str) -> list[str]:
    if who == "breastai":
        line = [sys.executable, "-m", "breastai", "train", "--data", str(asked.data), "--preset", "quick", "--json"]
        line += ["--workspace", workspace]
        for setting in ("data.on_leak=continue", f"system.seed={seed}", f"system.num_threads={THREADS}"):
            line += ["--set", setting]
        return line
    python = asked.fastai_python if who == "fastai" else sys.executable
    line = [python, str(HERE / f"peer_{who}.py"), "--data", str(asked.data), "--epochs", str(asked.epochs)]
    return [*line, "--seed", str(seed), "--threads", str(THREADS)]


def epochs_of(who: str, output: Iterator[str]) -> Iterator[float]:
    """Yield the AUC of each epoch, as it is told."""
    for line in output:
        if not line.startswith("{"):
            continue
        event = json.loads(line)
        if who != "breastai":
            yield event["auc"]
        elif event["type"] == "training_update":
            yield event["val_per_class"]["malignant"]["auc_roc"]
        elif event["type"] == "error":
            sys.exit(event["message"])


def run(who: str, asked: argparse.Namespace, seed: int) -> Outcome:
    started, reached, aucs = time.perf_counter(), None, []
    with (
        tempfile.TemporaryDirectory() as workspace,
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            command(who, asked, seed, workspace),
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env={
                **os.environ,
                "OMP_NUM_THREADS": str(THREADS),
                **({"XDG_CACHE_HOME": workspace} if asked.cold else {}),
            },
        ) as process,
    ):
        assert process.stdout is not None
        for auc in epochs_of(who, process.stdout):
            aucs.append(auc)
            if reached is None and auc >= asked.target:
                reached = time.perf_counter() - started
                if asked.stop_at_target:
                    process.kill()
                    break
        process.wait()
        if not aucs:
            complaints.seek(0)
            sys.exit(f"{who} told no epoch: {complaints.read()[-2000:]}")
    return Outcome(reached, time.perf_counter() - started, aucs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--target", type=float, default=0.92)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--who", nargs="+", choices=["breastai", "plain", "fastai"], default=["breastai", "plain"])
    parser.add_argument("--fastai-python", default=sys.executable, help="An interpreter that has fastai.")
    parser.add_argument("--epochs", type=int, default=10, help="Epochs of the peers.")
    parser.add_argument("--stop-at-target", action="store_true")
    parser.add_argument("--cold", action="store_true", help="An empty cache folder for each run.")
    asked = parser.parse_args()
    outcomes: dict[str, list[Outcome]] = {who: [] for who in asked.who}
    for seed in asked.seeds:
        for who in asked.who:
            outcome = run(who, asked, seed)
            outcomes[who].append(outcome)
            told = {"who": who, "seed": seed, "reached_s": outcome.reached_s, "total_s": outcome.total_s}
            print(json.dumps({**told, "aucs": [round(auc, 4) for auc in outcome.aucs]}), flush=True)
    medians = {
        who: statistics.median(outcome.reached_s or outcome.total_s for outcome in runs)
        for who, runs in outcomes.items()
    }
    for who, runs in outcomes.items():
        best = statistics.median(max(outcome.aucs) for outcome in runs)
        last = statistics.median(outcome.aucs[-1] for outcome in runs)
        ratio = medians[who] / medians["breastai"] if "breastai" in medians else float("nan")
        print(f"{who:10} {medians[who]:7.1f} s ({ratio:.1f}x ours)   best AUC {best:.3f}, last {last:.3f}", flush=True)


if __name__ == "__main__":
    main()
