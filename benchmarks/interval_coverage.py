"""How often the 95 % intervals hold the truth: every interval an evaluation or a comparison prints, on simulated cases.

python benchmarks/interval_coverage.py [--repetitions 1000] [--patients 30 60 150] [--auc 0.85 0.92 0.98] [--markdown]

Scores are binormal: +separation for a positive case, a patient's own shift shared by all of the patient's images
(`likeness` is the correlation of two of them), and noise; the model's probabilities are the true ones. `sensitivity` sets
the operating point. A second model, for comparisons, sees the same cases with more noise. The truth is that of a million
cases. One patient in three or so has the disease, and all of a patient's images share it.

A figure whose interval is missing or flagged is counted apart: `flagged` is their share, and the coverage is that of the
others. A figure below LEAST is marked with a star.
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from breastai.clinical.evidence import evaluate
from breastai.clinical.intervals import Clusters
from breastai.clinical.judgement import compare
from breastai.clinical.operating_point import predictive_values
from breastai.domain.evidence import Figure

LEAST = 0.93
NAMES = ("negative", "positive")
# How well the second model's scores follow the first's.
FOLLOWING = 0.7

Cases = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """`images`: fewest and most of a patient; `sensitivity`: of the operating point."""

    patients: int
    images: tuple[int, int] = (1, 1)
    auc: float = 0.92
    sensitivity: float = 0.95
    prevalence: float = 0.3
    likeness: float = 0.6

    @property
    def separation(self) -> float:
        return float(stats.norm.ppf(self.auc) * np.sqrt(2))

    @property
    def threshold(self) -> float:
        """The probability from which the operating point calls."""
        return float(self.probability(np.array([self.separation - stats.norm.ppf(self.sensitivity)]))[0])

    def probability(self, scores: Floats) -> Floats:
        odds = self.separation * scores - self.separation**2 / 2 + special.logit(self.prevalence)
        chances: Floats = special.expit(odds)
        return chances


@dataclass(frozen=True)
class TestSet:
    """Labels (N,), the probabilities of the positive class of both models (N,), and the patient of each case."""

    labels: npt.NDArray[np.int64]
    first: Floats
    second: Floats
    clusters: Clusters


def draw(design: Design, generator: np.random.Generator) -> TestSet:
    """Return one simulated test set that has both classes."""
    while True:
        sizes = generator.integers(design.images[0], design.images[1] + 1, design.patients)
        clusters = np.repeat(np.arange(design.patients), sizes)
        positive = (generator.random(design.patients) < design.prevalence)[clusters]
        if positive.any() and not positive.all():
            break
    shared = [generator.normal(size=design.patients)[clusters] for _ in range(2)]
    single = [generator.normal(size=len(clusters)) for _ in range(2)]
    one, other = (
        np.sqrt(design.likeness) * own + np.sqrt(1 - design.likeness) * noise
        for own, noise in zip(shared, single, strict=True)
    )
    shift = design.separation * positive
    second = shift + FOLLOWING * one + np.sqrt(1 - FOLLOWING**2) * other - 0.15 * shift
    return TestSet(positive.astype(np.int64), design.probability(shift + one), design.probability(second), clusters)


def figures(design: Design, cases: TestSet, draws: int, alone: bool = False, pairs: bool = True) -> dict[str, Figure]:
    """Return every figure with an interval that an evaluation and a comparison print; `alone`: no patient is known."""
    patients = None if alone else cases.clusters.astype(str).tolist()
    clusters = None if alone else cases.clusters
    both = [np.stack([1 - chances, chances], axis=1) for chances in (cases.first, cases.second)]
    points = {"positive": design.threshold}
    found = evaluate(cases.labels, both[0], NAMES, patients, thresholds=points, repetitions=draws)
    found |= predictive_values(cases.labels == 1, cases.first, design.threshold, clusters=clusters)
    if pairs:
        compared = compare(cases.labels, both[0], both[1], NAMES, patients)
        found |= {f"difference of {name}": pair.difference for name, pair in compared.items()}
    return {name: figure for name, figure in found.items() if not name.endswith(".negative") and "@" not in name}


@cache
def truth(design: Design, cases: int = 500_000) -> dict[str, float]:
    """Return the true figures, as a great many cases that stand alone show them."""
    many = draw(replace(design, patients=cases, images=(1, 1)), np.random.default_rng(1))
    found = {name: figure.value for name, figure in figures(design, many, 1, alone=True, pairs=False).items()}
    both = [np.stack([1 - chances, chances], axis=1) for chances in (many.first, many.second)]
    one, other = (evaluate(many.labels, scores, NAMES, repetitions=1) for scores in both)
    for name in (
        "accuracy",
        "balanced_accuracy",
        "f1.macro",
        "cohen_kappa",
        "auc_roc.macro",
        "auc_roc.positive",
        "brier",
    ):
        found[f"difference of {name}"] = (one[name].value or 0.0) - (other[name].value or 0.0)
    return {name: value for name, value in found.items() if value is not None}


@dataclass
class Tally:
    """Of one figure: how often its interval held the truth, was flagged or missing, and how wide it was."""

    held: int = 0
    given: int = 0
    flagged: int = 0
    width: float = 0.0

    def count(self, figure: Figure, expected: float) -> None:
        if figure.flag is not None or figure.low is None or figure.value is None:
            self.flagged += 1
            return
        high = np.inf if figure.high is None else figure.high
        self.given += 1
        self.held += figure.low <= expected <= high
        self.width += high - figure.low

    @property
    def coverage(self) -> float:
        return self.held / self.given if self.given else float("nan")


def coverage(
    design: Design,
    repetitions: int,
    draws: int = 2000,
    seed: int = 0,
    alone: bool = False,
    cases: int = 500_000,
) -> dict[str, Tally]:
    """Return, for each figure, how its interval fared on simulated test sets; the truth is that of `cases`."""
    expected = truth(replace(design, patients=1, images=(1, 1)), cases)
    tallies: dict[str, Tally] = defaultdict(Tally)
    generator = np.random.default_rng(seed)
    for _ in range(repetitions):
        found = figures(design, draw(design, generator), draws, alone)
        for name, figure in found.items():
            if name in expected:
                tallies[name].count(figure, expected[name])
    return dict(tallies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=2000, help="matrices drawn for kappa, MCC and macro F1")
    parser.add_argument("--patients", type=int, nargs="*", default=[30, 60, 150])
    parser.add_argument("--images", type=int, nargs="*", default=[1, 4], help="most images of a patient")
    parser.add_argument("--auc", type=float, nargs="*", default=[0.85, 0.92, 0.98])
    parser.add_argument("--sensitivity", type=float, nargs="*", default=[0.90, 0.95, 0.99])
    parser.add_argument("--likeness", type=float, default=0.6)
    parser.add_argument("--alone", action="store_true", help="take every image for a case of its own")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    columns: dict[str, dict[str, Tally]] = {}
    for patients in options.patients:
        for most in options.images:
            for area, sensitivity in zip(options.auc, options.sensitivity, strict=True):
                design = Design(patients, (1, most), area, sensitivity, likeness=options.likeness)
                heading = f"{patients}x{most} {area:g}"
                columns[heading] = coverage(design, options.repetitions, options.draws, options.seed, options.alone)
                lowest = {name: tally for name, tally in columns[heading].items() if tally.coverage < LEAST}
                below = ", ".join(f"{name} {tally.coverage:.3f}" for name, tally in lowest.items())
                print(f"# {heading}: below {LEAST}: {below or 'none'}", flush=True)
    names = list(next(iter(columns.values())))
    print(f"| figure | {' | '.join(columns)} | flagged at most |")
    print("|---" * (len(columns) + 2) + "|")
    for name in names:
        tallies = [column[name] for column in columns.values()]
        cells = [f"{tally.coverage:.3f}{'*' * (tally.coverage < LEAST)}" for tally in tallies]
        flagged = max(tally.flagged / max(1, tally.flagged + tally.given) for tally in tallies)
        print(f"| {name} | {' | '.join(cells)} | {flagged:.2f} |")


if __name__ == "__main__":
    main()
