"""Tables that users write: read the same however they were saved, and the files they name."""

from pathlib import Path

import pytest

from breastai.data.named_files import match_files
from breastai.data.patients.patient_ids import patient_ids
from breastai.data.user_tables import TableUnreadable, read_table
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
