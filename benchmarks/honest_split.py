"""What chooses the epoch, and what a calibration part of its own costs and gains: the same images dealt anew by each seed.

python benchmarks/honest_split.py FOLDER [--seeds 1,2,3,4,5] [--epochs 12] [--set KEY=VALUE ...]

FOLDER holds train/ and val/ of class folders. All its images are pooled; each seed deals whole groups of near-duplicates to
training, validation and test (3 : 1 : 1), and trains the preset quick twice: with no calibration part (the rule is fitted on
validation), and with a fifth of the training images as one. Every epoch is kept, and nothing stops early, so that one run
shows what each of the monitors would have chosen. The test part chooses nothing.

Prints a line of JSON for each run, and at the end mean and standard deviation over the seeds, and of the paired differences.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from busi_leakage import run
from torch import set_num_threads

from breastai.clinical.apply_decision_rule import calibrate, reaches
from breastai.clinical.audit_job import audit_record, folders_below
from breastai.clinical.calibration_measures import calibration_intercept, calibration_slope, observed_expected
from breastai.clinical.fit_decision_rule import fit_decision_rule
from breastai.clinical.metrics.weighted_cases import WeightedCases
from breastai.data.cases.data_split import split
from breastai.data.cases.image_set import labelled_images
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.events import TrainingUpdate
from breastai.domain.records import AuditRecord
from breastai.engine.network.checkpoint_io import Loaded, load_checkpoint
from breastai.engine.network.evaluation import Predictions, answers_of, predict_batches
from breastai.engine.network.runtime import choose_runtime
from breastai.storage.checkpoints import find_checkpoint, read_manifest
from breastai.storage.journal import read_events
from breastai.storage.workspace import Workspace

MONITORS = {"val_accuracy": 1, "val_f1_weighted": 1, "val_auc_roc": 1, "val_loss": -1}
ARMS = {"rule on validation": "0", "rule on a calibration part": "0.2"}
_PART = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    asked = parser.parse_args()
    set_num_threads(1)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as place:
        record = audit_record(folders_below(asked.folder), None, Workspace.open(place))
        for seed in map(int, asked.seeds.split(",")):
            data = Path(place) / f"{seed}"
            deal_out(record, asked.folder, data, seed)
            for arm, share in ARMS.items():
                for chosen_by, figures in one_run(data, asked, seed, share).items():
                    print(json.dumps({"seed": seed, "arm": arm, "epoch_by": chosen_by, **figures}), flush=True)
                    for name, value in figures.items():
                        found[f"{arm}; {chosen_by}"][name].append(value)
    print(json.dumps({"all": {name: summary(results) for name, results in found.items()}}))
    first, second = (found[f"{arm}; val_auc_roc"] for arm in ARMS)
    gains = {name: [other - one for one, other in zip(first[name], second[name], strict=True)] for name in first}
    print(json.dumps({"calibration part minus none": summary(gains)}))


def deal_out(record: AuditRecord, root: Path, to: Path, seed: int) -> None:
    """Copy the pooled images into train/, val/ and test/, whole groups only."""
    images = [
        (f"{name}/{file}", folder.class_names[folder.labels[number]], folder.path(number))
        for name, folder in folders_below(root).items()
        for number, file in enumerate(folder.files)
    ]
    group_of = {file: group.files[0] for group in record.groups for file in group.files}
    names = sorted({class_name for _, class_name, _ in images})
    labels = np.array([names.index(class_name) for _, class_name, _ in images])
    groups = np.array([group_of.get(file, file) for file, _, _ in images])
    rest, test = split(labels, groups.tolist(), _PART, seed, names)
    val = rest[split(labels[rest], groups[rest].tolist(), _PART / (1 - _PART), seed, names)[1]]
    parts = np.full(len(images), "train", dtype=object)
    parts[test], parts[val] = "test", "val"
    for (file, class_name, path), part in zip(images, parts.tolist(), strict=True):
        target = to / part / class_name / file.replace("/", "_")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def one_run(data: Path, asked: Any, seed: int, share: str) -> dict[str, dict[str, float]]:
    """Train once; return the figures of the test part by what chose the epoch."""
    workspace = Workspace.open(data / "workspace")
    places = [f"data.{part}_dir={data / part}" for part in ("train", "val")]
    settings = [*places, "data.on_leak=group", f"data.calibration_split={share}", f"system.seed={seed}"]
    settings += ["training.early_stopping.enabled=false", f"storage.keep_best={asked.epochs}", *asked.settings]
    command = ["train", "--workspace", str(workspace.root), "--preset", "quick", "--epochs", str(asked.epochs)]
    run(command + [part for text in settings for part in ("--set", text)])
    run_id = read_manifest(find_checkpoint(workspace, "latest")).run_id
    updates = [each for each in read_events(workspace.journal_file(run_id)) if isinstance(each, TrainingUpdate)]
    found = {}
    for monitor, sign in MONITORS.items():
        best = max(updates, key=lambda each: sign * (each.metrics[monitor] or 0.0))
        kind = "best" if monitor == "val_auc_roc" else f"epoch-{best.epoch:04d}"
        found[monitor] = {"epoch": float(best.epoch), **judge(workspace, f"{run_id}/{kind}", data)}
    return found


def judge(workspace: Workspace, checkpoint: str, data: Path) -> dict[str, float]:
    """Return the figures of the test part, by the checkpoint's own rule, or one fitted on validation where it has none."""
    loaded = load_checkpoint(find_checkpoint(workspace, checkpoint))
    manifest, rule = loaded.manifest, loaded.manifest.decision
    if not rule.n:
        known = predictions_of(loaded, data / "val")
        rule = fit_decision_rule(known.labels, known.probabilities, manifest.class_names, manifest.config)
    test = predictions_of(loaded, data / "test")
    return figures_of(test.labels, test.probabilities, rule, manifest.class_names)


