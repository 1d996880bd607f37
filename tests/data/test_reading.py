"""Reading: the depth of a set, the pages of a file, and images that show nothing, the same at every door."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from breastai.clinical.audit_job import audit_record
from breastai.data.decoders.bit_depth import bits_needed, depth_of_set, disagrees
from breastai.data.decoders.decoder_table import decode, decode_image, read_image
from breastai.data.preprocessing.content import reason_without_content
from breastai.data.preprocessing.image_cache import prepare
from breastai.data.preprocessing.model_images import read_for, reading_logs, reading_notes
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.class_folders import scan
from breastai.data.sources.frames import frames_of, with_frames
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import ImageUnreadable
from breastai.domain.records import AuditRecord
from breastai.storage.workspace import Workspace

from .test_dicom import RAMP, content, dataset

RNG = np.random.default_rng(0)


def png16(peak: int, side: int = 64, seed: int = 0) -> bytes:
    """16-bit noise up to 3000, whose brightest pixel is `peak`."""
    values = np.random.default_rng(seed).integers(0, min(peak, 3000), (side, side)).astype(np.uint16)
    values[0, 0] = peak
    return bytes(cv2.imencode(".png", values)[1].tobytes())


def tiff16(peak: int) -> bytes:
    values = cv2.imdecode(np.frombuffer(png16(peak), np.uint8), cv2.IMREAD_UNCHANGED)
    return bytes(cv2.imencode(".tif", np.asarray(values))[1].tobytes())


def colour16(peak: int) -> bytes:
    values = np.asarray(cv2.imdecode(np.frombuffer(png16(peak), np.uint8), cv2.IMREAD_UNCHANGED))
    return bytes(cv2.imencode(".png", np.dstack([values, values // 2, values // 3]))[1].tobytes())


def dicom16(peak: int) -> bytes:
    values = np.minimum(RAMP, 3000).astype(np.uint16)
    values[0, 0] = peak
    return content(dataset(values))


@pytest.mark.parametrize("kind", [png16, tiff16, colour16, dicom16])
def test_the_brightest_pixel_of_an_image_does_not_decide_how_bright_its_tissue_is(kind: Callable[[int], bytes]) -> None:
    dim, bright = (decode(kind(peak), "a", 14)[1:].astype(int) for peak in (4095, 4100))
    assert np.array_equal(dim, bright)
    assert [decode_image(kind(peak), "a", 14).own_bits for peak in (4095, 4100)] == [12, 14]
    stated = decode(kind(4095), "a", 12)[1:].astype(int)
    assert np.abs(stated - dim * 4.0).max() <= 4


def test_what_is_brighter_than_the_depth_is_white_and_told() -> None:
    found = decode_image(png16(60000), "a", 12)
    assert found.pixels[0, 0, 0] == 255
    settings = PreprocessingSettings(bit_depth=12)
    assert "16 bits" in str(reading_notes(found, "a", settings)[0])
    assert reading_notes(decode_image(png16(4000), "a", 12), "a", settings) == []
    assert "too dark" in str(reading_notes(decode_image(png16(200), "a", 12), "a", settings)[0])
    assert reading_notes(decode_image(png16(4000), "a"), "a", PreprocessingSettings()) != []
    grey = Image.fromarray(RNG.integers(0, 255, (20, 20)).astype(np.uint8))
    assert reading_notes(decode_image(encoded(grey, "PNG"), "a"), "a", PreprocessingSettings()) == []


@pytest.mark.parametrize(
    ("bits", "depth"),
    [
        ([12, 14, 12], 14),
        ([12] * 10 + [None] * 5, 12),
        ([16] + [12] * 9, 16),
        ([16] + [12] * 40, 12),
        ([14] + [12] * 40, 14),
        ([16] * 10 + [12] * 40, 16),
        ([None, None], None),
        ([], None),
    ],
)
def test_the_depth_of_a_set_holds_all_but_the_few_that_are_plainly_of_another(
    bits: list[int | None], depth: int | None
) -> None:
    assert depth_of_set(bits) == depth


def test_only_images_that_are_plainly_of_another_depth_disagree() -> None:
    assert [disagrees(own, 12) for own in (None, 8, 10, 12, 14)] == [None, "darker", None, None, "brighter"]
    assert disagrees(8, None) is None


@pytest.fixture
def deep(tmp_path: Path) -> CaseTable:
    """A set of 16-bit PNGs of a 12-bit detector, of which some go a little beyond it, and one image with 8 bits."""
    for label in ("benign", "malignant"):
        folder = tmp_path / "data/train" / label
        folder.mkdir(parents=True)
        for number, peak in enumerate((4095, 4100, 2000, 900)):
            (folder / f"{number}.png").write_bytes(png16(peak, seed=number + 10 * (label == "benign")))
        Image.fromarray(RNG.integers(0, 255, (64, 64)).astype(np.uint8)).save(folder / "plain.png")
    return scan(tmp_path / "data/train")


def found(folder: CaseTable, place: Workspace) -> tuple[AuditRecord, dict[str, list[str]]]:
    record = audit_record({"train": folder}, None, place)
    return record, {finding.code: finding.files for finding in record.findings}


def test_the_audit_finds_the_depth_of_the_training_images_and_who_disagrees(
    deep: CaseTable, workspace: Workspace
) -> None:
    record, said = found(deep, workspace)
    assert record.bit_depth == 14
    assert len(said["images.bit_depth"]) == 8
    assert sorted(said["images.bit_depth_differs"]) == ["train/benign/3.png", "train/malignant/3.png"]


def test_the_cache_keeps_each_depth_apart_and_remembers_what_was_read(deep: CaseTable, tmp_path: Path) -> None:
    for _ in range(2):
        twelve, fourteen = (
            prepare(deep, PreprocessingSettings(bit_depth=bits, clahe=False), 64, 1, tmp_path / "cache")
            for bits in (12, 14)
        )
        assert np.abs(twelve.image(0).astype(int) - 4.0 * fourteen.image(0)).max() <= 4
        assert twelve.own_bits[:4] == (12, 14, 12, 10)
        assert twelve.own_bits[4] is None
        (log,) = twelve.logs()
        assert (log.code, log.params["count"]) == ("data.bit_depth", 2)
    unknown = prepare(deep, PreprocessingSettings(clahe=False), 64, 1, tmp_path / "cache")
    assert [log.code for log in unknown.logs()] == ["data.bit_depth_unknown"]


# --- pages ---------------------------------------------------------------------------------------


def encoded(image: Image.Image, kind: str, more: tuple[Image.Image, ...] = ()) -> bytes:
    buffer = io.BytesIO()
    if more:
        image.save(
            buffer, kind, save_all=True, append_images=list(more), **({"lossless": True} if kind == "WEBP" else {})
        )
    else:
        image.save(buffer, kind)
    return buffer.getvalue()


def picture(side: int, seed: int, mode: str = "L") -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 255, (side, side) if mode == "L" else (side, side, 3))
    return Image.fromarray(values.astype(np.uint8))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_of_several_pages_the_largest_is_read_and_how_many_there_are_is_told(mode: str) -> None:
    pages = [picture(side, side, mode) for side in (16, 48, 32)]
    found = decode_image(encoded(pages[0], "TIFF", tuple(pages[1:])), "a.tif")
    assert found.pages == 3
    assert np.array_equal(found.pixels.squeeze(), np.asarray(pages[1]))
    assert "3 pages" in str(reading_notes(found, "a.tif", PreprocessingSettings())[0])
    for number, page in enumerate(pages, 1):
        one = decode_image(encoded(pages[0], "TIFF", tuple(pages[1:])), f"a.tif#{number}")
        assert np.array_equal(one.pixels.squeeze(), np.asarray(page))
        assert reading_notes(one, f"a.tif#{number}", PreprocessingSettings()) == []
    with pytest.raises(ImageUnreadable, match="page 4 was asked for, and the file has 3"):
        decode(encoded(pages[0], "TIFF", tuple(pages[1:])), "a.tif#4")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_each_picture_of_an_animation_can_be_a_case_of_its_own(kind: str, tmp_path: Path) -> None:
    pictures = [picture(40, seed) for seed in range(3)]
    path = tmp_path / "benign" / f"a.{kind.lower()}"
    path.parent.mkdir()
    path.write_bytes(encoded(pictures[0], kind, tuple(pictures[1:])))
    assert frames_of(path, "middle") == [path]
    each = frames_of(path, "each")
    assert [image.name for image in each] == [f"{path.name}#{number}" for number in (1, 2, 3)]
    for image, expected in zip(each, pictures, strict=True):
        assert np.array_equal(read_image(image).squeeze(), np.asarray(expected))
    assert np.array_equal(read_image(path), read_image(each[0]))


def test_pages_of_16_bits_keep_them() -> None:
    pages = [np.asarray(cv2.imdecode(np.frombuffer(colour16(peak), np.uint8), -1)) for peak in (900, 3900)]
    data = bytes(cv2.imencodemulti(".tif", pages)[1].tobytes())
    assert [decode_image(data, f"a.tif#{number}", 12).own_bits for number in (1, 2)] == [10, 12]


def test_a_reduced_copy_among_the_pages_is_no_case() -> None:
    from PIL import TiffImagePlugin

    buffer = io.BytesIO()
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[254] = 1
    with TiffImagePlugin.AppendingTiffWriter(buffer, new=True) as writer:
        for image, tags in ((picture(48, 1), None), (picture(40, 2), None), (picture(12, 3), info)):
            image.save(writer, "TIFF", **({"tiffinfo": tags} if tags else {}))
            writer.newFrame()
    from breastai.data.decoders.decoder_table import pages_in

    assert pages_in(buffer.getvalue()) == [1, 2]


def test_pages_are_told_by_the_audit_and_in_training_unless_each_is_a_case(
    tmp_path: Path, workspace: Workspace
) -> None:
    for label in ("benign", "malignant"):
        folder = tmp_path / "data" / label
        folder.mkdir(parents=True)
        for number in range(3):
            seed = 100 * number + (label == "benign")
            (folder / f"{number}.tif").write_bytes(encoded(picture(40, seed), "TIFF", (picture(64, seed + 50),)))
    folder_of = scan(tmp_path / "data")
    _, said = found(folder_of, workspace)
    assert len(said["images.several_pages"]) == 6
    (log,) = prepare(folder_of, PreprocessingSettings(), 32, 1, tmp_path / "cache").logs()
    assert (log.code, log.params["count"], log.params["pages"]) == ("data.pages", 6, 2)
    each = with_frames(folder_of, "each")
    assert len(each) == 12
    _, said = found(each, workspace)
    assert len(said["images.pages"]) == 12 and "images.several_pages" not in said
    assert len(set(prepare(each, PreprocessingSettings(), 32, 1, tmp_path / "cache").hashes)) == 12


def test_the_odd_files_of_many_pages_show_their_largest_one(shared_data: Path) -> None:
    folder = shared_data / "odd/22-many-pages"
    found = decode_image((folder / "thumbnail_first.tif").read_bytes(), "thumbnail_first.tif")
    assert (found.pages, found.pixels.shape) == (3, (160, 160, 1))
    assert [decode_image((folder / name).read_bytes(), name).pages for name in ("cine.gif", "animated.png")] == [3, 2]


# --- content -------------------------------------------------------------------------------------


def almost(grey: int, colour: bool = False) -> np.ndarray:
    values = np.full((60, 50, 3 if colour else 1), grey, np.uint8)
    values[5, 5] = 255 - grey
    return values


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((9, 9, 1)), np.full((70, 80, 3), (90, 20, 200)), almost(0), almost(255, True), np.full((1, 1, 1), 120)],
)
def test_what_shows_nothing_is_refused_with_its_reason(pixels: np.ndarray, tmp_path: Path) -> None:
    assert reason_without_content(pixels.astype(np.uint8)) is not None
    path = tmp_path / "a.png"
    Image.fromarray(pixels.astype(np.uint8).squeeze(2) if pixels.shape[2] == 1 else pixels.astype(np.uint8)).save(path)
    with pytest.raises(ImageUnreadable, match=r"blank|too few"):
        read_for(path, PreprocessingSettings())


def test_a_dark_image_with_something_in_it_shows_something() -> None:
    values = np.zeros((100, 100, 1), np.uint8)
    values[20:50, 20:50] = RNG.integers(20, 60, (30, 30, 1))
    assert reason_without_content(values) is None


def test_training_leaves_out_what_shows_nothing_and_lists_it(tmp_path: Path) -> None:
    for label in ("benign", "malignant"):
        (tmp_path / label).mkdir()
        for number in range(2):
            picture(40, number).save(tmp_path / label / f"{number}.png")
    Image.new("L", (40, 40)).save(tmp_path / "benign/black.png")
    Image.new("L", (1, 1), 9).save(tmp_path / "benign/one.png")
    made = prepare(scan(tmp_path), PreprocessingSettings(), 32, 1, tmp_path / "cache")
    assert len(made) == 4
    assert [item.file for item in made.skipped] == ["benign/black.png", "benign/one.png"]


def test_a_tomosynthesis_slice_is_shown_through_its_own_window() -> None:
    groups = Dataset()
    lut = Dataset()
    lut.WindowCenter, lut.WindowWidth = 1000, 2001
    groups.FrameVOILUTSequence = [lut]
    plain = decode(content(dataset(RAMP, BitsStored=12)), "a.dcm")
    shown = decode(content(dataset(RAMP, BitsStored=12, SharedFunctionalGroupsSequence=[groups])), "a.dcm")
    assert int(shown[24, 0, 0]) > 190 > 100 > int(plain[24, 0, 0])


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16, 24])
def test_a_depth_holds_its_largest_value_and_not_one_more(bits: int) -> None:
    assert bits_needed((1 << bits) - 1) == bits < bits_needed(1 << bits)
    assert bits_needed(1 << 40) == 32


@pytest.mark.parametrize(
    ("own", "depth"),
    [
        ([None], None),
        ([12] * 20, 12),
        ([12] * 20 + [16], 12),  # one in twenty-one, four bits more
        ([12] * 19 + [16], 16),  # one in twenty
        ([12] * 20 + [14], 14),  # two bits more are the set's own
        ([8] * 40 + [12, None], 8),
        ([8] * 40 + [12, 16], 8),
        ([8, 10] * 30 + [14, 16], 10),
    ],
)
def test_a_few_images_plainly_of_another_depth_do_not_make_the_set_s(own: list[int | None], depth: int | None) -> None:
    assert depth_of_set(own) == depth


@pytest.mark.parametrize(
    ("own", "depth", "how"),
    [
        (12, 12, None),
        (14, 12, "brighter"),
        (8, 12, "darker"),
        (9, 12, None),
        (None, 12, None),
        (8, None, None),
        (8, "image", None),
    ],
)
def test_an_image_four_bits_darker_or_any_brighter_is_of_another_depth(own: Any, depth: Any, how: str | None) -> None:
    assert disagrees(own, depth) == how


def decoded(pages: int = 1, own: int | None = None) -> Any:
    return SimpleNamespace(pages=pages, own_bits=own)


@pytest.mark.parametrize(
    ("pages", "own", "depth", "name", "told"),
    [
        (1, None, None, "a.tif", []),
        (2, None, None, "a.tif", ["note.pages"]),
        (2, None, None, "a.tif#1", []),
        (1, 16, 12, "a.tif", ["note.brighter"]),
        (1, 8, 16, "a.tif", ["note.darker"]),
        (1, 12, 12, "a.tif", []),
        (1, 12, None, "a.tif", ["note.depth_unknown"]),
        (3, 12, None, "a.tif", ["note.pages", "note.depth_unknown"]),
        (1, None, 12, "a.tif", []),
    ],
)
def test_what_must_be_known_of_how_an_image_was_read_is_told(
    pages: int, own: int | None, depth: Any, name: str, told: list[str]
) -> None:
    settings = PreprocessingSettings.model_construct(bit_depth=depth)
    assert [note.code for note in reading_notes(decoded(pages, own), name, settings)] == told


def test_of_many_images_those_read_otherwise_are_counted_and_the_first_is_named() -> None:
    files, settings = ["a", "b#1", "c", "d"], PreprocessingSettings.model_construct(bit_depth=12)
    logs = list(reading_logs(files, [None, 16, 8, 12], [1, 3, 2, 4], settings))
    assert [(log.code, log.params) for log in logs] == [
        ("data.pages", {"count": 2, "file": "c", "pages": 2}),
        ("data.bit_depth", {"count": 2, "depth": 12, "file": "b#1", "bits": 16}),
    ]
    unknown = PreprocessingSettings.model_construct(bit_depth=None)
    (log,) = reading_logs(files, [None, 16, 8, 12], [1] * 4, unknown)
    assert (log.code, log.params) == ("data.bit_depth_unknown", {"count": 3, "file": "b#1"})
    assert list(reading_logs(files, [None] * 4, [1] * 4, unknown)) == []
    assert list(reading_logs(files, [12] * 4, [1] * 4, settings)) == []
