"""A report as Markdown, for the supplement of a journal: from the same blocks as the HTML, without its pictures."""

from collections.abc import Iterator, Sequence

from breastai.clinical.report.report_blocks import (
    Block,
    Bullets,
    Charts,
    Flow,
    Heading,
    Inlines,
    Paragraph,
    Pictures,
    Table,
    plain,
)

_ROLES = {"plain": "", "notice": "> **", "warning": "> ", "caption": "*"}
_ENDS = {"plain": "", "notice": "**", "warning": "", "caption": "*"}


def to_markdown(blocks: Sequence[Block], language: str) -> str:
    """Return the report as CommonMark with pipe tables; charts and pictures are told by their captions."""
    return "\n\n".join(text for block in blocks for text in _texts(block, language) if text) + "\n"


def _texts(block: Block, language: str) -> Iterator[str]:
    match block:
        case Heading(text=text, level=level):
            yield f"{'#' * level} {text}"
        case Paragraph(text=text, role=role):
            yield f"{_ROLES[role]}{plain(text, language)}{_ENDS[role]}"
        case Bullets(items=items):
            yield "\n".join(f"- {plain(item, language)}" for item in items)
        case Table(head=head, rows=rows, caption=caption):
            yield f"**{caption}**"
            lines = [_row(head), _row(["---"] * len(head)), *(_row(_cells(row, language)) for row in rows)]
            yield "\n".join(lines)
        case Flow(steps=steps, caption=caption):
            yield f"**{caption}**"
            lines = []
            for step in steps:
                lines.append(f"1. {plain(step.text, language)}")
                lines += [f"   - {plain(leaving, language)}" for leaving in step.leaving]
            yield "\n".join(lines)
        case Charts(charts=charts):
            yield "\n".join(f"- *{chart.caption}*" for chart in charts)
        case Pictures(pictures=pictures):
            yield "\n".join(f"- {plain(picture.caption, language)}" for picture in pictures)
        case _:  # a new page says nothing
            return


def _cells(row: tuple[Inlines, ...], language: str) -> list[str]:
    return [plain(cell, language).replace("|", "\\|").replace("\n", " ") for cell in row]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
