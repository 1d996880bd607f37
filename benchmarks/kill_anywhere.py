"""Kill -9 at random moments of a run, resume, and compare: nothing unreadable, and the same weights, bit for bit.

    python benchmarks/kill_anywhere.py [KILLS] [--what worker|server|both|all] [--seed N] [--keep DIR]

A small network learns from small made-up images. `worker` kills the process that trains and resumes the run; `server` kills the
server, whose worker then saves and ends; `both` kills the two at once, as a power failure does. In these two the server
goes on by itself when it is started again. Half of the kills wait for a save to begin and fall within it. After each
kill every checkpoint must be whole and the journal readable; each life must begin no earlier than the last epoch told;
each run that reaches its end must have the weights and the figures of one that nobody disturbed.
"""

import argparse
import contextlib
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import psutil
from websockets.sync.client import ClientConnection, connect

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import Config, overlay, parse_config
from breastai.domain.events import TrainingComplete, TrainingStarted, TrainingStopped, TrainingUpdate
from breastai.domain.jobs import AnyJob, Resume, Train
from breastai.storage.checkpoints import checkpoint_files, list_checkpoints, verify_checkpoint
from breastai.storage.interrupted_runs import interrupted_runs, may_auto_resume
from breastai.storage.journal import last_event, read_events
from breastai.storage.private_files import file_sha256
from breastai.storage.workspace import Workspace
from breastai.worker import perform

SMALL: dict[str, Any] = {
    "data": {"image_size": 32, "batch_size": 4, "num_workers": 1, "test_dir": None},
    "model": {"architecture": "tf_efficientnet_lite0", "pretrained": "none"},
    "training": {"epochs": 3, "use_amp": False, "use_ema": True, "gradient_accumulation_steps": 2, "mixup_alpha": 0.2},
    "system": {"num_threads": 1, "autotune": False, "download_weights": False},
    "storage": {"resume_interrupted": True, "backup_after_run": False},
}
TIMING = {"seq", "time", "session_id", "run_id", "images_per_second", "epoch_s", "eta_s"}
LIFE_S = 600.0


@dataclass
class Tally:
    kills: int = 0
    in_saves: int = 0  # kills that left a save half done
    before_first: int = 0  # kills before the run's first checkpoint
    runs: int = 0  # runs that reached their end and were compared
    repeated: int = 0  # epochs told twice
    faults: list[str] = field(default_factory=list)


def small_config(data: Path) -> Config:
    folders = {"data": {"train_dir": str(data / "train"), "val_dir": str(data / "val"), "on_leak": "group"}}
    return parse_config(overlay(SMALL, folders))


# --- a worker, without a server ------------------------------------------------------------------


class Worker:
    """A process at its job, forked from this one so that torch is imported once: the job's own code, without a server."""

    def __init__(self, job: AnyJob) -> None:
        self.pid = os.fork()
        self.life_cpu_s = 0.0
        if self.pid == 0:
            work(job)
        self._alive = True

    def ended(self, within_s: float) -> bool:
        until = time.monotonic() + within_s
        while self._alive:
            gone, _, used = os.wait4(self.pid, os.WNOHANG)
            self._alive = gone == 0
            self.life_cpu_s = used.ru_utime + used.ru_stime
            if self._alive and time.monotonic() >= until:
                return False
            if self._alive:
                time.sleep(min(0.01, within_s))
        return True

    def close(self) -> None:
        if self._alive:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._alive = False


def work(job: AnyJob) -> NoReturn:
    """Do a job in this process, and end without a word to what was forked."""
    try:
        for _ in perform(job):
            pass
    finally:
        os._exit(0)


# --- a server with its worker --------------------------------------------------------------------


