"""What a place is read as: twenty layouts as published and as they lie on people's disks, and what fits none."""

from pathlib import Path
from typing import Any

import pytest

from breastai.commands.inspection_text import next_command
from breastai.data.cases.inspection import inspect_place
from breastai.data.cases.run_folders import list_folders
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.class_questions import open_questions
from breastai.data.sources.part_folders import data_root
from breastai.data.sources.recognition.recogniser_table import RECOGNISERS
from breastai.domain.config import parse_config
from breastai.domain.dataset_inspection import ReadingChanges
from breastai.domain.errors import ClassNotTrained, DatasetInvalid, LabelsInvalid, NoImages, PathNotFound
from breastai.texts.catalogue import find_template, languages
from tests.data.published_layouts import DRAWINGS, VARIATIONS, dicom, draw_medmnist, picture, table

KEYS = ["type", "layout", "images", "classes", "patients", "breasts", "splits", "masks", "left_out", "doubts"]


def codes(values: dict[str, Any]) -> list[str]:
    return [doubt["code"] for doubt in values["doubts"]]


@pytest.mark.parametrize("variation", VARIATIONS)
@pytest.mark.parametrize("name", DRAWINGS)
def test_a_published_layout_is_read_as_its_authors_describe_it(name: str, variation: str, tmp_path: Path) -> None:
    drawing = DRAWINGS[name]
    place = drawing.draw(tmp_path / "set")
    if place.is_dir():
        VARIATIONS[variation](place)
    found = inspect_place(place).summary()
    assert list(found) == KEYS
    doubts = codes(found)
    assert {key: found[key] for key in drawing.counts} == drawing.counts, doubts
    assert found["layout"] == drawing.layout


def test_each_row_has_words_in_every_language_and_a_drawing() -> None:
    assert {row.name for row in RECOGNISERS} == {drawing.layout for drawing in DRAWINGS.values()}
    for language in languages():
        for row in RECOGNISERS:
            assert find_template(f"layout.{row.name}", language) is not None
            assert row.twins is None or find_template(row.twins.code, language) is not None


def test_what_to_cite_and_the_licence_are_told_and_kept(tmp_path: Path) -> None:
    found = inspect_place(DRAWINGS["breakhis"].draw(tmp_path))
    assert found.description is not None and found.twins is not None
    assert "Spanhol" in (found.description.citation or "") and found.description.licence == "CC BY 4.0"


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PathNotFound):
        inspect_place(tmp_path / "none")


def test_masks_alone_are_no_data_set(tmp_path: Path) -> None:
    for number in range(6):
        picture(tmp_path / "masks" / f"{number}_mask.png", mask=True)
    found = inspect_place(tmp_path).summary()
    assert (found["layout"], found["images"], found["masks"], found["classes"]) == ("unknown", 0, 6, {})
    assert codes(found) == ["doubt.masks_only"]


def test_images_and_masks_without_a_table_are_no_classes(tmp_path: Path) -> None:
    for number in range(6):
        picture(tmp_path / "images" / f"{number}.png")
        picture(tmp_path / "masks" / f"{number}.png", mask=True)
    found = inspect_place(tmp_path).summary()
    assert (found["layout"], found["images"], found["masks"], found["classes"]) == ("unknown", 6, 6, {})
    assert codes(found) == ["doubt.images_beside_masks"]


def test_images_of_which_nothing_is_said_are_counted_and_what_is_missing_is_told(tmp_path: Path) -> None:
    for number in range(4):
        picture(tmp_path / f"{number}.png")
    found = inspect_place(tmp_path).summary()
    assert (found["layout"], found["images"], codes(found)) == ("unknown", 4, ["doubt.no_labels"])


def test_patients_above_classes_are_patients(tmp_path: Path) -> None:
    for patient in ("anna", "berta", "clara"):
        for name in ("Benign", "Malignant"):
            picture(tmp_path / patient / name / "1.png", name == "Malignant")
    found = inspect_place(tmp_path).summary()
    assert (found["layout"], found["classes"], found["patients"]) == (
        "class_folders",
        {"benign": 3, "malignant": 3},
        3,
    )
    assert codes(found) == ["doubt.patients_above_classes"]


