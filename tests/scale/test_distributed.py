"""One run trained by two gloo processes: as by one, stopped, killed, and gone on with by two and by one."""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from safetensors.numpy import load_file

from breastai.domain.config import Config
from breastai.domain.events import TrainingComplete, TrainingUpdate
from breastai.domain.jobs import Resume, Train
from breastai.engine.network.process_group import SINGLE_PROCESS
from breastai.engine.training.training_job import train
from breastai.storage.journal import read_epochs, read_events
from breastai.storage.workspace import Workspace
from breastai.worker import perform

CHANGES = {
    # Weights that were trained: in a network that has just begun, rounding grows from layer to layer.
    "model": {"architecture": "tf_efficientnet_lite0", "pretrained": "required"},
    "data": {"image_size": 64},
    # Adam divides by what a gradient has been: of a gradient near zero it makes its rounding a whole step.
    "training": {"optimizer": "sgd", "learning_rate": 0.002, "epochs": 500, "early_stopping": {"enabled": False}},
    "storage": {"keep_best": 20, "backup_after_run": False},
}
OWN = {"session_id", "run_id", "seq", "time", "images_per_second", "epoch_s", "eta_s", "epochs"}


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])} | more


def two_processes(arguments: list[str], output: Path) -> list[subprocess.Popen[str]]:
    """Start two processes as torchrun would, which then can be watched one by one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = []
    for rank in "01":
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        with output.open("a") as errors:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env=environment(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, **place),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        started.append(process)
    return started


def until(process: subprocess.Popen[str], kind: str, events: list[dict[str, Any]]) -> Iterator[None]:
    """Read events into `events`; yield at each one of `kind`."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            events.append(json.loads(line))
            if events[-1]["type"] == kind:
                yield


def ended(process: subprocess.Popen[str]) -> int:
    """Wait for a process and let go of its pipe; return its exit status."""
    process.communicate(timeout=60)
    return process.returncode


