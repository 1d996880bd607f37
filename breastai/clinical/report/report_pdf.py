"""A report as a PDF on A4, from the same blocks as the HTML."""

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import CondPageBreak, Flowable, Image, KeepTogether, SimpleDocTemplate, Spacer
from reportlab.platypus import PageBreak as NewPage
from reportlab.platypus import Paragraph as Lines
from reportlab.platypus import Table as Grid

from breastai.clinical.report.report_blocks import (
    Block,
    Bullets,
    Charts,
    Flow,
    Heading,
    Inlines,
    PageBreak,
    Paragraph,
    Pictures,
    Table,
    plain,
)

_MARGIN = 16 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_FONT, _BOLD = "DejaVu", "DejaVu-Bold"
# What of a block should still fit on the page its heading is on.
_ROOM: dict[type, float] = {Table: 26 * mm, Charts: 92 * mm, Pictures: 66 * mm, Flow: 30 * mm}
_ACCENT = colors.HexColor("#0f6b73")


def to_pdf(blocks: Sequence[Block], language: str, title: str) -> bytes:
    """Return the report as a PDF; rows of tables are never cut, and headings stay with what follows."""
    _register_fonts()
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        title=title,
        creator="BreastAI",
        lang=language,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
    )
    story: list[Flowable] = []
    for number, block in enumerate(blocks):
        if isinstance(block, Heading | Table):
            story.append(CondPageBreak(_room_wanted(blocks[number:])))
        story += _flowables(block, language)
    document.build(story)
    return buffer.getvalue()


def _room_wanted(blocks: Sequence[Block]) -> float:
    """Return the room the first block must find on a page for a heading, or a table's, not to stand there alone.

    Not by keepWithNext: that would keep a heading with the whole of a long table, and leave half a page white.
    """
    if not blocks:
        return 0.0
    if isinstance(blocks[0], Heading):
        return float(14 * mm) + _room_wanted(blocks[1:])
    if isinstance(blocks[0], Paragraph) and len(blocks) > 1 and isinstance(blocks[1], Charts | Pictures):
        return float(12 * mm) + _ROOM[type(blocks[1])]
    return float(_ROOM.get(type(blocks[0]), 12 * mm))


def _register_fonts() -> None:
    """Register the DejaVu fonts that come with matplotlib: the built-in ones know only Western letters."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name, file in ((_FONT, "DejaVuSans.ttf"), (_BOLD, "DejaVuSans-Bold.ttf")):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, folder / file))


def _style(size: float = 8.5, **options: Any) -> ParagraphStyle:
    return ParagraphStyle("text", fontName=_FONT, fontSize=size, leading=size * 1.4, spaceAfter=4, **options)


def _lines(text: Inlines, language: str, style: ParagraphStyle) -> Lines:
    return Lines(escape(plain(text, language)), style)


def _flowables(block: Block, language: str) -> Iterator[Flowable]:
    match block:
        case Heading(text=text, level=level):
            size = {1: 15, 2: 12, 3: 10}.get(level, 10)
            style = ParagraphStyle(
                "heading",
                fontName=_BOLD,
                fontSize=size,
                leading=size * 1.3,
                spaceBefore=size,
                spaceAfter=4,
            )
            style.textColor = _ACCENT if level == 2 else colors.black
            yield Lines(escape(text), style)
        case Paragraph(text=text, role=role):
            options: dict[str, Any] = {}
            if role in ("notice", "warning"):
                colour = _ACCENT if role == "notice" else colors.HexColor("#b86b00")
                options = {"borderColor": colour, "borderWidth": 1, "borderPadding": 4, "spaceBefore": 6}
            if role == "caption":
                options = {"textColor": colors.HexColor("#51626b")}
            yield _lines(text, language, _style(**options))
        case Bullets(items=items):
            for item in items:
                yield _lines(("• ", *item), language, _style(leftIndent=8))
        case PageBreak():
            yield NewPage()
        case Table():
            yield from _table(block, language)
        case Flow(steps=steps, caption=caption):
            yield Lines(escape(caption), _style(9))
            for step in steps:
                beside = [_lines(leaving, language, _style(7.5)) for leaving in step.leaving]
                box = Grid([[_lines(step.text, language, _style()), beside]], colWidths=[_WIDTH * 0.6, _WIDTH * 0.4])
                box.setStyle([("BOX", (0, 0), (0, 0), 1, _ACCENT), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")])
                yield box
                yield Spacer(1, 4)
        case Charts(charts=charts):
            cells = []
            for chart in charts:
                picture = Image(io.BytesIO(chart.png))
                picture.drawHeight *= (_WIDTH / 2 - 8) / picture.drawWidth
                picture.drawWidth = _WIDTH / 2 - 8
                cells.append([picture, Lines(escape(chart.caption), _style(7.5))])
            yield from _rows_of(cells, 2)
        case Pictures(pictures=pictures):
            yield from _rows_of([_picture(picture, language) for picture in pictures], 4)


def _table(table: Table, language: str) -> Iterator[Flowable]:
    widths = [_WIDTH * share for share in table.widths] or [_WIDTH / len(table.head)] * len(table.head)
    small, blank = _style(7.5), _style(7.5, textColor=colors.HexColor("#a92222"))
    rows: list[list[Any]] = [
        [Lines(escape(cell), ParagraphStyle("head", parent=small, fontName=_BOLD)) for cell in table.head]
    ]
    for number, row in enumerate(table.rows):
        rows.append([_lines(cell, language, blank if number in table.blank else small) for cell in row])
    grid = Grid(rows, colWidths=widths, repeatRows=1, splitInRow=0)
    grid.setStyle(
        [
            ("LINEBELOW", (0, 0), (-1, 0), 1, colors.HexColor("#7f9099")),
            ("LINEBELOW", (0, 1), (-1, -1), 0.4, colors.HexColor("#d8e1e5")),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
        ]
    )
    yield Lines(escape(table.caption), ParagraphStyle("caption", parent=small, fontName=_BOLD, spaceBefore=6))
    yield grid
    yield Spacer(1, 6)


def _picture(picture: Any, language: str) -> list[Flowable]:
    caption = _lines(picture.caption, language, _style(6.5))
    if picture.uri is None:
        return [caption]
    image = Image(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2])))
    scale = (_WIDTH / 4 - 8) / max(image.drawWidth, image.drawHeight)
    image.drawWidth, image.drawHeight = image.drawWidth * scale, image.drawHeight * scale
    return [image, caption]


def _rows_of(cells: list[list[Flowable]], columns: int) -> Iterator[Flowable]:
    for start in range(0, len(cells), columns):
        row: list[Any] = cells[start : start + columns]
        row += [""] * (columns - len(row))
        grid = Grid([row], colWidths=[_WIDTH / columns] * columns)
        grid.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP")])
        yield KeepTogether([grid])
