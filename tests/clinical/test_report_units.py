"""Decisions by breast, exam or patient in a report: each number the JSON's, and what must be known of them."""

from typing import Any, Literal

import numpy as np
import pytest

from breastai.clinical.fit_unit_rule import UnitCases, fit_unit_rule
from breastai.clinical.report.report_blocks import Heading, Paragraph, Quantity, Table, plain
from breastai.clinical.report.report_page import ReportPage
from breastai.clinical.report.report_sources import gather
from breastai.clinical.report.report_texts import texts
from breastai.clinical.report.report_units import unit_rows, units
from breastai.clinical.unit_evidence import UnitImages, judge_units
from breastai.domain.config import parse_config
from breastai.domain.records import UnitEvidence
from breastai.storage.workspace import Workspace
from tests.clinical.test_report import NAMES, RUN, made_run


@pytest.fixture(scope="module")
def evidence() -> UnitEvidence:
    generator = np.random.default_rng(3)
    labels = np.repeat(generator.permutation(np.arange(60) % 3), 2)
    labels[0] = (labels[1] + 1) % 3  # one unit of images of two classes
    raw = generator.dirichlet((1, 1, 1), 120) * 0.5 + 0.5 * np.eye(3)[labels]
    named = [f"U{number // 2}" for number in range(119)] + ["alone"]
    patients = [f"P{number // 4}" for number in range(120)]
    config = parse_config({"evaluation": {"target_class": "malignant", "pooling": "largest"}})
    rule = fit_unit_rule(UnitCases(labels, raw, named, patients), "breast", NAMES, config)
    assert rule is not None
    return judge_units(rule, UnitImages([f"{n}.png" for n in range(120)], labels, raw, named, patients), NAMES)[0]


@pytest.fixture(scope="module")
def page_with(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that makes the page of a report, with evidence by unit or without."""
    workspace = Workspace.open(tmp_path_factory.mktemp("workspace"))
    made_run(workspace, evaluated=False)

    def make(found: UnitEvidence | None, language: Literal["en", "fr"] = "en") -> ReportPage:
        document, _ = gather(workspace, RUN, language)
        return ReportPage(document.model_copy(update={"by_unit": found}))

    return make


def said(page: ReportPage) -> tuple[list[str], list[Table], list[str]]:
    """Return the texts of a page on units, its tables and its warnings."""
    blocks = list(units(page))
    paragraphs = [block for block in blocks if isinstance(block, Paragraph)]
    return (
        [plain(block.text, page.language) for block in paragraphs if block.role != "warning"],
        [block for block in blocks if isinstance(block, Table)],
        [plain(block.text, page.language) for block in paragraphs if block.role == "warning"],
    )


@pytest.mark.parametrize("language", ["en", "fr"])
def test_how_images_are_pooled_and_every_figure_are_told_by_the_json_s_numbers(
    page_with: Any, evidence: UnitEvidence, language: Literal["en", "fr"]
) -> None:
    page, t = page_with(evidence, language), texts(language)
    assert next(iter(units(page))) == Heading(t["units.breast"], 3)
    (how, mixed, counted), (table,), warnings = said(page)
    assert t["units.pooling.largest"] in how and t["units.of.breast"] in how and "120" in how and "61" in how
    assert "1" in mixed and t["units.of.breast"] in mixed
    assert len(warnings) == 1 and "16" in warnings[0]
    point = evidence.evidence.operating_point
    assert point is not None
    for number in (point.missed, point.positives, point.called, point.negatives):
        assert str(number) in counted
    words = [row[0][0] for row in table.rows]
    assert words == [
        page.figure_name("auc_roc.malignant"),
        *(t[f"metric.{name}_at_operating_point"] for name in ("sensitivity", "specificity")),
        *(page.figure_name(name) for name in ("accuracy", "balanced_accuracy", "brier")),
        *(t[f"target.{name}"] for name in ("slope", "intercept", "observed_expected")),
    ]
    for row in table.rows:
        for part in (each for cell in row for each in cell):
            if isinstance(part, Quantity):
                found: Any = page.values
                for key in part.path:
                    found = found[key]
                assert found == part.value


def test_without_units_nothing_is_said_and_without_a_class_in_question_each_has_its_row(
    page_with: Any, evidence: UnitEvidence
) -> None:
    assert list(units(page_with(None))) == [] == unit_rows(page_with(None))
    bare = evidence.model_copy(
        update={"mixed": 0, "evidence": evidence.evidence.model_copy(update={"target": None, "operating_point": None})}
    )
    page = page_with(bare)
    (_, none), (table,), _ = said(page)
    assert none == page.t["point.none"]
    assert [row[0][0] for row in table.rows][:3] == [page.figure_name(f"auc_roc.{name}") for name in NAMES]
    assert len(table.rows) == 6 and unit_rows(page, " here")[0][0][0] == page.figure_name("auc_roc.benign") + " here"


def test_a_point_that_units_enough_chose_has_no_warning(page_with: Any, evidence: UnitEvidence) -> None:
    point = evidence.evidence.operating_point
    assert point is not None and not point.reached and point.validation_positives == 16
    sure = evidence.evidence.model_copy(update={"operating_point": point.model_copy(update={"reached": True})})
    assert said(page_with(evidence.model_copy(update={"evidence": sure})))[2] == []
