"""The jobs that wait for the heavy slot, started when the scheduler says so, and kept over a restart."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from breastai.domain.errors import BreastAIError, SessionBusy
from breastai.domain.events import JobQueued, QueueShown
from breastai.domain.jobs import AnyJob, Job
from breastai.domain.list_entries import QueueEntry
from breastai.server.access.allowed_paths import DataRoots
from breastai.server.connections.broadcast import Broadcaster
from breastai.server.jobs.job_runner import JobRunner
from breastai.server.jobs.queue_file import QueuedJob, StoredQueue, queue_text, read_queue
from breastai.server.jobs.scheduler import MOST_WAITING, Scheduler, Turn
from breastai.server.jobs.session import Session
from breastai.server.logs.server_log import LOG
from breastai.storage.private_files import read_own
from breastai.storage.workspace import Workspace, atomic_write


@dataclass(frozen=True)
class Interrupted:
    """A run or study that goes on by itself; `prepare` makes the job when its turn has come."""

    name: str
    kind: str
    session_id: str
    prepare: Callable[[], Awaitable[Job]]


class JobQueue:
    """One per server. It is the runner's `on_free`, and starts the next job whenever the slot is free."""

    def __init__(
        self,
        workspace: Workspace,
        data_roots: DataRoots,
        runner: JobRunner,
        hub: Broadcaster,
        session_of: Callable[[str], Session],
    ) -> None:
        self._workspace, self._data_roots, self._runner, self._hub = workspace, data_roots, runner, hub
        self._session_of = session_of
        self._scheduler = Scheduler(is_looking=True)  # until go_on_with says what was interrupted
        self._stored = StoredQueue()
        self._waiting: dict[str, QueuedJob] = {}
        self._interrupted: dict[str, Interrupted] = {}
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def must_wait(self) -> bool:
        """Whether a job asked for now would not begin at once."""
        return self._up_to_date().must_wait(self._runner.is_free)

    @property
    def length(self) -> int:
        """How many jobs wait."""
        return len(self._scheduler.queue)

    async def restore(self) -> None:
        """Take up the jobs that waited when the server ended; what can't be read is told of and left.

        None begins before `go_on_with` has said what was interrupted.
        """
        self._runner.on_free = self._advance
        try:
            content = await asyncio.to_thread(read_own, self._workspace.queue_file)
            self._stored = read_queue(content)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            LOG.error("%s can't be read, so no job waits: %s", self._workspace.queue_file, type(error).__name__)
            return
        kept = self._stored.file
        if self._stored.unread:
            LOG.warning(
                "%d waiting jobs in %s can't be read by this version; they stay there",
                len(self._stored.unread),
                self._workspace.queue_file,
            )
        self._scheduler.is_held = kept.held
        self._waiting = {queued.entry: queued for queued in kept.jobs[:MOST_WAITING]}
        self._scheduler.queue = list(self._waiting)
        if self._waiting:
            LOG.info("%d jobs wait from before", len(self._waiting))

    def go_on_with(self, interrupted: Sequence[Interrupted]) -> None:
        """Have these begin before any job that waits, in this order, one after another; the server looked for them."""
        self._interrupted = {each.name: each for each in interrupted}
        self._scheduler.go_on_with(self._interrupted)
        self._advance()

    def forget(self, name: str) -> None:
        """Leave an interrupted run alone: its user dismissed or deleted it."""
        self._scheduler.forget([name])
        self._advance()

    async def add(self, kind: str, job: AnyJob) -> JobQueued:
        """Put a job at the end; raise QueueFull. Should the slot have become free meanwhile, it begins."""
        queued = QueuedJob(
            entry=secrets.token_hex(4), kind=kind, queued=datetime.now(UTC).isoformat(timespec="seconds"), job=job
        )
        place = self._scheduler.add(queued.entry)
        self._waiting[queued.entry] = queued
        await self._changed()
        self._advance()
        return JobQueued(entry=_shown(queued), place=place)

    async def move(self, entry: str, place: int) -> None:
        """Give a waiting job the place `place`, from 1, or the last; raise NotQueued."""
        self._scheduler.move(entry, place)
        await self._changed()

    async def cancel(self, entry: str) -> None:
        """Take a job out; raise NotQueued."""
        self._scheduler.cancel(entry)
        del self._waiting[entry]
        await self._changed()

    async def hold(self, held: bool) -> None:
        """Have the jobs wait on, or go on."""
        self._scheduler.is_held = held
        await self._changed()
        self._advance()

    def entries(self) -> QueueShown:
        """Return the queue as clients see it."""
        return QueueShown(
            entries=[_shown(queued) for queued in self._in_order()],
            held=self._scheduler.is_held,
            limit=MOST_WAITING,
            unread=len(self._stored.unread),
        )

    def _in_order(self) -> list[QueuedJob]:
        return [self._waiting[entry] for entry in self._scheduler.queue]

    def _up_to_date(self) -> Scheduler:
        # What its user has gone on with meanwhile has had its turn.
        self._scheduler.forget(self._runner.begun)
        return self._scheduler

    def _advance(self) -> None:
        """Start what comes next, while the slot is free."""
        while (turn := self._up_to_date().take_turn(self._runner.is_free)) is not None:
            try:
                self._begin(turn)
            except SessionBusy:
                self._scheduler.give_back(turn)
                return
            except BreastAIError:
                LOG.exception("%s, whose turn it was, could not be started", turn.name)
            if turn.source == "queue":
                del self._waiting[turn.name]
                task = asyncio.create_task(self._changed(), name="queue-changed")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _begin(self, turn: Turn) -> None:
        """Start a job. What one that waited needs is looked at again: folders may have moved."""
        if turn.source == "interrupted":
            LOG.info("going on with %s, which was interrupted", turn.name)
            interrupted = self._interrupted[turn.name]
            session, kind, prepare = interrupted.session_id, interrupted.kind, interrupted.prepare
        else:
            queued = self._waiting[turn.name]
            session, kind = queued.job.session_id, queued.kind
            prepare = partial(asyncio.to_thread, self._ready, queued.job)
        self._runner.start(self._session_of(session), kind, prepare, None, ())

    def _ready(self, job: AnyJob) -> Job:
        """Return the job as it is to run now. A run gets its name now: names sort by when runs began."""
        self._data_roots.check_job(job)
        here: Job = job.model_copy(update={"workspace": str(self._workspace.root)})
        return here.with_name(self._workspace.new_run_id())

    async def _changed(self) -> None:
        """Tell all clients, and write the queue down."""
        self._hub.broadcast(self.entries())
        async with self._writing:
            content = queue_text(self._stored, self._scheduler.is_held, self._in_order())
            try:
                await asyncio.to_thread(atomic_write, self._workspace.queue_file, content)
            except (OSError, BreastAIError):
                # The queue works on; it would only not survive a restart.
                LOG.exception("the queue could not be written to %s", self._workspace.queue_file)


def _shown(queued: QueuedJob) -> QueueEntry:
    job = queued.job
    config = getattr(job, "config", None)
    about = [getattr(job, name, None) for name in ("checkpoint", "run_id", "first", "study_id")]
    return QueueEntry(
        entry=queued.entry,
        job=queued.kind,
        queued=queued.queued,
        architecture=config.model.architecture if config else None,
        epochs=config.training.epochs if config else getattr(job, "epochs", None),
        data=config.data.train_dir if config else getattr(job, "data", None),
        checkpoint=None if config else next((name for name in about if name), None),
    )
