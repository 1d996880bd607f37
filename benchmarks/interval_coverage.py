"""How often the 95 % intervals hold the truth: simulated cases, alone and several for each patient.

python benchmarks/interval_coverage.py [--repetitions 1000]

Scores are binormal: +separation for a positive case, a patient's own shift shared by all of the patient's images
(`likeness` is the correlation of two of them), and noise. So the true AUC, sensitivity, specificity and kappa are known.
`naive` is the interval that takes every image for a case of its own: Wilson's, DeLong's, a bootstrap of images.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from breastai.clinical.bootstrap import bootstrap
from breastai.clinical.intervals import Clusters, Estimate, auc, proportion
from breastai.clinical.weighted import agreement, confusions

SEPARATION = 1.6
THRESHOLD = 0.8
FIGURES = ("auc", "sensitivity", "specificity", "kappa")


@dataclass(frozen=True)
class Design:
    """`images`: fewest and most of a patient; `mixed`: share of patients whose images draw their label one by one."""

    name: str
    patients: int
    images: tuple[int, int]
    prevalence: float = 0.35
    likeness: float = 0.0
    mixed: float = 0.0


DESIGNS = (
    Design("100 images, alone", 100, (1, 1)),
    Design("300 images, alone", 300, (1, 1), prevalence=0.2),
    Design("40 patients, 3 to 5 images", 40, (3, 5), likeness=0.6),
    Design("100 patients, 3 to 5 images", 100, (3, 5), likeness=0.6),
    Design("100 patients, 3 to 5 images, labels mixed", 100, (3, 5), likeness=0.6, mixed=0.5),
    Design("250 patients, 1 to 5 images, rare", 250, (1, 5), prevalence=0.15, likeness=0.4, mixed=0.1),
)

Cases = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def draw(design: Design, generator: np.random.Generator) -> tuple[Cases, Floats, Clusters]:
    """Return labels, scores and patients of one simulated test set."""
    sizes = generator.integers(design.images[0], design.images[1] + 1, design.patients)
    clusters = np.repeat(np.arange(design.patients), sizes)
    ill = generator.random(design.patients) < design.prevalence
    mixed = generator.random(design.patients) < design.mixed
    single = generator.random(len(clusters)) < design.prevalence
    positive = np.where(mixed[clusters], single, ill[clusters])
    own_shift = generator.normal(size=design.patients)[clusters] * np.sqrt(design.likeness)
    noise = generator.normal(size=len(clusters)) * np.sqrt(1 - design.likeness)
    return positive, SEPARATION * positive + own_shift + noise, clusters


def truth(design: Design) -> dict[str, float]:
    """Return the true figures of the scores `draw` makes."""
    sensitivity, specificity = stats.norm.sf(THRESHOLD - SEPARATION), stats.norm.cdf(THRESHOLD)
    p = design.prevalence
    agreed = p * sensitivity + (1 - p) * specificity
    called = p * sensitivity + (1 - p) * (1 - specificity)
    by_chance = p * called + (1 - p) * (1 - called)
    return {
        "auc": float(stats.norm.cdf(SEPARATION / np.sqrt(2))),
        "sensitivity": float(sensitivity),
        "specificity": float(specificity),
        "kappa": float((agreed - by_chance) / (1 - by_chance)),
    }


def estimates(
    positive: Cases, scores: Floats, clusters: Clusters | None, repetitions: int, seed: int
) -> dict[str, Estimate]:
    """Return the estimates of one test set; `clusters` None takes every image for a case of its own."""
    called = scores >= THRESHOLD

    def kappa(weights: Floats) -> dict[str, Floats]:
        return agreement(confusions(weights, positive.astype(np.int64), called.astype(np.int64), 2))

    every_case = np.arange(len(positive)) if clusters is None else clusters
    return {
        "auc": auc(positive, scores, clusters),
        "sensitivity": proportion(called[positive], None if clusters is None else clusters[positive]),
        "specificity": proportion(~called[~positive], None if clusters is None else clusters[~positive]),
        "kappa": bootstrap(kappa, every_case, repetitions=repetitions, seed=seed)["cohen_kappa"],
    }


def coverage(
    design: Design, repetitions: int, bootstraps: int = 2000, seed: int = 0, naive: bool = False
) -> dict[str, float]:
    """Return, for each figure, the share of simulated test sets whose interval holds the truth."""
    expected = truth(design)
    held = dict.fromkeys(FIGURES, 0)
    for positive, scores, clusters in _test_sets(design, repetitions, seed):
        alone = naive or design.images == (1, 1)
        for name, estimate in estimates(positive, scores, None if alone else clusters, bootstraps, seed).items():
            # An interval that could not be given holds nothing.
            held[name] += (
                estimate.low is not None
                and estimate.high is not None
                and estimate.low <= expected[name] <= estimate.high
            )
    return {name: count / repetitions for name, count in held.items()}


def _test_sets(design: Design, repetitions: int, seed: int) -> Iterator[tuple[Cases, Floats, Clusters]]:
    generator = np.random.default_rng(seed)
    for _ in range(repetitions):
        yield draw(design, generator)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--bootstraps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"{'':44}" + "".join(f"{name:>13}" for name in FIGURES))
    for design in DESIGNS:
        for naive in (False, True) if design.images != (1, 1) else (False,):
            shares = coverage(design, arguments.repetitions, arguments.bootstraps, arguments.seed, naive)
            name = f"  naive: {design.name}" if naive else design.name
            print(f"{name[:44]:44}" + "".join(f"{share:13.3f}" for share in shares.values()), flush=True)


if __name__ == "__main__":
    main()
