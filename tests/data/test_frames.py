"""Frames of DICOM files: each a case of its own where that is wanted, found by name again, and never parted."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from breastai.cli import run
from breastai.clinical.audit_job import audit_record
from breastai.data.cases.cases import Cases, gather_cases
from breastai.data.cases.data_overview import describe
from breastai.data.cases.run_folders import list_folders
from breastai.data.cases.split_groups import exclusions
from breastai.data.decoders.decoder_table import read_image
from breastai.data.duplicates.near_duplicates import duplicates_in
from breastai.data.patients.subgroups import subgroups_of
from breastai.data.preview_jobs import list_images, preview_image
from breastai.data.sources.class_folders import scan
from breastai.data.sources.frames import with_frames
from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ImageUnreadable
from breastai.domain.jobs import AskExports, HandedImage, ListImages, PreviewImage
from breastai.domain.records import TwinGroup
from breastai.predictor.uploaded_images import ask_exports
from breastai.storage.workspace import Workspace

from ..predictor.test_onnx_model import METADATA, brightness_model
from .test_dicom import content, dataset

FRAMES = 3


def clip(seed: int, frames: int = FRAMES, side: int = 16) -> Dataset:
    """Frames of noise, each brighter than the one before."""
    noise = np.random.default_rng(seed).integers(0, 60, (frames, side, side), dtype=np.uint8)
    values = (noise + np.arange(frames, dtype=np.uint8)[:, None, None] * 60).astype(np.uint8)
    made = dataset(values, PatientID=f"P{seed}")
    if frames > 1:
        made.NumberOfFrames = frames
    made.Rows = made.Columns = side
    return made


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr("breastai.data.preprocessing.cache_store.default_cache_root", lambda: tmp_path / "cache")
    for number, name in enumerate(("benign", "malignant")):
        folder = tmp_path / "train" / name
        folder.mkdir(parents=True)
        for seed in range(4):
            (folder / f"c{seed}.dcm").write_bytes(content(clip(10 * number + seed)))
        (folder / "still.dcm").write_bytes(content(clip(10 * number + 9, frames=1)))
    return Workspace.open(tmp_path)


def config(frames: str, **evaluation: object) -> Config:
    data = {"train_dir": "train", "val_dir": None, "test_dir": None, "image_size": 32, "val_split": 0.3}
    values = {"data": data, "preprocessing": {"frames": frames, "clahe": False}, "evaluation": evaluation}
    return parse_config(values)


def gathered(settings: Config, place: Workspace) -> Cases:
    return gather_cases(settings, list_folders(settings, place.root), place.root)


def test_each_frame_is_an_image_and_by_default_the_middle_one_is(place: Workspace) -> None:
    path = place.root / "train/benign/c0.dcm"
    frames = [read_image(path.with_name(f"c0.dcm#{number}")) for number in (1, 2, 3)]
    assert [int(image.mean()) // 60 for image in frames] == [0, 1, 2]
    assert np.array_equal(read_image(path), frames[1])
    with pytest.raises(ImageUnreadable, match="frame 4 was asked for, and the DICOM file has 3"):
        read_image(path.with_name("c0.dcm#4"))
    folder = scan(place.root / "train")
    assert with_frames(folder, "middle") is folder
    each = with_frames(folder, "each")
    assert each.counts() == {"benign": 13, "malignant": 13}
    assert each.files[:4] == ("benign/c0.dcm#1", "benign/c0.dcm#2", "benign/c0.dcm#3", "benign/c1.dcm#1")
    assert each.files[12] == "benign/still.dcm"


@pytest.mark.parametrize("evaluation", [{}, {"patient_id": {"dicom": "patient_id"}}, {"patient_id": r"^(c\d|still)"}])
def test_the_frames_of_a_file_are_cases_that_no_split_parts(place: Workspace, evaluation: dict[str, object]) -> None:
    cases = gathered(config("each", **evaluation), place)
    assert len(cases.train) + len(cases.val) == 26
    assert len(set(cases.train.hashes + cases.val.hashes)) == 26
    sides = [{file.split("#")[0] for file in part.files} for part in (cases.train, cases.val)]
    assert not sides[0] & sides[1]
    assert cases.val_units is not None and len(set(cases.val_units)) < len(cases.val)
    means = [cases.val.image(number).mean() for number, file in enumerate(cases.val.files) if file.endswith("#3")]
    assert means and min(means) > 110
    known = "patient_id" in evaluation
    assert ("whole patients" if known else "whole files") in str(cases.split_description)
    # Told before a run likewise: the same numbers, and patients unknown where no rule finds them.
    told = describe(config("each", **evaluation), place.root)
    assert sum(told.counts["val"].values()) == len(cases.val)
    assert (told.patients is None) is not known


def test_by_default_a_file_is_one_case_and_its_cached_pixels_serve_both_settings(place: Workspace) -> None:
    cases = gathered(config("middle"), place)
    assert len(cases.train) + len(cases.val) == 10
    assert cases.val_units is None
    kept = len(list((place.root / "cache").rglob("*.pixels")))
    gathered(config("each"), place)
    assert len(list((place.root / "cache").rglob("*.pixels"))) == kept + 8 * FRAMES


def test_the_audit_compares_frames_but_tells_no_twins_within_a_file(place: Workspace) -> None:
    still = dataset(np.tile(np.arange(0, 192, 3, dtype=np.uint8), (2, 64, 1)), NumberOfFrames=2)
    still.Rows = still.Columns = 64
    for name in ("benign/same.dcm", "benign/copy.dcm"):
        (place.root / "train" / name).write_bytes(content(still))
    folder = with_frames(scan(place.root / "train"), "each")
    record = audit_record({"train": folder}, None, place)
    assert record.images == 30
    assert {tuple(sorted({file.split("#")[0] for file in group.files})) for group in record.groups} == {
        ("train/benign/copy.dcm", "train/benign/same.dcm")
    }
    assert len(duplicates_in(folder.root, folder.files).pairs) >= 2


def test_a_twin_of_one_frame_takes_its_whole_file_out_of_training() -> None:
    files = ["a/c.dcm#1", "a/c.dcm#2", "a/d.png"]
    twin = TwinGroup(files=["train/a/c.dcm#2", "val/a/x.png"], classes=["a", "a"], splits=["train", "val"])
    assert exclusions(files, [twin], "group") == {"a/c.dcm#1": "twin_in_val", "a/c.dcm#2": "twin_in_val"}
    again = TwinGroup(files=["train/a/c.dcm#1", "train/a/c.dcm#2", "train/a/d.png"], classes=["a"] * 3, splits=["train"] * 3)  # fmt: skip
    assert exclusions(files, [again], "exclude") == {"a/d.png": "duplicate"}


def test_a_table_speaks_of_all_frames_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,device\nc.dcm,A\nd.png,B\n", encoding="utf-8")
    assert subgroups_of(["x/c.dcm#1", "x/c.dcm#2", "x/d.png"], tmp_path / "t.csv").columns == {
        "device": ["A", "A", "B"]
    }


def test_the_page_s_lists_and_previews_show_frames(place: Workspace) -> None:
    settings = config("each")
    (listed,) = list_images(
        ListImages(workspace=str(place.root), config=settings, split="train", class_name=None, first=0, limit=4), place
    )
    assert [image.file for image in listed.images][2:] == ["benign/c0.dcm#3", "benign/c1.dcm#1"]
    assert all(image.picture for image in listed.images)
    (shown,) = preview_image(
        PreviewImage(workspace=str(place.root), config=settings, split="train", file="benign/c0.dcm#3"), place
    )
    assert (shown.file, shown.width) == ("benign/c0.dcm#3", 16)


def test_each_frame_has_a_row_of_its_own_in_a_prediction(
    place: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    each = METADATA | {"preprocessing": {"clahe": False, "frames": "each"}}
    model = str(brightness_model(tmp_path / "each.onnx", each))
    clips = str(place.root / "train/benign/c0.dcm")
    assert run(["predict", model, clips, "--workspace", str(place.root), "--csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["file"] for row in rows] == [f"train/benign/c0.dcm#{number}" for number in (1, 2, 3)]
    assert [float(row["p_bright"]) for row in rows] == sorted(float(row["p_bright"]) for row in rows)
    middle = str(brightness_model(tmp_path / "middle.onnx"))
    for asked, file in ((clips, "c0.dcm"), (f"{clips}#2", "c0.dcm#2")):
        assert run(["predict", middle, asked, "--workspace", str(place.root), "--json"]) == 0
        (said, _) = map(json.loads, capsys.readouterr().out.splitlines())
        assert said["file"] == f"train/benign/{file}"
        assert said["probabilities"]["bright"] == pytest.approx(float(rows[1]["p_bright"]), abs=1e-6)


def test_an_image_handed_over_is_answered_frame_by_frame_where_a_model_takes_them_so(
    place: Workspace, tmp_path: Path
) -> None:
    handed = tmp_path / "handed.part"
    handed.write_bytes(content(clip(0)))
    brightness_model(tmp_path / "each.onnx", METADATA | {"preprocessing": {"clahe": False, "frames": "each"}})
    brightness_model(tmp_path / "middle.onnx")
    image = HandedImage(image="i1", name="é.dcm", path=str(handed))
    for models, names in ((["middle.onnx"], ["é.dcm"]), (["middle.onnx", "each.onnx"], ["é.dcm#1", "é.dcm#2", "é.dcm#3"])):  # fmt: skip
        *answers, end = ask_exports(AskExports(workspace=str(place.root), images=[image], models=models), place)
        assert [answer.name for answer in answers] == names
        assert [said.prediction.file for said in answers[-1].answers] == [names[-1]] * len(models)
        assert (end.count, end.failed) == (len(names), 0)
