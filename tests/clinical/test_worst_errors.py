"""The worst errors of a run: from the record of its latest evaluation, with the pictures that are still there."""

from pathlib import Path

import numpy as np
import pytest

from breastai.clinical.evidence import gather_evidence
from breastai.clinical.judged_images import list_judged
from breastai.clinical.worst_errors import show_errors, wrong_answers
from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import parse_config
from breastai.domain.events import ErrorsShown, JudgedList
from breastai.domain.jobs import ListJudged, ShowErrors
from breastai.domain.records import EvaluationRecord, JudgedCase
from breastai.storage.checkpoints import Manifest, SplitRecord, checkpoint_files
from breastai.storage.evaluations import find_judged, save_evaluation, sha256_of
from breastai.storage.workspace import Workspace

CLASSES = ["benign", "malignant", "normal"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace.open(tmp_path / "workspace")
    write_sample_data(place.root / "data", per_class=8, seed=1, image_size=64)
    files = checkpoint_files(place, "run", "best")
    files.manifest.parent.mkdir(parents=True)
    manifest = Manifest.model_validate(
        {
            "run_id": "run", "kind": "best", "epoch": 1, "created": "2026-01-01T00:00:00+00:00", "sha256": "0" * 64,
            "architecture": "resnet50", "class_names": CLASSES, "image_size": 64, "mean": [0.5] * 3, "std": [0.5] * 3,
            "config": parse_config({}), "split": SplitRecord(description="given", train=[], val=[], train_sha256=[], val_sha256=[]), "pretrained": "none",
            "metrics": {}, "versions": {},
        }
    )  # fmt: skip
    files.manifest.write_text(manifest.model_dump_json())
    place.run_dir("run").mkdir()
    place.journal_file("run").touch()
    files.weights.write_bytes(b"")
    return place


def record(workspace: Workspace, split: str) -> EvaluationRecord:
    """A record of the images of a split, each answered with less and less for the truth; the first half rightly."""
    root = workspace.root / "data" / split
    names = sorted(path.relative_to(root).as_posix() for path in root.glob("*/*.png"))
    rows, labels = [], []
    for number, name in enumerate(names):
        truth = CLASSES.index(name.split("/")[0].lower())
        share = 0.9 - 0.8 * number / (len(names) - 1)
        row = [(1 - share) * part for part in (0.25, 0.25, 0.75)]
        row[truth], row[(truth + 1) % 3] = share, (1 - share) * 0.9
        row[(truth + 2) % 3] = (1 - share) * 0.1
        rows.append(row)
        labels.append(truth)
    cases = [
        JudgedCase(name_sha256=sha256_of(name), patient_sha256=None, label=CLASSES[label], probabilities=row)
        for name, label, row in zip(names, labels, rows, strict=True)
    ]
    return EvaluationRecord(
        notice="", created="2026-01-01T00:00:00+00:00", breastai="4", run_id="run", checkpoint="run/best",
        checkpoint_sha256="0" * 64, data=f"data/{split}", split=split, fingerprint="f", opened=1, skipped=0, notes=[],
        evidence=gather_evidence(np.array(labels), np.array(rows), CLASSES, None, repetitions=5), cases=cases,
    )  # fmt: skip


def shown(workspace: Workspace) -> ErrorsShown:
    (event,) = show_errors(ShowErrors(workspace=str(workspace.root), run_id="run"), workspace)
    assert isinstance(event, ErrorsShown)
    return event


def test_the_most_confident_wrong_answers_come_first_with_their_pictures(workspace: Workspace) -> None:
    kept = record(workspace, "val")
    save_evaluation(workspace, kept)
    found = shown(workspace)
    assert (found.data, found.split, found.cases) == ("data/val", "val", len(kept.cases))
    assert 0 < found.wrong < found.cases
    truths = [case.given_to_truth for case in found.worst]
    assert truths == sorted(truths)
    assert all(case.label != case.predicted and case.probability > case.given_to_truth for case in found.worst)
    assert all((case.picture or "").startswith("data:image/jpeg") for case in found.worst)
    assert sha256_of(found.worst[0].file or "") == kept.cases[-1].name_sha256
    assert wrong_answers(kept)[0][0] == len(kept.cases) - 1


def test_images_that_are_gone_leave_the_case_without_a_picture(workspace: Workspace) -> None:
    save_evaluation(workspace, record(workspace, "val"))
    (workspace.root / "data" / "val").rename(workspace.root / "elsewhere")
    assert {(case.file, case.picture) for case in shown(workspace).worst} == {(None, None)}


def test_images_from_elsewhere_are_found_beside_the_run_s_own_by_the_last_names_a_record_keeps(
    workspace: Workspace,
) -> None:
    kept = record(workspace, "val")
    elsewhere = workspace.root / "data" / "others" / "val"
    elsewhere.parent.mkdir()
    (workspace.root / "data" / "val").rename(elsewhere)
    save_evaluation(workspace, kept.model_copy(update={"data": "others/val"}))
    assert all(case.file for case in shown(workspace).worst)
    (listed,) = list_judged(ListJudged(workspace=str(workspace.root), run_id="run"), workspace)
    assert isinstance(listed, JudgedList) and all(image.file for image in listed.images)


def test_validation_images_come_before_test_images_however_late_those_were_judged(workspace: Workspace) -> None:
    for split in ("val", "test"):
        save_evaluation(workspace, record(workspace, split))
    assert find_judged(workspace, "run", None).split == "val"


def test_a_run_that_was_not_evaluated_has_no_errors_to_show(workspace: Workspace) -> None:
    assert (shown(workspace).data, shown(workspace).worst) == (None, [])
