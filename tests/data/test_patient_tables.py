"""Tables with a row for each patient: beside and inside classes and patients, ids as spreadsheets leave them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from breastai.data.cases.inspection import inspect_place
from breastai.data.patients.patient_ids import patients_in
from breastai.data.sources.case_source import read_cases
from breastai.domain.dataset_inspection import DatasetInspection
from tests.data.published_layouts import dicom, picture, table

CLASSES = ("benign", "malignant")
EVEN = {"benign": 6, "malignant": 6}


def codes(found: DatasetInspection) -> list[str]:
    return [doubt.code.removeprefix("doubt.") for doubt in found.doubts]


def draw(root: Path, path: str) -> None:
    """Draw two images of each of six patients, of classes in turn."""
    for number in range(12):
        patient = number // 2
        picture(root / path.format(name=CLASSES[patient % 2], patient=patient, number=number % 2))


def rows(patients: Sequence[int] = range(6), form: str = "P{:02}") -> list[list[object]]:
    return [[form.format(n), 50 + n, "AB"[n % 2], ("train", "test")[n > 3]] for n in patients]


HEADER = ["patient_id", "age", "hospital", "split"]


@pytest.mark.parametrize(
    "path",
    ["{name}/P{patient:02}_{number}.png", "{name}/P{patient:02}/{number}.png", "{name}_P{patient:02}/x{number}.png"],
)
def test_a_table_of_patients_beside_classes_adds_what_it_says(tmp_path: Path, path: str) -> None:
    draw(tmp_path, path)
    table(tmp_path / "patients.csv", [HEADER, *rows()])
    found = inspect_place(tmp_path)
    if path.startswith("{name}_"):  # the id stands at no place that is looked at
        assert found.patients is None
        return
    assert (found.classes, found.patients, found.splits) == (EVEN, 6, {"train": 8, "test": 4})
    assert codes(found) == ["table_taken_by_patient"]
    cases = read_cases(tmp_path)
    patients = patients_in(cases, None, tmp_path)
    for place, case in enumerate(cases.cases()):
        number = int(case.file[case.file.index("P") + 1 :][:2])
        assert (case.age, case.site) == (str(50 + number), "AB"[number % 2])
        assert patients is not None and patients[place] == f"P{number:02}"


def test_tables_of_patients_inside_each_class_are_read_together(tmp_path: Path) -> None:
    draw(tmp_path, "{name}/P{patient:02}_{number}.png")
    for place, name in enumerate(CLASSES):
        table(tmp_path / name / "clinical.csv", [HEADER, *rows(range(place, 6, 2))])
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients, found.splits) == (EVEN, 6, {"train": 8, "test": 4})


def test_a_table_that_lacks_a_patient_is_told_and_not_read(tmp_path: Path) -> None:
    draw(tmp_path, "{name}/P{patient:02}_{number}.png")
    table(tmp_path / "patients.csv", [HEADER, *rows(range(5))])
    found = inspect_place(tmp_path)
    assert (found.images, found.patients, codes(found)) == (12, None, ["table_names_some"])


@pytest.mark.parametrize("columns", [["file", "diagnosis"], ["patient", "diagnosis"]])
def test_a_table_in_the_folder_of_each_patient_is_read(tmp_path: Path, columns: list[str]) -> None:
    draw(tmp_path, "P{patient:02}/{number}.png")
    for patient in range(6):
        firsts = ["0.png", "1.png"] if columns[0] == "file" else [f"P{patient:02}"]
        table(tmp_path / f"P{patient:02}/info.csv", [columns, *([first, CLASSES[patient % 2]] for first in firsts)])
    found = inspect_place(tmp_path)
    assert (found.layout, found.classes, found.left_out) == ("labels_table", EVEN, 0)
    assert all(case.label == CLASSES[int(case.file[1:3]) % 2] for case in read_cases(tmp_path).cases())


@pytest.mark.parametrize("path", ["P{patient:03}/{number}.png", "P{patient:03}_{number}.png"])
def test_ids_that_became_numbers_are_found_behind_letters(tmp_path: Path, path: str) -> None:
    draw(tmp_path, path)
    table(tmp_path / "l.csv", [["patient", "diagnosis"], *([n, CLASSES[n % 2]] for n in range(6))])
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients) == (EVEN, 6) and "ids_without_letters" in codes(found)
    assert all(case.label == CLASSES[int(case.file[1:4]) % 2] for case in read_cases(tmp_path).cases())
    picture(tmp_path / path.replace("P", "C").format(patient=3, number=0))
    assert inspect_place(tmp_path).layout == "unknown"  # P003 and C003 are two


def test_what_a_table_of_patients_says_besides_the_class_is_read(tmp_path: Path) -> None:
    draw(tmp_path, "P{patient:02}/{number}.png")
    listed = [[*row, CLASSES[n % 2]] for n, row in enumerate(rows())]
    table(tmp_path / "l.csv", [[*HEADER, "diagnosis"], *listed])
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients, found.splits) == (EVEN, 6, {"train": 8, "test": 4})
    assert set(read_cases(tmp_path).subgroups["site"]) == {"A", "B"}


def test_a_row_for_each_exam_or_slide_labels_its_folder(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / f"2021-03-{number // 2 + 1:02}/{number}.png")
    table(tmp_path / "l.csv", [["exam", "diagnosis"], *([f"2021-03-{n + 1:02}", CLASSES[n % 2]] for n in range(6))])
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients) == (EVEN, 6) and "study_is_patient" in codes(found)


def test_patients_in_headers_are_labelled_by_a_table(tmp_path: Path) -> None:
    for number in range(12):
        header = {"PatientID": f"A{number // 4}", "ImageLaterality": "LR"[number // 2 % 2]}
        dicom(tmp_path / f"IM{number:03}", **header)
    listed = [[f"A{n}", side, CLASSES[(n + (side == "L")) % 2]] for n in range(3) for side in "LR"]
    table(tmp_path / "l.csv", [["patient", "side", "diagnosis"], *listed])
    found = inspect_place(tmp_path)
    assert (found.classes, codes(found)) == (EVEN, ["table_by_breast"])


def test_a_column_for_each_breast_is_not_taken_for_that_of_the_images(tmp_path: Path) -> None:
    draw(tmp_path, "E{patient:03}/{number}.png")
    listed = [[f"E{n:03}", CLASSES[n % 2], CLASSES[(n + 1) % 2]] for n in range(6)]
    table(tmp_path / "l.csv", [["exam", "left", "right"], *listed])
    found = inspect_place(tmp_path)
    assert found.layout == "unknown" and "columns_for_sides" in codes(found)


@pytest.mark.parametrize(
    ("tables", "code"),
    [
        ({"benign.txt": "x0.png\nx1.png\n", "malignant.txt": "x2.png\nx3.png\n"}, "list_for_each_class"),
        ({"l.csv": "benign,malignant\nx0.png,x2.png\nx1.png,x3.png\n"}, "files_under_classes"),
        ({"l.csv": "file,x0.png,x1.png,x2.png,x3.png\nlabel,a,b,a,b\n"}, "table_lies_on_its_side"),
    ],
)
def test_classes_in_another_shape_are_told_by_it(tmp_path: Path, tables: dict[str, str], code: str) -> None:
    for number in range(4):
        picture(tmp_path / f"x{number}.png")
    for name, text in tables.items():
        (tmp_path / name).write_text(text)
    assert code in codes(inspect_place(tmp_path))


@pytest.mark.parametrize("root", ["/home/ann/study", "D:\\study"])
def test_paths_of_another_computer_are_compared_from_their_end_and_told(tmp_path: Path, root: str) -> None:
    draw(tmp_path, "imgs/P{patient}/{number}.png")
    paths = [f"{root}/imgs/P{n // 2}/{n % 2}.png" for n in range(12)]
    paths = [path.replace("/", "\\") for path in paths] if "\\" in root else paths
    table(tmp_path / "l.csv", [["path", "label"], *([path, CLASSES[n // 2 % 2]] for n, path in enumerate(paths))])
    found = inspect_place(tmp_path)
    assert (found.classes, found.left_out) == (EVEN, 0) and "paths_of_elsewhere" in codes(found)
    for file in (tmp_path / "imgs").glob("P*"):
        file.rename(file.with_name(f"patient{file.name[1:]}"))  # now no end says which is meant
    assert inspect_place(tmp_path).images == 0


def test_sides_in_other_words_are_understood_and_unknown_ones_told(tmp_path: Path) -> None:
    draw(tmp_path, "P{patient}_{number}.png")
    words = ["R", "L", "D", "G", "links", "rechts", "re", "li", "dx", "sx", "左", "右"]
    listed = [[f"P{n // 2}_{n % 2}.png", CLASSES[n // 2 % 2], f"P{n}", words[n]] for n in range(12)]
    table(tmp_path / "l.csv", [["file", "diagnosis", "patient", "side"], *listed])
    found = inspect_place(tmp_path)
    assert found.breasts == 12 and "sides_unknown" not in codes(found)
    table(tmp_path / "l.csv", [["file", "diagnosis", "patient", "side"], *listed[1:], [*listed[0][:3], "upper"]])
    found = inspect_place(tmp_path)
    assert found.breasts == 11 and "sides_unknown" in codes(found)


def test_two_rows_of_names_as_merged_cells_leave_them_are_one(tmp_path: Path) -> None:
    draw(tmp_path, "P{patient}_{number}.png")
    listed = [[f"P{n // 2}_{n % 2}.png", 100, 50 + n, CLASSES[n // 2 % 2]] for n in range(12)]
    header = [["Image", "Image", "Patient", "Result"], ["file", "width", "age", "diagnosis"]]
    table(tmp_path / "l.csv", [*header, *listed])
    assert inspect_place(tmp_path).classes == EVEN


def test_what_differs_between_the_images_of_a_patient_is_not_taken_for_all_of_them(tmp_path: Path) -> None:
    listed, beside = [], []
    for number in range(24):
        patient, side, view = number // 4, "LR"[number // 2 % 2], ("CC", "MLO")[number % 2]
        picture(tmp_path / f"a/P{patient:02}/{side}{view}.png")
        picture(tmp_path / f"b/{CLASSES[patient % 2]}/P{patient:02}_{number}.png")
        listed.append([f"P{patient:02}", side, view, CLASSES[number // 2 % 2]])
        beside.append([f"P{patient:02}", side, view, 50 + patient])
    table(tmp_path / "a/l.csv", [["patient", "side", "view", "label"], *listed])
    found = inspect_place(tmp_path / "a")
    assert (found.classes, found.breasts, found.views) == ({"benign": 12, "malignant": 12}, 12, None)
    table(tmp_path / "b/l.csv", [["patient", "side", "view", "age"], *beside])
    found = inspect_place(tmp_path / "b")
    assert (found.patients, found.breasts, found.views) == (6, None, None)


def test_a_row_for_each_breast_whose_side_no_name_says_is_told(tmp_path: Path) -> None:
    draw(tmp_path, "P{patient:02}/{number}.png")
    listed = [[f"P{n // 2:02}", "LR"[n % 2], CLASSES[n % 2]] for n in range(12)]
    table(tmp_path / "l.csv", [["patient", "side", "label"], *listed])
    found = inspect_place(tmp_path)
    assert found.images == 0 and "sides_not_in_names" in codes(found)


def test_sides_may_be_folders(tmp_path: Path) -> None:
    for number in range(24):
        picture(tmp_path / f"P{number // 4:02}/{('left', 'right')[number // 2 % 2]}/{number % 2}.png")
    listed = [[f"P{n // 2:02}", "LR"[n % 2], CLASSES[n % 2]] for n in range(12)]
    table(tmp_path / "l.csv", [["patient", "side", "label"], *listed])
    found = inspect_place(tmp_path)
    assert (found.classes, found.breasts) == ({"benign": 12, "malignant": 12}, 12)


def test_a_table_beside_an_export_that_names_no_image_of_it_is_told(tmp_path: Path) -> None:
    for number in range(6):
        dicom(tmp_path / f"IM{number:03}", PatientID=f"A{number}")
    table(tmp_path / "l.csv", [["id", "diagnosis"], *([f"B{n}", CLASSES[n % 2]] for n in range(6))])
    assert {"no_labels", "table_names_no_file"} <= set(codes(inspect_place(tmp_path)))


def test_parts_are_known_in_other_languages(tmp_path: Path) -> None:
    draw(tmp_path, "P{patient}_{number}.png")
    words = ["Entrenamiento", "Validierung", "Holdout", "训练集"]
    listed = [[f"P{n // 2}_{n % 2}.png", CLASSES[n % 2], words[n % 4]] for n in range(12)]
    table(tmp_path / "l.csv", [["file", "label", "set"], *listed])
    assert inspect_place(tmp_path).splits == {"train": 6, "val": 3, "test": 3}
