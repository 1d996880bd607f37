"""Folds on a cluster: what a node is asked for, what keeps a study from it, and a real one that loses a node.

The real cluster takes half a minute and the package ray: BREASTAI_RAY=1 runs those tests.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from breastai.domain.config import Config, parse_config
from breastai.domain.errors import (
    ClusterUnreachable,
    ConfigInvalid,
    MissingExtra,
    NodeUnfit,
    SplitInvalid,
    WorkspaceNotShared,
)
from breastai.domain.event_messages import decode_event
from breastai.domain.events import (
    CrossvalComplete,
    Error,
    Event,
    Log,
    ProgressUpdate,
    SeedsComplete,
    StudyMemberChanged,
    StudyStopped,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
    TrainingUpdate,
    TuningComplete,
)
from breastai.domain.jobs import Crossval, Resume, ResumeStudy, Train, TrainSeeds, Tune
from breastai.domain.study import Study, StudyMember
from breastai.scale.hyperparameter_search import new_search
from breastai.scale.ray_connection import check_cluster, needs, room
from breastai.scale.remote_task import Ending, Task, run_remote_task
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.journal import read_events
from breastai.storage.studies import read_study, save_study, studies
from breastai.storage.workspace import Workspace
from breastai.worker import perform

RUNS = ["study-r1f1", "study-r1f2", "study-r1f3"]
FOLDS: dict[str, Any] = {"crossval": {"folds": 3, "ensemble": False}}
SPACE = [{"setting": "training.learning_rate", "low": 1e-5, "high": 1e-2, "log": True}]
TRIALS: dict[str, Any] = {"tuning": {"trials": 4, "space": SPACE, "random_trials": 2}}
of_ray_s_own = pytest.mark.filterwarnings("ignore")  # Ray warns of settings of its own
with_ray = pytest.mark.skipif(os.environ.get("BREASTAI_RAY") != "1", reason="a real Ray cluster: set BREASTAI_RAY=1")


def job_of(workspace: Workspace, config: Config) -> Crossval:
    return Crossval(workspace=str(workspace.root), study_id="study", config=config)


def weights(workspace: Workspace, run_id: str) -> str:
    return read_manifest(checkpoint_files(workspace, run_id, "best")).sha256


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, small_config: Callable[..., Config]) -> tuple[Workspace, Event]:
    """The same cross-validation on this machine, one fold after the other."""
    place = Workspace.open(tmp_path_factory.mktemp("here") / "workspace")
    return place, list(perform(job_of(place, small_config(FOLDS))))[-1]


@pytest.mark.parametrize("address", ["local", "auto", "ray://head:10001", "10.0.0.1:6379", "ray://[::1]:10001"])
def test_a_cluster_is_named_by_a_word_or_by_host_and_port(address: str) -> None:
    assert parse_config({"system": {"cluster": address}}).system.cluster == address


@pytest.mark.parametrize("address", ["", "head", "http://head:80", "head:6379/x", "head:123456", "auto\n"])
def test_anything_else_is_refused(address: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"system\.cluster"):
        parse_config({"system": {"cluster": address}})


def test_several_processes_are_for_a_cluster() -> None:
    with pytest.raises(ConfigInvalid, match="expected a cluster"):
        parse_config({"system": {"processes": 2}})
    assert parse_config({"system": {"processes": 2, "cluster": "local"}}).system.processes == 2


@pytest.mark.parametrize(
    ("nodes", "settings", "expected"),
    [
        ([{"CPU": 4.0}, {"CPU": 16.0}], {"num_threads": 8}, {"num_cpus": 8.0}),
        ([{"CPU": 1.0}, {"CPU": 1.0}, {}], {"num_threads": 8}, {"num_cpus": 1.0}),
        ([{"CPU": 64.0, "GPU": 8.0}, {"CPU": 128.0}], {"num_threads": 32}, {"num_cpus": 8.0, "num_gpus": 1.0}),
        ([{"CPU": 64.0, "GPU": 8.0}], {"num_threads": 32, "device": "cpu"}, {"num_cpus": 32.0}),
    ],
)
def test_a_member_asks_for_no_more_than_a_node_has(
    nodes: list[dict[str, float]], settings: dict[str, Any], expected: dict[str, float]
) -> None:
    there = [{"Alive": True, "Resources": node} for node in nodes]
    gone = {"Alive": False, "Resources": {"CPU": 999.0, "GPU": 1.0}}
    assert needs([*there, gone], parse_config({"system": settings}).system) == expected


def test_as_many_trials_are_drawn_as_the_nodes_have_room_for() -> None:
    nodes = [{"CPU": 4.0, "GPU": 1.0}, {"CPU": 3.0}, {}]
    there = [{"Alive": True, "Resources": node} for node in nodes]
    gone = {"Alive": False, "Resources": {"CPU": 999.0}}
    assert room([*there, gone], {"num_cpus": 2.0}) == 3
    assert room([*there, gone], {"num_cpus": 1.0, "num_gpus": 1.0}) == 1
    assert room([gone], {"num_cpus": 1.0}) == 1  # Ray waits for a node


def test_a_cluster_nobody_answers_for_keeps_a_study_from_beginning(
    workspace: Workspace, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("breastai.scale.ray_connection.find_spec", lambda name: object())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    events = list(perform(job_of(workspace, small_config(FOLDS, {"system": {"cluster": address}}))))
    assert [event.code for event in events if isinstance(event, Error)] == [ClusterUnreachable.code]
    assert len(events) == 1 and studies(workspace) == []


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breastai.scale.ray_connection.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"breastai\[cluster\]"):
        check_cluster("auto")


class NodeDies(BaseException):
    """What no part of a member can answer."""


@pytest.fixture
def dealt(workspace: Workspace, small_config: Callable[..., Config]) -> Workspace:
    """A study whose cases are dealt, and none of whose folds has begun."""
    last = list(perform(job_of(workspace, small_config(FOLDS)), lambda: bool(studies(workspace))))[-1]
    assert isinstance(last, StudyStopped)
    return workspace


def task_of(workspace: Workspace, run_id: str, **changes: Any) -> Task:
    study = read_study(workspace, "study")
    return Task(study=study, run_id=run_id, workspace=str(workspace.root), session_id="default", **changes)


def test_a_fold_whose_node_dies_ends_on_another_as_it_does_here(
    here: tuple[Workspace, Event], dealt: Workspace
) -> None:
    def dying(line: str) -> None:
        event = decode_event(line)
        if isinstance(event, StudyMemberChanged) and event.member.epoch == 1:
            raise NodeDies

    before = read_study(dealt, "study")
    with pytest.raises(NodeDies):
        run_remote_task(task_of(dealt, RUNS[1]), "first", dying, lambda: False)
    told: list[Event] = []
    ending = run_remote_task(
        task_of(dealt, RUNS[1]), "second", lambda line: told.append(decode_event(line)), lambda: False
    )
    assert ending == Ending(state="complete")
    last = told[-1]
    assert isinstance(last, StudyMemberChanged) and last.member == read_study(here[0], "study").member(RUNS[1])
    assert weights(dealt, RUNS[1]) == weights(here[0], RUNS[1])
    starts = [
        event.start_epoch for event in read_events(dealt.journal_file(RUNS[1])) if isinstance(event, TrainingStarted)
    ]
    assert starts == [1, 2]
    assert read_study(dealt, "study") == before  # the record is the driver's to write


def test_a_node_without_the_workspace_or_of_another_version_says_so(dealt: Workspace, tmp_path: Path) -> None:
    def code(task: Task) -> str | None:
        error = run_remote_task(task, "node", lambda line: None, lambda: False).error
        return error and error.code

    elsewhere = task_of(dealt, RUNS[0]).model_copy(update={"workspace": str(tmp_path / "elsewhere")})
    assert code(elsewhere) == WorkspaceNotShared.code
    assert not (tmp_path / "elsewhere").exists()
    assert code(task_of(dealt, RUNS[0], version="0.0")) == NodeUnfit.code


def test_a_fold_asked_to_stop_before_its_turn_leaves_no_trace(dealt: Workspace) -> None:
    told: list[str] = []
    assert run_remote_task(task_of(dealt, RUNS[0]), "node", told.append, lambda: "user") == Ending(
        state="stopped", reason="user"
    )
    assert told == [] and not dealt.run_dir(RUNS[0]).exists()


def test_a_trial_on_a_node_ends_when_who_draws_the_trials_says_so(
    workspace: Workspace, small_config: Callable[..., Config]
) -> None:
    trial = StudyMember(run_id="study-t01", trial=1, values={"training.learning_rate": 0.001}, epochs=2)
    study = new_search("study", small_config(TRIALS)).with_member(trial)
    save_study(workspace, study)
    task = Task(study=study, run_id="study-t01", workspace=str(workspace.root), session_id="default")
    asked: list[int] = []
    told: list[Event] = []

    def lags_behind(member: StudyMember) -> bool:
        asked.append(member.epoch)
        last = told[-1]
        assert isinstance(last, StudyMemberChanged) and last.member == member  # the driver knows of what it decides on
        return True

    ending = run_remote_task(task, "node", lambda line: told.append(decode_event(line)), lambda: False, lags_behind)
    last = told[-1]
    assert ending == Ending(state="complete") and isinstance(last, StudyMemberChanged)
    assert (last.member.state, last.member.epoch, asked) == ("pruned", 1, [1])
    assert last.member.figures["auc_roc"] == last.member.curves["val_auc_roc"][0]


# --- a real cluster ------------------------------------------------------------------------------


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of two nodes with one processor each, both on this machine."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **memory})
    try:
        cluster.add_node(num_cpus=1, **memory)
        yield cluster
    finally:
        cluster.shutdown()


def placed(events: list[Event]) -> list[tuple[str, str]]:
    return [
        (str(event.params["run_id"]), str(event.params["node"]))
        for event in events
        if isinstance(event, Log) and event.code in ("cluster.placed", "cluster.placed_again")
    ]


@with_ray
def test_folds_spread_over_two_nodes_and_one_that_dies_costs_no_figure(
    here: tuple[Workspace, Event],
    workspace: Workspace,
    small_config: Callable[..., Config],
    two_nodes: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (second,) = two_nodes.worker_nodes
    events: list[Event] = []
    lost = None
    for event in perform(job_of(workspace, small_config(FOLDS, {"system": {"cluster": two_nodes.address}}))):
        events.append(event)
        if lost is None and isinstance(event, StudyMemberChanged) and event.member.epoch == 1:
            where = dict(placed(events))
            if second.node_id[:8] in where[event.member.run_id]:
                lost = event.member.run_id
                two_nodes.remove_node(second, allow_graceful=False)
    assert len({node for _, node in placed(events)[:2]}) == 2
    assert lost is not None
    again = [event for event in events if isinstance(event, Log) and event.code == "cluster.placed_again"]
    assert [(event.level, event.params["run_id"]) for event in again] == [("warning", lost)]
    assert capsys.readouterr().out == ""  # where a command's events go
    assert [second.node_id[:8] in node for run_id, node in placed(events) if run_id == lost] == [True, False]
    starts = [
        event.start_epoch for event in read_events(workspace.journal_file(lost)) if isinstance(event, TrainingStarted)
    ]
    assert starts[0] == 1 and len(starts) == 2
    expected, found = here[1], events[-1]
    assert isinstance(expected, CrossvalComplete) and isinstance(found, CrossvalComplete), found
    assert found.result == expected.result
    assert [weights(workspace, run_id) for run_id in RUNS] == [weights(here[0], run_id) for run_id in RUNS]
    assert read_study(workspace, "study").members == read_study(here[0], "study").members


@with_ray
def test_a_stop_reaches_both_nodes_and_the_study_goes_on_here_to_the_same_result(
    here: tuple[Workspace, Event], workspace: Workspace, small_config: Callable[..., Config], two_nodes: Any
) -> None:
    events: list[Event] = []

    def stop() -> bool:
        done = {event.member.run_id for event in events if isinstance(event, StudyMemberChanged) and event.member.epoch}
        return bool(done)

    job = job_of(workspace, small_config(FOLDS, {"system": {"cluster": two_nodes.address}}))
    events.extend(perform(job, stop))
    assert isinstance(events[-1], StudyStopped) and events[-1].reason == "user"
    assert read_study(workspace, "study").state == "stopped"
    two_nodes.shutdown()
    (refused,) = perform(ResumeStudy(workspace=str(workspace.root), study_id="study"))
    assert isinstance(refused, Error) and refused.code == ClusterUnreachable.code
    last = list(perform(ResumeStudy(workspace=str(workspace.root), study_id="study", cluster="none")))[-1]
    assert isinstance(last, CrossvalComplete) and isinstance(here[1], CrossvalComplete)
    assert last.result == here[1].result


@with_ray
def test_a_fold_that_fails_stops_the_others_and_says_why(dealt: Workspace, two_nodes: Any) -> None:
    broken = dealt.logs_dir / "study" / "splits" / f"{RUNS[1]}.json"
    broken.parent.mkdir(exist_ok=True)
    broken.write_text("{}")
    cluster = str(two_nodes.address)
    events = list(perform(ResumeStudy(workspace=str(dealt.root), study_id="study", cluster=cluster)))
    last = events[-1]
    assert isinstance(last, Error) and last.code == SplitInvalid.code
    study = read_study(dealt, "study")
    assert (study.state, str(study.message)) == ("failed", last.message)
    assert "running" not in {member.state for member in study.members}
    broken.unlink()
    last = list(perform(ResumeStudy(workspace=str(dealt.root), study_id="study", cluster="none")))[-1]
    assert isinstance(last, CrossvalComplete)


@with_ray
def test_seeds_spread_over_two_nodes_and_one_that_dies_costs_no_figure(
    workspace: Workspace, small_config: Callable[..., Config], two_nodes: Any, tmp_path: Path
) -> None:
    def job(place: Workspace, cluster: str | None) -> TrainSeeds:
        config = small_config({"system": {"cluster": cluster}})
        return TrainSeeds(workspace=str(place.root), study_id="study", seeds=[1, 2, 3], config=config)

    (second,) = two_nodes.worker_nodes
    events: list[Event] = []
    lost = None
    for event in perform(job(workspace, two_nodes.address)):
        events.append(event)
        reached = lost is None and isinstance(event, StudyMemberChanged) and event.member.epoch == 1
        if reached and second.node_id[:8] in dict(placed(events))[event.member.run_id]:  # type: ignore[attr-defined]
            lost = event.member.run_id  # type: ignore[attr-defined]
            two_nodes.remove_node(second, allow_graceful=False)
    assert len({node for _, node in placed(events)[:2]}) == 2
    assert lost is not None and [run for run, _ in placed(events)].count(lost) == 2
    here = Workspace.open(tmp_path / "here")
    expected, found = list(perform(job(here, None)))[-1], events[-1]
    assert isinstance(expected, SeedsComplete) and isinstance(found, SeedsComplete), found
    assert found.result == expected.result
    runs = [f"study-s{seed}" for seed in (1, 2, 3)]
    assert [weights(workspace, run) for run in runs] == [weights(here, run) for run in runs]
    assert read_study(workspace, "study").members == read_study(here, "study").members


def started(study: Study) -> list[tuple[str, bool]]:
    """Return each trial, and whether it is over."""
    return [(member.run_id, member.is_over) for member in study.members]


@with_ray
def test_trials_run_side_by_side_and_one_whose_node_dies_goes_on_elsewhere(
    workspace: Workspace, small_config: Callable[..., Config], two_nodes: Any, tmp_path: Path
) -> None:
    (second,) = two_nodes.worker_nodes
    config = small_config(TRIALS, {"system": {"cluster": two_nodes.address}})
    events: list[Event] = []
    lost = None
    for event in perform(Tune(workspace=str(workspace.root), study_id="study", config=config)):
        events.append(event)
        reached = lost is None and isinstance(event, StudyMemberChanged) and event.member.epoch == 1
        if reached and second.node_id[:8] in dict(placed(events))[event.member.run_id]:  # type: ignore[attr-defined]
            lost = event.member.run_id  # type: ignore[attr-defined]
            two_nodes.remove_node(second, allow_graceful=False)
    last = events[-1]
    assert isinstance(last, TuningComplete), last
    assert len({node for _, node in placed(events)[:2]}) == 2
    assert lost is not None and [run for run, _ in placed(events)].count(lost) == 2
    study = read_study(workspace, "study")
    assert started(study) == [(f"study-t0{number}", True) for number in range(4)]
    assert (last.tuning.done, study.tuning) == (4, last.tuning)
    # What a trial comes to is what it comes to here.
    here = Workspace.open(tmp_path / "here")
    alone = small_config(TRIALS, {"tuning": {"trials": 1}})
    list(perform(Tune(workspace=str(here.root), study_id="study", config=alone)))
    assert study.members[0] == read_study(here, "study").members[0]


@with_ray
def test_a_search_stopped_on_a_cluster_goes_on_here_with_the_trials_it_had_begun(
    workspace: Workspace, small_config: Callable[..., Config], two_nodes: Any
) -> None:
    events: list[Event] = []

    def stop() -> bool:
        return any(isinstance(event, StudyMemberChanged) and event.member.epoch == 1 for event in events)

    config = small_config(TRIALS, {"system": {"cluster": two_nodes.address}})
    events.extend(perform(Tune(workspace=str(workspace.root), study_id="study", config=config), stop))
    assert isinstance(events[-1], StudyStopped), events[-1]
    begun = {member.run_id: member.values for member in read_study(workspace, "study").members}
    assert len(begun) == 2
    last = list(perform(ResumeStudy(workspace=str(workspace.root), study_id="study", cluster="none")))[-1]
    assert isinstance(last, TuningComplete)
    study = read_study(workspace, "study")
    assert sorted(started(study)) == [(f"study-t0{number}", True) for number in range(4)]
    assert {run_id: study.member(run_id).values for run_id in begun} == begun


def together(small_config: Callable[..., Config], cluster: str, epochs: int) -> Config:
    """Return a run of two processes."""
    system = {"cluster": cluster, "processes": 2}
    training = {"epochs": epochs, "early_stopping": {"enabled": False}, "export_onnx": False}
    return small_config({"system": system, "training": training, "storage": {"backup_after_run": False}})


def training_processes() -> list[int]:
    """Return the processes in which Ray Train trains on this machine."""
    running = psutil.process_iter(["cmdline"])
    return [each.pid for each in running if any("RayTrainWorker" in part for part in each.info["cmdline"] or [])]


@with_ray
@of_ray_s_own
def test_two_processes_of_a_cluster_train_one_run_and_a_lost_one_costs_an_epoch_at_most(
    workspace: Workspace, small_config: Callable[..., Config], two_nodes: Any
) -> None:
    config = together(small_config, two_nodes.address, 4)
    events: list[Event] = []
    killed = False
    for event in perform(Train(workspace=str(workspace.root), run_id="run", config=config)):
        events.append(event)
        if isinstance(event, TrainingUpdate) and not killed:
            ours = training_processes()
            assert len(ours) == 2
            os.kill(ours[1], signal.SIGKILL)
            killed = True
    assert isinstance(events[-1], TrainingComplete), events[-1]
    codes = [event.code for event in events if isinstance(event, Log)]
    assert codes.count("training.processes") == 2 and codes.count("cluster.processes_again") == 1
    starts = [event.start_epoch for event in events if isinstance(event, TrainingStarted)]
    assert starts[0] == 1 and starts[1] in (1, 2, 3)
    assert sorted({event.epoch for event in events if isinstance(event, TrainingUpdate)}) == [1, 2, 3, 4]
    assert not (workspace.run_dir("run") / "ray").exists()
    told = [event.type for event in read_events(workspace.journal_file("run"))]
    assert told[-1] == "training_complete"


@with_ray
@of_ray_s_own
def test_a_run_of_two_processes_stopped_on_a_cluster_goes_on_here_alone(
    workspace: Workspace, small_config: Callable[..., Config], two_nodes: Any
) -> None:
    events: list[Event] = []

    def stop() -> bool:
        return any(isinstance(event, TrainingUpdate) for event in events)

    config = together(small_config, two_nodes.address, 60)
    events.extend(perform(Train(workspace=str(workspace.root), run_id="run", config=config), stop))
    last = events[-1]
    assert isinstance(last, TrainingStopped) and last.reason == "user", last
    assert last.epoch is not None and last.epoch < 60
    rest = list(perform(Resume(workspace=str(workspace.root), run_id="run", epochs=last.epoch + 1, cluster="none")))
    assert isinstance(rest[-1], TrainingComplete) and rest[-1].epochs_run == last.epoch + 1


@with_ray
@of_ray_s_own
def test_a_run_that_waits_for_nodes_can_be_stopped(
    workspace: Workspace, small_config: Callable[..., Config], two_nodes: Any
) -> None:
    config = together(small_config, two_nodes.address, 1)
    config = config.model_copy(update={"system": config.system.model_copy(update={"processes": 3})})
    events: list[Event] = []

    def stop() -> bool:
        return any(isinstance(event, ProgressUpdate) and "Waiting" in event.message for event in events)

    events.extend(perform(Train(workspace=str(workspace.root), run_id="run", config=config), stop))
    last = events[-1]
    assert isinstance(last, TrainingStopped) and last.reason == "user", last
    assert workspace.runs() == []
