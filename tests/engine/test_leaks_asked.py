"""A run whose images need an answer: nothing of it is left on disk, and one that goes on is not asked again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from breastai.domain.config import Config
from breastai.domain.events import AuditDone, Error, Event, TrainingComplete, TrainingStarted, TrainingStopped
from breastai.domain.jobs import Crossval, Resume, Train, TrainSeeds
from breastai.engine.training import training_job
from breastai.storage.workspace import Workspace
from breastai.worker import perform

MakeConfig = Callable[..., Config]


@pytest.fixture
def config(sample_data: Path, tmp_path: Path, small_config_on: Callable[[Path], MakeConfig]) -> MakeConfig:
    """Make the small configuration on images of which a third have a mirrored copy."""
    root = tmp_path / "data"
    shutil.copytree(sample_data, root)
    for file in sorted((root / "train").rglob("*.png"))[::3]:
        cv2.imwrite(str(file.with_stem(f"{file.stem}_again")), cv2.imread(str(file))[:, ::-1])
    return lambda *changes: small_config_on(root)({"training": {"epochs": 1}}, *changes)


def asked(events: list[Event]) -> None:
    assert [type(event) for event in events[-2:]] == [AuditDone, Error]
    shown, error = events[-2], events[-1]
    assert isinstance(shown, AuditDone) and isinstance(error, Error)
    assert error.code == "data.leaks_doubtful" and shown.question is not None and shown.groups


def test_a_run_with_doubtful_images_does_not_begin_and_begins_when_answered(
    config: MakeConfig, workspace: Workspace
) -> None:
    job = Train(workspace=str(workspace.root), run_id="run", config=config())
    asked(list(perform(job)))
    assert workspace.runs() == [] and not workspace.run_dir("run").exists()
    assert not workspace.checkpoint_dir("run").exists()
    answered = config({"data": {"on_leak": "group"}})
    events = list(perform(job.model_copy(update={"config": answered})))
    assert isinstance(events[-1], TrainingComplete)


def test_a_run_that_goes_on_is_not_asked_again(config: MakeConfig, workspace: Workspace) -> None:
    started = Train(workspace=str(workspace.root), run_id="run", config=config(), leaks_settled=True)
    stop = iter([False] * 3 + [True] * 10_000)
    seen: list[Event] = []
    begun = lambda: any(isinstance(event, TrainingStarted) for event in seen)  # noqa: E731
    for event in perform(started, lambda: begun() and next(stop)):
        seen.append(event)  # noqa: PERF402
    assert isinstance(seen[-1], TrainingStopped)
    rest = list(perform(Resume(workspace=str(workspace.root), run_id="run")))
    assert isinstance(rest[-1], TrainingComplete)


@pytest.mark.parametrize("kind", [Crossval, TrainSeeds])
def test_a_study_asks_once_before_it_leaves_a_trace(config: MakeConfig, workspace: Workspace, kind: Any) -> None:
    more = {"seeds": [1, 2]} if kind is TrainSeeds else {}
    asked(list(perform(kind(workspace=str(workspace.root), study_id="study", config=config(), **more))))
    assert not workspace.run_dir("study").exists() and workspace.runs() == []


def test_the_first_of_several_processes_tells_the_others_that_a_run_does_not_begin(
    config: MakeConfig, workspace: Workspace
) -> None:
    said: list[str] = []

    class First(training_job.ProcessGroup):
        size = 2

        def broadcast(self, say: Callable[[], str]) -> str:
            said.append(say())
            return said[-1]

    class Second(First):
        rank = 1

        def broadcast(self, say: Callable[[], str]) -> str:
            return said[0]

    job = Train(workspace=str(workspace.root), run_id="run", config=config())
    with pytest.raises(Exception, match="waits for your decision"):
        list(training_job.train(job, workspace, First()))
    assert list(training_job.train(job, workspace, Second())) == []
