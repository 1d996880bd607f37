"""How far heat maps can be believed: their energy inside lesions, the pointing game, and what random weights leave.

    python benchmarks/heat_maps.py WORKSPACE CHECKPOINT IMAGES MASKS [--count 200] [--seed 0]

IMAGES and MASKS hold class folders; the mask of benign/x.png is benign/x_mask.png, further ones x_mask_1.png. Printed for
each class: the share of the map's energy inside the lesion, the share of pixels that the lesion covers (what a flat map
would have), the hits of the map's highest point, and the hits expected by chance, each with a 95 % interval by a
bootstrap of images; then the rank correlation of maps with those of a network whose weights were drawn anew.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn

from breastai.data.decode import read_image
from breastai.engine.checkpoint_io import Loaded, load_checkpoint
from breastai.engine.explain import explained
from breastai.engine.runtime import choose_runtime
from breastai.storage.checkpoints import find_checkpoint
from breastai.storage.workspace import Workspace


def mask_of(image: Path, masks: Path) -> np.ndarray | None:
    """Return where the lesions of an image are, (H, W), or None without a mask."""
    found = [read_image(path).max(axis=2) > 127 for path in sorted((masks / image.parent.name).glob("*_mask*"))
             if path.stem.partition("_mask")[0] == image.stem]  # fmt: skip
    return np.logical_or.reduce(found) if found else None


def interval(values: np.ndarray, seed: int, repetitions: int = 2000) -> str:
    """Return the mean with its 95 % interval by a bootstrap of images."""
    generator = np.random.default_rng(seed)
    means = values[generator.integers(0, len(values), (repetitions, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def randomised(loaded: Loaded) -> Loaded:
    """Return the checkpoint with every weight of its backbone and head drawn anew."""
    torch.manual_seed(0)
    for module in loaded.model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.LayerNorm):
            module.reset_parameters()
    return loaded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace")
    parser.add_argument("checkpoint")
    parser.add_argument("images", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--count", type=int, default=200, help="images of each class at most")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    files = find_checkpoint(Workspace.open(asked.workspace), asked.checkpoint)
    loaded, other = load_checkpoint(files), randomised(load_checkpoint(files))
    runtime = choose_runtime(loaded.manifest.config.system, use_amp=False)
    correlations: list[float] = []
    names = [name for name in loaded.manifest.class_names if name != "normal"]
    for name in names:
        rows: list[tuple[float, float, float]] = []
        for path in sorted((asked.images / name).glob("*.png"))[: asked.count]:
            mask = mask_of(path, asked.masks)
            if mask is None or not mask.any():
                continue
            image = read_image(path)
            heat, region, _, number = explained(loaded, image, runtime, name)
            inside = mask[region.top : region.top + region.height, region.left : region.left + region.width]
            if inside.shape != heat.shape:
                continue  # a mask of another size
            energy = float(heat[inside].sum() / heat.sum()) if heat.sum() else 0.0
            top = np.unravel_index(int(heat.argmax()), heat.shape)
            rows.append((energy, float(inside.mean()), float(inside[top])))
            if len(rows) <= 20:
                drawn, *_ = explained(other, image, runtime, loaded.manifest.class_names[number])
                small, there = (
                    cv2.resize(each, (14, 14), interpolation=cv2.INTER_AREA).ravel() for each in (heat, drawn)
                )
                correlations.append(float(spearmanr(small, there)[0]) if there.std() and small.std() else 0.0)
        energy, covered, hits = np.array(rows).T
        print(f"{name}: {len(rows)} images with a lesion")
        print(f"  energy in the lesion    {interval(energy, asked.seed)}, by chance {interval(covered, asked.seed)}")
        print(f"  energy above chance     {interval(energy - covered, asked.seed)}")
        print(
            f"  pointing game           {interval(hits, asked.seed)}, above chance {interval(hits - covered, asked.seed)}"
        )
    print(f"rank correlation with the maps of random weights: {interval(np.array(correlations), asked.seed)}")


if __name__ == "__main__":
    main()
