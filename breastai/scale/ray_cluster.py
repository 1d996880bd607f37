"""The members of a study on a Ray cluster: this process is its driver, each member a task that Ray places.

A task finds and leaves everything in the workspace, which all nodes see. What it tells comes back through an actor on
the cluster's head, so that no other node's death loses it; through the same actor a task asks whether it is to stop.
"""

import asyncio
import contextlib
import os
import platform
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from breastai.domain.errors import ClusterUnreachable, MemberLost, MissingExtra, NodeUnfit, OutOfMemory
from breastai.domain.events import Event, Log, ProgressUpdate, StudyMemberChanged
from breastai.domain.messages import decode_event, error_event
from breastai.domain.study import StudyMember
from breastai.domain.system_settings import SystemSettings
from breastai.scale.members import MemberFailed, MemberStopped, StudyInProgress
from breastai.scale.on_node import Ending, Task, do_member
from breastai.storage.recording import StopReason

# How often Ray begins a member again after its node or process was lost.
MAX_RETRIES = 3
_LOOK_EVERY_S = 0.5
_REACHED_WITHIN_S = 5.0
_HEAD = "node:__internal_head__"


def on_cluster(
    progress: StudyInProgress, members: Sequence[StudyMember], system: SystemSettings
) -> Generator[Event, None, None]:
    """Do `members` on the cluster `system.cluster`; yield what the study tells of them.

    Raises ClusterUnreachable, MissingExtra, MemberStopped, and MemberFailed once the others have stopped too.
    """
    with _connected(system.cluster or "local") as ray:
        yield from _Tasks(ray, progress, members, system).events()


