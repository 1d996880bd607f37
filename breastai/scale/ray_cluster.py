"""The members of a study on a Ray cluster: this process is its driver, each member a task that Ray places.

A task finds and leaves everything in the workspace, which all nodes see. What it tells comes back through an actor on
the cluster's head, so that no other node's death loses it; through the same actor a task asks whether it is to stop.
"""

import asyncio
import contextlib
import platform
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from types import ModuleType
from typing import Any, Protocol

from breastai.domain.errors import MemberLost, NodeUnfit, OutOfMemory
from breastai.domain.event_messages import decode_event, error_event
from breastai.domain.events import Event, Log, ProgressUpdate, StudyMemberChanged
from breastai.domain.study import StudyMember
from breastai.domain.system_settings import SystemSettings
from breastai.domain.text import Text
from breastai.scale.ray_connection import HEAD, connect_cluster, needs, reason_of, room
from breastai.scale.remote_task import Ending, Task, run_remote_task
from breastai.scale.study_runner import MemberFailed, MemberStopped, StudyInProgress
from breastai.storage.run_recorder import StopReason

# How often Ray begins a member again after its node or process was lost.
MAX_RETRIES = 3
_LOOK_EVERY_S = 0.5


class Members(Protocol):
    """The members of a study that are to be done, as the driver asks for them; those of a search are one kind.

    `follow`: whether the next one depends on those that are over, so that none is drawn before there is room for it.
    """

    follow: bool

    def next_member(self) -> StudyMember | None: ...
    def lags_behind(self, member: StudyMember) -> bool: ...
    def record_end(self, member: StudyMember) -> Iterator[Event]: ...
    def record_failure(self, run_id: str, failure: MemberFailed) -> Iterator[Event]: ...


class Given:
    """Members that are known from the beginning, each run to its end."""

    follow = False

    def __init__(self, progress: StudyInProgress, members: Sequence[StudyMember]) -> None:
        self._progress, self._left = progress, list(members)

    def next_member(self) -> StudyMember | None:
        return self._left.pop(0) if self._left else None

    def lags_behind(self, member: StudyMember) -> bool:
        return False

    def record_end(self, member: StudyMember) -> Iterator[Event]:
        yield self._progress.change(member)

    def record_failure(self, run_id: str, failure: MemberFailed) -> Iterator[Event]:
        raise failure


def rest_done(
    progress: StudyInProgress, system: SystemSettings, here: Callable[[StudyMember], Generator[Event, None, object]]
) -> Generator[Event, None, None]:
    """Do the members that are not over yet: one after the other by `here`, or on the cluster where there is one."""
    members = progress.study.members
    if system.cluster is not None:
        yield from on_cluster(progress, Given(progress, [each for each in members if not each.is_over]), system)
        return
    for member in members:
        progress.check_stop()
        if not member.is_over:
            yield from here(member)


def on_cluster(progress: StudyInProgress, members: Members, system: SystemSettings) -> Generator[Event, None, None]:
    """Do `members` on the cluster `system.cluster`; yield what the study tells of them.

    Raises ClusterUnreachable, MissingExtra, MemberStopped, and MemberFailed once the others have stopped too.
    """
    with connect_cluster(system.cluster or "local") as ray:
        yield from _Tasks(ray, progress, members, system).events()


class Mailbox:
    """What tasks tell, kept until the driver takes it; and what the driver decided, until the tasks ask."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []
        self._reason: StopReason | None = None
        self._something = asyncio.Event()
        self._verdicts: dict[tuple[str, int], bool] = {}
        self._decided = asyncio.Condition()

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

    async def decide(self, run_id: str, epoch: int, ends: bool) -> None:
        """Take in whether a trial ends after an epoch; what was decided once stays so."""
        async with self._decided:
            self._verdicts.setdefault((run_id, epoch), ends)
            self._decided.notify_all()

    async def ends(self, run_id: str, epoch: int) -> bool:
        """Return whether a trial ends after an epoch it has told of, once the driver has decided or stops everything."""
        async with self._decided:
            await self._decided.wait_for(lambda: self._reason is not None or (run_id, epoch) in self._verdicts)
            return self._verdicts.get((run_id, epoch), False)

    async def stop(self, reason: StopReason) -> None:
        async with self._decided:
            self._reason = reason
            self._decided.notify_all()

    async def reason(self) -> StopReason | None:
        return self._reason


def do_task(task: str, mailbox: Any) -> str:
    """Do one member, in a process of Ray's on a node; return its Ending as JSON."""
    import ray

    told = Task.model_validate_json(task)
    line = Line(ray, mailbox, told.run_id)
    node = f"{platform.node()} ({ray.get_runtime_context().get_node_id()[:8]})"
    return run_remote_task(told, node, line.tell, line.stop_requested, line.lags_behind).model_dump_json()


class Line:
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

    def lags_behind(self, member: StudyMember) -> bool:
        """Return what the driver decides after an epoch that it was told of."""
        return self._ask(self._mailbox.ends.remote(member.run_id, member.epoch)) is True

    def _ask(self, answer: Any) -> Any:
        try:
            return self._ray.get(answer)
        except self._ray.exceptions.RayActorError:
            return "server_gone"


