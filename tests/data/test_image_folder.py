"""Class folders, as people have them on their disks."""

import os
import sys
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest

from breastai.data.sources.case_table import Skipped
from breastai.data.sources.class_folders import scan
from breastai.domain.class_words import canonical_class
from breastai.domain.errors import (
    ClassesDiffer,
    DataNotFound,
    NoClassFolders,
    NoImages,
    TooFewClasses,
    UnreadableClass,
)
from breastai.storage import link_roots


def add_files(root: Path, *files: str) -> Path:
    """Write a small PNG under each name; scanning never looks inside."""
    content = cv2.imencode(".png", np.zeros((2, 2), np.uint8))[1].tobytes()
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(content)
    return root


def test_images_are_sorted_by_path_and_labelled_by_sorted_class(tmp_path: Path) -> None:
    folder = scan(add_files(tmp_path, "normal/2.png", "benign/b.jpg", "benign/a.TIFF", "malignant/1.webp"))
    assert folder.files == ("benign/a.TIFF", "benign/b.jpg", "malignant/1.webp", "normal/2.png")
    assert folder.class_names == ("benign", "malignant", "normal")
    assert folder.labels.tolist() == [0, 0, 1, 2]
    assert folder.counts() == {"benign": 2, "malignant": 1, "normal": 1}
    assert folder.path(0) == tmp_path / "benign" / "a.TIFF"
    assert len(folder) == 4


@pytest.mark.parametrize("name", ["benign", "Benign", "BENIGN", "begin", "Begin", " benign"])
def test_a_class_is_recognised_however_it_is_written(name: str) -> None:
    assert canonical_class(name) == "benign"


def test_folders_of_one_class_are_merged(tmp_path: Path) -> None:
    folder = scan(add_files(tmp_path, "Begin/1.png", "BENIGN/2.png", "Malignant/3.png"))
    assert folder.counts() == {"benign": 2, "malignant": 1}
    assert folder.files == ("BENIGN/2.png", "Begin/1.png", "Malignant/3.png")
    assert folder.labels.tolist() == [0, 0, 1]


def test_accents_and_blanks_in_names_are_kept(tmp_path: Path) -> None:
    folder = scan(add_files(tmp_path / "Données", "bénin/é 1.png", "malin/日本 (2).png"))
    assert folder.files == ("bénin/é 1.png", "malin/日本 (2).png")
    assert folder.class_names == ("bénin", "malin")


def test_composed_and_decomposed_accents_name_one_class_and_sort_alike(tmp_path: Path) -> None:
    decomposed = [unicodedata.normalize("NFD", file) for file in ("bénin/f.png", "bénin/é.png")]
    files = ("Bénin/z.png", *decomposed, "malin/1.png")
    folder = scan(add_files(tmp_path, *reversed(files)))
    assert folder.class_names == ("bénin", "malin")
    assert folder.files == files
    assert folder.labels.tolist() == [0, 0, 0, 1]


def test_patient_folders_inside_a_class_are_walked(tmp_path: Path) -> None:
    folder = scan(add_files(tmp_path, "benign/P1/left/1.png", "benign/2.png", "malignant/P2/1.png"))
    assert folder.files == ("benign/2.png", "benign/P1/left/1.png", "malignant/P2/1.png")


def test_hidden_and_system_files_are_ignored_without_a_word(tmp_path: Path) -> None:
    add_files(tmp_path, "benign/1.png", "malignant/1.png")
    add_files(
        tmp_path,
        ".git/1.png",
        "__MACOSX/benign/1.png",
        "$RECYCLE.BIN/1.png",
        ".DS_Store",
        "benign/.DS_Store",
        "benign/._1.png",
        "benign/Thumbs.db",
        "benign/desktop.ini",
        "benign/.ipynb_checkpoints/1.png",
    )
    folder = scan(tmp_path)
    assert folder.files == ("benign/1.png", "malignant/1.png")
    assert folder.skipped == ()


