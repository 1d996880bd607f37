"""The words and numbers of a report: figures called by name, findings, blocks as text, numbers as they are read."""

from typing import Any

import pytest

from breastai.clinical.report.report_blocks import (
    NO_NUMBER,
    Bullets,
    Charts,
    Flow,
    Heading,
    PageBreak,
    Paragraph,
    Picture,
    Pictures,
    Quantity,
    Quoted,
    Step,
    Table,
    at,
    fill,
    format_quantity,
    interval,
    plain,
)
from breastai.clinical.report.report_charts import Chart
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_html import _is_numeric, to_html
from breastai.clinical.report.report_markdown import to_markdown
from breastai.clinical.report.report_page import ReportPage, flat
from breastai.clinical.report.report_texts import (
    class_label,
    finding_text,
    initial_weights,
    monitor_name,
    texts,
    translate_sentence,
)
from breastai.domain.records import Finding

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "kind", "en", "fr"),
    [
        (None, "figure", NO_NUMBER, NO_NUMBER),
        (0.12345, "figure", "0.123", "0,123"),
        (-0.5, "figure", f"{MINUS}0.500", f"{MINUS}0,500"),
        (1234567, "integer", "1\u202f234\u202f567", "1\u202f234\u202f567"),
        (2.5001, "integer", "3", "3"),
        (0.95, "plain", "0.95", "0,95"),
        (-2, "plain", f"{MINUS}2", f"{MINUS}2"),
        (0.0333, "percent", "3.3%", "3,3\N{NO-BREAK SPACE}%"),
    ],
)
def test_a_number_is_written_as_its_kind_and_language_have_it(value: Any, kind: Any, en: str, fr: str) -> None:
    assert format_quantity(Quantity((), value, kind), "en") == en
    assert format_quantity(Quantity((), value, kind), "fr").replace("\u202f%", "\N{NO-BREAK SPACE}%") == fr


def test_a_template_is_filled_with_quantities_and_words_and_nothing_empty() -> None:
    number = Quantity(("n",), 3, "integer")
    assert fill("{n} of {name}: {more}.", "en", n=number, name="x", more=["a", number]) == (
        number,
        " of ",
        "x",
        ": ",
        "a",
        number,
        ".",
    )
    words = fill("{n} image{n?|s} {n?est|sont}", "fr", n=Quantity(("n",), 0, "integer"))
    assert plain(words, "fr") == "0 image est"
    assert fill("{q}", "en", q=Quoted("As found.")) == (Quoted("As found."),)
    assert plain(("n = ", number, Quoted(" ok")), "en") == "n = 3 ok"
    assert at({"a": [{"b": 4}]}, "a", 0, "b", kind="integer") == Quantity(("a", 0, "b"), 4, "integer")


@pytest.mark.parametrize(
    ("low", "high", "flag", "said"),
    [
        (0.1, 0.2, None, "0.100 to 0.200"),
        (0.1, None, None, "0.100 or more"),
        (None, None, None, NO_NUMBER),
        (None, 0.5, "few", "reason"),
        (0.1, 0.2, "few", "0.100 to 0.200, reason"),
    ],
)
def test_an_interval_has_two_bounds_or_one_or_says_why_it_has_none(low: Any, high: Any, flag: Any, said: str) -> None:
    words = {
        "language": "en",
        "interval": "{low} to {high}",
        "interval.least": "{low} or more",
        "interval.few": "reason",
    }
    found = interval({"x": {"low": low, "high": high, "flag": flag}}, words, "x")
    assert plain(found, "en") == said


@pytest.mark.parametrize(("rows", "widths"), [((("a",),), ()), ((("a", "b"),), (1.0,)), ((("a", "b"),), (0.5, 0.4))])
def test_a_table_that_does_not_fit_its_head_is_refused(rows: Any, widths: Any) -> None:
    with pytest.raises(ValueError, match="caption"):
        Table(("x", "y"), rows, "caption", widths=widths)


def page(language: str = "en") -> ReportPage:
    return ReportPage(ReportDocument.model_construct(language=language, evidence=None, flow=None))


@pytest.mark.parametrize(
    ("name", "en", "fr"),
    [
        ("accuracy", "Accuracy", "Exactitude"),
        ("auc_roc.malignant", "AUC, malignant", "AUC, malin"),
        ("auc_roc.malignant@patient", "AUC, malignant", "AUC, malin"),
        ("accuracy@site=Lyon", "Accuracy, site Lyon", "Exactitude, site Lyon"),
        ("sensitivity.benign@age=50-65", "Sensitivity, benign, age 50-65", "Sensibilité, bénin, age 50-65"),
        ("sensitivity_at_operating_point.a.b", "Sensitivity at the operating point, a.b", None),
        ("accuracy_of_tomorrow", "accuracy_of_tomorrow", "accuracy_of_tomorrow"),
        ("", "", ""),
    ],
)
def test_a_figure_is_called_by_its_metric_its_class_and_its_subgroup(name: str, en: str, fr: str | None) -> None:
    assert page().figure_name(name) == en
    assert fr is None or page("fr").figure_name(name) == fr


