"""The metrics, one row each: name, direction, level, formula and oracle. With its texts a row is all there is to a metric.

A formula is plain arithmetic on what `clinical.metrics` counts of B weightings of N cases in C classes, so that one
formula serves an epoch (B = 1), an evaluation and the draws of an interval. It returns an array of shape (B,), or
(B, C) for one number a class; undefined is NaN, which becomes None and never 0.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, Protocol

Direction = Literal["higher", "lower"]
# What a formula needs: the probabilities of each case, one class against the rest, or the confusion matrix alone.
Level = Literal["case", "class", "matrix"]
# The points of the ROC curve that an evaluation tells of.
SENSITIVITIES = SPECIFICITIES = (0.90, 0.95)
Array = Any  # numpy's, of which this layer knows nothing


class Counts(Protocol):
    """What confusion matrices tell; a formula of the level `matrix` uses nothing else."""

    @property
    def total(self) -> Array:
        """All cases, (B,)."""

    @property
    def support(self) -> Array:
        """The cases of each class, (B, C)."""

    @property
    def predictions(self) -> Array:
        """The cases predicted as each class, (B, C)."""

    @property
    def hits(self) -> Array:
        """The cases of each class predicted as it, (B, C)."""

    def class_distance(self, power: int) -> Array:
        """Return the mean of the distance between true and predicted class to a power, in the classes' order, (B,)."""

    def class_distance_by_chance(self, power: int) -> Array:
        """Return what it would be if decisions had nothing to do with the truth, (B,)."""

    @staticmethod
    def ratio(part: Array, whole: Array) -> Array:
        """Return part / whole, NaN where the whole is 0."""

    @staticmethod
    def mean(by_class: Array, weights: Array = None) -> Array:
        """Return the mean over the classes for which a metric is defined, (B, C) -> (B,)."""


class Cases(Counts, Protocol):
    """What probabilities tell besides."""

    @property
    def log_loss(self) -> Array: ...
    @property
    def brier(self) -> Array: ...
    @property
    def ece(self) -> Array: ...
    @property
    def auc_roc(self) -> Array: ...
    @property
    def average_precision(self) -> Array: ...
    def partial_auc(self, specificity: float) -> Array: ...
    def sensitivity_at(self, specificity: float) -> Array: ...
    def specificity_at(self, sensitivity: float) -> Array: ...


@dataclass(frozen=True)
class Metric:
    """`oracle`: the function of sklearn.metrics that must agree, with its `average`; None where it has none.

    `every_epoch`: measured on validation after each epoch, where its name carries the prefix val_. `drawn`: an
    evaluation gives it the interval of drawn confusion matrices; other intervals are in clinical.metric_intervals.
    `ordered`: it says something of classes with an order alone, and is left out for others.
    """

    name: str
    direction: Direction | None
    level: Level
    formula: Callable[[Any], Array]
    oracle: str | None = None
    average: str | None = None
    every_epoch: bool = True
    drawn: bool = False
    ordered: bool = False


# --- formulas with a name of their own -----------------------------------------------------------


def _accuracy(counts: Counts) -> Array:
    return counts.ratio(counts.hits.sum(axis=1), counts.total)


def _sensitivity(counts: Counts) -> Array:
    return counts.ratio(counts.hits, counts.support)


def _precision(counts: Counts) -> Array:
    return counts.ratio(counts.hits, counts.predictions)


def _f1(counts: Counts) -> Array:
    return counts.ratio(2 * counts.hits, counts.support + counts.predictions)


def _true_negatives(counts: Counts) -> Array:
    return counts.total[:, None] - counts.support - (counts.predictions - counts.hits)


def _specificity(counts: Counts) -> Array:
    return counts.ratio(_true_negatives(counts), counts.total[:, None] - counts.support)


def _npv(counts: Counts) -> Array:
    return counts.ratio(_true_negatives(counts), counts.total[:, None] - counts.predictions)


def _cohen_kappa(counts: Counts) -> Array:
    """Cohen's kappa (1960): the agreement beyond chance; undefined where chance alone agrees always."""
    by_chance = counts.ratio((counts.support * counts.predictions).sum(axis=1), counts.total**2)
    # Rounding may leave a trace of a difference.
    beyond_chance = (1 - by_chance) * (1 - by_chance > 1e-12)
    return counts.ratio(_accuracy(counts) - by_chance, beyond_chance)


def _mcc(counts: Counts) -> Array:
    """The multi-class correlation coefficient of Matthews (Gorodkin 2004)."""
    support, predicted, total = counts.support, counts.predictions, counts.total
    covariance = counts.hits.sum(axis=1) * total - (support * predicted).sum(axis=1)
    spread = (total**2 - (support**2).sum(axis=1)) * (total**2 - (predicted**2).sum(axis=1))
    return counts.ratio(covariance, (spread * (spread > 1e-9)) ** 0.5)


def _kappa_quadratic(counts: Counts) -> Array:
    """Cohen's kappa with quadratic weights (Cohen, Psychol Bull 1968;70:213-220)."""
    return 1 - counts.ratio(counts.class_distance(2), counts.class_distance_by_chance(2))


def _at(points: Iterable[float], name: str, formula: Callable[[float, Any], Array]) -> list["Metric"]:
    """Return a row for each point of the ROC curve, its name with the point's two decimals."""
    return [
        Metric(f"{name}_{point:.2f}", "higher", "class", partial(formula, point), every_epoch=False) for point in points
    ]