def test_other_files_are_listed_with_the_reason(tmp_path: Path) -> None:
    folder = scan(add_files(tmp_path, "benign/1.png", "malignant/1.png", "benign/notes.txt", "malignant/x", "list.csv"))
    assert tuple(Skipped(each.file, str(each.reason)) for each in folder.skipped) == (
        Skipped("benign/notes.txt", "not an image file (.txt)"),
        Skipped("list.csv", "it lies beside the class folders, so its class is unknown"),
        Skipped("malignant/x", "not an image file (no ending)"),
    )


def test_masks_are_recognised_by_name_and_left_out(tmp_path: Path) -> None:
    add_files(tmp_path, "benign/1.png", "benign/1_mask.png", "benign/1_mask_1.png", "benign/1_MASK.PNG")
    add_files(tmp_path, "malignant/1.png", "malignant/masked.png", "malignant/1_mask_left.png", "malignant/unmask.png")
    folder = scan(tmp_path)
    assert folder.masks == ("benign/1_MASK.PNG", "benign/1_mask.png", "benign/1_mask_1.png")
    assert folder.files == (
        "benign/1.png",
        "malignant/1.png",
        "malignant/1_mask_left.png",
        "malignant/masked.png",
        "malignant/unmask.png",
    )
    assert folder.skipped == ()


def test_a_missing_folder_and_a_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound, match="nowhere"):
        scan(tmp_path / "nowhere")
    with pytest.raises(DataNotFound):
        scan(add_files(tmp_path, "1.png") / "1.png")


def test_an_empty_folder_has_no_class_folders(tmp_path: Path) -> None:
    with pytest.raises(NoClassFolders) as caught:
        scan(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_images_without_class_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NoClassFolders):
        scan(add_files(tmp_path, "1.png", "2.png"))


def test_the_data_root_is_not_mistaken_for_three_classes(tmp_path: Path) -> None:
    with pytest.raises(NoClassFolders):
        scan(add_files(tmp_path, "train/benign/1.png", "val/benign/1.png", "test/benign/1.png"))


def test_one_class_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(TooFewClasses, match="benign"):
        scan(add_files(tmp_path, "benign/1.png", "Begin/2.png"))


def test_class_folders_without_any_image_are_refused(tmp_path: Path) -> None:
    (tmp_path / "benign").mkdir()
    (tmp_path / "malignant").mkdir()
    with pytest.raises(NoImages, match=r"\.png"):
        scan(tmp_path)


def test_a_class_without_an_image_is_named_with_what_was_skipped(tmp_path: Path) -> None:
    add_files(tmp_path, "benign/1.png", "malignant/1.docx", "malignant/2.txt")
    with pytest.raises(UnreadableClass) as caught:
        scan(tmp_path)
    assert (caught.value.class_name, caught.value.skipped) == ("malignant", 2)
    assert str(caught.value.reason) == "not an image file (.docx)"


def test_the_classes_of_another_folder_can_be_demanded(tmp_path: Path) -> None:
    add_files(tmp_path, "Malignant/1.png", "Benign/1.png")
    assert scan(tmp_path, ("benign", "malignant")).labels.tolist() == [0, 1]
    # A model keeps its own order, and the labels follow it.
    assert scan(tmp_path, ("malignant", "benign")).labels.tolist() == [1, 0]
    for expected in (("benign", "malignant", "normal"), ("benign",), ("benign", "normal")):
        with pytest.raises(ClassesDiffer):
            scan(tmp_path, expected)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["a.png", "b.png"], "a.png: it lies beside the class folders.*breastai data add NAME"),
        (["a.png", "labels.csv"], "labels.csv says the labels: give it with --data"),
        (["mini.npz"], "mini.npz says the labels"),
    ],
)
def test_a_folder_without_classes_is_told_with_what_could_be_read_there(
    tmp_path: Path, files: list[str], told: str
) -> None:
    with pytest.raises(NoClassFolders, match=told):
        scan(add_files(tmp_path, *files))


