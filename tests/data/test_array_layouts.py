"""Arrays in an .npz file as parts, and DICOM files of which nothing says the class: what is recognised, and how surely."""

from pathlib import Path

import numpy as np
import pytest

from breastai.data.sources.recognition.array_layouts import MEDMNIST, array_names, parts_of
from breastai.data.sources.recognition.survey import survey
from breastai.data.sources.recognition.unlabelled_layouts import DICOM_EXPORT
from tests.data.published_layouts import dicom, picture


def archive(path: Path, *names: str) -> Path:
    arrays = {name: np.zeros((2, 8, 8) if "label" not in name else (2, 1), np.uint8) for name in names}
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["test_images", "test_labels", "train_images", "train_labels"], {"train": ("train_images", "train_labels"), "test": ("test_images", "test_labels")}),
        (["Train_X", "TRAIN_Y", "val_data", "val_labels"], {"train": ("Train_X", "TRAIN_Y"), "val": ("val_data", "val_labels")}),
        (["train_images", "val_labels"], {}),
        (["train_masks", "train_labels"], {}),
        (["left_images", "left_labels"], {}),
        (["images", "labels"], {}),
    ],
)  # fmt: skip
def test_a_part_is_an_array_of_images_and_one_of_labels_called_after_it(
    names: list[str], parts: dict[str, tuple[str, str]]
) -> None:
    found = parts_of(names)
    assert found == parts and list(found) == list(parts)


def test_names_of_arrays_are_read_without_unpacking_and_none_of_what_is_no_archive(tmp_path: Path) -> None:
    assert array_names(archive(tmp_path / "a.npz", "train_images", "x")) == ["train_images", "x"]
    (tmp_path / "b.npz").write_bytes(b"no archive")
    assert array_names(tmp_path / "b.npz") == array_names(tmp_path / "gone.npz") == []


def test_an_archive_alone_is_surer_than_one_beside_images_and_others_are_told(tmp_path: Path) -> None:
    whole = ("train_images", "train_labels", "test_images", "test_labels")
    archive(tmp_path / "a.npz", "nothing")
    archive(tmp_path / "breastmnist_64.npz", *whole)
    alone = MEDMNIST.recognise(survey(tmp_path))
    assert alone is not None and alone.score == 0.9 and alone.description is not None
    assert alone.description.root.endswith("breastmnist_64.npz")
    assert alone.description.class_map == {"0": "malignant", "1": "normal, benign"}
    assert [doubt.code for doubt in alone.doubts] == ["doubt.other_files", "doubt.patients_unknown"]
    assert alone.doubts[0].params == {"file": "breastmnist_64.npz", "count": 1}
    picture(tmp_path / "x.png")
    (tmp_path / "a.npz").unlink()
    beside = MEDMNIST.recognise(survey(tmp_path))
    assert beside is not None and beside.score == 0.4
    assert [doubt.code for doubt in beside.doubts] == ["doubt.patients_unknown"]
    (tmp_path / "breastmnist_64.npz").rename(tmp_path / "ours.npz")
    ours = MEDMNIST.recognise(survey(tmp_path))
    assert ours is not None and ours.description is not None and ours.description.class_map == {}
    assert [doubt.code for doubt in ours.doubts] == ["doubt.classes_are_numbers", "doubt.patients_unknown"]
    (tmp_path / "none").mkdir()
    archive(tmp_path / "none" / "x.npz", "a")
    assert MEDMNIST.recognise(survey(tmp_path / "none")) is None


@pytest.mark.parametrize(
    ("names", "patient", "directory", "score"),
    [
        (["IM1", "IM2", "IM3"], "", "", 0.3),
        (["a.dcm", "b.dcm", "c.dcm"], "P1", "", 0.2),
        (["a.dcm", "b.dcm", "c.dcm"], "", "", None),
        (["a.dcm", "b.dcm", "c.dcm"], "", "DICOMDIR", 0.3),
        (["x/a.dcm", "x/b.dcm"], "", "x/DICOMDIR", 0.3),
        (["IM1", "a.dcm"], "", "", None),
        (["IM1", "IM2", "IM3", "IM4", "e.png"], "", "", 0.3),
        (["IM1", "IM2", "IM3", "d.png"], "P1", "", None),
        ([], "", "DICOMDIR", None),
    ],
)
def test_a_dicom_export_is_told_by_its_list_bare_names_or_patients_in_headers(
    tmp_path: Path, names: list[str], patient: str, directory: str, score: float | None
) -> None:
    for name in names:
        if name.endswith(".png"):
            picture(tmp_path / name)
        else:
            dicom(tmp_path / name, **({"PatientID": patient} if patient else {}))
    if directory:
        (tmp_path / directory).write_bytes(b"")
    found = DICOM_EXPORT.recognise(survey(tmp_path))
    assert (None if found is None else found.score) == score
    if found is not None:
        assert found.description is None and [doubt.code for doubt in found.doubts] == ["doubt.no_labels"]
