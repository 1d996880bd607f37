"""A report as a PDF: everything fits the page, pictures keep their shape, and no heading stands alone at its end."""

import base64
import io
from typing import Any

import pytest
from PIL import Image as Pictured
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.platypus import Image, KeepTogether
from reportlab.platypus import Paragraph as Lines
from reportlab.platypus import Table as Grid

from breastai.clinical.report import report_pdf
from breastai.clinical.report.report_blocks import (
    Block,
    Bullets,
    Chart,
    Charts,
    Flow,
    Heading,
    PageBreak,
    Paragraph,
    Picture,
    Pictures,
    Step,
    Table,
)
from tests.clinical.test_report_docx import PIXEL

PAGE = A4[0] - 2 * 16 * mm


@pytest.fixture(autouse=True)
def fonts() -> None:
    report_pdf._register_fonts()


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Pictured.new("RGB", (width, height), "white").save(buffer, format="png")
    return buffer.getvalue()


LONG = "a sentence that goes on for a while, with 5 < 6 & more, " * 6
BLOCKS: list[Block] = [
    Heading("One", 1),
    Heading("Two", 2),
    Heading("Three", 3),
    *(Paragraph((LONG,), role) for role in ("plain", "notice", "warning", "caption")),
    Bullets(((LONG,), ("short",))),
    Table(("a", "b"), (((LONG,), ("1",)), (("x",), ("2",))), "caption", blank=frozenset({1}), widths=(0.7, 0.3)),
    Table(("a", "b", "c"), (((LONG,), ("1",), ("2",)),), "caption"),
    Flow((Step((LONG,), ((LONG,), ("out",))), Step(("end",))), "flow"),
    Charts(tuple(Chart(png(420, 340), f"chart {number}") for number in range(3))),
    Pictures(tuple(Picture(PIXEL, (f"case {number}",)) for number in range(5)), "alt"),
]


def flowables(block: Block) -> list[Any]:
    return list(report_pdf._flowables(block, "en"))


def size_of(flowable: Any) -> tuple[float, float]:
    """Return width and height on a page; of what is kept together, of its one table."""
    size: tuple[float, float] = (flowable._content[0] if isinstance(flowable, KeepTogether) else flowable).wrap(
        PAGE, 10_000
    )
    return size


def within(flowable: Any) -> list[Any]:
    """Return a flowable and all that its cells hold."""
    inner = flowable._content if isinstance(flowable, KeepTogether) else []
    if isinstance(flowable, Grid):
        inner = [
            part
            for row in flowable._cellvalues
            for cell in row
            for part in (cell if isinstance(cell, list) else [cell])
        ]
    return [flowable, *(each for part in inner if not isinstance(part, str) for each in within(part))]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: type(block).__name__)
def test_every_block_fills_no_more_than_the_width_of_a_page(block: Block) -> None:
    for flowable in flowables(block):
        width, height = size_of(flowable)
        assert width <= PAGE + 1e-6 and height < 800
        for each in within(flowable):
            if isinstance(each, Grid):
                assert sum(each._argW) == pytest.approx(PAGE) and min(each._argW) > 0.05 * PAGE
            if isinstance(each, Lines):
                assert each.style.fontSize < each.style.leading < 2 * each.style.fontSize
                assert 6 <= each.style.fontSize <= 16


def test_headings_are_smaller_level_by_level_and_larger_than_text() -> None:
    sizes = [flowables(block)[0].style.fontSize for block in BLOCKS[:4]]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 4
    assert len({str(flowables(Heading("x", level))[0].style.textColor) for level in (1, 2, 3)}) == 2
    assert flowables(Heading("x", 4))[0].style.fontSize == sizes[2]


def test_notices_and_warnings_have_a_frame_each_of_its_own_colour_and_captions_none() -> None:
    plain, notice, warning, caption = (flowables(block)[0].style for block in BLOCKS[3:7])
    assert plain.borderWidth == caption.borderWidth == 0 < min(notice.borderWidth, warning.borderWidth)
    assert len({str(each.borderColor) for each in (notice, warning)}) == 2 and notice.borderPadding > 0
    assert str(caption.textColor) != str(plain.textColor)


def test_rows_of_a_table_are_never_cut_its_head_repeats_and_rows_without_an_answer_look_otherwise() -> None:
    caption, grid, _ = flowables(BLOCKS[8])
    assert (grid.repeatRows, grid.splitInRow) == (1, 0) and caption.text == "caption"
    head, first, second = grid._cellvalues
    assert grid._argW == pytest.approx([0.7 * PAGE, 0.3 * PAGE])
    assert {cell.style.fontName for cell in head} == {"DejaVu-Bold"}
    assert {str(cell.style.textColor) for cell in first} != {str(cell.style.textColor) for cell in second}
    assert flowables(BLOCKS[9])[1]._argW == pytest.approx([PAGE / 3] * 3)


@pytest.mark.parametrize(("number", "columns", "counts"), [(11, 2, [2, 1]), (12, 4, [4, 1])])
def test_charts_stand_two_and_pictures_four_in_a_row_in_their_own_shape(number: int, columns: int, counts: Any) -> None:
    rows = flowables(BLOCKS[number])
    found = [[each for each in within(row) if isinstance(each, Image)] for row in rows]
    assert [len(row) for row in found] == counts
    for image in (each for row in found for each in row):
        assert 0.8 * PAGE / columns < image.drawWidth < PAGE / columns
        assert image.drawWidth / image.drawHeight == pytest.approx(image.imageWidth / image.imageHeight)
    tall = flowables(Pictures((Picture(None, ("gone",)),), "alt"))
    assert not [each for row in tall for each in within(row) if isinstance(each, Image)]


