"""The audit as a job: one event for programs, kept for the next time, with pictures only where they are asked for."""

import base64
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from breastai.clinical import audit_job
from breastai.data.cases.label_corrections import correct_dataset
from breastai.domain.config import parse_config
from breastai.domain.dataset_description import parse_description
from breastai.domain.errors import CommandInvalid, DataNotFound
from breastai.domain.event_messages import encode_event
from breastai.domain.events import AuditDone, DatasetCorrected
from breastai.domain.jobs import Audit, CorrectDataset
from breastai.storage.datasets import save_dataset
from breastai.storage.workspace import Workspace


def tissue(seed: int) -> Any:
    generator = np.random.default_rng(seed)
    speckle = cv2.GaussianBlur(generator.rayleigh(size=(90, 100)), (0, 0), 1.5)
    return np.clip(60 * speckle, 0, 180).astype(np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for split, first in (("train", 0), ("val", 50)):
        for number, name in enumerate(("benign", "malignant")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for seed in range(4):
                cv2.imwrite(str(folder / f"{seed}.png"), tissue(first + 10 * number + seed))
    shutil.copy(root / "train" / "benign" / "0.png", root / "val" / "malignant" / "twin.png")
    return root


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "workspace")


def run(workspace: Workspace, data: Path, **options: Any) -> AuditDone:
    event = list(audit_job.audit(Audit(workspace=str(workspace.root), data=str(data), **options), workspace))[-1]
    assert isinstance(event, AuditDone)
    return event


def test_twins_are_told_with_paths_relative_to_the_folder(workspace: Workspace, data: Path) -> None:
    found = run(workspace, data)
    (group,) = found.groups
    assert group.files == ["train/benign/0.png", "val/malignant/twin.png"]
    assert (group.classes, group.splits) == (["benign", "malignant"], ["train", "val"])
    assert group.contradicts and group.crosses and group.pictures == []
    assert {"twins.contradicting", "twins.across_splits"} <= {finding.code for finding in found.findings}
    assert str(data) not in encode_event(found.model_copy(update={"data": ""}))


def test_duplicates_of_a_kept_data_set_carry_the_names_by_which_it_corrects_them(
    workspace: Workspace, data: Path
) -> None:
    assert run(workspace, data).dataset is None
    images = workspace.root / "images"
    shutil.copytree(data, images / "breast")
    described = {"name": "kept", "root": "images", "fields": {"label": {"folder": 3}, "split": {"folder": 2}}}
    save_dataset(workspace, parse_description(described))
    files = ["breast/train/benign/0.png", "breast/val/malignant/twin.png"]
    for place in ("images/breast", "datasets/kept.json"):
        found = run(workspace, Path(place))
        assert (found.dataset, found.class_names) == ("kept", ["benign", "malignant"])
        assert found.groups[0].dataset_files == files
    job = CorrectDataset(workspace=str(workspace.root), name="kept", action="exclude", files=files[1:])
    (corrected,) = correct_dataset(job, workspace)
    assert isinstance(corrected, DatasetCorrected) and corrected.left_out == 1
    assert run(workspace, Path("datasets/kept.json")).groups == []
    folder = run(workspace, Path("images/breast/train"))
    assert folder.dataset == "kept"


def test_a_folder_of_classes_has_one_nameless_split(workspace: Workspace, data: Path) -> None:
    found = run(workspace, data / "train")
    assert (found.images, found.groups) == (8, [])


def test_the_same_images_are_audited_once(workspace: Workspace, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(workspace, data)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("audited again")

    monkeypatch.setattr(audit_job.auditor, "audit", never)
    assert run(workspace, data) == first
    (data / "train" / "benign" / "0.png").unlink()
    with pytest.raises(AssertionError, match="audited again"):
        run(workspace, data)


def test_pictures_of_twins_are_small_and_come_only_when_asked_for(workspace: Workspace, data: Path) -> None:
    for number in range(40):
        for name in ("benign", "malignant"):
            shutil.copy(data / "train" / "benign" / "1.png", data / "train" / name / f"copy{number}.png")
    found = run(workspace, data, pictures=True)
    for group in found.groups:
        assert 2 <= len(group.pictures) <= 4
        for uri in group.pictures:
            kind, _, content = uri.partition(",")
            assert kind == "data:image/jpeg;base64"
            pixels = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
            assert pixels is not None and max(pixels.shape) == 100  # never more than 112, and never enlarged
    assert all(len(finding.files) <= 50 <= finding.count or len(finding.files) == finding.count for finding in found.findings)  # fmt: skip
    assert len(encode_event(found)) < 2**20
    assert "data:image" not in "".join(path.read_text() for path in (workspace.logs_dir / "audits").iterdir())


def test_a_folder_that_is_not_there_is_told(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DataNotFound):
        run(workspace, tmp_path / "nowhere")


def test_another_patient_rule_or_another_constant_is_another_audit(
    workspace: Workspace, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def records() -> int:
        return len(list((workspace.logs_dir / "audits").glob("*.json")))

    run(workspace, data)
    run(workspace, data, patient_id={"pattern": r"^(\w+)\."})
    assert records() == 2
    monkeypatch.setattr(audit_job.duplicate_verification, "LEAST_SHARE", 0.61)
    run(workspace, data)
    monkeypatch.setattr(audit_job.auditor, "_IMBALANCE", 2.9)
    run(workspace, data)
    assert records() == 4


def test_the_folders_of_a_configuration_are_audited_by_its_own_rule(workspace: Workspace, data: Path) -> None:
    config = parse_config(
        {
            "data": {"train_dir": str(data / "train"), "val_dir": str(data / "val"), "test_dir": None},
            "evaluation": {"patient_id": {"pattern": r"^(\w+)\."}},
        }
    )
    job = Audit(workspace=str(workspace.root), config=config, patient_id=config.evaluation.patient_id)
    found = list(audit_job.audit(job, workspace))[-1]
    assert isinstance(found, AuditDone)
    assert {finding.code for finding in found.findings} >= {"patients.across_splits", "patients.same_image"}


def test_an_audit_of_nothing_is_refused(workspace: Workspace) -> None:
    with pytest.raises(CommandInvalid):
        list(audit_job.audit(Audit(workspace=str(workspace.root)), workspace))
