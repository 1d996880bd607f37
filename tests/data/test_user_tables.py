"""Tables that users write: read the same however they were saved, and the files they name."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from breastai.data import user_tables
from breastai.data.named_files import match_files
from breastai.data.patients.patient_ids import patient_ids
from breastai.data.sources.recognition import surveyed_table
from breastai.data.user_tables import Row, TableUnreadable, read_table, sheet_names
from breastai.data.workbook_process import cell_text
from breastai.domain.errors import PatientIdInvalid
from breastai.domain.patient_settings import PatientTable
from breastai.domain.text import Text

TEXT = 'File,Note\na.png, x\n\nb.png,"two\nlines, one cell"\nc.png\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "twice marked"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_table_reads_the_same_however_it_was_saved(
    tmp_path: Path, encoding: str, separator: str, ending: str
) -> None:
    text = TEXT.replace("lines, one", "lines one").replace(",", separator).replace("\n", ending)
    twice = encoding == "twice marked"
    (tmp_path / "t.csv").write_bytes(("\ufeff" + text).encode("utf-16") if twice else text.encode(encoding))
    table = read_table(tmp_path / "t.csv")
    assert table.columns == ("File", "Note")
    assert table.places() == {"file": 0, "note": 1}
    # Counted as a spreadsheet does: the header is row 1, an empty row counts, a cell of two lines does not.
    assert [row.number for row in table.rows] == [2, 4, 5]
    assert [row.cell(1).split() for row in table.rows] == [["x"], ["two", "lines", "one", "cell"], []]


def test_an_empty_table_has_no_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\n \n")
    assert read_table(tmp_path / "t.csv").columns == ()


def test_what_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TableUnreadable, match="No such file"):
        read_table(tmp_path / "gone.csv")
    (tmp_path / "latin.csv").write_bytes("file,médecin\né.png,Évrard\n".encode("cp1252"))
    assert read_table(tmp_path / "latin.csv").rows[0].cells == ("é.png", "Évrard")
    (tmp_path / "russian.csv").write_bytes("file,врач\na.png,x\n".encode("cp1251"))
    with pytest.raises(TableUnreadable, match=r"row 1.*UTF-8"):
        read_table(tmp_path / "russian.csv")
    (tmp_path / "nul.csv").write_text("file\na.png\n" + "x" * 200_000 + "\n")
    with pytest.raises(TableUnreadable, match="row 3: field larger"):
        read_table(tmp_path / "nul.csv")
    monkeypatch.setattr("breastai.data.user_tables.MAX_TABLE_BYTES", 3)
    with pytest.raises(TableUnreadable, match="expected at most"):
        read_table(tmp_path / "latin.csv")


def test_the_fault_of_a_table_of_patients_names_its_file_and_row(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("file,patient_id\na.png,P1\n" + "x" * 200_000 + "\n")
    with pytest.raises(PatientIdInvalid, match=r"p\.csv: row 3: field larger"):
        patient_ids(["a.png"], PatientTable(csv="p.csv"), tmp_path)


def test_each_further_row_of_a_file_is_found_with_its_first(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file\na.png\n./a.png\nx\\b.png\nx/b.png\n")
    rows, repeated = read_table(tmp_path / "t.csv").by_file(0)
    assert list(rows) == ["a.png", "x/b.png"]
    assert [(row.number, first.number) for row, first in repeated] == [(3, 2), (5, 4)]


def test_a_line_that_says_what_parts_the_columns_is_no_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\ufeffsep=|\nfile|note\na.png|x;y\n", encoding="utf-8")
    table = read_table(tmp_path / "t.csv")
    assert table.columns == ("file", "note")
    assert (table.rows[0].number, table.rows[0].cells) == (3, ("a.png", "x;y"))


def test_a_list_of_words_without_a_header_is_read_by_names_given(tmp_path: Path) -> None:
    (tmp_path / "Info.txt").write_text("mdb001 G CIRC B 535 425 197\n\nmdb003 D NORM\n")
    table = read_table(tmp_path / "Info.txt", columns=("file", "tissue", "abnormality", "severity"))
    assert table.columns[0] == "file"
    assert [(row.number, row.cell(0), row.cell(3)) for row in table.rows] == [(1, "mdb001", "B"), (3, "mdb003", "")]


def test_lost_zeros_endings_and_longer_paths_are_found_where_one_file_alone_is_meant() -> None:
    files = ["benign/00002.png", "malignant/00001.png", "malignant/7.png", "a/case/1.dcm", "b/case/1.dcm"]
    assert match_files(files, ["1.png", "2", "07.png", "C:/data/a/case/1.dcm"]) == {
        "benign/00002.png": "2",
        "malignant/00001.png": "1.png",
        "a/case/1.dcm": "C:/data/a/case/1.dcm",
    }
    assert match_files(["x/01.png", "y/001.png"], ["1.png"]) == {}


def test_a_file_is_meant_by_its_path_or_by_a_name_that_occurs_once() -> None:
    files = ["x/a.png", "y/a.png", "x/b.png", "x/e\u0301.png"]
    assert match_files(files, ["x/a.png", "b.png", "\u00e9.png", "z.png"]) == {
        "x/a.png": "x/a.png",
        "x/b.png": "b.png",
        "x/e\u0301.png": "\u00e9.png",
    }
    assert match_files(files, ["a.png"]) == {}
    assert match_files(["x/a.png"], ["p/a.png", "q/a.png"]) == {}


def test_empty_columns_that_a_spreadsheet_leaves_at_the_end_are_none(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sep=;\nfile;label;;\na.png;x;;\nb.png;;;\n")
    table = read_table(tmp_path / "t.csv")
    assert table.columns == ("file", "label") and [row.cells for row in table.rows] == [("a.png", "x"), ("b.png", "")]
    (tmp_path / "t.csv").write_text("file;label;;\na.png;x;;a remark\n")
    assert read_table(tmp_path / "t.csv").rows[0].cells == ("a.png", "x", "", "a remark")


def test_of_columns_of_one_name_the_first_counts_and_a_difference_is_found(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("File,Note,note\na.png,x,x\nb.png,y,z\n")
    table = read_table(tmp_path / "t.csv")
    assert table.places() == {"file": 0, "note": 1}
    assert table.contradiction(["file"]) is None
    assert table.contradiction(["NOTE"]) == Text("reason.column_twice", {"column": "Note", "row": 3})


def test_a_table_without_names_of_columns_loses_no_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("b001.tif,Benign\nm001.tif,Invasive\n")
    table = read_table(tmp_path / "t.csv")
    assert table.columns == ("column 1", "column 2")
    assert [row.cells for row in table.rows] == [("b001.tif", "Benign"), ("m001.tif", "Invasive")]
    assert [row.number for row in table.rows] == [1, 2]


def test_a_quotation_mark_that_is_never_closed_is_told_with_its_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('file,label\n"a, b.png",x\n5" b.png,"benign\nc.png,benign\nd.png,malignant\n')
    with pytest.raises(TableUnreadable) as caught:
        read_table(tmp_path / "t.csv")
    assert "row 3: a quotation mark is opened there and never closed" in str(caught.value.reason)
    (tmp_path / "t.csv").write_text('file,label\n"a.png" ,"two\nlines" x\nc.png,y\n')
    assert len(read_table(tmp_path / "t.csv").rows) == 2  # untidy, and closed


def rows_of(
    path: Path, content: bytes | str, **options: Any
) -> tuple[tuple[str, ...], list[tuple[int, tuple[str, ...]]]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = read_table(path, **options)
    return table.columns, [(row.number, row.cells) for row in table.rows]


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        ("a,b\n1,2\n\n3,4\n", ("a", "b"), [(2, ("1", "2")), (4, ("3", "4"))]),
        ("A title\n\na;b\n1;2\n", ("a", "b"), [(4, ("1", "2"))]),
        ("sep=|\na|b\n1,5|2\n", ("a", "b"), [(3, ("1,5", "2"))]),
        ("one\n1\n2\n", ("one",), [(2, ("1",)), (3, ("2",))]),
        ("title\n" * 10 + "a,b\n1,2\n", ("a", "b"), [(12, ("1", "2"))]),
        ("a\tb\n1\t\n", ("a", "b"), [(2, ("1", ""))]),
        ("x.png,1,2\ny.png,3\n", ("column 1", "column 2", "column 3"), [(1, ("x.png", "1", "2")), (2, ("y.png", "3"))]),
        ("a,b,,\n1,2,,\n3,4,,\n", ("a", "b"), [(2, ("1", "2")), (3, ("3", "4"))]),
        ("a,b,,\n1,2,,5\n", ("a", "b", "", ""), [(2, ("1", "2", "", "5"))]),
        ("\n\n", (), []),
    ],
)
def test_rows_keep_the_numbers_a_person_counts_them_by(
    tmp_path: Path, content: str, columns: tuple[str, ...], rows: list[tuple[int, tuple[str, ...]]]
) -> None:
    assert rows_of(tmp_path / "t.csv", content) == (columns, rows)


@pytest.mark.parametrize(
    ("content", "cell"),
    [
        ("a,b\nMüller,2\n".encode(), "Müller"),
        ("a,b\nMüller,2\n".encode("cp1252"), "Müller"),
        ("a,b\nMüller,2\n".encode("utf-16"), "Müller"),
        ("a,b\nMüller,2\n".encode("utf-16-le"), "Müller"),
        ("\ufeffa,b\nMüller,2\n".encode("utf-16-be"), "Müller"),
        ("\ufeff\ufeffa,b\nMüller,2\n".encode(), "Müller"),
    ],
)
def test_accents_are_read_in_every_encoding_that_spreadsheets_write(tmp_path: Path, content: bytes, cell: str) -> None:
    columns, rows = rows_of(tmp_path / "t.csv", content)
    assert columns == ("a", "b") and rows == [(2, (cell, "2"))]


def test_text_of_another_alphabet_and_a_column_too_few_are_told_by_their_row(tmp_path: Path) -> None:
    with pytest.raises(TableUnreadable) as caught:
        rows_of(tmp_path / "t.csv", "a,b\n1,2\nпациент,2\n".encode("cp1251"))
    assert "row 3" in str(caught.value.reason)
    with pytest.raises(TableUnreadable):
        rows_of(tmp_path / "t.csv", b"\xff\xfea\x00b")


@pytest.mark.parametrize("excess", [0, 1])
def test_a_table_is_as_large_as_it_may_be_and_no_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, excess: int
) -> None:
    content = "a,b\n" + "1,2\n" * 64
    monkeypatch.setattr(user_tables, "MAX_TABLE_BYTES", len(content) - excess)
    if excess:
        with pytest.raises(TableUnreadable):
            rows_of(tmp_path / "t.csv", content)
    else:
        assert len(rows_of(tmp_path / "t.csv", content)[1]) == 64


def test_lines_of_objects_are_rows_of_all_their_names(tmp_path: Path) -> None:
    content = '{"a": 1, "b": true}\n\n[1]\n{"c": 4.0, "a": null}\n{"b": false, "c": 2.5}\n'
    assert rows_of(tmp_path / "t.jsonl", content) == (
        ("a", "b", "c"),
        [(1, ("1", "1", "")), (4, ("", "", "4")), (5, ("", "0", "2.5"))],
    )
    with pytest.raises(TableUnreadable) as caught:
        rows_of(tmp_path / "t.jsonl", '{"a": 1}\n{"a": \n')
    assert "row 2" in str(caught.value.reason)
    assert rows_of(tmp_path / "t.jsonl", "\n") == ((), [])


def test_words_parted_by_blanks_are_columns_of_a_table_whose_names_are_given(tmp_path: Path) -> None:
    columns, rows = rows_of(tmp_path / "t.txt", "mdb001 G CIRC\n\nmdb002  F\n", columns=("file", "tissue", "kind"))
    assert columns == ("file", "tissue", "kind")
    assert rows == [(1, ("mdb001", "G", "CIRC")), (3, ("mdb002", "F"))]
    assert rows_of(tmp_path / "t.csv", "a b,c\n", columns=("x", "y"))[1] == [(1, ("a b", "c"))]


@pytest.mark.parametrize(
    ("value", "text"), [(4.0, "4"), (2.5, "2.5"), (True, "1"), (False, "0"), (1e15, "1000000000000000.0"), (" a ", "a")]
)
def test_numbers_of_a_sheet_are_written_as_a_csv_has_them(value: object, text: str) -> None:
    assert cell_text(value) == text


def test_a_workbook_that_reaches_too_far_ends_its_own_process_alone(tmp_path: Path) -> None:
    """One cell far to the right and below makes a few KiB claim half a terabyte: it may also stand there by mistake."""
    cells = '<c r="{}" t="inlineStr"><is><t>{}</t></is></c>'
    near = [("A1", "file"), ("B1", "label"), ("A2", "a.png"), ("B2", "benign")]
    for name, more in (("near", []), ("far", [("XFD1048576", "x")])):
        rows = "".join(f"<row>{cells.format(cell, text)}</row>" for cell, text in near + more)
        workbook(tmp_path / f"{name}.xlsx", rows)
    assert read_table(tmp_path / "near.xlsx").rows == (Row(2, ("a.png", "benign")),)
    assert sheet_names(tmp_path / "far.xlsx") == ["S"]
    with pytest.raises(TableUnreadable) as caught:
        read_table(tmp_path / "far.xlsx")
    assert caught.value.reason.code == "reason.table_too_large"
    assert surveyed_table.read_surveyed(tmp_path / "far.xlsx") is None


def workbook(path: Path, rows: str) -> None:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    document = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{document}/'
        'officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{document}"><sheets><sheet name="S" sheetId="1" r:id="r"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="'
        f'{document}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_a_workbook_that_is_none_is_told_in_the_words_of_its_reader(tmp_path: Path) -> None:
    (tmp_path / "torn.xlsx").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(TableUnreadable) as caught:
        read_table(tmp_path / "torn.xlsx")
    assert caught.value.reason.code == "fault.other"


def test_a_workbook_made_to_last_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workbook(tmp_path / "t.xlsx", "")
    monkeypatch.setattr(user_tables, "_MOST_WORKBOOK_S", 0.0)
    with pytest.raises(TableUnreadable) as caught:
        read_table(tmp_path / "t.xlsx")
    assert caught.value.reason.code == "reason.table_too_large"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fields.jsonl", "".join(f'{{"k{number}": 1}}\n' for number in range(9_000))),
        ("one_long_row.csv", "file,label\n" + "a,b\n" * 70_000 + "," * 1_000 + "x"),
    ],
)
def test_a_table_whose_rows_and_columns_are_too_many_together_is_refused(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(TableUnreadable) as caught:
        read_table(tmp_path / name)
    assert caught.value.reason.code == "reason.table_too_large"


@pytest.mark.parametrize("deep", ['{"a":' * 60 + "1" + "}" * 60, '{"a":' + "[" * 900 + "]" * 900 + "}"])
def test_json_lines_without_a_floor_are_refused_with_their_row(tmp_path: Path, deep: str) -> None:
    (tmp_path / "t.jsonl").write_text('{"file": "a.png"}\n' + deep)
    with pytest.raises(TableUnreadable) as caught:
        read_table(tmp_path / "t.jsonl")
    assert caught.value.reason.params["name"].params == {"row": 2}