class Mailbox:
    """What tasks tell, kept until the driver takes it; and the driver's wish to stop, until the tasks ask."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []
        self._reason: StopReason | None = None
        self._something = asyncio.Event()

    async def tell(self, run_id: str, line: str) -> None:
        self._lines.append((run_id, line))
        self._something.set()

    async def take(self, wait_s: float) -> list[tuple[str, str]]:
        """Return what was told since the last time, as soon as there is anything, at the latest after `wait_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._something.wait(), wait_s)
        self._something.clear()
        lines, self._lines = self._lines, []
        return lines

    async def stop(self, reason: StopReason) -> None:
        self._reason = reason

    async def reason(self) -> StopReason | None:
        return self._reason


def do_task(task: str, mailbox: Any) -> str:
    """Do one member, in a process of Ray's on a node; return its Ending as JSON."""
    import ray

    told = Task.model_validate_json(task)
    line = _Line(ray, mailbox, told.run_id)
    node = f"{platform.node()} ({ray.get_runtime_context().get_node_id()[:8]})"
    return do_member(told, node, line.tell, line.stop_requested).model_dump_json()


class _Line:
    """A task's way to the mailbox. When it is gone, so is the driver: the member stops and keeps its place."""

    def __init__(self, ray: ModuleType, mailbox: Any, run_id: str) -> None:
        self._ray, self._mailbox, self._run_id = ray, mailbox, run_id
        self._reason: StopReason | None = None
        self._asked_at = 0.0

    def tell(self, line: str) -> None:
        self._ask(self._mailbox.tell.remote(self._run_id, line))

    def stop_requested(self) -> StopReason | bool:
        now = time.monotonic()
        if self._reason is None and now - self._asked_at >= _LOOK_EVERY_S:
            self._asked_at = now
            self._reason = self._ask(self._mailbox.reason.remote())
        return self._reason or False

    def _ask(self, answer: Any) -> Any:
        try:
            return self._ray.get(answer)
        except self._ray.exceptions.RayActorError:
            return "server_gone"


class _Tasks:
    """The tasks in progress, seen from the driver."""

    def __init__(
        self, ray: ModuleType, progress: StudyInProgress, members: Sequence[StudyMember], system: SystemSettings
    ) -> None:
        self._ray, self._progress = ray, progress
        self._mailbox = ray.remote(Mailbox).options(num_cpus=0, resources={_HEAD: 0.001}).remote()
        options = {"max_retries": MAX_RETRIES, "scheduling_strategy": "SPREAD", **needs(ray.nodes(), system)}
        remote = ray.remote(do_task).options(**options)
        study = progress.study
        self._running: dict[Any, str] = {}
        for member in members:
            task = Task(
                study=study,
                run_id=member.run_id,
                workspace=str(progress.workspace.root),
                session_id=progress.session_id,
            )
            self._running[remote.remote(task.model_dump_json(), self._mailbox)] = member.run_id
        self._shares: dict[str, float] = {}  # of each member that has begun, what is done of it while it is not over
        self._stop: StopReason | None = None
        self._ended_by: MemberStopped | MemberFailed | None = None

    def events(self) -> Generator[Event, None, None]:
        """Yield events until all tasks are over; raise what ended the first one that did not complete."""
        post = self._mailbox.take.remote(_LOOK_EVERY_S)
        while self._running:
            ready, _ = self._ray.wait([post, *self._running], num_returns=1, timeout=None)
            if post in ready:
                yield from self._taken(self._ray.get(post))
                post = self._mailbox.take.remote(_LOOK_EVERY_S)
            for task in ready:
                if task in self._running:
                    self._over(task)
            self._pass_on_stop()
        yield from self._taken(self._ray.get(post))
        yield from self._taken(self._ray.get(self._mailbox.take.remote(0.0)))
        if self._ended_by is not None:
            raise self._ended_by

    def _taken(self, lines: list[tuple[str, str]]) -> Iterator[Event]:
        for run_id, line in lines:
            event = decode_event(line)
            if isinstance(event, Log) and event.code == "cluster.placed" and run_id in self._shares:
                event = _placed_again(event)
            self._shares.setdefault(run_id, 0.0)
            if isinstance(event, StudyMemberChanged):
                if event.member.is_over:
                    self._shares[run_id] = 0.0
                yield self._progress.change(event.member)
            elif isinstance(event, ProgressUpdate):
                self._shares[run_id] = event.progress or 0.0
                share = self._progress.share_done(sum(self._shares.values()))
                yield event.model_copy(update={"progress": share})
            else:
                yield event
        if not lines and not any(run_id in self._shares for run_id in self._running.values()):
            yield ProgressUpdate(
                stage="preparing",
                message="Waiting for a node of the cluster that is free",
                progress=self._progress.share_done(),
            )

    def _over(self, task: Any) -> None:
        """Take in how a task ended; once one did not complete, the others are to stop."""
        run_id = self._running.pop(task)
        ending = self._ending(task, run_id)
        if ending.state == "complete" or self._ended_by is not None:
            return
        if ending.error is not None:
            self._ended_by = MemberFailed(ending.error)
        else:
            self._ended_by = MemberStopped(self._stop or ending.reason or "user")

    def _ending(self, task: Any, run_id: str) -> Ending:
        faults = self._ray.exceptions
        try:
            return Ending.model_validate_json(self._ray.get(task))
        except faults.TaskCancelledError:
            return Ending(state="stopped", reason=self._stop)
        except faults.OutOfMemoryError as error:
            return Ending(state="failed", error=error_event(OutOfMemory(_reason(error))))
        except (faults.WorkerCrashedError, faults.NodeDiedError, faults.RaySystemError) as error:
            return Ending(state="failed", error=error_event(MemberLost(run_id, 1 + MAX_RETRIES, _reason(error))))
        except faults.RayError as error:
            return Ending(state="failed", error=error_event(NodeUnfit(getattr(error, "ip", "?"), _reason(error))))

    def _pass_on_stop(self) -> None:
        """Ask the tasks to stop, after their batch; those that have not begun never will."""
        if self._stop is not None:
            return
        asked = self._progress.stop_requested()
        if asked or self._ended_by is not None:
            self._stop = "user" if asked in (True, False) else asked  # type: ignore[assignment]
            self._ray.get(self._mailbox.stop.remote(self._stop))
            for task, run_id in self._running.items():
                if run_id not in self._shares:
                    self._ray.cancel(task)


def _placed_again(event: Log) -> Log:
    run_id, node = event.params["run_id"], event.params["node"]
    message = f"The node that worked on {run_id} was lost: the node {node} goes on with it"
    return event.model_copy(update={"level": "warning", "code": "cluster.placed_again", "message": message})


def needs(nodes: Sequence[dict[str, Any]], system: SystemSettings) -> dict[str, float]:
    """Return what a member asks Ray for: system.num_threads processors, at most those of the largest node.

    Where nodes have GPUs and system.device allows them, one GPU and the processors that belong to it.
    """
    there = [node["Resources"] for node in nodes if node["Alive"]]
    with_gpu = [node for node in there if node.get("GPU")] if system.device in ("auto", "cuda") else []
    shares = [node.get("CPU", 0.0) / node["GPU"] for node in with_gpu] or [node.get("CPU", 0.0) for node in there]
    processors = float(max(1, min(system.num_threads, int(max(shares, default=1.0)))))
    return {"num_cpus": processors, "num_gpus": 1.0} if with_gpu else {"num_cpus": processors}


@contextlib.contextmanager
def _connected(address: str) -> Iterator[ModuleType]:
    """Connect to a cluster, or start one on this machine, until the end of the block."""
    check_cluster(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    local = address == "local"
    with _own_token() if local else contextlib.nullcontext():
        import ray

        own = {"include_dashboard": False} if local else {}
        try:
            with _signals_kept():
                ray.init(address, log_to_driver=False, configure_logging=False, **own)
                # What it says of lost nodes would go to stdout, where a command's events are; we say it ourselves.
                ray._private.worker._worker_logs_enabled = False
        except ImportError as error:
            raise MissingExtra(error.name or "grpcio", "cluster") from None
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise ClusterUnreachable(address, _reason(error)) from error
        try:
            yield ray
        finally:
            with _signals_kept():
                ray.shutdown()


@contextlib.contextmanager
def _own_token() -> Iterator[None]:
    """Start Ray's processes so that they answer nobody else: by a token of their own, which no file keeps.

    They listen on all of this machine's addresses, whatever Ray is told. Ray reads this when it is imported; one that
    was imported before does as it always does, with a token in the user's home.
    """
    if "ray" in sys.modules or any(name.startswith("RAY_AUTH_") for name in os.environ):
        yield
        return
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    try:
        yield
    finally:
        del os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"]


def check_cluster(address: str) -> None:
    """Raise MissingExtra without Ray; ClusterUnreachable unless something listens at `address`.

    Ray itself would try for a minute and then end the process.
    """
    if find_spec("ray") is None:
        raise MissingExtra("ray", "cluster")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACHED_WITHIN_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterUnreachable(address, str(error)) from None


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep what this process does on signals: Ray's own way would end it before it has saved anything."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _reason(error: Exception) -> str:
    """Return the line that says what happened: the first, or of a chain of faults the last."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if lines[0].rstrip().endswith(":") else 0].strip()[:300]
