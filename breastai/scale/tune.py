"""Tuning: settings tried by short runs, on training and validation images alone, and the best kept by name."""

import contextlib
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from breastai.clinical.deciding import target_class
from breastai.data.cases import list_folders
from breastai.domain.catalog import ARCHITECTURES
from breastai.domain.config import Config, overlay, parse_config
from breastai.domain.errors import MissingExtra, StudyExists, TuningUndefined
from breastai.domain.events import Event, Log, TrainingUpdate, TuningComplete, TuningUpdate
from breastai.domain.jobs import Tune
from breastai.domain.search_space import layer
from breastai.domain.study import Study, StudyMember, TuningState
from breastai.engine.models import check_image_size
from breastai.scale.members import MemberFailed, StudyInProgress, in_study, run_member, told_of, with_epochs
from breastai.storage.checkpoints import checkpoint_kinds, delete_checkpoint
from breastai.storage.documents import save_named_config
from breastai.storage.recording import Stop
from breastai.storage.studies import studies, study_file
from breastai.storage.workspace import Workspace

if TYPE_CHECKING:
    from breastai.scale.trials import Trials

OBJECTIVE = "val_auc_roc"
# What speaks against the settings tried, and not against going on.
_OF_THE_TRIAL = ("training.loss_not_finite", "worker.out_of_memory")
_PACKAGES = ("optuna", "sqlalchemy", "alembic")
# What a configuration that is shared should not say: who may connect, and how it was found.
_OWN = {"server", "tuning"}


def tune(job: Tune, workspace: Workspace, stop_requested: Stop) -> Iterator[Event]:
    """Tune a configuration. Raises InputError before the first event, and before anything is on disk."""
    if job.study_id in studies(workspace):
        raise StudyExists(job.study_id)
    study = _new(job.study_id, job.config, workspace)
    yield from go_on(study, workspace, job.session_id, stop_requested)


def go_on(study: Study, workspace: Workspace, session_id: str, stop_requested: Stop) -> Generator[Event, None, None]:
    """Yield the events of a tuning from where it is."""
    config = parse_config(study.config)
    with _opened(study, config, workspace) as trials:
        yield from in_study(study, workspace, session_id, stop_requested, partial(_search, config, trials))


def _new(study_id: str, config: Config, workspace: Workspace) -> Study:
    """Return a tuning that has not begun; raise what would keep every trial from beginning."""
    check_image_size(ARCHITECTURES[config.model.architecture], config.data.image_size)
    folders = list_folders(trial_config(config, {}), workspace.root)
    target_class(config, folders.class_names)
    settings = config.tuning
    return Study(
        study_id=study_id,
        kind="tuning",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        config=config.model_dump(mode="json"),
        members=[],
        tuning=TuningState(trials=settings.trials, max_hours=settings.max_hours),
    )


def trial_config(config: Config, values: dict[str, Any]) -> Config:
    """Return what a trial trains with: no test images, the AUC to choose its best epoch by, nothing kept twice."""
    changes: dict[str, Any] = {
        "data": {"test_dir": None},
        "training": {"export_onnx": False},
        "storage": {"keep_best": 1, "keep_last": 1},
    }
    return parse_config(overlay(config.model_dump(mode="json"), _judged(config), changes, layer(values)))


