"""How often the 95 % intervals hold the truth: every interval an evaluation or a comparison prints, on simulated cases.

python benchmarks/interval_coverage.py [--repetitions 1000] [--minutes 12] [--patients 30 60 100 150]

Scores are binormal: +separation for a positive case, a patient's own shift shared by all of the patient's images
(`likeness` is the correlation of two of them), and noise; the model's probabilities are the true ones. `sensitivity` sets
the operating point. A second model, for comparisons, sees the same cases with more noise. The truth is that of many
cases. One patient in three or so has the disease, and all of a patient's images share it.

A figure whose interval is missing or flagged is counted apart: `flagged` is their share, and the coverage is that of the
others. A figure below LEAST is marked with a star.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from breastai.clinical.evidence import compare
from breastai.clinical.intervals import Clusters
from breastai.clinical.metric_intervals import evaluate
from breastai.clinical.operating_point import predictive_values
from breastai.domain.records import Figure

LEAST = 0.93
NAMES = ("negative", "positive", "other")
# How well the second model's scores follow the first's.
FOLLOWING = 0.7
# Test sets of a regime before the next regime has its turn, so that a run cut short has seen all alike.
PART = 25
# The fewest intervals whose coverage is printed.
FEWEST = 50

Cases = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """`images`: fewest and most of a patient; `sensitivity`: of the operating point, with two classes.

    With three `classes` half of the patients without the disease have something else, as far away on a second scale.
    """

    patients: int
    images: tuple[int, int] = (1, 1)
    auc: float = 0.92
    sensitivity: float = 0.95
    prevalence: float = 0.3
    likeness: float = 0.6
    classes: int = 2

    @property
    def separation(self) -> float:
        return float(stats.norm.ppf(self.auc) * np.sqrt(2))

    @property
    def threshold(self) -> float:
        """The probability from which the operating point calls."""
        score = self.separation - stats.norm.ppf(self.sensitivity)
        odds = self.separation * score - self.separation**2 / 2 + special.logit(self.prevalence)
        return float(special.expit(odds))

    def probabilities(self, scores: Floats) -> Floats:
        """Return the true probabilities of the classes (N, classes); `scores` (N, 2), one column for each scale."""
        rest = (1 - self.prevalence) / (self.classes - 1)
        odds = np.zeros((len(scores), self.classes))
        odds[:, 1:] = self.separation * scores[:, : self.classes - 1] - self.separation**2 / 2
        odds += np.log([rest, self.prevalence, rest][: self.classes])
        chances: Floats = special.softmax(odds, axis=1)
        return chances


@dataclass(frozen=True)
class TestSet:
    """Labels (N,), the probabilities of both models (N, classes), and the patient of each case."""

    labels: npt.NDArray[np.int64]
    first: Floats
    second: Floats
    clusters: Clusters


def draw(design: Design, generator: np.random.Generator) -> TestSet:
    """Return one simulated test set that has every class."""
    while True:
        sizes = generator.integers(design.images[0], design.images[1] + 1, design.patients)
        clusters = np.repeat(np.arange(design.patients), sizes)
        kinds = (generator.random(design.patients) < design.prevalence).astype(np.int64)
        if design.classes > 2:
            kinds[(kinds == 0) & (generator.random(design.patients) < 0.5)] = 2
        if len(np.unique(kinds)) == design.classes:
            break
    labels = kinds[clusters]
    shared = [generator.normal(size=(design.patients, 2))[clusters] for _ in range(2)]
    single = [generator.normal(size=(len(clusters), 2)) for _ in range(2)]
    one, other = (
        np.sqrt(design.likeness) * own + np.sqrt(1 - design.likeness) * noise
        for own, noise in zip(shared, single, strict=True)
    )
    shift = design.separation * (labels[:, None] == [1, 2])
    second = shift + FOLLOWING * one + np.sqrt(1 - FOLLOWING**2) * other - 0.15 * shift
    return TestSet(labels, design.probabilities(shift + one), design.probabilities(second), clusters)


def figures(design: Design, cases: TestSet, draws: int, alone: bool = False, pairs: bool = True) -> dict[str, Figure]:
    """Return every figure with an interval that an evaluation and a comparison print; `alone`: no patient is known."""
    patients = None if alone else cases.clusters.astype(str).tolist()
    clusters = None if alone else cases.clusters
    both, names = (cases.first, cases.second), NAMES[: design.classes]
    points = {"positive": design.threshold}
    found = evaluate(cases.labels, both[0], names, patients, thresholds=points, repetitions=draws)
    found |= predictive_values(cases.labels == 1, cases.first[:, 1], design.threshold, clusters=clusters)
    if pairs:
        compared = compare(cases.labels, both[0], both[1], names, patients)
        found |= {f"difference of {name}": pair.difference for name, pair in compared.items()}
    return {name: figure for name, figure in found.items() if not name.endswith((".negative", ".other"))}


@cache
def truth(design: Design, cases: int = 200_000) -> dict[str, float]:
    """Return the true figures, as a great many cases that stand alone show them."""
    many = draw(replace(design, patients=cases, images=(1, 1)), np.random.default_rng(1))
    found = {name: figure.value for name, figure in figures(design, many, 1, alone=True, pairs=False).items()}
    names = NAMES[: design.classes]
    one, other = (evaluate(many.labels, scores, names, repetitions=1) for scores in (many.first, many.second))
    for name in (
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
        "cohen_kappa",
        "auc_roc",
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

    def add(self, other: "Tally") -> None:
        self.held += other.held
        self.given += other.given
        self.flagged += other.flagged
        self.width += other.width

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
    cases: int = 200_000,
) -> dict[str, Tally]:
    """Return, for each figure, how its interval fared on simulated test sets; the truth is that of `cases`."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    count_into(tallies, design, repetitions, draws, seed, alone, cases)
    return dict(tallies)


