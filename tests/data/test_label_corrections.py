"""Images are left out and relabelled in the description of a data set, never in its files, and test images not in silence."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from breastai.cli import run
from breastai.clinical.judged_classes import correction_notes
from breastai.data.cases.label_corrections import correct_dataset
from breastai.data.sources.case_source import read_cases
from breastai.domain.dataset_description import parse_description
from breastai.domain.errors import CorrectionInvalid, LabelsOfTestImages, TooFewClasses
from breastai.domain.events import DatasetCorrected
from breastai.domain.jobs import CorrectDataset
from breastai.storage.datasets import read_dataset, save_dataset
from breastai.storage.workspace import Workspace

FILES = tuple(
    f"{part}/{name}/{number}.png"
    for part in ("train", "test")
    for name in ("benign", "malignant")
    for number in range(3)
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace.open(tmp_path)
    for number, file in enumerate(FILES):
        (tmp_path / "images" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), number * 10).save(tmp_path / "images" / file)
    description = {"name": "ours", "root": "images", "fields": {"label": {"folder": 2}, "split": {"folder": 1}}}
    save_dataset(place, parse_description(description))
    return place


def correct(workspace: Workspace, action: str, *files: str, **fields: Any) -> DatasetCorrected:
    values = {"workspace": str(workspace.root), "name": "ours", "action": action, "files": list(files)}
    (event,) = correct_dataset(CorrectDataset.model_validate(values | fields), workspace)
    assert isinstance(event, DatasetCorrected)
    return event


def labels(workspace: Workspace) -> dict[str, str]:
    table = read_cases(workspace.datasets_dir / "ours.json")
    return {case.file: case.label for case in table.cases()}


def test_an_image_is_given_a_step_of_the_scale_that_no_image_has_yet(workspace: Workspace) -> None:
    scale = ("benign", "doubtful", "malignant")
    save_dataset(workspace, read_dataset(workspace, "ours").model_copy(update={"class_names": scale, "ordered": True}))
    correct(workspace, "relabel", "train/benign/1.png", label="doubtful")
    assert labels(workspace)["train/benign/1.png"] == "doubtful"


def test_an_image_is_left_out_and_another_relabelled_while_the_files_stay(workspace: Workspace) -> None:
    before = {path: path.read_bytes() for path in (workspace.root / "images").rglob("*.png")}
    correct(workspace, "exclude", "train/benign/0.png", note="a ruler over the lesion")
    event = correct(workspace, "relabel", "train/benign/1.png", label="Malignant")
    assert (event.left_out, event.relabelled, event.of_test) == (1, 1, 0)
    found = labels(workspace)
    assert "train/benign/0.png" not in found and found["train/benign/1.png"] == "malignant"
    assert len(found) == len(FILES) - 1
    kept = read_dataset(workspace, "ours")
    assert kept.left_out[0].was == "benign" and kept.left_out[0].note == "a ruler over the lesion"
    assert kept.relabelled[0].was == "benign" and kept.relabelled[0].part == "train"
    assert {path: path.read_bytes() for path in (workspace.root / "images").rglob("*.png")} == before


def test_a_later_correction_takes_the_place_of_an_earlier_one_and_can_be_taken_back(workspace: Workspace) -> None:
    file = "train/benign/0.png"
    as_it_was = read_dataset(workspace, "ours")
    correct(workspace, "exclude", file)
    correct(workspace, "relabel", file, label="malignant")
    kept = read_dataset(workspace, "ours")
    assert not kept.left_out and [item.label for item in kept.relabelled] == ["malignant"]
    correct(workspace, "relabel", file, label="benign")
    assert read_dataset(workspace, "ours") == as_it_was
    correct(workspace, "exclude", file)
    correct(workspace, "restore", file)
    assert read_dataset(workspace, "ours") == as_it_was


def test_test_images_are_changed_only_where_that_is_confirmed_and_told(workspace: Workspace) -> None:
    with pytest.raises(LabelsOfTestImages, match=r"test part \(1\), for example test/benign/0.png"):
        correct(workspace, "exclude", "train/benign/0.png", "test/benign/0.png")
    assert not read_dataset(workspace, "ours").left_out
    assert correct(workspace, "exclude", "train/benign/0.png", "test/benign/0.png", test_images=True).of_test == 1
    description = read_dataset(workspace, "ours")
    assert description.corrections().model_dump() == {"left_out": 2, "relabelled": 0, "of_test": 1}
    (note,) = correction_notes(description, "test")
    assert note.code == "note.corrected_of_test" and note.params == {"left_out": 1, "relabelled": 0}
    # Taking it back changes the test part too.
    with pytest.raises(LabelsOfTestImages):
        correct(workspace, "restore", "test/benign/0.png")


def test_nothing_is_noted_of_a_data_set_that_nobody_corrected(workspace: Workspace) -> None:
    assert correction_notes(read_dataset(workspace, "ours"), "test") == correction_notes(None, None) == []


def test_what_cannot_be_meant_changes_nothing(workspace: Workspace) -> None:
    for action, file, label in (
        ("exclude", "train/benign/9.png", None),
        ("exclude", "../images/train/benign/0.png", None),
        ("relabel", "train/benign/0.png", "cyst"),
        ("relabel", "train/benign/0.png", None),
    ):
        with pytest.raises(CorrectionInvalid, match="was not changed"):
            correct(workspace, action, file, label=label)
    with pytest.raises(TooFewClasses):
        correct(workspace, "exclude", *(file for file in FILES if "malignant" in file), test_images=True)
    assert not read_dataset(workspace, "ours").left_out


def test_the_command_line_takes_names_and_paths(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("BREASTAI_LANGUAGE", "en")
    assert run(["data", "exclude", "ours", "images/train/benign/0.png", "train/benign/1.png", "--note", "text"]) == 0
    assert "Left out of ours: 2." in capsys.readouterr().out
    assert run(["data", "relabel", "ours", "test/benign/2.png", "malignant"]) == 2
    assert "--test-images" in capsys.readouterr().err
    assert run(["data", "relabel", "ours", "test/benign/2.png", "malignant", "--test-images"]) == 0
    assert "Test images among them: 1." in capsys.readouterr().out
    assert run(["data", "restore", "ours", "train/benign/0.png"]) == 0
    assert "left out: 1; relabelled: 1." in capsys.readouterr().out
    assert labels(workspace)["test/benign/2.png"] == "malignant"
