"""The operating point in plain words: what is missed and flagged of a hundred, and the table at the threshold."""

from types import SimpleNamespace
from typing import Any

import pytest

from breastai.clinical.report.report_sources import _crosstab, _per_hundred
from breastai.domain.records import Figure

from .test_report_charts import POINT


def evidence(sensitivity: Figure, specificity: Figure) -> Any:
    figures = {"sensitivity": sensitivity, "specificity": specificity}
    return SimpleNamespace(operating_point=POINT.model_copy(update={"figures": figures}))


def test_of_a_hundred_as_many_are_missed_and_flagged_as_the_shares_leave() -> None:
    found = _per_hundred(
        evidence(Figure(value=0.9, low=0.8, high=0.97, n=20), Figure(value=0.7, low=0.55, high=0.82, n=40))
    )
    assert found is not None
    assert (found.missed, found.missed_low, found.missed_high) == (10, 3, 20)
    assert (found.called, found.called_low, found.called_high) == (30, 18, 45)


@pytest.mark.parametrize("bound", ["low", "high"])
def test_without_an_interval_there_are_no_bounds_and_without_a_share_nothing(bound: str) -> None:
    whole = Figure(value=0.9, low=0.8, high=0.97, n=20)
    found = _per_hundred(evidence(whole.model_copy(update={bound: None}), whole))
    assert found is not None and (found.missed, found.missed_low, found.missed_high) == (10, None, None)
    assert found.called_low == 3
    nothing = Figure(value=None, n=0)
    assert _per_hundred(evidence(nothing, whole)) is None is _per_hundred(evidence(whole, nothing))
    for none in (None, SimpleNamespace(operating_point=None)):
        assert _per_hundred(none) is None is _crosstab(none)  # type: ignore[arg-type]


def test_the_table_at_the_threshold_adds_up_to_the_cases() -> None:
    found = _crosstab(evidence(Figure(value=0.9, n=20), Figure(value=0.7, n=40)))
    assert found is not None and (found.hits, found.missed, found.alarms, found.cleared) == (18, 2, 12, 28)
