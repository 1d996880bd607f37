"""Readers in a report: each row holds the effect it names, first what a study allows to say of the most."""

from typing import Any

import pytest

from breastai.clinical.report.report_blocks import Quantity, Table, plain
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_page import ReportPage
from breastai.clinical.report.report_readers import reader_details, readers
from breastai.domain.reader_records import (
    Agreement,
    AnalysisKind,
    MeritAnalysis,
    ModelDifference,
    ReaderComponents,
    ReaderDifference,
    ReaderFigure,
    ReaderMean,
    ReaderStudyRecord,
)
from breastai.domain.records import Figure
from tests.clinical.report_outlines import coded_page, outline

KINDS: tuple[AnalysisKind, ...] = ("readers_and_cases", "cases", "readers")
_numbers = iter(range(1, 10**6))


def figure() -> Figure:
    """Return a figure unlike any other."""
    value = next(_numbers) / 1000
    return Figure(value=value, low=value - 0.0001, high=value + 0.0001, n=int(1000 * value))


def analysis(kinds: tuple[AnalysisKind, ...] = KINDS, model: bool = True) -> MeritAnalysis:
    """Return an analysis of two readers with two tests, whose effects are of some kinds."""
    tests = {"first": "alone", "second": "aided"}
    return MeritAnalysis(
        merit="auc",
        figures=[ReaderFigure(reader=reader, test=test, figure=figure()) for test in tests.values() for reader in "AB"],
        components=ReaderComponents(variance=0.1),
        means=[
            ReaderMean(analysis=kind, test=test, figure=figure(), error=0.1, degrees=7.5)
            for kind in kinds
            for test in tests.values()
        ],
        differences=[
            ReaderDifference(analysis=kind, **tests, figure=figure(), error=0.1, p_value=0.0004, adjusted_p=0.02)
            for kind in kinds
        ],
        by_reader=[
            ReaderDifference(analysis="cases", reader=reader, **tests, figure=figure(), error=0.1, p_value=0.3)
            for reader in "AB"
        ],
        model=figure() if model else None,
        against_model=[
            ModelDifference(analysis=kind, test=test, figure=figure(), error=0.1, p_value=0.2, adjusted_p=0.4)
            for kind in kinds
            for test in tests.values()
            if model
        ],
    )


def study(*analyses: MeritAnalysis, **known: Any) -> ReaderStudyRecord:
    values: dict[str, Any] = {
        "notice": "",
        "created": "2026-03-01T11:00:00+00:00",
        "breastai": "4",
        "comparison_id": "r1",
        "table": "readings.csv",
        "target_class": "malignant",
        "readers": ["A", "B"],
        "tests": ["alone", "aided"],
        "cases": 60,
        "positives": 20,
        "model": "run/best",
        "analyses": list(analyses),
        "agreement": [
            Agreement(measure=measure, of="scores", test="alone", readers=["A", "B"], figure=figure())
            for measure in ("cohen_linear", "fleiss", "cohen")
        ],
    }
    return ReaderStudyRecord(**(values | known))


def document(*studies: ReaderStudyRecord) -> ReportDocument:
    return ReportDocument.model_construct(
        language="en", flow=None, evidence=None, evaluation=None, training=None, readers=list(studies)
    )


def tables(blocks: Any) -> list[Table]:
    return [block for block in blocks if isinstance(block, Table)]


def place_of(row: Any) -> tuple[Any, ...]:
    """Return the place of the effect of a row: that of its value, without what follows the effect."""
    path: tuple[Any, ...] = next(part.path for cell in row for part in cell if isinstance(part, Quantity))
    return path[: path.index("figure")] if "figure" in path else path[:-1]


def effect_at(page: ReportPage, path: tuple[Any, ...]) -> Any:
    found: Any = page.document
    for key in path:
        found = found[key] if isinstance(key, int) else getattr(found, key)
    return found


def test_each_reader_and_the_model_has_a_row_with_its_own_figure() -> None:
    page = ReportPage(document(study(analysis(), analysis())))
    for at, table in enumerate(tables(readers(page))[:-1:2]):
        assert [plain(row[0], "en") for row in table.rows] == ["A", "B", "A", "B", "run/best"]
        assert [plain(row[1], "en") for row in table.rows] == [
            "alone",
            "alone",
            "aided",
            "aided",
            page.t["readers.model"],
        ]
        for number, row in enumerate(table.rows):
            own = ("readers", 0, "analyses", at) + (("figures", number, "figure") if number < 4 else ("model",))
            quantities = [[part.path for part in cell if isinstance(part, Quantity)] for cell in row[2:]]
            assert quantities == [[(*own, "value")], [(*own, "low"), (*own, "high")], [(*own, "n")]]
    alone = ReportPage(document(study(analysis(model=False))))
    assert len(tables(readers(alone))[0].rows) == 4


