"""A report by the codes of its texts and the places of its numbers: what it tells, whatever its words."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from breastai.clinical.report.report_blocks import Block, Bullets, Flow, Heading, Inlines, Paragraph, Quantity, Quoted
from breastai.clinical.report.report_blocks import Table as Grid
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_page import ReportPage

_CODE = re.compile("«(.+?)»")
_NO_WORDS = ("language", "chart.decimal")
_MOST_COUNTED = 20


def coded(texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts that begin with their codes."""
    return {code: text if code in _NO_WORDS else f"«{code}»{text}" for code, text in texts.items()}


def coded_page(document: ReportDocument) -> ReportPage:
    page = ReportPage(document)
    page.t = coded(page.t)
    return page


def codes(text: Inlines | str) -> list[str]:
    """Return the codes of the texts that a text is made of; where it has none, the text."""
    whole = text if isinstance(text, str) else "".join(_shown(part) for part in text)
    return _CODE.findall(whole) or [whole] * bool(whole)


def _shown(part: str | Quantity | Quoted) -> str:
    return part if isinstance(part, str) else part.text if isinstance(part, Quoted) else "/".join(map(str, part.path))


def outline(blocks: Iterable[Block]) -> list[str]:
    """Return a line for each block, or part of one: what it is, and the codes of its texts."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Heading):
            lines.append(" ".join(("#" * block.level, *codes(block.text))))
        elif isinstance(block, Paragraph):
            lines.append(" ".join((block.role, *codes(block.text))))
        elif isinstance(block, Bullets):
            lines += [" ".join(("-", *codes(item))) for item in block.items]
        elif isinstance(block, Grid):
            rows = f"{len(block.rows)} " if len(block.rows) <= _MOST_COUNTED else ""  # every setting, every figure
            lines.append(" ".join(("table", *codes(block.caption), f"{rows}x {len(block.head)}")))
        elif isinstance(block, Flow):
            for step in block.steps:
                lines.append(" ".join(("step", *codes(step.text))))
                lines += [" ".join(("leaving", *codes(text))) for text in step.leaving]
        else:
            lines.append(type(block).__name__)
    return lines


def changed(document: ReportDocument, changes: Mapping[str, Any]) -> ReportDocument:
    """Return the document with other values at places of its JSON, such as "flow.masks"."""
    values = document.model_dump(mode="json")
    for place, value in changes.items():
        *above, last = place.split(".")
        at: Any = values
        for key in above:
            at = at[key]
        at[last] = value
    return ReportDocument.model_validate(values)


def difference(before: Iterable[str], after: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return which lines are gone and which have come, in order, each as often as it is."""
    old, new = Counter(before), Counter(after)
    return sorted((old - new).elements()), sorted((new - old).elements())
