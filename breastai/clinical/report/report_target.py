"""What a report shows of the probability of the class in question: its calibration and its charts.

`values` is the document as JSON, made once: numbers know where they lie in it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from breastai.clinical.report.report_blocks import Block, Table, at, interval
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_page import FIGURE_WIDTHS
from breastai.clinical.report.report_texts import class_label

_MEASURES = ("slope", "intercept", "observed_expected")


def calibration_of_target(
    document: ReportDocument, values: Mapping[str, Any], texts: Mapping[str, str]
) -> Iterator[Block]:
    """Yield slope, intercept and ratio of observed to expected cases with their intervals."""
    target = document.evidence.target if document.evidence else None
    if target is None:
        return
    place = ("evidence", "target", "calibration")
    rows = tuple(
        (
            (texts[f"target.{name}"],),
            (at(values, *place, name, "value"),),
            interval(values, texts, *place, name),
            (at(values, *place, name, "n", kind="integer"),),
        )
        for name in _MEASURES
    )
    head = tuple(texts[f"figures.{name}"] for name in ("figure", "value", "interval", "n"))
    yield Table(
        head,
        rows,
        texts["target.caption"].format(name=class_label(target.class_name, texts)),
        widths=FIGURE_WIDTHS,
    )
