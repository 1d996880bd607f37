"""Where the images of each split lie, whatever the folders are called."""

from pathlib import Path

import pytest

from breastai.clinical.audit_job import folders_below
from breastai.data.cases.data_overview import describe
from breastai.data.cases.run_folders import list_folders
from breastai.data.sources import part_folders
from breastai.data.sources.class_folders import _check_order, scan, what_lies_in
from breastai.data.sources.layout import folder_of_split, resolved_config
from breastai.data.sources.part_folders import data_root, holds_images, split_folders, unused_folders
from breastai.domain.config import Config
from breastai.domain.errors import NoClassFolders, PatientsAboveClasses, SplitFoldersAmbiguous
from breastai.domain.text import Text
from tests.data.published_layouts import DRAWINGS
from tests.data.test_masks import write

CLASSES = ("benign", "malignant")


def fill(root: Path, *folders: str) -> Path:
    """Write two images of each class into each folder."""
    for folder in folders:
        write(root, *(f"{folder}/{name}/{folder}{number}.png" for name in CLASSES for number in range(2)))
    return root


@pytest.mark.parametrize("val", ["val", "validation", "valid", "Val", "VALIDATION", "dev"])
@pytest.mark.parametrize("train", ["train", "Train", "training"])
def test_the_folders_of_splits_are_taken_by_any_of_their_names(tmp_path: Path, train: str, val: str) -> None:
    root = fill(tmp_path, train, val, "Testing")
    assert {split: path.name for split, path in split_folders(root).items()} == {
        "train": train, "val": val, "test": "Testing",
    }  # fmt: skip
    assert set(folders_below(root)) == {"train", "val", "test"}
    values = {"data": {"train_dir": "train", "val_dir": "val", "test_dir": "test"}}
    folders = list_folders(Config.model_validate(values), root)
    assert {name: folder.root.name for name, folder in folders.by_split().items()} == {
        "train": train, "val": val, "test": "Testing",
    }  # fmt: skip


def test_two_folders_for_one_split_are_a_question_and_an_empty_one_is_none(tmp_path: Path) -> None:
    root = fill(tmp_path, "train", "valid")
    (root / "val").mkdir()
    assert split_folders(root)["val"].name == "valid"
    fill(root, "validation")
    with pytest.raises(SplitFoldersAmbiguous, match="valid, validation"):
        split_folders(root)


def test_class_folders_and_the_folder_above_are_taken_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, *(f"Dataset_BUSI/{name}/{name} ({number}).png" for name in CLASSES for number in range(2)))
    for root in (tmp_path, tmp_path / "Dataset_BUSI"):
        assert folder_of_split(root / "train") == tmp_path / "Dataset_BUSI"
        assert folder_of_split(root / "val") is None
        assert scan(data_root(root)).class_names == CLASSES


def test_a_single_class_with_folders_of_patients_is_no_folder_of_classes(tmp_path: Path) -> None:
    write(tmp_path, "benign/P1/1.png", "benign/P2/1.png")
    assert data_root(tmp_path) == tmp_path


def test_a_workspace_is_no_folder_of_classes(tmp_path: Path) -> None:
    for name in ("logs", "checkpoints"):
        (tmp_path / name).mkdir()
    assert folder_of_split(tmp_path / "train") is None


def test_folders_beside_the_splits_are_told(tmp_path: Path) -> None:
    root = fill(tmp_path, "train", "validation", "extra")
    assert unused_folders(root, list(split_folders(root).values())) == ["extra"]
    config = Config.model_validate({"data": {"train_dir": "train", "val_dir": "val", "test_dir": None}})
    warnings = {warning.code: warning.params for warning in describe(config, root).warnings}
    assert warnings["folders_unused"] == {"folders": "extra"}


def test_patients_above_classes_are_refused_with_the_command_that_turns_them_round(tmp_path: Path) -> None:
    root = tmp_path / "idc"
    write(root, *(f"{patient}/{label}/{patient}_{label}.png" for patient in (8863, 8864, 8865) for label in (0, 1)))
    (root / "8865" / "1" / "8865_1.png").unlink()
    (root / "8865" / "1").rmdir()  # a patient with one class alone
    with pytest.raises(PatientsAboveClasses) as refused:
        scan(root)
    assert (refused.value.patients, refused.value.class_names) == (3, ["0", "1"])
    assert str(root) in refused.value.command and '{"folder": 1}' in str(refused.value)


