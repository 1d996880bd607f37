"""Colour spaces that a tag gets wrong: told of every such ultrasound image, and of none that is right."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from breastai.clinical import colour_space
from breastai.clinical.audit_job import audit_record
from breastai.clinical.colour_space import mistaken_colour_space
from breastai.data.decoders.decoder_table import read_image
from breastai.data.sources.class_folders import scan
from breastai.storage.workspace import Workspace

from ..data.test_dicom import content, dataset


def as_ycbcr(image: np.ndarray) -> np.ndarray:
    """RGB as a decoder shows it that takes the YCbCr values of it for RGB."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)[:, :, [0, 2, 1]])


def as_rgb(image: np.ndarray) -> np.ndarray:
    """RGB as a decoder shows it that takes it for YCbCr."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image[:, :, [0, 2, 1]]), cv2.COLOR_YCrCb2RGB))


def speckle(seed: int, flow: bool = False) -> np.ndarray:
    """An ultrasound image of a kind, (96, 96, 3), with a patch of coloured flow where wanted."""
    rng = np.random.default_rng(seed)
    grey = np.clip(rng.rayleigh(50, (96, 96)) * np.linspace(1.2, 0.2, 96)[:, None], 0, 255).astype(np.uint8)
    image = np.repeat(grey[:, :, None], 3, axis=2)
    if flow:
        image[20:45, 30:60] = rng.integers(0, 255, (25, 30, 1)) * [1, 0.2, 0] + [0, 20, 30]
    return image.astype(np.uint8)


def stain(seed: int) -> np.ndarray:
    """A stained slide of a kind: pinks and purples, and hardly a white."""
    rng = np.random.default_rng(seed)
    depth = cv2.GaussianBlur(rng.random((96, 96)), (0, 0), 3)[:, :, None]
    depth = (depth - depth.min()) / np.ptp(depth)
    return np.clip(np.array([235, 170, 215]) - depth * np.array([110, 130, 60]) + rng.normal(0, 6, (96, 96, 3)), 0, 255).astype(np.uint8)  # fmt: skip


@pytest.mark.parametrize("flow", [False, True])
def test_a_wrong_tag_is_told_by_its_tint_and_a_right_one_is_not(flow: bool) -> None:
    for seed in range(5):
        image = speckle(seed, flow)
        assert mistaken_colour_space(image) is None
        assert mistaken_colour_space(as_ycbcr(image)) == "ycbcr_as_rgb"
        assert mistaken_colour_space(as_rgb(image)) == "rgb_as_ycbcr"


def test_stains_uniform_colours_and_colour_maps_are_no_wrong_tags() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    maps = [cv2.applyColorMap(ramp, number)[:, :, ::-1] for number in range(20)]
    plain = [np.full((40, 40, 3), colour, np.uint8) for colour in ((0, 128, 128), (255, 0, 255), (128, 128, 128))]
    middle = np.random.default_rng(0).integers(110, 146, (40, 40, 1), np.uint8).repeat(3, 2)
    for image in [stain(seed) for seed in range(10)] + maps + plain + [middle]:
        assert mistaken_colour_space(np.ascontiguousarray(image)) is None


def test_the_audit_names_the_files_and_the_device_that_wrote_them(tmp_path: Path, workspace: Workspace) -> None:
    for label in ("benign", "malignant"):
        folder = tmp_path / "data" / label
        folder.mkdir(parents=True)
        for seed in range(4):
            Image.fromarray(speckle(seed + 10 * (label == "benign"), True)).save(folder / f"{seed}.png")
    wrong = dataset(as_ycbcr(speckle(77)), SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    wrong.Manufacturer, wrong.ManufacturerModelName = "Maker", "Model 7"
    (tmp_path / "data/benign/wrong.dcm").write_bytes(content(wrong))
    exif = Image.Exif()
    exif[0x010F] = "Other"
    buffer = io.BytesIO()
    Image.fromarray(as_rgb(speckle(78))).save(buffer, "PNG", exif=exif)
    (tmp_path / "data/malignant/wrong.png").write_bytes(buffer.getvalue())
    record = audit_record({"": scan(tmp_path / "data")}, None, workspace)
    (finding,) = [finding for finding in record.findings if finding.code == "colour.wrong_space"]
    assert finding.files == ["benign/wrong.dcm", "malignant/wrong.png"]
    assert "Maker Model 7 1" in finding.message and "Other 1" in finding.message


def test_no_real_image_is_told_and_each_is_when_its_tag_is_wrong(shared_data: Path) -> None:
    right = [
        *sorted((shared_data / "idc/train").rglob("*.png"))[::40],
        *sorted((shared_data / "busi").rglob("*.png"))[::60],
        *sorted((shared_data / "dicom").glob("US*")),
    ]
    images = [read_image(path) for path in right]
    assert [path for path, image in zip(right, images, strict=True) if mistaken_colour_space(image)] == []
    slides = [image for path, image in zip(right, images, strict=True) if "idc" in path.parts and image.shape[2] == 3]
    assert np.mean([mistaken_colour_space(as_ycbcr(image)) == "ycbcr_as_rgb" for image in slides]) > 0.6
    scans = [np.repeat(image, 4 - image.shape[2], 2)[:, :, :3] for path, image in zip(right, images, strict=True) if "idc" not in path.parts]  # fmt: skip
    assert all(mistaken_colour_space(as_ycbcr(image)) == "ycbcr_as_rgb" for image in scans)
    assert all(mistaken_colour_space(as_rgb(image)) == "rgb_as_ycbcr" for image in scans)


def test_a_colour_looked_up_is_near_the_lines_that_a_measure_of_its_distance_says() -> None:
    rng = np.random.default_rng(3)
    lines = [colour_space._NEUTRAL, *colour_space._LINES.values()]
    near = [np.clip(line[::3] + rng.integers(-13, 14, (len(line[::3]), 3)), 0, 255) for line in lines]
    colours = np.concatenate([rng.integers(0, 256, (400, 3)), *near, [[0, 0, 0], [255, 255, 255]]]).astype(np.int64)
    found = colour_space._lines_near(colours.astype(np.uint8))
    for bit, line in zip((1, 2, 4), lines, strict=True):
        squared = ((colours[:, None] - line.astype(np.int64)) ** 2).sum(2).min(1)
        assert np.array_equal((found & bit) > 0, squared <= 14**2)
        assert 0 < ((found & bit) > 0).mean() < 1


ORANGE = (200, 100, 20)  # near none of the lines


def of_pixels(parts: dict[str, tuple[float, list[int]]], mistake: str) -> np.ndarray:
    """Return an image of 10,000 pixels: of each part so many, in colours of so many levels; the rest orange."""
    lines = {"neutral": colour_space._NEUTRAL, "tinted": colour_space._LINES[mistake]}  # type: ignore[index]
    pixels = np.full((10_000, 3), ORANGE, np.uint8)
    start = 0
    for name, (share, levels) in parts.items():
        count = round(share * 10_000)
        pixels[start : start + count] = lines[name.split()[0]].round()[np.resize(levels, count)]
        start += count
    return pixels.reshape(100, 100, 3)


FAR = [*range(60), *range(200, 256)]  # from where the lines cross
CROSSING = list(range(126, 131))


@pytest.mark.parametrize("mistake", ["ycbcr_as_rgb", "rgb_as_ycbcr"])
@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"tinted": (0.52, FAR)}, True),
        ({"tinted": (0.48, FAR)}, False),
        ({"tinted": (0.32, FAR), "tinted at the crossing": (0.4, CROSSING)}, True),
        ({"tinted": (0.28, FAR), "tinted at the crossing": (0.4, CROSSING)}, False),
        ({"tinted": (0.6, FAR), "neutral": (0.13, FAR)}, True),
        ({"tinted": (0.6, FAR), "neutral": (0.17, FAR)}, False),
        ({"tinted": (0.7, list(range(80, 106)))}, True),
        ({"tinted": (0.7, list(range(80, 103)))}, False),
    ],
)
def test_a_mistake_is_told_from_the_shares_on_that_it_takes(
    mistake: str, parts: dict[str, tuple[float, list[int]]], told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(colour_space, "_sampled", lambda image: image)
    monkeypatch.setattr(colour_space, "_only_red_varies", lambda pixels: False)
    monkeypatch.setattr(colour_space, "_CUT_OFF_SHARE", 2)
    found = mistaken_colour_space(of_pixels(parts, mistake))
    assert (found == mistake) is told and found in (None, mistake)


@pytest.mark.parametrize(
    ("colour", "cut_off"),
    [
        ((254, 224, 254), True),
        ((255, 0, 255), True),
        ((253, 200, 254), False),
        ((254, 200, 253), False),
        ((254, 225, 254), False),
        ((1, 101, 1), True),
        ((0, 255, 0), True),
        ((2, 150, 1), False),
        ((1, 150, 2), False),
        ((1, 100, 1), False),
    ],
)
def test_a_colour_is_cut_off_where_red_and_blue_are_at_one_end_and_green_is_not(
    colour: tuple[int, int, int], cut_off: bool
) -> None:
    assert colour_space._is_cut_off(np.array([colour], np.float32)).tolist() == [cut_off]


@pytest.mark.parametrize(
    ("share", "varies", "told"), [(0.52, 60, True), (0.48, 60, False), (0.7, 20, False), (0.7, 26, True)]
)
def test_a_slide_whose_colours_are_cut_off_is_told(share: float, varies: int, told: bool) -> None:
    pixels = np.full((4096, 3), (200, 60, 20), np.uint8)
    pixels[::3] = (90, 30, 200)
    count = round(share * 4096)
    pixels[:count] = (255, 100, 255)
    pixels[:count, 1] += (np.arange(count) % varies).astype(np.uint8)
    order = np.random.default_rng(0).permutation(4096)
    found = mistaken_colour_space(pixels[order].reshape(64, 64, 3))
    assert (found == "rgb_as_ycbcr") is told


@pytest.mark.parametrize(
    ("red", "others", "impossible", "told"),
    [
        (60, 10, 0.0, True),
        (24, 10, 0.0, False),
        (29, 10, 0.0, True),
        (60, 36, 0.0, False),
        (60, 26, 0.0, True),
        (60, 10, 0.03, False),
        (60, 10, 0.01, True),
    ],
)
def test_a_slide_of_which_red_alone_varies_is_told(red: int, others: int, impossible: float, told: bool) -> None:
    """Nine tenths of the range count, so that `red` and `others` shrink by a tenth."""
    steps = np.linspace(0, 1, 1000)
    pixels = np.stack([110 + red * steps, 125 + others * steps, 120 + others * (1 - steps)], axis=1).astype(np.float32)
    pixels[: round(impossible * 1000), 0] = 255
    pixels[: round(impossible * 1000), 2] = 160
    assert colour_space._only_red_varies(pixels) is told


def test_what_is_possible_as_ycbcr_is_what_becomes_a_colour_with_a_little_slack() -> None:
    generator = np.random.default_rng(2)
    rgb = generator.integers(0, 256, (1000, 3))
    ycbcr = as_ycbcr(rgb.astype(np.uint8)[None])[0].astype(np.float32)
    wide = ycbcr * [1, 0.2, 0.2] + [0, 102, 102]
    for channel, beyond in ((1, 1), (2, 1), (1, -1), (2, -1)):
        # As far as the colour solid reaches at this brightness, and further.
        limits = {1: 1.772, 2: 1.402}[channel]
        for excess, told in ((4, True), (9, False)):
            pixels = wide.astype(np.float32).copy()
            luma = np.linspace(100, 200, 1000)
            pixels[:, 0], pixels[:, 1:] = luma, 128
            room = (255 - luma) if beyond > 0 else luma
            pixels[:, channel] = 128 + beyond * (room + excess) / limits
            spreads = np.ptp(pixels, axis=0)
            if spreads[0] >= 2 * spreads[channel]:
                assert colour_space._only_red_varies(pixels) is told


def test_an_image_is_sampled_evenly_from_edge_to_edge() -> None:
    rows, columns = np.mgrid[0:200, 0:90].astype(np.uint8)
    shown = colour_space._sampled(np.dstack([rows, columns, rows]))
    assert shown.shape == (64, 64, 3)
    assert (shown[0, 0, 0], shown[-1, 0, 0], shown[0, 0, 1], shown[0, -1, 1]) == (0, 199, 0, 89)
    assert set(np.diff(shown[:, 0, 0].astype(int))) <= {3, 4} and set(np.diff(shown[0, :, 1].astype(int))) <= {1, 2}
    small = np.zeros((64, 30, 3), np.uint8)
    assert colour_space._sampled(small) is small
