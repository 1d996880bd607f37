"""Cross-validation: every image held out once, judged by a model that never saw it, the same after a kill."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from breastai.cli import run
from breastai.clinical.apply_decision_rule import calibrate
from breastai.data.sources.case_table import CaseTable
from breastai.domain.config import Config
from breastai.domain.crossval_settings import CrossvalSettings
from breastai.domain.errors import ConfigInvalid, StudyExists
from breastai.domain.events import CrossvalComplete, Event, StudyMemberChanged, StudyStarted, StudyStopped
from breastai.domain.jobs import Crossval, ResumeStudy
from breastai.domain.study import CrossvalResult
from breastai.engine.network.checkpoint_io import load_checkpoint
from breastai.predictor.onnx_model import OnnxModel
from breastai.predictor.reference_answers import reference_images
from breastai.scale.ensemble import export_ensemble
from breastai.scale.fold_assignment import Folds, given_folds, read_folds, split_of_fold
from breastai.scale.fold_evaluation import HELD_OUT, answers_in
from breastai.scale.pooled_evaluation import ensemble_rule, pool_of
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.evaluations import read_evaluations
from breastai.storage.exports import list_exports
from breastai.storage.split_records import read_split, split_path
from breastai.storage.studies import read_study
from breastai.storage.workspace import Workspace
from breastai.worker import perform

FOLDS: dict[str, Any] = {"crossval": {"folds": 3, "ensemble": False}, "storage": {"backup_after_run": True}}
RUNS = ["study-r1f1", "study-r1f2", "study-r1f3"]


def job_of(workspace: Workspace, config: Config) -> Crossval:
    return Crossval(workspace=str(workspace.root), study_id="study", config=config)


def result_of(events: list[Event]) -> CrossvalResult:
    last = events[-1]
    assert isinstance(last, CrossvalComplete), last
    return last.result


@pytest.fixture(scope="session")
def config(small_config: Callable[..., Config]) -> Config:
    return small_config(FOLDS)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, config: Config) -> tuple[Workspace, list[Event]]:
    """A cross-validation from its beginning to its end."""
    place = Workspace.open(tmp_path_factory.mktemp("crossval") / "workspace")
    return place, list(perform(job_of(place, config)))


def test_every_image_is_held_out_once_from_a_run_that_neither_learnt_nor_chose_by_it(
    whole: tuple[Workspace, list[Event]], sample_data: Path
) -> None:
    place, events = whole
    there = {
        path.relative_to(sample_data).as_posix()
        for part in ("train", "val")
        for path in (sample_data / part).rglob("*.png")
    }
    seen: list[str] = []
    for run_id in RUNS:
        cases = read_split(split_path(place, run_id), run_id).cases
        held_out = {case.file for case in cases if case.reason == HELD_OUT}
        split = read_manifest(checkpoint_files(place, run_id, "best")).split
        assert held_out.isdisjoint(split.train) and held_out.isdisjoint(split.val)
        assert set(split.train).isdisjoint(split.val)
        assert held_out | set(split.train) | set(split.val) == there
        seen += held_out
    assert sorted(seen) == sorted(there)
    assert result_of(events).cases == len(there)


def test_the_pooled_figures_are_those_of_each_fold_s_own_calibrated_answers(
    whole: tuple[Workspace, list[Event]], config: Config
) -> None:
    place, events = whole
    result, right = result_of(events), 0
    for run_id in RUNS:
        ((_, record),) = read_evaluations(place, run_id)
        labels, probabilities = answers_in(record)
        right += int((probabilities.argmax(1) == labels).sum())
        assert (
            record.evidence.calibration.temperature
            == read_manifest(checkpoint_files(place, run_id, "best")).decision.calibration.temperature
        )
    accuracy = result.figures["accuracy"]
    assert accuracy.value == pytest.approx(right / result.cases)
    assert accuracy.low is not None and accuracy.high is not None and accuracy.low <= accuracy.high
    assert np.sum(result.confusion_matrix) == result.cases == sum(result.counts.values())
    members = read_study(place, "study").members
    values = [member.figures["accuracy"] for member in members]
    assert result.spread["accuracy"].mean == pytest.approx(np.mean(values))
    assert (result.spread["accuracy"].low, result.spread["accuracy"].high) == (min(values), max(values))
    assert set(result.at_thresholds) == {"sensitivity", "specificity", "precision", "npv"}
    assert "images of the other folds, set aside from training" in str(result.notes[0])


def test_the_ensemble_answers_as_the_mean_of_its_folds_checkpoints(
    whole: tuple[Workspace, list[Event]], config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    place, _ = whole
    study = read_study(place, "study")
    two = study.model_copy(update={"members": study.members[:2]})
    rule = ensemble_rule(pool_of(study, read_folds(place, "study"), place), config, read_folds(place, "study"))
    exported = export_ensemble(two, rule, place)
    assert exported.difference < 1e-4
    model = OnnxModel.open(exported.path)
    loaded = [load_checkpoint(checkpoint_files(place, run_id, "best")) for run_id in RUNS[:2]]
    images = reference_images(loaded[0].manifest.config.preprocessing, 32, count=5, seed=99)
    answers = [calibrate(each.manifest.decision.calibration, raw_probabilities(each, images)) for each in loaded]
    np.testing.assert_allclose(model.predict(images), np.mean(answers, axis=0), atol=1e-4)
    assert model.verify().agrees
    assert model.decision.operating_point is not None and model.decision.n == len(read_folds(place, "study").files)
    assert [entry.path for entry in list_exports(place)] == [place.relative(exported.path)]
    assert run(["verify", str(exported.path), "--workspace", str(place.root)]) == 0
    told = capsys.readouterr().out
    assert "ensemble of 2" in told and "malignant is flagged from a probability of" in told
    assert "the ensemble itself has been judged on no image" in told


def raw_probabilities(loaded: Any, images: np.ndarray) -> np.ndarray:
    """Return a checkpoint's raw probabilities, computed without the exported graph."""
    import torch

    from breastai.engine.network.models import normalize

    manifest = loaded.manifest
    with torch.inference_mode():
        inputs = normalize(torch.from_numpy(images), tuple(manifest.mean), tuple(manifest.std))
        return loaded.model(inputs).double().softmax(1).numpy()


