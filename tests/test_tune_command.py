"""`breastai tune`: what it asks of the worker, and how it tells what was found."""

import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from breastai.cli import run
from breastai.domain.config import Config
from breastai.domain.events import Event, StudyMemberChanged, StudyStarted, StudyStopped, TuningComplete
from breastai.domain.jobs import AnyJob, ResumeStudy, Tune
from breastai.domain.study import SettingImportance, Study, StudyMember, TuningState
from breastai.storage.studies import save_study
from breastai.storage.workspace import Workspace

KNOWN = TuningState(
    trials=3,
    done=3,
    spent_s=125,
    default_auc=0.8,
    best="s-t01",
    best_auc=0.85,
    val_images=78,
    epochs_run=8,
    epochs_saved=4,
    importance=[SettingImportance(setting="training.learning_rate", share=0.75)],
    config_name="tuned-s",
)
STUDY = Study(study_id="s", kind="tuning", created="2026-01-01", config=Config().model_dump(mode="json"), members=[])
STARTED = StudyStarted(study=STUDY.model_copy(update={"tuning": TuningState(trials=3)}))
TRIAL = StudyMember(run_id="s-t01", trial=1, epochs=4, epoch=1, state="pruned", figures={"auc_roc": 0.7})
COMPLETE = TuningComplete(
    study_id="s", tuning=KNOWN, values={"training.learning_rate": 0.00123456, "training.use_ema": True}, reason="trials"
)


class Worker:
    def __init__(self) -> None:
        self.jobs: list[AnyJob] = []
        self.events: list[Event] = []

    def perform(self, job: AnyJob, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        self.jobs.append(job)
        return iter(self.events)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    fake = Worker()
    module = types.ModuleType("breastai.worker")
    module.perform = fake.perform  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "breastai.worker", module)
    return fake


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for class_name in ("benign", "malignant"):
        (tmp_path / "data" / "train" / class_name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_trials_hours_and_epochs_are_settings_of_the_search_and_not_of_the_training(
    worker: Worker, place: Path
) -> None:
    arguments = [
        "--preset",
        "quick",
        "--trials",
        "7",
        "--hours",
        "1.5",
        "--epochs",
        "6",
        "--set",
        "tuning.pruning=false",
    ]
    assert run(["tune", *arguments]) == 0
    (job,) = worker.jobs
    assert isinstance(job, Tune)
    tuning = job.config.tuning
    assert (tuning.trials, tuning.max_hours, tuning.epochs, tuning.pruning) == (7, 1.5, 6, False)
    assert (job.config.training.epochs, job.config.model.architecture) == (12, "tf_efficientnet_lite0")


def test_a_study_is_gone_on_with_by_its_name_and_as_it_was_planned(
    worker: Worker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_study(Workspace.open(place), STUDY)
    assert run(["tune", "--resume", "s"]) == 0
    (job,) = worker.jobs
    assert isinstance(job, ResumeStudy) and job.study_id == "s"
    assert run(["tune", "--resume", "latest"]) == 0
    assert worker.jobs[1] == job
    assert run(["tune", "--resume", "s", "--cluster", "none"]) == 0
    assert worker.jobs[2] == job.model_copy(update={"cluster": "none"})
    assert run(["tune", "--cluster", "local"]) == 0
    assert isinstance(worker.jobs[3], Tune) and worker.jobs[3].config.system.cluster == "local"
    assert run(["tune", "--resume", "s", "--trials", "9"]) == 2
    assert "goes on as planned" in capsys.readouterr().err
    assert run(["tune", "--resume", "other"]) == 2
    assert "no study called other. Those there are: s" in capsys.readouterr().err


def test_a_user_reads_what_each_trial_came_to_and_what_the_best_is_worth(
    worker: Worker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.events = [STARTED, StudyMemberChanged(study_id="s", member=TRIAL), COMPLETE]
    assert run(["tune"]) == 0
    told = capsys.readouterr().out
    assert "Tuning s: 3 trials" in told
    assert "Trial 2: AUC 0.700 (1 of 4 epochs, ended early)" in told
    assert "saved 4 of 12 epochs (33%)" in told
    assert "As configured: AUC 0.800 on 78 validation images" in told
    assert "AUC 0.850 (s-t01/best): training.learning_rate=0.00123  training.use_ema=True" in told
    assert "optimistic" in told
    assert "breastai train --config configs/tuned-s.json" in told
    assert "training.learning_rate 75%" in told


def test_that_nothing_beat_the_configuration_is_said(
    worker: Worker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = KNOWN.model_copy(update={"best": "s-t00", "best_auc": 0.8, "config_name": None})
    worker.events = [COMPLETE.model_copy(update={"tuning": state})]
    assert run(["tune"]) == 0
    told = capsys.readouterr().out
    assert "No trial beat" in told and "nothing was saved" in told and "optimistic" not in told


def test_a_stopped_search_ends_with_130_and_says_how_to_go_on(
    worker: Worker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.events = [STARTED, StudyStopped(study_id="s", kind="tuning", reason="user")]
    assert run(["tune"]) == 130
    assert "breastai tune --resume s" in capsys.readouterr().out


def test_without_optuna_the_command_says_what_to_type(
    worker: Worker, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("breastai.commands.run_job.find_spec", lambda name: None if name == "optuna" else object())
    assert run(["tune"]) == 2
    assert "pip install 'breastai[tune]'" in capsys.readouterr().err
    assert worker.jobs == []