# --- the rows ------------------------------------------------------------------------------------

# Of all classes together. The page shows them in this order.
_METRICS = [
    Metric("loss", "lower", "case", lambda cases: cases.log_loss, "log_loss"),
    Metric("accuracy", "higher", "matrix", _accuracy, "accuracy_score"),
    Metric("precision_macro", "higher", "matrix", lambda c: c.mean(_precision(c)), "precision_score", "macro"),
    Metric(
        "precision_weighted",
        "higher",
        "matrix",
        lambda c: c.mean(_precision(c), c.support),
        "precision_score",
        "weighted",
    ),
    Metric("recall_macro", "higher", "matrix", lambda c: c.mean(_sensitivity(c)), "recall_score", "macro"),
    Metric(
        "recall_weighted", "higher", "matrix", lambda c: c.mean(_sensitivity(c), c.support), "recall_score", "weighted"
    ),
    Metric("f1_macro", "higher", "matrix", lambda c: c.mean(_f1(c)), "f1_score", "macro", drawn=True),
    Metric("f1_weighted", "higher", "matrix", lambda c: c.mean(_f1(c), c.support), "f1_score", "weighted"),
    Metric("cohen_kappa", "higher", "matrix", _cohen_kappa, "cohen_kappa_score", drawn=True),
    Metric("auc_roc", "higher", "case", lambda cases: cases.mean(cases.auc_roc), "roc_auc_score", "macro"),
    Metric(
        "balanced_accuracy",
        "higher",
        "matrix",
        lambda c: c.mean(_sensitivity(c)),
        "balanced_accuracy_score",
        every_epoch=False,
    ),
    Metric("mcc", "higher", "matrix", _mcc, "matthews_corrcoef", every_epoch=False, drawn=True),
    Metric("kappa_quadratic", "higher", "matrix", _kappa_quadratic, every_epoch=False, drawn=True, ordered=True),
    Metric(
        "class_error", "lower", "matrix", lambda c: c.class_distance(1), every_epoch=False, drawn=True, ordered=True
    ),
    Metric("brier", "lower", "case", lambda cases: cases.brier, "brier_score_loss", every_epoch=False),
    Metric("ece", "lower", "case", lambda cases: cases.ece, every_epoch=False),
]
# Of one class against the rest.
_CLASS_METRICS = [
    Metric("sensitivity", "higher", "class", _sensitivity, "recall_score"),
    Metric("specificity", "higher", "class", _specificity),
    Metric("precision", "higher", "class", _precision, "precision_score"),
    Metric("f1", "higher", "class", _f1, "f1_score"),
    Metric("auc_roc", "higher", "class", lambda cases: cases.auc_roc, "roc_auc_score"),
    Metric("support", None, "class", lambda counts: counts.support),  # a count
    Metric("npv", "higher", "class", _npv, every_epoch=False),
    Metric("youden", "higher", "class", lambda c: _sensitivity(c) + _specificity(c) - 1, every_epoch=False),
    Metric(
        "lr_positive", "higher", "class", lambda c: c.ratio(_sensitivity(c), 1 - _specificity(c)), every_epoch=False
    ),
    Metric("lr_negative", "lower", "class", lambda c: c.ratio(1 - _sensitivity(c), _specificity(c)), every_epoch=False),
    Metric(
        "average_precision",
        "higher",
        "class",
        lambda cases: cases.average_precision,
        "average_precision_score",
        every_epoch=False,
    ),
    *_at(SPECIFICITIES, "sensitivity_at_specificity", lambda point, cases: cases.sensitivity_at(point)),
    *_at(SPECIFICITIES, "partial_auc", lambda point, cases: cases.partial_auc(point)),
    *_at(SENSITIVITIES, "specificity_at_sensitivity", lambda point, cases: cases.specificity_at(point)),
]


def _by_name(rows: Iterable[Metric]) -> Mapping[str, Metric]:
    return MappingProxyType({row.name: row for row in rows})


METRICS = _by_name(_METRICS)
CLASS_METRICS = _by_name(_CLASS_METRICS)
EPOCH_METRICS = _by_name(row for row in _METRICS if row.every_epoch)
EPOCH_CLASS_METRICS = _by_name(row for row in _CLASS_METRICS if row.every_epoch)
ORDERED_METRICS = _by_name(row for row in _METRICS if row.ordered)
DRAWN_METRICS = _by_name(row for row in _METRICS if row.drawn)

# Until version 5 an evaluation spelled these otherwise than an epoch.
_OLD_NAMES = MappingProxyType({"f1.macro": "f1_macro", "auc_roc.macro": "auc_roc"})


def rename_metrics(values: Any) -> Any:
    """Return a mapping by metric with today's names, where it is one; a name may end in @patient or @column=value."""
    if not isinstance(values, Mapping):
        return values
    renamed = {}
    for name, value in values.items():
        base, at, where = str(name).partition("@")
        new = f"{_OLD_NAMES.get(base, base)}{at}{where}"
        # A class may be called macro; then today's name is there beside its own.
        renamed[name if new in values else new] = value
    return renamed


# What early stopping and the choice of the best epoch may watch.
MONITORS: Mapping[str, Direction] = MappingProxyType(
    {f"val_{row.name}": row.direction for row in EPOCH_METRICS.values() if row.direction}
    | {"train_loss": "lower", "train_accuracy": "higher"}
)
