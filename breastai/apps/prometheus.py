"""What a Prometheus server collects: the run, its last figures, clients, queue and memory, in text exposition format."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from breastai import __version__
from breastai.domain.events import SystemDiagnostics
from breastai.server.services import Services

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("idle", "starting", "running", "stopping")
_MIB = 2**20
# Of the last epoch's figures these are shown; a figure that is undefined has no line.
FIGURES = {
    "train_loss": "Loss on training images",
    "train_accuracy": "Accuracy on training images",
    "val_loss": "Loss on validation images",
    "val_accuracy": "Accuracy on validation images",
    "val_auc_roc": "Area under the ROC curve on validation images",
    "val_f1_macro": "Macro F1 on validation images",
    "images_per_second": "Training images per second",
    "learning_rate": "Learning rate",
}
Sample = tuple[Mapping[str, str], float | int | None]


def exposition(services: Services, machine: SystemDiagnostics) -> str:
    """Return all metrics as text; the run's figures are those of each session that knows of a run."""
    return "".join(_family(name, help_text, samples) for name, help_text, samples in _families(services, machine))


def _families(services: Services, machine: SystemDiagnostics) -> Iterator[tuple[str, str, list[Sample]]]:
    snapshots = [session.snapshot() for session in services.sessions]
    yield "info", "The server", [({"version": __version__}, 1)]
    yield "uptime_seconds", "Since the server began", [({}, machine.uptime_s)]
    yield (
        "session_state",
        "1 for the state a session is in",
        [
            ({"session": each.session_id, "state": state}, int(each.state == state))
            for each in snapshots
            for state in STATES
        ],
    )
    runs: list[tuple[dict[str, str], Mapping[str, Any], Mapping[str, Any]]] = [
        ({"session": each.session_id, "run_id": each.run_id}, each.started or {}, each.update or {})
        for each in snapshots
        if each.run_id is not None
    ]
    yield "epochs_planned", "Epochs the run shall have", [(labels, begun.get("epochs")) for labels, begun, _ in runs]
    yield "epoch", "The last epoch that is complete", [(labels, update.get("epoch")) for labels, _, update in runs]
    for name, help_text in FIGURES.items():
        yield name, f"{help_text}, last epoch", [(labels, update.get(name)) for labels, _, update in runs]
    yield "connected_clients", "Pages and programs that listen", [({}, len(services.hub))]
    yield "queue_length", "Jobs that wait for their turn", [({}, services.queue.length)]
    worker_mb = machine.worker_memory_mb
    yield (
        "process_resident_memory_bytes",
        "Memory of the server and of the worker with what it started",
        [
            ({"process": "server"}, machine.server_memory_mb * _MIB),
            ({"process": "worker"}, None if worker_mb is None else worker_mb * _MIB),
        ],
    )
    yield "disk_free_bytes", "Room on the workspace's disk", [({}, machine.disk_free_gb * 2**30)]


def _family(name: str, help_text: str, samples: list[Sample]) -> str:
    lines = [f"breastai_{name}{_labels(labels)} {value!r}\n" for labels, value in samples if _is_number(value)]
    head = f"# HELP breastai_{name} {help_text}.\n# TYPE breastai_{name} gauge\n"
    return head + "".join(lines) if lines else ""


def _is_number(value: float | int | None) -> bool:
    return value is not None and math.isfinite(value)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
