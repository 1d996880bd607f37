"""Lists of findings without names of columns: what stands where is told by the words, whatever the images are called."""

from pathlib import Path

import pytest

from breastai.data.cases.inspection import inspect_place
from breastai.data.sources.case_source import read_cases
from tests.data.published_layouts import dicom, picture

KINDS = ("G NORM", "F CIRC B 52 31 4", "D SPIC M 61 22 3")
COUNTS = {"normal": 4, "benign": 4, "malignant": 4}


def draw(root: Path, view: str = "CC ", end: str = ".png", parting: str = " ", intro: str = "") -> None:
    lines = [f"film{number:02} {view}{KINDS[number % 3]}".replace(" ", parting) for number in range(12)]
    for number in range(12):
        picture(root / f"film{number:02}{end}")
    (root / "Info.txt").write_text(intro + "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("view", "parting", "intro"),
    [
        ("", " ", ""),
        ("MLO ", "   ", "REF VIEW BG CLASS SEVERITY X Y RADIUS\n"),
        ("MLOLT ", "\t", ""),
        ("CC_R ", ",", "image,view,tissue,abnormality,severity,x,y,radius\n"),
        ("R ", " ", "The films, in order: name, side, tissue, and so on.\n\n"),
    ],
)
def test_a_list_is_read_whatever_parts_its_words(tmp_path: Path, view: str, parting: str, intro: str) -> None:
    draw(tmp_path, view, parting=parting, intro=intro)
    found = inspect_place(tmp_path)
    assert (found.layout, found.classes, found.left_out) == ("finding_list", COUNTS, 0)
    cases = read_cases(tmp_path)
    boxes = {case.file: case.box for case in cases.cases()}
    assert boxes["film00.png"] is None and boxes["film01.png"] == "48 27 8 8"
    sides = {"MLOLT ": {"L"}, "CC_R ": {"R"}, "R ": {"R"}}.get(view, {None})
    assert {case.breast for case in cases.cases()} == sides


def test_several_findings_of_an_image_count_by_the_most_serious_and_are_told(tmp_path: Path) -> None:
    draw(tmp_path)
    with (tmp_path / "Info.txt").open("a") as stream:
        stream.write("film01 CC F CALC M 10 10 2\nfilm01 CC F CALC B 10 10 2\n")
    found = inspect_place(tmp_path)
    assert found.classes == {"normal": 4, "benign": 3, "malignant": 5}
    told = next(doubt for doubt in found.doubts if doubt.code == "doubt.worst_of_rows")
    assert told.params["count"] == 1


def test_of_two_folders_of_the_same_images_one_is_read_and_told(tmp_path: Path) -> None:
    draw(tmp_path / "set/TIFF", end=".tif")
    (tmp_path / "set/TIFF/Info.txt").rename(tmp_path / "set/Info.txt")
    for number in range(12):
        dicom(tmp_path / f"set/DICOM/film{number:02}.dcm", f"P{number}")
    found = inspect_place(tmp_path / "set")
    assert found.classes == COUNTS and "doubt.one_of_copies" in [doubt.code for doubt in found.doubts]


def test_a_column_that_nothing_is_known_of_leaves_the_table_to_its_names(tmp_path: Path) -> None:
    draw(tmp_path)
    text = "image,patient,abnormality,label,x,y\n"
    rows = [f"film{n:02},Ann{n // 2},CIRC,{('benign', 'malignant')[n % 2]},4,5" for n in range(12)]
    (tmp_path / "Info.txt").write_text(text + "\n".join(rows))
    found = inspect_place(tmp_path)
    assert (found.layout, found.patients) == ("labels_table", 6)
