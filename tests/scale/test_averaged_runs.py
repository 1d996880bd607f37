"""Runs of several seeds as one ONNX file: the mean of their exports, decided on validation images that taught none of them."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from breastai.cli import run
from breastai.domain.config import Config
from breastai.domain.events import Error, Event, ExportComplete, TrainingComplete
from breastai.domain.jobs import Export, Train
from breastai.predictor.onnx_model import OnnxModel
from breastai.predictor.reference_answers import reference_images
from breastai.storage.split_records import read_split, split_path
from breastai.storage.workspace import Workspace
from breastai.worker import perform


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, small_config: Callable[..., Config]) -> Workspace:
    """Three runs: two seeds on the same validation images, and one that set aside others."""
    workspace = Workspace.open(tmp_path_factory.mktemp("averaged") / "workspace")
    own_part = {"data": {"val_dir": None, "val_split": 0.3}}
    runs = {"one": {"system": {"seed": 1}}, "two": {"system": {"seed": 2}}, "apart": own_part}
    for run_id, layer in runs.items():
        events = list(perform(Train(workspace=str(workspace.root), run_id=run_id, config=small_config(layer))))
        assert isinstance(events[-1], TrainingComplete)
    return workspace


@pytest.fixture(scope="module")
def both(place: Workspace) -> OnnxModel:
    """The two seeds in one file."""
    return model_of(place, exported(place, "one/best", "two/best"))


def exported(place: Workspace, checkpoint: str, *others: str, form: str = "onnx") -> list[Event]:
    job = Export(workspace=str(place.root), checkpoint=checkpoint, others=list(others), format=form)
    return list(perform(job))


def model_of(place: Workspace, events: list[Event]) -> OnnxModel:
    last = events[-1]
    assert isinstance(last, ExportComplete), last
    assert last.max_difference is not None and last.max_difference < 1e-4
    return OnnxModel.open(place.root / last.path)


@pytest.mark.full
def test_the_file_answers_with_the_mean_of_its_members_exports(place: Workspace, both: OnnxModel) -> None:
    alone = [model_of(place, exported(place, f"{name}/best")) for name in ("one", "two")]
    images = reference_images(both.metadata.preprocessing, both.metadata.image_size, count=5, seed=99)
    answers = [model.predict(images) for model in alone]
    assert np.abs(answers[0] - answers[1]).max() > 1e-3
    np.testing.assert_allclose(both.predict(images), np.mean(answers, axis=0), atol=1e-4)


def test_it_decides_by_the_validation_images_of_all_members(place: Workspace, both: OnnxModel) -> None:
    assert both.verify().agrees and [member.checkpoint for member in both.metadata.members] == ["one/best", "two/best"]
    judged = [case for case in read_split(split_path(place, "one"), "split.json").cases if case.part == "val"]
    rule = both.decision
    assert rule.n == len(judged) and rule.fitted_on == "val" and rule.operating_point is not None
    assert rule.calibration.temperature == 1.0 and not any(rule.calibration.prior_shift)
    positives = sum(case.label == rule.operating_point.class_name for case in judged)
    assert 0 < rule.operating_point.positives <= positives


@pytest.mark.parametrize(
    ("others", "form", "reason"),
    [
        (["apart/best"], "onnx", "logs/one/split.json"),
        (["one/best"], "onnx", "named twice"),
        (["two/best"], "onnx-fp16", "in the format onnx alone"),
    ],
)
def test_runs_that_cannot_answer_as_one_are_refused_and_nothing_is_written(
    place: Workspace, others: list[str], form: str, reason: str
) -> None:
    before = sorted(place.exports_dir.rglob("*"))
    errors = [event for event in exported(place, "one/best", *others, form=form) if isinstance(event, Error)]
    assert [error.code for error in errors] == ["export.failed"] and reason in errors[0].message
    assert sorted(place.exports_dir.rglob("*")) == before


@pytest.mark.full
def test_a_run_on_the_split_of_the_first_can_be_averaged_with_it(
    place: Workspace, small_config: Callable[..., Config]
) -> None:
    layer = {"data": {"val_dir": None, "split_file": "logs/apart/split.json"}, "system": {"seed": 5}}
    events = list(perform(Train(workspace=str(place.root), run_id="same", config=small_config(layer))))
    assert isinstance(events[-1], TrainingComplete)
    assert model_of(place, exported(place, "apart/best", "same/best")).verify().agrees


@pytest.mark.full
def test_the_command_line_names_the_others_one_by_one(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "one", "--with", "two", "--workspace", str(place.root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["type"], told["checkpoint"]) == ("export_complete", "one/best, two/best")
    assert run(["verify", str(place.root / told["path"]), "--workspace", str(place.root)]) == 0
    assert "ensemble of 2" in capsys.readouterr().out
