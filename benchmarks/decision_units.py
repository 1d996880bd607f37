"""By image, pooled, by attention: cross-validated probes on mammograms of two breasts a woman, and on a made-up set of views.

    python benchmarks/decision_units.py mias DATA [--repeats 5]
    python benchmarks/decision_units.py views [--patients 200] [--repeats 5]

Each rule of pooling is cross-validated on the same folds by the recipe `probe`: features once, then fits. Printed are
the AUC of the class in question by image and by patient with its interval, and the paired difference of each rule from
the mean of the images, by whole patients. `views` draws patients with four views, of whom the ill show it in one alone:
one view is not enough, by construction.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from breastai.clinical.evidence import compare
from breastai.data.phantoms.phantom_dataset import phantom
from breastai.domain.records import EvaluationRecord
from breastai.storage.evaluations import read_evaluations
from breastai.storage.workspace import Workspace

RULES = ("mean", "largest", "noisy_or", "learnt", "attention")


def draw_views(target: Path, patients: int, seed: int = 1) -> None:
    """Write P0001_1.png to P0001_4.png of each patient; of the ill, two in five, one view shows a malignant lesion."""
    rng = np.random.default_rng(seed)
    for patient in range(patients):
        ill = rng.random() < 0.4
        telling = int(rng.integers(0, 4)) if ill else -1
        folder = target / "train" / ("malignant" if ill else "normal")
        folder.mkdir(parents=True, exist_ok=True)
        for view in range(4):
            drawn = phantom("malignant" if view == telling else "normal", rng, 224)
            (folder / f"P{patient:04d}_{view + 1}.png").write_bytes(cv2.imencode(".png", drawn)[1].tobytes())


def crossval(
    data: Path, place: Path, rule: str, settings: list[str]
) -> tuple[dict[str, object], EvaluationRecord, float]:
    """Cross-validate by a rule of pooling; return the result, its record and the seconds it took."""
    began = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "breastai",
        "crossval",
        str(data),
        "--workspace",
        str(place),
        "--preset",
        "probe",
        "--json",
    ]
    command += [part for each in (*settings, f"evaluation.pooling={rule}") for part in ("--set", each)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    complete = [event for event in events if event["type"] == "crossval_complete"]
    if not complete:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    records = read_evaluations(Workspace(place), complete[0]["study_id"])
    return complete[0]["result"], records[-1][1], time.perf_counter() - began


def main() -> None:
    """Print a row for each rule of pooling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=["mias", "views"])
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="SETTING=VALUE")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "workspace"
        place.mkdir()
        data = asked.data
        settings = [
            f"crossval.repeats={asked.repeats}",
            "data.on_leak=group",
            "evaluation.decision_unit=patient",
            *asked.settings,
        ]
        if asked.which == "views":
            data = Path(folder) / "data"
            draw_views(data, asked.patients)
            settings.append(r"evaluation.patient_id=^(P\d+)_")
        first: EvaluationRecord | None = None
        for rule in RULES:
            result, record, seconds = crossval(data, place, rule, settings)
            name = str(result["target_class"])
            found = record.by_unit
            assert found is not None
            by_image, by_unit = record.evidence.figures[f"auc_roc.{name}"], found.evidence.figures[f"auc_roc.{name}"]
            said = f"{rule:10} by image {_figure(by_image)}  by patient {_figure(by_unit)}  {seconds:.0f} s"
            if first is None:
                first = record
                print(f"{name}: {found.evidence.n} units, {found.images} images", flush=True)
            else:
                said += f"  minus mean {_difference(record, first, name)}"
            print(said, flush=True)


def _figure(figure: object) -> str:
    value, low, high = (getattr(figure, name) for name in ("value", "low", "high"))
    return f"{value:.3f} ({low:.3f} to {high:.3f})" if None not in (value, low, high) else f"{value}"


def _difference(one: EvaluationRecord, other: EvaluationRecord, name: str) -> str:
    names = one.evidence.class_names
    assert [unit.name_sha256 for unit in one.units] == [unit.name_sha256 for unit in other.units]
    labels = np.array([names.index(unit.label) for unit in one.units])
    rows = [np.array([unit.probabilities for unit in record.units]) for record in (one, other)]
    pair = compare(labels, rows[0], rows[1], names, [unit.patient_sha256 for unit in one.units])[f"auc_roc.{name}"]
    return _figure(pair.difference)


if __name__ == "__main__":
    main()
