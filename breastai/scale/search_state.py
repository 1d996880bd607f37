"""A search for settings in progress: which trial comes next, whether one lags behind, and what those over have shown."""

import contextlib
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Literal

from breastai.domain.config import Config
from breastai.domain.errors import RunLocked, TuningUndefined
from breastai.domain.events import Event, Log, StudyMemberChanged, TrainingUpdate, TuningUpdate
from breastai.domain.study import StudyMember, TuningState
from breastai.scale.study_runner import MemberFailed, StudyInProgress, progress_of_member
from breastai.scale.trial_run import OBJECTIVE, run_trial, trial_config
from breastai.storage.checkpoints import checkpoint_files, checkpoint_kinds, remove_checkpoint
from breastai.storage.lease import Lease

if TYPE_CHECKING:
    from breastai.scale.optuna_trials import Trials

Reason = Literal["trials", "time"]
OVER = ("complete", "pruned", "failed")
# What speaks against the settings tried, and not against going on.
_OF_THE_TRIAL = ("training.loss_not_finite", "worker.out_of_memory")


class Search:
    """The trials of `progress.study`, drawn from `trials` one by one; several may be under way at once."""

    follow = True

    def __init__(self, config: Config, trials: "Trials", progress: StudyInProgress) -> None:
        self.config, self.progress = config, progress
        self._trials = trials
        self._under_way: dict[str, StudyMember] = {}
        self._mark = time.monotonic()
        if len(self._over()) > self.state.done:  # a kill came before a failed trial was taken in
            for member in self._over():
                trials.end(member.run_id, "failed", None)
            self._taken_in()

    @property
    def state(self) -> TuningState:
        state = self.progress.study.tuning
        assert state is not None
        return state

    @property
    def reason(self) -> Reason:
        """What was used up, of a search that is at its end."""
        return "trials" if self.state.done >= self.state.trials else "time"

    @property
    def best(self) -> StudyMember:
        """The trial with the highest validation AUC, once one is complete."""
        assert self.state.best is not None
        return self.progress.study.member(self.state.best)

    def next_member(self) -> StudyMember | None:
        """Return the trial whose turn it is, with its settings; None when trials or hours are used up."""
        state = self.state
        over_time = state.max_hours is not None and state.spent_s >= state.max_hours * 3600
        if over_time and state.done:
            return None
        known = {member.run_id: member for member in self.progress.study.members}
        for number in range(state.trials):
            run_id = f"{self.progress.study.study_id}-t{number:02d}"
            ended = run_id in known and known[run_id].state in OVER
            if not ended and run_id not in self._under_way:
                values = self._trials.begin(run_id, number)
                epochs = trial_config(self.config, values).training.epochs
                member = StudyMember(run_id=run_id, trial=number, values=values, epochs=epochs)
                self._under_way[run_id] = member
                return member
        return None

    def lags_behind(self, member: StudyMember) -> bool:
        """Take in the figures of a trial's epochs; return whether it is to be ended early: never the first, the measure of all."""
        self.take_time()
        aucs = zip(member.curves["epoch"], member.curves[OBJECTIVE], strict=True)
        behind = self._trials.lags_behind(member.run_id, {int(epoch or 0): auc for epoch, auc in aucs})
        return behind and member.trial != 0

    def record_end(self, member: StudyMember) -> Iterator[Event]:
        """Take in a trial that is complete or pruned; raise TuningUndefined when the first one has no figure."""
        self._under_way.pop(member.run_id, None)
        auc = member.figures["auc_roc"]
        if auc is None and member.trial == 0:
            raise TuningUndefined()
        if member.epoch:
            self.lags_behind(member)
        self._trials.end(member.run_id, "pruned" if member.state == "pruned" else "complete", auc)
        self.progress.study = self.progress.study.with_member(member)
        update = self._taken_in()  # both are written down at once: no kill can part them
        yield StudyMemberChanged(study_id=update.study_id, member=member)
        yield update

    def record_failure(self, run_id: str, failure: MemberFailed) -> Iterator[Event]:
        """Take in a trial that could not go on; raise `failure` unless it speaks against that trial's settings alone."""
        member = self._under_way.pop(run_id)
        if failure.event.code not in _OF_THE_TRIAL or member.trial == 0:
            raise failure
        self._trials.end(run_id, "failed", None)
        number, reason = (member.trial or 0) + 1, failure.event.text
        yield Log(
            level="warning",
            code="tuning.trial_failed",
            message=f"Trial {number} did not work with its settings, and the search goes on: {reason}",
            params={"trial": number, "reason": reason},
        )
        yield self._taken_in()

    def take_time(self) -> None:
        """Add the time since it was last taken to what the study's trials have taken."""
        now = time.monotonic()
        spent = round(self.state.spent_s + now - self._mark, 1)
        self._mark = now
        changed = self.state.model_copy(update={"spent_s": spent})
        self.progress.study = self.progress.study.model_copy(update={"tuning": changed})

    def drop_weights(self, keep: str | None) -> None:
        """Delete the weights of trials that are over, but the best epoch of `keep`: a hundred trials must not fill the disk."""
        workspace = self.progress.workspace
        for member in self._over():
            for kind in checkpoint_kinds(workspace, member.run_id):
                if (member.run_id, kind) != (keep, "best"):
                    # Whoever has resumed a trial by hand keeps it.
                    with contextlib.suppress(RunLocked), Lease(workspace).take(member.run_id, wait_s=0):
                        remove_checkpoint(checkpoint_files(workspace, member.run_id, kind))

    def _taken_in(self) -> TuningUpdate:
        """Take in what the trials that are over say together."""
        self.take_time()
        progress = self.progress
        over = self._over()
        whole = [member for member in over if member.state == "complete" and member.figures["auc_roc"] is not None]
        best = max(whole, key=lambda member: member.figures["auc_roc"] or 0.0, default=None)
        default = next((member for member in over if member.trial == 0), None)
        changes = {
            "done": len(over),
            "default_auc": default.figures.get("auc_roc") if default else None,
            "best": best.run_id if best else None,
            "best_auc": best.figures["auc_roc"] if best else None,
            "val_images": self._val_images(over[0].run_id),
            "epochs_run": sum(member.epoch for member in over),
            "epochs_saved": sum(member.epochs - member.epoch for member in over if member.state == "pruned"),
            "importance": self._trials.importance(),
        }
        state = self.state.model_copy(update=changes)
        progress.keep(progress.study.model_copy(update={"tuning": state}))
        self.drop_weights(state.best)
        return TuningUpdate(study_id=progress.study.study_id, tuning=state)

    def _over(self) -> list[StudyMember]:
        return [member for member in self.progress.study.members if member.state in OVER]

    def _val_images(self, run_id: str) -> int | None:
        updates: list[TrainingUpdate] = progress_of_member(self.progress.workspace, run_id)[0] or []
        matrix = updates[0].val_confusion_matrix if updates else None
        return sum(map(sum, matrix)) if matrix else None


def run_search(search: Search) -> Generator[Event, None, None]:
    """Go through the trials left, one after the other, until they or the hours are used up."""
    try:
        while True:
            member = search.next_member()
            if member is None:
                return
            search.progress.check_stop()
            try:
                over = yield from run_trial(search.progress, member, search.config, search.lags_behind)
            except MemberFailed as failure:
                yield from search.record_failure(member.run_id, failure)
            else:
                yield from search.record_end(over)
    finally:
        search.take_time()
