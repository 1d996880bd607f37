"""A report as a Word document, for the supplement of a journal: from the same blocks as the HTML, with its pictures."""

import base64
import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from docx import Document
from docx.document import Document as WordDocument
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_BREAK
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.table import Table as Grid
from docx.table import _Cell as Cell
from docx.text.paragraph import Paragraph as Lines
from docx.text.run import Run

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
    Quoted,
    Table,
    plain,
)
from breastai.texts.catalogue import ENGLISH

_MARGIN_MM, _WIDTH_MM, _HEIGHT_MM = 16, 210, 297
_INNER_MM = _WIDTH_MM - 2 * _MARGIN_MM
_TEXT_PT, _SMALL_PT = 9.5, 8
_ACCENT, _WARNING, _MUTED = "0F6B73", "B86B00", "51626B"
# What XML has no place for, such as a control character in the name of a class.
_UNFIT = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def to_docx(blocks: Sequence[Block], language: str, title: str) -> bytes:
    """Return the report as a Word document on A4; heads of tables repeat on each page, and no row is cut."""
    document = Document()
    _set_up(document, language, title)
    writer = _Writer(document, language)
    for block in blocks:
        writer.add(block)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _set_up(document: WordDocument, language: str, title: str) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = Mm(_WIDTH_MM), Mm(_HEIGHT_MM)
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Mm(_MARGIN_MM)
    properties = document.core_properties
    properties.title, properties.author, properties.language = _fit(title), "BreastAI", language
    properties.created = properties.modified = datetime.now(UTC)
    properties.comments = ""
    document.styles["Normal"].font.size = Pt(_TEXT_PT)
    for found in document.styles.element.iter(qn("w:lang")):
        found.set(qn("w:val"), language)


class _Writer:
    """Writes blocks at the end of a document."""

    def __init__(self, document: WordDocument, language: str) -> None:
        self._document = document
        self._language = language

    def add(self, block: Block) -> None:
        match block:
            case Heading(text=text, level=level):
                heading = self._document.add_heading(_fit(text), level)
                for run in heading.runs:
                    run.font.color.rgb = RGBColor.from_string(_ACCENT if level == 2 else "17252C")
            case Paragraph(text=text, role=role):
                self._paragraph(text, role)
            case Bullets(items=items):
                for item in items:
                    self._write(self._document.add_paragraph(style="List Bullet"), item)
            case PageBreak():
                self._document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
            case Table():
                self._table(block)
            case Flow(steps=steps, caption=caption):
                self._caption(caption)
                grid = self._grid(len(steps), (0.6, 0.4))
                for row, step in enumerate(steps):
                    box, beside = grid.rows[row].cells
                    self._write(box.paragraphs[0], step.text)
                    _border(box, _ACCENT)
                    for number, leaving in enumerate(step.leaving):
                        lines = beside.paragraphs[0] if number == 0 else beside.add_paragraph()
                        self._write(lines, leaving, _SMALL_PT)
                self._document.add_paragraph()
            case Charts(charts=charts):
                self._side_by_side([(each.png, each.caption, (each.caption,)) for each in charts], 2)
            case Pictures(pictures=pictures, alt=alt):
                shown = [
                    (None if each.uri is None else base64.b64decode(each.uri.partition(",")[2]), alt, each.caption)
                    for each in pictures
                ]
                self._side_by_side(shown, 4)

    def _paragraph(self, text: Inlines, role: str) -> None:
        lines = self._document.add_paragraph()
        runs = self._write(lines, text)
        if role in ("notice", "warning"):
            _border(lines, _ACCENT if role == "notice" else _WARNING)
        for run in runs:
            run.bold = role == "notice"
            if role == "caption":
                run.font.size, run.font.color.rgb = Pt(_SMALL_PT), RGBColor.from_string(_MUTED)

    def _caption(self, text: str) -> None:
        lines = self._document.add_paragraph()
        lines.paragraph_format.keep_with_next = True
        (run,) = self._write(lines, (text,))
        run.bold = True

    def _table(self, table: Table) -> None:
        self._caption(table.caption)
        shares = table.widths or tuple(1 / len(table.head) for _ in table.head)
        grid = self._grid(1 + len(table.rows), shares, "Table Grid")
        for cell, words in zip(grid.rows[0].cells, table.head, strict=True):
            for run in self._write(cell.paragraphs[0], (words,), _SMALL_PT):
                run.bold = True
        _mark(grid.rows[0]._tr.get_or_add_trPr(), "w:tblHeader")
        for number, row in enumerate(table.rows):
            for cell, text in zip(grid.rows[number + 1].cells, row, strict=True):
                self._write(cell.paragraphs[0], text, _SMALL_PT)
        self._document.add_paragraph()

    def _side_by_side(self, found: Sequence[tuple[bytes | None, str, Inlines]], columns: int) -> None:
        """Write pictures in rows, each with what says the same in words, and its caption below."""
        if not found:
            return
        grid = self._grid(-(-len(found) // columns), (1 / columns,) * columns)
        for number, (picture, words, caption) in enumerate(found):
            cell = grid.rows[number // columns].cells[number % columns]
            if picture is not None:
                drawn = cell.paragraphs[0].add_run().add_picture(io.BytesIO(picture), width=Mm(_INNER_MM / columns - 4))
                drawn._inline.docPr.set("descr", _fit(words))
            self._write(cell.paragraphs[0] if picture is None else cell.add_paragraph(), caption, _SMALL_PT)
        self._document.add_paragraph()

    def _grid(self, rows: int, shares: Sequence[float], style: str | None = None) -> Grid:
        """Return a table whose columns have these shares of the width; no row of it is cut by the end of a page."""
        grid: Grid = self._document.add_table(rows, len(shares), style)
        grid.alignment = WD_TABLE_ALIGNMENT.LEFT
        grid.autofit = False
        for column, share in zip(grid.columns, shares, strict=True):
            column.width = Mm(_INNER_MM * share)  # LibreOffice goes by these, Word by those of the cells
        for row in grid.rows:
            _mark(row._tr.get_or_add_trPr(), "w:cantSplit")
            for cell, share in zip(row.cells, shares, strict=True):
                cell.width = Mm(_INNER_MM * share)
                cell.paragraphs[0].paragraph_format.space_after = Pt(0)
        return grid

    def _write(self, lines: Lines, text: Inlines, size: float | None = None) -> list[Run]:
        runs = []
        for part in text:
            run = lines.add_run(_fit(plain((part,), self._language)))
            if size is not None:
                run.font.size = Pt(size)
            if isinstance(part, Quoted):
                lang = OxmlElement("w:lang")
                lang.set(qn("w:val"), ENGLISH)
                run._r.get_or_add_rPr().append(lang)
            runs.append(run)
        return runs


def _fit(text: str) -> str:
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def _mark(properties: Any, name: str) -> None:
    properties.append(OxmlElement(name))


def _border(what: Lines | Cell, colour: str) -> None:
    """Draw a line around a paragraph or a cell."""
    if isinstance(what, Lines):
        properties, borders = what._p.get_or_add_pPr(), OxmlElement("w:pBdr")
    else:
        properties, borders = what._tc.get_or_add_tcPr(), OxmlElement("w:tcBorders")
    for side in ("top", "left", "bottom", "right"):
        line = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "8"), ("space", "2"), ("color", colour)):
            line.set(qn(f"w:{name}"), value)
        borders.append(line)
    properties.append(borders)
