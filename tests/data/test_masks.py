"""Masks, crops and regions beside images: left out wherever they are recognised."""

from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from breastai.data.preprocessing.image_cache import prepare
from breastai.data.privacy.deidentification import deidentify
from breastai.data.sources.class_folders import scan
from breastai.data.sources.image_listing import images_below
from breastai.data.sources.masks import BY_NAME, is_two_valued
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import ImagesBesideMasks, UnreadableClass
from breastai.predictor.image_files import listed_images

TISSUE = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
OUTLINE = np.zeros((64, 64), np.uint8)
OUTLINE[20:40, 20:40] = 255


def write(root: Path, *files: str, pixels: np.ndarray = TISSUE) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        content = cv2.imencode(".png", pixels)[1].tobytes()
        (root / file).write_bytes(content)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of two images."""
    return write(tmp_path / "set", "benign/case1.png", "benign/case2.png", "malignant/case3.png", "malignant/case4.png")


IMAGES = ("benign/case1.png", "benign/case2.png", "malignant/case3.png", "malignant/case4.png")


@pytest.mark.parametrize(
    "file",
    [
        *("benign/case1_mask.png", "benign/case1_mask_1.png", "benign/case1-Mask.png", "benign/mask_0001-l.png"),
        *("benign/case1_tumor.png", "benign/case1_other1.png", "benign/case1_seg.png", "benign/case1_roi.png"),
        *("benign/case1_segmentation.png", "benign/case1_crop2.png", "benign/case1.gt.png", "benign/case1_masque.png"),
        *("benign/masks/0001.png", "benign/Masks/case1.png", "benign/ground truth masks/1.png", "benign/roi/case1.png"),
        *("Masks/benign/case1.png", "masks/case1.png", "benign/1.0-ROI mask images-4/1-2.png"),
        *("benign/1.0-cropped images-4/1-1.png", "benign/P1/mask.png", "benign/roi.png", "benign/mask2.png"),
    ],
)
def test_a_mask_is_no_image_by_its_name_or_folder(root: Path, file: str) -> None:
    folder = scan(write(root, file))
    assert folder.files == IMAGES
    assert folder.masks == (file,)
    assert folder.mask_reasons[file]


@pytest.mark.parametrize(
    "file", ["benign/p7_tumor.png", "benign/case5.png", "benign/unmasked/1.png", "benign/P_1/1.png", "benign/7_roi.png"]
)
def test_an_image_whose_name_only_sounds_like_a_mask_stays(root: Path, file: str) -> None:
    assert file in scan(write(root, file)).files


def test_a_class_of_regions_alone_is_a_class(tmp_path: Path) -> None:
    write(tmp_path, "benign/roi/1.png", "benign/roi/2.png", "malignant/roi/3.png")
    assert len(scan(tmp_path)) == 3


@pytest.mark.parametrize("file", ["benign/drawn/case1.png", "benign/case1 (2).png", "benign/case1_x.png"])
def test_a_picture_of_two_values_with_the_name_of_an_image_is_its_mask(root: Path, file: str) -> None:
    write(root, file, pixels=OUTLINE)
    assert scan(root).masks == (file,)
    write(root, file, pixels=TISSUE)
    assert file in scan(root).files


def dicom(path: Path, series: str) -> None:
    header = pydicom.Dataset()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    header.SOPClassUID, header.SOPInstanceUID = pydicom.uid.SecondaryCaptureImageStorage, pydicom.uid.generate_uid()
    header.SeriesDescription = series
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)


def test_a_dicom_header_says_mask_and_crop(tmp_path: Path) -> None:
    for name in ("benign", "malignant"):
        dicom(tmp_path / name / "1.dcm", "full mammogram images")
        dicom(tmp_path / name / "2.dcm", "ROI mask images")
        dicom(tmp_path / name / "3.dcm", "cropped images")
    assert scan(tmp_path).files == ("benign/1.dcm", "malignant/1.dcm")
    for name in ("benign", "malignant"):
        (tmp_path / name / "1.dcm").unlink()
    assert scan(tmp_path).files == ("benign/3.dcm", "malignant/3.dcm")  # a set of crops is a set


def test_images_and_masks_are_no_classes(tmp_path: Path) -> None:
    write(tmp_path, "Images/1.png", "Images/2.png", "Masks/mask_1.png", "Masks/mask_2.png")
    (tmp_path / "data.csv").write_text("ID,Pathology\n")
    with pytest.raises(ImagesBesideMasks, match=r"data\.csv") as refused:
        scan(tmp_path)
    assert (refused.value.images, refused.value.masks) == (["images"], ["masks"])
    assert scan(tmp_path, masks_are="keep").class_names == ("images", "masks")


def test_a_picture_of_two_values_trains_nothing_even_without_an_image_beside_it(root: Path, tmp_path: Path) -> None:
    write(root, "benign/alone.png", pixels=OUTLINE)
    asked = (PreprocessingSettings(), 32, 1, tmp_path / "cache")
    prepared = prepare(scan(root), *asked)
    assert prepared.folder.files == IMAGES
    assert [item.file for item in prepared.skipped] == ["benign/alone.png"]
    assert len(prepare(scan(root, masks_are="keep"), *asked)) == 5
    assert len(prepare(scan(root), *asked)) == 4  # whatever the cache has kept meanwhile
    assert len(prepare(scan(root, known=["benign/alone.png"]), *asked)) == 5


def test_a_class_of_masks_alone_is_told_as_that(root: Path) -> None:
    write(root, "normal/a_mask.png")
    with pytest.raises(UnreadableClass, match="mask"):
        scan(root)


def test_every_way_to_name_a_folder_gives_the_same_images(root: Path) -> None:
    write(root, "benign/case1_tumor.png", "benign/._case1.png", ".hidden/case1.png", "benign/masks/1.png")
    (root / "benign" / "notes.txt").write_text("no image")
    listed = images_below(root)
    assert [file.relative_to(root).as_posix() for file in listed.files] == list(IMAGES)
    assert len(listed.masks) == 2
    assert listed_images([str(root)], Path()).files == listed.files
    assert listed_images(["set/**/*.png"], root.parent).files == listed.files
    outright = root / "benign" / "case1_tumor.png"
    assert listed_images([str(outright)], Path()).files == (outright,)


def test_a_blank_image_is_no_mask() -> None:
    assert is_two_valued(OUTLINE[:, :, None])
    assert not is_two_valued(np.zeros((64, 64, 1), np.uint8))
    assert not is_two_valued(TISSUE[:, :, None])


def test_a_mask_is_not_deidentified_but_listed(root: Path, tmp_path: Path) -> None:
    write(root, "benign/case1_mask.png", pixels=OUTLINE)
    shared = list(deidentify(root, tmp_path / "out", b"salt"))
    assert sum(each.written is not None for each in shared) == 4
    assert [each.reason for each in shared if each.written is None] == [BY_NAME]


def test_a_disc_without_endings_is_read_by_its_bytes(tmp_path: Path) -> None:
    for number, name in enumerate(("benign", "malignant")):
        dicom(tmp_path / name / "PAT0" / "ST0" / f"MG{number}", "")
    (tmp_path / "benign" / "README").write_text("no image")
    (tmp_path / "benign" / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    folder = scan(tmp_path)
    assert folder.files == ("benign/PAT0/ST0/MG0", "malignant/PAT0/ST0/MG1")
    assert [item.file for item in folder.skipped] == ["benign/README"]
    assert images_below(tmp_path).files == tuple(tmp_path / file for file in folder.files)
