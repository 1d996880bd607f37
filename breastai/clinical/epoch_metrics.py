"""The figures of every epoch, each from labels and probabilities alone; scikit-learn's where it has them.

`labels` has shape (N,), whole numbers from 0 to C - 1; `probabilities` has shape (N, C). The decision is the class of
the highest probability, the first one on a tie. A figure that is undefined is None, never 0 and never NaN. An average
over classes is taken over the classes for which the figure is defined (scikit-learn's zero_division=nan), so that a
class without a case can't pull it down; when all are defined it is scikit-learn's own.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sklearn_metrics

from breastai.domain.catalog import METRICS as CATALOG

Labels = npt.NDArray[np.integer[Any]]
Probabilities = npt.NDArray[np.floating[Any]]
Confusion = npt.NDArray[np.int64]
Figures = dict[str, Any]

# The smallest probability the loss sees: the logarithm of 0 has no value.
_SMALLEST_PROBABILITY = 1e-15


def epoch_figures(labels: Labels, probabilities: Probabilities, class_names: Sequence[str]) -> Figures:
    """Return the figures of one epoch as TrainingUpdate has them, without the prefix val_ and without the loss.

    `per_class` goes by class name. All values are fit for JSON.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != len(class_names):
        raise ValueError(f"expected probabilities of shape (N, {len(class_names)}), got {probabilities.shape}")
    figures = {name: function(labels, probabilities) for name, function in METRICS.items() if name != "loss"}
    figures["per_class"] = dict(zip(class_names, figures["per_class"], strict=True))
    return figures


# --- one number ----------------------------------------------------------------------------------


def log_loss(labels: Labels, probabilities: Probabilities) -> float | None:
    """Return the mean negative logarithm of the true class's probability, without label smoothing or weights."""
    labels, probabilities = _checked(labels, probabilities)
    if len(labels) == 0:
        return None
    of_the_truth = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(of_the_truth, _SMALLEST_PROBABILITY, 1.0)).mean())


def accuracy(labels: Labels, probabilities: Probabilities) -> float | None:
    """Return the share of cases decided rightly."""
    labels, probabilities = _checked(labels, probabilities)
    if len(labels) == 0:
        return None
    return float(sklearn_metrics.accuracy_score(labels, probabilities.argmax(axis=1)))


def cohen_kappa(labels: Labels, probabilities: Probabilities) -> float | None:
    """Return Cohen's kappa (1960), the agreement beyond chance; undefined when chance alone agrees always."""
    labels, probabilities = _checked(labels, probabilities)
    decisions = probabilities.argmax(axis=1)
    if len(np.union1d(labels, decisions)) < 2:
        return None
    return float(sklearn_metrics.cohen_kappa_score(labels, decisions))


def auc_roc(labels: Labels, probabilities: Probabilities) -> float | None:
    """Return the mean over classes of the AUC of one class against the rest."""
    return _mean_of_defined(auc_roc_by_class(labels, probabilities))


def precision_macro(labels: Labels, probabilities: Probabilities) -> float | None:
    """Return the mean precision of the classes that were predicted at least once."""
    return _averaged("precision", "macro", labels, probabilities)


def precision_weighted(labels: Labels, probabilities: Probabilities) -> float | None:
    """Return the same mean, each class weighted by its number of cases."""
    return _averaged("precision", "weighted", labels, probabilities)


def recall_macro(labels: Labels, probabilities: Probabilities) -> float | None:
    """Return the mean sensitivity of the classes that have a case: the balanced accuracy."""
    return _averaged("sensitivity", "macro", labels, probabilities)


def recall_weighted(labels: Labels, probabilities: Probabilities) -> float | None:
    """Return the same mean, each class weighted by its number of cases: the accuracy."""
    return _averaged("sensitivity", "weighted", labels, probabilities)


def f1_macro(labels: Labels, probabilities: Probabilities) -> float | None:
    """Return the mean F1 of the classes that have a case or were predicted."""
    return _averaged("f1", "macro", labels, probabilities)


def f1_weighted(labels: Labels, probabilities: Probabilities) -> float | None:
    """Return the same mean, each class weighted by its number of cases."""
    return _averaged("f1", "weighted", labels, probabilities)


# --- one number for each class, and the matrix ---------------------------------------------------


def confusion(labels: Labels, decisions: Labels, class_count: int) -> Confusion:
    """Return the confusion matrix of shape (C, C), rows true, columns predicted."""
    counts = np.bincount(labels * class_count + decisions, minlength=class_count**2)
    return counts.reshape(class_count, class_count).astype(np.int64)


def confusion_matrix(labels: Labels, probabilities: Probabilities) -> list[list[int]]:
    """Return the confusion matrix as lists, rows true, columns predicted."""
    labels, probabilities = _checked(labels, probabilities)
    matrix: list[list[int]] = confusion(labels, probabilities.argmax(axis=1), probabilities.shape[1]).tolist()
    return matrix


