"""Experiment trackers: what listens to a run's events and writes its settings and figures down for another program.

A tracker is no part of a run: one that fails is told of once, and the run goes on without it.
"""

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from breastai import __version__
from breastai.domain.errors import MissingExtra
from breastai.domain.events import Event, Log, TrainingComplete, TrainingStarted, TrainingStopped, TrainingUpdate
from breastai.domain.tracking_settings import TrackingSettings, is_address
from breastai.storage.private_files import private_folder
from breastai.storage.workspace import Workspace

_EXPERIMENT = "BreastAI"
# Of a configuration these say nothing of how a model was made.
_NOT_TOLD = ("server", "tracking")
_MOST_AT_ONCE = 100  # MLflow's own limit of parameters in one request
_MOST_CHARACTERS = 6000  # ... and of one parameter
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
# A server that does not answer must not hold up the run for minutes. Whoever sets these has a reason.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class Tracker(Protocol):
    """Writes down what it is told. It may raise anything, and is then told nothing more."""

    name: str

    def hear(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Trackers:
    """The trackers of one run."""

    def __init__(self, trackers: list[Tracker]) -> None:
        self._trackers = trackers

    @classmethod
    def of(cls, first: Event, workspace: Workspace, run_id: str) -> "Trackers":
        """Return those that the run which `first` begins asks for; raise MissingExtra. Nothing is written yet."""
        if not isinstance(first, TrainingStarted):
            return cls([])
        settings = TrackingSettings.model_validate(first.config.get("tracking", {}))
        trackers: list[Tracker] = []
        if settings.tensorboard:
            _require("tensorboard", "tensorboard")
            trackers.append(TensorBoard(workspace.run_dir(run_id) / "tensorboard"))
        if settings.mlflow is not None:
            for package in ("mlflow",) if is_address(settings.mlflow) else ("mlflow", "sqlalchemy", "alembic"):
                _require(package, "mlflow")
            at = settings.mlflow if is_address(settings.mlflow) else workspace.resolve(settings.mlflow)
            trackers.append(MLflow(at, run_id))
        return cls(trackers)

    def hear(self, event: Event) -> Iterator[Log]:
        """Tell all of an event; yield a warning for each that fails."""
        for tracker in [*self._trackers]:
            try:
                tracker.hear(event)
            except Exception as error:  # whatever is wrong with another program's files or server
                self._trackers.remove(tracker)
                _close(tracker)
                params = {"tracker": tracker.name, "reason": f"{type(error).__name__}: {error}"[:500]}
                message = "{tracker} is told no more of this run, which goes on: {reason}".format(**params)
                yield Log(level="warning", code="tracking.failed", message=message, params=params)

    def close(self) -> None:
        for tracker in self._trackers:
            _close(tracker)


def _require(package: str, extra: str) -> None:
    if find_spec(package) is None:
        raise MissingExtra(package, extra)


def _close(tracker: Tracker) -> None:
    try:
        tracker.close()
    except Exception as error:
        logging.getLogger("breastai").debug("%s could not be closed: %s", tracker.name, error)


def parameters(started: TrainingStarted) -> dict[str, str]:
    """Return how a run was made, by the path of each setting."""
    told = {"architecture": started.architecture, "class_names": ", ".join(started.class_names)}
    sections = {name: values for name, values in started.config.items() if name not in _NOT_TOLD}
    return {name: str(value)[:_MOST_CHARACTERS] for name, value in {**told, **_flat(sections)}.items()}


def figures(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers among `values`, nested ones as OUTER/INNER; what is undefined is left out."""
    flat = _flat(values, "/")
    return {
        re.sub(r"[^\w.\- /]", "_", name): float(value)
        for name, value in flat.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _flat(values: Mapping[str, Any], joint: str = ".", place: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, joint, f"{place}{key}{joint}")
        else:
            found[f"{place}{key}"] = value
    return found


def _of_epoch(update: TrainingUpdate) -> dict[str, float]:
    rest = set(Event.model_fields) | {"epoch", "epochs", "eta_s", "metrics", "val_confusion_matrix"}
    return figures(update.metrics | update.model_dump(exclude=rest))


class TensorBoard:
    """Writes event files, which TensorBoard shows: `tensorboard --logdir logs`."""

    name = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def hear(self, event: Event) -> None:
        if isinstance(event, TrainingStarted):
            from tensorboard.summary.writer.event_file_writer import EventFileWriter

            private_folder(self._folder)
            self._writer = EventFileWriter(str(self._folder))
            rows = "\n".join(f"| {name} | {value} |" for name, value in parameters(event).items())
            self._text("settings", f"| setting | value |\n|---|---|\n{rows}", event.start_epoch - 1)
        elif isinstance(event, TrainingUpdate):
            self._scalars(_of_epoch(event), event.epoch)
        elif isinstance(event, TrainingComplete):
            self._scalars({f"final/{k}": v for k, v in figures(event.final_metrics).items()}, event.best_epoch)
            self._text("checkpoint", event.checkpoint, event.best_epoch)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _scalars(self, values: Mapping[str, float], step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        found = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(Summary(value=found), step)

    def _text(self, tag: str, text: str, step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING

        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()])
        self._write(Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)]), step)

    def _write(self, summary: Any, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event as Line

        self._writer.add_event(Line(wall_time=time.time(), step=step, summary=summary))
        self._writer.flush()


class MLflow:
    """Tells MLflow: a server, or a database in a folder (`mlflow ui --backend-store-uri sqlite:///mlflow/mlflow.db`)."""

    name = "MLflow"

    def __init__(self, place: str | Path, run_id: str) -> None:
        self._place = place
        self._run_id = run_id
        self._client: Any = None
        self._id = ""

    def hear(self, event: Event) -> None:
        if isinstance(event, TrainingStarted):
            self._begin(event)
        elif isinstance(event, TrainingUpdate):
            self._measured(_of_epoch(event), event.epoch)
        elif isinstance(event, TrainingComplete):
            self._measured({f"final/{k}": v for k, v in figures(event.final_metrics).items()}, event.best_epoch)
            self._client.set_tag(self._id, "breastai.checkpoint", event.checkpoint)
            self._client.set_tag(self._id, "breastai.best_epoch", str(event.best_epoch))
            self._client.set_terminated(self._id, "FINISHED")
        elif isinstance(event, TrainingStopped):
            self._client.set_terminated(self._id, "FAILED" if event.reason == "error" else "KILLED")

    def close(self) -> None:
        self._client = None

    def _begin(self, started: TrainingStarted) -> None:
        """Begin a run of MLflow's, or go on with the one that this run began before it was stopped."""
        os.environ.update(_ENVIRONMENT)
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = MlflowClient(tracking_uri=self._address())
        found = self._client.get_experiment_by_name(_EXPERIMENT)
        experiment = found.experiment_id if found is not None else self._client.create_experiment(_EXPERIMENT)
        runs = self._client.search_runs([experiment], f"tags.`breastai.run_id` = '{self._run_id}'", max_results=1)
        if runs:
            self._id = runs[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            return
        tags = {"breastai.run_id": self._run_id, "breastai.version": __version__}
        self._id = self._client.create_run(experiment, run_name=self._run_id, tags=tags).info.run_id
        told = [Param(name, value) for name, value in parameters(started).items()]
        for begin in range(0, len(told), _MOST_AT_ONCE):
            self._client.log_batch(self._id, params=told[begin : begin + _MOST_AT_ONCE])

    def _address(self) -> str:
        if isinstance(self._place, str):
            return self._place
        private_folder(self._place)
        return f"sqlite:///{(self._place / 'mlflow.db').as_posix()}"

    def _measured(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now_ms = time.time_ns() // 1_000_000
        self._client.log_batch(self._id, metrics=[Metric(name, value, now_ms, step) for name, value in values.items()])
