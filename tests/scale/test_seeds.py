"""Runs that differ in their seed alone: a study of ordinary runs, stopped, gone on with, done by a node; its spread."""

from collections.abc import Callable
from pathlib import Path

import pytest

from breastai.domain.config import Config
from breastai.domain.event_messages import decode_event
from breastai.domain.events import Error, Event, SeedsComplete, StudyMemberChanged, StudyStopped, TrainingComplete
from breastai.domain.jobs import ResumeStudy, Train, TrainSeeds
from breastai.scale.remote_task import Ending, Task, run_remote_task
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.studies import read_study, studies
from breastai.storage.workspace import Workspace
from breastai.worker import perform

SEEDS = [3, 8]


def weights(workspace: Workspace, run_id: str) -> str:
    return read_manifest(checkpoint_files(workspace, run_id, "best")).sha256


@pytest.mark.full
def test_a_seed_begun_here_and_one_done_by_a_node_come_to_what_a_single_run_comes_to(
    workspace: Workspace, small_config: Callable[..., Config]
) -> None:
    events: list[Event] = []

    def stop() -> bool:
        return any(isinstance(event, StudyMemberChanged) and event.member.epoch == 1 for event in events)

    config = small_config()
    root = str(workspace.root)
    events.extend(perform(TrainSeeds(workspace=root, study_id="study", seeds=SEEDS, config=config), stop))
    assert isinstance(events[-1], StudyStopped) and events[-1].kind == "seeds"
    study = read_study(workspace, "study")
    assert [(member.run_id, member.state) for member in study.members] == [
        ("study-s3", "stopped"),
        ("study-s8", "waiting"),
    ]
    told: list[Event] = []
    task = Task(study=study, run_id="study-s8", workspace=root, session_id="default")
    ending = run_remote_task(task, "node", lambda line: told.append(decode_event(line)), lambda: False)
    assert ending == Ending(state="complete") and isinstance(told[-1], StudyMemberChanged)
    last = list(perform(ResumeStudy(workspace=root, study_id="study")))[-1]
    assert isinstance(last, SeedsComplete)
    over = read_study(workspace, "study")
    assert (over.state, over.seeds) == ("complete", last.result)
    assert told[-1].member == over.member("study-s8")

    alone = Workspace.open(workspace.root / "alone")
    single = config.model_copy(update={"system": config.system.model_copy(update={"seed": 8})})
    ended = list(perform(Train(workspace=str(alone.root), run_id="run", config=single)))[-1]
    assert isinstance(ended, TrainingComplete)
    assert weights(workspace, "study-s8") == weights(alone, "run") != weights(workspace, "study-s3")
    assert over.member("study-s8").figures["auc_roc"] == ended.final_metrics["auc_roc"]
    aucs = [member.figures["auc_roc"] for member in over.members]
    spread = last.result.spread["auc_roc"]
    assert [spread.low, spread.high] == sorted(aucs, key=lambda auc: auc or 0.0)
    assert last.result.checkpoints == ["study-s3/best", "study-s8/best"]
    assert over.members[0].n == len(list(Path(config.data.val_dir or "").rglob("*.png")))


def test_what_keeps_every_seed_from_beginning_leaves_no_study(
    workspace: Workspace, small_config: Callable[..., Config]
) -> None:
    config = small_config({"data": {"train_dir": "nowhere"}})
    events = list(perform(TrainSeeds(workspace=str(workspace.root), study_id="study", seeds=SEEDS, config=config)))
    assert len(events) == 1 and isinstance(events[0], Error)
    assert studies(workspace) == []
