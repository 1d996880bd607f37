"""What a search for settings finds, and what ending trials early saves: best against default, killed once and resumed.

    python benchmarks/tuning_busi.py --data DIR [--trials 20] [--epochs 8] [--image-size 96] [--seed 42]
        [--kill-in-trial 5] [--workspace DIR]

DIR holds train/ and val/ (BUSI is what the figures in docs/tuning.md are of); a test folder in it is not opened. The
settings are `quick`'s at another size. The search is killed (SIGKILL) in the first epoch of trial `--kill-in-trial`,
gone on with, and its trials are counted in its SQLite file: none twice. 0 kills nothing. Prints one JSON line for each
trial and one for the end. About 15 minutes on two quiet cores.
"""

import argparse
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def command(asked: argparse.Namespace, workspace: Path) -> list[str]:
    settings = {
        "data.image_size": asked.image_size,
        "system.seed": asked.seed,
        "storage.backup_after_run": "false",
    }
    line = [
        "--data",
        str(asked.data),
        "--preset",
        "quick",
        "--trials",
        str(asked.trials),
        "--epochs",
        str(asked.epochs),
    ]
    for name, value in settings.items():
        line += ["--set", f"{name}={value}"]
    return [*tune(workspace), *line]


def tune(workspace: Path) -> list[str]:
    return [sys.executable, "-m", "breastai", "tune", "--workspace", str(workspace), "--json"]


def events_of(line: list[str], kill_in_trial: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the events of a search; with `kill_in_trial`, from 1, until it is killed there."""
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for text in process.stdout:
            event = json.loads(text)
            yield event
            member = event.get("member") or {}
            if kill_in_trial and member.get("trial") == kill_in_trial - 1 and member.get("state") == "running":
                process.send_signal(signal.SIGKILL)
                return


def shown(events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Print each trial as it ends; return the last event."""
    last: dict[str, Any] = {}
    for event in events:
        last = event
        member = event.get("member") or {}
        if member.get("state") in ("complete", "pruned", "failed"):
            row = {name: member[name] for name in ("trial", "state", "epoch", "values")}
            print(json.dumps({**row, "auc": member["figures"].get("auc_roc")}), flush=True)
    return last


def trials_counted(workspace: Path) -> dict[str, int]:
    """Return how many trials the SQLite file has of each state."""
    (path,) = workspace.glob("logs/*/trials.db")
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("select state, count(*) from trials group by state"))
    finally:
        connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--kill-in-trial", type=int, default=5)
    parser.add_argument("--workspace", type=Path)
    asked = parser.parse_args()
    workspace = asked.workspace or Path(tempfile.mkdtemp(prefix="tuning-"))
    begun = time.monotonic()
    last = shown(events_of(command(asked, workspace), asked.kill_in_trial))
    if last.get("type") == "study_member":
        print(json.dumps({"killed_in_trial": asked.kill_in_trial}), flush=True)
        last = shown(events_of([*tune(workspace), "--resume", "latest"]))
    if last.get("type") != "tuning_complete":
        print(json.dumps(last))
        return 1
    known = last["tuning"]
    planned = known["epochs_run"] + known["epochs_saved"]
    result = {
        "trials": known["done"],
        "trials_in_sqlite": trials_counted(workspace),
        "default_auc": known["default_auc"],
        "best_auc": known["best_auc"],
        "beat_the_default": known["config_name"] is not None,
        "val_images": known["val_images"],
        "epochs_saved": known["epochs_saved"],
        "share_saved": round(known["epochs_saved"] / planned, 3),
        "importance": {item["setting"]: item["share"] for item in known["importance"]},
        "values": last["values"],
        "seconds_of_trials": known["spent_s"],
        "seconds": round(time.monotonic() - begun, 1),
        "workspace": str(workspace),
    }
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
