"""The weeks of a watched folder as blocks of a page: what differs, a chart for each number and share, a table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from breastai.clinical.ledger_drift import SHARES, DriftSummary, Week
from breastai.clinical.report.report_blocks import (
    Block,
    Bullets,
    Chart,
    Charts,
    Heading,
    Inlines,
    Kind,
    Paragraph,
    Quantity,
    Table,
    at,
    fill,
)
from breastai.clinical.report.report_charts import png, weekly
from breastai.clinical.report.report_texts import texts
from breastai.texts.catalogue import texts_below
from breastai.texts.number_format import LEAST_P

# Answers first, then what was asked about.
_PARTS = {
    "answers": ("referred", "called", "score", "novelty"),
    "inputs": ("unreadable", "brightness", "contrast", "size"),
}
_KINDS: dict[str, Kind] = {**dict.fromkeys(SHARES, "percent"), "size": "integer"}
_TABLE_WIDTHS = (0.16, 0.14, *(0.175,) * 4)


def drift_blocks(found: DriftSummary, language: str) -> list[Block]:
    """Return the page of a folder's weeks; its numbers are those of `found` as JSON."""
    words = texts(language) | texts_below("cli.drift", language)
    document = found.model_dump(mode="json")
    blocks: list[Block] = [
        Heading(words["drift.title"], 1),
        Paragraph((texts_below("page", language)["research_use"],), "notice"),
        *_seen(found, document, words),
        Heading(words["drift.differences"]),
        *_differences(found, document, words),
    ]
    for part, names in _PARTS.items():
        charts = [chart for name in names if (chart := _chart(found.weeks, name, words)) is not None]
        blocks += [Heading(words[f"drift.{part}"]), Charts(tuple(charts))] if charts else []
        blocks += [_table(found, document, names, words)] if charts else []
    return [
        *blocks,
        Heading(words["drift.limits_title"]),
        Paragraph((words["drift.no_labels"],), "warning"),
        Paragraph((words["drift.method"],)),
    ]


def _seen(found: DriftSummary, document: dict[str, Any], words: dict[str, str]) -> Iterator[Block]:
    if not found.weeks:
        yield Paragraph((words["drift.nothing"],))
        return
    first, last = found.weeks[0].week, found.weeks[-1].week
    images, left_out = at(document, "images", kind="integer"), at(document, "left_out", kind="integer")
    yield Paragraph(
        fill(words["drift.seen"], words["language"], images=images, first=first, last=last, left_out=left_out)
    )
    reference = at(document, "reference_images", kind="integer")
    yield Paragraph(fill(words["drift.reference"], words["language"], images=reference))
    turns = [week for before, week in zip([None, *found.weeks], found.weeks, strict=False) if _has_new(before, week)]
    models = "; ".join(f"{week.week}: {', '.join(week.models)}" for week in turns)
    if len(turns) > 1 or len(turns[0].models) > 1:
        yield Paragraph(fill(words["drift.models_changed"], words["language"], models=models), "warning")
    else:
        yield Paragraph(fill(words["drift.models"], words["language"], models=", ".join(turns[0].models)))


def _has_new(before: Week | None, week: Week) -> bool:
    return before is None or before.models != week.models


def _differences(found: DriftSummary, document: dict[str, Any], words: dict[str, str]) -> Iterator[Block]:
    rows = [
        fill(
            words["differs"],
            words["language"],
            week=week.week,
            name=words[name],
            difference=at(document, "weeks", number, "values", name, "difference"),
            p=_p_value(at(document, "weeks", number, "values", name, "adjusted_p"), words),
        )
        for number, week in enumerate(found.weeks)
        for name, value in week.values.items()
        if value.differs
    ]
    if rows:
        yield Bullets(tuple(rows))
    else:
        compared = any(not week.is_reference for week in found.weeks)
        images = at(document, "reference_images", kind="integer")
        yield Paragraph(fill(words["drift.none" if compared else "drift.too_early"], words["language"], images=images))


def _p_value(p: Quantity, words: Mapping[str, str]) -> Quantity | str:
    return p if p.value is None or p.value >= LEAST_P else words["p.least"]


def _chart(weeks: Sequence[Week], name: str, words: dict[str, str]) -> Chart | None:
    """Return a number's or share's chart; None where no week has it."""
    values = [week.values[name] for week in weeks]
    if all(value.value is None for value in values):
        return None
    curve = {"value": [value.value for value in values]}
    for bound in ("low", "high"):
        curve[bound] = [getattr(value if value.share is None else value.share, bound) for value in values]
    drawn = weekly(
        [week.week for week in weeks],
        curve,
        [value.differs for value in values],
        sum(week.is_reference for week in weeks),
        words[f"drift.axis.{name}"],
        words,
    )
    kind = "share" if name in SHARES else "number"
    return Chart(png(drawn), words[f"drift.chart.{kind}"].format(name=words[f"drift.axis.{name}"]))


def _table(found: DriftSummary, document: dict[str, Any], names: Sequence[str], words: dict[str, str]) -> Table:
    rows: list[tuple[Inlines, ...]] = []
    for number, week in enumerate(found.weeks):
        cells = []
        for name in names:
            value = at(document, "weeks", number, "values", name, "value", kind=_KINDS.get(name, "figure"))
            cells.append((value, " ◆") if week.values[name].differs else (value,))
        images = at(document, "weeks", number, "images", kind="integer")
        rows.append(((week.week + ("*" if week.is_reference else ""),), (images,), *cells))
    head = (words["drift.week"], words["drift.images"], *(words[name] for name in names))
    return Table(head, tuple(rows), words["drift.table"], widths=_TABLE_WIDTHS)
