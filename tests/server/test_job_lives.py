"""Random lives of a server: starts, ends, kills, restarts and edits of the queue, against a model of a few lines.

The worker is scripted, in this process; queue, runner, scheduler, leases and journals are the real ones.
"""

import asyncio
import contextlib
import itertools
import json
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from breastai.domain.config import Config, parse_config
from breastai.domain.errors import NotQueued, RunLocked, RunNotFound, SessionBusy, WorkerKilled
from breastai.domain.event_messages import encode_event, error_event
from breastai.domain.events import Event, TrainingComplete, TrainingStarted, TrainingStopped, TrainingUpdate
from breastai.domain.jobs import Job, Resume, Train
from breastai.server.access.allowed_paths import DataRoots
from breastai.server.background_tasks import SESSION, go_on_with_interrupted
from breastai.server.jobs.queue_file import QueueFile
from breastai.server.jobs.supervisor import Ending, Slot, Supervisor
from breastai.server.services import Services
from breastai.storage import lease
from breastai.storage.interrupted_runs import MOST_LISTED, MOST_STARTS, dismiss, interrupted_runs
from breastai.storage.journal import read_events
from breastai.storage.lease import Lease
from breastai.storage.runs import delete_run
from breastai.storage.workspace import Workspace, atomic_write

T = TypeVar("T")
COMPLETE = TrainingComplete(
    final_metrics={}, history={}, checkpoint="run/best", best_epoch=1, epochs_run=1, stopped_early=False, duration_s=1.0
)


class ScriptedWorker(Supervisor):
    """The heavy slot, with a worker that holds its run and writes its journal, and ends when it is told to.

    Its clock moves a second an event, so that it can be told which run was interrupted first.
    """

    clock: ClassVar[datetime] = datetime(2026, 1, 1, tzinfo=UTC)

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(("no", "command"))
        self._workspace = workspace
        self.job: Train | Resume | None = None
        self._held = contextlib.ExitStack()
        self._ending: asyncio.Future[Ending]
        self._on_event: Callable[[Event], None]
        self._seq = 0

    @property
    def run_id(self) -> str:
        assert self.job is not None
        return self.job.run_id

    async def run(self, slot: Slot, job: Job, log_file: Path, on_event: Callable[[Event], None]) -> Ending:
        assert isinstance(job, Train | Resume) and self.job is None
        if isinstance(job, Resume) and job.run_id not in self._workspace.runs():
            return Ending(error_event(RunNotFound(job.run_id, [])), None)
        self._held.enter_context(Lease(self._workspace).take(job.run_id))
        self.job, self._on_event = job, on_event
        self._ending = asyncio.get_running_loop().create_future()
        self._seq = last_seq(self._workspace, job.run_id)
        config = Config().model_dump(mode="json")
        self.emit(TrainingStarted(architecture="a", epochs=3, class_names=["benign", "malignant"], config=config))
        return await self._ending

    def emit(self, event: Event, is_heard: bool = True) -> Event:
        """Write an event down; `is_heard`: whether there is a server to hear it."""
        self._seq += 1
        ScriptedWorker.clock += timedelta(seconds=1)
        time = self.clock.isoformat(timespec="milliseconds")
        stamped = event.model_copy(
            update={"run_id": self.run_id, "seq": self._seq, "session_id": SESSION, "time": time}
        )
        with self._workspace.journal_file(self.run_id).open("ab") as journal:
            journal.write(encode_event(stamped).encode() + b"\n")
        if is_heard:
            self._on_event(stamped)
        return stamped

    def end(self, event: Event) -> None:
        """Have the worker say its last word and end."""
        last = self.emit(event, is_heard=False)
        self.let_go()
        self._ending.set_result(Ending(last, None))

    def die(self) -> None:
        """Have the worker gone without a word, as by the system's hand."""
        self.let_go()
        self._ending.set_result(Ending(None, WorkerKilled("worker.log")))

    def let_go(self) -> None:
        self.job = None
        self._held.close()