def test_an_archive_that_is_still_packed_is_named(tmp_path: Path) -> None:
    (tmp_path / "archive.zip").write_bytes(b"PK\3\4")
    found = inspect_place(tmp_path).summary()
    assert (found["layout"], codes(found)) == ("unknown", ["doubt.still_packed", "doubt.no_images"])


def test_a_second_copy_of_idc_inside_the_first_is_left_alone(tmp_path: Path) -> None:
    for top in ("", "IDC_regular_ps50_idx5/"):
        for patient in (8863, 8864, 8865):
            for label in (0, 1):
                picture(tmp_path / f"{top}{patient}/{label}/{patient}_idx5_x1_y{label}_class{label}.png")
    found = inspect_place(tmp_path).summary()
    assert (found["images"], found["patients"], codes(found)) == (6, 3, ["doubt.nested_copy"])


def test_a_table_is_understood_by_its_values_where_names_tell_nothing(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [("a", "b", "c")]
    for number in range(8):
        picture(tmp_path / "pictures" / f"{number:04d}.png")
        rows.append((f"0{number}", "malignant" if number % 2 else "benign", f"pictures\\{number:04d}.PNG"))
    table(tmp_path / "x.csv", rows, ";")
    found = inspect_place(tmp_path).summary()
    assert (found["layout"], found["classes"]) == ("labels_table", {"benign": 4, "malignant": 4})


def test_a_column_of_folds_is_kept_and_two_tables_are_told(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [("file", "label", "patient", "fold")]
    for number in range(8):
        picture(tmp_path / f"{number}.png")
        rows.append((f"{number}.png", "malignant" if number % 2 else "benign", number // 2, number % 4))
    table(tmp_path / "labels.csv", rows)
    table(tmp_path / "labels_old.csv", [row[:3] for row in rows])
    found = inspect_place(tmp_path)
    assert found.patients == 4
    assert "doubt.other_tables" in [doubt.code for doubt in found.doubts]
    assert found.description is not None and "fold" in found.description.fields


def test_columns_and_classes_are_as_a_person_says(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [("name", "grade", "woman")]
    for number in range(6):
        picture(tmp_path / f"é {number}.png")
        rows.append((f"é {number}.png", number % 3, number // 2))
    table(tmp_path / "liste.csv", rows)
    assert inspect_place(tmp_path).summary()["classes"] == {}
    changes = ReadingChanges.model_validate(
        {
            "table": "liste.csv",
            "file_column": "name",
            "fields": {"label": "grade", "patient": "woman"},
            "class_map": {"0": "benign", "1-2": "malignant"},
        }
    )
    found = inspect_place(tmp_path, changes).summary()
    assert (found["classes"], found["patients"]) == ({"benign": 2, "malignant": 4}, 3)


def test_a_table_alone_is_read_with_the_images_beside_it(tmp_path: Path) -> None:
    place = DRAWINGS["vindr_mammo"].draw(tmp_path)
    found = inspect_place(place / "breast-level_annotations.csv").summary()
    assert (found["layout"], found["images"]) == ("vindr_mammo", 38)


def test_a_dicom_export_counts_its_patients_and_says_what_it_needs(tmp_path: Path) -> None:
    for number in range(4):
        dicom(tmp_path / f"IM{number:04d}", PatientID=f"A{number // 2}", ImageLaterality="L")
    found = inspect_place(tmp_path).summary()
    assert (found["layout"], found["images"], found["patients"]) == ("dicom_export", 4, 2)
    assert codes(found) == ["doubt.no_labels"]


def drawn_table(folder: Path) -> Path:
    """Draw a table of which one column says benign and malignant, another BI-RADS, and a third the site."""
    for number in range(12):
        picture(folder / f"{number}.png")
    rows = [[f"{number}.png", "BM"[number % 2], str(2 + number % 4), "AB"[number < 6]] for number in range(12)]
    table(folder / "findings.csv", [["image", "pathology", "BI-RADS", "site"], *rows])
    return folder


def test_classes_by_another_column_mean_what_its_values_mean(tmp_path: Path) -> None:
    place = drawn_table(tmp_path)
    plain = inspect_place(place)
    assert plain.classes == {"benign": 6, "malignant": 6}
    assert "doubt.letters_as_classes" in codes(plain.summary())
    same = inspect_place(place, ReadingChanges(fields={"label": "Pathology"}))
    assert same.summary() == plain.summary()
    other = inspect_place(place, ReadingChanges(fields={"label": "bi-rads"}))
    assert other.classes == {"benign": 6, "malignant": 6}
    assert "doubt.birads_as_classes" in codes(other.summary())
    assert not {"doubt.letters_as_classes", "doubt.columns_guessed"} & set(codes(other.summary()))
    assert other.description is not None and other.description.class_map["1-3"] == "benign"


def test_only_the_rows_that_a_filter_takes_count(tmp_path: Path) -> None:
    changes = ReadingChanges.model_validate({"filters": [{"column": "Site", "one_of": ["b"]}]})
    found = inspect_place(drawn_table(tmp_path), changes)
    assert (found.images, found.left_out) == (6, 6)
    for number in range(4):
        picture(tmp_path / "other" / "ab"[number % 2] / f"{number}.png")
    with pytest.raises(DatasetInvalid, match="no table"):
        inspect_place(tmp_path / "other", changes)


def test_classes_may_be_a_scale(tmp_path: Path) -> None:
    scale = {"2": "low", "3": "low", "4": "mid", "5": "high"}
    changes = {"fields": {"label": "BI-RADS"}, "class_map": scale, "ordered": ["low", "mid", "high"]}
    found = inspect_place(drawn_table(tmp_path), ReadingChanges.model_validate(changes))
    assert found.classes == {"low": 6, "mid": 3, "high": 3}
    assert found.description is not None and found.description.is_scale


def labelled(number: int) -> str:
    return ("benign", "malignant")[number % 2]


def test_tables_of_the_parts_are_read_together(tmp_path: Path) -> None:
    for part, count in (("train", 12), ("test", 6)):
        rows = [["file", "label"]]
        for number in range(count):
            picture(tmp_path / "images" / f"{part}{number}.png")
            rows.append([f"{part}{number}.png", labelled(number)])
        table(tmp_path / f"{part}.csv", rows)
    found = inspect_place(tmp_path)
    assert (found.images, found.left_out, found.splits) == (18, 0, {"train": 12, "test": 6})


def test_a_table_of_patients_labels_the_images_in_their_folders(tmp_path: Path) -> None:
    rows = [["Patient ID", "Diagnosis"], *([f"pat{number:03}", labelled(number)] for number in range(6))]
    for number in range(12):
        picture(tmp_path / f"PAT{number // 2:03}" / f"{number}.png")
    table(tmp_path / "patients.csv", rows)
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients) == ({"benign": 6, "malignant": 6}, 6)
    assert codes(found.summary()) == ["doubt.table_by_patient"]


def test_parts_above_patients_above_classes_stay_parts(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for number in range(12):
            picture(tmp_path / part / f"P{number // 2:03}" / labelled(number) / f"{number}.png")
    found = inspect_place(tmp_path)
    assert (found.splits, found.patients) == ({"train": 12, "test": 12}, 6)


def test_titles_above_a_table_are_passed_over(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / f"{number}.png")
    rows = "\n".join(f"{number}.png;{labelled(number)};P{number // 2}" for number in range(12))
    (tmp_path / "export.csv").write_text(f"Export 12.03.2024\n\nimage;diagnosis;Pat.-Nr.\n{rows}")
    found = inspect_place(tmp_path)
    assert (found.images, found.patients) == (12, 6)


def test_columns_that_say_the_class_together_and_overlap_are_told(tmp_path: Path) -> None:
    names = ("benign", "malignant", "normal")
    for number in range(12):
        picture(tmp_path / f"{number}.png")
    rows = [[f"{number}.png", *(int(number % (each + 2) == 0) for each in range(3))] for number in range(12)]
    table(tmp_path / "train.csv", [["image", *names], *rows])
    assert "doubt.one_of_columns" in codes(inspect_place(tmp_path).summary())


def test_papers_and_programs_beside_class_folders_are_no_classes(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / "download" / "v1" / "data" / "images" / labelled(number) / f"{number}.png")
    for file in ("download/code/train.py", "download/v1/docs/paper.pdf", "download/v1/results.csv"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("epoch,loss\n1,0.5\n")
    found = inspect_place(tmp_path)
    assert (found.layout, found.classes) == ("class_folders", {"benign": 6, "malignant": 6})


def many(root: Path, folders: str, count: int = 4) -> Path:
    """Draw images in folders "{}" of which stands for benign and malignant."""
    for name in ("benign", "malignant"):
        for number in range(count):
            picture(root / folders.format(name) / f"{name}{number}.png", name == "malignant")
    return root


def test_parts_inside_classes_stay_parts(tmp_path: Path) -> None:
    for part in ("Train", "test"):
        many(tmp_path, f"{{}}/{part}")
    found = inspect_place(tmp_path)
    assert (found.classes, found.splits) == ({"benign": 8, "malignant": 8}, {"train": 8, "test": 8})
    assert codes(found.summary()) == ["doubt.parts_inside_classes"]
    # What reads the cases of a run reads the same.
    assert {part: len(cases) for part, cases in read_cases(tmp_path).by_part().items()} == {"train": 8, "test": 8}


@pytest.mark.parametrize(
    ("groups", "doubt", "field"),
    [
        (("fold1", "Fold_2"), "doubt.folds_above_classes", "fold"),
        (("2019", "2020"), "doubt.groups_above_classes", "site"),
        (("2019-01", "2019_Q2"), "doubt.groups_above_classes", "site"),
        (("40X", "100X"), "doubt.scales_above_classes", None),
        (("lyon", "Zürich"), "doubt.groups_above_classes", "site"),
        (("CHU Nantes", "Institut X"), "doubt.groups_above_classes", "site"),
        (("GE", "Siemens"), "doubt.groups_above_classes", "site"),
        (("Hospital A", "hospital B"), "doubt.groups_above_classes", "site"),
        (("MIAS", "DDSM dataset"), "doubt.groups_above_classes", "site"),
        (("P01", "P02"), "doubt.patients_above_classes", "patient"),
    ],
)
def test_folds_years_scales_and_hospitals_above_classes_are_no_patients(
    tmp_path: Path, groups: tuple[str, ...], doubt: str, field: str | None
) -> None:
    for group in groups:
        many(tmp_path, f"{group}/{{}}")
    found = inspect_place(tmp_path)
    assert found.classes == {"benign": 8, "malignant": 8} and codes(found.summary()) == [doubt]
    assert found.description is not None
    assert found.description.fields.keys() - {"label"} == ({field} if field else set())
    assert (found.patients is not None) == (field == "patient")
    assert read_cases(tmp_path).counts() == found.classes


@pytest.mark.parametrize(
    ("column", "yes", "no"), [("Maligne", "ja", "nein"), ("cancer", "oui", "non"), ("bösartig", "WAHR", "FALSCH")]
)
def test_yes_and_no_are_understood_in_other_languages(tmp_path: Path, column: str, yes: str, no: str) -> None:
    rows = [[f"{number}.png", yes if number % 2 else no, number] for number in range(12)]
    for number in range(12):
        picture(tmp_path / f"{number}.png")
    table(tmp_path / "liste.csv", [["bild", column, "patient"], *rows], ";")
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients) == ({"benign": 6, "malignant": 6}, 12)


def test_a_table_that_names_files_and_no_class_is_told_as_that(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / f"{number}.png")
    table(tmp_path / "list.csv", [["image", "weight"], *([f"{number}.png", 50 + number] for number in range(12))])
    assert codes(inspect_place(tmp_path).summary()) == ["doubt.no_label_column", "doubt.no_labels"]


def test_a_column_that_stands_twice_and_differs_is_refused(tmp_path: Path) -> None:
    rows = [[f"{number}.png", labelled(number), labelled(number), number] for number in range(12)]
    for number in range(12):
        picture(tmp_path / f"{number}.png")
    place = table(tmp_path / "labels.csv", [["file", "Label", "label", "patient"], *rows])
    assert inspect_place(place).classes == {"benign": 6, "malignant": 6}  # twice the same does no harm
    rows[3][2] = labelled(4)
    table(place, [["file", "Label", "label", "patient"], *rows])
    with pytest.raises(LabelsInvalid, match="Label stands there twice, and row 5"):
        read_cases(place)
    assert "doubt.unreadable" in codes(inspect_place(place).summary())


def test_a_part_that_is_none_is_told_by_its_value(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / f"{number}.png")
    rows = [[f"{number}.png", labelled(number), number % 2] for number in range(12)]
    place = table(tmp_path / "labels.csv", [["file", "label", "split"], *rows])
    with pytest.raises(NoImages, match="its part, “0”, is none of train, val and test"):
        read_cases(place)


def test_pictures_in_formats_that_are_not_read_and_archives_are_told(tmp_path: Path) -> None:
    many(tmp_path, "{}")
    for name in ("scan.heic", "slide.svs", "volume.nii.gz", "notes.txt"):
        (tmp_path / "benign" / name).write_bytes(b"x")
    (tmp_path / "more.zip").write_bytes(b"PK")
    found = inspect_place(tmp_path)
    assert sorted(file for reason in found.reasons for file in reason.files) == [
        *("benign/scan.heic", "benign/slide.svs", "benign/volume.nii.gz"),
    ]
    assert codes(found.summary()) == ["doubt.archives_beside"]


def test_folders_that_hold_no_class_and_one_patient_for_all_are_doubtful(tmp_path: Path) -> None:
    many(tmp_path / "a", "{}")
    picture(tmp_path / "a" / "New folder (2)" / "1.png")
    assert "doubt.classes_are_no_classes" in codes(inspect_place(tmp_path / "a").summary())
    rows = [[f"{number}.png", labelled(number), "P1"] for number in range(12)]
    for number in range(12):
        picture(tmp_path / "b" / f"{number}.png")
    table(tmp_path / "b" / "labels.csv", [["file", "label", "patient"], *rows])
    assert "doubt.one_patient" in codes(inspect_place(tmp_path / "b").summary())


def test_a_measurement_is_told_and_read_in_bands_where_a_person_names_it(tmp_path: Path) -> None:
    rows = [["file", "label", "case"], *([f"{number}.png", 2.5 + number, number] for number in range(36))]
    for number in range(36):
        picture(tmp_path / f"{number}.png")
    table(tmp_path / "labels.csv", rows)
    assert codes(inspect_place(tmp_path).summary()) == ["doubt.label_is_measured", "doubt.no_labels"]
    found = inspect_place(tmp_path, ReadingChanges.model_validate({"fields": {"label": "label"}}))
    assert list(found.classes.items()) == [("2\u201313", 12), ("14\u201325", 12), ("26\u201337", 12)]
    assert "doubt.column_in_bands" in codes(found.summary())
    rows = [["file", "result", "share"], *([f"{number}.png", labelled(number), number / 40] for number in range(36))]
    table(tmp_path / "labels.csv", rows)
    found = inspect_place(tmp_path, ReadingChanges.model_validate({"fields": {"label": "share"}}))
    assert "doubt.column_is_measured" in codes(found.summary())


def test_many_classes_of_few_images_are_one_doubt(tmp_path: Path) -> None:
    for name in [f"kind {letter}" for letter in "abcdefghijklmnopqrstuvwxyzäöü"]:
        for number in range(2):
            picture(tmp_path / name / f"{number}.png")
    assert codes(inspect_place(tmp_path).summary()) == ["doubt.many_classes_of_few"]


def test_what_cannot_be_trained_on_is_not_offered_for_training(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / "one" / "malignant" / f"{number}.png")
        picture(tmp_path / "none" / f"{number}.png")
    table(
        tmp_path / "none" / "labels.csv",
        [["file", "label", "split"], *([f"{number}.png", labelled(number), "?x"] for number in range(12))],
    )
    for name in ("one", "none"):
        assert " train " not in next_command(inspect_place(tmp_path / name), name)


def test_images_and_outlines_above_classes_are_neither_patients_nor_classes(tmp_path: Path) -> None:
    many(tmp_path, "us-dataset/originals/{}", 6)
    for name in ("benign", "malignant"):
        for number in range(6):
            picture(tmp_path / "us-dataset" / "gt" / name / f"{name}{number}_gt.png", mask=True)
    found = inspect_place(tmp_path)
    assert (found.classes, found.patients) == ({"benign": 6, "malignant": 6}, None)
    assert not found.doubts and read_cases(data_root(tmp_path)).counts() == found.classes


def test_a_list_without_names_of_columns_is_read_from_its_first_row_on(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / "photos" / f"{number}.png")
    place = table(tmp_path / "truth.csv", [[f"{number}.png", labelled(number)] for number in range(12)])
    assert inspect_place(tmp_path).classes == {"benign": 6, "malignant": 6}
    assert len(read_cases(place)) == 12


def test_a_training_part_that_lacks_a_class_is_refused_by_name(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / f"{number}.png")
    rows = [[f"{number}.png", labelled(number), ("train", "test")[number % 2]] for number in range(12)]
    place = table(tmp_path / "labels.csv", [["file", "label", "split"], *rows])
    assert "doubt.class_not_trained" in codes(inspect_place(place).summary())
    config = parse_config({"data": {"train_dir": str(place), "val_dir": None, "test_dir": None}})
    with pytest.raises(ClassNotTrained, match="no image of malignant"):
        list_folders(config, tmp_path)
    assert list(open_questions(config, read_cases(place).by_part()["train"])) == []  # an audit asks as well


def test_a_table_that_cannot_be_read_is_told_with_its_row(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / f"{number}.png")
    rows = "\n".join(f"{number}.png,{labelled(number)}" for number in range(12))
    (tmp_path / "labels.csv").write_text("file,label\n" + rows.replace(",malignant", ',"malignant', 1))
    found = inspect_place(tmp_path)
    (doubt,) = [each for each in found.doubts if each.code == "doubt.table_unreadable"]
    assert "row 3: a quotation mark" in str(doubt)


def test_two_columns_of_classes_that_differ_are_told(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / f"{number}.png")
    rows = [[f"{number}.png", labelled(number), labelled(number).upper()] for number in range(12)]
    place = table(tmp_path / "labels.csv", [["file", "diagnosis", "pathology"], *rows])
    assert "doubt.other_label_columns" not in codes(inspect_place(place).summary())
    rows[4][2] = "malignant"
    table(place, [["file", "diagnosis", "pathology"], *rows])
    assert "doubt.other_label_columns" in codes(inspect_place(place).summary())


def test_only_medmnists_own_set_says_what_its_numbers_mean(tmp_path: Path) -> None:
    own = draw_medmnist(tmp_path)
    assert set(inspect_place(own).classes) == {"malignant", "normal, benign"}
    another = own.rename(tmp_path / "breast_clinic.npz")
    found = inspect_place(another)
    assert set(found.classes) == {"0", "1"}
    assert "doubt.classes_are_numbers" in [doubt.code for doubt in found.doubts]
    # Nor is it said of another's images what BreastMNIST is made of, or under which licence it is.
    assert found.twins is None and found.description is not None and found.description.licence is None
