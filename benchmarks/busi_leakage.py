"""How much the usual way flatters: the same model trained and judged with and without grouping, five seeds each.

python benchmarks/busi_leakage.py FOLDER [--seeds 1,2,3,4,5] [--epochs 12] [--twins-only] [--set KEY=VALUE ...]

FOLDER holds train/ and val/ of class folders. All its images are pooled; each seed sets a fifth aside for test, once
by single images and once by whole groups of twins, and trains on the rest in the same way. Prints one line of JSON for
each run, and at the end mean and spread of both ways. First it prints the counts of the audit; twin_pictures.py shows
some of the pairs. Long: with the preset quick a run takes minutes on two cores.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from breastai.clinical.audit_job import audit_record, folders_below
from breastai.data.cases.data_split import split
from breastai.domain.records import AuditRecord
from breastai.storage.workspace import Workspace

TEST_SHARE = 0.2
FIGURES = ("accuracy", "auc_roc", "cohen_kappa")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--twins-only", action="store_true")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace.open(place)
        record = audit_record(folders_below(asked.folder), None, workspace)
        print(json.dumps({"audit": counts(record)}))
        if asked.twins_only:
            return
        found: dict[str, list[dict[str, float]]] = {"single images": [], "whole groups": []}
        for seed in map(int, asked.seeds.split(",")):
            for way, results in found.items():
                figures = one_run(record, asked, Path(place), seed, way)
                results.append(figures)
                print(json.dumps({"seed": seed, "way": way, **figures}), flush=True)
        print(json.dumps({way: summary(results) for way, results in found.items()}))


def counts(record: AuditRecord) -> dict[str, int]:
    """Return what the audit found of twins."""
    leaking = [
        file
        for group in record.groups
        if "train" in group.splits
        for file, own in zip(group.files, group.splits, strict=True)
        if own == "val"
    ]
    return {
        "images": record.images,
        "groups": len(record.groups),
        "images_in_groups": sum(len(group.files) for group in record.groups),
        "groups_of_several_classes": sum(group.contradicts for group in record.groups),
        "val_images_with_a_twin_in_train": len(leaking),
    }


def one_run(record: AuditRecord, asked: Any, place: Path, seed: int, way: str) -> dict[str, float]:
    """Train on four fifths of the pooled images and judge on the rest; return the figures of the test."""
    folder = place / f"{seed}-{way.replace(' ', '-')}"
    deal_out(record, asked.folder, folder / "data", seed, whole_groups=way == "whole groups")
    on_leak = "group" if way == "whole groups" else "continue"
    settings = [f"data.on_leak={on_leak}", f"system.seed={seed}", *asked.settings]
    command = ["train", "--workspace", str(folder), "--data", str(folder / "data"), "--preset", "quick"]
    command += ["--epochs", str(asked.epochs)] + [part for text in settings for part in ("--set", text)]
    run(command)
    last = run(["evaluate", "latest", "--workspace", str(folder), "--data", str(folder / "data"), "--split", "test"])
    shutil.rmtree(folder)
    return {name: last["figures"][name]["value"] for name in FIGURES}


def deal_out(record: AuditRecord, root: Path, to: Path, seed: int, whole_groups: bool) -> None:
    """Link the pooled images into train/ and test/; validation is set aside from train/ by the training itself."""
    folders = folders_below(root)
    images = [
        (f"{name}/{file}", folder.class_names[folder.labels[number]], folder.path(number))
        for name, folder in folders.items()
        for number, file in enumerate(folder.files)
    ]
    group_of = {file: group.files[0] for group in record.groups for file in group.files}
    names = sorted({class_name for _, class_name, _ in images})
    labels = np.array([names.index(class_name) for _, class_name, _ in images])
    groups = [group_of.get(file, file) for file, _, _ in images] if whole_groups else None
    test = set(split(labels, groups, TEST_SHARE, seed, names)[1].tolist())
    for number, (file, class_name, path) in enumerate(images):
        target = to / ("test" if number in test else "train") / class_name / file.replace("/", "_")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def run(arguments: list[str]) -> dict[str, Any]:
    """Run the command line; return its last event."""
    command = [sys.executable, "-m", "breastai", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return last


def summary(results: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        name: {
            "mean": statistics.fmean(each[name] for each in results),
            "standard_deviation": statistics.stdev(each[name] for each in results) if len(results) > 1 else 0.0,
        }
        for name in FIGURES
    }


if __name__ == "__main__":
    main()
