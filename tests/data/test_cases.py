"""The cases of a run: split by whole groups, twins left out and counted, and the same split found again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from breastai.data.cases.cases import Cases, gather_cases
from breastai.data.cases.run_folders import list_folders
from breastai.data.preprocessing.image_cache import prepare
from breastai.domain.config import Config, parse_config
from breastai.domain.errors import SplitInvalid, TooFewPatients
from breastai.domain.records import TwinGroup
from breastai.domain.text import Text
from breastai.storage.split_records import read_split, save_split
from breastai.storage.workspace import Workspace

from .test_headers import picture

Gather = Callable[..., Cases]


def write(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        seed = sum(map(ord, f"{folder.parent.name}{folder.name}{name}"))
        pixels = np.random.default_rng(seed).integers(0, 255, (12, 12), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), pixels)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("breastai.data.preprocessing.cache_store.default_cache_root", lambda: tmp_path / "cache")
    for name in ("benign", "malignant"):
        write(tmp_path / "train" / name, [f"{number:02}" for number in range(12)])
    return tmp_path


@pytest.fixture
def gather(root: Path) -> Gather:
    def run(
        twins: list[TwinGroup] | None = None,
        saved: Any = None,
        evaluation: dict[str, Any] | None = None,
        **data: Any,
    ) -> Cases:
        values = {"train_dir": "train", "val_dir": "val", "test_dir": "test", "image_size": 32, "num_workers": 1}
        config: Config = parse_config({"data": values | data, "evaluation": evaluation or {}})
        return gather_cases(config, list_folders(config, root), root, None, twins or [], saved)

    return run


def pair(one: str, other: str) -> TwinGroup:
    files = [one, other]
    return TwinGroup(
        files=files,
        splits=[file.split("/")[0] for file in files],
        classes=[file.split("/")[1] for file in files],
    )


def test_twins_stay_on_one_side_and_stand_in_for_unknown_patients(gather: Gather) -> None:
    twins = [pair(f"train/benign/{n:02}.png", f"train/benign/{n + 1:02}.png") for n in range(0, 12, 2)]
    cases = gather(twins, val_split=0.4)
    for group in twins:
        sides = {file.removeprefix("train/") in set(cases.val.files) for file in group.files}
        assert len(sides) == 1
    assert "stand in for unknown patients" in str(cases.split_description)
    assert cases.val_units is not None and len(set(cases.val_units)) < len(cases.val)
    assert cases.split_file.groups == 6


def test_a_given_val_folder_stays_and_its_twins_leave_training(root: Path, gather: Gather) -> None:
    for name in ("benign", "malignant"):
        write(root / "val" / name, ["90", "91"])
    twins = [
        pair("train/benign/00.png", "val/benign/90.png"),
        pair("train/benign/01.png", "train/malignant/01.png"),
        pair("train/benign/02.png", "test/malignant/02.png"),
    ]
    cases = gather(twins)
    assert len(cases.val) == 4
    assert cases.left_out == {"twin_in_test": 1, "twin_in_val": 1, "twin_of_another_label": 2}
    assert len(cases.train) == 24 - 4
    assert "4 training images left out" in str(cases.split_description)
    untouched = gather(twins, on_leak="continue")
    assert (len(untouched.train), untouched.left_out) == (24, {})
    assert "nothing was done" in str(untouched.split_description)


def test_a_saved_split_is_used_again_whatever_the_seed(gather: Gather) -> None:
    first = gather([pair("train/benign/00.png", "train/malignant/00.png")])
    again = gather(saved=first.split_file, val_split=0.5)
    assert (again.train.files, again.val.files, again.left_out) == (first.train.files, first.val.files, first.left_out)
    assert again.split_file == first.split_file


def test_a_split_of_other_images_is_refused(root: Path, gather: Gather) -> None:
    saved = gather().split_file
    write(root / "train" / "benign", ["99"])
    (root / "train" / "benign" / "00.png").unlink()
    with pytest.raises(SplitInvalid, match="images missing or changed: 1, new ones: 1"):
        gather(saved=saved)


def test_a_class_of_which_nothing_is_left_is_told(gather: Gather) -> None:
    twins = [pair(f"train/benign/{n:02}.png", f"test/benign/{n:02}.png") for n in range(12)]
    with pytest.raises(TooFewPatients):
        gather(twins)


def test_the_image_cache_keeps_to_the_size_configured(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = []

    def noted(*given: Any, **named: Any) -> Any:
        limits.append(named["limit_gb"])
        return prepare(*given, **named)

    monkeypatch.setattr("breastai.data.cases.image_set.prepare", noted)
    data = {"train_dir": "train", "val_dir": None, "image_size": 32, "num_workers": 1}
    config = parse_config({"data": data, "system": {"cache_gb": 0.5}})
    gather_cases(config, list_folders(config, root), root, None, [])
    assert limits == [0.5]


def test_a_saved_split_names_the_breast_and_view_of_dicom_images_alone(root: Path, gather: Gather) -> None:
    picture(root / "train/benign/left.dcm", ImageLaterality="L", ViewPosition="CC")
    picture(root / "val/benign/right.dcm", seed=1, ImageLaterality="R")
    write(root / "val/malignant", ["00"])
    split = gather().split_file
    told = {case.file: (case.laterality, case.view) for case in split.cases if case.laterality or case.view}
    assert told == {"benign/left.dcm": ("L", "CC"), "benign/right.dcm": ("R", None)}
    path = save_split(Workspace.open(root), "run", split)
    assert read_split(path, "split.json") == split
    assert path.read_text("utf-8").count('"laterality"') == 2


def test_the_modalities_of_a_run_are_those_that_headers_of_its_training_images_name(root: Path, gather: Gather) -> None:
    assert gather().modalities == ()
    picture(root / "train/benign/a.dcm", Modality="US")
    picture(root / "train/malignant/b.dcm", seed=1, Modality="OT")
    picture(root / "val/benign/c.dcm", seed=2, Modality="MG")
    write(root / "val/malignant", ["00"])
    assert gather().modalities == ("US",)


def test_a_patient_in_given_train_and_val_folders_trains_nothing_or_is_counted(root: Path, gather: Gather) -> None:
    for name in ("benign", "malignant"):
        write(root / "val" / name, ["03", "77"])
    rule = {"patient_id": r"^(\d+)"}
    apart = gather(evaluation=rule)
    assert apart.left_out == {"patient_in_val": 2} and apart.shared_patients == {}
    assert "2 training images left out because their patients validate or test" in str(apart.split_description)
    kept = gather(evaluation=rule, on_leak="continue")
    assert kept.left_out == {} and kept.shared_patients == {"val": 1}


def test_near_duplicates_that_stay_on_both_sides_are_counted(root: Path, gather: Gather) -> None:
    for name in ("benign", "malignant"):
        write(root / "val" / name, ["70", "71"])
    across = [pair("train/benign/00.png", "val/benign/70.png")]
    assert gather(across).shared_groups == {}
    assert gather(across, on_leak="continue").shared_groups == {"val": 1}


def test_how_images_were_split_tells_why_and_how_many_were_left_out(root: Path, gather: Gather) -> None:
    for name in ("benign", "malignant"):
        write(root / "val" / name, ["03", "77"])
    twins = [pair("train/benign/00.png", "val/benign/77.png")]

    def told(**options: Any) -> list[str]:
        found, said = gather(**options).split_description, []
        while isinstance(found, Text) and found.code == "split.joined":
            said.append(f"{found.params['second'].code} {found.params['second'].params['count']}")
            found = found.params["first"]
        return [str(found.code), *said[::-1]]

    rule = {"patient_id": r"^(\d+)"}
    own, left = "split.own_folder", "split.left_patients 2"
    assert told() == [own]
    assert told(twins=twins) == [own, "split.left_twins 1"]
    assert told(twins=twins, on_leak="continue") == [own, "split.twins_stay 1"]
    assert told(evaluation=rule) == [own, left]
    assert told(evaluation=rule, twins=twins) == [own, "split.left_twins 1", left]
