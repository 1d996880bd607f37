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
from breastai.data.sources.masks import BY_NAME, BY_PIXELS, in_mask_folder, is_mask_folder, is_two_valued, masks_among
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import ImagesBesideMasks, UnreadableClass
from breastai.domain.text import Text
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


def taken(root: Path, *files: str, pixels: np.ndarray = TISSUE) -> set[str]:
    """Return which of some files, drawn with these pixels, are masks of others."""
    write(root, *files, pixels=pixels)
    return set(masks_among(root, files))


@pytest.mark.parametrize(
    ("name", "is_one", "among_images"),
    [
        *(
            ("masks", True, True),
            ("Tumor_Mask", True, True),
            ("groundTruth", True, True),
            ("groundtruth", True, True),
        ),
        *(("roi", False, True), ("lésion", False, True), ("Máscaras", True, True), ("unmasked", False, False)),
        *(("no mask", False, False), ("without_masks", False, False), ("sans masque", False, False)),
        *(("images_and_masks", False, False), ("images masks", True, True), ("and masks", True, True)),
        *(("benign", False, False), ("", False, False), ("not cropped", False, False), ("cropped images", False, True)),
    ],
)
def test_a_folder_holds_masks_by_its_words_and_crops_where_images_lie_elsewhere(
    name: str, is_one: bool, among_images: bool
) -> None:
    assert is_mask_folder(name) == is_one
    assert is_mask_folder(name, among_images=True) == among_images


def test_each_mask_has_the_reason_that_tells_it_and_files_known_to_be_images_are_none(tmp_path: Path) -> None:
    files = ["a/1.png", "a/masks/2.png", "a/1_mask.png", "a/roi/3.png", "a/1_tumor.png", "a/1_x.png"]
    write(tmp_path, *files[:-1])
    write(tmp_path, files[-1], pixels=OUTLINE)
    found = masks_among(tmp_path, files)
    assert found == {
        "a/masks/2.png": in_mask_folder("masks"),
        "a/1_mask.png": BY_NAME,
        "a/roi/3.png": in_mask_folder("roi"),
        "a/1_tumor.png": BY_NAME,
        "a/1_x.png": BY_PIXELS,
    }
    assert set(masks_among(tmp_path, files, known=files[1:3])) == set(files[3:])


@pytest.mark.parametrize(
    ("files", "masks"),
    [
        # The folder of the class is no folder of masks, whatever it is called.
        (("masks/1.png", "a/2.png"), ()),
        (("a/b/masks/1.png", "a/2.png"), ("a/b/masks/1.png",)),
        # A folder of regions counts where its class has images elsewhere.
        (("a/roi/1.png", "b/2.png"), ()),
        (("a/roi/1.png", "a/x/2.png"), ("a/roi/1.png",)),
        (("a/x/roi/1.png", "a/2.png"), ("a/x/roi/1.png",)),
        # A name that ends in a region is one where the image lies in its folder, the one above, or one beside it.
        (("a/1_tumor.png", "a/1.png"), ("a/1_tumor.png",)),
        (("a/x/1_tumor.png", "a/1.png"), ("a/x/1_tumor.png",)),
        (("a/x/1_tumor.png", "a/y/1.png"), ("a/x/1_tumor.png",)),
        (("a/1_tumor.png", "b/1.png"), ()),
        (("a/x/1_tumor.png", "a/2.png"), ()),
        (("a/1_tumor.png", "a/1_image.png"), ("a/1_tumor.png",)),
        (("a/1_tumor.png", "a/1-original.png"), ("a/1_tumor.png",)),
        (("a/1_tumor.png", "a/1x.png"), ()),
        (("a/1_benign.png", "a/1.png"), ()),
        # A region alone, where its folder holds an image besides.
        (("a/P1/roi.png", "a/P1/scan.png"), ("a/P1/roi.png",)),
        (("a/P1/roi.png", "a/P2/scan.png"), ()),
        (("a/P1/roi1.png", "a/P1/roi2.png"), ()),
        # Whole words alone tell a mask.
        (("a/maskara.png", "a/1.png"), ()),
        (("a/mask12.png", "a/1.png"), ("a/mask12.png",)),
        (("a/mask_12_left.png", "a/1.png"), ("a/mask_12_left.png",)),
        (("a/left mask (2).png", "a/1.png"), ("a/left mask (2).png",)),
        (("a/case1ContourS.png", "a/1.png"), ()),
        (("a/x_contours.png", "a/1.png"), ("a/x_contours.png",)),
        (("a/x_segmentation.png", "a/1.png"), ("a/x_segmentation.png",)),
        (("a/x_groundtruth.png", "a/1.png"), ("a/x_groundtruth.png",)),
        (("a/x_ground_truth.png", "a/1.png"), ("a/x_ground_truth.png",)),
        (("a/ground truth/1.png", "a/1.png"), ("a/ground truth/1.png",)),
    ],
)
def test_a_mask_is_told_by_where_it_lies_and_what_lies_beside_it(
    tmp_path: Path, files: tuple[str, ...], masks: tuple[str, ...]
) -> None:
    assert taken(tmp_path, *files) == set(masks)