def test_settings_are_listed_by_their_path_and_those_that_are_not_set_are_not() -> None:
    values = {"a": {"b": 1, "c": None, "d": {"e": [1, "x"]}}, "f": False, "g": ""}
    assert list(flat(values)) == [("a.b", "1"), ("a.d.e", "1, x"), ("f", "False"), ("g", "")]


def test_a_class_is_called_as_the_language_calls_it_and_else_as_it_is_named() -> None:
    assert [class_label(name, texts("fr")) for name in ("Malignant ", "benign", "zyste")] == ["malin", "bénin", "zyste"]
    assert [class_label(name, texts("en")) for name in ("Malignant ", "zyste")] == ["Malignant ", "zyste"]


def test_first_weights_and_what_was_watched_are_told_in_words_where_there_are_any() -> None:
    words = texts("en")
    assert initial_weights("tomorrow: x", words) == "tomorrow: x" and initial_weights("none", words) != "none"
    assert "my.pt" in initial_weights("file:  my.pt ", words) and "  " not in initial_weights("file:  my.pt ", words)
    assert monitor_name("val_auc_roc", words) == words["watched.val"].format(figure="AUC")
    assert monitor_name("val_tomorrow", words) == "val_tomorrow"


def finding(code: str, **params: Any) -> Finding:
    return Finding(code=code, severity="info", message="As found.", why="", advice="", params=params)


def test_a_finding_without_words_in_the_language_stays_english_and_is_marked_as_that() -> None:
    assert finding_text(finding("of.tomorrow"), "en") == "As found."
    assert finding_text(finding("of.tomorrow"), "fr") == Quoted("As found.")
    told = finding_text(finding("classes.imbalanced", largest="benign", smallest="my own", ratio=3.0), "fr")
    assert isinstance(told, str) and "bénin" in told and "my own" in told


def test_a_sentence_of_an_older_record_stays_as_it_was_kept() -> None:
    assert translate_sentence("Kept so.", "en") == "Kept so."
    assert translate_sentence("Kept so.", "fr") == Quoted("Kept so.") and translate_sentence("", "fr") == ""


BLOCKS = [
    Heading("Title", 1),
    Heading("Part"),
    Paragraph(("Plain ", Quantity(("n",), 3, "integer"))),
    Paragraph(("Notice",), "notice"),
    Paragraph(("Warning",), "warning"),
    Paragraph(("Caption",), "caption"),
    Bullets((("one",), ("two",))),
    Table(("x", "y"), ((("a|b\nc",), (Quantity((), 0.5),)),), "Grid"),
    Flow((Step(("in",), (("out",), ("gone",))), Step(("left",))), "Steps"),
    Charts((Chart(b"", "curve"), Chart(b"", "other"))),
    Pictures((Picture(None, ("case",)),), "alt"),
    PageBreak(),
]


def test_markdown_has_a_line_for_all_that_the_page_says() -> None:
    assert to_markdown(BLOCKS, "en") == (
        "# Title\n\n## Part\n\nPlain 3\n\n> **Notice**\n\n> Warning\n\n*Caption*\n\n- one\n- two\n\n**Grid**\n\n"
        "| x | y |\n| --- | --- |\n| a\\|b c | 0.500 |\n\n**Steps**\n\n1. in\n   - out\n   - gone\n1. left\n\n"
        "- *curve*\n- *other*\n\n- case\n"
    )


def test_a_page_is_titled_after_its_first_heading_and_columns_of_numbers_alone_are_told() -> None:
    html = to_html(BLOCKS, "fr")
    assert "<title>Title</title>" in html and 'lang="fr"' in html
    number = (Quantity((), 0.5),)
    for rows, expected in (
        ((("a",), number), True),
        ((("a",), (Quantity((), 1), "x")), False),
        ((("a",), ("x",)), False),
    ):
        assert _is_numeric(Table(("x", "y"), (rows,), "")) == expected
    assert not _is_numeric(Table(("x", "y"), (), "")) and not _is_numeric(Table(("x",), ((("a",),),), ""))
    assert not _is_numeric(Table(("x", "y"), ((("a",), number), (("b",), ("",))), ""))
