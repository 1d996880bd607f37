"""What a client sees of the work: a session's state, folded from the events of its jobs. Pure: no clock, no socket."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from breastai.domain.errors import NoCurrentModel
from breastai.domain.event_messages import event_values
from breastai.domain.events import (
    AuditDone,
    CheckpointDeleted,
    CheckpointLoaded,
    CrossvalComplete,
    DataLoaded,
    Error,
    Event,
    LeakQuestion,
    ModelLoaded,
    ProgressUpdate,
    RunDeleted,
    SeedsComplete,
    Snapshot,
    StudyMemberChanged,
    StudyStarted,
    StudyStopped,
    TrainingComplete,
    TrainingStarted,
    TrainingUpdate,
    TuningComplete,
    TuningUpdate,
    ends_job,
)
from breastai.domain.jobs import RUN_KINDS
from breastai.domain.study import Study

State = Literal["idle", "starting", "running", "stopping"]
# The run's latest events are kept for clients that come back; older ones are in its journal.
RECENT_EVENTS = 1000
# Where each of these is kept in the snapshot.
_PLACES: dict[type[Event], str] = {
    TrainingStarted: "started",
    DataLoaded: "data",
    ModelLoaded: "model",
    ProgressUpdate: "progress",
    TrainingUpdate: "update",
}


@dataclass(frozen=True)
class _Known:
    """What is known of a run before another takes its place."""

    run_id: str | None
    seq: int | None
    recent: list[tuple[int, str]]
    parts: dict[str, dict[str, Any]]
    outcome: dict[str, Any] | None


class Session:
    """One session. `begin` and `end` frame a job; `apply` takes its events in order."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.state: State = "idle"
        self.job: str | None = None
        self.run_id: str | None = None
        self.seq: int | None = None
        self.current_model: str | None = None
        self.recent: deque[tuple[int, str]] = deque(maxlen=RECENT_EVENTS)
        self._parts: dict[str, dict[str, Any]] = {}
        self._outcome: dict[str, Any] | None = None
        self.study: Study | None = None
        # The audit whose question about duplicates waits for an answer of anyone.
        self.asking: AuditDone | None = None
        # What the job is about: its run, study, checkpoint or images.
        self.about: str | None = None
        self._is_run = False
        self._before: _Known | None = None

    def begin(self, job: str) -> None:
        """A job was asked for; what an earlier run left stays to be seen until a new run begins."""
        self.state, self.job, self._is_run, self._before = "starting", job, False, None
        self.about = None
        self._parts.pop("progress", None)

    def begin_run(self, run_id: str) -> None:
        """The job is the run `run_id`: forget the run before. A resumed run keeps what is known of it."""
        self._before = _Known(self.run_id, self.seq, list(self.recent), dict(self._parts), self._outcome)
        self._outcome, self._is_run = None, True
        if run_id != self.run_id:
            self.run_id, self.seq = run_id, None
            self.recent.clear()
            self._parts.clear()

    def restore(self, run_id: str, seq: int, events: Iterable[Event]) -> None:
        """Take in what the journal of an earlier run says of it; nothing is running."""
        self.begin("train")
        self.begin_run(run_id)
        for event in events:
            self.apply(event)
        self.seq = max(seq, self.seq or 0)
        self.end()

    @property
    def running_run(self) -> str | None:
        """The run in progress: of a study, the member whose turn it is; None while another job, or none, goes on."""
        if self.study is not None and self.study.state == "running":
            return next((member.run_id for member in self.study.members if member.state == "running"), None)
        return self.run_id if self._is_run else None

    def question_of(self, run_id: str | None) -> LeakQuestion | None:
        """Return what the run asked before it began; None of one that did not ask, or began."""
        question = None if self.asking is None else self.asking.question
        return question if question is not None and run_id is not None and question.run_id == run_id else None

    @property
    def has_ended(self) -> bool:
        """Whether the end of the session's run is known."""
        return self._outcome is not None

    def stopping(self) -> None:
        """The job was asked to stop."""
        self.state = "stopping"

    def end(self) -> None:
        """The job is over and its slot is free."""
        if self.asking is not None and self._is_run and "started" not in self._parts:
            self._go_back()
        self.state, self.job, self._is_run, self._before = "idle", None, False, None
        self.about = None
        if self.study is not None and self.study.state == "running":  # its worker is gone without a last word
            self.study = self.study.with_end("interrupted")

    def _go_back(self) -> None:
        """Go back to the run before one that asked and did not begin."""
        before = self._before
        if before is None:
            return
        self.run_id, self.seq, self._parts, self._outcome = before.run_id, before.seq, before.parts, before.outcome
        self._parts.pop("progress", None)
        self.recent = deque(before.recent, maxlen=RECENT_EVENTS)

    def apply(self, event: Event) -> None:
        """Take in what an event says."""
        if event.run_id is not None and event.run_id == self.run_id and event.seq is not None:
            self.seq = max(event.seq, self.seq or 0)
        if self.state == "starting":
            self.state = "running"
        place = _PLACES.get(type(event))
        if place is not None:
            self._parts[place] = event_values(event)
        elif ends_job(event) and self.job in RUN_KINDS:
            self._outcome = {key: value for key, value in event_values(event).items() if key != "history"}
        self._take_in_study(event)
        if isinstance(event, AuditDone) and event.question is not None:
            question = event.question.model_copy(update={"run_id": self.run_id if self._is_run else None})
            self.asking = event.model_copy(update={"question": question})
        if isinstance(event, TrainingComplete | CheckpointLoaded):
            self.current_model = event.checkpoint
        elif isinstance(event, CheckpointDeleted) and event.checkpoint == self.current_model:
            self.current_model = None
        elif isinstance(event, RunDeleted):
            self._forget(event)

    def _take_in_study(self, event: Event) -> None:
        if isinstance(event, StudyStarted):
            self.study = event.study
        elif self.study is None:
            return
        elif isinstance(event, StudyMemberChanged) and event.study_id == self.study.study_id:
            self.study = self.study.with_member(event.member)
        elif isinstance(event, TuningUpdate) and event.study_id == self.study.study_id:
            self.study = self.study.model_copy(update={"tuning": event.tuning})
        elif isinstance(event, TuningComplete) and event.study_id == self.study.study_id:
            self.study = self.study.model_copy(update={"tuning": event.tuning}).with_end("complete")
        elif isinstance(event, StudyStopped) and event.study_id == self.study.study_id:
            self.study = self.study.with_end("stopped" if event.reason == "user" else "interrupted")
        elif isinstance(event, CrossvalComplete | SeedsComplete) and event.study_id == self.study.study_id:
            self.study = self.study.with_end("complete").model_copy(update={self.study.kind: event.result})
        elif isinstance(event, Error) and self.study.state == "running" and ends_job(event):
            # A worker that is gone leaves a study as a power failure does.
            self.study = self.study.with_end(
                "interrupted" if event.code.startswith("worker.") else "failed", event.text
            )

    def _forget(self, event: RunDeleted) -> None:
        """A run was deleted: it is no longer this session's, nor is its model."""
        if self.current_model in event.checkpoints:
            self.current_model = None
        if self.run_id == event.deleted:
            self.run_id, self.seq, self._outcome = None, None, None
            self.recent.clear()
            self._parts.clear()

    def remember(self, event: Event, text: str) -> None:
        """Keep an event of the run, as it was sent, for clients that come back."""
        if event.seq is not None and event.run_id == self.run_id:
            self.recent.append((event.seq, text))

    def model_or(self, checkpoint: str | None) -> str:
        """Return the checkpoint asked for, else the session's current model; raise NoCurrentModel."""
        name = checkpoint or self.current_model
        if name is None:
            raise NoCurrentModel()
        return name

    @property
    def epoch(self) -> int | None:
        """The epochs of the run that are complete, as far as was heard; None before the first."""
        update = self._parts.get("update")
        return None if update is None else update["epoch"]

    def snapshot(self) -> Snapshot:
        """Return the session as it is."""
        return Snapshot(
            session_id=self.session_id,
            state=self.state,
            job=self.job,
            run_id=self.run_id,
            running_run=self.running_run if self.state != "idle" else None,
            about=self.about,
            question=None if self.asking is None else self.asking.question,
            seq=self.seq,
            outcome=self._outcome,
            current_model=self.current_model,
            study=self.study,
            **self._parts,
        )
