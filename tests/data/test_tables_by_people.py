"""Tables as people make them: titles, merged cells, sheets, lost zeros, slips, several files, what is no table at all."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breastai.commands.inspection_text import inspection_lines
from breastai.data.cases.inspection import inspect_place
from breastai.data.named_files import match_files
from breastai.data.sources.case_source import read_cases
from breastai.data.user_tables import read_table
from breastai.domain.dataset_inspection import DatasetInspection, ReadingChanges
from breastai.domain.errors import LabelsInvalid
from tests.data.published_layouts import picture, workbook

CLASSES = ("benign", "malignant")


def draw(root: Path, *names: str) -> list[str]:
    for name in names:
        picture(root / name)
    return list(names)


def codes(found: DatasetInspection) -> list[str]:
    return [doubt.code.removeprefix("doubt.") for doubt in found.doubts]


def write(path: Path, *rows: list[object]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


@pytest.mark.parametrize(
    ("files", "named", "meant"),
    [
        (["a1.jpeg"], ["a1.jpg"], {"a1.jpeg": "a1.jpg"}),
        (["x/IMG_1.PNG"], ["img_1.dcm"], {"x/IMG_1.PNG": "img_1.dcm"}),
        (["IMG_1.PNG"], ["img_1"], {"IMG_1.PNG": "img_1"}),
        (["a1.png", "a1.jpg"], ["a1.dcm"], {}),
        (["a1.png", "a1.jpg"], ["a1.jpg", "a1.tif"], {"a1.jpg": "a1.jpg", "a1.png": "a1.tif"}),
    ],
)
def test_a_file_is_meant_also_by_another_ending_where_one_alone_fits(
    files: list[str], named: list[str], meant: dict[str, str]
) -> None:
    assert match_files(files, named) == meant


def test_the_names_below_merged_cells_are_those_of_the_columns(tmp_path: Path) -> None:
    rows = [[f"{number}.png", 50 + number, CLASSES[number % 2]] for number in range(6)]
    found = read_table(write(tmp_path / "a.csv", ["Image", "", "Reading"], ["file", "age", "diagnosis"], *rows))
    assert found.columns == ("file", "age", "diagnosis") and len(found.rows) == 6


@pytest.mark.parametrize(
    ("header", "first"),
    [
        (["", "file", "label"], ["0", "a.png", "benign"]),  # the index of a data frame
        (["file", "label", ""], ["a", "benign", "seen"]),
        (["file", "", "label"], ["a.png", "x", "benign"]),
        (["file", "label", "note"], ["a", "benign", "b"]),
    ],
)
def test_a_first_row_of_values_stays_a_row(tmp_path: Path, header: list[object], first: list[object]) -> None:
    rows = [["b.png", "x", "malignant"], ["c.png", "y", "benign"]] if header[1] == "" else [["b", "benign", "seen"]] * 2
    assert len(read_table(write(tmp_path / "a.csv", header, first, *rows)).rows) == 3


def test_a_table_of_patients_is_tied_to_names_that_begin_with_them(tmp_path: Path) -> None:
    draw(tmp_path, *(f"PAT{patient:03}_{number}.png" for patient in range(6) for number in range(2)))
    write(tmp_path / "p.csv", ["patient", "diagnosis"], *[[f"PAT{n:03}", CLASSES[n % 2]] for n in range(6)])
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients) == ({"benign": 6, "malignant": 6}, 6)
    assert codes(found) == ["table_by_patient_in_names"]
    cases = read_cases(tmp_path)
    for number, file in enumerate(cases.files):
        assert cases.label(number) == CLASSES[int(file[3:6]) % 2]


def test_lost_zeros_of_patients_are_forgiven_and_two_that_differ_by_them_are_not(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{patient:03}/{number}.png" for patient in range(1, 7) for number in range(2)))
    write(tmp_path / "p.csv", ["patient", "diagnosis"], *[[n, CLASSES[n % 2]] for n in range(1, 7)])
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients, found.left_out) == ({"benign": 6, "malignant": 6}, 6, 0)
    draw(tmp_path, "06/0.png")  # 006 or 06?
    found = inspect_place(tmp_path)
    assert (found.classes, found.left_out) == ({"benign": 4, "malignant": 6}, 4)


def test_a_table_with_a_row_for_each_breast_labels_the_images_of_that_breast(tmp_path: Path) -> None:
    draw(
        tmp_path, *(f"P{patient}_{side}_{view}.png" for patient in range(6) for side in "LR" for view in ("CC", "MLO"))
    )
    rows = [[f"P{n}", side, CLASSES[(n + (side == "L")) % 2]] for n in range(6) for side in "LR"]
    write(tmp_path / "l.csv", ["patient", "laterality", "pathology"], *rows)
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients, codes(found)) == ({"benign": 12, "malignant": 12}, 6, ["table_by_breast"])
    cases = read_cases(tmp_path)
    for number, file in enumerate(cases.files):
        assert cases.label(number) == CLASSES[(int(file[1]) + (file[3] == "L")) % 2]


@pytest.mark.parametrize("gap", [" ", "   "])
def test_a_list_of_words_parted_by_blanks_is_a_table(tmp_path: Path, gap: str) -> None:
    draw(tmp_path, *(f"{number}.png" for number in range(8)))
    lines = [gap.join((f"{number}.png", CLASSES[number % 2])) for number in range(8)]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    assert inspect_place(tmp_path).classes == {"benign": 4, "malignant": 4}
    (tmp_path / "list.txt").write_text("These images were\ncollected in 2019 by two readers.\nThank you.\n")
    assert inspect_place(tmp_path).layout == "unknown"


def test_columns_for_several_images_of_a_row_are_all_read(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{number}_{view}.png" for number in range(8) for view in ("cc", "mlo")))
    rows = [[n, f"{n}_cc.png", f"{n}_mlo.png", CLASSES[n % 2]] for n in range(8)]
    write(tmp_path / "l.csv", ["patient", "CC", "MLO", "diagnosis"], *rows)
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients, found.left_out) == ({"benign": 8, "malignant": 8}, 8, 0)
    assert "several_file_columns" in codes(found)


def test_a_table_that_is_named_itself_is_read_as_in_its_folder(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{number}_{view}.png" for number in range(8) for view in ("cc", "mlo")))
    rows = [[f"{n}_cc.png", f"{n}_mlo.png", CLASSES[n % 2]] for n in range(8)]
    place = write(tmp_path / "l.csv", ["image", "image_mlo", "label"], *rows)
    assert read_cases(place).counts() == read_cases(tmp_path).counts() == {"benign": 8, "malignant": 8}


def test_a_number_of_a_patient_is_no_second_image(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{number:03}.png" for number in range(1, 9)))
    rows = [[f"{n:03}.png", n, CLASSES[n % 2]] for n in range(1, 9)]
    write(tmp_path / "l.csv", ["file", "patient", "diagnosis"], *rows)
    found = inspect_place(tmp_path)
    assert found.patients == 8 and "several_file_columns" not in codes(found)


def test_a_slip_in_a_class_is_told_with_the_line_that_mends_it(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{number}.png" for number in range(20)))
    rows = [[f"{n}.png", "beningn" if n == 4 else CLASSES[n % 2]] for n in range(20)]
    write(tmp_path / "l.csv", ["file", "label"], *rows)
    found = inspect_place(tmp_path)
    assert "near_classes" in codes(found)
    options = str(next(each for each in found.doubts if each.code == "doubt.near_classes").params["options"])
    assert any(options in line for line in inspection_lines(found, "x"))
    changes = dict(option.split("=") for option in options.split() if option != "--map")
    assert inspect_place(tmp_path, ReadingChanges(class_map=changes)).classes == {"benign": 10, "malignant": 10}


@pytest.mark.parametrize("names", [("grade 1", "grade 2"), ("benign", "malignant"), ("malignant", "nonmalignant")])
def test_classes_that_are_alike_and_no_slip_are_not_told(tmp_path: Path, names: tuple[str, str]) -> None:
    draw(tmp_path, *(f"{names[0]}/{number}.png" for number in range(20)), f"{names[1]}/0.png", f"{names[1]}/1.png")
    assert "near_classes" not in codes(inspect_place(tmp_path))


def test_leaving_one_class_out_keeps_the_others(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{name}/{number}.png" for name in (*CLASSES, "unsorted") for number in range(4)))
    found = inspect_place(tmp_path, ReadingChanges(class_map={"unsorted": None}))
    assert (found.classes, found.left_out) == ({"benign": 4, "malignant": 4}, 4)


@pytest.mark.parametrize("value", ["not done", "pending", "en attente", "inconclusive", "n/a"])
def test_a_value_for_no_result_is_no_class(tmp_path: Path, value: str) -> None:
    draw(tmp_path, *(f"{number}.png" for number in range(12)))
    write(tmp_path / "l.csv", ["file", "label"], *[[f"{n}.png", (*CLASSES, value)[n % 3]] for n in range(12)])
    found = inspect_place(tmp_path)
    assert "classes_are_no_classes" in codes(found) or found.left_out == 4


def test_several_files_in_a_cell_are_told(tmp_path: Path) -> None:
    draw(tmp_path, *(f"x{number}{letter}.png" for number in range(6) for letter in "ab"))
    rows = [[n, f"x{n}a.png, x{n}b.png", CLASSES[n % 2]] for n in range(6)]
    write(tmp_path / "l.csv", ["case", "images", "diagnosis"], *rows)
    assert "several_files_in_cell" in codes(inspect_place(tmp_path))


def test_ids_that_became_powers_of_ten_are_told(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{120000 + number}.png" for number in range(6)))
    write(tmp_path / "l.csv", ["id", "diagnosis"], *[[f"1.2{n}E+05", CLASSES[n % 2]] for n in range(6)])
    assert "ids_as_powers" in codes(inspect_place(tmp_path))


def test_lists_in_json_and_images_in_other_formats_are_named(tmp_path: Path) -> None:
    files = draw(tmp_path / "a", *(f"{number}.png" for number in range(6)))
    (tmp_path / "a" / "labels.json").write_text(json.dumps(dict.fromkeys(files, "benign")))
    found = inspect_place(tmp_path / "a")
    assert codes(found) == ["annotations_not_read", "no_labels"]
    assert found.doubts[0].params["files"] == ["labels.json"]
    (tmp_path / "b").mkdir()
    for name in ("x.h5", "y.h5", "v.nrrd"):
        (tmp_path / "b" / name).write_bytes(b"x")
    found = inspect_place(tmp_path / "b")
    assert codes(found) == ["formats_not_read", "no_images"]
    assert found.doubts[0].params == {"endings": [".h5", ".nrrd"], "count": 3}


def test_the_sheet_of_a_workbook_that_names_images_is_read(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{number}.png" for number in range(8)))
    rows = [["file", "diagnosis"], *([f"{n}.png", CLASSES[n % 2]] for n in range(8))]
    workbook(tmp_path / "list.xlsx", [["what this is", "who made it"], ["a list", "me"]], {"Data": rows})
    found = inspect_place(tmp_path)
    assert found.classes == {"benign": 4, "malignant": 4}
    assert found.doubts[0].params["table"] == "list.xlsx (Data)"
    assert read_cases(tmp_path).counts() == found.classes
    assert read_cases(tmp_path / "list.xlsx").counts() == found.classes


def test_bcdr_is_read_by_its_own_columns_not_as_another_set(tmp_path: Path) -> None:
    header = ["patient_id", " study_id", " image_view", " age", " density", " classification", " image_filename"]
    files = [f"patient_{number // 2}/study_1/img_{number}.tif" for number in range(12)]
    draw(tmp_path, *files)
    rows = [
        [n // 2, 1, 1 + n % 4, 50, 2, (" Benign", " Malign ")[n // 2 % 2], f" {file}"] for n, file in enumerate(files)
    ]
    write(tmp_path / "bcdr_d01_img.csv", header, *rows)
    found = inspect_place(tmp_path)
    assert (found.layout, found.classes, found.patients) == ("labels_table", {"benign": 6, "malign": 6}, 6)


def test_yes_may_be_one_letter_in_french(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{number}.png" for number in range(8)))
    write(tmp_path / "l.csv", ["image", "malignité"], *[[n, "ON"[n % 2]] for n in range(8)])
    assert inspect_place(tmp_path).classes == {"benign": 4, "malignant": 4}


def test_a_crop_beside_what_is_called_the_image_is_no_second_image(tmp_path: Path) -> None:
    for name in ("Benign", "Malignant"):
        for number in range(4):
            for kind in ("Image", "Lesion"):
                picture(tmp_path / name / f"{number} {name} {kind}.bmp")
            picture(tmp_path / name / f"{number} {name} Mask.tif", mask=True)
    found = inspect_place(tmp_path)
    assert (found.classes, found.masks) == ({"benign": 4, "malignant": 4}, 16)


def test_whole_images_beside_folders_of_regions_are_no_patient(tmp_path: Path) -> None:
    for folder in ("full", "roi"):
        draw(tmp_path, *(f"{folder}/{name}/{number}.png" for name in CLASSES for number in range(4)))
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients) == ({"benign": 4, "malignant": 4}, None)


def test_a_table_of_whole_paths_to_images_elsewhere_says_where_it_belongs(tmp_path: Path):
    names = draw(tmp_path / "images", "benign/1.png", "benign/2.png", "malignant/3.png", "malignant/4.png")
    rows = [[(tmp_path / "images" / name).as_posix(), Path(name).parent.name] for name in names]
    (tmp_path / "table").mkdir()
    apart = write(tmp_path / "table/labels.csv", ["file", "label"], *rows)
    found = inspect_place(apart)
    (unreadable,) = [str(doubt) for doubt in found.doubts if doubt.code == "doubt.unreadable"]
    assert found.images == 0 and f"it is not in {apart.parent.as_posix()}" in unreadable
    beside = write(tmp_path / "labels.csv", ["file", "label"], *rows)
    assert inspect_place(beside).images == 4
    # The table may be named by its whole path, where it lies below the folder.
    changes = ReadingChanges(table=beside.as_posix())
    assert inspect_place(tmp_path, changes).images == 4
    with pytest.raises(LabelsInvalid, match="outside"):
        inspect_place(tmp_path / "images", ReadingChanges(table=apart.as_posix()))


def test_tiffs_of_values_without_a_white_are_told(tmp_path: Path) -> None:
    for number in range(8):
        path = tmp_path / f"{CLASSES[number % 2]}/{number}.tif"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), 70_000 + number, np.int32)).save(path)
    assert codes(inspect_place(tmp_path)) == ["wide_values"]


@pytest.mark.parametrize("names", [("normal", "tumor"), ("mass", "calcification"), ("lesion", "healthy")])
@pytest.mark.parametrize("part", ["", "train/"])
def test_a_class_called_after_a_lesion_is_no_folder_of_regions(
    tmp_path: Path, names: tuple[str, str], part: str
) -> None:
    draw(tmp_path, *(f"{part}{name}/{number}.png" for name in names for number in range(3)))
    if part:
        draw(tmp_path, *(f"test/{name}/{number}.png" for name in names for number in range(3)))
    found = inspect_place(tmp_path)
    assert (len(found.classes), found.masks, codes(found)) == (2, 0, [])


def test_a_folder_of_regions_beside_classes_is_told_with_the_line_that_leaves_it_out(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{name}/{number}.png" for name in (*CLASSES, "roi") for number in range(3)))
    told = next(doubt for doubt in inspect_place(tmp_path).doubts if doubt.code == "doubt.classes_are_no_classes")
    assert told.params["options"] == "--map roi="


def test_names_that_repeat_are_told_apart_by_the_column_of_their_folder(tmp_path: Path) -> None:
    draw(tmp_path, *(f"images/{folder}/{number}.png" for folder in "ab" for number in range(6)))
    rows = [[folder, f"{n}.png", CLASSES[(n + (folder == "a")) % 2]] for folder in "ab" for n in range(6)]
    write(tmp_path / "l.csv", ["patient", "file", "label"], *rows)
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients) == ({"benign": 6, "malignant": 6}, 2)
    assert "files_by_folder" in codes(found)
    for case in read_cases(tmp_path).cases():
        assert case.label == CLASSES[(int(case.file[-5]) + (case.patient == "a")) % 2]


def test_of_two_formats_of_the_same_images_one_is_read_by_a_table(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{kind}/x{number}.{kind}" for kind in ("png", "tif") for number in range(8)))
    write(tmp_path / "l.csv", ["id", "label"], *[[f"x{n}", CLASSES[n % 2]] for n in range(8)])
    found = inspect_place(tmp_path)
    assert (found.classes, found.left_out) == ({"benign": 4, "malignant": 4}, 0) and "one_of_copies" in codes(found)


def test_cells_that_were_merged_say_the_same_in_a_workbook_and_are_told_in_a_csv(tmp_path: Path) -> None:
    draw(tmp_path, *(f"x{number}.png" for number in range(12)))
    rows = [["" if n % 2 else f"P{n // 2}", f"x{n}.png", "" if n % 2 else CLASSES[n // 2 % 2]] for n in range(12)]
    write(tmp_path / "l.csv", ["patient", "file", "diagnosis"], *rows)
    found = inspect_place(tmp_path)
    assert found.left_out == 6 and "blank_below" in codes(found)
    (tmp_path / "l.csv").unlink()
    merged = [f"{column}{n + 2}:{column}{n + 3}" for n in range(0, 12, 2) for column in "AC"]
    workbook(tmp_path / "l.xlsx", [["patient", "file", "diagnosis"], *rows], merged=merged)
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients, found.left_out) == ({"benign": 6, "malignant": 6}, 6, 0)


def test_what_stands_inside_an_object_of_a_line_is_a_column(tmp_path: Path) -> None:
    draw(tmp_path, *(f"x{number}.png" for number in range(8)))
    lines = [json.dumps({"image": f"x{n}.png", "annotation": {"label": CLASSES[n % 2]}}) for n in range(8)]
    (tmp_path / "l.jsonl").write_text("\n".join(lines))
    assert inspect_place(tmp_path).classes == {"benign": 4, "malignant": 4}


def test_lists_of_files_and_numbers_without_names_of_columns_are_parts_and_classes(tmp_path: Path) -> None:
    draw(tmp_path, *(f"img/x{number}.png" for number in range(12)))
    for part, numbers in (("train", range(8)), ("val", range(8, 12))):
        (tmp_path / f"{part}.txt").write_text("\n".join(f"img/x{n}.png {n % 2}" for n in numbers))
    found = inspect_place(tmp_path)
    assert (found.classes, found.splits) == ({"0": 6, "1": 6}, {"train": 8, "val": 4})
    assert "classes_are_numbers" in codes(found)


@pytest.mark.parametrize(
    ("encoding", "header", "classes"),
    [
        ("gb18030", ["图像", "诊断", "患者"], ["良性", "恶性"]),
        ("cp1251", ["файл", "диагноз", "пациент"], ["доброкачественная", "злокачественная"]),
        ("cp949", ["파일", "진단", "환자"], ["정상", "악성"]),
        ("cp932", ["画像", "診断", "患者"], ["良性", "悪性"]),
        ("utf-8-sig", ["صورة", "التشخيص", "مريض"], ["حميد", "خبيث"]),
    ],
)
def test_tables_of_older_spreadsheets_are_read_where_they_say_classes(
    tmp_path: Path, encoding: str, header: list[str], classes: list[str]
) -> None:
    draw(tmp_path, *(f"x{number}.png" for number in range(8)))
    rows = [header, *([f"x{n}.png", classes[n % 2], f"A{n // 2}"] for n in range(8))]
    (tmp_path / "l.csv").write_text("\n".join(map(";".join, rows)), encoding=encoding)
    found = inspect_place(tmp_path)
    assert (set(found.classes), found.patients) == (set(classes), 4)


def test_names_that_several_images_have_are_told(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{folder}/{number}.png" for folder in "ab" for number in range(6)))
    write(tmp_path / "l.csv", ["file", "label"], *[[f"{n}.png", CLASSES[n % 2]] for n in range(6)])
    found = inspect_place(tmp_path)
    assert found.images == 0 and "names_of_several" in codes(found)


def test_addresses_of_images_mean_the_files_here(tmp_path: Path) -> None:
    draw(tmp_path, *(f"x{number}.png" for number in range(8)))
    rows = [[f"https://example.org/x{n}.png?download=1", CLASSES[n % 2]] for n in range(8)]
    write(tmp_path / "l.csv", ["url", "label"], *rows)
    assert inspect_place(tmp_path).classes == {"benign": 4, "malignant": 4}


def test_a_class_that_a_training_would_refuse_is_told_with_the_line_that_leaves_it_out(tmp_path: Path) -> None:
    draw(tmp_path, *(f"a/{name}/{number}.png" for name in CLASSES for number in range(3)), "a/normal/1.png")
    draw(tmp_path, *(f"b/train/{name}/{number}.png" for name in (*CLASSES, "normal") for number in range(3)))
    draw(tmp_path, *(f"b/val/{name}/{number}.png" for name in CLASSES for number in range(3)))
    for folder, code in (("a", "single_image"), ("b", "class_not_validated")):
        found = inspect_place(tmp_path / folder)
        assert codes(found) == [code] and found.doubts[0].params["options"] == "--map normal="
        changes = ReadingChanges.model_validate({"class_map": {"normal": None}})
        assert codes(inspect_place(tmp_path / folder, changes)) == []


def test_a_table_that_lists_more_than_lies_here_names_what_does(tmp_path: Path) -> None:
    draw(tmp_path, *(f"a/x{number}.png" for number in range(12)))
    write(tmp_path / "l.csv", ["file", "patient", "label"], *[[f"x{n}.png", n // 2, CLASSES[n % 2]] for n in range(60)])
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients, found.left_out) == ({"benign": 6, "malignant": 6}, 6, 48)
