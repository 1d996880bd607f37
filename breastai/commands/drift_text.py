"""The weeks of a watched folder as text for people: a row a week, and what differs from the first ones."""

from typing import TYPE_CHECKING

from breastai.commands.format_text import count_text, decimals, percent
from breastai.commands.language import say

if TYPE_CHECKING:
    from breastai.clinical.ledger_drift import DriftSummary, Week

_COLUMNS = ("referred", "called", "unreadable", "score", "novelty", "brightness", "contrast", "size")
_DIGITS = {"score": 3, "novelty": 2, "brightness": 1, "contrast": 1, "size": 0}


def drift_text(found: "DriftSummary") -> str:
    """Return the summary as lines: a table, the differences, and what they can't say."""
    heads = ["", say("cli.images"), *(say(f"cli.drift.{name}") for name in _COLUMNS)]
    rows = [_row(week) for week in found.weeks]
    widths = [max(len(row[place]) for row in [heads, *rows]) for place in range(len(heads))]
    table = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [heads, *rows]]
    differences = [line for week in found.weeks for line in _differences(week)]
    first = count_text(found.reference_images, "image")
    alike = "cli.drift.none" if any(not week.is_reference for week in found.weeks) else "cli.drift.too_early"
    told = differences or [say(alike, images=first)]
    return "\n".join([*table, "", *told, say("cli.drift.limits"), say("page.research_use")])


def _row(week: "Week") -> list[str]:
    cells = [week.week + ("*" if week.is_reference else ""), str(week.images)]
    for name in _COLUMNS:
        found = week.values[name]
        mark = "◆" if found.differs else ""
        if found.value is None:
            cells.append("–")
        else:
            shown = percent(found.value) if name not in _DIGITS else decimals(found.value, _DIGITS[name])
            cells.append(f"{shown}{mark}")
    return cells


def _differences(week: "Week") -> list[str]:
    return [
        say(
            "cli.drift.differs",
            week=week.week,
            name=say(f"cli.drift.{name}"),
            difference=decimals(found.difference or 0.0, 2),
            p=decimals(found.adjusted_p or 0.0, 4),
        )
        for name, found in week.values.items()
        if found.differs
    ]
