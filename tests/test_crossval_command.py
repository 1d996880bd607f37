"""`breastai crossval`: what it asks of a worker, what it says, and its exit status."""

import json
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from breastai.cli import run
from breastai.domain.config import Config
from breastai.domain.events import CrossvalComplete, Event, StudyMemberChanged, StudyStarted, StudyStopped
from breastai.domain.records import Figure
from breastai.domain.study import CrossvalResult, Spread, Study, StudyMember, TuningState
from breastai.storage.studies import save_study
from breastai.storage.workspace import Workspace

MEMBER = StudyMember(run_id="S-r1f1", repeat=1, fold=1, epochs=2)
STUDY = Study(
    study_id="S", kind="crossval", created="2026-01-01", config=Config().model_dump(mode="json"), members=[MEMBER]
)
FIGURE = Figure(value=0.8, low=0.7, high=0.9, n=12)
RESULT = CrossvalResult(
    class_names=["benign", "malignant"], cases=12, predictions=12, counts={"benign": 8, "malignant": 4}, grouped=True,
    figures={"accuracy": FIGURE, "auc_roc.malignant": FIGURE}, at_thresholds={"sensitivity": FIGURE},
    target_class="malignant", confusion_matrix=[[7, 1], [1, 3]], record="logs/S/evaluations/pooled-1.json",
    spread={"accuracy": Spread(mean=0.8, standard_deviation=0.05, low=0.75, high=0.85, n=2)},
    notes=["judged once"], export="exports/onnx/S_ensemble.onnx",
)  # fmt: skip


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Have the worker tell some events; returns the jobs it is asked for."""
    for name in ("benign", "malignant"):
        (tmp_path / "data" / "train" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def script(*events: Event) -> list[Any]:
        jobs: list[Any] = []

        def perform(job: Any, stop_requested: Callable[[], bool]) -> Iterator[Event]:
            jobs.append(job)
            return iter(events)

        module = types.ModuleType("breastai.worker")
        module.perform = perform  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "breastai.worker", module)
        return jobs

    return script


def test_a_cross_validation_tells_its_folds_its_figures_and_where_they_lie(
    tell: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    over = MEMBER.model_copy(update={"state": "complete", "figures": {"accuracy": 0.75, "auc_roc": None}, "n": 4})
    jobs = tell(
        StudyStarted(study=STUDY),
        StudyMemberChanged(study_id="S", member=over),
        CrossvalComplete(study_id="S", result=RESULT),
    )
    assert run(["crossval", "--folds", "4", "--repeats", "2", "--ungrouped", "--epochs", "3"]) == 0
    config = jobs[0].config
    assert config.crossval.model_dump(include={"folds", "repeats", "grouped"}) == {
        "folds": 4,
        "repeats": 2,
        "grouped": False,
    }
    assert config.training.epochs == 3
    said = capsys.readouterr().out
    for text in ("Study S: 1 run", "S-r1f1: held out 4, accuracy 0.750, AUC undefined", "0.800 ± 0.050  (0.750 to 0.850)",
                 "auc_roc.malignant", "0.700 to 0.900", "Note: judged once", "exports/onnx/S_ensemble.onnx"):  # fmt: skip
        assert text in said


def test_a_search_inside_the_folds_is_asked_for_and_told_of(
    tell: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    searching = MEMBER.model_copy(update={"state": "running", "tuning": TuningState(trials=3, done=1, best_auc=0.8)})
    found = searching.model_copy(update={"values": {"training.learning_rate": 0.001}})
    jobs = tell(
        StudyMemberChanged(study_id="S", member=searching),
        StudyMemberChanged(study_id="S", member=found),
        CrossvalComplete(study_id="S", result=RESULT),
    )
    assert run(["crossval", "--tune", "--trials", "3"]) == 0
    assert (jobs[0].config.crossval.tune, jobs[0].config.tuning.trials) == (True, 3)
    said = capsys.readouterr().out
    assert "S-r1f1: search, 1 of 3 trials, best validation AUC 0.800" in said
    assert "S-r1f1: trains with training.learning_rate=0.001" in said
    assert run(["crossval", "--trials", "3"]) == 2
    assert "--tune" in capsys.readouterr().err


def test_a_stopped_study_says_how_to_go_on_and_is_gone_on_with_by_its_name(
    tell: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tell(StudyStarted(study=STUDY), StudyStopped(study_id="S", kind="crossval", reason="user"))
    assert run(["crossval"]) == 130
    assert "breastai crossval --resume S" in capsys.readouterr().out
    assert run(["crossval", "--resume", "latest"]) == 2
    assert "no study called latest" in capsys.readouterr().err
    save_study(Workspace.open(tmp_path), STUDY)
    jobs = tell(CrossvalComplete(study_id="S", result=RESULT))
    assert run(["crossval", "--resume", "latest", "--json"]) == 0
    assert (jobs[0].kind, jobs[0].study_id) == ("resume_study", "S")
    assert json.loads(capsys.readouterr().out)["result"]["cases"] == 12
    assert run(["crossval", "--resume", "S", "--folds", "3"]) == 2
    assert "no other settings" in capsys.readouterr().err
