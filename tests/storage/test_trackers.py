"""Trackers: what they write, and that a run does without them."""

import importlib.util
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ConfigInvalid, DataOutsideRoots, InputError, MissingExtra
from breastai.domain.events import (
    Event,
    Log,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
    TrainingUpdate,
)
from breastai.domain.jobs import Train
from breastai.domain.metric_catalog import MONITORS
from breastai.server.access.allowed_paths import DataRoots
from breastai.storage import experiment_trackers
from breastai.storage.run_recorder import journal_events
from breastai.storage.workspace import Workspace

RUN = "20260101-101010-abcd"
FIGURES = {"sensitivity": 0.75, "specificity": 1.0, "precision": 0.5, "f1": 0.6, "auc_roc": None, "support": 4}
TENSORBOARD = {"tracking": {"tensorboard": True}}


def started(tracking: dict[str, Any]) -> TrainingStarted:
    config = parse_config(tracking).model_dump(mode="json")
    return TrainingStarted(architecture="resnet50", epochs=2, class_names=["benign", "malignant"], config=config)


def update(epoch: int) -> TrainingUpdate:
    values: dict[str, Any] = dict.fromkeys(MONITORS, 0.5) | {
        "val_auc_roc": None,
        "val_loss": 1.0 / epoch,
        "val_confusion_matrix": [[1, 0], [0, 1]],
        "val_per_class": {"benign": FIGURES, "malignant": FIGURES},
    }
    return TrainingUpdate(
        epoch=epoch,
        epochs=2,
        learning_rate=0.1,
        images_per_second=None,
        epoch_s=1.0,
        eta_s=None,
        is_best=True,
        **values,
    )


def complete() -> TrainingComplete:
    return TrainingComplete(
        final_metrics={"accuracy": 0.875, "auc_roc": None, "per_class": {"malignant": {"sensitivity": 0.75}}},
        history={},
        checkpoint=f"{RUN}/best",
        best_epoch=2,
        epochs_run=2,
        stopped_early=False,
        duration_s=1.0,
    )


def a_run(tracking: dict[str, Any], last: Event | None = None, fault: InputError | None = None) -> Iterator[Event]:
    yield started(tracking)
    yield update(1)
    if fault is not None:
        raise fault
    yield update(2)
    yield last or complete()


def told(workspace: Workspace, tracking: dict[str, Any], fault: InputError | None = None) -> list[Event]:
    job = Train(workspace=str(workspace.root), session_id="default", run_id=RUN, config=Config())
    return list(journal_events(job, a_run(tracking, fault=fault), workspace, lambda: False, back_up=False))


def warnings_of(events: list[Event]) -> list[Log]:
    """Return what was told of trackers; that a run without weights can't be backed up is not of interest here."""
    return [event for event in events if isinstance(event, Log) and event.code == "tracking.failed"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "project")


# --- TensorBoard ---------------------------------------------------------------------------------


def test_tensorboard_reads_back_settings_and_figures_of_each_epoch(workspace: Workspace) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = told(workspace, TENSORBOARD)
    assert warnings_of(events) == []
    read = EventAccumulator(str(workspace.run_dir(RUN) / "tensorboard")).Reload()
    assert [(point.step, point.value) for point in read.Scalars("val_loss")] == [(1, 1.0), (2, 0.5)]
    assert [point.value for point in read.Scalars("val_per_class/malignant/sensitivity")] == [0.75, 0.75]
    assert [point.step for point in read.Scalars("final/accuracy")] == [2]
    assert read.Scalars("final/per_class/malignant/sensitivity")[0].value == 0.75
    tags = read.Tags()
    assert "val_auc_roc" not in tags["scalars"]  # undefined is left out, not 0
    assert not {"seq", "epoch", "support"} & set(tags["scalars"])
    [settings] = read.Tensors("settings/text_summary" if "settings/text_summary" in tags["tensors"] else "settings")
    text = settings.tensor_proto.string_val[0].decode()
    assert "| training.optimizer | adamw |" in text and "| class_names | benign, malignant |" in text
    assert "server." not in text and "tracking." not in text
    [checkpoint] = read.Tensors("checkpoint")
    assert checkpoint.tensor_proto.string_val[0].decode() == f"{RUN}/best"


def test_without_being_asked_nothing_is_written(workspace: Workspace) -> None:
    told(workspace, {})
    assert sorted(path.name for path in workspace.run_dir(RUN).iterdir()) == ["events.jsonl", "run.lock"]


def test_a_tracker_that_fails_is_told_of_once_and_the_run_goes_on(workspace: Workspace) -> None:
    workspace.run_dir(RUN).mkdir(parents=True)
    (workspace.run_dir(RUN) / "tensorboard").write_text("a file where the folder should be")
    events = told(workspace, TENSORBOARD)
    [warning] = warnings_of(events)
    assert (warning.level, warning.params["tracker"]) == ("warning", "TensorBoard")
    assert [event.epoch for event in events if isinstance(event, TrainingUpdate)] == [1, 2]
    assert isinstance(events[-1], TrainingComplete)


