"""Kill a 5-fold cross-validation of real images after fold 3, go on with it, and compare with one never killed.

    python benchmarks/crossval_kill.py DATA WORKSPACE [--set KEY=VALUE ...] [--folds 5] [--preset quick]

WORKSPACE gets two folders, whole/ and killed/; run again, whole/ is used as it lies. Prints whether figures, weights
and held-out predictions are equal. Hours with --preset quick on two cores; minutes with
`--set data.image_size=64 --set training.epochs=1 --folds 4`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from breastai.domain.study import Study
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.evaluations import read_evaluations
from breastai.storage.studies import read_study, studies
from breastai.storage.workspace import Workspace

KILLED_AFTER = 3


def command(workspace: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "breastai", "crossval", "--json", "--workspace", str(workspace), *more]


def run(workspace: Path, *more: str, kill: bool = False) -> None:
    """Run a cross-validation to its end, or kill it in the first epoch after fold KILLED_AFTER."""
    with subprocess.Popen(command(workspace, *more), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["type"] != "study_member":
                continue
            member = event["member"]
            print(f"{member['run_id']}: {member['state']}, epoch {member['epoch']} of {member['epochs']}", flush=True)
            if kill and member["fold"] == KILLED_AFTER + 1 and member["epoch"] == 1:
                os.kill(process.pid, signal.SIGKILL)
                return
        if process.wait() != 0:
            sys.exit(f"breastai crossval ended with status {process.returncode}")


def latest(place: Workspace) -> Study:
    return read_study(place, studies(place)[-1])


def facts(place: Workspace) -> dict[str, object]:
    """Return what must be equal: figures, spread, weights and held-out predictions."""
    study = latest(place)
    assert study.crossval is not None, f"{study.study_id} is {study.state}"
    weights = [read_manifest(checkpoint_files(place, member.run_id, "best")).sha256 for member in study.members]
    cases = [[record.cases for _, record in read_evaluations(place, member.run_id)] for member in study.members]
    return {
        "figures": study.crossval.figures,
        "at thresholds": study.crossval.at_thresholds,
        "spread": study.crossval.spread,
        "weights": weights,
        "held-out predictions": cases,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--folds", default="5")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    options = parser.parse_args()
    settings = ["--data", options.data, "--preset", options.preset, "--folds", options.folds]
    settings += [part for text in options.assignments for part in ("--set", text)]
    whole, killed = (Workspace.open(options.workspace / name) for name in ("whole", "killed"))
    if not studies(whole) or latest(whole).state != "complete":
        run(whole.root, *(["--resume", "latest"] if studies(whole) else settings))
    run(killed.root, *settings, kill=True)
    before = latest(killed)
    print(f"killed: {before.state}, {[member.state for member in before.members]}", flush=True)
    run(killed.root, "--resume", "latest")
    expected, found = facts(whole), facts(killed)
    for name in expected:
        print(f"{name}: {'equal' if expected[name] == found[name] else 'DIFFERENT'}")
    if expected != found:
        sys.exit(1)


if __name__ == "__main__":
    main()