@pytest.mark.parametrize("lower", [("CC", "MLO"), ("P1", "P2"), ("0001", "0002")])
def test_folders_that_repeat_below_classes_are_no_classes(tmp_path: Path, lower: tuple[str, str]) -> None:
    write(tmp_path, *(f"{name}/{inside}/1.png" for name in CLASSES for inside in lower))
    assert scan(tmp_path).class_names == CLASSES


def test_an_error_names_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(NoClassFolders, match=r"the file a\.png"):
        scan(tmp_path)


@pytest.mark.parametrize("name", ["bus_bra", "idc", "breakhis", "hugging_face", "vindr_mammo", "udiat"])
def test_the_folder_of_a_known_layout_is_meant_whole_by_the_three_folders_below_it(tmp_path: Path, name: str) -> None:
    DRAWINGS[name].draw(tmp_path / "sets")
    three = {"train_dir": "sets/train", "val_dir": "sets/val", "test_dir": "sets/test"}
    config = resolved_config(Config.model_validate({"data": three}), tmp_path)
    assert config.data.train_dir == "sets"
    folders = list_folders(Config.model_validate({"data": three}), tmp_path).by_split()
    assert sum(map(len, folders.values())) == DRAWINGS[name].counts["images"]


def test_a_known_layout_that_is_called_like_a_data_set_is_still_the_folder(tmp_path: Path) -> None:
    DRAWINGS["idc"].draw(tmp_path / "sets")
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/sets.json").write_text("{}")
    three = {"train_dir": "sets/train", "val_dir": "sets/val", "test_dir": "sets/test"}
    config = resolved_config(Config.model_validate({"data": three}), tmp_path)
    assert config.data.train_dir == "./sets"


def test_images_are_looked_for_below_a_folder_as_far_as_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "notes.txt").write_text("x")
    assert not holds_images(tmp_path)
    write(tmp_path, "z/deep/down.png")
    assert holds_images(tmp_path)
    monkeypatch.setattr(part_folders, "_MOST_LOOKED_INTO", 4)  # the folder itself, a, a/b and z
    assert not holds_images(tmp_path)
    monkeypatch.setattr(part_folders, "_MOST_LOOKED_INTO", 5)
    assert holds_images(tmp_path)


@pytest.mark.parametrize(
    ("folders", "files", "code", "params"),
    [
        ((), (), "nothing", {"folders": [], "count": 0, "file": ""}),
        (("b", "a", ".x"), (), "folders", {"folders": ["a", "b"], "count": 0, "file": ""}),
        ((), ("b.csv", "a.txt"), "files_such_as", {"folders": [], "count": 2, "file": "a.txt"}),
        (tuple("fedcba"), ("z",), "folders_and_files", {"folders": list("abcde"), "count": 1, "file": "z"}),
    ],
)
def test_what_lies_in_a_folder_is_told_by_its_first_folders_and_a_file(
    tmp_path: Path, folders: tuple[str, ...], files: tuple[str, ...], code: str, params: dict[str, object]
) -> None:
    for name in folders:
        (tmp_path / name).mkdir()
    for name in files:
        (tmp_path / name).write_text("x")
    assert what_lies_in(tmp_path) == Text(f"reason.{code}", params)


@pytest.mark.parametrize(
    ("folders", "refused"),
    [
        (("P01/benign", "P01/malignant", "P02/benign"), True),
        (("P01/benign", "P02/malignant"), False),  # no class a second time
        (("benign/P01", "malignant/P01"), False),
        (("P01/train", "P02/train", "P01/test", "P02/test"), False),
        (("P01/benign", "P02/benign"), False),  # one class
        (("P01/0", "P01/1", "P02/0", "P02/1"), True),
        (("P0001/x", "P0001/y", "P0002/x", "P0002/y"), True),  # the upper ones are called as patients are
        (("anna/x", "anna/y", "berta/x", "berta/y"), False),
        (("P01/benign", "P01/malignant", "P02/benign", "P03", "P04", "P05", "P06"), False),  # few have them
    ],
)
def test_folders_of_classes_below_others_are_told_by_their_names_and_how_often_they_repeat(
    tmp_path: Path, folders: tuple[str, ...], refused: bool
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    uppers = {name: [name] for name in sorted({folder.partition("/")[0] for folder in folders})}
    if refused:
        with pytest.raises(PatientsAboveClasses):
            _check_order(tmp_path, uppers)
    else:
        _check_order(tmp_path, uppers)
