"""A study in progress: its runs gone through, each an ordinary run, and the record of all kept up to date."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from breastai.domain.config import Config
from breastai.domain.errors import BreastAIError
from breastai.domain.events import (
    Error,
    Event,
    Log,
    ProgressUpdate,
    StudyMemberChanged,
    StudyStarted,
    StudyStopped,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
    TrainingUpdate,
)
from breastai.domain.jobs import Resume, Train
from breastai.domain.run_history import thin_history
from breastai.domain.study import CURVES, Study, StudyMember
from breastai.domain.text import Text
from breastai.engine.training.training_job import resume, train
from breastai.storage.journal import read_events
from breastai.storage.lease import Lease
from breastai.storage.run_recorder import Stop, StopReason, as_breastai_errors, journal_events
from breastai.storage.studies import save_study
from breastai.storage.workspace import Workspace

_OWN_ENVELOPE = {"run_id": None, "seq": None, "time": None}


class MemberStopped(Exception):
    """A member was asked to stop, and the study with it; its place is kept."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MemberFailed(Exception):
    """A member could not go on; `event` says why."""

    def __init__(self, event: Error) -> None:
        super().__init__(event.message)
        self.event = event


@dataclass
class StudyInProgress:
    """A study, where it lies, and who asks it to stop. Every change is written down before it is told."""

    study: Study
    workspace: Workspace
    session_id: str
    stop_requested: Stop

    def change(self, member: StudyMember) -> StudyMemberChanged:
        """Take in a member as it is now; return the event that tells of it."""
        self.keep(self.study.with_member(member))
        return self.tell(member)

    def tell(self, member: StudyMember) -> StudyMemberChanged:
        """Return the event that tells of a member as the study that was kept has it."""
        return StudyMemberChanged(study_id=self.study.study_id, member=member)

    def keep(self, study: Study) -> None:
        """Take in the study as it is now."""
        self.study = study
        save_study(self.workspace, study)

    def check_stop(self) -> None:
        """Raise MemberStopped when the study was asked to stop: for work between the runs."""
        reason = self.stop_requested()
        if reason:
            raise MemberStopped("user" if reason is True else reason)

    def share_done(self, of_member: float = 0.0) -> float:
        """Return how much of the study is done, with `of_member` of the one in progress; members weigh the same."""
        if self.study.tuning is not None:  # its members come one by one
            over, planned = self.study.tuning.done, self.study.tuning.trials
        else:
            over, planned = sum(member.is_over for member in self.study.members), len(self.study.members)
        return min(1.0, (over + of_member) / max(1, planned))


Work = Callable[[StudyInProgress], Generator[Event, None, Event]]


def run_study(
    study: Study, workspace: Workspace, session_id: str, stop_requested: Stop, work: Work
) -> Generator[Event, None, None]:
    """Yield the events of a study: that it begins or goes on, what `work` tells, and how it ended.

    `work` returns the event that completes the study. Raises RunLocked while another process works on it.
    """
    with Lease(workspace).take(study.study_id):
        begun = study.model_copy(update={"state": "running", "message": ""})
        progress = StudyInProgress(begun, workspace, session_id, stop_requested)
        save_study(workspace, begun)
        yield StudyStarted(study=begun)
        last: Event
        try:
            last = yield from work(progress)
            ended = progress.study.with_end("complete")
        except MemberStopped as stop:
            ended = progress.study.with_end("stopped" if stop.reason == "user" else "interrupted")
            last = StudyStopped.model_validate({"study_id": study.study_id, "kind": study.kind, "reason": stop.reason})
        except MemberFailed as failure:
            ended = progress.study.with_end("failed", failure.event.text)
            last = failure.event.model_copy(update=_OWN_ENVELOPE)
        except BreastAIError as error:
            save_study(workspace, progress.study.with_end("failed", error.text))
            raise
        except GeneratorExit:
            save_study(workspace, progress.study.with_end("interrupted"))
            raise
        save_study(workspace, ended)
    yield last