def count_into(
    tallies: dict[str, Tally],
    design: Design,
    repetitions: int,
    draws: int,
    seed: int | Sequence[int],
    alone: bool,
    cases: int,
) -> None:
    """Count, for each figure, how its interval fares on so many more simulated test sets."""
    expected = truth(replace(design, patients=1, images=(1, 1)), cases)
    generator = np.random.default_rng(seed)
    for _ in range(repetitions):
        found = figures(design, draw(design, generator), draws, alone)
        for name, figure in found.items():
            if name in expected:
                tallies[name].count(figure, expected[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no further round after so long")
    parser.add_argument("--cases", type=int, default=200_000, help="cases that the truth is read from")
    parser.add_argument("--draws", type=int, default=2000, help="matrices drawn for kappa, MCC and macro F1")
    parser.add_argument("--patients", type=int, nargs="*", default=[30, 60, 100, 150])
    parser.add_argument("--images", type=int, nargs="*", default=[1, 4], help="most images of a patient")
    parser.add_argument("--auc", type=float, nargs="*", default=[0.85, 0.92, 0.98])
    parser.add_argument("--sensitivity", type=float, nargs="*", default=[0.90, 0.95, 0.99])
    parser.add_argument("--likeness", type=float, default=0.6)
    parser.add_argument("--classes", type=int, default=2, choices=[2, 3])
    parser.add_argument("--alone", action="store_true", help="take every image for a case of its own")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    designs = {
        f"{patients}x{most} {area:g}": Design(
            patients, (1, most), area, sensitivity, likeness=options.likeness, classes=options.classes
        )
        for patients in options.patients
        for most in options.images
        for area, sensitivity in zip(options.auc, options.sensitivity, strict=True)
    }
    columns: dict[str, dict[str, Tally]] = {heading: defaultdict(Tally) for heading in designs}
    began = time.monotonic()
    done = 0
    while done < options.repetitions and time.monotonic() - began < 60 * options.minutes:
        part = min(PART, options.repetitions - done)
        for number, (heading, design) in enumerate(designs.items()):
            seed = [options.seed, number, done]
            count_into(columns[heading], design, part, options.draws, seed, options.alone, options.cases)
        done += part
        print(f"# {done} test sets of each regime after {time.monotonic() - began:.0f} s; {below(columns)}", flush=True)
    print_table(columns)


def below(columns: dict[str, dict[str, Tally]]) -> str:
    """Return the figures whose coverage in a regime lies below LEAST by more than chance explains, two standard errors."""
    found = []
    for heading, tallies in columns.items():
        for name, tally in tallies.items():
            error = np.sqrt(LEAST * (1 - LEAST) / max(1, tally.given))
            if tally.given >= FEWEST and tally.coverage < LEAST - 2 * error:
                found.append(f"{name} {tally.coverage:.3f} of {tally.given} ({heading})")
    return f"surely below {LEAST}: {', '.join(found) or 'none'}"


def print_table(columns: dict[str, dict[str, Tally]]) -> None:
    """Print the coverage of each figure over all AUCs, by patients and images; then the lowest of any one regime."""
    groups: dict[str, list[dict[str, Tally]]] = defaultdict(list)
    for heading, tallies in columns.items():
        groups[heading.split()[0]].append(tallies)
    print(f"| figure | {' | '.join(groups)} | all | lowest regime | flagged at most |")
    print("|---" * (len(groups) + 4) + "|")
    for name in next(iter(columns.values())):
        cells = []
        for members in groups.values():
            pooled = Tally()
            for tallies in members:
                pooled.add(tallies[name])
            cells.append(shown(pooled))
        everywhere = Tally()
        for tallies in columns.values():
            everywhere.add(tallies[name])
        own = {heading: tallies[name] for heading, tallies in columns.items() if tallies[name].given >= FEWEST}
        lowest = min(own, key=lambda heading: own[heading].coverage, default=None)
        of_lowest = "none" if lowest is None else f"{own[lowest].coverage:.3f} ({lowest})"
        flagged = max(
            column[name].flagged / max(1, column[name].flagged + column[name].given) for column in columns.values()
        )
        print(f"| {name} | {' | '.join(cells)} | {shown(everywhere)} | {of_lowest} | {flagged:.2f} |")


def shown(tally: Tally) -> str:
    """Return a coverage, with a star below LEAST; nothing where too few intervals were given."""
    return f"{tally.coverage:.3f}{'*' * (tally.coverage < LEAST)}" if tally.given >= FEWEST else ""


if __name__ == "__main__":
    main()
