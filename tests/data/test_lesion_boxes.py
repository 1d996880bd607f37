"""Where a lesion is marked, and what a model of lesion crops is shown."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastai.data.preprocessing.image_cache import prepare
from breastai.data.preprocessing.lesion_boxes import (
    boxes_in,
    case_box,
    check_mark,
    crop_region,
    marked_box,
    masks_of_case,
    parse_box,
)
from breastai.data.preprocessing.preprocess import preprocess, preprocess_image
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.class_folders import scan
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import ImageUnreadable, LabelsInvalid

CROP = PreprocessingSettings(lesion_crop="marked", lesion_margin=0.5, clahe=False, bit_depth=8)


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def speckle(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 230, (80, 100), dtype=np.uint8)


def mask(x: int, y: int, width: int, height: int) -> np.ndarray:
    pixels = np.zeros((80, 100), np.uint8)
    pixels[y : y + height, x : x + width] = 255
    return pixels


@pytest.mark.parametrize(
    "place",
    [
        "busi/train/benign/a_mask.png",
        "busi/train/benign/a_mask_1.png",
        "busi/train/benign/masks/a.png",
        "busi_masks/train/benign/a_mask.png",
        "busi/train/benign_masks/a.png",
    ],
)
def test_a_mask_beside_an_image_or_at_its_place_in_a_folder_of_masks_marks_the_lesion(
    tmp_path: Path, place: str
) -> None:
    image = write(tmp_path / "busi/train/benign/a.png", speckle())
    assert marked_box(image) is None
    write(tmp_path / place, mask(10, 20, 30, 5))
    assert marked_box(image) == (10, 20, 30, 5)
    other = write(tmp_path / "busi/train/benign/ab.png", speckle(1))
    assert marked_box(other) is None


def test_the_box_holds_all_masks_and_a_black_one_marks_nothing(tmp_path: Path) -> None:
    image = write(tmp_path / "a.png", speckle())
    write(tmp_path / "a_mask.png", mask(0, 0, 0, 0))
    assert marked_box(image) is None
    write(tmp_path / "a_mask_1.png", mask(10, 20, 30, 5))
    write(tmp_path / "a_mask_2.png", mask(50, 40, 10, 10))
    assert marked_box(image) == (10, 20, 50, 30)


@pytest.mark.parametrize("columns", ['file,box\nb/a.png,"3,4,10,12"', "file,x,y,width,height\nb/a.png,3,4,10,12"])
def test_a_table_of_boxes_goes_before_masks(tmp_path: Path, columns: str) -> None:
    image = write(tmp_path / "b" / "a.png", speckle())
    write(tmp_path / "b" / "a_mask.png", mask(10, 20, 30, 5))
    (tmp_path / "boxes.csv").write_text(columns)
    assert marked_box(image) == (3, 4, 10, 12)


def test_a_row_that_is_no_box_is_named(tmp_path: Path) -> None:
    image = write(tmp_path / "a.png", speckle())
    (tmp_path / "boxes.csv").write_text('file,box\na.png,"3,4,0,12"\n')
    with pytest.raises(LabelsInvalid, match="row 2"):
        marked_box(image)


def test_the_crop_is_a_square_with_its_margin_cut_at_the_edges() -> None:
    region = crop_region((40, 30, 20, 10), 0.5, (80, 100))
    assert (region.left, region.top, region.width, region.height) == (30, 15, 40, 40)
    corner = crop_region((90, 70, 10, 10), 0.5, (80, 100))
    assert (corner.left + corner.width, corner.top + corner.height) == (100, 80)
    with pytest.raises(ValueError, match="x,y,width,height"):
        parse_box("1,2,3")


def test_the_network_sees_what_lies_in_the_crop_and_nothing_else() -> None:
    image = speckle()
    seen, region = preprocess_image(image, CROP, 40, (40, 30, 20, 10))
    assert np.array_equal(seen[:, :, 0], image[15:55, 30:70])
    changed = image.copy()
    changed[:10] = 0
    assert np.array_equal(preprocess(changed, CROP, 40, (40, 30, 20, 10)), seen)
    assert not np.array_equal(preprocess(image, CROP, 40), seen) and region.width == 40


def test_prepared_images_follow_their_marks_and_the_cache_serves_no_other(tmp_path: Path) -> None:
    for name in ("benign", "malignant"):
        for number in range(2):
            write(tmp_path / "data" / name / f"{number}.png", speckle(number + 10 * (name == "benign")))
    write(tmp_path / "data_masks" / "benign" / "0_mask.png", mask(40, 30, 20, 10))
    table = scan(tmp_path / "data")
    cache = tmp_path / "cache"
    first = prepare(table, CROP, 40, 1, cache)
    assert [box is not None for box in first.boxes] == [True, False, False, False]
    assert [log.params["count"] for log in first.logs() if log.code == "data.unmarked"] == [3]
    seen = first.image(0)
    assert np.array_equal(seen[:, :, 0], cv2.imread(str(table.path(0)), 0)[15:55, 30:70])
    write(tmp_path / "data_masks" / "benign" / "0_mask.png", mask(10, 10, 20, 20))
    assert not np.array_equal(prepare(table, CROP, 40, 1, cache).image(0), seen)
    refused = prepare(scan(tmp_path / "data").subset([0]), CROP.model_copy(update={"unmarked": "refuse"}), 40, 1, cache)
    assert len(refused) == 1 and not list(refused.logs())


def test_without_a_lesion_crop_nothing_changes(tmp_path: Path) -> None:
    plain = CROP.model_copy(update={"lesion_crop": "off"})
    image = speckle()
    assert np.array_equal(preprocess(image, plain, 40, (40, 30, 20, 10)), preprocess(image, plain, 40))


@pytest.mark.parametrize(
    ("header", "row", "box"),
    [
        ("bbox", "[40 30 20 10]", (40, 30, 20, 10)),
        ("xmin;ymin;xmax;ymax", "40,0;30,0;60,0;40,0", (40, 30, 20, 10)),
        ("x;y;width;height", "40;30;20;10", (40, 30, 20, 10)),
        ("mask_file", "outlines/o0.png", (40, 30, 20, 10)),
        ("x1;y1;x2;y2", "-3;30;60;40", (0, 30, 63, 10)),
    ],
)
def test_columns_of_a_table_mark_the_lesion(
    tmp_path: Path, header: str, row: str, box: tuple[int, int, int, int]
) -> None:
    for number in range(4):
        write(tmp_path / f"images/{number}.png", speckle(number))
    write(tmp_path / "outlines/o0.png", mask(40, 30, 20, 10))
    empty = ";" * header.count(";")
    rows = [f"{number}.png;{('benign', 'malignant')[number % 2]};{empty if number else row}" for number in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join([f"image;diagnosis;{header}", *rows]))
    table = read_cases(tmp_path)
    first = table.files.index("images/0.png")
    assert [case_box(table, number) for number in range(4)] == [box if number == first else None for number in range(4)]
    shown = prepare(table, CROP, 40, 1, tmp_path / "cache")
    assert shown.boxes[first] == box and set(shown.boxes) == {box, None}
    assert boxes_in(table) == {tmp_path / "images/0.png": box}


def test_a_box_that_is_none_leaves_its_image_out_with_the_reason(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / f"{number}.png", speckle(number))
    rows = [f"{number}.png,{'ab'[number % 2]},{'1 2' if number == 3 else ''}" for number in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label,box", *rows]))
    shown = prepare(read_cases(tmp_path / "labels.csv"), CROP, 40, 1, tmp_path / "cache")
    assert len(shown) == 3
    assert "width and height" in str(shown.skipped[-1].reason)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("0,0,1,1", (0, 0, 1, 1)),
        ("[3.4, 5.6, 7, 8]", (3, 6, 7, 8)),
        ("0,0,0,1", None),
        ("0,0,1,0", None),
        ("0,0,0.4,1", None),
        ("1,2,3", None),
        ("1,2,3,4,5", None),
        ("", None),
    ],
)
def test_a_box_begins_inside_and_has_a_pixel_at_least(text: str, box: tuple[int, ...] | None) -> None:
    if box is not None:
        assert parse_box(text) == box
    else:
        with pytest.raises(ValueError, match="expected"):
            parse_box(text)


@pytest.mark.parametrize("text", ["-1,0,4,4", "0,-1,4,4"])
def test_a_box_that_begins_outside_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_box(text)


@given(
    st.tuples(st.integers(0, 79), st.integers(0, 59), st.integers(1, 90), st.integers(1, 90)),
    st.sampled_from([0.0, 0.25, 1.0]),
)
def test_a_crop_is_centred_on_its_box_and_a_square_but_for_the_edges(
    box: tuple[int, int, int, int], margin: float
) -> None:
    x, y, width, height = box
    region = crop_region(box, margin, (60, 80))
    side = max(width, height) * (1 + 2 * margin)
    for start, length, centre, whole in (
        (region.left, region.width, x + width / 2, 80),
        (region.top, region.height, y + height / 2, 60),
    ):
        assert start >= 0 and length >= 1 and (start + length <= whole or length == 1)
        if centre - side / 2 >= 0.5:
            assert abs(start - (centre - side / 2)) <= 0.5
        elif centre - side / 2 <= 0:
            assert start == 0
        if centre + side / 2 <= whole:
            assert abs(start + length - (centre + side / 2)) <= 0.5 or length == 1
        elif start < whole:
            assert start + length == whole


@pytest.mark.parametrize(
    ("box", "unmarked", "refused"),
    [
        ((99, 79, 5, 5), "refuse", False),
        ((100, 0, 5, 5), "refuse", True),
        ((0, 80, 5, 5), "refuse", True),
        ((100, 0, 5, 5), "whole", True),
        (None, "refuse", True),
        (None, "whole", False),
    ],
)
def test_a_mark_that_lies_outside_or_lacks_where_it_must_not_refuses_the_image(
    box: tuple[int, int, int, int] | None, unmarked: str, refused: bool
) -> None:
    settings = CROP.model_copy(update={"unmarked": unmarked})
    check_mark(box, PreprocessingSettings(lesion_crop="off"), "a.png", (80, 100, 1))
    if refused:
        with pytest.raises(ImageUnreadable):
            check_mark(box, settings, "a.png", (80, 100, 1))
    else:
        check_mark(box, settings, "a.png", (80, 100, 1))


def test_a_mask_with_soft_edges_is_taken_from_half_its_brightness(tmp_path: Path) -> None:
    image = write(tmp_path / "a.png", speckle())
    soft = mask(10, 20, 30, 5) // 255 * 100
    soft[20:25, 40:44] = 51
    soft[20:25, 44:50] = 50
    soft[60, 60] = 40
    write(tmp_path / "a_mask.png", soft)
    assert marked_box(image) == (10, 20, 34, 5)


def test_the_box_of_several_masks_holds_them_all_and_no_more(tmp_path: Path) -> None:
    image = write(tmp_path / "a.png", speckle())
    for number, box in enumerate(((10, 40, 5, 6), (30, 20, 7, 8), (50, 30, 20, 4))):
        write(tmp_path / f"a_mask_{number}.png", mask(*box))
    assert marked_box(image) == (10, 20, 60, 26)
    write(tmp_path / "A_MASK_9.PNG", mask(0, 0, 1, 1))
    assert marked_box(image) == (0, 0, 70, 46)
    table = scan_one(tmp_path)
    assert [path.name for path in masks_of_case(table, 0)] == [
        "A_MASK_9.PNG",
        *(f"a_mask_{number}.png" for number in range(3)),
    ]


def scan_one(folder: Path) -> CaseTable:
    return CaseTable(folder, ("a.png",), np.zeros(1, np.int64), ("benign",))


@pytest.mark.parametrize("depth", [1, 3])
def test_a_table_of_boxes_is_found_in_folders_above_the_nearest_first(tmp_path: Path, depth: int) -> None:
    image = write(tmp_path / "one/two/three/a.png", speckle())
    above = image.parents[depth - 1]
    name = image.relative_to(above).as_posix()
    (above / "boxes.csv").write_text(f'file,box\n{name},"1,2,3,4"\n', encoding="utf-8")
    assert marked_box(image) == (1, 2, 3, 4)
    (image.parent / "boxes.csv").write_text('file,box\na.png,"5,6,7,8"\n', encoding="utf-8")
    assert marked_box(image) == (5, 6, 7, 8)
    (image.parent / "boxes.csv").write_text('file,box\na.png,\nb.png,"5,6,7,8"\n,"5,6,7,8"\n', encoding="utf-8")
    assert marked_box(image) is None


def test_a_table_without_files_or_boxes_is_refused(tmp_path: Path) -> None:
    image = write(tmp_path / "a.png", speckle())
    for number, head in enumerate(("file,x,y,width", "device,box", "x,y,width,height")):
        (tmp_path / "boxes.csv").write_text(f"{head}\n{'1,' * head.count(',')}{number}\n", encoding="utf-8")
        with pytest.raises(LabelsInvalid):
            marked_box(image)


def test_the_box_of_several_rows_of_a_table_holds_them_all_as_that_of_several_masks_does(tmp_path: Path) -> None:
    image = write(tmp_path / "a.png", speckle())
    (tmp_path / "boxes.csv").write_text('file,box\na.png,"10,40,5,6"\nb.png,"0,0,9,9"\na.png,"30,20,7,8"\n')
    assert marked_box(image) == (10, 20, 27, 26)