class _Tasks:
    """The tasks in progress, seen from the driver."""

    def __init__(self, ray: ModuleType, progress: StudyInProgress, members: Members, system: SystemSettings) -> None:
        self._ray, self._progress, self._members = ray, progress, members
        self._mailbox = ray.remote(Mailbox).options(num_cpus=0, resources={HEAD: 0.001}).remote()
        self._needed = needs(ray.nodes(), system)
        options = {"max_retries": MAX_RETRIES, "scheduling_strategy": "SPREAD", **self._needed}
        self._remote = ray.remote(do_task).options(**options)
        self._running: dict[Any, str] = {}
        self._shares: dict[str, float] = {}  # of each member that has begun, what is done of it while it is not over
        self._stop: StopReason | None = None
        self._ended_by: MemberStopped | MemberFailed | None = None

    def events(self) -> Generator[Event, None, None]:
        """Yield events until all tasks are over; raise what ended the first one that did not complete."""
        yield from self._begin()
        post = self._mailbox.take.remote(_LOOK_EVERY_S)
        while self._running:
            ready, _ = self._ray.wait([post, *self._running], num_returns=1, timeout=None)
            ended = [task for task in ready if task in self._running]
            yield from self._taken(self._ray.get(post))
            if ended:  # all that they told, before they count as over
                yield from self._taken(self._ray.get(self._mailbox.take.remote(0.0)))
            post = self._mailbox.take.remote(_LOOK_EVERY_S)
            for task in ended:
                yield from self._over(task)
            self._pass_on_stop()
            yield from self._begin()
        yield from self._taken(self._ray.get(post))
        if self._ended_by is not None:
            raise self._ended_by

    def _begin(self) -> Iterator[Event]:
        """Hand members to Ray: all there are, or, where the next follows from those over, as many as there is room for."""
        progress = self._progress
        while self._stop is None and self._ended_by is None and self._has_room():
            member = self._members.next_member()
            if member is None:
                return
            if all(known.run_id != member.run_id for known in progress.study.members):
                yield progress.change(member)
            task = Task(
                study=progress.study,
                run_id=member.run_id,
                workspace=str(progress.workspace.root),
                session_id=progress.session_id,
            )
            self._running[self._remote.remote(task.model_dump_json(), self._mailbox)] = member.run_id

    def _has_room(self) -> bool:
        return not self._members.follow or len(self._running) < room(self._ray.nodes(), self._needed)

    def _taken(self, lines: list[tuple[str, str]]) -> Iterator[Event]:
        for run_id, line in lines:
            event = decode_event(line)
            if isinstance(event, Log) and event.code == "cluster.placed" and run_id in self._shares:
                event = _placed_again(event)
            self._shares.setdefault(run_id, 0.0)
            if isinstance(event, StudyMemberChanged):
                yield from self._changed(event.member)
            elif isinstance(event, ProgressUpdate):
                self._shares[run_id] = event.progress or 0.0
                share = self._progress.share_done(sum(self._shares.values()))
                yield event.model_copy(update={"progress": share})
            else:
                yield event
        if not lines and not any(run_id in self._shares for run_id in self._running.values()):
            yield ProgressUpdate(
                stage="preparing",
                text=Text("progress.waiting_node"),
                progress=self._progress.share_done(),
            )

    def _changed(self, member: StudyMember) -> Iterator[Event]:
        """Take in a member as its node told of it; one that is over stays so, whatever a node lost since began again."""
        run_id = member.run_id
        if member.is_over:
            self._shares[run_id] = 0.0
            yield from self._members.record_end(member)
        elif not self._progress.study.member(run_id).is_over:
            yield self._progress.change(member)
        if member.trial is not None and member.state == "running" and member.epoch:
            self._mailbox.decide.remote(run_id, member.epoch, self._members.lags_behind(member))

    def _over(self, task: Any) -> Iterator[Event]:
        """Take in how a task ended; once one did not complete, the others are to stop."""
        run_id = self._running.pop(task)
        ending = self._ending(task, run_id)
        if ending.state == "complete" or self._ended_by is not None:
            return
        if ending.error is not None:
            try:
                yield from self._members.record_failure(run_id, MemberFailed(ending.error))
            except MemberFailed as failure:
                self._ended_by = failure
        else:
            self._ended_by = MemberStopped(self._stop or ending.reason or "user")

    def _ending(self, task: Any, run_id: str) -> Ending:
        faults = self._ray.exceptions
        try:
            return Ending.model_validate_json(self._ray.get(task))
        except faults.TaskCancelledError:
            return Ending(state="stopped", reason=self._stop)
        except faults.OutOfMemoryError as error:
            return Ending(state="failed", error=error_event(OutOfMemory(reason_of(error))))
        except (faults.WorkerCrashedError, faults.NodeDiedError, faults.RaySystemError) as error:
            return Ending(state="failed", error=error_event(MemberLost(run_id, 1 + MAX_RETRIES, reason_of(error))))
        except faults.RayError as error:
            return Ending(state="failed", error=error_event(NodeUnfit(getattr(error, "ip", "?"), reason_of(error))))

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
