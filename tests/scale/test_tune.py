"""Tuning: the default first, the best saved to train from, the same after a kill, and never a look at the test images."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from breastai.domain.config import Config, overlay, parse_config, read_config_file
from breastai.domain.errors import LossNotFinite, MissingExtra
from breastai.domain.events import (
    Error,
    Event,
    Log,
    StudyMemberChanged,
    StudyStarted,
    StudyStopped,
    TrainingComplete,
    TuningComplete,
    TuningUpdate,
)
from breastai.domain.jobs import ResumeStudy, Train, Tune
from breastai.domain.study import Study
from breastai.scale.trial_run import OBJECTIVE, trial_config
from breastai.storage.checkpoints import list_checkpoints
from breastai.storage.documents import read_document
from breastai.storage.studies import read_study
from breastai.storage.workspace import Workspace
from breastai.worker import perform

SPACE = [
    {"setting": "training.learning_rate", "low": 1e-5, "high": 1e-2, "log": True},
    {"setting": "training.optimizer", "choices": ["adamw", "sgd"]},
]
LITE0 = {"architecture": "tf_efficientnet_lite0"}  # has room to improve on the configuration as it is
TUNING = {"trials": 5, "epochs": 2, "random_trials": 3, "whole_trials": 2, "warmup_epochs": 1, "space": SPACE}


@dataclass
class Tuned:
    workspace: Workspace
    config: Config
    events: list[Event]
    copies: Path
    opened: list[str]

    @property
    def study(self) -> Study:
        return read_study(self.workspace, "s")


def course(study: Study) -> list[tuple[Any, ...]]:
    """What each trial tried, how it ended, and its curve."""
    return [(member.values, member.state, member.epoch, member.curves[OBJECTIVE]) for member in study.members]


def started(workspace: Workspace, config: Config, stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    return perform(Tune(workspace=str(workspace.root), study_id="s", config=config), stop)


def gone_on(workspace: Workspace) -> list[Event]:
    return list(perform(ResumeStudy(workspace=str(workspace.root), study_id="s")))


@pytest.fixture(scope="module")
def looked_at() -> Callable[[Path], list[str]]:
    """Start noting which files below a folder Python opens or lists; the list grows as it does."""
    watched: dict[str, list[str]] = {}

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.listdir", "os.scandir") and watched:
            path = str(arguments[0])
            for folder, found in watched.items():
                if path.startswith(folder):
                    found.append(path)

    sys.addaudithook(note)

    def watch(folder: Path) -> list[str]:
        return watched.setdefault(str(folder), [])

    return watch


@pytest.fixture(scope="module")
def tuned(
    tmp_path_factory: pytest.TempPathFactory,
    sample_data: Path,
    small_config: Callable[..., Config],
    looked_at: Callable[[Path], list[str]],
) -> Tuned:
    """One whole tuning; `copies` holds the workspace as kills at two moments would have left it."""
    folder = tmp_path_factory.mktemp("tuned")
    workspace = Workspace.open(folder / "workspace")
    test = sample_data / "test"
    assert test.is_dir()
    opened = looked_at(test)
    config = small_config({"data": {"test_dir": str(test)}, "tuning": TUNING, "model": LITE0})
    events = []
    for event in started(workspace, config):
        events.append(event)
        if isinstance(event, StudyMemberChanged) and event.member.trial == 3 and event.member.epoch > 0:
            name = "in_a_trial" if event.member.state == "running" else "after_a_trial"
            if not (folder / name).exists():
                shutil.copytree(workspace.root, folder / name)
    return Tuned(workspace, config, events, folder, list(opened))


@pytest.mark.full
def test_the_first_trial_is_the_configuration_as_it_is_and_runs_whole(tuned: Tuned) -> None:
    first = tuned.study.members[0]
    assert (first.trial, first.state, first.epoch) == (0, "complete", 2)
    assert first.values == {"training.learning_rate": 0.0003, "training.optimizer": "adamw"}


def test_the_end_tells_default_best_and_what_ending_trials_early_has_saved(tuned: Tuned) -> None:
    last, members = tuned.events[-1], tuned.study.members
    assert isinstance(last, TuningComplete) and last.reason == "trials"
    state = last.tuning
    assert state == tuned.study.tuning and tuned.study.state == "complete"
    assert (state.done, state.trials, len(members)) == (5, 5, 5)
    assert state.default_auc == max(members[0].curves[OBJECTIVE])  # type: ignore[type-var]
    whole = [member for member in members if member.state == "complete"]
    assert state.best_auc == max(max(member.curves[OBJECTIVE]) for member in whole)  # type: ignore[type-var]
    assert state.epochs_run == sum(member.epoch for member in members)
    assert state.epochs_run + state.epochs_saved == 5 * 2
    assert state.epochs_saved > 0 and any(member.state == "pruned" for member in members)
    assert state.val_images == 6 and state.spent_s > 0
    told = [event.tuning.done for event in tuned.events if isinstance(event, TuningUpdate)]
    assert told == [1, 2, 3, 4, 5]


def test_training_from_what_was_saved_gives_the_best_trial_s_figure(tuned: Tuned) -> None:
    state = tuned.study.tuning
    assert state is not None and state.improved and state.config_name == "tuned-s"
    values = read_config_file(tuned.workspace.configs_dir / "tuned-s.json")
    assert "server" not in values and "tuning" not in values
    config = parse_config(values)
    assert config.data.test_dir == tuned.config.data.test_dir
    job = Train(workspace=str(tuned.workspace.root), run_id="again", config=config)
    last = list(perform(job))[-1]
    assert isinstance(last, TrainingComplete)
    assert last.final_metrics["auc_roc"] == state.best_auc
    assert read_document(tuned.workspace, "named_config", "tuned-s").text


def test_only_the_best_trial_s_best_weights_are_left(tuned: Tuned) -> None:
    state = tuned.study.tuning
    assert state is not None
    kept = [entry.checkpoint for entry in list_checkpoints(tuned.workspace) if entry.run_id.startswith("s-")]
    assert kept == [f"{state.best}/best"]


def test_no_test_image_is_opened_nor_its_folder_listed(
    tuned: Tuned, looked_at: Callable[[Path], list[str]], sample_data: Path
) -> None:
    assert tuned.opened == []
    before = len(looked_at(sample_data / "test"))
    next((sample_data / "test").rglob("*.png")).read_bytes()
    assert len(looked_at(sample_data / "test")) > before  # whoever does look is seen


@pytest.mark.full
@pytest.mark.parametrize("moment", ["in_a_trial", "after_a_trial"])
def test_what_a_kill_leaves_is_gone_on_with_to_the_same_trials_none_counted_twice(tuned: Tuned, moment: str) -> None:
    workspace = Workspace.open(tuned.copies / moment)
    events = gone_on(workspace)
    assert isinstance(events[0], StudyStarted) and isinstance(events[-1], TuningComplete)
    study = read_study(workspace, "s")
    assert course(study) == course(tuned.study)
    assert study.tuning is not None and tuned.study.tuning is not None
    timeless = {"spent_s": 0.0}
    assert study.tuning.model_copy(update=timeless) == tuned.study.tuning.model_copy(update=timeless)
    ran = {event.member.run_id for event in events if isinstance(event, StudyMemberChanged)}
    assert ran == ({"s-t03", "s-t04"} if moment == "in_a_trial" else {"s-t04"})


def test_a_stop_keeps_the_trial_s_place(tuned: Tuned, workspace: Workspace) -> None:
    seen: list[Event] = []

    def stop() -> bool:
        return any(isinstance(event, StudyMemberChanged) and event.member.epoch == 1 for event in seen)

    few = {"tuning": {"trials": 1}}
    config = parse_config(overlay(tuned.config.model_dump(mode="json"), few))
    seen.extend(started(workspace, config, stop))
    assert isinstance(seen[-1], StudyStopped)
    study = read_study(workspace, "s")
    assert (study.state, [member.state for member in study.members]) == ("stopped", ["stopped"])
    gone_on(workspace)
    study = read_study(workspace, "s")
    assert course(study) == course(tuned.study)[:1]
    assert study.tuning is not None and not study.tuning.improved and study.tuning.config_name is None
    assert not workspace.configs_dir.exists()


@pytest.mark.full
def test_a_trial_that_does_not_work_is_told_of_and_the_search_goes_on(
    workspace: Workspace, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    from breastai.engine.training import loop

    epoch_update = loop._epoch_update

    def update(run: Any, *rest: Any) -> Any:
        if run.run_id == "s-t01":
            raise LossNotFinite(1, 3, 12.5)
        return epoch_update(run, *rest)

    monkeypatch.setattr(loop, "_epoch_update", update)
    config = small_config({"tuning": {**TUNING, "trials": 3, "epochs": 1}})
    events = list(started(workspace, config))
    assert "tuning.trial_failed" in [event.code for event in events if isinstance(event, Log)]
    study = read_study(workspace, "s")
    assert study.state == "complete"
    assert [member.state for member in study.members] == ["complete", "failed", "complete"]


def test_no_new_trial_begins_once_the_hours_are_used_up(
    workspace: Workspace, small_config: Callable[..., Config]
) -> None:
    config = small_config({"tuning": {**TUNING, "epochs": 1, "max_hours": 1e-6}})
    last = list(started(workspace, config))[-1]
    assert isinstance(last, TuningComplete) and last.reason == "time"
    assert (last.tuning.done, last.tuning.trials) == (1, 5)


def test_without_an_auc_there_is_nothing_to_tune_by(
    workspace: Workspace, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    from breastai.engine.training import loop

    measure = loop.measure_epoch

    def without_auc(*rest: Any) -> Any:
        measured = measure(*rest)
        return measured._replace(metrics=measured.metrics | {"auc_roc": None})

    monkeypatch.setattr(loop, "measure_epoch", without_auc)
    last = list(started(workspace, small_config({"tuning": {**TUNING, "epochs": 1}})))[-1]
    assert isinstance(last, Error) and last.code == "tuning.undefined"


def test_a_study_that_is_there_is_not_begun_again(tuned: Tuned) -> None:
    before = tuned.study
    (event,) = list(started(tuned.workspace, tuned.config))
    assert isinstance(event, Error) and event.code == "study.exists"
    assert tuned.study == before


def test_what_is_wrong_with_the_images_is_told_before_anything_is_on_disk(
    workspace: Workspace, small_config: Callable[..., Config]
) -> None:
    events = list(started(workspace, small_config({"data": {"train_dir": "nowhere"}})))
    assert [event.code for event in events if isinstance(event, Error)] == ["data.not_found"]
    assert not (workspace.logs_dir / "s").exists()


def test_without_optuna_the_error_says_what_to_install(
    workspace: Workspace, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "breastai.scale.optuna_trials", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    (event,) = list(started(workspace, small_config()))
    assert isinstance(event, Error) and event.code == MissingExtra.code
    assert "breastai[tune]" in event.message


def test_a_trial_is_judged_by_auc_without_test_images_whatever_the_settings_say(
    small_config: Callable[..., Config],
) -> None:
    config = small_config({"data": {"test_dir": "data/test"}, "training": {"export_onnx": True}, "tuning": TUNING})
    trial = trial_config(config, {"training.learning_rate": 0.01})
    assert (trial.data.test_dir, trial.training.export_onnx) == (None, False)
    assert (trial.training.epochs, trial.training.learning_rate) == (2, 0.01)
    assert trial.training.early_stopping.monitor == OBJECTIVE
    assert (trial.system, trial.evaluation, trial.data.val_dir) == (
        config.system,
        config.evaluation,
        config.data.val_dir,
    )
