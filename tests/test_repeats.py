"""Several runs by seed: mean and spread, told once."""

import json
import statistics
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from breastai.cli import run
from breastai.clinical.run_spread import spread
from breastai.commands.repeated_runs import parse_seeds
from breastai.domain.errors import CommandInvalid
from breastai.domain.events import Event, SeedsComplete, StudyStopped, TrainingComplete, TrainingStopped
from breastai.domain.jobs import ResumeStudy, Train, TrainSeeds
from breastai.domain.study import SeedsResult, Spread, Study
from breastai.storage.studies import save_study
from breastai.storage.workspace import Workspace

AUC = Spread(mean=0.7, standard_deviation=0.1414, low=0.6, high=0.8, n=2)
RESULT = SeedsResult(seeds=[1, 2], checkpoints=["S-s1/best", "S-s2/best"], spread={"auc_roc": AUC})


def complete(seed: int) -> TrainingComplete:
    return TrainingComplete(
        final_metrics={"accuracy": 0.5 + seed / 100, "cohen_kappa": None, "confusion_matrix": [[1]]},
        history={},
        checkpoint=f"run-{seed}/best",
        best_epoch=1,
        epochs_run=1,
        stopped_early=False,
        duration_s=1.0,
    )


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Train]:
    """The jobs of a worker that trains each seed but 99 to its end."""
    found: list[Train] = []

    def perform(job: Any, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        found.append(job)
        if not isinstance(job, Train):
            stopped = StudyStopped(study_id=job.study_id, kind="seeds", reason="user")
            yield stopped if isinstance(job, TrainSeeds) else SeedsComplete(study_id=job.study_id, result=RESULT)
            return
        seed = job.config.system.seed
        yield TrainingStopped(reason="user") if seed == 99 else complete(seed)

    module = types.ModuleType("breastai.worker")
    module.perform = perform  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "breastai.worker", module)
    for name in ("benign", "malignant"):
        (tmp_path / "data" / "train" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return found


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_seed_is_a_run_of_its_own_and_the_end_tells_mean_and_spread(
    jobs: list[Train], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--seeds", "1,2,6", "--json"]) == 0
    assert [job.config.system.seed for job in jobs] == [1, 2, 6]
    assert len({job.run_id for job in jobs}) == 3
    last = told(capsys)[-1]
    assert (last["type"], last["seeds"]) == ("repeats", [1, 2, 6])
    figure = last["figures"]["accuracy"]
    assert figure["mean"] == pytest.approx(0.53)
    assert figure["standard_deviation"] == pytest.approx(statistics.stdev([0.51, 0.52, 0.56]))
    assert (figure["low"], figure["high"]) == (0.51, 0.56)
    assert set(last["figures"]) == {"accuracy"}


def test_a_stop_ends_the_repeats_too(jobs: list[Train], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--seeds", "1,99,3", "--json"]) == 130
    assert [job.config.system.seed for job in jobs] == [1, 99]
    assert all(line["type"] != "repeats" for line in told(capsys))


def test_on_a_cluster_the_seeds_are_one_study_that_resume_goes_on_with(
    jobs: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--seeds", "1,2", "--cluster", "local"]) == 130
    (asked,) = jobs
    assert isinstance(asked, TrainSeeds) and (asked.seeds, asked.config.system.cluster) == ([1, 2], "local")
    assert f"breastai resume {asked.study_id}" in capsys.readouterr().out
    study = Study(study_id=asked.study_id, kind="seeds", created="2026-01-01", config={}, members=[])
    save_study(Workspace.open(tmp_path), study)
    assert run(["resume", asked.study_id, "--epochs", "3"]) == 2
    assert run(["resume", asked.study_id, "--cluster", "none"]) == 0
    assert jobs[1:] == [ResumeStudy(workspace=str(tmp_path), study_id=asked.study_id, cluster="none")]
    assert "0.700 ± 0.141  (0.600 to 0.800)" in capsys.readouterr().out


def test_a_run_that_several_processes_train_is_trained_once_for_each_seed_in_turn(
    jobs: list[Train], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--seeds", "1,2", "--cluster", "local", "--processes", "2", "--json"]) == 0
    assert [(job.config.system.seed, job.config.system.processes) for job in jobs] == [(1, 2), (2, 2)]


@pytest.mark.parametrize("text", ["", "1", "1,1", "1,x", "1,-2", "1,2.5"])
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(CommandInvalid, match="--seeds"):
        parse_seeds(text)


def test_one_run_has_no_spread() -> None:
    assert spread([{"accuracy": 0.5}]) == {}
