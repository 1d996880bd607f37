"""Which images are referred as unlike the validation images: those of another kind, and those of the same kind.

    python benchmarks/out_of_distribution.py DATA [--trained-on busi mias idc] [--seeds 2] [--epochs 4] [--image-size 128]

DATA holds busi/train, mias/train and idc/train, class folders each; of mias and idc a file's name begins with its
patient. For each set and seed: a quarter of the patients (of BUSI, of the images) is held out, a quick model learns from
the rest, of which a fifth fits its decision rule, and every held-out image, every image of the other sets (at most 150)
and 60 drawn images of each foreign kind is predicted as users predict it. Printed: the share referred as unlike.
Nothing of the model, its limit included, has seen an image of the other kinds.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from foreign_images import KINDS, draw_foreign_images

from breastai.data.decoders.decoder import Decoded
from breastai.data.decoders.decoder_table import read_image
from breastai.data.pixels import Pixels
from breastai.domain.catalog import PRESETS
from breastai.domain.config import Config, overlay, parse_config
from breastai.domain.jobs import Train
from breastai.engine.inference.evaluation_job import AnsweringCheckpoint
from breastai.engine.network.checkpoint_io import load_checkpoint
from breastai.engine.network.runtime import choose_runtime
from breastai.engine.training.training_job import train
from breastai.predictor.predictions import prediction
from breastai.storage.checkpoints import find_checkpoint
from breastai.storage.workspace import Workspace

SETS = ("busi", "mias", "idc")
_MOST_IMAGES = 150
_DRAWN_IMAGES = 60
_HELD_OUT = 0.25


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/*") if path.is_file())


def patient_of(name: str, file: Path) -> str:
    """Return whose image it is; BUSI names no patients."""
    return file.stem if name == "busi" else file.name.partition("_")[0]


def part(name: str, data: Path, seed: int, folder: Path) -> list[Path]:
    """Copy the images to learn from to `folder`/train; return the others, held out by patient."""
    files = files_of(data / name / "train")
    patients = sorted({patient_of(name, file) for file in files})
    order = np.random.default_rng(seed).permutation(len(patients))
    away = {patients[place] for place in order[: round(_HELD_OUT * len(patients))]}
    for file in files:
        if patient_of(name, file) not in away:
            target = folder / "train" / file.parent.name
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    return [file for file in files if patient_of(name, file) in away]


def configuration(name: str, folder: Path, seed: int, epochs: int, image_size: int) -> Config:
    return parse_config(
        overlay(
            PRESETS["quick"],
            {
                "data": {
                    "train_dir": str(folder / "train"), "val_dir": None, "test_dir": None, "val_split": 0.2,
                    "image_size": image_size, "on_leak": "continue",
                },
                "training": {"epochs": epochs, "export_onnx": False},
                "evaluation": {"patient_id": None if name == "busi" else "^([^_]+)_"},
                "system": {"seed": seed},
                "storage": {"backup_after_run": False},
            },
        )
    )  # fmt: skip


def trained(name: str, folder: Path, seed: int, epochs: int, image_size: int) -> AnsweringCheckpoint:
    workspace = Workspace.open(folder / "workspace")
    config = configuration(name, folder, seed, epochs, image_size)
    list(train(Train(workspace=str(workspace.root), run_id="run", config=config), workspace))
    loaded = load_checkpoint(find_checkpoint(workspace, "run/best"))
    return AnsweringCheckpoint(loaded, choose_runtime(config.system, use_amp=False))


def share_unlike(model: AnsweringCheckpoint, images: Iterator[Pixels]) -> tuple[float, int]:
    """Return the share referred as unlike, and how many images there were."""
    reasons = [prediction(model, Decoded(image), "image").refer_reason for image in images]
    return reasons.count("unlike") / len(reasons), len(reasons)


def some(files: Sequence[Path]) -> Iterator[Pixels]:
    order = np.random.default_rng(0).permutation(len(files))[:_MOST_IMAGES]
    return (read_image(files[place]) for place in sorted(order.tolist()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--trained-on", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--image-size", type=int, default=128)
    given = parser.parse_args()
    for name in given.trained_on:
        for seed in range(given.seeds):
            with tempfile.TemporaryDirectory() as folder:
                held_out = part(name, given.data, seed, Path(folder))
                model = trained(name, Path(folder), seed, given.epochs, given.image_size)
                limit = model.decision.novelty
                print(f"trained on {name}, seed {seed}, limit from {limit.n if limit else 0} images", flush=True)
                sources: dict[str, Iterator[Pixels]] = {"held out": (read_image(file) for file in held_out)}
                sources |= {other: some(files_of(given.data / other / "train")) for other in SETS if other != name}
                sources |= {kind: iter(draw_foreign_images(kind, _DRAWN_IMAGES, seed)) for kind in KINDS}
                for kind, images in sources.items():
                    share, count = share_unlike(model, images)
                    print(f"  {kind:12s} {share:6.1%} of {count}", flush=True)


if __name__ == "__main__":
    main()
