"""Comparisons in a report: each cell holds what its column says, p-values where there are any, margins as judged."""

from typing import Any

import numpy as np
import pytest

from breastai.clinical.model_comparison import ComparedModels, DecisionPoints, make_comparison
from breastai.clinical.report.report_blocks import NO_NUMBER, Paragraph, Quantity, Table, plain
from breastai.clinical.report.report_comparisons import comparisons
from breastai.clinical.report.report_page import LEAST_P, ReportPage
from breastai.clinical.report.report_sources import gather
from breastai.clinical.report.report_summary import summary
from breastai.domain.comparison_record import StatedMargin
from breastai.storage.workspace import Workspace
from tests.clinical.test_report import NAMES, RUN, draw, made_run


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, ReportPage]:
    """Return pages with a comparison, with decisions at thresholds or without."""
    workspace = Workspace.open(tmp_path_factory.mktemp("workspace"))
    made_run(workspace, evaluated=False)
    document, _ = gather(workspace, RUN, "en")
    labels, first = draw(120, seed=3)
    found = {}
    for decided in (True, False):
        models = ComparedModels(
            first_name=f"{RUN}/best",
            second_name="other/best",
            data="images/test",
            labels=labels,
            first=first,
            second=np.full_like(first, 1 / 3),
            class_names=NAMES,
            points=DecisionPoints("malignant", 0.3, 0.2, "option") if decided else None,
        )
        record = make_comparison(workspace, models, {"auc_roc.malignant": 0.05, "accuracy": 0.9}, [])
        found[decided] = ReportPage(document.model_copy(update={"comparisons": [record]}))
    return found


def paths(cell: Any) -> list[tuple[str | int, ...]]:
    return [part.path for part in cell if isinstance(part, Quantity)]


@pytest.mark.parametrize("decided", [True, False])
def test_each_cell_of_a_comparison_holds_what_its_column_says(pages: dict[bool, ReportPage], decided: bool) -> None:
    page = pages[decided]
    tables = [block for block in comparisons(page) if isinstance(block, Table)]
    assert len(tables) == (3 if decided else 1)
    for table in tables[:2]:
        for words, first, second, difference, p in table.rows:
            assert words[0]
            own = paths(first)[0][:-1]
            assert paths(first) == [(*own, "first")] and paths(second) == [(*own, "second")]
            assert paths(difference)[0] == (*own, "difference", "value")
            given: Any = page.values
            for key in own:
                given = given[key]
            if given.get("p_value") is None:
                assert p == ("",)
            elif given["adjusted_p"] < LEAST_P:
                assert p == (page.t["p.least"],)
            else:
                assert paths(p) == [(*own, "adjusted_p")]
    values = [plain(cell, "en") for row in tables[0].rows for cell in row]
    assert "" in values and any(value == page.t["p.least"] or value.startswith("0.") for value in values)
    if decided:
        for row in tables[2].rows:
            assert [path[-1] for cell in row[1:3] for path in paths(cell)] == ["first_only", "second_only"]


def test_margins_and_thresholds_are_told_as_they_were_judged(pages: dict[bool, ReportPage]) -> None:
    page = pages[True]
    said = [plain(block.text, "en") for block in comparisons(page) if isinstance(block, Paragraph)]
    record = page.document.comparisons[0]
    assert any("0.300" in text and "0.200" in text for text in said)
    assert len(record.non_inferiority) == 2
    for judged in record.non_inferiority:
        verdict = "undefined" if judged.shown is None else "shown" if judged.shown else "not_shown"
        begin = page.t[f"comparisons.margin.{verdict}"].partition("{")[0]
        assert any(text.startswith(begin) and page.figure_name(judged.figure) in text for text in said)
    assert sum("with this comparison and not before it" in text for text in said) == 2
    assert list(comparisons(ReportPage(page.document.model_copy(update={"comparisons": []})))) == []
    told = [plain(block.text, "en") for block in summary(page) if isinstance(block, Paragraph)]
    assert "It was compared with other models on the same images: see Comparisons with other models." in told
    rival = StatedMargin(margin=0.125, stated="2026-11-01T10:02:00+00:00")
    lost = record.non_inferiority[0].model_copy(
        update={"shown": None, "bound": None, "beforehand": True, "others": [rival]}
    )
    changed = record.model_copy(update={"non_inferiority": [lost]})
    other = ReportPage(page.document.model_copy(update={"comparisons": [changed]}))
    told = [plain(block.text, "en") for block in comparisons(other) if isinstance(block, Paragraph)]
    (when,) = (text for text in told if "before the comparison" in text)
    assert "Another margin" in when and "0.125 on 1 November 2026" in when
    assert any(text.startswith(page.t["comparisons.margin.undefined"].partition("{")[0]) for text in told)


@pytest.mark.parametrize(("p", "shown"), [(None, NO_NUMBER), (0.0009, "least"), (0.001, "0.001"), (0.2, "0.200")])
def test_a_p_value_below_a_thousandth_says_no_more_than_that(
    pages: dict[bool, ReportPage], p: float | None, shown: str
) -> None:
    page = ReportPage(pages[False].document)
    page.values["p"] = p
    assert plain(page.p_value("p"), "en") == (page.t["p.least"] if shown == "least" else shown)