class Fails:
    name = "one"

    def __init__(self, at: type[Event]) -> None:
        self.at = at

    def hear(self, event: Event) -> None:
        if isinstance(event, self.at):
            raise RuntimeError("broken")

    def close(self) -> None:
        raise RuntimeError("broken too")


@pytest.mark.parametrize("at", [TrainingStarted, TrainingUpdate, TrainingComplete])
def test_wherever_a_tracker_fails_the_last_word_is_the_runs(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, at: type[Event]
) -> None:
    monkeypatch.setattr(experiment_trackers, "TensorBoard", lambda folder: Fails(at))
    events = told(workspace, TENSORBOARD)
    assert len(warnings_of(events)) == 1
    assert isinstance(events[-1], TrainingComplete)


def test_a_run_that_ends_with_an_error_ends_so_with_a_tracker_that_fails_then(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment_trackers, "TensorBoard", lambda folder: Fails(TrainingStopped))
    events = told(workspace, TENSORBOARD, fault=DataOutsideRoots("x"))
    assert [type(event).__name__ for event in events[-3:]] == ["Error", "Log", "TrainingStopped"]


@pytest.mark.parametrize(
    ("tracking", "package"),
    [
        ({"tensorboard": True}, "tensorboard"),
        ({"mlflow": "mlflow"}, "mlflow"),
        ({"mlflow": "http://localhost:1"}, "mlflow"),
    ],
)
def test_without_the_package_a_run_does_not_begin_and_leaves_no_trace(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tracking: dict[str, Any], package: str
) -> None:
    monkeypatch.setattr(experiment_trackers, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=rf"breastai\[{package}\]"):
        told(workspace, {"tracking": tracking})
    assert not workspace.journal_file(RUN).exists()


# --- where to --------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["", "sqlite:///x.db", "ftp://host/x", "https://", "http://me:secret@host/"])
def test_a_place_that_is_neither_a_folder_nor_an_address_is_refused(place: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"tracking\.mlflow"):
        parse_config({"tracking": {"mlflow": place}})


def test_a_folder_to_track_to_must_lie_in_the_roots_and_an_address_need_not(workspace: Workspace) -> None:
    roots = DataRoots.of(workspace, [])
    for place in ("mlflow", "http://localhost:5000", None):
        roots.check_config(parse_config({"tracking": {"mlflow": place}}))
    for place in ("../elsewhere", "/tmp"):
        with pytest.raises(DataOutsideRoots):
            roots.check_config(parse_config({"tracking": {"mlflow": place}}))


# --- MLflow: 20 packages, no part of what the tests install ------------------------------------------

needs_mlflow = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None, reason="the extra mlflow is not installed"
)


@needs_mlflow
@pytest.mark.filterwarnings("default")  # of MLflow's own making
def test_mlflow_reads_back_settings_figures_and_checkpoint_and_a_resumed_run_is_the_same_one(
    workspace: Workspace,
) -> None:
    tracking = {"tracking": {"mlflow": "mlflow"}}
    told(workspace, tracking, fault=DataOutsideRoots("x"))
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{(workspace.root / 'mlflow' / 'mlflow.db').as_posix()}")
    experiment = client.get_experiment_by_name("BreastAI").experiment_id
    [run] = client.search_runs([experiment])
    assert run.info.status == "FAILED"
    assert warnings_of(told(workspace, tracking)) == []
    [run] = client.search_runs([experiment])
    assert (run.info.status, run.info.run_name) == ("FINISHED", RUN)
    assert run.data.params["training.optimizer"] == "adamw" and "server.port" not in run.data.params
    assert run.data.tags["breastai.checkpoint"] == f"{RUN}/best"
    assert run.data.metrics["val_per_class/malignant/sensitivity"] == 0.75
    assert run.data.metrics["final/accuracy"] == 0.875 and "val_auc_roc" not in run.data.metrics
    history = client.get_metric_history(run.info.run_id, "val_loss")
    assert {(point.step, point.value) for point in history} == {(1, 1.0), (2, 0.5)}


@needs_mlflow
@pytest.mark.filterwarnings("default")
def test_an_mlflow_server_that_answers_nonsense_costs_one_warning(workspace: Workspace) -> None:
    asked = []

    class Nonsense(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps({"error": "no"}).encode()
            self.send_response(404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *line: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Nonsense) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            events = told(workspace, {"tracking": {"mlflow": f"http://127.0.0.1:{server.server_port}"}})
        finally:
            server.shutdown()
            thread.join()
    assert asked
    assert len(warnings_of(events)) == 1
    assert isinstance(events[-1], TrainingComplete)
