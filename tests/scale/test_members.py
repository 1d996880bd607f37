"""A study goes through ordinary runs, keeps the record of all, stops with the one in progress, and goes on from there."""

from collections.abc import Callable, Generator, Sequence

import pytest

from breastai.domain.config import Config
from breastai.domain.errors import RunLocked
from breastai.domain.events import (
    Error,
    Event,
    Log,
    ProgressUpdate,
    StudyMemberChanged,
    StudyStarted,
    StudyStopped,
    TrainingComplete,
)
from breastai.domain.study import Study, StudyMember
from breastai.scale.study_runner import StudyInProgress, progress_of_member, run_member, run_study
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.interrupted_runs import interrupted_runs
from breastai.storage.lease import Lease
from breastai.storage.studies import read_study
from breastai.storage.workspace import Workspace

DONE = Log(level="info", message="done")


def a_study(*runs: str) -> Study:
    members = [StudyMember(run_id=f"study-{run}", epochs=2) for run in runs]
    return Study(study_id="study", kind="crossval", created="2026-01-01", config={}, members=members)


def all_members(config: Config, **options: object) -> Callable[[StudyInProgress], Generator[Event, None, Event]]:
    def work(progress: StudyInProgress) -> Generator[Event, None, Event]:
        for member in progress.study.members:
            if not member.is_over:
                over = yield from run_member(progress, member, config, **options)  # type: ignore[arg-type]
                state = "pruned" if over.state == "pruned" else "complete"
                yield progress.change(over.model_copy(update={"state": state}))
        return DONE

    return work


def epochs(events: Sequence[Event]) -> list[tuple[str, int]]:
    changed = [event.member for event in events if isinstance(event, StudyMemberChanged)]
    return [(member.run_id, member.epoch) for member in changed]


@pytest.fixture
def config(small_config: Callable[..., Config]) -> Config:
    return small_config()


def test_the_runs_of_a_study_are_ordinary_runs_and_tell_only_the_study_s_events(
    workspace: Workspace, config: Config
) -> None:
    events = list(run_study(a_study("a", "b"), workspace, "default", lambda: False, all_members(config)))
    assert {type(event) for event in events} <= {StudyStarted, StudyMemberChanged, ProgressUpdate, Log}
    assert all(event.run_id is None and event.seq is None for event in events)
    shares = [event.progress for event in events if isinstance(event, ProgressUpdate) and event.progress]
    assert shares == sorted(shares) and shares[-1] > 0.9
    assert events[-1] == DONE
    study = read_study(workspace, "study")
    assert study.state == "complete" and [member.state for member in study.members] == ["complete", "complete"]
    assert study.members[0].curves["epoch"] == [1, 2]
    for run_id in ("study-a", "study-b"):
        updates, finished = progress_of_member(workspace, run_id)
        assert isinstance(finished, TrainingComplete) and len(updates or ()) == 2
        assert read_manifest(checkpoint_files(workspace, run_id, "best")).run_id == run_id


@pytest.mark.full
def test_a_stop_keeps_the_place_and_what_is_complete_is_not_run_again(workspace: Workspace, config: Config) -> None:
    seen: list[Event] = []

    def stop() -> bool:
        return ("study-b", 1) in epochs(seen)

    seen.extend(run_study(a_study("a", "b"), workspace, "default", stop, all_members(config)))
    assert isinstance(seen[-1], StudyStopped) and seen[-1].reason == "user"
    study = read_study(workspace, "study")
    assert (study.state, [member.state for member in study.members]) == ("stopped", ["complete", "stopped"])
    again = list(run_study(study, workspace, "default", lambda: False, all_members(config)))
    assert "study-a" not in [run for run, _ in epochs(again)]
    updates, _ = progress_of_member(workspace, "study-b")
    assert [update.epoch for update in updates or ()] == [1, 2]


def test_a_run_can_be_ended_by_what_its_epochs_say(workspace: Workspace, config: Config) -> None:
    work = all_members(config, prune=lambda member: member.run_id == "study-a" and member.epoch == 1)
    list(run_study(a_study("a", "b"), workspace, "default", lambda: False, work))
    study = read_study(workspace, "study")
    assert [(member.state, member.epoch) for member in study.members] == [("pruned", 1), ("complete", 2)]


def test_a_run_that_fails_ends_the_study_with_its_reason(
    workspace: Workspace, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of the test's")

    monkeypatch.setattr("breastai.engine.training.loop._epoch_update", broken)
    events = list(run_study(a_study("a", "b"), workspace, "default", lambda: False, all_members(config)))
    assert isinstance(events[-1], Error) and events[-1].run_id is None
    study = read_study(workspace, "study")
    assert study.state == "failed" and "a fault of the test's" in str(study.message)
    assert [member.state for member in study.members] == ["failed", "waiting"]


def test_two_processes_do_not_work_on_one_study(workspace: Workspace, config: Config) -> None:
    with Lease(workspace).take("study"), pytest.raises(RunLocked):
        next(run_study(a_study("a"), workspace, "default", lambda: False, all_members(config)))


def test_a_study_whose_process_is_gone_was_interrupted_and_its_runs_are_not_gone_on_with_one_by_one(
    workspace: Workspace, config: Config
) -> None:
    events = run_study(a_study("a"), workspace, "default", lambda: False, all_members(config))
    for event in events:
        if isinstance(event, StudyMemberChanged) and event.member.epoch == 1:
            running = read_study(workspace, "study")
            break
    assert running.state == "running"
    events.close()
    assert read_study(workspace, "study").state == "interrupted"
    assert interrupted_runs(workspace) == []
