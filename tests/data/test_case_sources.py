"""Sources of cases: another way to give images and labels is one row, and nothing below takes a class from a name."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breastai.data.cases.cases import check_split, gather_cases, split_cases
from breastai.data.cases.run_folders import list_folders
from breastai.data.preview_jobs import list_images, preview_image
from breastai.data.sources import case_source
from breastai.data.sources.case_source import SOURCES, CaseSource, read_cases
from breastai.data.sources.case_table import Case, CaseTable, pool_tables
from breastai.domain.config import parse_config
from breastai.domain.errors import SplitInvalid
from breastai.domain.events import ImagePreview, ImagesList
from breastai.domain.jobs import ListImages, PreviewImage
from breastai.domain.records import SplitFile
from breastai.engine.export.split_images import _labels
from breastai.storage.checkpoints import SplitRecord
from breastai.storage.workspace import Workspace


def read_listing(place: Path, expected: object, masks: object, known: object) -> CaseTable:
    """Read a folder without class folders: labels.json says the class of each file."""
    said: dict[str, str] = json.loads((place / "labels.json").read_text())
    names = tuple(sorted(set(said.values())))
    labels = np.array([names.index(label) for label in said.values()], dtype=np.int64)
    table = CaseTable(place, tuple(said), labels, names)
    return table.with_columns(patient=[Path(file).stem.partition("_")[0] for file in said])


LISTING = CaseSource(
    "listing",
    recognise=lambda place: (place / "labels.json").is_file(),
    read=read_listing,
    label_of=lambda place, file: str(json.loads((place / "labels.json").read_text())[file]),
)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(case_source, "SOURCES", (LISTING, *SOURCES))
    monkeypatch.setattr("breastai.data.preprocessing.cache_store.default_cache_root", lambda: tmp_path / "cache")
    train = tmp_path / "data/train"
    said = {}
    rng = np.random.default_rng(0)
    for number in range(16):
        file = f"2024/P{number // 2}_{number}.png"
        (train / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(train / file)
        said[file] = "malignant" if number % 4 > 1 else "benign"
    (train / "labels.json").write_text(json.dumps(said))
    return tmp_path


CONFIG = parse_config(
    {"data": {"train_dir": "data/train", "val_dir": None, "test_dir": None, "image_size": 32, "num_workers": 0}}
)


def test_cases_of_another_source_are_split_and_keep_their_labels(base: Path) -> None:
    folders = list_folders(CONFIG, base)
    assert folders.class_names == ("benign", "malignant")
    cases = gather_cases(CONFIG, folders, base)
    said = json.loads((base / "data/train/labels.json").read_text())
    assert {case.file: case.label for case in cases.split_file.cases} == said
    assert cases.train.class_of_each == [said[file] for file in cases.train.files]
    again = gather_cases(CONFIG, folders, base, saved=cases.split_file)
    assert again.train.files == cases.train.files


def test_a_page_shows_the_class_that_the_source_says(base: Path) -> None:
    workspace = Workspace(base)
    (listed,) = list_images(ListImages(workspace=str(base), config=CONFIG, split="train"), workspace)
    (shown,) = preview_image(PreviewImage(workspace=str(base), config=CONFIG, split="train"), workspace)
    assert isinstance(listed, ImagesList) and isinstance(shown, ImagePreview)
    assert [image.class_name for image in listed.images[:4]] == ["benign", "benign", "malignant", "malignant"]
    assert (shown.file, shown.class_name) == ("2024/P0_0.png", "benign")


def test_a_split_whose_labels_have_changed_since_is_refused(base: Path) -> None:
    cases = gather_cases(CONFIG, list_folders(CONFIG, base), base)
    file = base / "data/train/labels.json"
    said = json.loads(file.read_text())
    first, _, third, *_ = said
    file.write_text(json.dumps(said | {first: said[third], third: said[first]}))
    prepared = gather_cases(CONFIG, list_folders(CONFIG, base), base).train.prepared
    with pytest.raises(SplitInvalid, match="images missing or changed: 2"):
        check_split(cases.split_file, prepared, None, "split.json")


def test_a_split_saved_before_labels_were_kept_is_still_used(base: Path) -> None:
    folders = list_folders(CONFIG, base)
    cases = gather_cases(CONFIG, folders, base)
    old = cases.split_file.model_dump(mode="json", exclude_none=True)
    for case in old["cases"]:
        del case["label"]
    again = gather_cases(CONFIG, folders, base, saved=SplitFile.model_validate(old))
    assert (again.train.files, again.val.files) == (cases.train.files, cases.val.files)


def test_a_checkpoint_keeps_labels_and_an_older_one_tells_them_by_folder() -> None:
    names = ["2024/a.png", "2023/b.png"]
    assert _labels(["malignant", "benign"], names, ["benign", "malignant"]) == [1, 0]
    older = SplitRecord.model_validate(
        {"train": ["train/Begin/a.png", "malignant/b.png"], "val": [], "train_sha256": ["", ""], "val_sha256": []}
    )
    assert _labels(older.train_labels, older.train, ["benign", "malignant"]) == [0, 1]


def test_class_folders_take_what_no_other_source_does(tmp_path: Path) -> None:
    for number, label in enumerate(("Begin", "malignant")):
        (tmp_path / label).mkdir()
        Image.fromarray(np.full((20, 20), 40 * number + 9, np.uint8)).save(tmp_path / label / "a.png")
    found = read_cases(tmp_path)
    assert [(case.file, case.label) for case in found.cases()] == [
        ("Begin/a.png", "benign"),
        ("malignant/a.png", "malignant"),
    ]


def table(*files: str, root: str = "/r", **columns: list[str | None]) -> CaseTable:
    labels = np.array([number % 2 for number in range(len(files))], dtype=np.int64)
    return CaseTable(Path(root), files, labels, ("a", "b")).with_columns(**columns)


def test_columns_follow_their_cases() -> None:
    found = table("x", "y", "z", patient=["P", "Q", "P"], part=["train", "val", "train"])
    assert found.subset([2, 0]).column("patient") == ("P", "P")
    assert found.without(["x"]).column("part") == ("val", "train")
    assert {part: each.files for part, each in found.by_part().items()} == {"train": ("x", "z"), "val": ("y",)}
    assert found.case(1) == Case("y", "b", Path("/r/y"), patient="Q", part="val")
    assert found.with_columns(part=None).by_part() == {}
    with pytest.raises(ValueError, match="column patient"):
        table("x", patient=["P", "Q"])
    with pytest.raises(ValueError, match="column colour"):
        table("x", colour=["red"])


def test_tables_taken_as_one_keep_the_columns_that_all_have() -> None:
    pooled = pool_tables(
        {
            "train": table("x", patient=["P"], view=["CC"]),
            "val": table("x", root="/v", patient=["Q"]),
        }
    )
    assert [(case.file, case.path, case.patient) for case in pooled.cases()] == [
        ("train/x", Path("/r/x"), "P"),
        ("val/x", Path("/v/x"), "Q"),
    ]
    assert pooled.column("view") is None


def test_a_split_keeps_of_each_case_what_its_table_knows() -> None:
    (case,) = split_cases("train", table("x", part=["left_out"], reason=["duplicate"], sha256=["0"], breast=["L"]))
    assert (case.label, case.part, case.reason, case.laterality) == ("a", "left_out", "duplicate", "L")