def specificity(matrix: Confusion) -> list[float | None]:
    """Return, per class, the share of the other classes' cases correctly ruled out.

    `matrix` has shape (C, C), rows true, columns predicted. A class without a negative case has no specificity.
    """
    negatives = matrix.sum() - matrix.sum(axis=1)
    false_positives = matrix.sum(axis=0) - np.diag(matrix)
    return [_share(n - fp, n) for n, fp in zip(negatives.tolist(), false_positives.tolist(), strict=True)]


def auc_roc_by_class(labels: Labels, probabilities: Probabilities) -> list[float | None]:
    """Return, per class, the area under the ROC curve of the class against the rest."""
    labels, probabilities = _checked(labels, probabilities)
    areas: list[float | None] = []
    for index in range(probabilities.shape[1]):
        positive = labels == index
        if positive.all() or not positive.any():
            areas.append(None)
        else:
            areas.append(float(sklearn_metrics.roc_auc_score(positive, probabilities[:, index])))
    return areas


def per_class(labels: Labels, probabilities: Probabilities) -> list[dict[str, float | int | None]]:
    """Return, per class, the figures of catalog.PER_CLASS_METRICS, each of the class against the rest."""
    labels, probabilities = _checked(labels, probabilities)
    class_count = probabilities.shape[1]
    decisions = probabilities.argmax(axis=1)
    precision, sensitivity, f1, support = _by_class(labels, decisions, class_count)
    specificities = specificity(confusion(labels, decisions, class_count))
    areas = auc_roc_by_class(labels, probabilities)
    return [
        {
            "sensitivity": _defined(sensitivity[index]),
            "specificity": specificities[index],
            "precision": _defined(precision[index]),
            "f1": _defined(f1[index]),
            "auc_roc": areas[index],
            "support": int(support[index]),
        }
        for index in range(class_count)
    ]


def _by_class(labels: Labels, decisions: Labels, class_count: int) -> tuple[npt.NDArray[np.float64], ...]:
    """Return precision, sensitivity, F1 and support, each of shape (C,); undefined is NaN."""
    if len(labels) == 0:
        undefined = np.full(class_count, math.nan)
        return undefined, undefined, undefined, np.zeros(class_count)
    figures: tuple[npt.NDArray[np.float64], ...] = sklearn_metrics.precision_recall_fscore_support(
        labels, decisions, labels=np.arange(class_count), zero_division=math.nan
    )
    return figures


def _averaged(figure: str, average: str, labels: Labels, probabilities: Probabilities) -> float | None:
    """Return the macro or weighted average of a per-class figure over the classes for which it is defined."""
    labels, probabilities = _checked(labels, probabilities)
    precision, sensitivity, f1, support = _by_class(labels, probabilities.argmax(axis=1), probabilities.shape[1])
    values = {"precision": precision, "sensitivity": sensitivity, "f1": f1}[figure]
    defined = ~np.isnan(values)
    weights = defined * (1 if average == "macro" else support)
    if weights.sum() == 0:
        return None
    return float(np.where(defined, values, 0.0) @ weights / weights.sum())


def _mean_of_defined(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(defined) if defined else None


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _checked(labels: Labels, probabilities: Probabilities) -> tuple[Labels, Probabilities]:
    """Return both as plain arrays; raise ValueError when they can't belong together."""
    labels = np.asarray(labels, dtype=np.int64)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if labels.ndim != 1 or probabilities.ndim != 2 or len(labels) != len(probabilities):
        raise ValueError(f"expected labels (N,) and probabilities (N, C), got {labels.shape} and {probabilities.shape}")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities must be finite numbers")
    if len(labels) and not 0 <= labels.min() <= labels.max() < probabilities.shape[1]:
        raise ValueError(f"labels must lie between 0 and {probabilities.shape[1] - 1}")
    return labels, probabilities


_FUNCTIONS: dict[str, Callable[[Labels, Probabilities], Any]] = {
    "loss": log_loss,
    "accuracy": accuracy,
    "precision_macro": precision_macro,
    "precision_weighted": precision_weighted,
    "recall_macro": recall_macro,
    "recall_weighted": recall_weighted,
    "f1_macro": f1_macro,
    "f1_weighted": f1_weighted,
    "cohen_kappa": cohen_kappa,
    "auc_roc": auc_roc,
    "confusion_matrix": confusion_matrix,
    "per_class": per_class,
}
# In the catalog's order; a name of the catalog without a function here is a KeyError at import.
METRICS: Mapping[str, Callable[[Labels, Probabilities], Any]] = MappingProxyType(
    {name: _FUNCTIONS[name] for name in CATALOG}
)