def predictions_of(loaded: Loaded, folder: Path) -> Predictions:
    manifest = loaded.manifest
    images = labelled_images(folder, manifest.class_names, manifest.config, None)[0]
    runtime = choose_runtime(manifest.config.system, use_amp=False)
    steps = predict_batches(loaded.model, images, runtime, tuple(manifest.mean), tuple(manifest.std), 16, 0)
    return answers_of(steps)


def figures_of(labels: Any, raw: Any, rule: DecisionRule, class_names: list[str]) -> dict[str, float]:
    scores = calibrate(rule.calibration, raw)
    cases, point = WeightedCases(labels, scores), rule.operating_point
    assert point is not None
    number = class_names.index(point.class_name)
    positive, own = labels == number, scores[:, number]
    called = reaches(own, point.threshold)
    areas = [roc_area(labels == each, scores[:, each]) for each in range(len(class_names))]
    return {
        "auc": roc_area(positive, own),
        "macro_auc": statistics.fmean(areas),
        "accuracy": float((scores.argmax(axis=1) == labels).mean()),
        "sensitivity": float(called[positive].mean()),
        "specificity": float(1 - called[~positive].mean()),
        "brier": float(cases.brier[0]),
        "log_loss": float(cases.log_loss[0]),
        "log_loss_uncalibrated": float(WeightedCases(labels, raw).log_loss[0]),
        "slope": calibration_slope(positive, own, None).value or float("nan"),
        "intercept": calibration_intercept(positive, own, None).value or float("nan"),
        "observed_expected": observed_expected(positive, own, None).value or float("nan"),
    }


def roc_area(positive: Any, scores: Any) -> float:
    """Return how often a positive case has the higher score, ties half."""
    above = scores[positive][:, None] - scores[~positive][None]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def summary(results: Mapping[str, list[float]]) -> dict[str, str]:
    return {
        name: f"{statistics.fmean(values):.3f} ± {statistics.stdev(values) if len(values) > 1 else 0.0:.3f}"
        for name, values in results.items()
    }


if __name__ == "__main__":
    main()
