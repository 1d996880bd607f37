"""The threshold of a table of predictions: one that the user gives, or one chosen on a stated part and judged on the rest."""

from typing import NamedTuple

from breastai.clinical.intervals import number_clusters
from breastai.clinical.operating_point import (
    TARGET_SENSITIVITY,
    choose_operating_point,
    metrics_at_threshold,
)
from breastai.data.cases.part_of_cases import find_part
from breastai.data.cases.predictions_table import Predictions
from breastai.domain.decision_rule import DecisionRule, OperatingPoint, positives_needed
from breastai.domain.errors import PartInvalid
from breastai.domain.text import Text


class JudgedTable(NamedTuple):
    """The cases to judge, and the rule to judge them by; `chosen` cases, of none of them, chose its threshold."""

    table: Predictions
    rule: DecisionRule
    chosen: int = 0


def choose_threshold(
    table: Predictions,
    target: str | None,
    *,
    threshold: float | None = None,
    target_sensitivity: float | None = None,
    choose_on: str | None = None,
) -> JudgedTable:
    """Return what is left to judge of a table, and by which operating point of the `target` class; raise PartInvalid.

    Without a threshold and a part there is no operating point, and every case is judged.
    """
    if target is None or (threshold is None and choose_on is None):
        return JudgedTable(table, DecisionRule())
    number = table.class_names.index(target)
    if choose_on is None:
        return JudgedTable(table, DecisionRule(operating_point=_given(table, target, number, threshold or 0.0)))
    part = find_part(table, choose_on)
    chosen, rest = table.subset(part), table.subset(~part)
    point = choose_operating_point(
        target,
        chosen.labels == number,
        chosen.probabilities[:, number],
        None if chosen.patients is None else number_clusters(chosen.patients),
        TARGET_SENSITIVITY if target_sensitivity is None else target_sensitivity,
        patients=chosen.patients is not None,
    )
    if point is None:
        raise PartInvalid(choose_on, table.name, Text("reason.part_without_positive", {"name": target}))
    return JudgedTable(rest, DecisionRule(operating_point=point.model_copy(update={"source": "part"})), len(chosen))


def _given(table: Predictions, target: str, number: int, threshold: float) -> OperatingPoint:
    """Return a threshold that no case at hand has chosen; what it was chosen for is not known."""
    figures = metrics_at_threshold(table.labels == number, table.probabilities[:, number], threshold)
    return OperatingPoint(
        class_name=target,
        threshold=threshold,
        target_sensitivity=TARGET_SENSITIVITY,
        positives=0,
        positives_needed=positives_needed(TARGET_SENSITIVITY),
        sensitivity=figures["sensitivity"],
        specificity=figures["specificity"],
        source="option",
    )