def last_seq(workspace: Workspace, run_id: str) -> int:
    return max((event.seq or 0 for event in read_events(workspace.journal_file(run_id))), default=0)


@dataclass(eq=False)
class Wanted:
    """A job as the model sees it: a new run, told by its number of epochs, or a run to go on with."""

    epochs: int | None = None
    run_id: str | None = None
    is_begun: bool = False


@dataclass
class Run:
    """What the model knows of a run. `starts`: since it last completed an epoch; `ended`: a number that grows."""

    starts: int = 0
    is_interrupted: bool = False
    may_go_on: bool = False
    ended: int = 0


@dataclass
class Model:
    """Who runs, who waits, and who goes on by itself."""

    goes_on: bool
    running: Wanted | None = None
    waiting: list[tuple[str, Wanted]] = field(default_factory=list)
    is_held: bool = False
    going_on: list[str] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)

    def advance(self) -> None:
        """Give the slot, when it is free, to what was interrupted first, then to the queue unless it is held."""
        while self.running is None and (self.going_on or (self.waiting and not self.is_held)):
            wanted = Wanted(run_id=self.going_on.pop(0)) if self.going_on else self.waiting.pop(0)[1]
            if wanted.epochs is not None or wanted.run_id in self.runs:  # else it was deleted: the job fails
                self.running = wanted

    def end(self, is_interrupted: bool, may_go_on: bool = False) -> None:
        assert self.running is not None and self.running.run_id is not None
        run = self.runs[self.running.run_id]
        run.is_interrupted, run.may_go_on = is_interrupted, may_go_on
        run.ended = 1 + max(each.ended for each in self.runs.values())
        self.running = None

    def restart(self) -> None:
        found = [name for name, run in self.runs.items() if run.is_interrupted and run.may_go_on]
        found = [name for name in found if self.runs[name].starts < MOST_STARTS]
        self.going_on = sorted(found, key=lambda name: self.runs[name].ended) if self.goes_on else []

    def forget(self, run_id: str) -> None:
        self.going_on = [name for name in self.going_on if name != run_id]


