"""Whole images against crops of the marked lesion: both cross-validated on the same folds, compared image by image.

Classes without a lesion have no mark and would be told by the crop itself, so only the classes named are used. Masks
are copied beside the images as NAME_mask.png, where the recipe looks for them.

    python benchmarks/lesion_crops.py IMAGES MASKS FOLDER [--classes benign malignant] [--preset probe] [--folds 5]
"""

import argparse
import shutil
from pathlib import Path

import numpy as np

from breastai.cli import run
from breastai.clinical.evidence import compare
from breastai.clinical.model_comparison import ComparedModels, DecisionPoints, make_comparison
from breastai.domain.records import EvaluationRecord
from breastai.storage.evaluations import read_evaluations
from breastai.storage.workspace import Workspace

WAYS = {"whole": "off", "crop": "marked"}
SHOWN = ("auc_roc.{target}", "brier", "accuracy")


def copy_images(images: Path, masks: Path, folder: Path, classes: list[str]) -> int:
    """Copy the marked images of `classes`, each with its mask beside it; return how many."""
    outlines = {path.name: path for path in masks.rglob("*_mask.png")}
    count = 0
    for path in sorted(images.rglob("*.png")):
        mask = outlines.get(f"{path.stem}_mask.png")
        if path.parent.name.lower() not in classes or mask is None:
            continue
        to = folder / path.relative_to(images)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)
        shutil.copyfile(mask, to.parent / mask.name)
        count += 1
    return count


def cross_validated(workspace: Workspace, data: Path, way: str, preset: str, folds: int) -> EvaluationRecord:
    """Return the held-out predictions of all folds together, each image shown whole or cropped."""
    before = set(workspace.logs_dir.iterdir())
    options = ["--data", str(data), "--preset", preset, "--folds", str(folds), "--workspace", str(workspace.root)]
    settings = ["--set", "data.on_leak=group", "--set", f"preprocessing.lesion_crop={WAYS[way]}"]
    if run(["crossval", *options, *settings]) != 0:
        raise SystemExit(f"the cross-validation of {way} failed")
    (study,) = [path.parent.name for path in workspace.logs_dir.glob("*/study.json") if path.parent not in before]
    return read_evaluations(workspace, study)[-1][1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("images", "masks", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--classes", nargs="+", default=["benign", "malignant"])
    parser.add_argument("--target", default="malignant")
    parser.add_argument("--preset", default="probe")
    parser.add_argument("--folds", type=int, default=5)
    chosen = parser.parse_args()
    data = chosen.folder.resolve() / "images"
    print(f"{copy_images(chosen.images, chosen.masks, data, chosen.classes)} images with a mark")
    workspace = Workspace.open(chosen.folder / "workspace")
    records = {way: cross_validated(workspace, data, way, chosen.preset, chosen.folds) for way in WAYS}
    names = records["whole"].evidence.class_names
    of_crop = {case.name_sha256: case for case in records["crop"].cases}
    pairs = [(case, of_crop[case.name_sha256]) for case in records["whole"].cases]
    labels = np.array([names.index(case.label) for case, _ in pairs])
    first, second = (np.array([pair[side].probabilities for pair in pairs]) for side in (1, 0))
    groups = [case.patient_sha256 or case.name_sha256 for case, _ in pairs]
    found = compare(labels, first, second, names, groups)
    target = names.index(chosen.target)
    points = {way: record.evidence.operating_point for way, record in records.items()}
    print("\n| figure | crop | whole | crop - whole (95 % interval) |\n|---|---|---|---|")
    rows = {name: found[name] for name in (each.format(target=chosen.target) for each in SHOWN) if name in found}
    thresholds = [points[way].threshold if points[way] else None for way in ("crop", "whole")]  # type: ignore[union-attr]
    if None not in thresholds:
        models = ComparedModels(
            first_name="crop", second_name="whole", data="images", labels=labels, first=first, second=second,
            class_names=names, patients=groups, points=DecisionPoints(names[target], thresholds[0] or 0, thresholds[1] or 0, "model"),
        )  # fmt: skip
        decisions = make_comparison(workspace, models, {}, []).decisions
        rows |= {} if decisions is None else {name: each for name, each in decisions.figures.items() if "@" not in name}
    for name, figure in rows.items():
        difference = figure.difference
        shown = [
            f"{value:.3f}" if value is not None else "-" for value in (figure.first, figure.second, difference.value)
        ]
        print(f"| {name} | {shown[0]} | {shown[1]} | {shown[2]} ({difference.low:.3f} to {difference.high:.3f}) |")
    print(f"\n{len(labels)} images, {len(set(groups))} independent groups")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