def test_the_larger_side_of_a_picture_fills_its_place() -> None:
    uri = "data:image/png;base64," + base64.b64encode(png(30, 60)).decode()
    image, _ = report_pdf._picture(Picture(uri, ("x",)), "en")
    assert image.drawHeight == pytest.approx(2 * image.drawWidth) and 0.8 * PAGE / 4 < image.drawHeight < PAGE / 4


def test_what_leaves_the_flow_stands_beside_its_step() -> None:
    boxes = [each for each in flowables(BLOCKS[10]) if isinstance(each, Grid)]
    assert len(boxes) == 2 and [len(box._cellvalues) for box in boxes] == [1, 1]
    (step, beside), *_ = boxes[0]._cellvalues
    assert step.text.startswith("a sentence") and [each.text for each in beside][1] == "out"
    assert boxes[0]._argW[0] > boxes[0]._argW[1]


def test_a_heading_finds_room_for_itself_and_the_beginning_of_what_follows() -> None:
    table, text, charts = BLOCKS[9], BLOCKS[3], BLOCKS[11]
    room = report_pdf._room_wanted
    assert room([]) == 0
    assert room([text]) == room([PageBreak()]) < room([table]) < room([BLOCKS[12]]) < room([charts])
    alone = room([Heading("x")])
    assert alone > 0 and room([Heading("x"), table]) == alone + room([table])
    assert room([Heading("x"), Heading("y"), table]) == 2 * alone + room([table])
    assert room([text, charts]) == pytest.approx(room([text]) + room([charts])) and room([text, table]) == room([text])
    # A row of charts is no higher than the room it is promised.
    row = flowables(charts)[0]
    assert size_of(row)[1] <= room([charts])


def test_a_document_is_of_a4_pages_with_a_new_one_where_it_is_wanted() -> None:
    content = report_pdf.to_pdf([BLOCKS[0], BLOCKS[3], PageBreak(), BLOCKS[9]], "fr", "Titre")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") == 2
    assert b"/MediaBox [ 0 0 595.2756 841.8898 ]" in content
    # A heading at the end of a page goes to the next with its table.
    filler = [Paragraph(("line",))] * 44
    assert report_pdf.to_pdf([*filler, *BLOCKS[1:2], BLOCKS[9]], "en", "x").count(b"/Type /Page\n") == 2


def lines_of(grid: Any) -> list[tuple[str, tuple[int, int], tuple[int, int], float]]:
    """Return the lines of a table: where, from which cell to which, counted from the first, and how thick."""
    rows, columns = len(grid._cellvalues), len(grid._cellvalues[0])
    return [
        (kind, (one[0] % columns, one[1] % rows), (other[0] % columns, other[1] % rows), weight)
        for kind, one, other, weight, *_ in grid._linecmds
    ]


def test_a_table_has_a_line_below_each_row_a_thick_one_below_its_head_and_cells_flush_with_its_caption() -> None:
    _, grid, space = flowables(BLOCKS[8])
    (head, thick), (rest, thin) = ((each[:3], each[3]) for each in lines_of(grid))
    assert head == ("LINEBELOW", (0, 0), (1, 0)) and rest == ("LINEBELOW", (0, 1), (1, 2)) and thick > thin > 0
    for row in grid._cellStyles:
        for cell in row:
            assert cell.valign == "TOP" and cell.leftPadding == 0
            assert 0 < cell.topPadding == cell.bottomPadding <= 2
    assert space.wrap(PAGE, 100)[1] > 0
    assert {cell.style.fontSize for row in grid._cellvalues for part in row for cell in within(part)} == {7.5}


def test_the_steps_of_a_flow_are_framed_without_what_leaves_and_pictures_hang_from_one_line() -> None:
    caption, *rest = flowables(BLOCKS[10])
    boxes = [each for each in rest if isinstance(each, Grid)]
    for box in boxes:
        assert [each[:3] for each in lines_of(box)] == [("BOX", (0, 0), (0, 0))]
        assert {cell.valign for row in box._cellStyles for cell in row} == {"MIDDLE"}
    assert [type(each) for each in rest] == [type(boxes[0]), type(rest[1])] * 2 and caption.text == "flow"
    for row in (*flowables(BLOCKS[11]), *flowables(BLOCKS[12])):
        (grid,) = row._content
        assert {cell.valign for cells in grid._cellStyles for cell in cells} == {"TOP"}


def test_captions_and_what_leaves_are_smaller_than_text_and_items_are_indented() -> None:
    text = flowables(BLOCKS[3])[0].style
    first, *_ = (each for each in within(flowables(BLOCKS[11])[0]) if isinstance(each, Lines))
    _, picture = report_pdf._picture(Picture(PIXEL, ("x",)), "en")
    beside = [
        each for box in flowables(BLOCKS[10]) for each in within(box) if isinstance(each, Lines) and each.text == "out"
    ]
    assert picture.style.fontSize < first.style.fontSize == beside[0].style.fontSize < text.fontSize
    bullet = flowables(BLOCKS[7])[1]
    assert bullet.text == "• short" and bullet.style.leftIndent > 0 == text.leftIndent
