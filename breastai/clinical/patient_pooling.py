"""Patient pooling: from the images of a patient to one label and one score, so that figures by patient leave nobody out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from breastai.clinical.apply_decision_rule import reaches
from breastai.clinical.intervals import Clusters
from breastai.clinical.unit_pooling import labels_of_units, pool_images
from breastai.domain.records import ByPatient, PatientScore
from breastai.domain.unit_rule import Pooling

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PooledPatients:
    """One case for each patient: `labels` (K,), `probabilities` (K, C). `mixed`: patients with images of several classes.

    `patients` is K plus those who have no label, which happens only without a target class.
    """

    labels: Labels
    probabilities: Probabilities
    patients: int
    mixed: int
    score: PatientScore
    target: int | None

    def describe(self, class_names: Sequence[str], threshold: float | None = None) -> ByPatient:
        """Return these patients as a record keeps them, counted at the `threshold` of the target class if there is one."""
        counts = np.bincount(self.labels, minlength=len(class_names))
        found = ByPatient(
            score=self.score,
            target_class=None if self.target is None else class_names[self.target],
            patients=self.patients,
            mixed=self.mixed,
            counts={name: int(count) for name, count in zip(class_names, counts, strict=True)},
        )
        if self.target is None or threshold is None:
            return found
        positive = self.labels == self.target
        flagged = reaches(self.probabilities[:, self.target], threshold)
        return found.model_copy(
            update={
                "positives": int(positive.sum()),
                "missed": int((positive & ~flagged).sum()),
                "negatives": int((~positive).sum()),
                "flagged": int((~positive & flagged).sum()),
            }
        )


def pool_patients(
    labels: Labels,
    probabilities: Probabilities,
    clusters: Clusters,
    target: int | None = None,
    score: PatientScore = "largest",
) -> PooledPatients:
    """Return one case for each patient from N images: `labels` (N,), `probabilities` (N, C), `clusters` (N,) from 0 up.

    A patient with any image of the `target` class is of that class; any other is of the class that most of the images
    have, of equals the first. `largest` scores a patient by the image most probable to be of the target class, so that
    a threshold flags a patient exactly when it flags any image; `mean` by the mean of the images' probabilities.
    Without a target class patients of several classes have no label and are left out, and the mean is the score.
    """
    pooled_labels, mixed = labels_of_units(labels, clusters, probabilities.shape[1], target)
    names = [str(number) for number in range(probabilities.shape[1])]
    score = score if target is not None else "mean"
    pooling = Pooling(rule=score, class_name=names[target or 0])
    pooled = pool_images(pooling, probabilities, clusters, names).probabilities
    labelled = ~mixed if target is None else np.ones(len(mixed), dtype=bool)
    return PooledPatients(pooled_labels[labelled], pooled[labelled], len(mixed), int(mixed.sum()), score, target)