def tuned_values(config: Config, values: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration to train from: as the best trial had it, with the user's own test folder."""
    whole = config.model_dump(mode="json", exclude=_OWN)
    return overlay(whole, _judged(config), layer(values))


def _judged(config: Config) -> dict[str, Any]:
    epochs = config.tuning.epochs or config.training.epochs
    return {"training": {"epochs": epochs, "early_stopping": {"monitor": OBJECTIVE}}}


@contextlib.contextmanager
def _opened(study: Study, config: Config, workspace: Workspace) -> Iterator["Trials"]:
    try:
        from breastai.scale.trials import Trials
    except ModuleNotFoundError as error:
        if error.name in _PACKAGES:
            raise MissingExtra(error.name, "tune") from None
        raise
    trials = Trials(study_file(workspace, study.study_id).with_name("trials.db"), config)
    try:
        yield trials
    finally:
        trials.close()


def _search(config: Config, trials: "Trials", progress: StudyInProgress) -> Generator[Event, None, Event]:
    """Go through trials until they or the hours are used up; return the event that tells what was found."""
    while (reason := _used_up(progress)) is None:
        progress.check_stop()
        yield from _trial(config, trials, progress)
        yield _took_in(progress, trials)
        _drop_weights(progress)
    state = _state(progress)
    best = next(member for member in progress.study.members if member.run_id == state.best)
    if state.improved:
        name = f"tuned-{progress.study.study_id}"
        save_named_config(progress.workspace, name, tuned_values(config, best.values))
        state = state.model_copy(update={"config_name": name})
        progress.study = progress.study.model_copy(update={"tuning": state})
    return TuningComplete(study_id=progress.study.study_id, tuning=state, values=best.values, reason=reason)


def _used_up(progress: StudyInProgress) -> Literal["trials", "time"] | None:
    state = _state(progress)
    if state.done >= state.trials:
        return "trials"
    over_time = state.max_hours is not None and state.spent_s >= state.max_hours * 3600
    return "time" if over_time and state.done else None


def _trial(config: Config, trials: "Trials", progress: StudyInProgress) -> Generator[Event, None, None]:
    """Run the trial whose turn it is, from where it stopped if it had begun."""
    number = _state(progress).done
    run_id = f"{progress.study.study_id}-t{number:02d}"
    values = trials.begin(run_id, number)
    settings = trial_config(config, values)
    member = StudyMember(run_id=run_id, trial=number, values=values, epochs=settings.training.epochs)
    clock = _Clock(progress)

    def lags_behind(now: StudyMember) -> bool:
        clock.take()
        epochs, aucs = now.curves["epoch"], now.curves[OBJECTIVE]
        behind = trials.lags_behind(run_id, {int(epoch or 0): auc for epoch, auc in zip(epochs, aucs, strict=True)})
        return behind and now.epoch < now.epochs

    begun, finished = told_of(progress.workspace, run_id)
    member = with_epochs(member, begun)
    try:
        if begun and finished is None and lags_behind(member):  # the kill came before the decision
            member = member.model_copy(update={"state": "pruned"})
        else:
            title = f"Trial {number + 1} of {_state(progress).trials}"
            member = yield from run_member(progress, member, settings, title, lags_behind)
            lags_behind(member)
    except MemberFailed as failure:
        if failure.event.code not in _OF_THE_TRIAL or number == 0:
            raise
        trials.end(run_id, "failed", None)
        yield _did_not_work(number, failure)
        return
    finally:
        clock.take()
    auc = _best_auc(progress, run_id)
    if auc is None and number == 0:
        raise TuningUndefined()
    ending: Literal["complete", "pruned"] = "pruned" if member.state == "pruned" else "complete"
    trials.end(run_id, ending, auc)
    yield progress.change(member.model_copy(update={"state": ending, "figures": {"auc_roc": auc}}))


def _did_not_work(number: int, failure: MemberFailed) -> Log:
    reason = failure.event.message
    return Log(
        level="warning",
        code="tuning.trial_failed",
        message=f"Trial {number + 1} did not work with its settings, and the search goes on: {reason}",
        params={"trial": number + 1, "reason": reason},
    )


class _Clock:
    """Adds the time since it was last asked to what the study's trials have taken."""

    def __init__(self, progress: StudyInProgress) -> None:
        self._progress, self._mark = progress, time.monotonic()

    def take(self) -> None:
        now = time.monotonic()
        state = _state(self._progress)
        spent = round(state.spent_s + now - self._mark, 1)
        self._mark = now
        changed = state.model_copy(update={"spent_s": spent})
        self._progress.study = self._progress.study.model_copy(update={"tuning": changed})


def _took_in(progress: StudyInProgress, trials: "Trials") -> TuningUpdate:
    """Take in what the trials that are over say together."""
    over = [member for member in progress.study.members if member.state in ("complete", "pruned", "failed")]
    whole = [member for member in over if member.state == "complete" and member.figures["auc_roc"] is not None]
    best = max(whole, key=lambda member: member.figures["auc_roc"] or 0.0, default=None)
    default = progress.study.members[0]
    changes = {
        "done": len(over),
        "default_auc": default.figures.get("auc_roc"),
        "best": best.run_id if best else None,
        "best_auc": best.figures["auc_roc"] if best else None,
        "val_images": _val_images(progress, default.run_id),
        "epochs_run": sum(member.epoch for member in over),
        "epochs_saved": sum(member.epochs - member.epoch for member in over if member.state == "pruned"),
        "importance": trials.importance(),
    }
    state = _state(progress).model_copy(update=changes)
    progress.keep(progress.study.model_copy(update={"tuning": state}))
    return TuningUpdate(study_id=progress.study.study_id, tuning=state)


def _state(progress: StudyInProgress) -> TuningState:
    state = progress.study.tuning
    assert state is not None
    return state


def _best_auc(progress: StudyInProgress, run_id: str) -> float | None:
    return max(
        (update.val_auc_roc for update in _updates(progress, run_id) if update.val_auc_roc is not None), default=None
    )


def _val_images(progress: StudyInProgress, run_id: str) -> int | None:
    updates = _updates(progress, run_id)
    matrix = updates[0].val_confusion_matrix if updates else None
    return sum(map(sum, matrix)) if matrix else None


def _updates(progress: StudyInProgress, run_id: str) -> list[TrainingUpdate]:
    return told_of(progress.workspace, run_id)[0] or []


def _drop_weights(progress: StudyInProgress) -> None:
    """Delete the weights of trials that are over, but the best one's best epoch: a hundred trials must not fill the disk."""
    best = _state(progress).best
    for member in progress.study.members:
        if member.state in ("complete", "pruned", "failed"):
            for kind in checkpoint_kinds(progress.workspace, member.run_id):
                if (member.run_id, kind) != (best, "best"):
                    delete_checkpoint(progress.workspace, f"{member.run_id}/{kind}")
