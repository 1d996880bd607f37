"""The page of a watched folder's weeks: what came, who answered, what differs and by how much."""

import pytest

from breastai.clinical.ledger_drift import summarise_weeks
from breastai.clinical.report import report_drift
from breastai.clinical.report.report_blocks import Bullets, Charts, Heading, Paragraph, Quantity, Table, plain
from breastai.clinical.report.report_drift import drift_blocks
from breastai.clinical.report.report_texts import texts
from breastai.domain.watch_records import LedgerLine
from breastai.texts.catalogue import texts_below

from .test_ledger_drift import drawn, line

WORDS = texts("en") | texts_below("cli.drift", "en")


@pytest.fixture(autouse=True)
def blank(blank_charts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_drift, "png", lambda figure: b"")


def said(lines: list[LedgerLine], first: int = 1) -> list[str]:
    return [
        plain(block.text, "en")
        for block in drift_blocks(summarise_weeks(lines, first), "en")
        if isinstance(block, Paragraph)
    ]


def test_what_came_in_which_weeks_and_how_many_are_compared_with_is_told() -> None:
    found = said([*drawn(0, 12), *drawn(1, 13), *drawn(3, 14), line(3, 99, is_skipped=True)], 2)
    assert any("39" in text and "2025-W52" in text and "2026-W03" in text and "1" in text for text in found)
    assert any("25" in text for text in found)
    assert WORDS["drift.nothing"] in said([]) and WORDS["drift.nothing"] not in found


@pytest.mark.parametrize(
    ("models", "changed"), [(["a", "a", "a"], False), (["a", "b", "b"], True), (["a", "b", "a"], True)]
)
def test_a_change_of_the_model_is_a_warning_with_the_weeks_in_which_it_came(models: list[str], changed: bool) -> None:
    lines = [line(week, number, model=model) for week, model in enumerate(models) for number in range(2)]
    blocks = drift_blocks(summarise_weeks(lines, 1), "en")
    warnings = [plain(block.text, "en") for block in blocks if isinstance(block, Paragraph) and block.role == "warning"]
    told = [text for text in warnings if text != WORDS["drift.no_labels"]]
    assert bool(told) is changed and WORDS["drift.no_labels"] in warnings
    if changed:
        assert "2025-W52: a; 2026-W01: b" in told[0] and ("2026-W02: a" in told[0]) is (models[2] == "a")
        assert "2026-W02: b" not in told[0]
    both = [line(0, 0, model="a"), line(0, 1, model="b")]
    assert any("2025-W52: a, b" in text for text in said(both))


def test_each_difference_is_told_with_its_size_and_marked_in_the_table() -> None:
    found = summarise_weeks([*drawn(0, 60), *drawn(1, 60, shift=0.8), *drawn(2, 60)], 1)
    differing = [
        (number, name)
        for number, week in enumerate(found.weeks)
        for name, value in week.values.items()
        if value.differs
    ]
    assert (1, "score") in differing
    blocks = drift_blocks(found, "en")
    (bullets,) = [block for block in blocks if isinstance(block, Bullets)]
    assert len(bullets.items) == len(differing)
    for (number, name), item in zip(differing, bullets.items, strict=True):
        value = found.weeks[number].values[name]
        paths = [part.path[-1] for part in item if isinstance(part, Quantity)]
        assert value.adjusted_p is not None
        assert paths == (["difference"] if value.adjusted_p < 0.001 else ["difference", "adjusted_p"])
        assert found.weeks[number].week in plain(item, "en")
    tables = [block for block in blocks if isinstance(block, Table)]
    assert [len(table.rows) for table in tables] == [3, 3]
    columns = {
        name: (table, place)
        for table, names in zip(tables, report_drift._PARTS.values(), strict=True)
        for place, name in enumerate(names)
    }
    for name, (table, place) in columns.items():
        for number, row in enumerate(table.rows):
            assert row[0][0] == found.weeks[number].week + ("*" if number == 0 else "")
            assert ("◆" in plain(row[2 + place], "en")) is ((number, name) in differing)
            (cell, *_) = row[2 + place]
            assert isinstance(cell, Quantity) and cell.value == found.weeks[number].values[name].value
    assert sum(isinstance(block, Heading) for block in blocks) == 5
    assert [len(block.charts) for block in blocks if isinstance(block, Charts)] == [4, 4]


def test_without_a_difference_that_is_said_and_without_later_weeks_that_it_is_too_early() -> None:
    alike = said([*drawn(0, 30), *drawn(0, 30)[:5], line(1, 0)], 1)
    none, early = (WORDS[f"drift.{name}"].partition("{")[0] for name in ("none", "too_early"))
    assert any(text.startswith(none[:20]) for text in alike) and not any(text.startswith(early[:20]) for text in alike)
    alone = said(drawn(0, 30), 4)
    assert any(text.startswith(early[:20]) for text in alone) and not any(text.startswith(none[:20]) for text in alone)


def test_what_no_week_has_is_not_drawn() -> None:
    blocks = drift_blocks(summarise_weeks([line(0, 0), line(0, 1)], 1), "en")
    assert [len(block.charts) for block in blocks if isinstance(block, Charts)] == [1]  # files that can't be read
