"""The images of an evaluation as a table: sorted, filtered, paged, with what was made of them since, and one by one."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from breastai.clinical.evidence import gather_evidence
from breastai.clinical.judged_images import JudgedRow, _is_meant, _order, _subgroups, list_judged, show_judged
from breastai.data.cases.label_corrections import correct_dataset
from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import parse_config
from breastai.domain.dataset_description import parse_description
from breastai.domain.errors import EvaluationNotFound
from breastai.domain.events import JudgedList, JudgedShown
from breastai.domain.jobs import CorrectDataset, ListJudged, ShowJudged
from breastai.domain.judged_cases import JudgedFilter
from breastai.domain.records import EvaluationRecord, JudgedCase
from breastai.storage.checkpoints import Manifest, SplitRecord, checkpoint_files
from breastai.storage.datasets import save_dataset
from breastai.storage.evaluations import save_evaluation, sha256_of
from breastai.storage.workspace import Workspace

CLASSES = ["benign", "malignant", "normal"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace.open(tmp_path / "workspace")
    write_sample_data(place.root / "data", per_class=8, seed=1, image_size=64)
    config = parse_config({"evaluation": {"patient_id": "(P[0-9]+)_"}})
    files = checkpoint_files(place, "run", "best")
    files.manifest.parent.mkdir(parents=True)
    manifest = Manifest.model_validate(
        {
            "run_id": "run", "kind": "best", "epoch": 1, "created": "2026-01-01T00:00:00+00:00", "sha256": "0" * 64,
            "architecture": "resnet50", "class_names": CLASSES, "image_size": 64, "mean": [0.5] * 3, "std": [0.5] * 3,
            "config": config, "split": SplitRecord(description="given", train=[], val=[], train_sha256=[], val_sha256=[]), "pretrained": "none",
            "metrics": {}, "versions": {},
        }
    )  # fmt: skip
    files.manifest.write_text(manifest.model_dump_json())
    files.weights.write_bytes(b"")
    place.journal_file("run").parent.mkdir(parents=True, exist_ok=True)
    place.journal_file("run").touch()
    save_evaluation(place, record(place, "val"))
    return place


def record(workspace: Workspace, split: str) -> EvaluationRecord:
    """A record of the images of a split, each answered with less and less for the truth; the first half rightly."""
    root = workspace.root / "data" / split
    names = sorted(path.relative_to(root).as_posix() for path in root.glob("*/*.png"))
    rows, labels = [], []
    for number, name in enumerate(names):
        truth = CLASSES.index(name.split("/")[0].lower())
        share = 0.9 - 0.8 * number / (len(names) - 1)
        row = [0.0] * 3
        row[truth], row[(truth + 1) % 3], row[(truth + 2) % 3] = share, (1 - share) * 0.9, (1 - share) * 0.1
        rows.append(row)
        labels.append(truth)
    cases = [
        JudgedCase(
            name_sha256=sha256_of(name), label=CLASSES[label], probabilities=row, subgroups={"half": str(number % 2)}
        )
        for number, (name, label, row) in enumerate(zip(names, labels, rows, strict=True))
    ]
    return EvaluationRecord(
        notice="", created="2026-01-01T00:00:00+00:00", breastai="4", run_id="run", checkpoint="run/best",
        data=f"data/{split}", split=split, fingerprint="f", opened=1, notes=[], cases=cases,
        evidence=gather_evidence(np.array(labels), np.array(rows), CLASSES, None, repetitions=5),
    )  # fmt: skip


def listed(workspace: Workspace, **fields: Any) -> JudgedList:
    job = ListJudged.model_validate({"workspace": str(workspace.root), "run_id": "run"} | fields)
    (event,) = list_judged(job, workspace)
    assert isinstance(event, JudgedList)
    return event


def shown(workspace: Workspace, number: int, **fields: Any) -> JudgedShown:
    job = ShowJudged.model_validate({"workspace": str(workspace.root), "run_id": "run", "number": number} | fields)
    (event,) = show_judged(job, workspace)
    assert isinstance(event, JudgedShown)
    return event


def test_every_image_is_listed_by_name_and_patient_the_worst_first(workspace: Workspace) -> None:
    found = listed(workspace)
    assert found.total == found.cases == len(found.images) == 6
    shares = [row.given_to_truth for row in found.images]
    assert shares == sorted(shares) and found.patients
    for row in found.images:
        assert row.file is not None and row.label == row.file.split("/")[0].lower()
        assert row.patient is not None and row.patient in row.file


def test_pages_follow_each_other_in_any_order_without_a_gap(workspace: Workspace) -> None:
    for sort in ("file", "label", "probability", "refer"):
        whole = [row.number for row in listed(workspace, sort=sort, descending=True).images]
        pages = [
            listed(workspace, sort=sort, descending=True, first=first, limit=4) for first in range(0, len(whole), 4)
        ]
        assert [row.number for page in pages for row in page.images] == whole
    names = [row.file or "" for row in listed(workspace, sort="file", descending=True).images]
    assert names == sorted(names, key=str.casefold, reverse=True)


def test_a_cell_of_the_confusion_matrix_holds_the_images_it_counts(workspace: Workspace) -> None:
    matrix = record(workspace, "val").evidence.confusion_matrix
    for row, label in enumerate(CLASSES):
        for column, predicted in enumerate(CLASSES):
            found = listed(workspace, only={"label": label, "predicted": predicted})
            assert found.total == matrix[row][column]
            assert {(image.label, image.predicted) for image in found.images} <= {(label, predicted)}


def test_images_are_filtered_by_what_is_known_of_them(workspace: Workspace) -> None:
    every = listed(workspace).images
    right = listed(workspace, only={"right": True})
    assert right.total == sum(row.label == row.predicted for row in every) and 0 < right.total < len(every)
    half = listed(workspace, only={"subgroup": "half", "subgroup_value": "1"})
    assert half.total == len(every) // 2 and half.subgroups == {"half": ["0", "1"]}
    patient = every[0].patient or ""
    assert {row.patient for row in listed(workspace, only={"search": f"{patient} png"}).images} == {patient}
    assert listed(workspace, only={"refer": True}).total == 0
    assert [row.number for row in listed(workspace, only={"numbers": [3, 1]}, sort="file").images] == [1, 3]


def test_a_correction_made_since_is_told(workspace: Workspace) -> None:
    split = {"path": "^(train|val|test)/"}
    described = {"name": "ours", "root": "data", "fields": {"label": {"folder": 2}, "split": split}}
    save_dataset(workspace, parse_description(described))
    found = listed(workspace, limit=1)
    (image,) = found.images
    assert found.dataset == "ours" and image.dataset_file == f"val/{image.file}"
    values = {"workspace": str(workspace.root), "name": "ours", "action": "exclude", "files": [image.dataset_file]}
    list(correct_dataset(CorrectDataset.model_validate(values | {"note": "text"}), workspace))
    (corrected,) = listed(workspace, only={"corrected": True}).images
    assert (corrected.number, corrected.correction, corrected.correction_note) == (image.number, "exclude", "text")


def test_an_image_is_shown_large_with_what_marks_its_lesion(workspace: Workspace) -> None:
    image = listed(workspace, sort="file").images[0]
    found = shown(workspace, image.number)
    assert found.image.file == image.file and (found.pictures.image or "").startswith("data:image/jpeg")
    assert (found.pictures.mask, found.pictures.heat_map) == (None, None)
    path = workspace.root / (found.pictures.path or "")
    mask = np.zeros(cv2.imread(str(path)).shape[:2], np.uint8)
    mask[10:20, 10:30] = 255
    cv2.imwrite(str(path.with_name(f"{path.stem}_mask.png")), mask)
    outlined = shown(workspace, image.number).pictures
    assert (outlined.mask or "").startswith("data:image/jpeg") and outlined.mask != outlined.image


def test_a_heat_map_is_taken_from_its_own_folder_only(workspace: Workspace) -> None:
    drawn = workspace.exports_dir / "heat_maps" / "run_best" / "a.png"
    drawn.parent.mkdir(parents=True)
    cv2.imwrite(str(drawn), np.full((20, 20, 3), 90, np.uint8))
    assert (shown(workspace, 0, heat_map=workspace.relative(drawn)).pictures.heat_map or "").startswith("data:image")
    elsewhere = next((workspace.root / "data").rglob("*.png"))
    for name in (workspace.relative(elsewhere), "exports/heat_maps/../../config.json", "exports/heat_maps/gone.png"):
        assert shown(workspace, 0, heat_map=name).pictures.heat_map is None


def test_images_that_are_gone_keep_their_figures(workspace: Workspace) -> None:
    (workspace.root / "data" / "val").rename(workspace.root / "elsewhere")
    found = listed(workspace)
    assert {row.file for row in found.images} == {None} and found.cases == len(found.images)
    assert shown(workspace, 0).pictures.image is None


def test_images_that_come_back_are_seen_again_and_those_that_go_are_not(workspace: Workspace) -> None:
    place = workspace.root / "data" / "val"
    assert listed(workspace).images[0].file is not None
    place.rename(workspace.root / "elsewhere")
    assert {row.file for row in listed(workspace).images} == {None}
    (workspace.root / "elsewhere").rename(place)
    found = listed(workspace)
    assert None not in {row.file for row in found.images}
    gone = found.images[0]
    (place / (gone.file or "")).unlink()
    assert [row.number for row in listed(workspace).images if row.file is None] == [gone.number]


def test_an_evaluation_or_image_there_is_not_is_named(workspace: Workspace) -> None:
    with pytest.raises(EvaluationNotFound):
        listed(workspace, name="test-9")
    every = listed(workspace).total
    assert shown(workspace, every - 1) is not None
    for number in (every, 10_000):
        with pytest.raises(EvaluationNotFound):
            shown(workspace, number)


def row(number: int, **known: Any) -> JudgedRow:
    values = {
        "file": None, "patient": None, "dataset_file": None, "label": "benign", "predicted": "benign", "probability": 0.5,
        "given_to_truth": 0.5, "probability_of_target": None, "refer": None, "refer_reason": None, "novelty": None, "subgroups": {},
    }  # fmt: skip
    return JudgedRow(**{"number": number, **values, **known})


@pytest.mark.parametrize(("descending", "order"), [(False, [3, 0, 4, 1, 2]), (True, [0, 4, 3, 1, 2])])
def test_rows_without_a_value_come_last_either_way_and_equals_as_in_the_record(
    descending: bool, order: list[int]
) -> None:
    values = {0: 0.7, 1: None, 2: None, 3: 0.0, 4: 0.7}
    rows = [row(number, novelty=value) for number, value in values.items()]
    assert [each.number for each in sorted(rows, key=_order("novelty", descending), reverse=descending)] == order
    names = [row(0, file="b"), row(1, file="A"), row(2), row(3, file="a")]
    assert [each.number for each in sorted(names, key=_order("file", False))] == [1, 3, 0, 2]


@pytest.mark.parametrize(
    ("only", "meant"),
    [
        ({}, [0, 1, 2]),
        ({"label": "benign"}, [0, 1]),
        ({"predicted": "malignant"}, [1, 2]),
        ({"right": True}, [0, 2]),
        ({"right": False}, [1]),
        ({"refer": True}, [1]),
        ({"refer": False}, [0]),
        ({"corrected": True}, [2]),
        ({"corrected": False}, [0, 1]),
        ({"subgroup": "site", "subgroup_value": "A"}, [0]),
        ({"subgroup": "site"}, [1, 2]),
        ({"numbers": [2, 0]}, [0, 2]),
        ({"search": "P1 PNG"}, [0]),
        ({"search": "P1 tif"}, []),
        ({"label": "benign", "right": False}, [1]),
    ],
)
def test_each_filter_holds_for_what_it_names_and_all_hold_together(only: dict[str, Any], meant: list[int]) -> None:
    rows = [
        row(0, file="x.png", patient="P1", refer=False, subgroups={"site": "A"}),
        row(1, predicted="malignant", refer=True, subgroups={"site": ""}),
        row(2, label="malignant", predicted="malignant", correction="exclude"),
    ]
    asked = JudgedFilter.model_validate(only)
    assert [each.number for each in rows if _is_meant(each, asked)] == meant


def test_values_of_subgroups_are_listed_in_order_up_to_a_bound() -> None:
    rows = tuple(row(number, subgroups={"site": f"{number:03}", "device": "A"}) for number in reversed(range(201)))
    assert _subgroups(rows) == {"device": ["A"], "site": [f"{number:03}" for number in range(200)]}
