"""Settings searched inside the folds: by trials that see no other image than those the fold learns from."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ConfigInvalid, MissingExtra
from breastai.domain.events import (
    CrossvalComplete,
    Error,
    Event,
    ProgressUpdate,
    StudyMemberChanged,
    StudyStopped,
    TuningUpdate,
)
from breastai.domain.jobs import Crossval, ResumeStudy, Train
from breastai.scale.cross_validation import config_of
from breastai.scale.fold_search import search_in_fold
from breastai.scale.pooled_evaluation import CHOSEN_INSIDE
from breastai.scale.study_runner import StudyInProgress
from breastai.storage.checkpoints import checkpoint_files, list_checkpoints, read_manifest
from breastai.storage.interrupted_runs import interrupted_runs
from breastai.storage.split_records import read_split
from breastai.storage.studies import read_study, studies
from breastai.storage.workspace import Workspace
from breastai.worker import perform

SPACE = [
    {"setting": "training.learning_rate", "low": 1e-5, "high": 1e-2, "log": True},
    {"setting": "data.image_size", "low": 32, "high": 48},
]
NESTED: dict[str, Any] = {
    "crossval": {"folds": 2, "tune": True, "ensemble": False},
    "tuning": {"trials": 2, "space": SPACE},
    "training": {"epochs": 1},
    "data": {"num_workers": 0},
}
FOLDS = ["study-r1f1", "study-r1f2"]
MOMENTS = ("in a trial of the second fold", "between its search and its run")


def job_of(workspace: Workspace, config: Config) -> Crossval:
    return Crossval(workspace=str(workspace.root), study_id="study", config=config)


@pytest.fixture(scope="module")
def config(small_config: Callable[..., Config]) -> Config:
    return small_config(NESTED)


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory, config: Config) -> tuple[Workspace, list[Event], Path]:
    """A cross-validation with a search in each fold, and its workspace as kills at two moments would have left it."""
    folder = tmp_path_factory.mktemp("nested")
    place = Workspace.open(folder / "workspace")
    events: list[Event] = []
    for event in perform(job_of(place, config)):
        events.append(event)
        moment = ""
        if isinstance(event, ProgressUpdate) and event.message.startswith("Fold 2 of 2: Trial 2 of 2: Epoch"):
            moment = MOMENTS[0]
        if isinstance(event, StudyMemberChanged) and event.member.run_id == FOLDS[1] and not event.member.values:
            moment = MOMENTS[1] if event.member.tuning and event.member.tuning.done == 2 else ""
        if moment and not (folder / moment).exists():
            shutil.copytree(place.root, folder / moment)
    return place, events, folder


@pytest.mark.full
def test_each_fold_trains_with_what_its_own_search_found(nested: tuple[Workspace, list[Event], Path]) -> None:
    place, events, _ = nested
    last = events[-1]
    assert isinstance(last, CrossvalComplete), last
    assert last.result.tuned and CHOSEN_INSIDE in last.result.notes
    members = read_study(place, "study").members
    assert [member.run_id for member in members] == FOLDS
    for member in members:
        assert member.state == "complete" and member.tuning is not None
        assert member.tuning.done == 2 and member.tuning.best_auc is not None
        assert set(member.values) == {dimension["setting"] for dimension in SPACE}
        used = read_manifest(checkpoint_files(place, member.run_id, "best")).config
        assert used.training.learning_rate == member.values["training.learning_rate"]
        assert used.data.image_size == member.values["data.image_size"]
    told = [
        (event.member.run_id, event.member.tuning.done)
        for event in events
        if isinstance(event, StudyMemberChanged) and event.member.tuning and not event.member.values
    ]
    assert [each for each in told if each[0] == FOLDS[0]] == [(FOLDS[0], done) for done in (0, 1, 2)]
    shares = [event.progress for event in events if isinstance(event, ProgressUpdate) and event.progress]
    assert shares == sorted(shares)


def test_the_searches_leave_no_weights_and_are_no_studies_of_their_own(
    nested: tuple[Workspace, list[Event], Path],
) -> None:
    place, events, _ = nested
    assert studies(place) == ["study"]
    assert {entry.run_id for entry in list_checkpoints(place)} == set(FOLDS)
    assert interrupted_runs(place) == []
    assert not any(isinstance(event, TuningUpdate) for event in events)


@pytest.mark.full
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_study_killed_anywhere_goes_on_to_the_same_settings_and_figures(
    nested: tuple[Workspace, list[Event], Path], moment: str
) -> None:
    place, events, folder = nested
    killed = Workspace.open(folder / moment)
    again = list(perform(ResumeStudy(workspace=str(killed.root), study_id="study")))
    expected, found = events[-1], again[-1]
    assert isinstance(expected, CrossvalComplete) and isinstance(found, CrossvalComplete), found
    assert found.result == expected.result
    assert {event.member.run_id for event in again if isinstance(event, StudyMemberChanged)} == {FOLDS[1]}
    values = [[member.values for member in read_study(each, "study").members] for each in (place, killed)]
    assert values[0] == values[1]
    weights = [read_manifest(checkpoint_files(each, FOLDS[1], "best")).sha256 for each in (place, killed)]
    assert weights[0] == weights[1]


def test_a_search_opens_the_images_its_fold_learns_from_and_no_other(
    workspace: Workspace, config: Config, sample_data: Path
) -> None:
    assert isinstance(list(perform(job_of(workspace, config), lambda: bool(studies(workspace))))[-1], StudyStopped)
    progress = StudyInProgress(read_study(workspace, "study"), workspace, "default", lambda: False)
    member = progress.study.members[0]
    own = config_of(progress.study, member, parse_config(progress.study.config))
    opened: list[str] = []
    watching = [True]

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and watching and str(arguments[0]).startswith(str(sample_data)):
            opened.append(Path(str(arguments[0])).relative_to(sample_data).as_posix())

    sys.addaudithook(note)
    list(search_in_fold(progress, member, own, "Fold 1 of 2"))
    watching.clear()
    cases = read_split(workspace.resolve(own.data.split_file or ""), "split").cases
    parts = {part: {case.file for case in cases if case.part == part} for part in ("train", "val", "left_out")}
    assert all(parts.values())
    assert set(opened) == parts["train"]


def test_what_keeps_a_search_from_beginning_is_told_before_anything_is_on_disk(
    workspace: Workspace, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    def code(config: Config) -> str:
        (event,) = perform(job_of(workspace, config))
        assert isinstance(event, Error)
        return event.code

    nowhere = {"tuning": {"space": [{"setting": "training.weight_decay", "low": 1e-5, "high": 0.1, "log": True}]}}
    assert code(small_config(NESTED, nowhere, {"training": {"weight_decay": 0}})) == ConfigInvalid.code
    monkeypatch.delitem(sys.modules, "breastai.scale.optuna_trials", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert code(small_config(NESTED)) == MissingExtra.code
    assert studies(workspace) == []


def test_a_run_can_not_be_limited_to_a_split_without_naming_it(
    workspace: Workspace, small_config: Callable[..., Config]
) -> None:
    config = small_config({"data": {"split_only": True}})
    (event,) = perform(Train(workspace=str(workspace.root), run_id="run", config=config))
    assert isinstance(event, Error) and "data.split_file" in event.message
