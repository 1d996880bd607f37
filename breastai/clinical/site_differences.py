"""A model on the images of a site beside the internal ones: figures and inputs, each difference with an interval.

The two sets are of different patients, so each is drawn by itself, whole patients with replacement (Efron and Tibshirani,
An Introduction to the Bootstrap, 1993, chapters 6 and 13).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.apply_decision_rule import reaches
from breastai.clinical.intervals import CONFIDENCE, FEWEST_PATIENTS, number_clusters
from breastai.clinical.metrics.epoch_metrics import finite
from breastai.clinical.metrics.weighted_cases import WeightedCases
from breastai.clinical.metrics.weighted_counts import ratio
from breastai.clinical.metrics.weighted_roc import WeightedRoc
from breastai.domain.class_match import ClassMatch
from breastai.domain.records import Figure, IntervalFlag
from breastai.domain.site_records import Drift

Floats = npt.NDArray[np.float64]
DRAWS = 2000
_BLOCK_VALUES = 2**22
_DRIFT = ("unlike", "brightness", "contrast", "size")


@dataclass(frozen=True, eq=False)
class JudgedSet:
    """N judged images: `labels` (N,) in `class_names`, calibrated `probabilities` (N, C), and whose they are.

    `clusters` (N,): patients, or what else is independent; None where each image is. `inputs`: by the name of a drift
    its value of each image (N,); a name is missing where it is not known.
    """

    labels: npt.NDArray[np.int64]
    probabilities: Floats
    class_names: tuple[str, ...]
    clusters: Sequence[str] | None
    inputs: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.labels)

    def in_classes_of(self, match: ClassMatch) -> "JudgedSet":
        """Return the images of the classes that a match says are present, with the classes as it judges them."""
        places = [[self.class_names.index(name) for name in members] for members in match.of_model]
        number = np.full(len(self.class_names), -1)
        for judged, (name, members) in enumerate(zip(match.class_names, places, strict=True)):
            if name in match.present:
                number[members] = judged
        kept = np.flatnonzero(number[self.labels] >= 0)
        probabilities = np.stack([self.probabilities[:, members].sum(axis=1) for members in places], axis=1)
        return JudgedSet(
            number[self.labels[kept]].astype(np.int64),
            probabilities[kept],
            tuple(match.class_names),
            None if self.clusters is None else [self.clusters[index] for index in kept.tolist()],
            {name: values[kept] for name, values in self.inputs.items()},
        )


@dataclass(frozen=True)
class FrozenPoint:
    """The class in question and the threshold that was chosen on validation."""

    class_name: str
    threshold: float


def differences(
    site: JudgedSet, internal: JudgedSet, point: FrozenPoint | None, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Figure]:
    """Return site minus internal of each figure that both have, by its name in an evaluation."""
    values = [_figures(each, np.ones((1, len(each))), point) for each in (site, internal)]
    drawn = [
        _gather(_figures(each, weights, point) for weights in _draws(each, draws, seed + place))
        for place, each in enumerate((site, internal))
    ]
    found = {}
    for name in values[0]:
        here, there = (finite(figures[name][0]) for figures in values)
        if here is not None and there is not None:
            found[name] = _difference(here - there, drawn[0][name] - drawn[1][name], site, internal)
    return found


def input_drift(site: JudgedSet, internal: JudgedSet | None, *, draws: int = DRAWS, seed: int = 0) -> list[Drift]:
    """Return how the inputs of a site differ from the internal ones, as far as each is known."""
    found = []
    for name in _DRIFT:
        if name not in site.inputs:
            continue
        here = site.inputs[name]
        there = None if internal is None else internal.inputs.get(name)
        if internal is None or there is None or not len(there) or not len(here):
            found.append(Drift(name=name, site=finite(here.mean()) if len(here) else None))
            continue
        means = [
            np.concatenate(
                [ratio(weights @ values, weights.sum(axis=1)) for weights in _draws(each, draws, seed + place)]
            )
            for place, (each, values) in enumerate(((site, here), (internal, there)))
        ]
        gap = _difference(float(here.mean() - there.mean()), means[0] - means[1], site, internal)
        found.append(Drift(name=name, site=float(here.mean()), internal=float(there.mean()), difference=gap))
    return found


def _figures(judged: JudgedSet, weights: Floats, point: FrozenPoint | None) -> dict[str, Floats]:
    """Return the compared figures of B weightings (B, N), each (B,)."""
    cases = WeightedCases(judged.labels, judged.probabilities, weights)
    found = {"accuracy": ratio(cases.hits.sum(axis=1), cases.total)}
    found["balanced_accuracy"] = cases.mean(ratio(cases.hits, cases.support))
    if point is None or point.class_name not in judged.class_names:
        return found
    number = judged.class_names.index(point.class_name)
    positive, scores = judged.labels == number, judged.probabilities[:, number]
    called = reaches(scores, point.threshold)
    hits, cleared = weights @ (positive & called), weights @ (~positive & ~called)
    name = point.class_name
    return found | {
        f"auc_roc.{name}": WeightedRoc(weights, positive, scores).auc(),
        f"sensitivity_at_operating_point.{name}": ratio(hits, weights @ positive),
        f"specificity_at_operating_point.{name}": ratio(cleared, weights @ ~positive),
    }


def _draws(judged: JudgedSet, draws: int, seed: int) -> Iterator[Floats]:
    """Yield weights (B, N) of patients drawn with replacement, `draws` in all, a block at a time."""
    numbers = np.arange(len(judged)) if judged.clusters is None else number_clusters(judged.clusters)
    patients = int(numbers.max()) + 1 if len(numbers) else 0
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK_VALUES // max(1, len(judged)))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        counts = (
            generator.multinomial(patients, np.full(patients, 1 / patients), size) if patients else np.ones((size, 0))
        )
        yield counts[:, numbers].astype(np.float64)


def _gather(parts: Iterator[dict[str, Floats]]) -> dict[str, Floats]:
    listed = list(parts)
    return {name: np.concatenate([part[name] for part in listed]) for name in listed[0]}


def _difference(value: float, drawn: npt.NDArray[np.floating[Any]], site: JudgedSet, internal: JudgedSet) -> Figure:
    few = min(_patients(site), _patients(internal)) < FEWEST_PATIENTS
    usable = drawn[np.isfinite(drawn)]
    flag: IntervalFlag | None = "few_patients" if few else "often_undefined" if len(usable) < len(drawn) / 2 else None
    if flag is not None:
        return Figure(value=value, n=len(site), flag=flag)
    if usable.min() == usable.max():  # as where both find all: chance is no narrower for that
        return Figure(value=value, n=len(site), flag="no_variation")
    low, high = np.quantile(usable, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2]).tolist()
    return Figure(value=value, low=min(value, low), high=max(value, high), n=len(site))


def _patients(judged: JudgedSet) -> int:
    return len(judged) if judged.clusters is None else len(set(judged.clusters))
