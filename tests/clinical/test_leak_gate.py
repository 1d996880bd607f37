"""The gate before a run: what is doubtful is asked, what is answered or was asked before is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from breastai.clinical import leak_gate
from breastai.clinical.leak_gate import pass_gate
from breastai.data.cases.run_folders import list_folders
from breastai.domain.config import Config, parse_config
from breastai.domain.errors import LeaksDoubtful, TwinsFound
from breastai.domain.events import AuditDone, Event, Log, ProgressUpdate
from breastai.storage.workspace import Workspace

from .test_audit import tissue

Pass = Callable[..., list[Event]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, first, count in (("train", 0, 10), ("val", 100, 2)):
        for number, name in enumerate(("benign", "malignant")):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for seed in range(first + 50 * number, first + 50 * number + count):
                cv2.imwrite(str(folder / f"P{seed}_0.png"), tissue(seed))
    return tmp_path / "data"


def copy_in_mirror(root: Path, split: str, name: str, seed: int) -> None:
    cv2.imwrite(str(root / split / name / f"P{seed}_1.png"), tissue(seed)[:, ::-1])


def config_of(root: Path, patient_id: str | None = None, **data: Any) -> Config:
    folders = {"train_dir": str(root / "train"), "val_dir": str(root / "val"), "test_dir": None}
    return parse_config({"data": folders | data, "evaluation": {"patient_id": patient_id}})


@pytest.fixture
def passing(workspace: Workspace, root: Path) -> Pass:
    def run(asked: bool = True, **options: Any) -> list[Event]:
        config = config_of(root, **options)
        asker = ("train", config) if asked else None
        return list(pass_gate(config, list_folders(config, workspace.root), workspace, asker=asker))

    return run


def question(workspace: Workspace, config: Config) -> AuditDone:
    told: list[Event] = []
    gate = pass_gate(config, list_folders(config, workspace.root), workspace, asker=("train", config))
    with pytest.raises((LeaksDoubtful, TwinsFound)):
        for event in gate:
            told += [event]
    assert isinstance(told[-1], AuditDone)
    return told[-1]


def test_sound_images_pass_without_a_question(passing: Pass) -> None:
    assert all(isinstance(event, ProgressUpdate) for event in passing())


def test_a_few_near_duplicates_are_no_question(root: Path, passing: Pass) -> None:
    copy_in_mirror(root, "train", "benign", 0)
    assert all(isinstance(event, ProgressUpdate) for event in passing())


def test_near_duplicates_beyond_a_tenth_are_shown_and_asked_and_an_answer_passes(
    root: Path, workspace: Workspace, passing: Pass
) -> None:
    for seed in range(3):
        copy_in_mirror(root, "train", "benign", seed)
    with pytest.raises(LeaksDoubtful) as caught:
        passing()
    assert (caught.value.images, caught.value.alike, caught.value.groups, caught.value.lost) == (27, 6, 3, 0)
    assert "train/benign/P0_0.png, train/benign/P0_1.png" in caught.value.pairs
    shown = question(workspace, config_of(root))
    assert shown.question is not None and shown.question.code == LeaksDoubtful.code
    assert shown.question.config["data"]["on_leak"] == "auto" and "server" not in shown.question.config
    assert shown.groups_total == 3 and all(len(group.pictures) == 2 for group in shown.groups)
    for answer in ("group", "exclude", "continue"):
        passing(on_leak=answer)
    passing(asked=False)
    passing(patient_id=r"^(P\d+)_")  # of one patient each: no wonder


def test_a_run_that_would_lose_a_tenth_of_its_training_images_is_asked(
    root: Path, passing: Pass, workspace: Workspace
) -> None:
    for seed in range(3):  # other views of patients who train
        cv2.imwrite(str(root / "val" / "benign" / f"P{seed}_1.png"), tissue(900 + seed))
    passing()  # nobody knows of patients
    with pytest.raises(LeaksDoubtful) as caught:
        passing(patient_id=r"^(P\d+)_")
    assert (caught.value.alike, caught.value.patients, caught.value.lost, caught.value.train) == (0, 3, 3, 20)
    with pytest.raises(LeaksDoubtful) as asked:  # who asks is told no less than who leaves it to us
        passing(patient_id=r"^(P\d+)_", on_leak="ask")
    assert asked.value.lost == 3


def test_a_given_split_was_answered_when_it_was_made(root: Path, passing: Pass) -> None:
    for seed in range(3):
        copy_in_mirror(root, "train", "benign", seed)
    passing(split_file="split.json")


def test_a_long_search_for_duplicates_is_told_where_nothing_says_whose_the_images_are(
    passing: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(**options: Any) -> list[str]:
        return [event.code for event in passing(asked=False, **options) if isinstance(event, Log)]

    assert told() == []
    monkeypatch.setattr("breastai.data.duplicates.near_duplicates.MOST_COMPARED", 20)
    assert told() == ["data.long_search"]
    assert told(patient_id="^(P[0-9]+)_") == []


@pytest.mark.parametrize(("most", "patient_id", "told"), [(23, None, [1]), (24, None, []), (23, r"^(P\d+)", [])])
def test_that_duplicates_are_sought_among_very_many_images_is_told_where_patients_are_unknown(
    root: Path,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    patient_id: str | None,
    told: list[int],
) -> None:
    monkeypatch.setattr(leak_gate.near_duplicates, "MOST_COMPARED", most)
    config = config_of(root, patient_id)
    folders = list_folders(config, workspace.root)
    logs = list(leak_gate._long_search(config, folders))
    assert [log.params["minutes"] for log in logs] == told and all(log.params["count"] == 24 for log in logs)
    monkeypatch.setattr(leak_gate, "_SEARCH_MS", 10_000)  # for each image: 24 take four minutes
    assert [log.params["minutes"] for log in leak_gate._long_search(config, folders)] == [4] * len(told)