def options(config: Config, workspace: Workspace) -> list[str]:
    file = workspace.root / "settings.json"
    file.write_text(config.model_dump_json(), encoding="utf-8")
    return ["-m", "breastai.commands.distributed", "--workspace", str(workspace.root), "--json", "--config", str(file)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(tmp_path_factory.mktemp("together") / "workspace")


@pytest.fixture(scope="module")
def stopped(small_config: Callable[..., Config], place: Workspace) -> tuple[Config, list[dict[str, Any]]]:
    """A run of two processes under torchrun, of which the second was told to stop after an epoch or two."""
    config = small_config(CHANGES)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    group = subprocess.Popen([*command, *options(config, place)], env=environment(), stdout=subprocess.PIPE, text=True)
    events: list[dict[str, Any]] = []
    for turn, _ in enumerate(until(group, "training_update", events)):
        if turn == 0:
            ranks = {child.environ().get("RANK"): child for child in psutil.Process(group.pid).children(recursive=True)}
            ranks["1"].send_signal(signal.SIGTERM)
    assert ended(group) == 0
    return config, events


@pytest.mark.full
def test_a_stop_told_to_one_process_stops_all_and_keeps_the_place(stopped: Any, place: Workspace) -> None:
    _, events = stopped
    assert (events[-1]["type"], events[-1]["reason"]) == ("training_stopped", "user")
    assert events[-1]["epoch"] < 500
    assert (place.root / "checkpoints" / f"{events[-1]['checkpoint']}.json").is_file()


def test_two_processes_learn_what_one_does(stopped: Any, place: Workspace, tmp_path: Path) -> None:
    config, events = stopped
    alone = Workspace.open(tmp_path / "alone")
    steps = train(Train(workspace=str(alone.root), run_id="run", config=config), alone)
    of_one = next(event for event in steps if isinstance(event, TrainingUpdate)).model_dump(
        mode="json", exclude_none=True
    )
    next(steps)  # the epoch's weights are kept
    steps.close()  # type: ignore[attr-defined]
    told = next(event for event in events if event["type"] == "training_update")
    of_two = TrainingUpdate.model_validate(told).model_dump(mode="json", exclude_none=True)
    for values in (of_one, of_two):
        values |= values.pop("metrics")
    for name, value in of_one.items():
        if name not in OWN:  # shares of images decided rightly are equal, losses to rounding
            near = pytest.approx(value, rel=1e-2) if name.endswith("loss") else value
            assert of_two[name] == near, name
    began = load_file(alone.root / "checkpoints" / "run" / "last.000001.safetensors")
    weights = load_file(alone.root / "checkpoints" / "run" / "epoch-0001.safetensors")
    theirs = load_file(place.root / "checkpoints" / of_two["run_id"] / "epoch-0001.safetensors")
    assert weights.keys() == theirs.keys()
    # What float32 rounding makes of a gradient through twenty layers: as much as in one process alone (below).
    assert distance(theirs, weights) < 0.05 * distance(weights, began)


def distance(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> float:
    """How far apart the weights are, statistics left out."""
    learnt = [name for name in first if name.endswith(("weight", "bias"))]
    return float(sum(np.square(first[name] - second[name]).sum() for name in learnt) ** 0.5)


@pytest.mark.full
def test_a_killed_process_ends_both_with_one_clear_error_and_one_alone_goes_on(
    stopped: Any, place: Workspace, tmp_path: Path
) -> None:
    _, events = stopped
    run_id = events[0]["run_id"]
    arguments = ["-m", "breastai.commands.distributed", "--workspace", str(place.root), "--json", "--resume", run_id]
    first, second = two_processes(arguments, tmp_path / "output.txt")
    told: list[dict[str, Any]] = []
    for turn, _ in enumerate(until(first, "training_update", told)):
        if turn == 0:
            second.kill()
    assert (ended(first), ended(second)) == (1, -signal.SIGKILL)
    begun = next(event for event in told if event["type"] == "training_started")
    assert begun["start_epoch"] >= 2  # two went on with what two had begun
    errors = [event for event in read_events(place.journal_file(run_id)) if event.type == "error"]
    assert [error.code for error in errors] == ["distributed.process_lost"]  # type: ignore[attr-defined]
    assert [event["type"] for event in told[-2:]] == ["training_stopped", "error"]
    reached = max(read_epochs(place.journal_file(run_id)))
    rest = list(perform(Resume(workspace=str(place.root), run_id=run_id, epochs=reached + 1)))
    assert isinstance(rest[-1], TrainingComplete)
    assert rest[-1].epochs_run == reached + 1


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two processes and one made of batches in float64, and where two came to in float32."""
    folder = tmp_path_factory.mktemp("parts")
    script = Path(__file__).with_name("parts_of_a_batch.py")
    for process in two_processes([str(script), str(folder / "found.pt")], folder / "output.txt"):
        assert ended(process) == 0, (folder / "output.txt").read_text()
    found: dict[str, Any] = torch.load(folder / "found.pt", weights_only=True)
    return found


@pytest.mark.full
def test_two_processes_are_no_further_from_the_truth_than_one_is_with_its_images_in_another_order(
    parts: dict[str, Any], project_root: Path
) -> None:
    rounding = runpy.run_path(str(project_root / "benchmarks" / "rounding.py"))
    asked = rounding["options"]().parse_args([])
    asked.steps = [1, 2]
    true = rounding["course"](SINGLE_PROCESS, asked, torch.float64)
    itself = [rounding["course"](SINGLE_PROCESS, asked, order=order) for order in (None, 1, 2)]
    for step in asked.steps:
        furthest = max(float((found[step] - true[step]).norm()) for found in itself)
        assert float((parts["course"][step] - true[step]).norm()) < 2 * furthest
        assert furthest < 0.1 * float((true[step] - true[0]).norm())  # a yardstick that measures something


@pytest.mark.full
def test_gradients_and_statistics_of_uneven_parts_are_those_of_the_whole_batch(parts: dict[str, Any]) -> None:
    assert parts["together"].keys() == parts["alone"].keys()
    assert sum(name.startswith("gradient.") for name in parts["alone"]) > 100
    for name, value in parts["alone"].items():
        torch.testing.assert_close(parts["together"][name], value, rtol=1e-6, atol=1e-9, msg=name)