def test_where_no_image_is_found_the_first_reasons_are_told(tmp_path: Path) -> None:
    root = add_files(tmp_path, "benign/notes.txt", "malignant/list.docx")
    with pytest.raises(NoImages, match=r"benign/notes\.txt: .*malignant/list\.docx: "):
        scan(root)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    outside = add_files(tmp_path / "outside", "secret.png", "folder/secret.png")
    root = add_files(tmp_path / "root", "benign/1.png", "malignant/1.png")
    (root / "benign" / "file.png").symlink_to(outside / "secret.png")
    (root / "benign" / "folder").symlink_to(outside / "folder", target_is_directory=True)
    (root / "benign" / "circle").symlink_to(root / "benign", target_is_directory=True)
    (root / "benign" / "same.png").symlink_to(root / "malignant" / "1.png")
    (root / "benign" / "broken.png").symlink_to(root / "gone.png")
    (root / "normal").symlink_to(outside / "folder", target_is_directory=True)
    folder = scan(root)
    assert folder.files == ("benign/1.png", "benign/same.png", "malignant/1.png")
    assert {item.file for item in folder.skipped} == {
        "benign/broken.png",
        "benign/circle",
        "benign/file.png",
        "benign/folder",
        "normal",
    }


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_links_are_followed_into_folders_that_the_owner_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As data version control, git-annex and caches of model hubs lay images out."""
    monkeypatch.setattr(link_roots, "_roots", [])
    store = add_files(tmp_path / "store", "blobs/2.png", "folder/3.png")
    root = add_files(tmp_path / "set/train", "benign/1.png", "malignant/1.png")
    add_files(tmp_path / "set", "pool/4.png")
    (root / "malignant" / "2.png").symlink_to(store / "blobs" / "2.png")
    (root / "malignant" / "4.png").symlink_to(tmp_path / "set/pool/4.png")
    (root / "normal").symlink_to(store / "folder", target_is_directory=True)
    before = scan(root)
    assert before.files == ("benign/1.png", "malignant/1.png", "malignant/4.png")
    reasons = {item.file: str(item.reason) for item in before.skipped}
    assert reasons.keys() == {"malignant/2.png", "normal"}
    assert str(store / "blobs/2.png") in reasons["malignant/2.png"] and "server.data_roots" in reasons["normal"]
    link_roots.follow_links_into([store])
    assert scan(root).files == (*before.files[:2], "malignant/2.png", "malignant/4.png", "normal/3.png")


@pytest.mark.skipif(sys.platform == "win32", reason="the folder itself may be a link")
def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    add_files(tmp_path / "real", "benign/1.png", "malignant/1.png")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    assert scan(tmp_path / "link").files == ("benign/1.png", "malignant/1.png")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such name")
def test_a_name_that_is_not_unicode_is_skipped_and_printable(tmp_path: Path) -> None:
    add_files(tmp_path, "benign/1.png", "malignant/1.png")
    Path(os.fsdecode(bytes(tmp_path) + b"/benign/\xff.png")).write_bytes(b"x")
    (item,) = scan(tmp_path).skipped
    item.file.encode("utf-8")
    assert "Unicode" in str(item.reason)


def test_a_subset_keeps_files_and_labels_together(tmp_path: Path) -> None:
    folder = scan(add_files(tmp_path, "a/1.png", "a/2.png", "b/3.png", "b/4.png"))
    subset = folder.subset([3, 0])
    assert subset.files == ("b/4.png", "a/1.png")
    assert subset.labels.tolist() == [1, 0]
    rest = folder.without(["a/2.png", "b/3.png", "not there"])
    assert rest.files == ("a/1.png", "b/4.png")
    assert rest.labels.tolist() == [0, 1]
    assert rest.class_names == folder.class_names


def test_labels_cannot_be_changed(tmp_path: Path) -> None:
    folder = scan(add_files(tmp_path, "a/1.png", "b/3.png"))
    with pytest.raises(ValueError, match="read-only"):
        folder.labels[0] = 1


def test_the_breast_ultrasound_images_are_all_found(shared_data: Path) -> None:
    assert scan(shared_data / "busi" / "train").counts() == {"benign": 306, "malignant": 147, "normal": 93}
    masks = shared_data / "busi_masks" / "train"
    with pytest.raises(NoImages):
        scan(masks)
