"""Runs the job in the heavy slot and tells: the session takes each event in, then all clients get it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Literal

from breastai.domain.errors import BreastAIError, InternalError, NothingToStop, SessionBusy
from breastai.domain.event_messages import encode_event, error_event
from breastai.domain.events import EVENTS, Error, Event, JobStopped, Status, TrainingStopped
from breastai.domain.jobs import RUN_KINDS, Job
from breastai.server.connections.broadcast import Broadcaster, Client
from breastai.server.jobs.session import Session
from breastai.server.jobs.supervisor import Ending, Slot, Supervisor
from breastai.server.logs.audit_log import tell
from breastai.server.logs.server_log import LOG
from breastai.storage.interrupted_runs import describe_stop
from breastai.storage.journal import mend
from breastai.storage.lease import Lease
from breastai.storage.private_files import open_private
from breastai.storage.workspace import Workspace

RequestId = str | int | None
SERVER_LOG = "logs/server.log"


class JobRunner:
    """One per server. Each request that starts a job, or stops it, waits for an event that answers it."""

    def __init__(self, workspace: Workspace, supervisor: Supervisor, hub: Broadcaster) -> None:
        self._workspace, self._supervisor, self._hub = workspace, supervisor, hub
        self._session: Session | None = None
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._answers: tuple[type[Event], ...] = ()
        self._starter: tuple[Client, RequestId] | None = None
        self._stoppers: list[tuple[Client, RequestId]] = []
        # Runs and studies that this server has begun or gone on with.
        self.begun: set[str] = set()
        # Called whenever the slot has become free: the queue's next job may begin.
        self.on_free: Callable[[], None] = lambda: None

    @property
    def is_free(self) -> bool:
        """Whether a job could begin now."""
        return self._supervisor.slot is None and not self._closing

    @property
    def running_run(self) -> str | None:
        """The run in progress, if any."""
        return self._session.running_run if self._session and self._supervisor.slot else None

    def start(
        self,
        session: Session,
        kind: str,
        prepare: Callable[[], Awaitable[Job]],
        asker: tuple[Client, RequestId] | None,
        answered_by: tuple[str, ...],
        clean_up: Callable[[], None] | None = None,
    ) -> asyncio.Task[None]:
        """Claim the slot at once (SessionBusy when it is taken), then prepare the job and run it in the task returned.

        `asker`: who waits for the answer; None for a job whose turn has come, or that the server begins by itself.
        `clean_up`: what is to be done in a thread when the job is over, however it ended, before that is told.
        """
        if self._closing:
            raise SessionBusy("the server is stopping")
        slot = self._supervisor.claim(kind)
        self._session = session
        self._starter, self._stoppers = asker, []
        self._answers = (Error, *(EVENTS[name] for name in answered_by))
        session.begin(kind)
        self._tell_state(session)
        self._task = asyncio.create_task(self._run(slot, session, prepare, clean_up), name=f"job-{kind}")
        return self._task

    def stop(self, client: Client, request_id: RequestId) -> None:
        """Ask the running job to stop, or, asked again, kill it; raise NothingToStop. Its last event is the answer."""
        slot = self._supervisor.slot
        if slot is None or self._session is None:
            raise NothingToStop()
        self._stoppers.append((client, request_id))
        self._supervisor.ask_to_stop(slot)
        self._session.stopping()
        self._tell_state(self._session)

    async def close(self, wait_s: float) -> None:
        """Have the running job save and end, within `wait_s`; then kill it."""
        self._closing = True
        slot, task = self._supervisor.slot, self._task
        if task is None or task.done():
            return
        if slot is not None:
            self._supervisor.ask_to_stop(slot, shutdown=True)
        done, _ = await asyncio.wait([task], timeout=wait_s)
        if not done:
            LOG.warning("the job did not end within %g s of the shutdown; killed", wait_s)
            task.cancel()
            await asyncio.wait([task], timeout=wait_s)

    def kill(self) -> None:
        """Kill the running job at once."""
        if self._supervisor.slot is not None and self._supervisor.slot.asked != "no":
            self._supervisor.ask_to_stop(self._supervisor.slot)

    async def _run(
        self,
        slot: Slot,
        session: Session,
        prepare: Callable[[], Awaitable[Job]],
        clean_up: Callable[[], None] | None,
    ) -> None:
        last: list[Event] = []
        refusal: BreastAIError | None = None
        try:
            job = await prepare()
            if slot.asked == "no":
                last = await self._work(slot, session, job)
            else:
                last = [self._stop(slot.job, None, session, "user", message="Stopped before it began.")]
        except BreastAIError as error:
            refusal = error
        except asyncio.CancelledError:
            last = [self._stop(slot.job, session.run_id, session, "server_gone", message="The server was stopped.")]
            raise
        except Exception as error:
            LOG.exception("job %s failed", slot.job)
            refusal = InternalError(type(error).__name__, SERVER_LOG)
        finally:
            try:
                if clean_up is not None:
                    await asyncio.to_thread(clean_up)
            except OSError:
                LOG.exception("what job %s leaves could not be cleaned up", slot.job)
            finally:
                self._finish(slot, session, last, refusal)

    async def _work(self, slot: Slot, session: Session, job: Job) -> list[Event]:
        """Run a job in a worker, publishing its events but for the last, which are returned."""
        run_id = job.held if job.holds == "run_id" else None
        session.about = _about(job)
        if run_id is not None:
            session.begin_run(run_id)
        if job.held is not None:
            self.begun.add(job.held)
        self._tell_state(session)
        heard_before = session.seq
        log_file = (self._workspace.run_dir(run_id) if run_id else self._workspace.logs_dir) / "worker.log"
        LOG.info("job %s begins%s", slot.job, f", run {run_id}" if run_id else "")
        ending = await self._supervisor.run(slot, job, log_file, lambda event: self._publish(session, event))
        last, made = await asyncio.to_thread(self._last_events, slot.job, run_id, session, ending)
        has_asked = session.question_of(run_id) is not None
        if run_id is not None and made and (has_asked or (session.seq is not None and session.seq != heard_before)):
            made = _numbered(made, session.session_id, run_id, (session.seq or 0) + len(last))
            await asyncio.to_thread(_write_down, self._workspace, run_id, made)
        return last + made

    def _last_events(
        self, job: str, run_id: str | None, session: Session, ending: Ending
    ) -> tuple[list[Event], list[Event]]:
        """Return the events that end a job: what the worker said, and what the way it ended amounts to."""
        if ending.last is not None:
            if run_id is not None and isinstance(ending.last, Error):
                return [ending.last], [self._stop(job, run_id, session, "error", ending.last)]
            return [ending.last], []
        if ending.error is None:
            return [], [self._stop(job, run_id, session, "user", message="Ended at once; the last save stays.")]
        LOG.error("job %s: %s", job, ending.error)
        error = error_event(ending.error)
        return [], [error] if run_id is None else [error, self._stop(job, run_id, session, "error", error)]

    def _stop(
        self,
        job: str,
        run_id: str | None,
        session: Session,
        reason: Literal["user", "server_gone", "error"],
        error: Error | None = None,
        message: str = "",
    ) -> Event:
        if job not in RUN_KINDS:
            return JobStopped(job=job)
        if run_id is None:
            return TrainingStopped(reason=reason, message=message)
        stopped = describe_stop(self._workspace, run_id, reason, session.epoch, error, message)
        return stopped.model_copy(update={"question": session.question_of(run_id)})

    def _finish(self, slot: Slot, session: Session, last: list[Event], refusal: BreastAIError | None) -> None:
        """Free the slot, then tell how the job ended; whoever hears of it can start the next."""
        self._supervisor.release(slot)
        LOG.info("job %s ended: %s", slot.job, refusal or ", ".join(type(event).__name__ for event in last))
        outcome = refusal.code if refusal else next((getattr(event, "type", None) for event in last), None)
        asker = self._starter[0].peer if self._starter else ""
        tell("ended", asker, job=slot.job, run_id=None if refusal else session.run_id, answer=outcome)
        for event in last:
            self._publish(session, event, final=event is last[-1])
        if refusal is not None:
            askers = [*([self._starter] if self._starter else []), *self._stoppers]
            for client, request_id in askers:
                self._hub.send(client, error_event(refusal, request_id, session.session_id))
            if not askers:  # nobody waits for a job whose turn came: all are told
                self._hub.broadcast(error_event(refusal, None, session.session_id))
        self._starter, self._stoppers = None, []
        session.end()
        self._tell_state(session)
        self.on_free()

    def _publish(self, session: Session, event: Event, final: bool = False) -> None:
        """Have the session take an event in, then send it to all, with their request_id to those it answers."""
        if event.session_id != session.session_id:
            event = event.model_copy(update={"session_id": session.session_id})
        if event.told_to == "asker":
            if self._starter is not None:
                self._hub.send(self._starter[0], event)
            return
        session.apply(event)
        answers: list[tuple[Client, RequestId]] = []
        if self._starter and (final or isinstance(event, self._answers)):
            answers.append(self._starter)
            self._starter = None
        if final:
            answers += self._stoppers
        session.remember(event, self._hub.broadcast(event, answers))

    def _tell_state(self, session: Session) -> None:
        self._hub.broadcast(status(session, self._hub))


def status(session: Session, hub: Broadcaster, missed: int | None = None, request_id: RequestId = None) -> Status:
    """Return the event that tells of a session as it is."""
    return Status(
        session_id=session.session_id,
        request_id=request_id,
        snapshot=session.snapshot(),
        connected_clients=len(hub),
        missed=missed,
    )


def _about(job: Job) -> str | None:
    """Return what tells a job from others of its kind: its run or study, its checkpoint, its images."""
    named = (job.held, *(getattr(job, name, None) for name in ("checkpoint", "run_id", "data", "first", "table")))
    return next((name for name in named if isinstance(name, str)), None)


def _numbered(events: list[Event], session_id: str, run_id: str, last_seq: int) -> list[Event]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return [
        event.model_copy(update={"session_id": session_id, "run_id": run_id, "seq": last_seq + number, "time": now})
        for number, event in enumerate(events, start=1)
    ]


def _write_down(workspace: Workspace, run_id: str, events: list[Event]) -> None:
    """Append to the journal of a run whose worker is gone what it could not write itself."""
    journal = workspace.journal_file(run_id)
    try:
        with Lease(workspace).take(run_id):
            mend(journal)
            with open_private(journal, "ab") as file:
                file.write("".join(encode_event(event) + "\n" for event in events).encode())
    except (OSError, BreastAIError):
        LOG.exception("the end of the run could not be written to %s", journal)
