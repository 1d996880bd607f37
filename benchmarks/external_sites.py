"""External validation on made-up sites with a device shift: what the frozen point loses and a re-fitted one gets back.

Phantoms of two classes, each site with a device of its own: gain, gamma, blur and noise. A model is trained on half of
the sites and judged on the other half.

    python benchmarks/external_sites.py FOLDER [--epochs 12] [--patients 60] [--image-size 64]
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from breastai.cli import run
from breastai.data.phantoms.phantom_dataset import phantom

CLASSES = ("benign", "malignant")


@dataclass(frozen=True)
class Device:
    """How a made-up device shows a phantom: brightness is gain * light ** gamma, blurred by `blur` pixels, with noise."""

    name: str
    gain: float
    gamma: float
    blur: float
    noise: float


TRAINED = (Device("a", 1.0, 1.0, 0.3, 4), Device("b", 1.1, 0.9, 0.5, 6), Device("c", 0.9, 1.1, 0.4, 5))
JUDGED = (Device("d", 1.0, 1.0, 0.4, 5), Device("e", 1.3, 0.7, 1.0, 10), Device("f", 1.6, 0.6, 1.6, 10))


def draw_site(folder: Path, device: Device, patients: int, image_size: int, seed: int) -> None:
    """Write two images of each of `patients` patients, half of each class, as CLASS/P0001_1.png."""
    generator = np.random.default_rng(seed)
    for number in range(patients):
        label = CLASSES[number % 2]
        for view in (1, 2):
            light = phantom(label, generator, 2 * image_size).astype(np.float64) / 255
            shown = device.gain * cv2.GaussianBlur(light, (0, 0), device.blur) ** device.gamma
            noisy = shown * 255 + generator.normal(0, device.noise, shown.shape)
            target = folder / label / f"{device.name}{number:04d}_{view}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(target), np.clip(noisy, 0, 255).astype(np.uint8))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--patients", type=int, default=60, help="of each site")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--architecture", default="tf_efficientnet_lite0")
    chosen = parser.parse_args()
    root = chosen.folder.resolve()
    for number, device in enumerate(TRAINED):
        draw_site(root / "train_sites", device, chosen.patients, chosen.image_size, number)
    for number, device in enumerate(JUDGED):
        draw_site(root / f"site_{device.name}", device, chosen.patients, chosen.image_size, 100 + number)
    workspace = root / "workspace"
    settings = {
        "model.architecture": chosen.architecture,
        "data.image_size": chosen.image_size,
        "data.val_split": 0.3,
        "data.num_workers": 0,
        "data.batch_size": 16,
        "evaluation.patient_id": r"^([a-z]\d+)_",
        "training.learning_rate": 0.001,
        "system.num_threads": 1,
    }
    asked = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    train = ["train", "--data", str(root / "train_sites"), "--epochs", str(chosen.epochs), *asked]
    if status := run([*train, "--workspace", str(workspace)]):
        return status
    sites = [part for device in JUDGED for part in ("--data", str(root / f"site_{device.name}"))]
    return run(["evaluate", "latest", *sites, "--local-sample", "0.4", "--workspace", str(workspace)])


if __name__ == "__main__":
    raise SystemExit(main())