@pytest.mark.full
def test_a_study_killed_in_its_third_fold_ends_as_if_it_had_not_been(
    whole: tuple[Workspace, list[Event]], config: Config, workspace: Workspace
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "breastai.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    with process, process.stdin, process.stdout:
        process.stdin.write(job_of(workspace, config).model_dump_json() + "\n")
        process.stdin.flush()
        for line in process.stdout:
            event = json.loads(line) if line.strip() else {"type": ""}
            if event["type"] == "study_member" and (event["member"]["fold"], event["member"]["epoch"]) == (3, 1):
                os.kill(process.pid, signal.SIGKILL)
                break
    before = read_study(workspace, "study")
    assert before.state == "interrupted"
    assert [member.state for member in before.members] == ["complete", "complete", "stopped"]
    again = list(perform(ResumeStudy(workspace=str(workspace.root), study_id="study")))
    changed = {event.member.run_id for event in again if isinstance(event, StudyMemberChanged)}
    assert changed == {"study-r1f3"}
    expected, found = result_of(whole[1]), result_of(again)
    assert found == expected
    for run_id in RUNS:
        weights = [read_manifest(checkpoint_files(place, run_id, "best")).sha256 for place in (whole[0], workspace)]
        assert weights[0] == weights[1]
        assert len(read_evaluations(workspace, run_id)) == 1


def test_stopping_saves_the_fold_in_progress_and_keeps_the_study(config: Config, workspace: Workspace) -> None:
    seen: list[Event] = []

    def stop() -> bool:
        return any(isinstance(event, StudyMemberChanged) and event.member.epoch == 1 for event in seen)

    seen.extend(perform(job_of(workspace, config), stop))
    assert isinstance(seen[-1], StudyStopped)
    study = read_study(workspace, "study")
    assert (study.state, study.members[0].state) == ("stopped", "stopped")
    assert read_manifest(checkpoint_files(workspace, "study-r1f1", "last")).state is not None


def test_a_study_s_name_is_taken_once(whole: tuple[Workspace, list[Event]], config: Config) -> None:
    (refused,) = perform(job_of(whole[0], config))
    assert getattr(refused, "code", None) == StudyExists.code
    started = next(event for event in whole[1] if isinstance(event, StudyStarted))
    assert len(started.study.members) == 3


def test_twins_and_patients_are_parted_only_when_asked() -> None:
    units = [f"unit{number // 2}" for number in range(48)]
    labels = [number // 2 % 2 for number in range(48)]
    config = Config.model_validate({"crossval": {"folds": 3}})
    folds = [1 + number // 2 // 2 % 3 for number in range(48)]
    dealt = Folds(
        class_names=["benign", "malignant"], files=[f"{number}.png" for number in range(48)], sha256=["0" * 64] * 48,
        labels=labels, patients_known=True, units=units, left_out={}, twins=0, folds=[folds],
    )  # fmt: skip
    for fold in (1, 2, 3):
        parts: dict[str, set[str]] = {}
        for case, unit in zip(split_of_fold(dealt, config, 1, fold).cases, units, strict=True):
            parts.setdefault(case.reason or case.part, set()).add(unit)
        assert set(parts) == {HELD_OUT, "train", "val"}
        assert parts["train"].isdisjoint(parts["val"])
        assert parts[HELD_OUT].isdisjoint(parts["train"] | parts["val"])
    apart = config.model_copy(update={"crossval": config.crossval.model_copy(update={"grouped": False})})
    single = [case.part for case in split_of_fold(dealt, apart, 1, 1).cases]
    assert any(single[number] != single[number + 1] for number in range(0, 48, 2))
    assert "whole patients" in str(split_of_fold(dealt, config, 1, 1).description)
    unknown = dealt.model_copy(update={"patients_known": False})
    assert "patients and" not in (said := str(split_of_fold(unknown, config, 1, 1).description))
    assert "groups of duplicates, which stand in for unknown patients" in said


def test_a_fold_s_split_names_breast_and_view_where_they_were_known_when_the_cases_were_dealt() -> None:
    config = Config.model_validate({"crossval": {"folds": 3}})
    dealt = Folds(
        class_names=["benign", "malignant"], files=[f"{number}.dcm" for number in range(24)], sha256=["0" * 64] * 24,
        labels=[number % 2 for number in range(24)], patients_known=False, units=None, left_out={}, twins=0,
        folds=[[1 + number // 2 % 3 for number in range(24)]], headers=[("L", "CC"), (None, None)] * 12,
    )  # fmt: skip
    again = Folds.model_validate_json(dealt.model_dump_json())
    told = [(case.laterality, case.view) for case in split_of_fold(again, config, 1, 1).cases]
    assert told == [("L", "CC"), (None, None)] * 12
    # Folds dealt by a version that did not keep them.
    before = Folds.model_validate(dealt.model_dump(exclude={"headers"}))
    assert {case.laterality for case in split_of_fold(before, config, 1, 1).cases} == {None}


def table_with_folds(folds: list[str | None]) -> CaseTable:
    files = tuple(f"{number}.png" for number in range(len(folds)))
    return CaseTable(Path(), files, np.arange(len(folds)) % 2, ("a", "b")).with_columns(fold=folds)


def test_the_folds_that_a_data_set_gives_are_those_of_the_study() -> None:
    table = table_with_folds(["10", "2", "1", "10", "2", "1"])
    found = given_folds(table, ["P1", "P2", "P3", "P1", "P2", "P3"], CrossvalSettings(folds=3, repeats=1))
    assert found is not None and found.tolist() == [3, 2, 1, 3, 2, 1]
    assert given_folds(table_with_folds(["1", None]), None, CrossvalSettings()) is None


@pytest.mark.parametrize(
    ("patients", "folds", "repeats", "told"),
    [
        (None, 5, 1, "crossval.folds: expected 2, the folds that the data set gives, got 5"),
        (None, 2, 3, "crossval.repeats: expected 1"),
        (["P1", "P1", "P2", "P3"], 2, 1, "part one patient"),
    ],
)
def test_folds_that_do_not_fit_are_refused(patients: list[str] | None, folds: int, repeats: int, told: str) -> None:
    with pytest.raises(ConfigInvalid, match=told):
        given_folds(table_with_folds(["1", "2", "1", "2"]), patients, CrossvalSettings(folds=folds, repeats=repeats))
