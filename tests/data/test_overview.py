"""What a configuration would train on, told before a run."""

from pathlib import Path

import pytest

from breastai.data.cases import data_overview
from breastai.data.cases.cases import gather_cases
from breastai.data.cases.data_overview import describe
from breastai.data.cases.run_folders import list_folders
from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import Config


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with sample images, one of them empty and one of them text, and a file beside the classes."""
    base = tmp_path_factory.mktemp("overview")
    write_sample_data(base / "data", per_class=10, seed=1)
    train = base / "data" / "train"
    (train / "benign" / "empty.png").write_bytes(b"")
    (train / "benign" / "text.jpg").write_text("no image at all")
    (train / "list.csv").write_text("a,b")
    return base


def config(**data: object) -> Config:
    values = {"train_dir": "data/train", "val_dir": None, "test_dir": None, "image_size": 32, "num_workers": 0, **data}
    return Config.model_validate({"data": values})


def test_the_counts_are_those_a_run_finds(base: Path) -> None:
    found = describe(config(), base)
    cases = gather_cases(config(), list_folders(config(), base), base)
    assert (found.counts["train"], found.counts["val"]) == (cases.train.counts(), cases.val.counts())
    assert (found.set_aside, found.patients) == (0.2, None)


def test_what_is_left_out_is_told_with_its_reason(base: Path) -> None:
    found = describe(config(), base)
    reasons = {item.file: str(item.reason) for item in found.skipped}
    assert found.skipped_total == len(reasons) == 3
    assert "empty" in reasons["benign/empty.png"]
    assert "text" in reasons["benign/text.jpg"]
    assert "beside the class folders" in reasons["list.csv"]


def test_folders_of_their_own_are_counted_as_they_are(base: Path) -> None:
    found = describe(config(val_dir="data/val", test_dir="data/test"), base)
    assert found.set_aside is None
    assert set(found.counts) == set(found.folders) == {"train", "val", "test"}
    broken = sum(not item.file.endswith(".csv") for item in found.skipped)
    assert sum(sum(counts.values()) for counts in found.counts.values()) == found.images - broken


def test_a_reader_is_warned_of_unknown_patients_small_classes_and_a_missing_test(base: Path) -> None:
    codes = [warning.code for warning in describe(config(), base).warnings]
    assert codes[:2] == ["patients_unknown", "no_test"]
    assert codes.count("few_in_training") == codes.count("few_in_validation") == 1


def test_known_patients_are_counted_and_one_class_much_larger_than_another_is_told(tmp_path: Path, base: Path) -> None:
    one = next((base / "data/train/benign").glob("P*.png")).read_bytes()
    for name, count in (("benign", 26), ("malignant", 4)):
        (tmp_path / "train" / name).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "train" / name / f"P{number // 2}_{number}.png").write_bytes(one)
    values = {
        "data": {"train_dir": "train", "val_dir": None, "test_dir": None},
        "evaluation": {"patient_id": "^(P[0-9]+)_"},
    }
    found = describe(Config.model_validate(values), tmp_path)
    assert found.patients == 13
    (lopsided,) = [warning for warning in found.warnings if warning.code == "lopsided"]
    assert (lopsided.params["most"], lopsided.params["least"]) == ("benign", "malignant")


def test_no_more_files_are_looked_at_than_there_is_time_for(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_overview, "_LOOK_S", -1.0)
    found = describe(config(), base)
    assert found.looked_at == 0
    assert found.skipped_total == 1
