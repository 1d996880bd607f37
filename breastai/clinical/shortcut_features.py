"""Shortcuts: what would tell the classes apart without looking at the tissue, each as an AUC with its interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from breastai.clinical.image_facts import ImageFacts
from breastai.clinical.intervals import Clusters, Estimate, auc

# One number of each image that no doctor would look at.
FEATURES: Mapping[str, Callable[[ImageFacts], float]] = {
    "file_size": lambda facts: facts.file_size,
    "bytes_per_pixel": lambda facts: facts.file_size / (facts.height * facts.width),
    "height": lambda facts: facts.height,
    "width": lambda facts: facts.width,
    "shape": lambda facts: facts.width / facts.height,
    "border": lambda facts: facts.rim,
    "black_border": lambda facts: facts.black_rim,
    "colour": lambda facts: facts.colour,
    "marks": lambda facts: facts.mark_share,
}

# The lower end of the interval from which a feature is worth a warning. Chance alone stays below 0.5.
LEAST_AUC = 0.6
# A place is one of many looked at: it must stand out further.
_LEAST_AUC_OF_PLACE = 0.75


@dataclass(frozen=True)
class Shortcut:
    """`feature` alone tells `class_name` from the rest with this AUC, folded so that chance is 0.5 and more is better.

    `place`: row and column of the cell for a mark at a fixed place, from 0.
    """

    feature: str
    class_name: str
    auc: Estimate
    n: int
    place: tuple[int, int] | None = None


def find_shortcuts(
    facts: Sequence[ImageFacts], labels: npt.NDArray[np.int64], class_names: Sequence[str], clusters: Clusters | None
) -> list[Shortcut]:
    """Return every shortcut whose interval lies above chance by a margin, the strongest first.

    `clusters` numbers the patient, or the group of duplicates, of each image.
    """
    found: list[Shortcut] = []
    values = {name: np.array([measure(item) for item in facts], dtype=float) for name, measure in FEATURES.items()}
    marks = np.array([item.marks for item in facts], dtype=np.uint8)  # (N, MARK_CELLS, MARK_CELLS)
    for index, class_name in enumerate(class_names):
        positive = labels == index
        # Of two classes each is the other's rest.
        if positive.all() or not positive.any() or (len(class_names) == 2 and index == 0):
            continue
        for name, column in values.items():
            estimate = _folded(auc(positive, column, clusters))
            if estimate.low is not None and estimate.low >= LEAST_AUC:
                found.append(Shortcut(name, class_name, estimate, len(labels)))
        fixed = _mark_at_a_fixed_place(positive, marks, clusters)
        if fixed is not None:
            found.append(Shortcut("mark_at_place", class_name, fixed[0], len(labels), fixed[1]))
    return sorted(found, key=lambda shortcut: -(shortcut.auc.value or 0.0))


def _mark_at_a_fixed_place(
    positive: npt.NDArray[np.bool_], marks: npt.NDArray[np.uint8], clusters: Clusters | None
) -> tuple[Estimate, tuple[int, int]] | None:
    """Return the place whose marks tell most, when they tell much."""
    best: tuple[Estimate, tuple[int, int]] | None = None
    for row, column in np.argwhere(marks.max(axis=0) > 0).tolist():
        values = marks[:, row, column].astype(np.float64)
        # The difference of the means picks the places worth ranking.
        if abs(values[positive].mean() - values[~positive].mean()) < 0.25 * values.max():
            continue
        estimate = _folded(auc(positive, values, clusters))
        stands_out = estimate.low is not None and estimate.low >= _LEAST_AUC_OF_PLACE
        if stands_out and (best is None or (estimate.value or 0) > (best[0].value or 0)):
            best = estimate, (row, column)
    return best


def _folded(estimate: Estimate) -> Estimate:
    """Return the estimate as seen from above chance: a feature that is low in the class tells as much as a high one."""
    value, low, high, _ = estimate
    if value is None or low is None or high is None or value >= 0.5:
        return estimate
    return Estimate(1 - value, 1 - high, 1 - low)
