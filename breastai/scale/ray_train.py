"""One run trained by several processes that Ray Train places on the nodes of a cluster; this process is its driver.

Each process does what it would under torchrun (distributed.py). The first one writes journal and checkpoints to the
workspace, which all nodes see, and tells the driver of the run. When a process is lost, Ray Train begins all of them
again, and they go on from the last checkpoint.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from breastai.domain.config import Config
from breastai.domain.errors import BreastAIError, MemberLost, MissingExtra, NodeUnfit, ProcessLost
from breastai.domain.event_messages import decode_event, encode_event, error_event
from breastai.domain.events import Error, Event, Log, ProgressUpdate, TrainingStarted, TrainingStopped
from breastai.domain.jobs import Resume, Train
from breastai.domain.text import Text
from breastai.scale.ray_cluster import MAX_RETRIES, Line, Mailbox
from breastai.scale.ray_connection import HEAD, connect_cluster, needs, reason_of
from breastai.storage.run_recorder import Pace, Stop, StopReason
from breastai.storage.workspace import Workspace

_LOOK_EVERY_S = 0.5
_ENDS_WITHIN_S = 30.0


class _LostAgain(Exception):
    """Tells Ray Train to begin the processes again."""


def train_on_cluster(
    job: Train | Resume, config: Config, workspace: Workspace, stop_requested: Stop
) -> Iterator[Event]:
    """Yield the events of a run, its last word last; they are in its journal already. Raises ClusterUnreachable or MissingExtra."""
    with connect_cluster(config.system.cluster or "local") as ray:
        mailbox = ray.remote(Mailbox).options(num_cpus=0, resources={HEAD: 0.001}).remote()
        fit = _Fit(_trainer(ray, job, config, workspace, mailbox))
        fit.start()
        last: list[Event] = []  # how it ended, so far: a lost process ends a run that is then begun again
        asked: StopReason | None = None
        begun = given_up = False
        waiting = True
        while True:
            over = given_up or not fit.is_alive()
            for _, line in ray.get(mailbox.take.remote(0.0 if over else _LOOK_EVERY_S)):
                waiting = False
                event = decode_event(line)
                if isinstance(event, Error | TrainingStopped):
                    last.append(event)
                    continue
                if isinstance(event, TrainingStarted):
                    if begun:
                        yield _begun_again(job.run_id)
                    begun = True
                    last.clear()
                yield event
            if over:
                break
            if waiting:
                yield ProgressUpdate(stage="preparing", text=Text("progress.waiting_node"))
            if asked is None and (reason := stop_requested()):
                asked = "user" if reason is True else reason
                ray.get(mailbox.stop.remote(asked))
            if asked is not None and (waiting or last):  # nobody is there to stop, or all have said that they did
                fit.join(0 if waiting else _ENDS_WITHIN_S)
                given_up = True
        shutil.rmtree(workspace.run_dir(job.run_id) / "ray", ignore_errors=True)
        if fit.error is not None:
            last = [event for event in last if isinstance(event, TrainingStopped)]
            last.append(error_event(_fault(fit.error, job.run_id)))
        elif asked is not None and not last:
            last.append(TrainingStopped(reason=asked))
        yield from last


def _begun_again(run_id: str) -> Log:
    message = f"A process that trained {run_id} was lost: all of them go on with it from its last checkpoint"
    return Log(level="warning", code="cluster.processes_again", message=message, params={"run_id": run_id})


def _fault(error: Exception, run_id: str) -> BreastAIError:
    text = reason_of(error)
    return MemberLost(run_id, 1 + MAX_RETRIES, text) if "_LostAgain" in str(error) else NodeUnfit("?", text)


class _Fit(threading.Thread):
    """Ray Train at work, until its processes are over."""

    def __init__(self, trainer: Any) -> None:
        super().__init__(name="ray-train", daemon=True)
        self._trainer = trainer
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._trainer.fit()
        except Exception as error:
            self.error = error


def _trainer(ray: ModuleType, job: Train | Resume, config: Config, workspace: Workspace, mailbox: Any) -> Any:
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
    except ImportError as error:
        raise MissingExtra(error.name or "ray[train]", "cluster") from None
    needed = needs(ray.nodes(), config.system)
    on_gpu = "num_gpus" in needed
    return TorchTrainer(
        do_part,
        train_loop_config={"job": job.model_dump_json(), "kind": job.kind, "mailbox": mailbox},
        torch_config=TorchConfig(backend="nccl" if on_gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=config.system.processes,
            use_gpu=on_gpu,
            resources_per_worker={"CPU": needed["num_cpus"], **({"GPU": 1.0} if on_gpu else {})},
            placement_strategy="SPREAD",
        ),
        # What Ray Train itself writes goes beside the run's journal, and is deleted at the end.
        run_config=RunConfig(
            name="ray",
            storage_path=str(workspace.run_dir(job.run_id)),
            failure_config=FailureConfig(max_failures=MAX_RETRIES),
        ),
    )


def do_part(told: dict[str, Any]) -> None:
    """Do one process' part of a run, in a process of Ray Train's."""
    import ray
    from ray.train.torch import get_device

    from breastai.scale.distributed_run import perform
    from breastai.scale.torch_process_group import TorchProcessGroup

    job: Train | Resume = (Train if told["kind"] == "train" else Resume).model_validate_json(told["job"])
    line = Line(ray, told["mailbox"], job.run_id)
    crowd = TorchProcessGroup(get_device())
    crowd.wants_stop = _asked(line)
    workspace = Workspace.open(job.workspace)
    if isinstance(job, Train) and crowd.broadcast(lambda: "begun" * workspace.journal_file(job.run_id).is_file()):
        job = Resume(workspace=job.workspace, session_id=job.session_id, run_id=job.run_id)
    pace = Pace()
    lost = False
    for event in perform(job, crowd):
        lost = lost or (isinstance(event, Error) and event.code == ProcessLost.code)
        if crowd.is_main and pace.passes(event):
            line.tell(encode_event(event))
    if lost or crowd.left_alone:
        raise _LostAgain


def _asked(line: Line) -> Callable[[], bool]:
    return lambda: bool(line.stop_requested())