def run_member(
    progress: StudyInProgress,
    member: StudyMember,
    config: Config,
    title: Text | None = None,
    prune: Callable[[StudyMember], bool] = lambda member: False,
    share: Callable[[float], float] = lambda done: done,
) -> Generator[Event, None, StudyMember]:
    """Train a member to its end, from where it stopped if it had begun; yield what the study tells of it.

    `title` begins the messages of its progress; `share`: how much of the member is done, given how much of its run is.
    Returns the member, `pruned` when `prune`, asked after each epoch, ended it; it is not complete before its study
    says so. Raises MemberStopped, MemberFailed, or what keeps a run from beginning.
    """
    workspace, run_id = progress.workspace, member.run_id
    updates, finished = progress_of_member(workspace, run_id)
    member = with_epochs(member, updates)
    pruned = False

    def stop() -> StopReason | bool:
        return progress.stop_requested() or pruned

    if finished is None:
        job: Train | Resume
        if updates is None:
            job = Train(
                workspace=str(workspace.root),
                session_id=progress.session_id,
                run_id=run_id,
                config=config,
                leaks_settled=True,
            )
            events = as_breastai_errors(train(job, workspace), workspace)
        else:
            job = Resume(workspace=str(workspace.root), session_id=progress.session_id, run_id=run_id)
            events = as_breastai_errors(resume(job, workspace), workspace)
        failure: Error | None = None
        for event in journal_events(job, events, workspace, stop, back_up=False):
            if isinstance(event, TrainingStarted):
                updates = [update for update in updates or [] if update.epoch < event.start_epoch]
                member = with_epochs(member.model_copy(update={"state": "running", "epochs": event.epochs}), updates)
                yield progress.change(member)
            elif isinstance(event, TrainingUpdate):
                updates = [*(updates or []), event]
                member = with_epochs(member, updates)
                yield progress.change(member)
                pruned = prune(member)
            elif isinstance(event, ProgressUpdate):
                done = progress.share_done(share(event.progress or 0.0))
                titled = event if title is None else event.with_title(title, done)
                yield titled.model_copy(update={**_OWN_ENVELOPE, "progress": done, "eta_s": None})
            elif isinstance(event, Log):
                yield event.model_copy(update=_OWN_ENVELOPE)
            elif isinstance(event, TrainingComplete):
                finished = event
            elif isinstance(event, Error):
                failure = event
            elif isinstance(event, TrainingStopped):
                if failure is not None:
                    yield progress.change(member.model_copy(update={"state": "failed", "message": failure.text}))
                    raise MemberFailed(failure)
                if not pruned:
                    yield progress.change(member.model_copy(update={"state": "stopped"}))
                    raise MemberStopped(event.reason)
    if pruned:
        return member.model_copy(update={"state": "pruned"})
    return member if finished is None else member.model_copy(update={"best_epoch": finished.best_epoch})


def progress_of_member(
    workspace: Workspace, run_id: str
) -> tuple[list[TrainingUpdate] | None, TrainingComplete | None]:
    """Return the epochs a run's journal tells of, None when it never began; and how it was completed, if it was."""
    epochs: dict[int, TrainingUpdate] = {}
    began = False
    finished: TrainingComplete | None = None
    for event in read_events(workspace.journal_file(run_id)):
        if isinstance(event, TrainingStarted):
            began, finished = True, None
        elif isinstance(event, TrainingUpdate):
            epochs[event.epoch] = event
        elif isinstance(event, TrainingComplete):
            finished = event
    return [epochs[epoch] for epoch in sorted(epochs)] if began else None, finished


def with_epochs(member: StudyMember, updates: list[TrainingUpdate] | None) -> StudyMember:
    """Return a member as its epochs show it."""
    shown = thin_history(updates or [])
    curves = {name: [update.number(name) for update in shown] for name in CURVES} if shown else {}
    best = max((update.epoch for update in updates or [] if update.is_best), default=None)
    return member.model_copy(
        update={"epoch": updates[-1].epoch if updates else 0, "curves": curves, "best_epoch": best}
    )
