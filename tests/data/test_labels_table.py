"""A labels table says what class folders would: the same cases, the same split, and what fits neither is listed."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breastai.clinical.audit_job import folders_below
from breastai.commands.effective_config import image_place, training_config
from breastai.data.cases.cases import gather_cases
from breastai.data.cases.data_overview import describe
from breastai.data.cases.run_folders import list_folders
from breastai.data.patients.patient_ids import patients_in
from breastai.data.preprocessing import cache_store
from breastai.data.preview_jobs import preview_image
from breastai.data.sources.case_source import label_of, read_cases
from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ClassesDiffer, LabelsInvalid, NoImages, PatientIdMissing, TooFewClasses
from breastai.domain.events import ImagePreview
from breastai.domain.jobs import PreviewImage
from breastai.storage.workspace import Workspace


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a workspace with class folders in data/train, and beside them a table of the same images."""
    monkeypatch.setattr(cache_store, "default_cache_root", lambda: tmp_path / "cache")
    rng = np.random.default_rng(0)
    rows = ["file,label,patient_id"]
    for label in ("Benign", "malignant"):
        for number in range(8):
            file = f"{label}/P{number // 2}{label[0]}_{number}.png"
            (tmp_path / "data/train" / label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(tmp_path / "data/train" / file)
            rows.append(f"{file},{label},P{number // 2}{label[0]}")
    (tmp_path / "data/train/labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def config(train: str, patient_id: str | None = None) -> Config:
    data = {"train_dir": train, "val_dir": None, "test_dir": None, "image_size": 32, "num_workers": 0}
    return parse_config({"data": data, "evaluation": {"patient_id": patient_id}})


def write(base: Path, text: str, name: str = "other.csv") -> Path:
    (base / "data/train" / name).write_text(text)
    return base / "data/train" / name


def test_a_table_gives_the_cases_and_the_split_of_the_same_class_folders(base: Path) -> None:
    folders, table = config("data/train", r"^(P\d[Bm])_"), config("data/train/labels.csv")
    expected = gather_cases(folders, list_folders(folders, base), base)
    found = gather_cases(table, list_folders(table, base), base)
    assert found.class_names == ("benign", "malignant")
    assert found.split_file.dataset is not None and found.split_file.dataset.tables[0].file == "labels.csv"
    split, of_folders = (each.split_file.model_copy(update={"dataset": None}) for each in (found, expected))
    assert split == of_folders
    assert (found.train_patients, found.val_patients) == (expected.train_patients, expected.val_patients)
    assert found.train.labels.tolist() == expected.train.labels.tolist()
    assert np.array_equal(found.train.image(0), expected.train.image(0))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_file_may_be_a_path_a_name_or_an_id_without_its_ending(base: Path, separator: str) -> None:
    rows = [
        "label,File",
        "benign,Benign\\P0B_0.png",
        "benign,P0B_1.png",
        "malignant,malignant/P0m_0",
        "malignant,P0m_1",
    ]
    place = write(base, "\n".join(rows).replace(",", separator))
    found = read_cases(place)
    assert [(case.file, case.label) for case in found.cases()] == [
        ("Benign/P0B_0.png", "benign"),
        ("Benign/P0B_1.png", "benign"),
        ("malignant/P0m_0.png", "malignant"),
        ("malignant/P0m_1.png", "malignant"),
    ]
    assert label_of(place, "malignant/P0m_1.png") == "malignant"
    assert len(found.skipped) == 12


def test_the_label_is_the_tables_wherever_an_image_lies(base: Path) -> None:
    place = write(base, "file,label\nP0B_0.png,malignant\nP0m_0.png,Begin\n")
    found = {case.file: case.label for case in read_cases(place).cases()}
    assert found == {"Benign/P0B_0.png": "malignant", "malignant/P0m_0.png": "benign"}
    (shown,) = preview_image(
        PreviewImage(workspace=str(base), config=config("data/train/other.csv"), split="train"), Workspace(base)
    )
    assert isinstance(shown, ImagePreview)
    assert (shown.file, shown.class_name) == ("malignant/P0m_0.png", "benign")


def test_rows_without_an_image_and_images_without_a_row_are_counted_and_listed(base: Path) -> None:
    write(base, "file,label\nP0B_0.png,a\nP1B_3.png,a\nP0m_0.png,b\nP1m_3.png,b\nP1m_2.png,\ngone.png,a\n")
    told = describe(config("data/train/other.csv"), base)
    assert told.counts["train"]["a"] + told.counts["val"]["a"] == 2
    reasons = {item.file: item.reason for item in told.skipped}
    assert told.skipped_total == len(reasons) == 13
    assert str(reasons["gone.png"]) == "no image lies where the table says"
    assert str(reasons["malignant/P1m_2.png"]) == "its row in the table has no label"
    assert str(reasons["Benign/P0B_1.png"]) == "no row of the table names it"


def test_an_id_that_means_two_images_means_neither(base: Path) -> None:
    for label in ("Benign", "malignant"):
        os.link(base / "data/train/Benign/P0B_0.png", base / f"data/train/{label}/twice.png")
    place = write(base, "file,label\nP0B_1,a\nP0m_1,b\ntwice,a\n")
    assert ("twice", "no image lies where the table says") in [
        (i.file, str(i.reason)) for i in read_cases(place).skipped
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "got —"),
        ("picture,kind\na.png,b\n", "expected the columns file and label, got picture, kind"),
        ("file,label\nP0B_0.png,a\nP0B_0.png,a\n", "row 3 repeats the file P0B_0.png of row 2"),
        ("file,label\nP0B_0.png,a\nP0B_0.png,b\n", "row 3 says otherwise of P0B_0.png than row 2"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_row(base: Path, text: str, reason: str) -> None:
    with pytest.raises(LabelsInvalid, match=reason):
        read_cases(write(base, text))


def test_what_a_table_lacks_is_told_as_of_folders(base: Path) -> None:
    with pytest.raises(NoImages):
        read_cases(write(base, "file,label\nz.png,a\n"))
    with pytest.raises(TooFewClasses):
        read_cases(write(base, "file,label\nP0B_0.png,a\n"))
    place = write(base, "file,label\nP0B_0.png,a\nP0m_0.png,b\n")
    assert read_cases(place, ("b", "a")).labels.tolist() == [1, 0]
    with pytest.raises(ClassesDiffer):
        read_cases(place, ("a", "c"))


def test_a_patient_missing_in_the_table_is_no_patient_of_his_own(base: Path) -> None:
    place = write(base, "file,label,patient_id\nP0B_0.png,a,P1\nP0m_0.png,b,\n")
    with pytest.raises(PatientIdMissing, match="P0m_0"):
        patients_in(read_cases(place), None, base)


def test_a_command_takes_a_table_where_it_takes_a_folder(base: Path) -> None:
    table = base / "data/train/labels.csv"
    data = training_config(Workspace(base), data=str(table)).data
    assert (data.train_dir, data.val_dir, data.test_dir) == ("data/train/labels.csv", None, None)
    assert image_place(str(table), Workspace(base)) == str(table)
    assert [len(folder) for folder in folders_below(table).values()] == [16]
