"""Large mammograms, thousands of them: seconds, processor time and memory of audit, cache, training and evaluation.

The images are films of a folder enlarged to 4000 x 3000 with noise, 16 bits of grey as PNG, a film of each patient and four
of five to train. Target: 2,000 of them, with memory that the number of images does not decide; each takes 17 MB of disk.

    python benchmarks/large_mammograms.py FOLDER --from shared/data/mias/train [--images 2000] [--keep]
"""

import argparse
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from many_patches import watch

HEIGHT, WIDTH = 4000, 3000
SETTINGS = (
    *("data.on_leak=continue", "storage.backup_after_run=false", "evaluation.target_class=malignant"),
    r"evaluation.patient_id=^(P\d+)_",
)


def draw(folder: Path, source: Path, count: int) -> None:
    """Write the films, each turned, cut and noisy in its own way, so that no two are twins of one exposure."""
    files = sorted(source.rglob("*.png"))

    def write(number: int) -> None:
        generator = np.random.default_rng(number)
        file = files[number % len(files)]
        film = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)).astype(np.float32)
        height, width = film.shape
        top, left = (int(generator.integers(side // 8)) for side in film.shape)
        film = film[top : top + height * 7 // 8, left : left + width * 7 // 8]
        film = np.ascontiguousarray(film[:, ::-1] if generator.random() < 0.5 else film)
        noise = generator.standard_normal((HEIGHT, WIDTH), dtype=np.float32)
        large = cv2.resize(film, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.float32) * 16
        large = large + cv2.GaussianBlur(noise, (0, 0), 1.5).astype(np.float32) * 40
        split = "train" if number % 5 else "test"
        target = folder / split / file.parent.name / f"P{number:05}_{file.stem[-6:]}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        content = cv2.imencode(".png", np.clip(large, 0, 4095).astype(np.uint16), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        target.write_bytes(content.tobytes())

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(count)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--architecture", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--keep", action="store_true")
    chosen = parser.parse_args()
    images, workspace = chosen.folder / "films", chosen.folder / "workspace"
    if not images.is_dir():
        began = time.monotonic()
        draw(images, chosen.source, chosen.images)
        print(f"{time.monotonic() - began:7.1f} s  drawn", flush=True)
    workspace.mkdir(exist_ok=True)
    settings = [f"model.architecture={chosen.architecture}", f"data.image_size={chosen.size}", "model.pretrained=none"]
    options = [item for each in (*SETTINGS, *settings) for item in ("--set", each)]
    breastai, place = [sys.executable, "-m", "breastai"], ["--workspace", str(workspace), "--json"]
    steps = {
        "audit": ["audit", str(images)],
        "train": ["train", "--data", str(images), "--epochs", "1", *options],
        "evaluate": ["evaluate", "latest", "--data", str(images), "--split", "test"],
        "predict": ["predict", "latest", str(images / "test")],
    }
    for name, step in steps.items():
        print(name, flush=True)
        watch([*breastai, *step, *place])
    if not chosen.keep:
        shutil.rmtree(images)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