class Lives(RuleBasedStateMachine):
    epoch_of: ClassVar[Callable[[int], TrainingUpdate]]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.workspace = Workspace.open(self.folder.name)
        self.epochs = 0

    def teardown(self) -> None:
        self.end_server()
        self.worker.let_go()
        self.loop.close()
        self.folder.cleanup()

    @initialize(goes_on=st.booleans())
    def begin(self, goes_on: bool) -> None:
        self.model = Model(goes_on)
        self.start_server(goes_on)

    def start_server(self, goes_on: bool) -> None:
        self.model.goes_on = goes_on
        atomic_write(self.workspace.config_file, json.dumps({"storage": {"resume_interrupted": goes_on}}).encode())
        self.worker = ScriptedWorker(self.workspace)
        self.services = Services.build(self.workspace, DataRoots.of(self.workspace, []), self.worker)

        async def start() -> None:
            await self.services.queue.restore()
            await go_on_with_interrupted(self.services)

        self.model.restart()
        self.play(start())

    def end_server(self) -> None:
        """Have the server's process gone: nothing of it goes on, whatever its worker does."""
        self.services.runner.on_free = lambda: None
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.services.hub.close()

    def play(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the loop until `work` is done and nobody waits but for the worker; then the model follows."""

        async def done() -> T:
            try:
                return await work
            finally:
                for _ in range(40):
                    await asyncio.sleep(0)

        try:
            return self.loop.run_until_complete(done())
        finally:
            self.follow()

    def follow(self) -> None:
        """Have the model choose who runs, and see that it is who began."""
        self.model.advance()
        wanted, job = self.model.running, self.worker.job
        assert (wanted is None) is (job is None)
        if wanted is None or job is None or wanted.is_begun:
            return
        wanted.is_begun = True
        if isinstance(job, Train):
            assert job.config.training.epochs == wanted.epochs and job.run_id not in self.model.runs
            wanted.run_id = job.run_id
        else:
            assert (wanted.epochs, wanted.run_id) == (None, job.run_id)
        self.model.forget(job.run_id)
        run = self.model.runs.setdefault(job.run_id, Run())
        run.starts, run.is_interrupted = run.starts + 1, False

    def new_job(self) -> tuple[Train, Wanted]:
        self.epochs += 1
        config = parse_config({"training": {"epochs": self.epochs}})
        return Train(workspace=str(self.workspace.root), run_id="unnamed", config=config), Wanted(self.epochs)

    def any_run(self, number: int) -> str:
        names = sorted(self.model.runs)
        return names[number % len(names)]

    # --- what users ask --------------------------------------------------------------------------

    def queue(self, job: Train | Resume, wanted: Wanted) -> None:
        async def add() -> None:
            answer = self.services.queue.add(job.kind, job)
            # It may begin as soon as it is in the line: the model has it there first.
            self.model.waiting.append(("?", wanted))
            entry = (await answer).entry.entry
            self.model.waiting = [
                (entry, each) if each is wanted else (name, each) for name, each in self.model.waiting
            ]

        self.play(add())

    @rule()
    def queue_a_run(self) -> None:
        self.queue(*self.new_job())

    @precondition(lambda self: self.model.runs)
    @rule(number=st.integers(0, 99))
    def queue_what_is_to_go_on(self, number: int) -> None:
        run_id = self.any_run(number)
        self.queue(Resume(workspace=str(self.workspace.root), run_id=run_id), Wanted(run_id=run_id))

    @rule()
    def start_a_run_now(self) -> None:
        job, wanted = self.new_job()
        job = job.with_name(self.workspace.new_run_id())

        async def prepare() -> Job:
            return job

        async def start() -> None:
            self.services.runner.start(self.services.sessions.get(SESSION), "train", prepare, None, ())

        is_busy = self.model.running is not None
        if not is_busy:
            self.model.running = wanted
        with pytest.raises(SessionBusy) if is_busy else contextlib.nullcontext():
            self.play(start())

    @precondition(lambda self: self.model.waiting)
    @rule(number=st.integers(0, 99), place=st.integers(1, 5))
    def move(self, number: int, place: int) -> None:
        moved = self.model.waiting.pop(number % len(self.model.waiting))
        self.model.waiting.insert(place - 1, moved)
        self.play(self.services.queue.move(moved[0], place))

    @precondition(lambda self: self.model.waiting)
    @rule(number=st.integers(0, 99))
    def cancel(self, number: int) -> None:
        entry, _ = self.model.waiting.pop(number % len(self.model.waiting))
        self.play(self.services.queue.cancel(entry))
        with pytest.raises(NotQueued):
            self.play(self.services.queue.cancel(entry))

    @rule(is_held=st.booleans())
    def hold(self, is_held: bool) -> None:
        self.model.is_held = is_held
        self.play(self.services.queue.hold(is_held))

    @precondition(lambda self: self.model.runs)
    @rule(number=st.integers(0, 99), what=st.sampled_from(["dismiss", "delete"]))
    def leave_or_delete(self, number: int, what: str) -> None:
        run_id = self.any_run(number)
        work = dismiss if what == "dismiss" else delete_run
        if self.model.running is not None and self.model.running.run_id == run_id:
            with pytest.raises(RunLocked):
                work(self.workspace, run_id)
            return
        work(self.workspace, run_id)
        if what == "delete":
            del self.model.runs[run_id]
        else:
            self.model.runs[run_id].is_interrupted = False
        self.model.forget(run_id)
        self.services.queue.forget(run_id)
        self.play(asyncio.sleep(0))

    # --- what workers do -------------------------------------------------------------------------

    @precondition(lambda self: self.model.running)
    @rule()
    def complete_an_epoch(self) -> None:
        self.worker.emit(self.epoch_of(1))
        self.model.runs[self.worker.run_id].starts = 0

    @precondition(lambda self: self.model.running)
    @rule()
    def complete(self) -> None:
        self.worker.end(COMPLETE)
        self.model.end(is_interrupted=False)
        self.play(asyncio.sleep(0))

    @precondition(lambda self: self.model.running)
    @rule()
    def stop(self) -> None:
        self.worker.end(TrainingStopped(reason="user"))
        self.model.end(is_interrupted=False)
        self.play(asyncio.sleep(0))

    @precondition(lambda self: self.model.running)
    @rule()
    def kill_the_worker(self) -> None:
        self.worker.die()
        self.model.end(is_interrupted=True)  # by an error: it is left to its user
        self.play(asyncio.sleep(0))

    @rule(worker=st.sampled_from(["saves", "is killed too"]), goes_on=st.booleans())
    def kill_the_server_and_start_it_again(self, worker: str, goes_on: bool) -> None:
        self.end_server()
        if self.model.running is not None:
            if worker == "saves":
                self.worker.emit(TrainingStopped(reason="server_gone"), is_heard=False)
            self.worker.let_go()
            self.model.end(is_interrupted=True, may_go_on=True)
        self.start_server(goes_on)

    # --- what always holds -----------------------------------------------------------------------

    @invariant()
    def the_queue_is_the_models_here_and_on_disk(self) -> None:
        shown = self.services.queue.entries()
        entries = [entry for entry, _ in self.model.waiting]
        assert ([entry.entry for entry in shown.entries], shown.held) == (entries, self.model.is_held)
        if self.workspace.queue_file.exists():
            kept = QueueFile.model_validate_json(self.workspace.queue_file.read_bytes())
            assert ([queued.entry for queued in kept.jobs], kept.held) == (entries, self.model.is_held)
        else:
            assert not entries
        is_taken = self.model.running is not None
        assert self.services.queue.must_wait is (is_taken or bool(entries) or self.model.is_held)

    @invariant()
    def only_the_run_in_progress_is_held(self) -> None:
        running = None if self.model.running is None else self.model.running.run_id
        assert {name for name in self.workspace.runs() if Lease(self.workspace).holder(name)} == {running} - {None}
        assert self.services.runner.running_run == running or running is None

    @invariant()
    def every_run_is_there_and_what_was_interrupted_is_known(self) -> None:
        assert self.workspace.runs() == sorted(self.model.runs)
        interrupted = {name for name, run in self.model.runs.items() if run.is_interrupted}
        found = interrupted_runs(self.workspace)
        assert {run.run_id for run in found} == interrupted or len(found) == MOST_LISTED

    @invariant()
    def the_events_of_a_run_are_numbered_without_a_repeat(self) -> None:
        for name in self.workspace.runs():
            numbers = [event.seq or 0 for event in read_events(self.workspace.journal_file(name))]
            assert numbers == sorted(set(numbers))


@pytest.mark.full
@pytest.mark.standard
def test_a_server_lives_as_its_model_does(
    monkeypatch: pytest.MonkeyPatch, epoch_of: Callable[[int], TrainingUpdate]
) -> None:
    async def at_once(work: Callable[..., T], *given: Any, **named: Any) -> T:
        return work(*given, **named)

    monkeypatch.setattr(asyncio, "to_thread", at_once)
    monkeypatch.setattr(lease, "WAIT_S", 0.0)
    # The order of runs must not hang on the time of day, or no example could be played again.
    numbers = itertools.count(1)
    monkeypatch.setattr(Workspace, "new_run_id", lambda workspace: f"run-{next(numbers):06d}")
    monkeypatch.setattr(Lives, "epoch_of", staticmethod(epoch_of), raising=False)
    run_state_machine_as_test(Lives, settings=settings(max_examples=25, stateful_step_count=30))
