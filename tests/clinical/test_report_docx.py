"""A report as a Word document says, in order, all that its blocks say, with every number of the JSON they show."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.oxml.ns import qn
from PIL import Image

from breastai.clinical.report.report_blocks import (
    Block,
    Bullets,
    Chart,
    Charts,
    Flow,
    Heading,
    Inlines,
    Paragraph,
    Picture,
    Pictures,
    Quantity,
    Quoted,
    Step,
    Table,
    format_quantity,
    plain,
)
from breastai.clinical.report.report_checklists import fill_checklists
from breastai.clinical.report.report_docx import to_docx
from breastai.clinical.report.report_layout import lay_out
from breastai.clinical.report.report_sources import gather
from breastai.clinical.report.report_texts import texts
from breastai.storage.workspace import Workspace
from tests.clinical.test_report import RUN, made_run

PIXEL = "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="


def inlines(block: Block) -> Iterator[Inlines]:
    """Yield each text of a block in the order of reading."""
    match block:
        case Heading(text=text):
            yield (text,)
        case Paragraph(text=text):
            yield text
        case Bullets(items=items):
            yield from items
        case Table(head=head, rows=rows, caption=caption):
            yield (caption,)
            yield from ((cell,) for cell in head)
            yield from (cell for row in rows for cell in row)
        case Flow(steps=steps, caption=caption):
            yield (caption,)
            for step in steps:
                yield from (step.text, *step.leaving)
        case Charts(charts=charts):
            yield from ((chart.caption,) for chart in charts)
        case Pictures(pictures=pictures):
            yield from (picture.caption for picture in pictures)


def lines_of(content: bytes) -> list[str]:
    """Return what each paragraph of a document says, those of tables in their place."""
    body = Document(io.BytesIO(content)).element.body
    found = ("".join(text.text or "" for text in each.iter(qn("w:t"))) for each in body.iter(qn("w:p")))
    return [line for line in found if line]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_word_document_says_what_the_blocks_say_and_every_number(
    tmp_path: Path, blank_charts: None, language: str
) -> None:
    workspace = Workspace.open(tmp_path)
    made_run(workspace)
    document, _ = gather(workspace, RUN, language)
    document = document.model_copy(update={"checklists": fill_checklists(document, texts(language))})
    blocks = lay_out(document, {case.number: PIXEL for case in document.worst[:3]})
    said = [text for block in blocks for text in inlines(block)]
    content = to_docx(blocks, language, "Report")
    assert lines_of(content) == [line for text in said if (line := plain(text, language))]
    numbers = [part for text in said for part in text if isinstance(part, Quantity)]
    values: Any = document.model_dump(mode="json")
    for number in numbers:
        found = values
        for key in number.path:
            found = found[key]
        assert found == number.value
    runs = [run.text for each in Document(io.BytesIO(content)).element.body.iter(qn("w:r")) for run in [each]]
    shown = iter(runs)
    assert len(numbers) > 150 and all(format_quantity(number, language) in shown for number in numbers)


def test_charts_and_pictures_are_in_it_with_words_for_those_who_see_none(tmp_path: Path, blank_charts: None) -> None:
    workspace = Workspace.open(tmp_path)
    made_run(workspace)
    document, _ = gather(workspace, RUN, "en")
    blocks = lay_out(document, {case.number: PIXEL for case in document.worst[:3]})
    charts = [chart for block in blocks if isinstance(block, Charts) for chart in block.charts]
    content = to_docx(blocks, "en", "Report")
    described = [each.get("descr") for each in Document(io.BytesIO(content)).element.body.iter(qn("wp:docPr"))]
    assert described[: len(charts)].count(None) == 0
    assert {chart.caption for chart in charts} <= set(described) and len(described) == len(charts) + 3


def small(*blocks: Block, language: str = "fr") -> Any:
    return Document(io.BytesIO(to_docx(blocks, language, "Titre")))


def test_words_that_stay_english_are_marked_so_and_the_rest_is_of_the_language() -> None:
    document = small(Paragraph(("Constat : ", Quoted("something new"))))
    assert {each.get(qn("w:val")) for each in document.styles.element.iter(qn("w:lang"))} == {"fr"}
    (marked,) = document.element.body.iter(qn("w:lang"))
    assert marked.get(qn("w:val")) == "en" and document.core_properties.language == "fr"


def test_a_name_that_no_xml_can_hold_is_written_all_the_same() -> None:
    document = small(
        Heading("a\x00b\ud800c", 2), Table(("x",), ((("\x1b[31m",),),), "y"), Charts(()), Pictures((), "z")
    )
    assert document.paragraphs[0].text == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


def test_rows_are_not_cut_and_heads_of_tables_repeat() -> None:
    document = small(
        Table(("x", "y"), ((("1",), ("2",)),) * 3, "caption"),
        Flow((Step(("in",), (("out",),)),), "flow"),
        Pictures((Picture(None, ("gone",)),), "alt"),
    )
    first, *_ = document.tables
    assert all(row._tr.trPr.findall(qn("w:cantSplit")) for row in first.rows)
    assert [bool(row._tr.trPr.findall(qn("w:tblHeader"))) for row in first.rows] == [True, False, False, False]


@pytest.mark.parametrize(
    ("row", "widths"),
    [((("1",),), ()), ((("1",), ("2",), ("3",)), ()), ((("1",), ("2",)), (1.0,)), ((("1",), ("2",)), (0.6, 0.5))],
)
def test_a_table_has_a_cell_and_a_share_of_the_page_for_each_column(row: Any, widths: Any) -> None:
    Table(("x", "y"), ((("1",), ("2",)),), "caption", widths=(0.6, 0.4))
    with pytest.raises(ValueError, match="caption"):
        Table(("x", "y"), ((("1",), ("2",)), row), "caption", widths=widths)


def test_a_page_is_a4_and_tables_and_pictures_fill_it_without_leaving_it() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (42, 34), "white").save(buffer, format="png")
    document = small(
        Table(("x", "y"), ((("1",), ("2",)),), "caption", widths=(0.7, 0.3)),
        Table(("x", "y", "z"), ((("1",), ("2",), ("3",)),), "caption"),
        Flow((Step(("in",), (("out",), ("away",))), Step(("end",))), "flow"),
        Charts(tuple(Chart(buffer.getvalue(), f"{number}") for number in range(3))),
        Pictures(tuple(Picture(PIXEL, (f"{number}",)) for number in range(5)), "alt"),
    )
    (section,) = document.sections
    assert (section.page_width.mm, section.page_height.mm) == pytest.approx((210, 297), abs=0.1)
    margins = {round(getattr(section, f"{side}_margin").mm) for side in ("left", "right", "top", "bottom")}
    assert margins == {16}
    widths = [[cell.width.mm for cell in table.rows[0].cells] for table in document.tables]
    assert widths == [[column.width.mm for column in table.columns] for table in document.tables]
    inner = section.page_width.mm - 32
    assert [len(row) for row in widths] == [2, 3, 2, 2, 4]
    for row in widths:
        assert sum(row) == pytest.approx(inner, abs=0.1)
    assert widths[0] == pytest.approx([0.7 * inner, 0.3 * inner], abs=0.1)
    assert widths[1] == pytest.approx([inner / 3] * 3, abs=0.1) and widths[2][0] > widths[2][1]
    assert [len(table.rows) for table in document.tables] == [2, 2, 2, 2, 2]
    assert [[paragraph.text for paragraph in row.cells[1].paragraphs] for row in document.tables[2].rows] == [
        ["out", "away"],
        [""],
    ]
    for table, columns, count in ((document.tables[3], 2, 3), (document.tables[4], 4, 5)):
        cells = [cell for row in table.rows for cell in row.cells]
        assert [bool(cell._tc.findall(f".//{qn('wp:extent')}")) for cell in cells] == [
            n < count for n in range(len(cells))
        ]
        for extent in table._tbl.iter(qn("wp:extent")):
            assert 0.8 * inner / columns < int(extent.get("cx")) / 36000 < inner / columns
        assert [cell.paragraphs[-1].text for cell in cells[:count]] == [f"{number}" for number in range(count)]
    assert not any(table.autofit for table in document.tables)


def test_captions_are_small_notices_bold_and_both_they_and_warnings_framed_in_a_colour_of_their_own() -> None:
    document = small(
        Heading("one", 1),
        Heading("two", 2),
        *(Paragraph((role,), role) for role in ("plain", "notice", "warning", "caption")),
    )
    first, second, plain_, notice, warning, caption = document.paragraphs
    assert first.runs[0].font.color.rgb != second.runs[0].font.color.rgb
    assert [each.runs[0].bold for each in (plain_, notice, warning, caption)] == [False, True, False, False]
    size = document.styles["Normal"].font.size
    assert caption.runs[0].font.size < size and plain_.runs[0].font.size is None and 9 <= size.pt <= 11
    frames = [
        [line.get(qn("w:color")) for line in each._p.iter() if line.get(qn("w:sz"))]
        for each in (plain_, notice, warning, caption)
    ]
    assert [len(set(frame)) for frame in frames] == [0, 1, 1, 0] and [len(frame) for frame in frames] == [0, 4, 4, 0]
    assert frames[1][0] != frames[2][0] and caption.runs[0].font.color.rgb is not None
    table = small(Table(("x",), ((("1",),),), "caption"))
    assert table.paragraphs[0].runs[0].bold and table.paragraphs[0].paragraph_format.keep_with_next
    head, row = table.tables[0].rows
    assert head.cells[0].paragraphs[0].runs[0].bold and not row.cells[0].paragraphs[0].runs[0].bold
    assert all(each.cells[0].paragraphs[0].runs[0].font.size < size for each in (head, row))
    assert row.cells[0].paragraphs[0].paragraph_format.space_after == 0


def test_tables_keep_the_widths_they_are_given_and_their_cells_stand_close() -> None:
    document = small(
        Table(("x", "y"), ((("1",), ("2",)),), "caption", widths=(0.3, 0.7)),
        Flow((Step(("in",), (("out",), ("gone",))), Step(("left",))), "flow"),
        Pictures(tuple(Picture(None, (f"case {number}",)) for number in range(5)), "alt"),
    )
    table, flow, pictures = document.tables
    for grid in (table, flow, pictures):
        assert grid.autofit is False and grid.alignment == WD_TABLE_ALIGNMENT.LEFT
        assert all(cell.paragraphs[0].paragraph_format.space_after == 0 for row in grid.rows for cell in row.cells)
    assert table.style.name == "Table Grid" != flow.style.name
    assert [[cell.text for cell in row.cells] for row in flow.rows] == [["in", "out\ngone"], ["left", ""]]
    assert [[cell.text for cell in row.cells] for row in pictures.rows] == [
        ["case 0", "case 1", "case 2", "case 3"],
        ["case 4", "", "", ""],
    ]
    framed = [bool(list(cell._tc.iter(qn("w:tcBorders")))) for row in flow.rows for cell in row.cells]
    assert framed == [True, False, True, False]
    heads = [run.bold for cell in table.rows[0].cells for run in cell.paragraphs[0].runs]
    cells = [run.bold for cell in table.rows[1].cells for run in cell.paragraphs[0].runs]
    assert heads == [True, True] and cells == [None, None]
    caption = next(each for each in document.paragraphs if each.text == "caption")
    assert caption.paragraph_format.keep_with_next and [run.bold for run in caption.runs] == [True]