@pytest.mark.parametrize(
    ("files", "masks"),
    [
        (("a/1.png", "a/1.bmp"), ("a/1.png", "a/1.bmp")),  # both of two values: neither is the other's mask alone
        (("a/1.png", "a/1_x.png"), ("a/1_x.png",)),
        (("a/1.png", "a/1 - copy.png"), ("a/1 - copy.png",)),
        (("a/1.png", "a/1x.png"), ()),
        (("a/1.png", "b/1_x.png"), ()),
        (("a/1.png", "a/y/1.png"), ("a/1.png", "a/y/1.png")),
        (("a/_1.png", "a/1.png"), ()),
    ],
)
def test_pixels_are_asked_of_names_that_begin_as_others_do(
    tmp_path: Path, files: tuple[str, ...], masks: tuple[str, ...]
) -> None:
    for name in files:
        write_as(tmp_path / name, OUTLINE)
    assert set(masks_among(tmp_path, files)) == set(masks)


def write_as(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())


def test_two_values_are_counted_to_a_few_of_a_thousand_and_must_differ() -> None:
    def picture(others: int, low: int = 0, high: int = 255) -> np.ndarray:
        pixels = np.full((100, 100), low, np.uint8)
        pixels[:, 50:] = high
        pixels.ravel()[:others] = np.arange(others) % 5 + 100
        return pixels

    assert is_two_valued(picture(20)) and not is_two_valued(picture(21))
    assert is_two_valued(picture(0, 10, 14)) and not is_two_valued(picture(0, 10, 13))  # a deviation of two levels
    colour = np.dstack([picture(0), picture(0), np.zeros((100, 100), np.uint8)])
    assert is_two_valued(colour) and is_two_valued(picture(0)[:, :, None])
    noisy = colour.copy()
    noisy[:, :, 2] = np.random.default_rng(0).integers(0, 256, (100, 100))
    assert not is_two_valued(noisy)


def test_a_file_of_many_bits_for_its_pixels_is_not_decoded_to_look_for_a_mask(
    tmp_path: Path,
) -> None:
    """An outline of 512 x 512 takes few bits as a PNG; the same, with bytes behind it, is left alone."""
    outline = np.zeros((512, 512), np.uint8)
    outline[100:300, 100:300] = 255
    for name, extra in (("1_x.png", 0), ("1_y.png", 49_000), ("1_z.png", 52_000)):
        write(tmp_path, f"a/{name}", pixels=outline)
        path = tmp_path / "a" / name
        path.write_bytes(path.read_bytes() + bytes(extra))
    write(tmp_path, "a/1.png")
    files = ["a/1.png", "a/1_x.png", "a/1_y.png", "a/1_z.png"]
    sizes = [(tmp_path / file).stat().st_size for file in files]
    most = 1.5 * 512 * 512 / 8 + 2000
    assert sizes[1] < sizes[2] <= most < sizes[3]
    assert set(masks_among(tmp_path, files)) == {"a/1_x.png", "a/1_y.png"}
    (tmp_path / "a" / "1_x.png").write_bytes(b"no image")
    assert set(masks_among(tmp_path, files)) == {"a/1_y.png"}  # what is wrong with it is told where it is read
    assert set(masks_among(tmp_path, ["a/1.png", "a/1_gone.png"])) == set()


def test_of_a_dicom_header_only_words_of_masks_count_and_a_denied_one_is_none(tmp_path: Path) -> None:
    dicom(tmp_path / "a" / "1.dcm", "Dupont Marie mask")
    dicom(tmp_path / "a" / "2.dcm", "no mask")
    dicom(tmp_path / "a" / "3.dcm", "lesion")
    dicom(tmp_path / "a" / "4", "ROI")
    files = [f"a/{name}" for name in ("1.dcm", "2.dcm", "3.dcm", "4")]
    found = masks_among(tmp_path, files)
    assert found == {
        "a/1.dcm": Text("reason.header_says_mask_or", {"said": "mask"}),
        "a/4": Text("reason.header_says_mask_or", {"said": "roi"}),
    }