@pytest.mark.parametrize(("kinds", "first"), [(KINDS, KINDS[0]), (KINDS[1:], "cases"), (KINDS[2:], "readers")])
def test_the_results_show_the_effects_that_speak_of_the_most_and_the_appendices_the_others(
    kinds: tuple[AnalysisKind, ...], first: AnalysisKind
) -> None:
    page = ReportPage(document(study(analysis(kinds))))
    shown = [place_of(row) for row in tables(readers(page))[1].rows]
    assert {effect_at(page, place).analysis for place in shown} == {first}
    assert [place[4] for place in shown] == ["means"] * 2 + ["differences"] + ["against_model"] * 2
    others = tables(reader_details(page))
    rest = [place_of(row) for row in others[0].rows] if len(kinds) > 1 else []
    assert [effect_at(page, place).analysis for place in rest] == [kind for kind in kinds[1:] for _ in range(5)]
    assert len({*shown, *rest}) == 5 * len(kinds)
    assert [place_of(row)[4] for row in others[len(kinds) > 1].rows] == ["by_reader"] * 2


def test_each_effect_is_called_by_its_tests_and_tells_its_degrees_and_p_values() -> None:
    page = ReportPage(document(study(analysis())))
    found = tables([*readers(page), *reader_details(page)])
    rows = [row for table in found for row in table.rows if len(row) == 6]
    assert len(rows) == 15 + 2
    for row in rows:
        part, effect = place_of(row)[4], effect_at(page, place_of(row))
        words, first = plain(row[0], "en"), plain(row[1], "en")
        if part == "by_reader":
            assert words == effect.reader and "alone" in first and "aided" in first
        else:
            assert first == page.t[f"readers.random.{effect.analysis}"]
            assert (effect.test if part != "differences" else "alone") in words
            assert ("model" in words) == (part == "against_model")
        assert plain(row[2], "en").startswith(plain((Quantity((), effect.figure.value),), "en"))
        assert plain(row[3], "en") == ("7.5" if part == "means" else "∞")
        ps = [plain(cell, "en") for cell in row[4:]]
        expected = {"means": ["", ""], "differences": ["<0.001", "0.020"], "against_model": ["0.200", "0.400"]}
        assert [each.replace(" ", "").replace("\N{NO-BREAK SPACE}", "") for each in ps] == expected.get(
            part, ["0.300", ""]
        )


def test_agreement_of_all_readers_is_in_the_results_and_that_of_each_two_in_the_appendices() -> None:
    page = ReportPage(document(study(analysis())))
    all_readers, pairs = tables(readers(page))[-1], tables(reader_details(page))[-1]
    assert (all_readers.caption, pairs.caption) == (page.t["readers.agreement"], page.t["readers.pairs"])
    assert [place_of(row)[3] for row in all_readers.rows] == [1] and [place_of(row)[3] for row in pairs.rows] == [0, 2]
    assert [plain(cell, "en") for cell in pairs.rows[0][:3]] == [
        f"{page.t['readers.measure.cohen_linear']}, {page.t['readers.of.scores']}",
        "alone",
        "A, B",
    ]
    none = ReportPage(document(study(analysis(), agreement=[])))
    assert {table.caption for table in tables([*readers(none), *reader_details(none)])}.isdisjoint(
        {page.t["readers.agreement"], page.t["readers.pairs"]}
    )


def test_what_was_read_how_and_against_which_thresholds_is_told_where_it_is_known() -> None:
    plainly = coded_page(document(study(analysis(), covariance="jackknife")))
    told = [line.partition(" x ")[0].split()[0:2] for line in outline(readers(plainly))]
    assert told == [
        ["##", "readers"],
        ["plain", "readers.of"],
        ["table", "readers.each"],
        ["table", "readers.effects"],
        ["plain", "readers.how.jackknife"],
        ["table", "readers.agreement"],
    ]
    more = coded_page(document(study(analysis(), model_threshold=0.4, call_from=3, notes=["Of old."])))
    lines = outline(readers(more))
    assert lines[2:4] == ["plain readers.threshold", "plain readers.call_from"] and lines[-1] == "caption Of old."
    assert list(readers(coded_page(document()))) == [] == list(reader_details(coded_page(document())))
    assert len(outline(readers(coded_page(document(study(analysis()), study(analysis())))))) == 11
