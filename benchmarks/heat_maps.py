"""How far heat maps can be believed: their energy inside lesions, the pointing game, and what random weights leave.

    python benchmarks/heat_maps.py WORKSPACE CHECKPOINT IMAGES MASKS [--count 200] [--draws 5] [--seed 0]

IMAGES and MASKS hold class folders; the mask of benign/x.png is benign/x_mask.png, further ones x_mask_1.png. Printed for
each class: the share of the map's energy inside the lesion, the share of pixels that the lesion covers (what a flat map
would have), the hits of the map's highest point, and the hits expected by chance, each with a 95 % interval by a
bootstrap of images. Then the same energy of networks whose every weight was drawn anew, the mean of several draws, the
paired difference, and the rank correlation of their maps with those of the trained one: the sanity check of Adebayo et
al., NeurIPS 2018. A map that is nowhere above zero counts as flat, and how many there were is said.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn

from breastai.data.decoders.decoder_table import read_image
from breastai.engine.inference.heat_maps import explain_image
from breastai.engine.network.checkpoint_io import Loaded, load_checkpoint
from breastai.engine.network.runtime import Runtime, choose_runtime
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


def randomised(loaded: Loaded, seed: int) -> Loaded:
    """Return the checkpoint with every weight of its backbone and head drawn anew."""
    torch.manual_seed(seed)
    for module in loaded.model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.LayerNorm):
            module.reset_parameters()
    return loaded


@dataclass(frozen=True)
class Found:
    """What maps showed of an image: `random` energies and correlations are means over the networks drawn anew."""

    energy: float
    covered: float
    hit: float
    random_energy: float
    random_hit: float
    correlation: float
    flat: int


def energy_of(heat: np.ndarray, inside: np.ndarray) -> float:
    """Return the share of the map's energy inside; of a map of zeros the share of pixels."""
    return float(heat[inside].sum() / heat.sum()) if heat.sum() else float(inside.mean())


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    small, there = (cv2.resize(each, (14, 14), interpolation=cv2.INTER_AREA).ravel() for each in (one, other))
    return float(spearmanr(small, there)[0]) if there.std() and small.std() else 0.0


def looked_at(
    path: Path, mask: np.ndarray, name: str, loaded: Loaded, others: list[Loaded], runtime: Runtime
) -> Found | None:
    """Return what the maps of class `name` show of an image; None where the mask is of another size."""
    image = read_image(path)
    heat, region, _, _ = explain_image(loaded, image, runtime, name)
    inside = mask[region.top : region.top + region.height, region.left : region.left + region.width]
    if inside.shape != heat.shape:
        return None
    drawn = [explain_image(other, image, runtime, name)[0] for other in others]
    # The highest place of a flat map is anywhere: its hit is what chance gives.
    hits = [float(inside.flat[each.argmax()]) if each.any() else float(inside.mean()) for each in (heat, *drawn)]
    return Found(
        energy=energy_of(heat, inside),
        covered=float(inside.mean()),
        hit=hits[0],
        random_energy=float(np.mean([energy_of(each, inside) for each in drawn])),
        random_hit=float(np.mean(hits[1:])),
        correlation=float(np.mean([likeness(heat, each) for each in drawn])),
        flat=sum(not each.any() for each in drawn),
    )


def tell(title: str, found: list[Found], seed: int) -> None:
    energy, covered, hits, random, random_hits, correlation = (
        np.array([getattr(each, name) for each in found])
        for name in ("energy", "covered", "hit", "random_energy", "random_hit", "correlation")
    )
    print(f"{title}: {len(found)} images with a lesion")
    print(f"  energy in the lesion    {interval(energy, seed)}, by chance {interval(covered, seed)}")
    print(f"  energy above chance     {interval(energy - covered, seed)}")
    print(f"  pointing game           {interval(hits, seed)}, above chance {interval(hits - covered, seed)}")
    print(f"  random weights: energy  {interval(random, seed)}, above chance {interval(random - covered, seed)}")
    print(f"    trained minus random  {interval(energy - random, seed)}")
    print(
        f"    pointing game         {interval(random_hits, seed)}, above chance {interval(random_hits - covered, seed)}"
    )
    print(f"    rank correlation      {interval(correlation, seed)}; flat maps {sum(each.flat for each in found)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace")
    parser.add_argument("checkpoint")
    parser.add_argument("images", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--count", type=int, default=200, help="images of each class at most")
    parser.add_argument("--draws", type=int, default=5, help="networks of random weights")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    files = find_checkpoint(Workspace.open(asked.workspace), asked.checkpoint)
    loaded = load_checkpoint(files)
    others = [randomised(load_checkpoint(files), number) for number in range(asked.draws)]
    runtime = choose_runtime(loaded.manifest.config.system, use_amp=False)
    everything: list[Found] = []
    for name in loaded.manifest.class_names:
        found: list[Found] = []
        for path in sorted((asked.images / name).glob("*.png"))[: asked.count]:
            mask = mask_of(path, asked.masks)
            one = None if mask is None or not mask.any() else looked_at(path, mask, name, loaded, others, runtime)
            if one is not None:
                found.append(one)
        if found:
            tell(name, found, asked.seed)
        everything += found
    tell("all", everything, asked.seed)


if __name__ == "__main__":
    main()
