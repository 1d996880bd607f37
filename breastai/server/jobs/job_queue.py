"""The jobs that wait for the heavy slot: what was interrupted, then the queue, bounded and kept over a restart."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from breastai.domain.errors import BreastAIError, NotQueued, QueueFull, SessionBusy
from breastai.domain.events import JobQueued, QueueShown
from breastai.domain.jobs import AnyJob, Crossval, Job, Train, Tune
from breastai.domain.list_entries import QueueEntry
from breastai.server.access.allowed_paths import DataRoots
from breastai.server.connections.broadcast import Broadcaster
from breastai.server.jobs.job_runner import JobRunner
from breastai.server.jobs.next_job import Line, choose_next, must_wait
from breastai.server.jobs.session import Session
from breastai.server.logs.server_log import LOG
from breastai.storage.workspace import Workspace, atomic_write

MOST_WAITING = 50


class QueuedJob(BaseModel):
    """A waiting job. Its settings are those it was asked for with, whatever config.json says when its turn comes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entry: str
    kind: str
    queued: str
    job: AnyJob


class QueueFile(BaseModel):
    """What logs/queue.json holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    held: bool = False
    jobs: list[QueuedJob] = []


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
        self._waiting: list[QueuedJob] = []
        self._interrupted: list[Interrupted] = []
        self._looking = True  # until go_on_with says what was interrupted
        self._held = False
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def must_wait(self) -> bool:
        """Whether a job asked for now would not begin at once."""
        return must_wait(self._line())

    @property
    def length(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    async def restore(self) -> None:
        """Take up the jobs that waited when the server ended; what can't be read is told of and left.

        None begins before `go_on_with` has said what was interrupted.
        """
        self._runner.on_free = self._advance
        try:
            content = await asyncio.to_thread(self._workspace.queue_file.read_bytes)
            kept = QueueFile.model_validate_json(content)
        except FileNotFoundError:
            return
        except (OSError, ValidationError, ValueError) as error:
            LOG.error("%s can't be read, so no job waits: %s", self._workspace.queue_file, type(error).__name__)
            return
        self._held, self._waiting = kept.held, kept.jobs[:MOST_WAITING]
        if self._waiting:
            LOG.info("%d jobs wait from before", len(self._waiting))

    def go_on_with(self, interrupted: Sequence[Interrupted]) -> None:
        """Have these begin before any job that waits, in this order, one after another; the server looked for them."""
        self._interrupted, self._looking = list(interrupted), False
        self._advance()

    def forget(self, name: str) -> None:
        """Leave an interrupted run alone: its user dismissed or deleted it."""
        self._interrupted = [each for each in self._interrupted if each.name != name]
        self._advance()

    async def add(self, kind: str, job: AnyJob) -> JobQueued:
        """Put a job at the end; raise QueueFull. Should the slot have become free meanwhile, it begins."""
        if len(self._waiting) >= MOST_WAITING:
            raise QueueFull(MOST_WAITING)
        queued = QueuedJob(
            entry=secrets.token_hex(4), kind=kind, queued=datetime.now(UTC).isoformat(timespec="seconds"), job=job
        )
        self._waiting.append(queued)
        place = len(self._waiting)
        await self._changed()
        self._advance()
        return JobQueued(entry=_shown(queued), place=place)

    async def move(self, entry: str, place: int) -> None:
        """Give a waiting job the place `place`, from 1, or the last; raise NotQueued."""
        queued = self._find(entry)
        self._waiting.remove(queued)
        self._waiting.insert(place - 1, queued)
        await self._changed()

    async def cancel(self, entry: str) -> None:
        """Take a job out; raise NotQueued."""
        self._waiting.remove(self._find(entry))
        await self._changed()

    async def hold(self, held: bool) -> None:
        """Have the jobs wait on, or go on."""
        self._held = held
        await self._changed()
        self._advance()

    def entries(self) -> QueueShown:
        """Return the queue as clients see it."""
        return QueueShown(entries=[_shown(queued) for queued in self._waiting], held=self._held, limit=MOST_WAITING)

    def _find(self, entry: str) -> QueuedJob:
        for queued in self._waiting:
            if queued.entry == entry:
                return queued
        raise NotQueued(entry)

    def _line(self) -> Line:
        # What its user has gone on with meanwhile has had its turn.
        self._interrupted = [each for each in self._interrupted if each.name not in self._runner.begun]
        return Line(self._runner.is_free, self._looking, len(self._interrupted), len(self._waiting), self._held)

    def _advance(self) -> None:
        """Start what comes next, when the slot is free."""
        chosen = choose_next(self._line())
        if chosen == "interrupted":
            self._go_on(self._interrupted.pop(0))
        elif chosen == "waiting":
            self._start(self._waiting.pop(0))

    def _go_on(self, interrupted: Interrupted) -> None:
        LOG.info("going on with %s, which was interrupted", interrupted.name)
        try:
            session = self._session_of(interrupted.session_id)
            self._runner.start(session, interrupted.kind, interrupted.prepare, None, ())
        except SessionBusy:
            self._interrupted.insert(0, interrupted)

    def _start(self, queued: QueuedJob) -> None:
        """Start a job that waited. What it needs is looked at again: folders may have moved."""

        async def prepare() -> Job:
            return await asyncio.to_thread(self._ready, queued.job)

        try:
            session = self._session_of(queued.job.session_id)
            self._runner.start(session, queued.kind, prepare, None, ())
        except SessionBusy:
            self._waiting.insert(0, queued)
            return
        except BreastAIError:
            LOG.exception("the waiting job %s could not be started", queued.entry)
        task = asyncio.create_task(self._changed(), name="queue-changed")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ready(self, job: AnyJob) -> Job:
        """Return the job as it is to run now. A run gets its name now: names sort by when runs began."""
        changes: dict[str, Any] = {"workspace": str(self._workspace.root)}
        self._data_roots.check_job(cast(Job, job))
        if isinstance(job, Train):
            changes["run_id"] = self._workspace.new_run_id()
        elif isinstance(job, Tune | Crossval) and job.config is not None:
            changes["study_id"] = self._workspace.new_run_id()
        return cast(Job, job).model_copy(update=changes)

    async def _changed(self) -> None:
        """Tell all clients, and write the queue down."""
        self._hub.broadcast(self.entries())
        async with self._writing:
            content = QueueFile(held=self._held, jobs=list(self._waiting)).model_dump_json(indent=1) + "\n"
            try:
                await asyncio.to_thread(atomic_write, self._workspace.queue_file, content.encode())
            except (OSError, BreastAIError):
                # The queue works on; it would only not survive a restart.
                LOG.exception("the queue could not be written to %s", self._workspace.queue_file)


def _shown(queued: QueuedJob) -> QueueEntry:
    job = queued.job
    config = job.config if isinstance(job, Train | Tune | Crossval) else None
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
