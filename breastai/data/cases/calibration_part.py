"""The calibration part: training images set apart for the decision rule and for nothing else.

Validation images choose the epoch; a rule fitted on the same images looks better on them than it is.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from breastai.data.cases.data_split import split
from breastai.domain.config import Config
from breastai.domain.decision_rule import cases_needed, positives_needed, target_class
from breastai.domain.errors import TooFewPatients

SHARE = 0.2


def calibration_part(
    labels: npt.NDArray[np.integer], groups: Sequence[str] | None, config: Config, class_names: Sequence[str]
) -> list[int]:
    """Return the places of the images to set apart among N training images, whole `groups` (N,) only; often none.

    With data.calibration_split a share, about that; raises TooFewPatients where a class can't be on both sides. With
    "auto" a fifth, where that holds independent cases enough for a threshold: of the class in question as many as
    promise evaluation.target_sensitivity (19 for 0.95), of each other as many as promise evaluation.referral_error_rate
    (9 for 0.1); else none.
    """
    wish, seed = config.data.calibration_split, config.system.seed
    if wish != "auto":
        return split(labels, groups, wish, seed, class_names)[1].tolist() if wish else []
    needed = dict.fromkeys(class_names, cases_needed(config.evaluation.referral_error_rate))
    target = target_class(config, class_names)
    needed[target] = max(needed[target], positives_needed(config.evaluation.target_sensitivity))
    if any(SHARE * _cases(labels, groups, number) < needed[name] for number, name in enumerate(class_names)):
        return []
    try:
        apart = split(labels, groups, SHARE, seed, class_names)[1]
    except TooFewPatients:
        return []
    among = None if groups is None else [groups[place] for place in apart.tolist()]
    enough = all(_cases(labels[apart], among, number) >= needed[name] for number, name in enumerate(class_names))
    return apart.tolist() if enough else []


def _cases(labels: npt.NDArray[np.integer], groups: Sequence[str] | None, number: int) -> int:
    """Return how many independent cases a class has."""
    own = np.flatnonzero(labels == number).tolist()
    return len(own) if groups is None else len({groups[place] for place in own})