class ServerLife:
    """A server process, from its start to its death."""

    def __init__(self, workspace: Workspace) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "breastai.server", "--port", "0", "--workspace", str(workspace.root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.url = "ws://127.0.0.1:" + line.split("://")[1].split("/")[0].rpartition(":")[2] + "/"
        self.pid = self._process.pid
        self.worker: psutil.Process | None = None

    def ask(self, type: str, **fields: Any) -> dict[str, Any]:
        with connect(self.url, max_size=None) as socket:
            return asked(socket, type, **fields)

    def find_worker(self) -> psutil.Process | None:
        """Return the worker, once there is one."""
        with contextlib.suppress(psutil.Error):
            self.worker = next(iter(psutil.Process(self._process.pid).children()), self.worker)
        return self.worker

    def kill(self, worker_too: bool) -> None:
        worker = self.find_worker()
        self._process.kill()
        if worker_too and worker is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def asked(socket: ClientConnection, type: str, **fields: Any) -> dict[str, Any]:
    socket.send(json.dumps({"type": type, "request_id": 1, **fields}))
    while True:
        event: dict[str, Any] = json.loads(socket.recv(timeout=LIFE_S))
        if event.get("request_id") == 1:
            return event


# --- kills ---------------------------------------------------------------------------------------


def is_saving(folder: Path) -> bool:
    """Whether a save is under way, or was cut off: its temporary files are there, or a state that no manifest names."""
    try:
        names = [path.name for path in folder.iterdir()]
        if any(name.endswith((".tmp", ".next")) for name in names):
            return True
        named = {json.loads((folder / name).read_bytes()).get("state_file") for name in names if name.endswith(".json")}
    except (OSError, ValueError):
        return False
    return any(".state-" in name and name not in named for name in names)


def wait_for_moment(
    rng: random.Random,
    folder: Path,
    over: Callable[[float], bool],
    pid: int,
    earliest_cpu_s: float,
    latest_cpu_s: float,
) -> None:
    """Return at a random moment of a process's life, or within a save: `over(s)` waits for its end, at most so long.

    Moments are counted in processor time, which a busy machine does not change.
    """
    moment = rng.uniform(earliest_cpu_s, latest_cpu_s)
    while cpu_s(pid) < moment:
        if over(0.005):
            return
    if rng.random() < 0.5:
        return
    while not is_saving(folder):
        if over(0.0005):
            return
    moment = cpu_s(pid) + rng.uniform(0, 0.03)
    until = time.monotonic() + 1  # a save waits for the disk more than it computes
    while cpu_s(pid) < moment and time.monotonic() < until:
        if over(0.0005):
            return


def cpu_s(pid: int) -> float:
    """Return the processor time a process has used; without end for one that is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return float("inf")
    return float(times.user + times.system)


def inspect(workspace: Workspace, run_id: str, tally: Tally) -> None:
    """Prove that what a kill left is whole."""
    tally.kills += 1
    folder = workspace.checkpoint_dir(run_id)
    tally.in_saves += folder.is_dir() and is_saving(folder)
    last = checkpoint_files(workspace, run_id, "last")
    tally.before_first += not last.manifest.is_file()
    for kind in ("last", "best"):
        files = checkpoint_files(workspace, run_id, kind)
        if files.manifest.is_file():
            try:
                verify_checkpoint(files)
            except Exception as error:
                tally.faults.append(f"kill {tally.kills}: {error}")
    tally.faults += [f"kill {tally.kills}: {each.problem}" for each in list_checkpoints(workspace) if each.problem]


def compare(workspace: Workspace, run_id: str, whole: "Story", tally: Tally) -> None:
    """Prove that a run that was killed and resumed is the one that was not."""
    tally.runs += 1
    story = Story.of(workspace, run_id)
    tally.repeated += story.told - len(story.figures)
    if story.figures != whole.figures:
        tally.faults.append(f"{run_id}: its figures differ")
    for kind, digest in whole.weights.items():
        if story.weights[kind] != digest:
            tally.faults.append(f"{run_id}: the weights of {kind} differ")
    tally.faults += story.faults
    if (workspace.checkpoint_dir(run_id) / "damaged").exists():
        tally.faults.append(f"{run_id}: a checkpoint was found damaged")


@dataclass
class Story:
    """What a run came to: its figures by epoch, its final weights, and how many epochs were told."""

    figures: dict[int, dict[str, Any]]
    weights: dict[str, str]
    told: int
    faults: list[str]

    @classmethod
    def of(cls, workspace: Workspace, run_id: str) -> "Story":
        figures: dict[int, dict[str, Any]] = {}
        faults: list[str] = []
        told = latest = 0
        for event in read_events(workspace.journal_file(run_id)):
            if isinstance(event, TrainingStarted) and event.start_epoch < latest:
                faults.append(f"{run_id}: epoch {latest} was told, and a life began with epoch {event.start_epoch}")
            if isinstance(event, TrainingUpdate):
                figures[event.epoch] = event.model_dump(exclude=TIMING)
                told += 1
                latest = max(latest, event.epoch)
        weights = {kind: file_sha256(checkpoint_files(workspace, run_id, kind).weights) for kind in ("last", "best")}
        return cls(figures, weights, told, faults)


def kill_workers(
    workspace: Workspace, config: Config, whole: Story, kills: int, life_cpu_s: float, rng: random.Random
) -> Tally:
    """Kill the workers of runs that go on until their end, so many times in all."""
    tally = Tally()
    root = str(workspace.root)
    while tally.kills < kills:
        run_id = f"worker-{tally.runs:03d}"
        complete = False
        while not complete:
            resumes = workspace.journal_file(run_id).is_file()
            job = (
                Resume(workspace=root, run_id=run_id)
                if resumes
                else Train(workspace=root, run_id=run_id, config=config)
            )
            worker = Worker(job)
            if tally.kills < kills:
                # Most fall in the first two thirds, so that a resumed run does not often end before its moment.
                wait_for_moment(rng, workspace.checkpoint_dir(run_id), worker.ended, worker.pid, 0.0, 0.66 * life_cpu_s)
            else:
                worker.ended(LIFE_S)
            worker.close()
            if not workspace.journal_file(run_id).is_file():
                continue  # killed before the run left a trace
            complete = isinstance(last_event(workspace.journal_file(run_id)), TrainingComplete)
            if not complete and tally.kills < kills:
                inspect(workspace, run_id, tally)
        compare(workspace, run_id, whole, tally)
        shutil.rmtree(workspace.checkpoint_dir(run_id))
        show("worker", tally)
    return tally


def kill_servers(
    workspace: Workspace,
    config: Config,
    whole: Story,
    kills: int,
    life_cpu_s: float,
    rng: random.Random,
    both: bool,
    import_cpu_s: float,
) -> Tally:
    """Kill servers, or servers and workers at once; each new server goes on by itself."""
    tally = Tally()
    workspace.config_file.write_text(json.dumps(config.model_dump(mode="json")), encoding="utf-8")
    while tally.kills < kills:
        before = set(workspace.runs())
        life = ServerLife(workspace)
        run_id = life.ask("start_training")["run_id"]
        while True:
            wait_for_worker(life, workspace, run_id)
            killing = tally.kills < kills

            def over(wait_s: float, life: ServerLife = life) -> bool:
                time.sleep(wait_s)
                worker = life.find_worker()
                return worker is None or not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE

            with contextlib.suppress(psutil.Error):
                if killing:
                    worker = life.find_worker()
                    earliest = 0.8 * import_cpu_s
                    latest = import_cpu_s + 0.66 * life_cpu_s
                    wait_for_moment(
                        rng, workspace.checkpoint_dir(run_id), over, worker.pid if worker else 0, earliest, latest
                    )
                else:
                    while not over(0.1):
                        pass
            worker = life.find_worker()
            life.kill(worker_too=both)
            if worker is not None:
                with contextlib.suppress(psutil.Error):
                    worker.wait(LIFE_S)  # without its server it saves and ends
            if isinstance(last_event(workspace.journal_file(run_id)), TrainingComplete):
                break
            if killing:
                inspect(workspace, run_id, tally)
            life = ServerLife(workspace)
        assert len(set(workspace.runs()) - before) == 1
        compare(workspace, run_id, whole, tally)
        shutil.rmtree(workspace.checkpoint_dir(run_id))
        show("both" if both else "server", tally)
    return tally


def wait_for_worker(life: ServerLife, workspace: Workspace, run_id: str) -> None:
    """Wait until the server has a worker again; one that has crashed too often before an epoch is resumed by hand."""
    until = time.monotonic() + 15
    left = [run for run in interrupted_runs(workspace) if not may_auto_resume(workspace, run)]
    while life.find_worker() is None:
        if left or time.monotonic() > until:
            life.ask("resume_training", checkpoint=run_id)
            return
        time.sleep(0.02)


def show(what: str, tally: Tally) -> None:
    print(
        f"{what}: {tally.kills} kills ({tally.in_saves} left a save half done, {tally.before_first} before the first "
        f"checkpoint), {tally.runs} runs compared, {tally.repeated} epochs told twice, {len(tally.faults)} faults",
        *tally.faults,
        sep="\n  ",
        flush=True,
    )


def undisturbed(workspace: Workspace, config: Config, run_id: str) -> tuple[Story, float]:
    """Return the story of a run nobody kills, and the processor time of its life."""
    worker = Worker(Train(workspace=str(workspace.root), run_id=run_id, config=config))
    assert worker.ended(LIFE_S)
    worker.close()
    assert not isinstance(last_event(workspace.journal_file(run_id)), TrainingStopped)
    return Story.of(workspace, run_id), worker.life_cpu_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int, nargs="?", default=100)
    parser.add_argument("--what", choices=("worker", "server", "both", "all"), default="all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder to work in, kept afterwards")
    arguments = parser.parse_args()
    root = arguments.keep or Path(tempfile.mkdtemp(prefix="kill-anywhere-"))
    try:
        # Within the workspace: a server reads images nowhere else unless its owner says so.
        write_sample_data(root / "workspace" / "data", per_class=14, seed=3, image_size=64)
        before_s = time.process_time()
        importlib.import_module("breastai.engine.training.loop")
        import_cpu_s = time.process_time() - before_s
        workspace = Workspace.open(root / "workspace")
        config = small_config(Path("data"))
        undisturbed(workspace, config, "first")  # prepares the images
        whole, life_cpu_s = undisturbed(workspace, config, "whole")
        print(f"undisturbed: {len(whole.figures)} epochs, {life_cpu_s:.1f} s of processor time", flush=True)
        rng = random.Random(arguments.seed)
        tallies = []
        if arguments.what in ("worker", "all"):
            tallies.append(kill_workers(workspace, config, whole, arguments.kills, life_cpu_s, rng))
        tallies += [
            kill_servers(workspace, config, whole, arguments.kills, life_cpu_s, rng, what == "both", import_cpu_s)
            for what in ("server", "both")
            if arguments.what in (what, "all")
        ]
    finally:
        if arguments.keep is None:
            shutil.rmtree(root, ignore_errors=True)
    return int(any(tally.faults for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
