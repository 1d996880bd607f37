"""How often the interval of a cross-validated figure holds the truth: plain, pooled, and Nadeau and Bengio's.

python benchmarks/crossval_coverage.py [--repetitions 400] [--cases 150] [--folds 5] [--repeats 1]

Data sets of two classes in 10 dimensions; a linear discriminant learns from each fold's training images. The truth is
the mean figure of the discriminant on endless images over training sets of a fold's size: that of the method, of which
the figure of one data set's folds is an estimate. "plain": Student's interval of the folds as if they were independent.
"pooled": the interval of the AUC of all held-out cases, which knows nothing of training.
"""

import argparse

import numpy as np
from scipy import special, stats

from breastai.clinical.intervals import auc
from breastai.clinical.run_spread import corrected_half_width

DIMENSIONS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=1)
    asked = parser.parse_args()
    generator = np.random.default_rng(1)
    train = round(asked.cases * (1 - 1 / asked.folds))
    for effect in (0.25, 0.5):
        truth = float(np.mean([true_auc(direction(*draw(generator, train, effect)), effect) for _ in range(2000)]))
        held = dict.fromkeys(("plain", "pooled", "corrected"), 0)
        widths = dict.fromkeys(held, 0.0)
        for _ in range(asked.repetitions):
            bounds = intervals(*draw(generator, asked.cases, effect), asked.folds, asked.repeats, generator)
            for name, (low, high) in bounds.items():
                held[name] += low <= truth <= high
                widths[name] += high - low
        shown = {
            name: (round(held[name] / asked.repetitions, 3), round(widths[name] / asked.repetitions, 3))
            for name in held
        }
        print(
            f"{asked.cases} cases, {asked.folds} folds x {asked.repeats}, AUC {truth:.3f}: coverage and width {shown}"
        )


def draw(generator: np.random.Generator, cases: int, effect: float) -> tuple[np.ndarray, np.ndarray]:
    positive = np.arange(cases) % 10 < 4
    return generator.normal(size=(cases, DIMENSIONS)) + effect * positive[:, None], positive


def direction(features: np.ndarray, positive: np.ndarray) -> np.ndarray:
    means = features[positive].mean(axis=0) - features[~positive].mean(axis=0)
    centred = np.where(
        positive[:, None], features - features[positive].mean(axis=0), features - features[~positive].mean(axis=0)
    )
    return np.linalg.solve(centred.T @ centred / (len(features) - 2), means)


def true_auc(weights: np.ndarray, effect: float) -> float:
    """Return the area on endless images: the classes' scores are normal with one spread."""
    return float(special.ndtr(effect * weights.sum() / np.linalg.norm(weights) / np.sqrt(2)))


def intervals(
    features: np.ndarray, positive: np.ndarray, folds: int, repeats: int, generator: np.random.Generator
) -> dict[str, tuple[float, float]]:
    areas, scores = [], np.zeros(len(positive))
    for _ in range(repeats):
        part = np.empty(len(positive), dtype=int)
        for own in (positive, ~positive):
            part[own] = generator.permutation(np.arange(own.sum()) % folds)
        for fold in range(folds):
            out = part == fold
            weights = direction(features[~out], positive[~out])
            own_scores = features[out] @ weights / np.linalg.norm(weights)
            scores[out] += own_scores
            areas.append(auc(positive[out], own_scores).value)
    known = [area for area in areas if area is not None]
    mean, deviation, runs = float(np.mean(known)), float(np.std(known, ddof=1)), len(areas)
    plain = float(stats.t.ppf(0.975, runs - 1)) * deviation / np.sqrt(runs)
    corrected = corrected_half_width(deviation, runs, 1 / (folds - 1))
    pooled = auc(positive, scores)
    assert pooled.low is not None and pooled.high is not None
    return {
        "plain": (mean - plain, mean + plain),
        "pooled": (pooled.low, pooled.high),
        "corrected": (mean - corrected, mean + corrected),
    }


if __name__ == "__main__":
    main()
